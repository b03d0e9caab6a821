"""Inputs of a claim that code makes of something else: `g * f(x) + b` where g and b are maps of a condition.

A claim that has more inputs than the code takes what lies between as given: how the code comes to its factors and
shifts is then no part of it. That is so only of what is made of inputs that the claim does not have: what is made of
its own inputs is computed, and stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archcheck.align import Alignment
from archcheck.align.agree import DEFAULT_FREE
from archcheck.ir.graph import Op, OpGraph, Value
from archcheck.ir.ops import kind
from archcheck.passes.values import rename

INPUT = kind("input")


def made_outside(stated: OpGraph, actual: OpGraph, alignment: Alignment) -> OpGraph | None:
    """`actual` with inputs in the place of what it makes for inputs of the claim; None where it makes none."""
    asked = [op for op in stated.ops if op.kind is INPUT]
    inputs = {op.path for op in actual.ops if op.kind is INPUT}
    if len(asked) <= len(inputs):
        return None
    claim, code = ({op.path: op for op in graph.walk()} for graph in (stated, actual))
    found: dict[str, set[Value]] = {}
    for path, value in _met(claim, code, alignment):
        found.setdefault(path, set()).add(value)
    own = {value.op for values in found.values() for value in values if value.op in inputs}
    made = {path: next(iter(values)) for path, values in found.items() if len(values) == 1 and not values & _of(own)}
    top = {op.path for op in actual.ops}
    cut = [value for value in made.values() if value.op in top and not _made_of(value, code) & own]
    if not cut or len(set(cut)) != len(cut):
        return None
    names = {value: Value(f"{value.op}'given{value.index}") for value in cut}
    ops = [Op(name.op, INPUT, span=code[value.op].span) for value, name in names.items()]
    ops += [rename(op, names) for op in actual.ops]
    return _needed(OpGraph(tuple(ops), actual.results, actual.origin))


def _of(paths: set[str]) -> set[Value]:
    return {Value(path) for path in paths}


def _met(claim: Mapping[str, Op], code: Mapping[str, Op], alignment: Alignment) -> Iterator[tuple[str, Value]]:
    """The claim's inputs, by path, with what the code reads in their place."""
    twins = {one.path: other.path for one, other in alignment.pairs}
    for one, other in alignment.pairs:
        left: list[Value | None] = [_plain(read, code) for read in other.reads]
        wanted = []
        for at, read in enumerate(one.reads):
            value = _plain(read, claim)
            if value.op in claim and claim[value.op].kind is INPUT:
                wanted.append((at, value.op))
            else:
                twin = twins.get(value.op)
                left = [None if one is not None and one.op == twin else one for one in left]
        if one.kind.commutes:
            rest = [value for value in left if value is not None]
            if len(wanted) == len(rest) == 1:
                yield wanted[0][1], rest[0]
        else:
            for at, path in wanted:
                found = left[at] if at < len(left) else None
                if found is not None:
                    yield path, found


def _plain(value: Value, ops: Mapping[str, Op]) -> Value:
    """A value under what only lays it out."""
    while value.op in ops and ops[value.op].kind.name in DEFAULT_FREE and ops[value.op].reads:
        value = ops[value.op].reads[0]
    return value


def _made_of(value: Value, ops: Mapping[str, Op]) -> set[str]:
    """The ops of which a value is made, itself among them."""
    found: set[str] = set()
    waiting = [value.op]
    while waiting:
        path = waiting.pop()
        if path not in found and path in ops:
            found.add(path)
            waiting += [read.op for read in ops[path].reads]
    return found


def _needed(graph: OpGraph) -> OpGraph:
    """Without what nothing comes out of."""
    needed = {value.op for value in graph.results}
    for op in reversed(graph.ops):
        if op.path in needed:
            needed |= {read.op for read in op.reads}
    return OpGraph(tuple(op for op in graph.ops if op.path in needed), graph.results, graph.origin)


__all__ = ["made_outside"]
