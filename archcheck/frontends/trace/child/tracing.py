"""One trace: build, call, and what was recorded as plain data."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import _lru_cache_wrapper
from types import ModuleType
from typing import Any

import torch
from torch.nn.parameter import is_lazy

from archcheck.frontends.trace.child import mapping, stack, within
from archcheck.frontends.trace.child.building import (
    Built,
    CannotBuildError,
    build,
    import_target,
    names_of,
    parameters_of,
)
from archcheck.frontends.trace.child.concrete import SMALL
from archcheck.frontends.trace.child.encoding import outputs
from archcheck.frontends.trace.child.inputs import Inputs
from archcheck.frontends.trace.child.instance import values_of
from archcheck.frontends.trace.child.leaves import Leaves
from archcheck.frontends.trace.child.recorder import Recorder, named_tensors
from archcheck.frontends.trace.child.serving import OutOfTime
from archcheck.frontends.trace.child.settings import as_rows


def trace(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What the target computes, as calls of torch.

    Raises:
        CannotBuildError: it cannot be built, or given what it needs.
    """
    leaves = Leaves(asked["layers"], asked["functions"], asked["silent"])
    leaves.note_constructors()
    started = time.process_time()
    module = import_target(asked)
    leaves.note_constructors()  # those of packages that the target has brought in
    imported = time.process_time()
    run = _alone(asked, module, leaves)
    if isinstance(run, CannotBuildError) or run.error is not None:
        run = _inside(asked, module, leaves, run)
    if isinstance(run, CannotBuildError):
        raise run
    built, recorder, error = run.built, run.recorder, run.error
    ran = time.process_time()
    _refuse_builder(built, run.result, error)
    found = _told(recorder, built, run.inputs, run.result)
    why = "" if error is None else f"{type(error).__name__}: {str(error).strip()[:400]}"
    at = None if error is None else stack.place(error)
    if not why and not found["results"]:
        why = f"what it gives holds no tensor: {type(run.result).__name__}"
    if not why and (caught := next((key for key, tracing in recorder.raised.items() if tracing), None)):
        name, site, told = caught
        why = f"{name} raised {told}, and the code that caught it went a way that it may not go otherwise"
        at = found["sites"][site] if site >= 0 else None
    found |= {"error": why, "at": at, "stage": "run" if why else "", "symbol": built.symbol}
    if asked.get("initial"):
        found["initial"] = values_of(asked, module, built)
    found["times"] = {"import": imported - started, "build": run.made - imported, "run": ran - run.made}
    return found


@dataclass
class _Run:
    """One call of what was built, and what came of it."""

    built: Built
    recorder: Recorder
    inputs: Inputs | within.Taken
    error: BaseException | None
    result: Any
    made: float  # when it was built


def _alone(asked: Mapping[str, Any], module: ModuleType, leaves: Leaves) -> _Run | CannotBuildError:
    """The target, built and called by itself."""
    recorder = Recorder(leaves, cache=bool(asked.get("cache", True)))
    with torch.no_grad():
        try:
            with _building(recorder):
                built = build(asked, module)
            made = time.process_time()
            _settled(built.model, recorder)
            inputs = Inputs(built, asked["inputs"], asked["given"])
        except CannotBuildError as cannot:
            return cannot
        error, result = _called(built, inputs, recorder)
    return _Run(built, recorder, inputs, error, result, made)


def _inside(
    asked: Mapping[str, Any], module: ModuleType, leaves: Leaves, failed: _Run | CannotBuildError
) -> _Run | CannotBuildError:
    """The target as part of a model of its module, where it does not run by itself and nobody says what it is given;
    what failed, where there is no such model."""
    cls = getattr(module, str(asked["symbol"]), None)
    if not (isinstance(cls, type) and issubclass(cls, torch.nn.Module)) or asked["arguments"] or asked["inputs"]:
        return failed
    error = failed if isinstance(failed, CannotBuildError) else failed.error
    why = str(error).strip().partition("\n")[0][:200]
    tried = 0
    try:
        for name in within.holders(module, cls):
            given: dict[int, Any] = {}
            recorder = Recorder(leaves, cache=bool(asked.get("cache", True)))
            with torch.no_grad():
                try:
                    with within.constructors(cls, given), _building(recorder):
                        holder = within.built(asked, module, name)
                except CannotBuildError:
                    continue
                tried += any(type(one) is cls for one in holder.model.modules()) if holder.model is not None else 0
                found = _as_in(holder, cls, given, asked, why, recorder)
            if found is not None:
                return found
            if tried == within.MOST_HOLDERS:
                break
    except OutOfTime:  # what failed first is what is told
        pass
    return failed


def _as_in(
    holder: Built, cls: type, given: Mapping[int, Any], asked: Mapping[str, Any], why: str, recorder: Recorder
) -> _Run | None:
    """The first call of an instance of a class in a call of a model; None where there is none that can be told."""
    if holder.model is None:
        return None
    made = time.process_time()
    _settled(holder.model, recorder)
    mark = recorder.mark()
    seen = within.Seen()
    layers = [one for one in holder.model.modules() if type(one) is cls and id(one) in given]
    with within.calls(holder.model, layers, seen):
        error, _ = _called(holder, Inputs(holder, {}, []), recorder)
    if error is not None or seen.layer is None:
        return None
    try:
        built = within.of(seen, given[id(seen.layer)][1], holder, asked, why)
    except within.NotToldError:
        return None
    recorder.back(mark)
    _forget()
    _settled(built.model, recorder)
    taken = within.Taken(seen)
    error, result = _called(built, taken, recorder)
    return None if error is not None else _Run(built, recorder, taken, None, result, made)


@contextmanager
def _building(recorder: Recorder) -> Iterator[None]:
    """Within, what is called makes weights."""
    recorder.building = True
    with recorder, recorder.leaves.watched(recorder.layer, recorder.function, recorder.silence):
        yield
    recorder.building = False


def _settled(model: torch.nn.Module | None, recorder: Recorder) -> None:
    """From now on, what is called computes something of this model."""
    if model is not None:
        _without_weights(model, recorder)
        recorder.settle(model)


MOST_HELD = 16_384  # whole numbers in one input that are told


def _without_weights(model: torch.nn.Module, recorder: Recorder) -> None:
    """Put learned tensors, and large ones, that were made on the CPU onto the meta device, in place of those that were.

    What a learned tensor holds before training decides nothing: code that asks for it is answered by a guess, and told.
    """
    others: dict[int, torch.Tensor] = {}  # one that stands in several places is one after it too
    for module in model.modules():
        for held in (module._parameters, module._buffers):
            for name, tensor in list(held.items()):
                if tensor is None or tensor.is_meta or is_lazy(tensor):
                    continue
                if tensor.numel() <= SMALL and not tensor.requires_grad:
                    continue
                if id(tensor) not in others:
                    moved = tensor.to("meta")
                    if isinstance(tensor, torch.nn.Parameter):
                        moved = torch.nn.Parameter(moved, requires_grad=tensor.requires_grad)
                    others[id(tensor)] = moved
                    recorder.values.same(tensor, moved)
                held[name] = others[id(tensor)]


def _refuse_builder(built: Built, result: Any, error: BaseException | None) -> None:
    """A function that builds a model computes nothing: it was called, since nobody says what it needs."""
    if built.model is not None:
        return
    hint = f"give its arguments, each with --arg NAME=EXPR: {', '.join(names_of(parameters_of(built.call) or ()))}"
    if isinstance(result, torch.nn.Module):
        raise CannotBuildError(f"{built.symbol} builds a {type(result).__name__} of what it is given", hint=hint)
    if error is not None and stack.is_in_constructor(error):
        told = str(error).strip().partition("\n")[0][:300]
        problem = f"{built.symbol} builds layers of what it is given, and fails: {type(error).__name__}: {told}"
        raise CannotBuildError(problem, hint=hint, at=stack.place(error)) from error


def _called(built: Built, inputs: Inputs | within.Taken, recorder: Recorder) -> tuple[BaseException | None, Any]:
    """Call what was built, with other arguments where a call fails; why it failed, and what it gave."""
    mark = recorder.mark()
    first = len(recorder.calls)
    while True:
        args, kwargs = inputs.arguments()
        named = [(name, kwargs[name]) for name in inputs.names if name in kwargs]
        named += [(f"x{at}" if at else "x", value) for at, value in enumerate(args)]
        told = [(name, one) for name, value in named for name, one in _tensors(name, value)]
        recorder.given = [(name, recorder.values.add(tensor)) for name, tensor in told]
        held = [(number, one) for (_, number), (_, one) in zip(recorder.given, told, strict=True)]
        recorder.held = [[number, one.tolist()] for number, one in held if _tells(one)]
        recorder.raised.clear()
        try:
            with mapping.told(recorder), recorder.watching(), recorder:
                result = built.call(*args, **kwargs)
            if not inputs.lessen():
                return None, result
        except (KeyboardInterrupt, MemoryError):
            raise
        except BaseException as error:
            if not inputs.mend(error, len(recorder.calls) - first):
                return error, None
        recorder.back(mark)
        _forget()


def _forget() -> None:
    """Empty the caches of the model's functions: tensors in them were made by a call of which no record is kept."""
    for cache in gc.get_objects():
        if type(cache) is _lru_cache_wrapper:  # `isinstance` would ask objects that pretend, and answer with warnings
            code = getattr(cache.__wrapped__, "__code__", None)
            if code is not None and stack.is_models(code.co_filename):
                cache.cache_clear()


def _tells(tensor: torch.Tensor) -> bool:
    """Whether an input holds numbers by which code may decide: a grid of patches, a mask, the lengths of sequences."""
    plain = not tensor.is_meta and not tensor.is_floating_point() and not tensor.is_complex()
    return plain and tensor.numel() <= MOST_HELD


def _tensors(name: str, value: Any) -> list[tuple[str, torch.Tensor]]:
    if isinstance(value, torch.Tensor):
        return [(name, value)]
    if isinstance(value, (list, tuple)):
        return [one for at, item in enumerate(value) for one in _tensors(f"{name}[{at}]", item)]
    if isinstance(value, dict):
        return [one for key, item in value.items() for one in _tensors(f"{name}[{key}]", item)]
    return []


def _told(recorder: Recorder, built: Built, inputs: Inputs | within.Taken, result: Any) -> dict[str, Any]:
    values = recorder.values
    weights: list[Any] = []
    for name, tensor, learned in named_tensors(built.model) if built.model is not None else ():
        number = values.numbers.get(id(tensor))
        if number is None:
            number = values.add(tensor)
        weights.append([name, number, learned])
    calls = _needed(recorder.calls)
    shapes: dict[tuple[Any, ...], int] = {}
    of: list[int] = []
    for tensor in values.kept:
        size = () if is_lazy(tensor) else tensor.shape  # one that no call has come to has none
        key = (tuple(int(one) for one in size), str(tensor.dtype))
        of.append(shapes.setdefault(key, len(shapes)))
    modules = []
    for name, module in built.model.named_modules() if built.model is not None else ():
        cls = type(module)
        file = getattr(sys.modules.get(cls.__module__), "__file__", None) or ""
        modules.append([name, cls.__module__, cls.__qualname__, file])
    return {
        "names": list(recorder.names),
        "places": recorder.places,
        "sites": recorder.sites_told(),
        "calls": [list(call) for call in calls],
        "inputs": recorder.given,
        "held": recorder.held,
        "weights": weights,
        "found": values.found,
        "shapes": [[list(size), dtype] for size, dtype in shapes],
        "shape_of": of,
        "modules": modules,
        "results": [values.encode_result(tensor)[1] for tensor in outputs(result)],
        "guesses": [[name, site, answer] for name, site, answer in recorder.concrete.guessed],
        "caught": [[name, site, why] for name, site, why in recorder.raised],
        "assumed": [*built.assumed, *inputs.assumed],
        "made": {name: repr(value) for name, value in built.made.items()},
        "settings": as_rows([*built.settings, *inputs.settings]),
        "given": inputs.names,
    }


def _needed(calls: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The calls without those of constructors that nothing uses which is computed later."""
    needed: set[int] = set()
    kept: list[tuple[Any, ...]] = []
    for call in reversed(calls):
        if call[-1] and not needed.intersection(_numbers(call[5])):
            continue
        kept.append(call)
        needed.update(_numbers(call[3]))
        for value in (call[4] or {}).values():
            needed.update(_numbers(value))
    kept.reverse()
    return kept


def _numbers(value: Any) -> list[int]:
    if type(value) is tuple and value:
        if value[0] == "t":
            return [value[1]]
        return [number for item in value for number in _numbers(item)]
    if type(value) is list:
        return [number for item in value for number in _numbers(item)]
    return []


__all__ = ["CannotBuildError", "trace"]
