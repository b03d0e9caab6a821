"""What code adds at the borders of a convolution, and cuts off again: an equation without padding means any.

A pad of whatever mode before a convolution, and the last elements of a map that has as many added on both sides, which
are cut off to make it causal, are ways to add at borders.
"""

from __future__ import annotations

from archcheck.ir.graph import AttrValue, Op, OpGraph, Value
from archcheck.ir.ops import FAMILIES, kind
from archcheck.passes.values import rename

PAD, SELECT, IDENTITY = kind("pad"), kind("select"), kind("identity")
CONVS = frozenset(FAMILIES["conv"])
_ALL: AttrValue = ("slice", None, None, None)


def without_borders(stated: OpGraph, graph: OpGraph) -> OpGraph:
    """`graph` without what it adds before convolutions and cuts off behind them, if `stated` says nothing of that.

    Args:
        stated: a claim.
        graph: code, laid out without sublayers.
    """
    if any(op.kind is PAD or op.states("padding") for op in stated.walk()):
        return graph
    cuts = any(op.kind is SELECT for op in stated.walk())
    made = {op.path: op for op in graph.ops}
    readers: dict[str, list[Op]] = {}
    for op in graph.ops:
        for read in op.reads:
            readers.setdefault(read.op, []).append(op)
    given = {value.op for value in graph.results}
    names: dict[Value, Value] = {}
    ops: list[Op] = []
    for op in graph.ops:
        users = readers.get(op.path, [])
        before = op.kind is PAD and op.path not in given and users and all(one.kind in CONVS for one in users)
        if before or (not cuts and op.kind is SELECT and _chomps(op, made, readers)):
            names[Value(op.path)] = names.get(op.reads[0], op.reads[0])
        else:
            ops.append(rename(op, names))
    if not names:
        return graph
    return OpGraph(tuple(ops), tuple(names.get(value, value) for value in graph.results), graph.origin)


def _chomps(op: Op, made: dict[str, Op], readers: dict[str, list[Op]]) -> bool:
    """Whether an op cuts off the last elements of a convolution along its one axis, as many as that adds on a side."""
    conv = made.get(op.reads[0].op) if len(op.reads) == 1 else None
    while conv is not None and conv.kind is IDENTITY and len(readers.get(conv.path, [])) == 1 and conv.reads:
        conv = made.get(conv.reads[0].op)
    if conv is None or conv.kind not in CONVS or len(readers.get(conv.path, [])) != 1 or conv.attr("axes") != 1:
        return False
    added, index = conv.attr("padding"), op.attr("index")
    if conv.attr("stride", 1) != 1 or conv.attr("channels_last") is True or type(added) is not int or added <= 0:
        return False
    return isinstance(index, tuple) and index == (_ALL, _ALL, ("slice", None, -added, None))


__all__ = ["without_borders"]
