"""One trace: build, trace on abstract values, and the equations as plain data. Nothing is allocated or computed."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np

from archcheck.frontends.trace.jax_child.building import (
    Built,
    build,
    import_target,
    keys,
    names_of,
    parameters_of,
    told,
)
from archcheck.frontends.trace.jax_child.equations import Flat, Value, needed
from archcheck.frontends.trace.jax_child.frames import Frames
from archcheck.frontends.trace.jax_child.inputs import Arguments, ways
from archcheck.frontends.trace.jax_child.telling import MOST_HELD, Teller

_NAME = re.compile(r"[\w\-]+")


def trace(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What the target computes, as calls of functions.

    Raises:
        CannotBuildError: it cannot be built, or given what it needs.
    """
    started = time.process_time()
    frames = Frames()
    module = import_target(asked, frames)
    frames = Frames()  # with the packages that it has brought in
    imported = time.process_time()
    built = build(asked, module, frames)
    made = time.process_time()
    error: BaseException | None = None
    flat: tuple[_Run, Arguments] | None = None  # what works, of which images would be more likely
    for at, given in enumerate(_every_way(built, asked)):
        try:
            run = _Run(built, given, frames)
        except (KeyboardInterrupt, MemoryError):
            raise
        except BaseException as problem:
            error = error or problem
            continue
        if run.slides and not asked["inputs"] and not given.has_images:
            flat = flat or (run, given)
            continue
        if at:
            built.assumed.append(f"it is called with {given}, as other calls fail")
        return run.told(imported - started, made - imported, time.process_time() - made)
    if flat is not None:
        built.assumed.append(f"it is called with {flat[1]}")
        return flat[0].told(imported - started, made - imported, time.process_time() - made)
    return _failed(built, error, frames, imported - started)


def _every_way(built: Built, asked: Mapping[str, Any]) -> Iterator[Arguments]:
    """The ways to call it: as code asks for, then with what it may be given too."""
    wanted, training = list(asked["given"]), bool(asked["training"])
    yield from ways(built, asked["inputs"], wanted, training)
    more = [name for name in names_of(parameters_of(built.call)) if name.endswith("_ids") or name == "attention_mask"]
    if set(more) - set(wanted):
        yield from ways(built, asked["inputs"], [*wanted, *more], training)


def _failed(built: Built, error: BaseException | None, frames: Frames, importing: float) -> dict[str, Any]:
    why = "nothing is given to it" if error is None else told(error)[:400]
    at = None if error is None else frames.place(error)
    return {**_nothing(built), "error": why, "at": at, "stage": "run", "times": {"import": importing}}


def _nothing(built: Built) -> dict[str, Any]:
    return {
        "names": [], "places": [], "sites": [], "calls": [], "inputs": [], "held": [], "weights": [], "found": [],
        "shapes": [], "shape_of": [], "modules": [], "results": [], "guesses": [], "caught": [],
        "assumed": list(built.assumed), "made": {name: repr(value) for name, value in built.made.items()},
        "settings": [], "given": [], "error": "", "at": None, "stage": "", "symbol": built.symbol,
    }  # fmt: skip


class _Run:
    """One attempt: the model on these arguments."""

    def __init__(self, built: Built, given: Arguments, frames: Frames) -> None:
        self.built = built
        self.frames = frames
        self.names: dict[str, int] = {}
        self.places: dict[str, int] = {"": 0}
        self.sites: list[list[Any]] = []
        self._site_of: dict[Any, int] = {}
        self.calls: list[list[Any]] = []
        self.shapes: dict[tuple[Any, ...], int] = {}
        self.shape_of: list[int] = []
        self.numbers: dict[Value, int] = {}
        weights, state, run = built.bound(given)
        closed, out = jax.make_jaxpr(run, return_shape=True)(state, keys(), given.tensors)
        leaves = jax.tree.leaves(state)
        drawn = jax.tree.leaves(keys())
        values = [Value(tuple(one.shape), str(one.dtype)) for one in (*leaves, *drawn, *given.tensors)]
        self.weights = [
            (name, value, known) for (name, _, known), value in zip(weights, values[: len(leaves)], strict=True)
        ]
        self.inputs = list(zip(given.names, values[len(leaves) + len(drawn) :], strict=True))
        flat = Flat()
        results = flat.run(closed, values)
        self.results = [
            one for one, shape in zip(results, jax.tree.leaves(out), strict=True) if hasattr(shape, "shape")
        ]
        self.slides = any(one.name == "conv_general_dilated" and len(one.reads[0].shape) == 4 for one in flat.equations)
        self._tell(flat)

    def _tell(self, flat: Flat) -> None:
        for _, value in self.inputs:
            self._number(value)
        for _, value, _ in self.weights:
            self._number(value)
        learned, held = ({value for _, value, known in self.weights if known is which} for which in (True, False))
        teller = Teller(flat.equations, learned, held)
        wanted = needed(flat.equations, self.results, teller.reads)
        for one in flat.equations:
            if id(one) not in wanted:
                continue
            found = teller.tell(one)
            if isinstance(found, Value):
                self.numbers[one.gives[0]] = self._read(found)
                continue
            name, args, kwargs = found or (f"jax.primitives.{one.name}", list(one.reads), {})
            encoded, named = (
                [self._encode(arg) for arg in args],
                {key: self._encode(arg) for key, arg in kwargs.items()},
            )
            numbers = [["t", self._number(value)] for value in one.gives]
            given = numbers[0] if len(numbers) == 1 else ["l", *numbers]
            place, site = self._place(one.scope), self._site(one.source)
            number = self.names.setdefault(name, len(self.names))
            self.calls.append([number, place, site, encoded, named, given, None, None, False])

    def _number(self, value: Value) -> int:
        number = self.numbers.get(value)
        if number is None:
            number = self.numbers[value] = len(self.shape_of)
            self.shape_of.append(self.shapes.setdefault((value.shape, value.dtype), len(self.shapes)))
        return number

    def _read(self, value: Value) -> int:
        return self._number(value)

    def _encode(self, value: Any) -> Any:
        if isinstance(value, Value):
            return ["t", self._read(value)]
        if isinstance(value, np.ndarray):
            return self._constant(value)
        if isinstance(value, slice):
            return ["s", value.start, value.stop, value.step]
        if isinstance(value, (list, tuple)):
            return ["l" if isinstance(value, list) else "u", *[self._encode(one) for one in value]]
        if isinstance(value, np.generic):
            return value.item()
        return value if value is None or isinstance(value, (bool, int, float, str)) else ["x", type(value).__name__]

    def _constant(self, value: np.ndarray) -> Any:
        """Numbers: one as such, others as a tensor of them; a triangle as that."""
        if value.size == 1 and not value.ndim:
            return _plain(value)
        first = value.reshape(-1)[:1]
        if value.size == 1:
            return _plain(first[0])
        if value.size and bool((value == first[0]).all()):
            return self._made("jax.numpy.full", [["u", *value.shape], _plain(first[0])], value)
        if value.ndim > 1 and value.shape[-1] == value.shape[-2] and value.dtype.kind in "bi":
            squares = value.reshape(-1, *value.shape[-2:])
            if (squares == np.tril(np.ones_like(squares[0]))).all():
                return self._made("jax.numpy.tri", [value.shape[-1]], value)
        if value.dtype.kind in "iuf" and (steps := self._counted(value)) is not None:
            return steps
        if value.size > MOST_HELD:
            return self._made("jax.constant", [], value)
        return self._made("jax.numpy.array", [_listed(value)], value)

    def _counted(self, value: np.ndarray) -> Any:
        """Numbers that count up along the last axis, in every row the same; None for any other."""
        row = value.reshape(-1, value.shape[-1])[0]
        if len(row) < 2 or not (value == row).all() or not (row == row[0] + np.arange(len(row))).all():
            return None
        start = int(row[0]) if float(row[0]).is_integer() else None
        if start is None:
            return None
        counted = self._made("jax.numpy.arange", [start, start + len(row)], row)
        if value.size == len(row):
            return counted  # axes of one entry are there anyway
        return self._made("jax.numpy.broadcast_to", [counted, ["u", *value.shape]], value)

    def _made(self, name: str, args: list[Any], value: np.ndarray) -> Any:
        number = self._number(Value(tuple(value.shape), str(value.dtype)))
        self.calls.append(
            [self.names.setdefault(name, len(self.names)), 0, -1, args, {}, ["t", number], None, None, False]
        )
        return ["t", number]

    def _place(self, scope: str) -> int:
        """The module that an equation stands in: scopes are those of its class, and of the modules in it."""
        parts = [part for part in scope.split("/") if part and "(" not in part and part != "~"]
        cls = self.built.cls
        if cls is not None and parts and parts[0].lower().replace("_", "") == cls.__name__.lower().replace("_", ""):
            parts = parts[1:]
        name = ".".join(part for part in parts if _NAME.fullmatch(part) and part != "__call__")
        return self.places.setdefault(name, len(self.places))

    def _site(self, source: Any) -> int:
        if source not in self._site_of:
            row = self.frames.site(source)
            if row is not None:
                self.sites.append(row)
            self._site_of[source] = -1 if row is None else len(self.sites) - 1
        return self._site_of[source]

    def told(self, importing: float, building: float, running: float) -> dict[str, Any]:
        """What was recorded."""
        results = [self._read(one) for one in self.results if isinstance(one, Value)]
        cls = self.built.cls
        file = None if cls is None else getattr(sys.modules.get(cls.__module__), "__file__", None)
        return {
            **_nothing(self.built),
            "names": list(self.names),
            "places": list(self.places),
            "sites": self.sites,
            "calls": self.calls,
            "inputs": [[name, self._number(value)] for name, value in self.inputs],
            "weights": [[name, self._number(value), known] for name, value, known in self.weights],
            "shapes": [[list(size), dtype] for size, dtype in self.shapes],
            "shape_of": self.shape_of,
            "modules": [] if cls is None else [["", cls.__module__, cls.__qualname__, file or ""]],
            "results": results,
            "given": sorted({name.partition("[")[0] for name, _ in self.inputs}),
            "error": "" if results else "what it gives holds no tensor that is computed",
            "stage": "" if results else "run",
            "times": {"import": importing, "build": building, "run": running},
        }


def _plain(value: Any) -> Any:
    """One number, of single precision as one would write it: `1e-05`, and not its 24 bits."""
    array = np.asarray(value).reshape(())
    if array.dtype.kind == "b":
        return bool(array)
    if array.dtype.kind in "iu":
        return int(array)
    if array.dtype.kind == "c":
        return ["x", "complex"]
    return float(str(array.item() if array.dtype.itemsize == 8 else np.float32(array)))


def _listed(value: np.ndarray) -> Any:
    return ["l", *[_listed(one) for one in value]] if value.ndim else _plain(value)
