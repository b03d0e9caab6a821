"""Records what a model computes while it runs into a graph of TensorFlow, in which nothing is computed or allocated.

Three things are recorded, each whole: calls of layers that the dialects list, calls of public functions that they list,
and, of the rest, ops of the graph. The graph is what decides: a tensor that no recorded call gave is looked up in it,
and the ops that it comes from are told one by one. So nothing slips by: what no table lists is an opaque op.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any

import tensorflow as tf
from tensorflow.python.framework.func_graph import FuncGraph
from tensorflow.python.util import tf_stack

from archcheck.frontends.trace.tensorflow_child.encoding import Encoder, tensors, variable_of
from archcheck.frontends.trace.tensorflow_child.frames import GENERATED, Frames, positions
from archcheck.frontends.trace.tensorflow_child.raw import Raw

_OF_SIZES = frozenset({"tensorflow.shape", "tensorflow.size", "tensorflow.rank", "tensorflow.shape_n"})
_ASSIGNS = ("AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp", "ResourceScatter")


class Recorder:
    """Calls in the order in which they ran.

    Args:
        frames: whose code is whose.
    """

    def __init__(self, frames: Frames) -> None:
        self.frames = frames
        self.raw = Raw(self)
        self.values = Encoder(self.raw.explain)
        self.calls: list[tuple[Any, ...]] = []
        self.names: dict[str, int] = {}
        self.place_of: Callable[[Any], str | None] = lambda layer: None
        self.places: dict[str, int] = {"": 0}
        self.place = 0
        self.methods = False  # whether the model is of objects that are no layers: whose method runs tells where it is
        self.quiet = 0  # calls around that are recorded whole
        self.graph: FuncGraph | None = None  # that is recorded
        self.made: dict[int, tuple[int, int]] = {}  # op of the graph, by identity -> place and site
        self.nodes: dict[int, int] = {}  # node of a functional model, by identity -> site
        self.loops: dict[CodeType, str] = {}  # code that calls the nodes of a functional model -> its name of a node
        self._sites: dict[Any, int] = {}
        self._rows: list[list[Any]] = []
        self._skipped: dict[int, bool] = {}
        self._codes: list[CodeType] = []  # kept, so that no other gets their identity

    # ---- where

    def here(self, depth: int = 2) -> int:
        """The site of the innermost code of the model; -1 where there is none.

        Where a functional model calls its parts, that is where the code wrote the call down.
        """
        frame: FrameType | None = sys._getframe(depth)
        while frame is not None:
            code = frame.f_code
            skipped = self._skipped.get(id(code))
            if skipped is None:
                skipped = self._skipped[id(code)] = not self.frames.is_models(code.co_filename)
                self._codes.append(code)
            if not skipped:
                return self._site(frame)
            if code in self.loops:
                node = frame.f_locals.get(self.loops[code])
                if (site := self.nodes.get(id(node), -1)) >= 0:
                    return site
            frame = frame.f_back
        return -1

    def inside(self) -> int:
        """The place that code runs in: that of the innermost layer, or of the object, no layer, whose method runs."""
        frame: FrameType | None = sys._getframe(2) if self.methods else None
        while frame is not None:
            if not self._skipped.get(id(frame.f_code), False) and self.frames.is_models(frame.f_code.co_filename):
                owner = frame.f_locals.get("self")
                name = self.place_of(owner) if isinstance(owner, tf.Module) else None
                if name is not None:
                    return self.places.setdefault(name, len(self.places))
            frame = frame.f_back
        return self.place

    def _site(self, frame: FrameType) -> int:
        code = frame.f_code
        if GENERATED in code.co_filename:
            return self._converted()
        key = (id(code), frame.f_lasti)
        site = self._sites.get(key)
        if site is None:
            first, end, column, end_column = positions(code, frame.f_lasti)
            row = [code.co_filename, code.co_qualname, first or frame.f_lineno, column, end, end_column]
            site = self._sites[key] = self._row(row)
        return site

    def _converted(self) -> int:
        """The site in the model's own file, of code that AutoGraph rewrote."""
        for one in reversed(tf_stack.extract_stack()):
            if self.frames.is_models(one.filename) and GENERATED not in one.filename:
                key = (one.filename, one.lineno)
                if key not in self._sites:
                    self._sites[key] = self._row([one.filename, one.name, one.lineno, None, None, None])
                return self._sites[key]
        return -1

    def _row(self, row: list[Any]) -> int:
        self._rows.append(row)
        return len(self._rows) - 1

    @property
    def sites(self) -> list[list[Any]]:
        """File, function, line and column of each site."""
        return self._rows

    @contextmanager
    def within(self, layer: Any) -> Iterator[None]:
        """What is recorded inside stands at the layer's place, if that is known."""
        before = self.place
        name = self.place_of(layer)
        if name is not None:
            self.place = self.places.setdefault(name, len(self.places))
        try:
            yield
        finally:
            self.place = before

    # ---- what

    @property
    def listening(self) -> bool:
        """Whether a call is one of the model's own."""
        return not self.quiet and self.graph is not None and tf.compat.v1.get_default_graph() is self.graph

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Within, nothing is recorded."""
        self.quiet += 1
        try:
            yield
        finally:
            self.quiet -= 1

    @contextmanager
    def recording(self, graph: FuncGraph) -> Iterator[None]:
        """Within, what goes into this graph is recorded."""
        create = graph._create_op_internal

        def noted(*args: Any, **kwargs: Any) -> Any:
            op = create(*args, **kwargs)
            self.made[id(op)] = (self.inside(), self.here())
            if op.type.startswith(_ASSIGNS) and not self.quiet:
                self._assigned(op)
            return op

        graph._create_op_internal = noted
        self.graph = graph
        try:
            with graph.as_default():
                yield
        finally:
            self.graph = None
            del graph._create_op_internal

    def _assigned(self, op: Any) -> None:
        """A variable gets another value: whoever reads it later reads that."""
        args = [self.values.encode(one) for one in op.inputs]
        if args and type(args[0]) is tuple and args[0][0] == "t":
            self.add(f"tensorflow.raw_ops.{op.type}", args, {}, args[0], written=[args[0][1]])

    def function(self, name: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A call of a public function that is recorded whole."""
        if not self.listening or _calls(args) or _calls(kwargs.values()):
            return function(*args, **kwargs)
        place, site = self.inside(), self.here()
        with self.silence():
            out = function(*args, **kwargs)
        if any(True for _ in tensors(out)) and not self._is_of_sizes(name, args, kwargs, out):
            encoded = [self.values.encode(arg) for arg in args]
            named = {key: self.values.encode(arg) for key, arg in kwargs.items()}
            with self.silence():
                out = self.apart(out)
            self.add(name, encoded, named, self.result(out), place=place, site=site)
        return out

    def _is_of_sizes(self, name: str, args: Any, kwargs: Any, out: Any) -> bool:
        """Whether a call works out a number from numbers: what it gives is told as such where it is used."""
        given = [*tensors(args), *tensors(kwargs)]
        found = list(tensors(out))
        if name in _OF_SIZES:
            return True
        rank = max((one.shape.rank or 0) for one in found)
        if name.endswith("range") or rank > 1 or (not given and rank):
            return False
        if rank and any(one.dtype.is_floating or self.raw.derived(one) for one in (*given, *found)):
            return False
        return all(self.raw.static(one) is not None for one in (*given, *found))

    def layer(
        self, name: str, layer: Any, call: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any],
        constructed: dict[str, Any],
    ) -> Any:  # fmt: skip
        """A call of a layer that is recorded whole."""
        site = self.here()
        with self.within(layer):
            place = self.place
            with self.silence():
                out = call(layer, *args, **kwargs)
        # what it is given is told first: it may be what comes out
        encoded = [self.values.encode(arg) for arg in args]
        named = {key: self._argument(key, arg) for key, arg in kwargs.items()}
        named["*"] = self.values.encode(constructed)
        with self.silence():
            out = self.apart(out)
        self.add(name, encoded, named, self.result(out), place=place, site=site)
        return out

    def _argument(self, key: str, value: Any) -> Any:
        """A keyword's value; of a mask that Keras hands on by itself, only that there is one."""
        handed_on = (key == "mask" or key.endswith("_mask")) and key != "attention_mask"
        if handed_on and value is not None and not isinstance(value, bool):  # `use_causal_mask` is a setting
            return ("x", "keras.mask")
        return self.values.encode(value)

    def result(self, out: Any) -> Any:
        """What a call gives, numbered."""
        return self.values.encode_result(out)

    def apart(self, out: Any) -> Any:
        """What a call gives, as tensors of their own where it gives what it was given: a dropout that is off.

        The two are one value and two places.
        """
        if not any(id(one) in self.values.numbers for one in tensors(out)):
            return out

        def copied(one: Any) -> Any:
            if not isinstance(one, tf.Tensor) or id(one) not in self.values.numbers:
                return one
            other = tf.identity(one)
            if (mask := getattr(one, "_keras_mask", None)) is not None:
                other._keras_mask = mask
            return other

        return tf.nest.map_structure(copied, out)

    def add(
        self,
        name: str,
        args: list[Any],
        kwargs: dict[str, Any],
        given: Any,
        *,
        place: int | None = None,
        site: int | None = None,
        written: list[int] | None = None,
        building: bool = False,
    ) -> None:
        """Record a call."""
        number = self.names.setdefault(name, len(self.names))
        place = self.inside() if place is None else place
        site = self.here(3) if site is None else site
        self.calls.append((number, place, site, args, kwargs, given, written, None, building))


def _calls(values: Any) -> bool:
    """Whether code of the model is among the arguments of a call: it is run by it, so that it is recorded itself."""
    return any(callable(one) and variable_of(one) is None and not isinstance(one, (type, tf.DType)) for one in values)
