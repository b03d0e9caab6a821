"""Tensors whose entries are all one number: masks of ones that code makes where it is given none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archcheck.frontends.static import sizes
from archcheck.frontends.static.values import Data, Tensor, Tensors
from archcheck.ir.graph import Value

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine

DEEPEST = 12  # ops through which a filling is followed
KEEPING = frozenset({"identity", "reshape", "permute", "expand", "reduce_logical"})


_LAYING_OUT = frozenset({"reshape", "permute", "expand", "select"})


def holds_truths(vm: Machine, value: Value, depth: int = DEEPEST) -> bool:
    """Whether a tensor is certain to hold truths: it comes of a comparison, and nothing made numbers of it."""
    op = vm.recorder.by_path.get(value.op)
    if op is None or not depth:
        return False
    kind = op.kind.name
    if kind in _LAYING_OUT and op.reads:
        return holds_truths(vm, op.reads[0], depth - 1)
    if kind == "logical":  # of whole numbers it is one of their bits
        return bool(op.reads) and all(holds_truths(vm, read, depth - 1) for read in op.reads)
    return kind in ("compare", "reduce_logical")


def is_made_up(vm: Machine, tensor: Tensor | Tensors) -> bool:
    """Whether a tensor is certain to be numbers that code makes: nothing that is given or learned leads to it."""
    first = tensor.value.op if isinstance(tensor, Tensor) else tensor.op
    waiting, seen = [first], {first}
    while waiting:
        op = vm.recorder.by_path.get(waiting.pop())
        if op is None or op.kind.name in _GIVEN or op.body or len(seen) > _MOST:
            return False
        new = {read.op for read in op.reads} - seen
        seen |= new
        waiting += new
    return True


_GIVEN = frozenset({"input", "parameter", "opaque"})
_MOST = 256  # ops that are looked at


def told(vm: Machine, value: Data) -> Data:
    """The answer of a tensor that is asked whether it is true, where its content is known; any other value as it is."""
    if (held := sizes.number(vm, value)) is not None:
        return bool(held)
    if isinstance(value, Tensor) and (filled := filling(vm, value)) is not None:
        return bool(filled)
    return value


def filling(vm: Machine, tensor: Tensor) -> float | None:
    """The number that every entry of a tensor is; None where that is not known, or differs.

    A logical reduction of equal entries is that entry, whether it asks for any or for all.
    """
    value = tensor.value
    for _ in range(DEEPEST):
        op = vm.recorder.by_path.get(value.op)
        if op is None or value.index:
            return None
        if op.kind.name == "constant":
            held = op.attr("value")
            return held if isinstance(held, (bool, int, float)) else None
        if op.kind.name not in KEEPING or len(op.reads) != 1:
            return None
        value = op.reads[0]
    return None
