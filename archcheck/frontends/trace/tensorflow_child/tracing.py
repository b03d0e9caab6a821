"""One trace: build, call, and what was recorded as plain data.

Both happen in graphs: variables have a name and a shape there, and hold nothing.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import tensorflow as tf
from tensorflow.python.autograph.core import ag_ctx
from tensorflow.python.autograph.impl import api
from tensorflow.python.framework.func_graph import FuncGraph

from archcheck.frontends.trace.tensorflow_child.building import (
    Built,
    CannotBuildError,
    build,
    import_target,
    is_layer,
    names_of,
    parameters_of,
    told,
)
from archcheck.frontends.trace.tensorflow_child.encoding import outputs, variable_of
from archcheck.frontends.trace.tensorflow_child.frames import Frames
from archcheck.frontends.trace.tensorflow_child.functions import Functions, converted
from archcheck.frontends.trace.tensorflow_child.inputs import Inputs, made
from archcheck.frontends.trace.tensorflow_child.layers import Layers
from archcheck.frontends.trace.tensorflow_child.names import Places, named_variables, walk
from archcheck.frontends.trace.tensorflow_child.recorder import Recorder


def trace(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What the target computes, as calls of layers and functions.

    Raises:
        CannotBuildError: it cannot be built, or given what it needs.
    """
    started = time.process_time()
    frames = Frames()
    noting = Layers(Recorder(frames), asked["layers"])
    noting.note_constructors()
    module = import_target(asked, frames)
    frames = Frames()  # with the packages that it has brought in
    imported = time.process_time()
    failed: tuple[BaseException, _Run] | None = None
    tries = 0
    while True:
        run = _Run(asked, module, frames)
        error = run.attempt(tries)
        if error is None or run.exhausted:
            break
        if failed is None or len(run.recorder.calls) > len(failed[1].recorder.calls):
            failed = error, run
        tries += 1
    if run.exhausted and failed is not None:
        error, run = failed
    return run.told(error, imported - started)


class _Run:
    """One attempt: a model of its own, and a call of it."""

    def __init__(self, asked: Mapping[str, Any], module: Any, frames: Frames) -> None:
        self.asked = asked
        self.module = module
        self.frames = frames
        self.recorder = Recorder(frames)
        self.exhausted = False
        self.result: Any = None
        self.given: list[tuple[str, Any]] = []
        self.assumed: list[str] = []
        self.times: dict[str, float] = {}
        self.built: Built
        self.inputs: Inputs

    def attempt(self, number: int) -> BaseException | None:
        """Build it and call it, in the way that is tried as this one; why that failed, or None."""
        asked, recorder = self.asked, self.recorder
        layers = Layers(recorder, asked["layers"])
        layers.note_constructors()
        functions = Functions(recorder, asked["functions"], layers)
        started = time.process_time()
        with ExitStack() as stack:
            stack.enter_context(tf.Graph().as_default())
            stack.enter_context(functions.watched())
            stack.enter_context(layers.watched())
            _forget_context()
            self.built = build(asked, self.module, self.frames)
            self.times["build"] = time.process_time() - started
            self.inputs = Inputs(self.built, asked["inputs"], list(asked["given"]), bool(asked["training"]))
            ways = list(self.inputs.attempts())
            self.exhausted = number >= len(ways) - 1
            args, kwargs = ways[min(number, len(ways) - 1)]
            if number:
                self.assumed.append(f"it is called with {_shown(args, kwargs)}, as other calls fail")
            started = time.process_time()
            try:
                self._call(args, kwargs)
            except (KeyboardInterrupt, MemoryError):
                raise
            except BaseException as error:
                return error
            finally:
                self.times["run"] = time.process_time() - started
        return None

    def _call(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        recorder, built = self.recorder, self.built
        if built.model is not None:
            recorder.place_of = Places(built.model).of
            recorder.methods = not is_layer(built.model)
            _as_written(built.model, recorder.nodes)
        graph = FuncGraph("traced")
        with graph.as_default():
            positional = [made(one, "inputs" if not at else f"inputs{at}", self.given) for at, one in enumerate(args)]
            named = {name: made(one, name, self.given) for name, one in kwargs.items()}
        first = next(iter(named), None)
        if is_layer(built.call) and not positional and first is not None and first == self.inputs.names[0]:
            positional = [named.pop(first)]  # the older Keras takes it by position alone
        for _, tensor in self.given:
            recorder.values.add(tensor)
        call, more, mode = _callable(built, bool(self.asked["training"]))
        with mode, recorder.recording(graph):
            self._know()
            self.result = call(*positional, **{**named, **more})
            self._know()
            self.results = [recorder.values.encode(one) for one in outputs(self.result)]

    def _know(self) -> None:
        """Tell the graph's handles by the variables that they are of: those that the model has."""
        if self.built.model is None:
            return
        for _, value, is_variable in walk(self.built.model):
            if is_variable and (variable := variable_of(value)) is not None:
                self.recorder.raw.knows(variable)

    def told(self, error: BaseException | None, importing: float) -> dict[str, Any]:
        """What was recorded."""
        recorder, built = self.recorder, self.built
        values = recorder.values
        why = "" if error is None else told(error)[:400]
        at = None if error is None else self.frames.place(error)
        results = [] if error is not None else [one[1] for one in self.results if type(one) is tuple and one[0] == "t"]
        if not why and not results:
            why = f"what it gives holds no tensor: {type(self.result).__name__}"
        weights = []
        for name, value, learned in named_variables(built.model) if built.model is not None else ():
            variable = variable_of(value)
            number = values.numbers.get(id(variable))
            weights.append([name, values.add(variable) if number is None else number, learned])
        shapes: dict[tuple[Any, ...], int] = {}
        of = [shapes.setdefault(_shape(one), len(shapes)) for one in values.kept]
        modules = []
        for name, value, is_variable in walk(built.model) if built.model is not None else ():
            if not is_variable and "/" not in name:
                cls = type(value)
                file = getattr(sys.modules.get(cls.__module__), "__file__", None) or ""
                modules.append([name, cls.__module__, cls.__qualname__, file])
        return {
            "names": list(recorder.names),
            "places": list(recorder.places),
            "sites": recorder.sites,
            "calls": [list(call) for call in recorder.calls],
            "inputs": [[name, values.numbers[id(tensor)]] for name, tensor in self.given],
            "held": [],
            "weights": weights,
            "found": values.found,
            "shapes": [[list(size), dtype] for size, dtype in shapes],
            "shape_of": of,
            "modules": modules,
            "results": results,
            "guesses": [],
            "caught": [],
            "assumed": [*built.assumed, *self.assumed],
            "made": {name: repr(value) for name, value in built.made.items()},
            "settings": [],
            "given": sorted({name.partition("[")[0] for name, _ in self.given}),
            "error": why,
            "at": at,
            "stage": "run" if why else "",
            "symbol": built.symbol,
            "times": {"import": importing, **self.times},
            **({"initial": {"rows": [], "note": "initial values are looked at in PyTorch models only"}}
               if self.asked.get("initial") else {}),
        }  # fmt: skip


def _as_written(model: Any, nodes: Mapping[int, int]) -> None:
    """Let functional models run their nodes in the order in which the code wrote them, and not by their depth.

    Each node stands behind those that it reads in both orders; in this one a decoder comes after its encoder.
    """
    order = {node: at for at, node in enumerate(nodes)}
    for _, value, is_variable in walk(model):
        by_depth = None if is_variable else vars(value).get("_nodes_by_depth")
        if isinstance(by_depth, dict):
            every = [node for some in by_depth.values() for node in some]
            if all(id(node) in order for node in every):
                value.__dict__["_nodes_by_depth"] = {0: sorted(every, key=lambda node: order[id(node)])}


def _shape(value: Any) -> tuple[Any, ...]:
    """Sizes and dtype; of a tensor some of whose sizes only running would tell, -1 for those."""
    shape = value.shape
    rank = getattr(shape, "rank", len(shape) if isinstance(shape, tuple) else None)
    sizes = (-1,) if rank is None else tuple(-1 if one is None else int(one) for one in tuple(shape))
    return sizes, getattr(value.dtype, "name", str(value.dtype))


def _shown(args: list[Any], kwargs: dict[str, Any]) -> str:
    return ", ".join([*map(str, args), *[f"{name} {value}" for name, value in kwargs.items()]])


def _forget_context() -> None:
    """A call of Keras that failed leaves its context behind."""
    state = sys.modules.get("keras.src.backend.common.global_state")
    if state is not None:
        state.set_global_attribute("current_call_ctx", None)


def _callable(built: Built, training: bool) -> tuple[Callable[..., Any], dict[str, Any], AbstractContextManager[Any]]:
    """What is called, with what more than the inputs, and within what: the mode, and AutoGraph where it is used."""
    call = built.call
    stack = ExitStack()
    old = sys.modules.get("tf_keras.src.backend")
    if old is not None:
        stack.enter_context(old.learning_phase_scope(int(training)))
    convert = ag_ctx.ControlStatusCtx(status=ag_ctx.Status.ENABLED)
    takes_mode = "training" in names_of(parameters_of(call)) and "training" not in built.fixed
    if is_layer(call):
        if type(call).__module__.startswith("keras.") or _is_new(call):
            return call, {"training": training}, stack
        stack.enter_context(convert)
        return call, {"training": training} if takes_mode else {}, stack
    stack.enter_context(convert)
    if hasattr(call, "python_function"):
        call = converted(call)
    elif not hasattr(type(call).__dict__.get("__call__"), "python_function"):
        call = api.tf_convert(call, convert, user_requested=True)
    return call, {"training": training} if takes_mode else {}, stack


def _is_new(layer: Any) -> bool:
    """Whether a layer is one of Keras 3."""
    base = getattr(sys.modules.get("keras.src.layers.layer"), "Layer", None)
    return base is not None and isinstance(layer, base)


__all__ = ["CannotBuildError", "trace"]
