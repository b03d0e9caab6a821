"""On which axis of a map's values its features stand."""

from __future__ import annotations

from archcheck.ir.graph import Op
from archcheck.ir.ops import kind
from archcheck.ir.ranks import RANK

CONV, LINEAR = kind("conv"), kind("linear")
MAPS = frozenset({LINEAR, CONV})


def convolution(op: Op) -> Op | None:
    """The convolution that a map is, or that is called a linear map."""
    return next((inner for inner in op.walk() if inner.kind is CONV), None)


def is_of_features(joined: Op, of: Op) -> bool | None:
    """Whether the axis along which `joined` joins or cuts is that of the features of a map; None: not known.

    That is the last one, but for a convolution, which may be what is called a linear map: its channels stand behind the
    batch, or last.
    """
    axis, rank = joined.attr("axis"), joined.attr(RANK)
    if not isinstance(axis, int):
        return None
    conv = convolution(of)
    if conv is not None:
        axes, last = conv.attr("axes"), conv.attr("channels_last", False)
        rank = axes + 2 if isinstance(axes, int) else rank
        if not isinstance(last, bool):
            return None
        if not last:
            return axis == 1 if axis >= 0 else axis == 1 - rank if isinstance(rank, int) else None
    if axis < 0:
        return axis == -1
    return axis == rank - 1 if isinstance(rank, int) else None if axis else False
