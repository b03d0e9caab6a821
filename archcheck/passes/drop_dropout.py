"""Takes out dropout and stochastic depth, which do nothing in eval mode: what a claim is, said of code in that mode."""

from __future__ import annotations

from archcheck.ir.graph import Op
from archcheck.passes.base import ScopePass
from archcheck.passes.kinds import DROPOUTS
from archcheck.passes.scope import Scope


class DropDropout(ScopePass):
    """Forward the operand of each dropout.

    before                              after
      %x = input                          input
      %f = self_attention %x              self_attention
      %d = dropout %f p=0.1               add %0, %1
      add %x, %d

    It is for claims alone: a dropout that code in eval mode still has is one that it computes there.
    """

    name = "drop_dropout"

    def rewrite(self, scope: Scope, holder: Op | None) -> None:
        """Take the dropouts out; a body of nothing else is left, since a body is never empty."""
        found = list(scope.of_kinds(DROPOUTS))
        if holder is not None and len(found) == len(scope.ops):
            return
        for slot in found:
            scope.drop(slot, scope.ops[slot].reads[0])
