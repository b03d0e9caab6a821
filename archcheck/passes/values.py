"""Ops that read their values under other names, and in an order in which each value is given before it is read."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence

from archcheck.ir.graph import Op, Value


def rename(op: Op, names: Mapping[Value, Value]) -> Op:
    """`op` with the values that it and its body read from outside called by their new names."""
    own = {value: _follow(value, names) for value in op.reads if value in names}
    if not own:
        return op
    reads = tuple(own.get(value, value) for value in op.reads)
    if not op.body:
        return Op(op.path, op.kind, reads, op.attrs, (), (), op.claim, op.span, op.because)
    return Op(
        op.path,
        op.kind,
        tuple(dict.fromkeys(reads)),
        op.attrs,
        tuple(rename(inner, own) for inner in op.body),
        tuple(own.get(value, value) for value in op.gives),
        op.claim,
        op.span,
        op.because,
    )


def _follow(value: Value, names: Mapping[Value, Value]) -> Value:
    while value in names:
        value = names[value]
    return value


def _is_disordered(ops: Sequence[Op], at: Mapping[str, int]) -> bool:
    """Whether an op reads a value that is given behind it, or by itself."""
    for place, op in enumerate(ops):
        for value in op.reads:
            if at.get(value.op, -1) >= place:
                return True
    return False


def in_order(ops: Sequence[Op]) -> tuple[Op, ...]:
    """`ops` with each op behind those whose values it reads, otherwise as they stood."""
    at = {op.path: place for place, op in enumerate(ops)}
    if not _is_disordered(ops, at):
        return tuple(ops)
    waiting = [0] * len(ops)
    readers: list[list[int]] = [[] for _ in ops]
    for place, op in enumerate(ops):
        for giver in {at[value.op] for value in op.reads if value.op in at}:
            readers[giver].append(place)
            waiting[place] += 1
    ready = [place for place, count in enumerate(waiting) if not count]
    ordered: list[Op] = []
    while ready:
        place = heapq.heappop(ready)
        ordered.append(ops[place])
        for reader in readers[place]:
            waiting[reader] -= 1
            if not waiting[reader]:
                heapq.heappush(ready, reader)
    return tuple(ordered) if len(ordered) == len(ops) else tuple(ops)  # a cycle is for `verify` to name
