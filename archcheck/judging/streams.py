"""What a layer gives beside its streams: masks and biases that it makes for the layers behind it."""

from __future__ import annotations

from dataclasses import replace

from archcheck.ir.graph import OpGraph
from archcheck.ir.ops import kind

INPUT, RESIDUAL = kind("input"), kind("residual")


def streams_alone(graph: OpGraph) -> OpGraph:
    """`graph` without those results that rest neither on a residual nor on an input, and without what makes them alone.

    A bias on the scores that the first layer makes of positions, and hands to those behind it, is no part of what a
    paper draws of a layer. What an attention reads of it stays.
    """
    by_path = {op.path: op for op in graph.ops}
    if not any(op.kind is RESIDUAL for op in graph.ops):
        return graph
    rests: dict[str, bool] = {}
    for op in graph.ops:  # in the order of their computation
        free = {value.op for inner in op.walk() for value in inner.reads}
        rests[op.path] = op.kind in (INPUT, RESIDUAL) or any(rests.get(path, path not in by_path) for path in free)
    kept = tuple(value for value in graph.results if rests.get(value.op, True))
    if not kept or len(kept) == len(graph.results):
        return graph
    wanted = {value.op for value in kept}
    ops = []
    for op in reversed(graph.ops):
        if op.path in wanted or op.kind is INPUT:
            ops.append(op)
            wanted |= {value.op for inner in op.walk() for value in inner.reads}
    return replace(graph, ops=tuple(reversed(ops)), results=kept)
