"""Takes masks out of the way that do what an attention states: hide the keys after the query."""

from __future__ import annotations

from dataclasses import replace

from archcheck.ir.graph import Op, OpGraph, Value, attrs
from archcheck.passes.compared.tree import Tree
from archcheck.passes.kinds import ATTENTION
from archcheck.passes.masks import hides_later
from archcheck.passes.values import rename


class FoldMasks:
    """Let `causal` stand for a mask that is shown to be no more than that, however code builds it.

    before                                       after
      %o = constant value=1                        attention %q, %k, %v causal=True
      %m = triangle %o upper=False
      attention %q, %k, %v, %m causal=True

    A mask that an input is part of stays, and so does one that does something else too.
    """

    name = "fold_masks"

    def run(self, graph: OpGraph) -> OpGraph:
        """The graph after this pass; the same object where nothing changed."""
        tree = Tree(graph)
        changed = False
        for op in list(tree.ops.values()):
            if op.kind is ATTENTION and op.reads[3:] and op.attr("causal") is True and hides_later(tree, op):
                told = {attr.name: attr.value for attr in op.attrs if attr.name != "hides"}
                body = _unmasked(op)
                gives = op.gives if body else ()
                tree.put(replace(op, reads=op.reads[:3], attrs=attrs(**told), body=body, gives=gives))
                changed = True
        return tree.rebuilt() if changed else graph


def _unmasked(op: Op) -> tuple[Op, ...]:
    """The body of an attention without what masks do to its scores."""
    masks = set(op.reads[3:])
    scores: set[Value] = set()
    names: dict[Value, Value] = {}
    kept: list[Op] = []
    for inner in op.body:
        now = rename(inner, names)
        if masks.isdisjoint(now.reads):
            kept.append(now)
            if inner.kind.name in ("matmul", "einsum") or not scores.isdisjoint(now.reads):
                scores.add(Value(now.path))
            continue
        main = next((value for value in now.reads if value in scores), None)
        if main is None:
            return ()
        names[Value(inner.path)] = main
    return tuple(kept)
