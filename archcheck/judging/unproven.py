"""Differences that may be none: products in another notation, and vectors of unknown length that may be a bias.

A contraction over axes that code names (`tensordot`) is a product of matrices for some numbers of axes and
not for others; a learned vector that is added to what a map gives is its bias if it has an entry for each feature.
"""

from __future__ import annotations

from collections.abc import Mapping

from archcheck.align.edits import Alignment, EditKind
from archcheck.ir.graph import Op, OpGraph
from archcheck.ir.ops import kind
from archcheck.judging.features import MAPS, convolution
from archcheck.passes.heads import WHOLE

ADD, PARAMETER = kind("add"), kind("parameter")
_CONTRACTIONS = frozenset({"tensordot"})
_PRODUCTS = _CONTRACTIONS | {"einsum", "matmul", "outer", "mul", "sum", "permute", "reshape", "expand"}


def unproven(actual: OpGraph, alignment: Alignment) -> tuple[Op, ...]:
    """The ops of the code on which all that differs rests, where what they compute is not known well enough to say that
    it differs; none where something else does.

    Args:
        actual: the code that was aligned with a claim.
        alignment: of the two.
    """
    made = {op.path: op for op in actual.ops}
    found: list[Op] = []
    for edit in alignment.edits:
        if edit.kind is EditKind.UNKNOWN or edit.aspect.startswith(("reads:", "gives:")):
            continue
        op = edit.actual
        if op is not None and (op.kind.name in _CONTRACTIONS or _may_be_a_bias(op, made)):
            found.append(op)
        elif any(
            one is not None and one.kind.name not in _PRODUCTS and not _adds_axes(one) for one in (edit.expected, op)
        ):
            return ()
    return tuple(found)


def _adds_axes(op: Op) -> bool:
    """Whether an op only adds axes of one entry: `x[:, None, None, :]`."""
    index = op.attr("index") if op.kind.name == "select" else None
    return isinstance(index, tuple) and all(one is None or one == WHOLE for one in index)


def _may_be_a_bias(op: Op, made: Mapping[str, Op]) -> bool:
    """Whether an op adds a learned tensor of unknown shape to what a map without a bias gives."""
    if op.kind is not ADD or len(op.reads) != 2:
        return False
    sides = [made.get(read.op) for read in op.reads]
    vector = next((one for one in sides if one is not None and one.kind is PARAMETER), None)
    mapped = next((one for one in sides if one is not None and one.kind in MAPS), None)
    if vector is None or mapped is None or mapped.attr("bias") is not False or isinstance(vector.attr("shape"), tuple):
        return False
    conv = convolution(mapped)
    return conv is None or conv.attr("channels_last") is True


__all__ = ["unproven"]
