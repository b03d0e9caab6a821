"""Numbers that a graph holds or computes about its tensors: shapes, axes, paddings, factors.

An entry is a number, or an `Open` value where it is a size that no file tells: so `Shape`, `StridedSlice` and `Pack` in
front of a `Reshape` become what `tf.reshape(x, [tf.shape(x)[0], -1])` is when code is read.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import archcheck.frontends.static.machine  # noqa: F401  # before its parts, which import it
from archcheck.frontends.bounded import MOST_ENTRIES as MOST
from archcheck.frontends.static import conditions, sizes
from archcheck.frontends.static.opens import Open, Shape
from archcheck.frontends.static.values import Data, Tensor
from archcheck.frontends.tensorflow_graph.nodes import Held

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine

MOST_AXES = 64  # of a shape that is asked for by number


def held(values: Data, real: bool = False) -> Held:
    """A number, or a list of them, as an array."""
    return Held((len(values),), tuple(values), real) if isinstance(values, (list, tuple)) else Held((), (values,), real)


def worked_out(vm: Machine, op: str, given: Sequence[Any], attrs: Mapping[str, Any]) -> Held | Open | None:
    """What an op gives whose inputs are numbers, or which asks for a shape; None where that is not worked out."""
    if op in _ASKING and given and isinstance(given[0], Tensor):
        return _asked(vm, op, given[0])
    if given and isinstance(given[0], Open):
        return _part_of(vm, op, given, attrs)
    if op not in _RULES or not given or not all(isinstance(one, Held) for one in given):
        return None
    try:
        found = _RULES[op](vm, given, attrs)
    except (ValueError, TypeError, IndexError, KeyError, ArithmeticError, AttributeError):
        return None
    return found if found is None or len(found.flat) <= MOST else None


_ASKING = frozenset({"Shape", "Size", "Rank"})


def _asked(vm: Machine, op: str, tensor: Tensor) -> Held | Open:
    shape = sizes.shape_of(vm, tensor)
    if not isinstance(shape, tuple):
        assert isinstance(shape, Open)
        return shape if op == "Shape" else vm.open("the size of a tensor", metadata=True)
    if op == "Rank":
        return held(len(shape))
    if op == "Size":
        known = all(isinstance(size, int) for size in shape)
        return held(math.prod(shape)) if known else held(vm.open("the size of a tensor", metadata=True))
    return held(list(shape))


def _part_of(vm: Machine, op: str, given: Sequence[Any], attrs: Mapping[str, Any]) -> Held | Open | None:
    """An entry of a shape of which not even the number of axes is known, or what is made of such an entry."""
    shape = given[0]
    if op in ("Cast", "Identity"):
        found: Open = shape
        return found
    if not isinstance(shape, Shape):
        return None
    if op == "GatherV2" and isinstance(given[1], Held) and all(type(one) is int for one in given[1].flat):
        return Held(given[1].shape, tuple(shape.size((int(one),), vm.here()) for one in given[1].flat))
    if op == "StridedSlice" and all(isinstance(one, Held) and one.single for one in given[1:]):
        first, last, step = (one.only() for one in given[1:])
        if attrs.get("shrink_axis_mask") == 1 and type(first) is int:
            return held(shape.size((first,), vm.here()))
        if step == 1 and type(first) is int and type(last) is int and not attrs.get("end_mask"):
            first = 0 if attrs.get("begin_mask") else first
            if 0 <= first < last <= MOST_AXES:
                return held([shape.size((at,), vm.here()) for at in range(first, last)])
    return None


# ---- rules

Rule = Callable[["Machine", Sequence[Held], Mapping[str, Any]], "Held | None"]


def _places(shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    return product(*(range(size) for size in shape))


def _at(place: Sequence[int], shape: tuple[int, ...]) -> int:
    """Where an entry lies; axes of one entry are repeated, and those that are missing come first."""
    flat = 0
    for index, size in zip(place[len(place) - len(shape) :], shape, strict=True):
        flat = flat * size + (index if size != 1 else 0)
    return flat


def _joint(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    found: list[int] = []
    for at in range(1, max((len(shape) for shape in shapes), default=0) + 1):
        size = 1
        for shape in shapes:
            own = shape[-at] if at <= len(shape) else 1
            if own != 1 and size not in (1, own):
                raise ValueError("sizes that do not fit")
            size = own if own != 1 else size
        found.append(size)
    if math.prod(found) > MOST:
        raise ValueError("too many")
    return tuple(reversed(found))


def _joined(make: Callable[..., Data], given: Sequence[Held], real: bool) -> Held:
    shape = _joint([one.shape for one in given])
    flat = tuple(make(*(one.flat[_at(place, one.shape)] for one in given)) for place in _places(shape))
    return Held(shape, flat, real)


def _binary(operator: type[ast.operator]) -> Rule:
    return lambda vm, given, attrs: _joined(
        lambda one, other: conditions.binary(vm, operator, one, other), given, any(one.real for one in given)
    )


def _compared(operator: type[ast.cmpop]) -> Rule:
    return lambda vm, given, attrs: _joined(
        lambda one, other: conditions.compare(vm, operator, one, other), given, False
    )


def _pairs(make: Callable[[Any, Any], Data], real: bool | None = None) -> Rule:
    def rule(vm: Machine, given: Sequence[Held], attrs: Mapping[str, Any]) -> Held:
        def one(*parts: Data) -> Data:
            unknown = next((part for part in parts if isinstance(part, Open)), None)
            return make(*parts) if unknown is None else vm.open(unknown.why, metadata=unknown.metadata)

        return _joined(one, given, any(part.real for part in given) if real is None else real)

    return rule


def _each(make: Callable[[Any], Data], real: bool | None = None) -> Rule:
    def rule(vm: Machine, given: Sequence[Held], attrs: Mapping[str, Any]) -> Held:
        flat = tuple(one if isinstance(one, Open) else make(one) for one in given[0].flat)
        return Held(given[0].shape, flat, given[0].real if real is None else real)

    return rule


def _power(one: Any, other: Any) -> Data:
    if abs(other) > 64 and abs(one) > 1 and not isinstance(one, float):
        raise ValueError("too large")
    found: Data = one**other
    if isinstance(found, complex):
        raise ValueError("no number")
    return found


def _divided(vm: Machine, given: Sequence[Held], attrs: Mapping[str, Any]) -> Held:
    operator = ast.Div if any(one.real for one in given) else ast.FloorDiv
    return _binary(operator)(vm, given, attrs)  # type: ignore[return-value]


def _cast(vm: Machine, given: Sequence[Held], attrs: Mapping[str, Any]) -> Held:
    kind = attrs.get("DstT")
    if kind not in _KINDS:
        raise ValueError("another type")
    make = _KINDS[kind]
    return _each(make, make is float)(vm, given, attrs)  # type: ignore[return-value]


_KINDS: dict[Any, Callable[[Any], Data]] = {
    **dict.fromkeys(("float", "double", "half", "bfloat16"), float),
    **dict.fromkeys(("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"), int),
    "bool": bool,
}


def _reshaped(vm: Machine, given: Sequence[Held], attrs: Mapping[str, Any]) -> Held:
    shape, count = given[1].whole(), len(given[0].flat)
    if shape.count(-1) == 1:
        rest = math.prod(size for size in shape if size != -1)
        shape = [count // rest if size == -1 else size for size in shape]
    if math.prod(shape) != count or any(size < 0 for size in shape):
        raise ValueError("another count")
    return Held(tuple(shape), given[0].flat, given[0].real)


def _expanded(vm: Machine, given: Sequence[Held], attrs: Mapping[str, Any]) -> Held:
    shape, (axis,) = list(given[0].shape), given[1].whole()
    shape.insert(axis if axis >= 0 else len(shape) + 1 + axis, 1)
    return Held(tuple(shape), given[0].flat, given[0].real)


def _squeezed(vm: Machine, given: Sequence[Held], attrs: Mapping[str, Any]) -> Held:
    shape = given[0].shape
    axes = [axis % len(shape) for axis in attrs.get("squeeze_dims") or []] if shape else []
    kept = [size for at, size in enumerate(shape) if (at not in axes if axes else size != 1)]
    if math.prod(kept) != len(given[0].flat):
        raise ValueError("an axis of more than one")
    return Held(tuple(kept), given[0].flat, given[0].real)


def _along(parts: Sequence[Held], axis: int) -> Held:
    """Arrays joined along an axis."""
    first = parts[0].shape
    axis %= len(first)
    outer = math.prod(first[:axis])
    flat: list[Data] = []
    for at in range(outer):
        for one in parts:
            if one.shape[:axis] != first[:axis] or one.shape[axis + 1 :] != first[axis + 1 :]:
                raise ValueError("sizes that do not fit")
            step = len(one.flat) // outer
            flat += one.flat[at * step : (at + 1) * step]
    size = sum(one.shape[axis] for one in parts)
    return Held((*first[:axis], size, *first[axis + 1 :]), tuple(flat), any(one.real for one in parts))


def _concatenated(vm: Machine, given: Sequence[Held], attrs: Mapping[str, Any]) -> Held:
    return _along(given[:-1], given[-1].whole()[0])


def _packed(vm: Machine, given: Sequence[Held], attrs: Mapping[str, Any]) -> Held:
    axis = int(attrs.get("axis", 0))
    rank = len(given[0].shape) + 1
    at = axis % rank
    return _along([Held((*one.shape[:at], 1, *one.shape[at:]), one.flat, one.real) for one in given], at)


def _gathered(vm: Machine, given: Sequence[Held], attrs: Mapping[str, Any]) -> Held:
    if len(given[0].shape) != 1 or attrs.get("batch_dims"):
        raise ValueError("more axes")
    return Held(given[1].shape, tuple(given[0].flat[at] for at in given[1].whole()), given[0].real)


def _sliced(vm: Machine, given: Sequence[Held], attrs: Mapping[str, Any]) -> Held:
    """A strided slice of a list; of more axes none is asked for."""
    if len(given[0].shape) != 1 or any(len(one.flat) != 1 for one in given[1:]):
        raise ValueError("more axes")
    if attrs.get("new_axis_mask") or attrs.get("ellipsis_mask"):
        raise ValueError("a new axis")
    (first,), (last,), (step,) = (one.whole() for one in given[1:])
    if attrs.get("shrink_axis_mask"):
        return Held((), (given[0].flat[first],), given[0].real)
    part = slice(None if attrs.get("begin_mask") else first, None if attrs.get("end_mask") else last, step)
    flat = given[0].flat[part]
    return Held((len(flat),), flat, given[0].real)


def _cut(vm: Machine, given: Sequence[Held], attrs: Mapping[str, Any]) -> Held:
    if len(given[0].shape) != 1:
        raise ValueError("more axes")
    (first,), (size,) = given[1].whole(), given[2].whole()
    flat = given[0].flat[first : None if size == -1 else first + size]
    return Held((len(flat),), flat, given[0].real)


def _filled(vm: Machine, given: Sequence[Held], attrs: Mapping[str, Any]) -> Held | None:
    shape = given[0].whole()
    if math.prod(shape) > MOST or any(size < 0 for size in shape):
        return None
    return Held(tuple(shape), (given[1].only(),) * math.prod(shape), given[1].real)


def _alike(value: int) -> Rule:
    return lambda vm, given, attrs: Held(
        given[0].shape, ((float(value) if given[0].real else value),) * len(given[0].flat), given[0].real
    )


def _range(vm: Machine, given: Sequence[Held], attrs: Mapping[str, Any]) -> Held | None:
    start, limit, step = (one.only() for one in given)
    if any(isinstance(one, (Open, bool)) or not isinstance(one, (int, float)) for one in (start, limit, step)):
        return None
    count = math.ceil((limit - start) / step)
    if not 0 <= count <= MOST:
        return None
    return held([start + at * step for at in range(count)], any(one.real for one in given))


def _spread(vm: Machine, given: Sequence[Held], attrs: Mapping[str, Any]) -> Held:
    shape = tuple(given[1].whole())
    if _joint([given[0].shape, shape]) != shape:
        raise ValueError("sizes that do not fit")
    return Held(shape, tuple(given[0].flat[_at(place, given[0].shape)] for place in _places(shape)), given[0].real)


def _chosen(vm: Machine, given: Sequence[Held], attrs: Mapping[str, Any]) -> Held:
    def one(test: Data, yes: Data, no: Data) -> Data:
        if isinstance(test, Open):
            same = type(yes) is type(no) and not isinstance(yes, Open) and yes == no
            return yes if same else vm.open("a size that a size decides", metadata=True)
        return yes if test else no

    return _joined(one, given, given[1].real)


def _total(fold: Callable[[Machine, Data, Data], Data]) -> Rule:
    """A reduction of a list, or of one number over no axis."""

    def rule(vm: Machine, given: Sequence[Held], attrs: Mapping[str, Any]) -> Held:
        axes = given[1].whole() if len(given) > 1 else []
        if len(given[0].shape) > 1 or not given[0].flat or axes not in ([0], [-1], []):
            raise ValueError("over axes")
        if not axes:
            return given[0]
        found = given[0].flat[0]
        for one in given[0].flat[1:]:
            found = fold(vm, found, one)
        return Held((1,) if attrs.get("keep_dims") else (), (found,), given[0].real)

    return rule


def _least(make: Callable[..., Any]) -> Callable[[Machine, Data, Data], Data]:
    def fold(vm: Machine, one: Data, other: Data) -> Data:
        known = not isinstance(one, Open) and not isinstance(other, Open)
        return make(one, other) if known else vm.open("a size", metadata=True)

    return fold


_RULES: dict[str, Rule] = {
    **dict.fromkeys(("Add", "AddV2"), _binary(ast.Add)),
    "Sub": _binary(ast.Sub),
    "Mul": _binary(ast.Mult),
    "FloorMod": _binary(ast.Mod),
    "FloorDiv": _binary(ast.FloorDiv),
    **dict.fromkeys(("RealDiv", "Div"), _divided),
    "Pow": _pairs(_power),
    "Equal": _compared(ast.Eq),
    "NotEqual": _compared(ast.NotEq),
    "Less": _compared(ast.Lt),
    "LessEqual": _compared(ast.LtE),
    "Greater": _compared(ast.Gt),
    "GreaterEqual": _compared(ast.GtE),
    "LogicalAnd": _pairs(lambda one, other: bool(one and other)),
    "LogicalOr": _pairs(lambda one, other: bool(one or other)),
    "LogicalNot": _each(lambda one: not one),
    "Maximum": _pairs(max),
    "Minimum": _pairs(min),
    "Neg": _each(lambda one: -one),
    "Abs": _each(abs),
    "Square": _each(lambda one: one * one),
    "Sqrt": _each(math.sqrt, True),
    "Rsqrt": _each(lambda one: 1 / math.sqrt(one), True),
    "Reciprocal": _each(lambda one: 1 / one, True),
    "Exp": _each(math.exp, True),
    "Log": _each(math.log, True),
    "Sin": _each(math.sin, True),
    "Cos": _each(math.cos, True),
    "Floor": _each(lambda one: float(math.floor(one))),
    "Ceil": _each(lambda one: float(math.ceil(one))),
    **dict.fromkeys(
        ("Identity", "StopGradient", "Snapshot", "EnsureShape", "PreventGradient"),
        lambda vm, given, attrs: given[0],
    ),
    "Cast": _cast,
    "Reshape": _reshaped,
    "ExpandDims": _expanded,
    "Squeeze": _squeezed,
    "ConcatV2": _concatenated,
    "Pack": _packed,
    "GatherV2": _gathered,
    "StridedSlice": _sliced,
    "Slice": _cut,
    "Fill": _filled,
    "ZerosLike": _alike(0),
    "OnesLike": _alike(1),
    "Range": _range,
    "BroadcastTo": _spread,
    **dict.fromkeys(("SelectV2", "Select"), _chosen),
    "Prod": _total(lambda vm, one, other: conditions.binary(vm, ast.Mult, one, other)),
    "Sum": _total(lambda vm, one, other: conditions.binary(vm, ast.Add, one, other)),
    "Max": _total(_least(max)),
    "Min": _total(_least(min)),
    "Shape": lambda vm, given, attrs: held(list(given[0].shape)),
    "Size": lambda vm, given, attrs: held(len(given[0].flat)),
    "Rank": lambda vm, given, attrs: held(len(given[0].shape)),
}
