"""Equations told as calls of the public functions that give them, which the dialect of JAX lists.

What several equations spell and one function means is told as that: sums that keep their axes, means, rows of a table,
dropout. An equation that has no such function is told by its own name, which no dialect lists.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from archcheck.frontends.trace.jax_child.equations import Equation, Value, readers_of
from archcheck.frontends.trace.jax_child.norms import batch_norm

MOST_HELD = 1_024  # entries of a constant that is told as numbers
Told = tuple[str, list[Any], dict[str, Any]]

# primitives whose inputs are the arguments of a function, in order
_PLAIN = {
    **{name: f"jax.lax.{name}" for name in (
        "abs", "exp", "log", "sqrt", "sin", "cos", "tanh", "sign", "floor", "ceil", "neg", "square", "rsqrt", "erf", "erfc",
        "logistic", "pow", "sub", "mul", "div", "max", "min", "eq", "ne", "lt", "le", "gt", "ge", "clamp",
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
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
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
            if one.name == "broadcast_in_dim" or one.name == "reshape":
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
                if reader.name in ("broadcast_in_dim", "reshape", "expand_dims") and reader.gives[0].shape == back and _puts_back(reader, axes):
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
        if maker is None or maker.name != "reduce_sum" or not _is_number(by):
            return
        count = math.prod(maker.reads[0].shape[axis] for axis in maker.params["axes"])
        if float(by) == count and len(self.readers.get(maker.gives[0], ())) == 1:
            self.means.add(id(one))

    def _is_product(self, one: Equation) -> None:
        """A product of an einsum whose result is laid out otherwise by it; both stand in its scope."""
        given = one.reads[0]
        maker = given.maker if isinstance(given, Value) else None
        if maker is None or "->" not in one.scope or one.scope != maker.scope or maker.name != "dot_general" or len(self.readers[given]) != 1 or _map_of(maker, self) is not None:
            return
        equation, *operands = _einsum(maker)
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
            parts = _map_of(mapped, self)
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
            return "jax.numpy.mean", [maker.reads[0]], self._axes(maker)
        if id(one) in self.ends:
            return self.ends[id(one)]
        if id(one) in self.shifts:
            mapped, shift = self.shifts[id(one)]
            return _general(mapped, self, shift)
        if one.name == "mul" and (dropped := _dropped(one)) is not None:
            return dropped
        if one.name in _PLAIN:
            return _PLAIN[one.name], list(one.reads), {}
        if one.name in _REDUCES:
            return f"jax.numpy.{_REDUCES[one.name]}", [one.reads[0]], self._axes(one)
        own = _OWN.get(one.name)
        return None if own is None else own(self, one)

    def _axes(self, one: Equation) -> dict[str, Any]:
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
        if isinstance(one.reads[at], Value) and _is_all(one.reads[1 - at], -math.inf):
            return one.reads[at]  # type: ignore[no-any-return]
    return None


def _puts_back(reader: Equation, axes: tuple[int, ...]) -> bool:
    if reader.name != "broadcast_in_dim":
        return True
    rank = len(reader.gives[0].shape)
    return tuple(reader.params["broadcast_dimensions"]) == tuple(at for at in range(rank) if at not in axes)


def _is_number(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.size == 1


def _is_all(value: Any, number: float) -> bool:
    """Whether a value is this number everywhere."""
    if isinstance(value, Value):
        maker = value.maker
        return maker is not None and maker.name == "broadcast_in_dim" and _is_all(maker.reads[0], number)
    return bool(value.size) and bool((value == number).all())


# ---- layouts


def _broadcast(teller: Teller, one: Equation) -> Told | Value:
    value, shape = one.reads[0], tuple(one.params["shape"])
    if not isinstance(value, Value):
        return "jax.numpy.full", [shape, value.reshape(-1)[0].item() if value.size == 1 else value], {}
    dims = tuple(one.params["broadcast_dimensions"])
    rank, own = len(shape), value.shape
    if dims == tuple(range(rank - len(own), rank)) and all(size == 1 for size in shape[: rank - len(own)]) and own == shape[rank - len(own) :]:
        return value  # axes of one entry before the others, which are there anyway
    added = [at for at in range(rank) if at not in dims]
    if all(shape[at] == size for at, size in zip(dims, own, strict=True)) and all(shape[at] == 1 for at in added):
        index = tuple(None if at in added else slice(None) for at in range(rank))
        while len(index) > 1 and index[-1] == slice(None):
            index = index[:-1]
        return "jax.Array.__getitem__", [value, index if len(index) > 1 else index[0]], {}
    if dims == tuple(range(rank - len(own), rank)):
        return "jax.numpy.broadcast_to", [value, shape], {}
    return "jax.lax.broadcast_in_dim", [value, shape, dims], {}


def _reshape(teller: Teller, one: Equation) -> Told | Value:
    value, shape = one.reads[0], tuple(one.gives[0].shape)
    if not isinstance(value, Value):
        return "jax.numpy.reshape", [value, shape], {}
    own = value.shape
    if own == shape or (shape[len(shape) - len(own) :] == own and all(size == 1 for size in shape[: len(shape) - len(own)])):
        return value
    return "jax.numpy.reshape", [value, shape], {}


def _slice(teller: Teller, one: Equation) -> Told:
    starts, ends = one.params["start_indices"], one.params["limit_indices"]
    steps = one.params["strides"] or (1,) * len(starts)
    index: list[Any] = []
    for start, end, step, size in zip(starts, ends, steps, one.reads[0].shape, strict=True):
        index.append(slice(start or None, None if end == size else end, None if step == 1 else step))
    while len(index) > 1 and index[-1] == slice(None):
        index.pop()
    return "jax.Array.__getitem__", [one.reads[0], tuple(index) if len(index) > 1 else index[0]], {}


def _dynamic_slice(teller: Teller, one: Equation) -> Told | None:
    starts, sizes = one.reads[1:], one.params["slice_sizes"]
    if not all(_is_number(start) for start in starts):
        return None
    index = tuple(slice(int(start) or None, int(start) + size) for start, size in zip(starts, sizes, strict=True))
    return "jax.Array.__getitem__", [one.reads[0], index if len(index) > 1 else index[0]], {}


def _squeeze(teller: Teller, one: Equation) -> Told:
    axes = tuple(one.params["dimensions"])
    return "jax.numpy.squeeze", [one.reads[0], axes[0] if len(axes) == 1 else axes], {}


def _transpose(teller: Teller, one: Equation) -> Told:
    axes = tuple(one.params["permutation"])
    moved = [at for at, axis in enumerate(axes) if at != axis]
    if len(moved) == 2:
        return "jax.numpy.swapaxes", [one.reads[0], *moved], {}
    return "jax.numpy.transpose", [one.reads[0], axes], {}


def _pad(teller: Teller, one: Equation) -> Told | None:
    sides = one.params["padding_config"]
    if any(inner or before < 0 or after < 0 for before, after, inner in sides) or not _is_number(one.reads[1]):
        return None
    amounts = tuple((before, after) for before, after, _ in sides)
    return "jax.numpy.pad", [one.reads[0], amounts], {"constant_values": one.reads[1]}


def _split(teller: Teller, one: Equation) -> Told:
    sizes = tuple(one.params["sizes"])
    cuts: Any = len(sizes) if len(set(sizes)) == 1 else tuple(int(at) for at in np.cumsum(sizes)[:-1])
    return "jax.numpy.split", [one.reads[0], cuts], {"axis": one.params["axis"]}


# ---- products


def _map_of(one: Equation, teller: Teller) -> tuple[int, tuple[int, ...]] | None:
    """Of a map from the last axes of a value to several by a learned tensor: how many they are, and what it gives."""
    (left, right), (batch, _) = one.params["dimension_numbers"]
    x, w = one.reads
    count = len(left)
    if batch or w not in teller.learned or tuple(right) != tuple(range(count)) or not isinstance(x, Value):
        return None
    if tuple(left) != tuple(range(len(x.shape) - count, len(x.shape))):
        return None
    outside = tuple(w.shape[count:])
    return (count, outside) if (count > 1 or len(outside) > 1) and outside else None


def _general(one: Equation, teller: Teller, shift: Value | None) -> Told:
    parts = _map_of(one, teller)
    assert parts is not None
    inside, outside = parts
    sizes = {"in_features": math.prod(one.reads[1].shape[:inside]), "out_features": math.prod(outside)}
    args = [*one.reads, *([] if shift is None else [shift])]
    return "jax.nn.general", args, {"inside": inside, "outside": outside, **sizes}


def _dot(teller: Teller, one: Equation) -> Told:
    if _map_of(one, teller) is not None:
        return _general(one, teller, None)
    (left, right), (left_batch, right_batch) = one.params["dimension_numbers"]
    x, w = one.reads
    rank, other = len(x.shape), len(w.shape)
    if not left_batch and tuple(left) == (rank - 1,) and tuple(right) == (0,) and other == 2:
        return "jax.numpy.matmul", [x, w], {}
    many = tuple(range(len(left_batch)))
    stacked = tuple(left_batch) == many == tuple(right_batch) and rank == other == len(many) + 2
    if stacked and tuple(left) == (rank - 1,) and tuple(right) == (rank - 2,):
        return "jax.numpy.matmul", [x, w], {}
    equation, *operands = _einsum(one)
    return "jax.numpy.einsum", [equation, *operands], {}


def _einsum(one: Equation) -> tuple[str, Any, Any]:
    """The equation of a product, and what it multiplies."""
    (left, right), (left_batch, right_batch) = one.params["dimension_numbers"]
    x, w = one.reads
    rank, other = len(x.shape), len(w.shape)
    letters = iter(_LETTERS)
    names: list[list[str]] = [[""] * rank, [""] * other]
    for pairs in ((left_batch, right_batch), (left, right)):
        for at, to in zip(*pairs, strict=True):
            names[0][at] = names[1][to] = next(letters)
    for own in names:
        own[:] = [name or next(letters) for name in own]
    batch = [names[0][at] for at in left_batch]
    free = [name for at, name in enumerate(names[0]) if at not in (*left_batch, *left)]
    free += [name for at, name in enumerate(names[1]) if at not in (*right_batch, *right)]
    return f"{''.join(names[0])},{''.join(names[1])}->{''.join([*batch, *free])}", x, w


def _conv(teller: Teller, one: Equation) -> Told | None:
    params = one.params
    numbers = params["dimension_numbers"]
    rank = len(numbers.lhs_spec)
    last = numbers.lhs_spec == (0, rank - 1, *range(1, rank - 1)) and numbers.rhs_spec == (rank - 1, rank - 2, *range(rank - 2))
    if not last or params["batch_group_count"] != 1:
        return None
    grown = tuple(params["lhs_dilation"])
    if any(step != 1 for step in grown):
        return _conv_transpose(one, grown)
    weight, groups = one.reads[1].shape, params["feature_group_count"]
    told = {
        "kernel": tuple(weight[:-2]), "stride": tuple(params["window_strides"]), "dilation": tuple(params["rhs_dilation"]),
        "padding": tuple(tuple(one) for one in params["padding"]), "groups": groups, "in_features": weight[-2] * groups,
        "out_features": weight[-1],
    }  # fmt: skip
    return "jax.nn.windows", [one.reads[0], one.reads[1]], told


def _conv_transpose(one: Equation, grown: tuple[int, ...]) -> Told | None:
    """A convolution over what is spread out: what is cut off of its result follows from what is added before."""
    params, weight = one.params, one.reads[1].shape
    if any(step != 1 for step in (*params["window_strides"], *params["rhs_dilation"])) or params["feature_group_count"] != 1:
        return None
    kernel = tuple(weight[:-2])
    cut = [(size - 1 - before, size - 1 - after) for size, (before, after) in zip(kernel, params["padding"], strict=True)]
    told = {
        "kernel": kernel, "stride": grown, "in_features": weight[-2], "out_features": weight[-1],
        "padding": tuple(before for before, _ in cut) if all(before == after >= 0 for before, after in cut) else None,
    }  # fmt: skip
    return "jax.nn.windows_transposed", [one.reads[0], one.reads[1]], told


def _pool(teller: Teller, one: Equation) -> Told | None:
    params = one.params
    window, steps = tuple(params["window_dimensions"]), tuple(params["window_strides"])
    if window[0] != 1 or window[-1] != 1 or steps[0] != 1 or steps[-1] != 1 or len(window) < 3:
        return None
    if any(step != 1 for step in (*params["base_dilation"], *params["window_dilation"])):
        return None
    sides = tuple(tuple(one) for one in params["padding"])[1:-1]
    return "flax.linen.max_pool", [one.reads[0], window[1:-1]], {"strides": steps[1:-1], "padding": sides}


# ---- rows, choices


def _gather(teller: Teller, one: Equation) -> Told | None:
    """Rows of a table; or one entry of an axis."""
    table, index = one.reads
    numbers, sizes = one.params["dimension_numbers"], one.params["slice_sizes"]
    if not isinstance(table, Value) or numbers.operand_batching_dims or len(numbers.collapsed_slice_dims) != 1:
        return None
    axis = numbers.collapsed_slice_dims[0]
    whole = all(size == own for at, (size, own) in enumerate(zip(sizes, table.shape, strict=True)) if at != axis)
    if tuple(numbers.start_index_map) != (axis,) or not whole:
        return None
    if isinstance(index, np.ndarray):
        chosen: Any = index.reshape(index.shape[:-1])
        if chosen.size == 1:
            at = int(chosen.reshape(-1)[0])
            return "jax.Array.__getitem__", [table, (*[slice(None)] * axis, at) if axis else at], {}
    else:
        chosen = _index(index, table.shape[axis])
        if chosen is None:
            return None
    rank = len(one.gives[0].shape)
    count = len(index.shape) - 1
    if tuple(numbers.offset_dims) != (*range(axis), *range(axis + count, rank)):
        return None
    if axis == 0 and table in teller.learned:
        return "jax.nn.rows", [table, chosen], {}
    return "jax.numpy.take", [table, chosen], {"axis": axis}


def _index(value: Value, rows: int) -> Value | None:
    """Which rows are named: without the axis behind it, and whether it counts from the end where it is negative."""
    maker = value.maker
    if value.shape[-1:] != (1,) or maker is None or maker.name not in ("broadcast_in_dim", "reshape", "concatenate"):
        return None
    if len(maker.reads) != 1 or not isinstance(maker.reads[0], Value) or maker.reads[0].shape != value.shape[:-1]:
        return None
    found: Value = maker.reads[0]
    choice = found.maker
    if choice is not None and choice.name == "select_n" and len(choice.reads) == 3:
        test, plain, counted = choice.reads
        below = test.maker if isinstance(test, Value) else None
        total = counted.maker if isinstance(counted, Value) else None
        if below is not None and total is not None and below.name == "lt" and total.name == "add":
            numbers = [one for one in total.reads if isinstance(one, np.ndarray)]
            if below.reads[0] is plain and plain in total.reads and numbers and _is_all(numbers[0], rows):
                return plain if isinstance(plain, Value) else None
    return found


def _select(teller: Teller, one: Equation) -> Told | None:
    if len(one.reads) != 3:
        return None
    test, no, yes = one.reads
    if isinstance(test, np.ndarray) and test.size == 1:
        return "jax.numpy.copy", [yes if test.reshape(-1)[0] else no], {}
    keep = _drawn(test)
    if keep is not None and _is_all(no, 0) and isinstance(yes, Value) and yes.maker is not None:
        scaled = yes.maker
        if scaled.name == "div" and _is_number(scaled.reads[1]) and math.isclose(float(scaled.reads[1]), keep, rel_tol=1e-5):
            return "jax.nn.dropped", [scaled.reads[0]], {"rate": round(1 - keep, 6), **_shared(test, yes.shape)}
    return "jax.numpy.where", [test, yes, no], {}


def _dropped(one: Equation) -> Told | None:
    """`x * (mask / keep)`, with a mask that is drawn."""
    for at in (0, 1):
        given, factor = one.reads[at], one.reads[1 - at]
        axes = {}
        maker = factor.maker if isinstance(factor, Value) else None
        if maker is not None and maker.name == "broadcast_in_dim" and isinstance(maker.reads[0], Value):
            axes, factor = _shared(factor, one.gives[0].shape), maker.reads[0]
            maker = factor.maker
        if maker is None or maker.name != "div" or not _is_number(maker.reads[1]) or not isinstance(given, Value):
            continue
        keep = _drawn(maker.reads[0])
        if keep is not None and math.isclose(float(maker.reads[1]), keep, rel_tol=1e-5):
            wide = zip(factor.shape, one.gives[0].shape, strict=True) if len(factor.shape) == len(given.shape) else ()
            shared = tuple(at for at, (size, whole) in enumerate(wide) if size == 1 != whole)
            more = axes or ({"axes": shared} if shared else {})
            return "jax.nn.dropped", [given], {"rate": round(1 - keep, 6), **more}
    return None


def _drawn(value: Any) -> float | None:
    """With what probability a random truth holds: random numbers from 0 to 1 are less than that."""
    for _ in range(4):
        maker = value.maker if isinstance(value, Value) else None
        if maker is None:
            return None
        if maker.name == "lt":
            drawn, keep = maker.reads
            return float(keep.reshape(-1)[0]) if isinstance(keep, np.ndarray) and keep.size and _is_random(drawn) else None
        if maker.name not in ("broadcast_in_dim", "reshape"):
            return None
        value = maker.reads[0]
    return None


def _is_random(value: Any) -> bool:
    """Whether numbers between 0 and 1 are drawn: bits are made the fraction of a number from 1 on, and 1 is taken off."""
    steps = []
    for _ in range(12):
        maker = value.maker if isinstance(value, Value) else None
        if maker is None:
            return False
        if maker.name in ("random_bits", "threefry2x32"):
            return "bitcast_convert_type" in steps and "sub" in steps
        steps.append(maker.name)
        read = [one for one in maker.reads if isinstance(one, Value)]
        numbers = [one for one in maker.reads if isinstance(one, np.ndarray)]
        if len(read) != 1 or (maker.name in ("mul", "sub") and not _is_all(numbers[0], 1)):
            return False
        if maker.name in ("add", "max") and not _is_all(numbers[0], 0):
            return False
        value = read[0]
    return False


def _shared(test: Value, shape: tuple[int, ...]) -> dict[str, Any]:
    """Along which axes entries are dropped together."""
    maker = test.maker
    while maker is not None and maker.name in ("broadcast_in_dim", "reshape"):
        given = maker.reads[0]
        if not isinstance(given, Value):
            break
        if maker.name == "broadcast_in_dim" and len(given.shape) == len(shape):
            axes = tuple(at for at, size in enumerate(given.shape) if size == 1 and shape[at] != 1)
            if axes:
                return {"axes": axes}
        maker = given.maker
    return {}


def _row(teller: Teller, one: Equation) -> Told:
    return "jax.Array.__getitem__", [one.reads[0], one.params["index"]], {}


_OWN: Mapping[str, Callable[[Teller, Equation], Told | Value | None]] = {
    "broadcast_in_dim": _broadcast,
    "reshape": _reshape,
    "expand_dims": lambda teller, one: ("jax.numpy.reshape", [one.reads[0], tuple(one.gives[0].shape)], {}),
    "squeeze": _squeeze,
    "transpose": _transpose,
    "slice": _slice,
    "dynamic_slice": _dynamic_slice,
    "concatenate": lambda teller, one: ("jax.numpy.concatenate", [list(one.reads)], {"axis": one.params["dimension"]}),
    "stack": lambda teller, one: ("jax.numpy.stack", [list(one.reads)], {}),
    "pad": _pad,
    "split": _split,
    "rev": lambda teller, one: ("jax.lax.rev", [one.reads[0], tuple(one.params["dimensions"])], {}),
    "dot_general": _dot,
    "conv_general_dilated": _conv,
    "reduce_window_max": _pool,
    "gather": _gather,
    "select_n": _select,
    "row": _row,
    "integer_pow": lambda teller, one: ("jax.lax.integer_pow", [one.reads[0], one.params["y"]], {}),
    "argmax": lambda teller, one: ("jax.numpy.argmax", [one.reads[0]], {"axis": one.params["axes"][0]}),
    "argmin": lambda teller, one: ("jax.numpy.argmin", [one.reads[0]], {"axis": one.params["axes"][0]}),
    "cumsum": lambda teller, one: ("jax.lax.cumsum", [one.reads[0]], {"axis": one.params["axis"], "reverse": one.params["reverse"]}),
    "top_k": lambda teller, one: ("jax.lax.top_k", [one.reads[0], one.params["k"]], {}),
}  # fmt: skip
