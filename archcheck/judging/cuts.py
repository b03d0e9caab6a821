"""What code cuts apart and puts together: heads that are stacked parts, and inputs that come in one tensor."""

from __future__ import annotations

from collections.abc import Mapping

from archcheck.ir.graph import Op, OpGraph, Value
from archcheck.ir.ops import kind
from archcheck.passes.values import rename

INPUT, RESHAPE, SPLIT, STACK = map(kind, ("input", "reshape", "split", "stack"))
MOST_PARTS = 64


def without_heads(stated: OpGraph, graph: OpGraph) -> OpGraph:
    """`graph` with all parts of a value, stacked in their order, as that value under other axes.

    Args:
        stated: a claim; one that cuts or stacks means these.
        graph: code, laid out without sublayers.
    """
    if any(op.kind in (SPLIT, STACK) for op in stated.walk()):
        return graph
    made = {op.path: op for op in graph.ops}
    ops = [_laid_out(op, made) for op in graph.ops]
    if all(op is other for op, other in zip(ops, graph.ops, strict=True)):
        return graph
    used = {read.op for op in ops for read in op.reads} | {value.op for value in graph.results}
    kept = tuple(op for op in ops if op.kind is not SPLIT or op.path in used)
    return OpGraph(kept, graph.results, graph.origin)


def _laid_out(op: Op, made: Mapping[str, Op]) -> Op:
    if op.kind is not STACK or not op.reads:
        return op
    cut = made[op.reads[0].op]
    parts = tuple(Value(cut.path, at) for at in range(len(op.reads)))
    if cut.kind is not SPLIT or op.reads != parts or cut.attr("sections") != len(parts) or len(cut.reads) != 1:
        return op
    return Op(op.path, RESHAPE, cut.reads, span=op.span, because=op.because)


def with_parts_as_inputs(stated: OpGraph, graph: OpGraph) -> OpGraph:
    """`graph` with the parts into which an input is cut at once as inputs of their own, where `stated` has more.

    An equation of queries, keys and values is said of whatever is given for them, also of parts of one tensor.
    """
    count = sum(op.kind is INPUT for op in graph.ops)
    if any(op.kind is SPLIT for op in stated.walk()) or sum(op.kind is INPUT for op in stated.ops) <= count:
        return graph
    cuts = cut_inputs(graph)
    if not cuts:
        return graph
    names = {Value(path, at): Value(f"{path}'{at}") for path, parts in cuts.items() for at in parts}
    given = {op.reads[0].op for op in graph.ops if op.path in cuts}
    ops: list[Op] = []
    for op in graph.ops:
        if op.path in cuts:
            ops += [Op(f"{op.path}'{at}", INPUT, span=op.span, because=op.because) for at in cuts[op.path]]
        elif op.path not in given:
            ops.append(rename(op, names))
    return OpGraph(tuple(ops), tuple(names.get(value, value) for value in graph.results), graph.origin)


def cut_inputs(graph: OpGraph) -> dict[str, tuple[int, ...]]:
    """Ops that cut an input of which nothing else is read, with the numbers of the parts that are."""
    made = {op.path: op for op in graph.ops}
    readers: dict[str, list[Op]] = {}
    parts: dict[str, set[int]] = {}
    for op in graph.ops:
        for read in op.reads:
            readers.setdefault(read.op, []).append(op)
            parts.setdefault(read.op, set()).add(read.index)
    given = {value.op for value in graph.results}
    found: dict[str, tuple[int, ...]] = {}
    for op in graph.ops:
        source = made.get(op.reads[0].op) if op.kind is SPLIT and len(op.reads) == 1 else None
        if source is None or source.kind is not INPUT or op.path in given or source.path in given:
            continue
        if len(readers[source.path]) == 1 and len(parts.get(op.path, ())) <= MOST_PARTS:
            found[op.path] = tuple(sorted(parts.get(op.path, ())))
    return found


__all__ = ["cut_inputs", "with_parts_as_inputs", "without_heads"]
