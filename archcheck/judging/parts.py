"""Where a claim looks: the parts of the code that its patterns name, and what is said when there are none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from archcheck.align.agree import opens
from archcheck.describe.regions import alone, as_graph
from archcheck.findings import Finding, Place, Verdict
from archcheck.ir.graph import Op, OpGraph, Unknown
from archcheck.ir.span import Span
from archcheck.judging.binding import Target
from archcheck.spec.formula import Amount, Expression
from archcheck.spec.model import What
from archcheck.spec.problems import Problems

if TYPE_CHECKING:
    from archcheck.judging.judge import Judge, Subject

Targets = Mapping[str, tuple[Target, ...]]
GIVE_THE_SIZE = "give the size: --preset NAME or --size NAME=NUMBER"
AUDIT_THE_HOLDER = "audit the model that holds it"


def untold(message: str, fix: str = "", places: tuple[Place, ...] = ()) -> Finding:
    """What cannot be judged, and why."""
    return Finding("not-determined", Verdict.UNDETERMINED, message, fix=fix, places=places)


def unfound(block: str) -> Finding:
    """No part of the code is what a block is about."""
    return untold(f"{block} was not found in the code", f"name the part that it is: --bind {block}=CLASS")


def nowhere(where: What | None, subject: Subject) -> Finding:
    """What a claim looks into is not there."""
    if where is not None and not where.block:
        return untold(f"{subject.symbol} holds no {where} that could be read", AUDIT_THE_HOLDER)
    return unfound(str(where))


def at(judge: Judge, span: Span | None) -> tuple[Place, ...]:
    """The place of a span, if there is one."""
    return () if span is None else (judge.place(span),)


def amount(judge: Judge, stated: Expression, values: Mapping[str, Amount] | None = None) -> Amount:
    """The number that the spec states, under `values` or the sizes that are known."""
    problems = Problems(judge.spec.file, judge.spec.lines)
    found = stated.number(judge.values if values is None else values, problems)
    problems.raise_any()
    return Unknown(f"{stated} is no number") if found is None else found


def graphs(where: What | None, targets: Targets, subject: Subject) -> list[OpGraph]:
    """The parts of the code that a claim looks into: all of it, those that are the block, or every op of a kind."""
    if where is None:
        return [subject.graph]
    if where.block:
        return [target.graph for target in targets.get(where.block, ())]
    ops = [op for op in subject.graph.walk() if names(where, op)]
    return [as_graph(op) if op.body else alone(op) for op in ops]


def names(what: What, op: Op) -> bool:
    """Whether `what` is the kind of an op."""
    return what.kind is not None and what.kind.covers(op.kind)


def matching(what: What, graph: OpGraph, where: What | None) -> list[Op]:
    """The ops that a claim speaks of: anywhere; in a block, those on its own level, and only where it has none there,
    those inside sublayers.

    A paper's "dropout of the layer" is what stands around its sublayers, not what a sublayer does to its weights.
    """
    anywhere = [op for op in _ops(graph, inside=True) if names(what, op)]
    if where is None:
        return anywhere
    return [op for op in _ops(graph, inside=False) if names(what, op)] or anywhere


def _ops(graph: OpGraph, *, inside: bool) -> Iterator[Op]:
    """The ops that compute something of their own: how a norm is spelled is no op of a layer, and what an attention is
    made of is. `inside` sublayers, or beside them alone."""
    waiting = list(reversed(graph.ops))
    while waiting:
        op = waiting.pop()
        yield op
        if (opens(op.kind) or op.kind.family == "attention") and (inside or op.kind.family != "sublayer"):
            waiting += reversed(op.body)
