"""Which axis of a value is which while heads are laid out: batch, tokens, heads and features of a head."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod

from archcheck.ir.graph import AttrValue, Op, Size, Unknown
from archcheck.passes.heads import einsum_parts

BATCH, TOKENS = "b", "s"


@dataclass(frozen=True, slots=True)
class Features:
    """An axis that counts features: `size` of them, each `stride` features of the map apart."""

    size: int
    stride: int = 1


Axis = str | Features
Axes = tuple[Axis, ...]


def given_by(linear: Op) -> Axes | None:
    """The axes of what a linear map gives: features last, or where its einsum lays them out; None where unknown."""
    for product in linear.body:
        parts = einsum_parts(product.attr("equation")) if product.kind.name == "einsum" else None
        if parts is None:
            continue
        matrix = next((one for one in linear.body if one.path == product.reads[-1].op), None)
        return _of_einsum(parts, matrix.attr("shape") if matrix is not None else None)
    width = linear.attr("out_features")
    return (BATCH, TOKENS, Features(width)) if isinstance(width, int) else None


def _of_einsum(parts: tuple[str, str, str], shape: AttrValue) -> Axes | None:
    tensor, matrix, result = parts
    if not isinstance(shape, tuple) or len(shape) != len(matrix):
        return None
    given = [(axis, size) for axis, size in zip(matrix, shape, strict=True) if axis not in tensor]
    tokens = [axis for axis in tensor if axis in result]
    if any(not isinstance(size, int) or isinstance(size, bool) or axis not in result for axis, size in given):
        return None
    if any(axis in matrix for axis in tokens) or len(tokens) not in (0, 2):
        return None
    places: dict[str, Axis] = dict(zip(tokens, (BATCH, TOKENS), strict=False))
    stride = 1
    for axis, size in reversed(given):
        assert isinstance(size, int)
        places[axis] = Features(size, stride)
        stride *= size
    named = tuple(places[axis] for axis in result if axis in places)
    return named if tokens else (BATCH, TOKENS, *named)


def viewed(axes: Axes, op: Op) -> Axes | None:
    """The axes behind a reshape or a permutation; None where it cannot be told which they are."""
    if op.attr("batch_apart") is True:
        return None
    if op.kind.name == "permute":
        return _permuted(axes, op)
    if op.kind.name != "reshape":
        return axes if op.kind.name == "identity" else None
    form, shape = op.attr("form"), op.attr("shape")
    if form == "flatten":
        return _joined(axes, op)
    if form == "unflatten" and isinstance(shape, tuple) and op.attr("axis") in (-1, len(axes) - 1):
        return _split(axes, shape)
    return _reshaped(axes, shape) if form is None and isinstance(shape, tuple) else None


def _permuted(axes: Axes, op: Op) -> Axes | None:
    order, count = op.attr("axes"), len(axes)
    if isinstance(order, tuple):
        places = [one % count for one in order if isinstance(one, int) and -count <= one < count]
        return tuple(axes[one] for one in places) if sorted(places) == list(range(count)) == sorted(places) else None
    one, other = op.attr("axis"), op.attr("other_axis")
    if not (isinstance(one, int) and isinstance(other, int)) or not max(-one - 1, -other - 1, one, other) < count:
        return None
    moved = list(axes)
    moved[one], moved[other] = moved[other], moved[one]
    return tuple(moved)


def _joined(axes: Axes, op: Op) -> Axes | None:
    first, last, count = op.attr("axis", 0), op.attr("end", -1), len(axes)
    if not isinstance(first, int) or not isinstance(last, int):
        return None
    first, last = first % count, last % count
    together = _together(axes[first : last + 1])
    return (*axes[:first], together, *axes[last + 1 :]) if together is not None else None


def _together(axes: Axes) -> Features | None:
    """Neighbouring axes of features as one; None where they do not count neighbours."""
    features = [axis for axis in axes if isinstance(axis, Features)]
    if len(features) != len(axes) or not features:
        return None
    if any(upper.stride != lower.stride * lower.size for upper, lower in pairwise(features)):
        return None
    return Features(prod(axis.size for axis in features), features[-1].stride)


def _split(axes: Axes, sizes: tuple[AttrValue, ...]) -> Axes | None:
    """The last axis in parts."""
    whole = axes[-1]
    known = [size for size in sizes if isinstance(size, int) and not isinstance(size, bool)]
    if not isinstance(whole, Features) or len(sizes) - len(known) + known.count(-1) > 1:
        return None
    rest = prod(size for size in known if size != -1)
    if rest <= 0 or whole.size % rest:
        return None
    found = [size if isinstance(size, int) and size != -1 else whole.size // rest for size in sizes]
    if prod(found) != whole.size:
        return None
    parts: list[Features] = []
    stride = whole.stride
    for size in reversed(found):
        parts.insert(0, Features(size, stride))
        stride *= size
    return (*axes[:-1], *parts)


def _reshaped(axes: Axes, shape: tuple[AttrValue, ...]) -> Axes | None:
    """Batch and tokens as they are, in front; features behind them in parts, or together."""
    if axes[:2] != (BATCH, TOKENS):
        return None
    together = _together(axes[2:])
    if together is None:
        return None
    several = not shape or (isinstance(shape[0], Unknown) and not isinstance(shape[0], Size))
    if several and len(shape) == 1:  # the shape of another tensor as a whole: that of the model's stream
        return (BATCH, TOKENS, together)
    if several and all(isinstance(size, int) for size in shape[1:]):
        return _split((BATCH, TOKENS, together), shape[1:])  # `*x.shape[:-1]`
    if len(shape) < 3 or not all(_is_of(size, at) for at, size in enumerate(shape[:2])):
        return None
    return _split((BATCH, TOKENS, together), shape[2:])


def _is_of(size: AttrValue, axis: int) -> bool:
    """Whether a size may be that of an axis, as far as it says of which it is."""
    if isinstance(size, Size) and size.axes:
        return axis in size.axes
    return isinstance(size, int | Unknown) and not isinstance(size, bool)
