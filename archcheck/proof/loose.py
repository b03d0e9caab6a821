"""Chains of primitives that no pass raised, one for each module that spells something: near misses are among them.

A hand-written norm whose mean is taken off in the spread alone is raised by no pass, and no claim finds a norm there.
What it is after all, numbers tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archcheck.ir.graph import Op, OpGraph, Value
from archcheck.ir.ops import Tier
from archcheck.proof.confirm import nearest
from archcheck.proof.outcome import Outcome, Proof

FEWEST, MOST = 4, 40  # ops of a chain that may be a formula
SOURCES = frozenset({"parameter", "constant"})


def near_misses(graph: OpGraph, shapes: Mapping[Value, tuple[int, ...]] | None = None) -> tuple[Proof, ...]:
    """What chains are that have a name in the textbook or among its near misses; alike ones are evaluated each."""
    found: list[Proof] = []
    for ops in _bodies(graph):
        for chain in _chains(ops):
            reads, result = _ends(chain, ops)
            if len(reads) == 1 and result is not None:
                proof = nearest(chain, reads, result, shapes)
                if proof.outcome is not Outcome.NOT_PROVED:
                    found.append(proof)
    return tuple(found)


def _bodies(graph: OpGraph) -> Iterator[tuple[Op, ...]]:
    yield graph.ops
    for op in graph.walk():
        if op.body and op.kind.tier is Tier.STRUCTURE:
            yield op.body


def _chains(ops: tuple[Op, ...]) -> Iterator[list[Op]]:
    """Primitives of one module, in program order, with the learned tensors and constants that they read."""
    by_place: dict[str, list[Op]] = {}
    for op in ops:
        if op.kind.tier is Tier.PRIMITIVE and op.kind.name not in SOURCES | {"input", "opaque"}:
            by_place.setdefault(op.path.rpartition("/")[0], []).append(op)
    sources = {op.path: op for op in ops if op.kind.name in SOURCES}
    for place, members in by_place.items():
        if place and FEWEST <= len(members) <= MOST:
            own = {value.op for op in members for value in op.reads if value.op in sources}
            yield [*(sources[path] for path in sorted(own)), *members]


def _ends(chain: list[Op], ops: tuple[Op, ...]) -> tuple[list[Value], Value | None]:
    """What flows into a chain, and the one value that comes out; None where there are several."""
    own = {op.path for op in chain}
    reads = dict.fromkeys(value for op in chain for value in op.reads if value.op not in own)
    inside = {value for op in chain for value in op.reads}
    given = [Value(op.path) for op in chain if Value(op.path) not in inside and op.kind.name not in SOURCES]
    outside = {value for op in ops if op.path not in own for value in op.reads if value.op in own}
    leaving = {*given, *outside}
    return list(reads), next(iter(leaving)) if len(leaving) == 1 else None
