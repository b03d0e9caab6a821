"""Equations told as calls of the public functions that give them, which the dialect of JAX lists.

What several equations spell and one function means is told as that: sums that keep their axes, means, rows of a table,
dropout. An equation that has no such function is told by its own name, which no dialect lists.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from archcheck.frontends.trace.jax_child import choices, layouts, products
from archcheck.frontends.trace.jax_child.equations import Equation, Value, is_all, is_number, readers_of
from archcheck.frontends.trace.jax_child.norms import batch_norm

MOST_HELD = 1_024  # entries of a constant that is told as numbers
Told = tuple[str, list[Any], dict[str, Any]]

# primitives whose inputs are the arguments of a function, in order
_PLAIN = {
    **{name: f"jax.lax.{name}" for name in (
        "abs", "exp", "log", "sqrt", "sin", "cos", "tanh", "sign", "floor", "ceil", "neg", "square", "rsqrt", "erf",
        "erfc", "logistic", "pow", "sub", "mul", "div", "max", "min", "eq", "ne", "lt", "le", "gt", "ge", "clamp",
    )},
    **{name: f"jax.numpy.{name}" for name in ("tan", "sinh", "cosh", "log1p", "expm1", "exp2", "real", "imag", "conj")},
    **{name: f"jax.numpy.arc{name[1:]}" for name in ("asin", "acos", "atan", "asinh", "acosh", "atanh", "atan2")},
    "add": "jax.lax.add", "add_any": "jax.lax.add", "and": "jax.numpy.logical_and", "or": "jax.numpy.logical_or",
    "not": "jax.numpy.logical_not", "xor": "jax.numpy.logical_xor", "is_finite": "jax.numpy.isfinite",
    "rem": "jax.numpy.remainder", "round": "jax.numpy.round", "atan2": "jax.numpy.arctan2",
}  # fmt: skip
_REDUCES = {
    "reduce_sum": "sum", "reduce_max": "max", "reduce_min": "min", "reduce_prod": "prod", "reduce_and": "all",
    "reduce_or": "any",
}  # fmt: skip
_ELEMENTWISE = frozenset({*_PLAIN, "integer_pow", "select_n"})
_MOST_STEPS = 24


class Teller:
    """Tells equations.

    Args:
        equations: of a model.
        learned: values that are learned.
        held: values that the model keeps beside them, such as running statistics.
    """

    def __init__(self, equations: Sequence[Equation], learned: set[Value], held: set[Value]) -> None:
        self.learned = learned
        self.held = held
        self.readers = readers_of(equations)
        self.kept: dict[int, tuple[int, ...]] = {}  # reductions whose readers put the axes back, by identity
        self.means: set[int] = set()
        self.shifts: dict[int, tuple[Equation, Value]] = {}  # sums that end a map: by identity, the map and the shift
        self.ends: dict[int, Told] = {}  # what ends several that mean one thing, by identity
        self.same: dict[Value, Value] = {}  # value -> the value that it is
        self._look(equations)

    # ---- what several equations mean

    def _look(self, equations: Sequence[Equation]) -> None:
        for one in equations:
            if one.name in _REDUCES:
                self._keeps(one)
        for one in equations:
            if one.name in ("broadcast_in_dim", "reshape"):
                told = _OWN[one.name](self, one)
                if isinstance(told, Value):
                    self.same[one.gives[0]] = told
        for one in equations:
            if one.name == "div":
                self._is_mean(one)
        for one in equations:
            if one.name in ("add", "mul") and (norm := batch_norm(self, one)) is not None:
                self.ends[id(one)] = norm
            if one.name == "transpose":
                self._is_product(one)
            elif one.name == "add":
                self._is_shift(one)
            elif one.name == "max" and (kept := _unbounded(one)) is not None:
                self.same[one.gives[0]] = kept

    def _keeps(self, one: Equation) -> None:
        """A reduction whose result, through what works entry by entry, is given back its axes, of one entry each."""
        axes, shape = tuple(one.params["axes"]), one.reads[0].shape
        back = tuple(1 if at in axes else size for at, size in enumerate(shape))
        wave, seen, ends = [one.gives[0]], {one.gives[0]}, []
        while wave and len(seen) < _MOST_STEPS:
            value = wave.pop()
            for reader in self.readers.get(value, ()):
                if (
                    reader.name in ("broadcast_in_dim", "reshape", "expand_dims")
                    and reader.gives[0].shape == back
                    and _puts_back(reader, axes)
                ):
                    ends.append(reader)
                elif reader.name in _ELEMENTWISE and all(
                    not isinstance(other, Value) or other in seen or self._is_reduced(other, axes, shape)
                    for other in reader.reads
                ):
                    fresh = [given for given in reader.gives if given not in seen]
                    seen.update(fresh)
                    wave += fresh
                else:
                    return
        if ends and not wave:
            self.kept[id(one)] = axes
            self.same |= {end.gives[0]: end.reads[0] for end in ends}

    def _is_reduced(self, value: Value, axes: tuple[int, ...], shape: tuple[int, ...]) -> bool:
        """Whether a value comes of reductions over the same axes of as many sizes."""
        waiting, seen = [value], {value}
        while waiting and len(seen) < _MOST_STEPS:
            maker = waiting.pop().maker
            if maker is None:
                return False
            if maker.name in _REDUCES:
                if tuple(maker.params["axes"]) != axes or maker.reads[0].shape != shape:
                    return False
            elif maker.name in _ELEMENTWISE:
                fresh = [one for one in maker.reads if isinstance(one, Value) and one not in seen]
                seen.update(fresh)
                waiting += fresh
            else:
                return False
        return True

    def _is_mean(self, one: Equation) -> None:
        top, by = one.reads
        maker = self.root(top).maker if isinstance(top, Value) else None
        if maker is None or maker.name != "reduce_sum" or not is_number(by):
            return
        count = math.prod(maker.reads[0].shape[axis] for axis in maker.params["axes"])
        if float(by) == count and len(self.readers.get(maker.gives[0], ())) == 1:
            self.means.add(id(one))

    def _is_product(self, one: Equation) -> None:
        """A product of an einsum whose result is laid out otherwise by it; both stand in its scope."""
        given = one.reads[0]
        maker = given.maker if isinstance(given, Value) else None
        if (
            maker is None
            or "->" not in one.scope
            or one.scope != maker.scope
            or maker.name != "dot_general"
            or len(self.readers[given]) != 1
            or products.map_of(maker, self) is not None
        ):
            return
        equation, *operands = products.einsum(maker)
        inside, _, outside = equation.partition("->")
        result = "".join(outside[axis] for axis in one.params["permutation"])
        self.ends[id(one)] = "jax.numpy.einsum", [f"{inside}->{result}", *operands], {}

    def _is_shift(self, one: Equation) -> None:
        """A learned tensor that is added to what a map into several axes gives, with an entry for each feature."""
        for at in (0, 1):
            given, shift = one.reads[at], one.reads[1 - at]
            if not isinstance(given, Value) or not isinstance(shift, Value) or given.maker is None:
                continue
            mapped, shift = given.maker, self.root(shift)
            if mapped.name != "dot_general" or len(self.readers.get(given, ())) != 1 or shift not in self.learned:
                continue
            parts = products.map_of(mapped, self)
            if parts is not None and parts[1] == shift.shape:
                self.shifts[id(one)] = mapped, shift

    def root(self, value: Value) -> Value:
        """The value that one is."""
        while value in self.same:
            value = self.same[value]
        return value

    # ---- one equation

    def tell(self, one: Equation) -> Told | Value | None:
        """The call that an equation is, or the value that it gives as it is; None where it has no function."""
        if one.gives and one.gives[0] in self.same:
            return self.same[one.gives[0]]
        if id(one) in self.means:
            maker = self.root(one.reads[0]).maker
            assert maker is not None
            return "jax.numpy.mean", [maker.reads[0]], self.axes(maker)
        if id(one) in self.ends:
            return self.ends[id(one)]
        if id(one) in self.shifts:
            mapped, shift = self.shifts[id(one)]
            return products.general(mapped, self, shift)
        if one.name == "div" and (dropped := choices.dropped_and_scaled(one)) is not None:
            return dropped
        if one.name == "div" and (pooled := products.mean_pool(one)) is not None:
            return pooled
        if one.name == "sub" and (logged := choices.log_softmax(self, one)) is not None:
            return logged
        if one.name == "mul" and (dropped := choices.dropped(one)) is not None:
            return dropped
        if one.name in ("ge", "gt", "le", "lt") and (triangle := choices.triangle(one)) is not None:
            return triangle
        if one.name in _PLAIN:
            return _PLAIN[one.name], list(one.reads), {}
        if one.name in _REDUCES:
            return f"jax.numpy.{_REDUCES[one.name]}", [one.reads[0]], self.axes(one)
        own = _OWN.get(one.name)
        return None if own is None else own(self, one)

    def axes(self, one: Equation) -> dict[str, Any]:
        rank, axes = len(one.reads[0].shape), tuple(one.params["axes"])
        axis: Any = None if len(axes) == rank else axes
        if len(axes) == 1 and rank > 1:
            axis = -1 if axes[0] == rank - 1 else axes[0]
        elif axis is not None and axes == tuple(range(rank - len(axes), rank)):
            axis = tuple(range(-len(axes), 0))
        return {"axis": axis, **({"keepdims": True} if id(one) in self.kept else {})}

    def reads(self, one: Equation) -> list[Any]:
        """What an equation reads, as it is told."""
        told = self.tell(one)
        if isinstance(told, Value):
            return [told]
        if told is None:
            return one.reads
        found: list[Any] = []
        waiting = [*told[1], *told[2].values()]
        while waiting:
            value = waiting.pop()
            if isinstance(value, list):
                waiting += value
            else:
                found.append(value)
        return found


def _unbounded(one: Equation) -> Value | None:
    """What a maximum with the least of all numbers gives: what it is given."""
    for at in (0, 1):
        if isinstance(one.reads[at], Value) and is_all(one.reads[1 - at], -math.inf):
            return one.reads[at]  # type: ignore[no-any-return]
    return None


def _puts_back(reader: Equation, axes: tuple[int, ...]) -> bool:
    if reader.name != "broadcast_in_dim":
        return True
    rank = len(reader.gives[0].shape)
    return tuple(reader.params["broadcast_dimensions"]) == tuple(at for at in range(rank) if at not in axes)


def _cumsum(teller: Teller, one: Equation) -> Told | None:
    return None if one.params["reverse"] else ("jax.lax.cumsum", [one.reads[0]], {"axis": one.params["axis"]})


def _top_k(teller: Teller, one: Equation) -> Told | None:
    last = len(one.reads[0].shape) - 1
    return (
        ("jax.lax.top_k", [one.reads[0], one.params["k"]], {}) if one.params.get("axis", last) in (-1, last) else None
    )


_OWN: Mapping[str, Callable[[Teller, Equation], Told | Value | None]] = {
    "broadcast_in_dim": layouts.broadcast,
    "reshape": layouts.reshape,
    "expand_dims": lambda teller, one: ("jax.numpy.reshape", [one.reads[0], tuple(one.gives[0].shape)], {}),
    "squeeze": layouts.squeeze,
    "transpose": layouts.transpose,
    "slice": layouts.part,
    "dynamic_slice": layouts.dynamic_slice,
    "concatenate": lambda teller, one: ("jax.numpy.concatenate", [list(one.reads)], {"axis": one.params["dimension"]}),
    "stack": lambda teller, one: ("jax.numpy.stack", [list(one.reads)], {}),
    "pad": layouts.pad,
    "split": layouts.split,
    "rev": lambda teller, one: ("jax.lax.rev", [one.reads[0], tuple(one.params["dimensions"])], {}),
    "dot_general": products.dot,
    "conv_general_dilated": products.conv,
    "reduce_window_max": products.pool,
    "gather": choices.gather,
    "select_n": choices.select,
    "row": layouts.row,
    "integer_pow": lambda teller, one: ("jax.lax.integer_pow", [one.reads[0], one.params["y"]], {}),
    "argmax": lambda teller, one: ("jax.numpy.argmax", [one.reads[0]], {"axis": one.params["axes"][0]}),
    "argmin": lambda teller, one: ("jax.numpy.argmin", [one.reads[0]], {"axis": one.params["axes"][0]}),
    "cumsum": _cumsum,
    "top_k": _top_k,
}  # fmt: skip
