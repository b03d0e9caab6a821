"""A graph without sublayers, residuals and repeats, for what asks only what is computed of what."""

from __future__ import annotations

from collections.abc import Sequence

from archcheck.ir.graph import Op, OpGraph, Value
from archcheck.ir.ops import Tier, kind
from archcheck.passes.values import rename

ADD, RESIDUAL = kind("add"), kind("residual")


def written_out(graph: OpGraph) -> OpGraph:
    """`graph` without sublayers, residuals and repeats: what they hold stands where they stood, one round of each."""
    ops: list[Op] = []
    names: dict[Value, Value] = {}

    def lay_out(listed: Sequence[Op]) -> None:
        for op in listed:
            if op.kind.tier is not Tier.STRUCTURE or not op.body:
                ops.append(rename(op, names))
                continue
            lay_out(op.body)
            results = [names.get(value, value) for value in op.results]
            if op.kind is RESIDUAL:
                skip = names.get(op.reads[0], op.reads[0])
                ops.append(Op(op.path, ADD, (skip, results[0]), span=op.span, because=op.because))
                results[0] = Value(op.path)
            given = {Value(op.path, at): value for at, value in enumerate(results)}
            names.update({one: value for one, value in given.items() if one != value})

    lay_out(graph.ops)
    return OpGraph(tuple(ops), tuple(names.get(value, value) for value in graph.results), graph.origin)
