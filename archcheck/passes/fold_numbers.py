"""Folds tensors of one number into what computes with them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from archcheck.ir.graph import Attr, Op, Value
from archcheck.passes.base import ScopePass
from archcheck.passes.kinds import CONSTANT, named
from archcheck.passes.scope import Scope

_TAKES = named("add", "sub", "mul", "div")
_OF_NUMBERS: dict[str, Callable[[float], float]] = {
    "identity": float,
    "sqrt": math.sqrt,
    "rsqrt": lambda number: 1 / math.sqrt(number),
}

_KEEPS_ZERO = named("tanh", "relu", "abs", "sqrt", "sin", "sign", "gelu", "silu", "elu", "selu", "softsign")


class FoldNumbers(ScopePass):
    """Fold a tensor of one number into the sum or product that reads it, and what makes zeros of zeros.

    Not 0 and 1, which would drop the op: a buffer often starts from one of them, and holds another once it is loaded.

    before                          after
      %x = input                      %x = input
      %c = constant value=64          %s = div %x by=8.0
      %r = sqrt %c
      %s = div %x, %r
    """

    name = "fold_numbers"

    def rewrite(self, scope: Scope, holder: Op | None) -> None:
        """Fold what is known to be one number."""
        for slot in scope.of_kinds(_TAKES):
            op = scope.ops[slot]
            if len(op.reads) == 2 and not op.attrs:
                _fold(scope, slot)
        for slot in scope.of_kinds(_KEEPS_ZERO):
            if _is_of_zeros(scope, slot):
                scope.drop(slot, scope.ops[slot].reads[0])


def _fold(scope: Scope, slot: int) -> None:
    op = scope.ops[slot]
    numbers = [_number(scope, value) for value in op.reads]
    at = next((at for at in ((1, 0) if op.kind.commutes else (1,)) if numbers[at] is not None), None)
    if at is None or numbers[1 - at] is not None:
        return
    giver = scope.giver(op.reads[at])
    scope.replace(slot, replace(op, reads=(op.reads[1 - at],), attrs=(Attr("by", numbers[at]),)))
    while giver >= 0 and not scope.readers(giver):
        behind = scope.givers(giver)
        scope.discard(giver)
        giver = behind[0] if behind else -1


def _is_of_zeros(scope: Scope, slot: int) -> bool:
    """Whether an op reads zeros that the call makes, of the shape of something: a buffer has a shape of its own."""
    giver = scope.giver(scope.ops[slot].reads[0])
    made = scope.ops[giver] if giver >= 0 else None
    if made is None or made.kind is not CONSTANT or made.states("shape"):
        return False
    value = made.attr("value")
    return type(value) in (int, float) and value == 0


def _number(scope: Scope, value: Value, depth: int = 4) -> int | float | None:
    """The number that a tensor of one is made of; None for any other tensor."""
    slot = scope.giver(value)
    op = scope.ops[slot] if slot >= 0 else None
    if op is None or value.index:
        return None
    if op.kind.name == "constant":
        found = op.attr("value")
        while isinstance(found, tuple) and len(found) == 1:
            found = found[0]
        plain = isinstance(found, int | float) and not isinstance(found, bool)
        if not plain or found in (0, 1) or op.attr("shape") not in (None, ()):
            return None
        return found  # type: ignore[return-value]  # a number
    if len(op.reads) != 1 or not depth or op.kind.name not in _OF_NUMBERS:
        return None
    number = _number(scope, op.reads[0], depth - 1)
    if number is None or op.kind.name == "identity":
        return number
    return None if number < 0 else _OF_NUMBERS[op.kind.name](number)
