"""Inputs of a claim for which the code gives zeros: what the claim says of them does not show in what is computed."""

from __future__ import annotations

from collections.abc import Callable

from archcheck.align import Alignment
from archcheck.findings import Finding, Place, Verdict
from archcheck.ir.graph import Op, OpGraph, Value
from archcheck.ir.ops import kind
from archcheck.ir.span import Span

_ARITHMETIC = frozenset({"add", "sub", "mul", "div", "matmul", "einsum", "matmul_add", "tensordot"})
_MAPS = frozenset({"linear", "bilinear", "conv", "conv_transpose"})
_JOINS = frozenset({"concat", "stack"})
ZERO_LEAVES_NOTHING = _ARITHMETIC | _MAPS | _JOINS
INPUT, CONSTANT = kind("input"), kind("constant")
_LAYOUT = frozenset({"identity", "reshape", "permute", "expand"})


def zeros_for_inputs(
    stated: OpGraph, alignment: Alignment, code: OpGraph, name: str, place: Callable[[Span], Place]
) -> Finding | None:
    """What is said where an op that should read an input of the claim reads zeros that the code makes.

    A state is zero before the first step. Code that never gives another one computes the equation of the first step,
    and whether it computes those behind it is not told by this part. `code` is the part as it was read: what is
    compared may have an input in the place of what it makes.
    """
    claim = {op.path: op for op in stated.walk()}
    ops = {op.path: op for op in code.walk()}
    for one, other in alignment.pairs:
        if other.kind.name not in ZERO_LEAVES_NOTHING:
            continue
        asked = [claim[read.op] for read in one.reads if read.op in claim]
        if not any(op.kind is INPUT for op in asked) or any(op.kind is CONSTANT for op in asked):
            continue
        made = next((op for read in other.reads if (op := _zeros(read, ops)) is not None), None)
        if made is not None:
            span = made.span or other.span
            return Finding(
                "not-determined",
                Verdict.UNDETERMINED,
                f"{name} holds only of zeros: the code makes zeros where the claim reads an input",
                fix="name the part that is called with the input, or give the argument (--arg) with which it is used",
                places=(place(span),) if span is not None else (),
            )
    return None


def _zeros(read: Value, ops: dict[str, Op]) -> Op | None:
    """The op that makes zeros, under what only lays them out."""
    op = ops.get(read.op)
    while op is not None and op.kind.name in _LAYOUT and op.reads:
        op = ops.get(op.reads[0].op)
    return op if op is not None and is_zeros(op) else None


def is_zeros(op: Op) -> bool:
    """Whether an op makes a tensor of zeros."""
    if op.kind is not CONSTANT or not op.states("value"):
        return False
    value = op.attr("value")
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == 0
