"""Epsilons: a paper's formula of a norm mostly has none, and says nothing of the one that code needs."""

from __future__ import annotations

from dataclasses import replace

from archcheck.ir.graph import Op, OpGraph


def without_zeros(graph: OpGraph) -> OpGraph:
    """The canonical form of a claim, where a norm that is spelled out without an epsilon states none.

    One that is called by its name states what is written: `layer_norm(x, eps=0)`.
    """
    ops = tuple(_without(op) for op in graph.ops)
    return graph if all(new is old for new, old in zip(ops, graph.ops, strict=True)) else replace(graph, ops=ops)


def _without(op: Op) -> Op:
    if not op.body:
        return op
    body = tuple(_without(inner) for inner in op.body)
    stated = op.attrs
    if op.kind.family == "norm" and op.attr("eps") == 0:
        stated = tuple(attr for attr in stated if attr.name != "eps")
    same = stated is op.attrs and all(new is old for new, old in zip(body, op.body, strict=True))
    return op if same else replace(op, body=body, attrs=stated)
