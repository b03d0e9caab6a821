"""Products with a matrix and a linear map that code does in the other order: `A (H W) = (A H) W`.

The map has no bias of its own: `A (H W + 1 b)` is `(A H) W + (A 1) b`, which is another function.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from archcheck.ir.graph import Op, OpGraph, Value
from archcheck.ir.ops import kind

LINEAR, MATMUL = kind("linear"), kind("matmul")
_MOVED = ("transpose_a", "transpose_b")


def through(stated: OpGraph, graph: OpGraph) -> OpGraph:
    """`graph` with its products in the order in which `stated` has them, where a map stands behind a product there.

    Args:
        stated: a claim.
        graph: code, laid out without sublayers.
    """
    claim = {op.path: op for op in stated.ops}
    wanted = any(
        op.kind is LINEAR and len(op.reads) == 1 and claim[op.reads[0].op].kind is MATMUL
        for op in stated.ops
        if op.reads and op.reads[0].op in claim
    )
    if not wanted:
        return graph
    made = {op.path: op for op in graph.ops}
    reads = Counter([read.op for op in graph.ops for read in op.reads] + [value.op for value in graph.results])
    swapped: dict[str, Op] = {}  # the product -> the map that it reads
    for op in graph.ops:
        if op.kind is not MATMUL or len(op.reads) != 2 or any(op.attr(name) is True for name in _MOVED):
            continue
        inner = made.get(op.reads[1].op)
        plain = inner is not None and inner.kind is LINEAR and inner.attr("bias") is False and len(inner.reads) == 1
        if inner is not None and plain and reads[inner.path] == 1:
            swapped[op.path] = inner
    if not swapped:
        return graph
    gone = {inner.path for inner in swapped.values()}
    ops: list[Op] = []
    for op in graph.ops:
        inner = swapped.get(op.path)
        if inner is not None:
            before = f"{op.path}'before"
            ops.append(replace(op, path=before, reads=(op.reads[0], inner.reads[0])))
            ops.append(replace(inner, path=op.path, reads=(Value(before),), body=()))
        elif op.path not in gone:
            ops.append(op)
    return OpGraph(tuple(ops), graph.results, graph.origin)


__all__ = ["through"]
