"""Constants and learned tensors stand where they are used, as if the code had made them there.

A constructor makes its tables and weights long before a layer uses them: equal tables, one for each layer, become one,
and a learned tensor that one op reads moves to that op. Layers that differ in nothing else are then alike. One that
several layers share stays outside of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import ClassVar

from archcheck.ir.graph import Attr, AttrValue, Op, OpGraph, Size, Unknown, Value
from archcheck.ir.ops import Tier, kind
from archcheck.passes.kinds import named
from archcheck.passes.values import rename

PARAMETER, CONSTANT = kind("parameter"), kind("constant")
CHANGING = named("input", "parameter", "random", "dropout", "stochastic_depth", "opaque")  # not the same each time


class Settle:
    """Merge equal constants, and move learned tensors to where they are read."""

    name: ClassVar[str] = "settle"

    def run(self, graph: OpGraph) -> OpGraph:
        """The graph after this pass; the same object where nothing changed."""
        if not any(op.kind is PARAMETER or op.kind is CONSTANT for op in graph.ops):
            return graph
        ops, results = _merged(graph.ops, graph.results)
        ops = _moved(ops)
        return graph if ops == graph.ops else OpGraph(ops, results, graph.origin)


def _merged(ops: tuple[Op, ...], results: tuple[Value, ...]) -> tuple[tuple[Op, ...], tuple[Value, ...]]:
    """`ops` with each constant, and what is computed from constants alone, only once."""
    first: dict[object, str] = {}
    now: dict[str, str] = {}  # path of an op that went -> path of its equal
    fixed: set[str] = set()
    kept: list[Op] = []
    for op in ops:
        changed = rename(op, {value: Value(now[value.op], value.index) for value in op.reads if value.op in now})
        if _is_fixed(changed, fixed):
            fixed.add(op.path)
            same = first.setdefault((op.kind.name, changed.reads, _stated(op.attrs)), op.path)
            if same != op.path:
                now[op.path] = same
                continue
        kept.append(changed)
    if not now:
        return ops, results
    return tuple(kept), tuple(Value(now[value.op], value.index) if value.op in now else value for value in results)


def _is_fixed(op: Op, fixed: set[str]) -> bool:
    """Whether an op gives the same value each time, and what that is follows from what it states."""
    if op.kind in CHANGING or op.body or op.kind.tier is Tier.STRUCTURE:
        return False
    if op.kind is not CONSTANT and not op.reads:
        return False
    return all(value.op in fixed for value in op.reads) and all(_is_known(attr.value) for attr in op.attrs)


def _is_known(value: AttrValue) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_known, value))
    if isinstance(value, Size):
        return value.of is not None  # no number, but the same one wherever this axis of this value is asked for
    return not isinstance(value, Unknown)


def _stated(attrs: tuple[Attr, ...]) -> tuple[Hashable, ...]:
    """Attributes as a key: a size counts by the axis that it is of, not by where it was asked for."""
    return tuple((attr.name, _counted(attr.value)) for attr in attrs)


def _counted(value: AttrValue) -> Hashable:
    if isinstance(value, tuple):
        return tuple(map(_counted, value))
    return (value.of, value.axes, value.power) if isinstance(value, Size) else value


def _moved(ops: tuple[Op, ...]) -> tuple[Op, ...]:
    """`ops` with each learned tensor that one op reads right before that op."""
    loose = {op.path: op for op in ops if op.kind is PARAMETER}
    if not loose:
        return ops
    readers = Counter(path for op in ops for path in {value.op for value in op.reads})
    read = {path for path in loose if readers[path] == 1}
    waiting = set(read)
    placed: list[Op] = []
    for op in ops:
        if op.path in read:
            continue
        for value in op.reads:
            if value.op in waiting:
                waiting.discard(value.op)
                placed.append(loose[value.op])
        placed.append(op)
    return tuple(placed)
