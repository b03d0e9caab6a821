"""Other spellings of what code computes, for a claim that is written in one of them.

A paper writes `W x + U h` where code has one map of `[x; h]`; it leaves out the small number that keeps a quotient or a
root finite. Code is held against a claim in these spellings only where it is not the same in its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from archcheck.ir.equivalences import EPSILON, JOINED
from archcheck.ir.graph import Op, OpGraph, Value
from archcheck.ir.ops import kind
from archcheck.ir.ranks import RANK
from archcheck.passes.values import rename

ADD, CONCAT, LINEAR = map(kind, ("add", "concat", "linear"))
LARGEST_EPSILON = 1e-3
MOST_PARTS = 8
_FINITE = frozenset({"sqrt", "rsqrt", "div", "log", "pow"})  # what is given a small number to stay finite


@dataclass(frozen=True, slots=True)
class Rewritten:
    """Code in another spelling, and what has to be taken as equal for it.

    Attributes:
        unsure: concatenations of which it is not known that a linear map reads the axis along which they join.
    """

    graph: OpGraph
    used: frozenset[str]
    unsure: tuple[Op, ...] = ()


def rewritten(stated: OpGraph, actual: OpGraph) -> Iterator[Rewritten]:
    """`actual` without what `stated` leaves out, and with its sums; both graphs laid out without sublayers."""
    found = Rewritten(actual, frozenset())
    if not any(_is_epsilon(op) for op in stated.walk()):
        found = _without_epsilons(found)
    if _adds_maps(stated):
        found = _unjoined(found)
    if found.used:
        yield found


def _without_epsilons(code: Rewritten) -> Rewritten:
    """Without the small numbers that are added before a root, a logarithm or a division."""
    graph = code.graph
    readers: dict[str, list[tuple[Op, int]]] = {}
    for op in graph.ops:
        for at, read in enumerate(op.reads):
            readers.setdefault(read.op, []).append((op, at))
    results = {value.op for value in graph.results}
    names: dict[Value, Value] = {}
    ops: list[Op] = []
    for op in graph.ops:
        users = readers.get(op.path, [])
        finite = bool(users) and op.path not in results and all(_keeps_finite(*user) for user in users)
        if finite and _is_epsilon(op):
            names[Value(op.path)] = names.get(op.reads[0], op.reads[0])
        else:
            ops.append(rename(op, names))
    if not names:
        return code
    return replace(code, graph=OpGraph(tuple(ops), graph.results, graph.origin), used=code.used | {EPSILON})


def _is_epsilon(op: Op) -> bool:
    by = op.attr("by") if op.kind is ADD and len(op.reads) == 1 else None
    return isinstance(by, float) and 0 < by <= LARGEST_EPSILON


def _keeps_finite(op: Op, at: int) -> bool:
    return op.kind.name in _FINITE and (op.kind.name != "div" or at == 1 or op.attr("reverse") is True)


def _adds_maps(stated: OpGraph) -> bool:
    """Whether a claim adds two linear maps, or more."""
    ops = {op.path: op for op in stated.walk()}
    return any(
        op.kind is ADD and sum(read.op in ops and ops[read.op].kind is LINEAR for read in op.reads) > 0
        for op in ops.values()
    )


def _unjoined(code: Rewritten) -> Rewritten:
    """With each linear map of joined values as the sum of a map of each: `W [x; h] = U x + V h`."""
    graph = code.graph
    made = {op.path: op for op in graph.ops}
    ops: list[Op] = []
    unsure: list[Op] = []
    for op in graph.ops:
        joined = made.get(op.reads[0].op) if op.kind is LINEAR and len(op.reads) == 1 else None
        if joined is None or joined.kind is not CONCAT or not 1 < len(joined.reads) <= MOST_PARTS:
            ops.append(op)
            continue
        last = _is_last(joined)
        if last is False:
            ops.append(op)
            continue
        unsure += [joined] if last is None and joined not in unsure else []
        kept = tuple(attr for attr in op.attrs if attr.name not in ("in_features", "bias"))
        parts = [
            replace(op, path=f"{op.path}'{at}", reads=(read,), attrs=kept, body=(), gives=())
            for at, read in enumerate(joined.reads)
        ]
        ops += parts
        total = Value(parts[0].path)
        for at, part in enumerate(parts[1:], 1):
            path = op.path if at == len(parts) - 1 else f"{op.path}'sum{at}"
            ops.append(Op(path, ADD, (total, Value(part.path)), span=op.span, because=op.because))
            total = Value(path)
    if len(ops) == len(graph.ops):
        return code
    used = {read.op for op in ops for read in op.reads} | {value.op for value in graph.results}
    left = tuple(op for op in ops if op.kind is not CONCAT or op.path in used)
    return Rewritten(OpGraph(left, graph.results, graph.origin), code.used | {JOINED}, tuple(unsure))


def _is_last(joined: Op) -> bool | None:
    """Whether values are joined along their last axis; None where that is not known."""
    axis, rank = joined.attr("axis"), joined.attr(RANK)
    if not isinstance(axis, int):
        return None
    if axis < 0:
        return axis == -1
    return axis == rank - 1 if isinstance(rank, int) else None if axis else False


__all__ = ["Rewritten", "rewritten"]
