"""Claims that positions enter as a bias on the scores, or as sines and cosines: no op of the code is one by itself.

What is added to the scores tells what it is by what it is computed from, which `describe` says too. Where that cannot
be told, nothing is missing, and nothing is absent.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from archcheck.describe.positions import numbers_behind, of_scores
from archcheck.findings import Finding, Place, Verdict
from archcheck.ir.graph import Op
from archcheck.ir.ops import kind
from archcheck.judging import parts
from archcheck.passes.kinds import named
from archcheck.spec.model import Pattern

if TYPE_CHECKING:
    from archcheck.judging.judge import Judge, Subject

BIASES = named("relative_bias", "alibi")
WAVES = named("sin", "cos")
CORES = named("self_attention", "cross_attention")
ATTENTION, CONSTANT, EMBEDDING, INPUT, OPAQUE, ROPE, SINUSOID = map(
    kind, ("attention", "constant", "embedding", "input", "opaque", "rope", "sinusoid")
)
_SPOKEN = {
    "relative_bias": "a learned bias for each distance",
    "alibi": "a bias that falls with the distance, and is not learned",
    "relative_key": "a product of the query with an embedding of the distance",
    "relative_xl": "terms of the distance as in Transformer-XL",
}


def is_positional(pattern: Pattern, subject: Subject) -> bool:
    """Whether a claim is one of these, and no op of the code says by itself that it is meant."""
    asked = pattern.what.kind
    if asked is None or pattern.relation not in ("", "in"):
        return False
    kinds = {op.kind for op in subject.graph.walk()}
    if asked in kinds:
        return False
    return asked in BIASES or asked is SINUSOID or (asked is ROPE and bool(kinds & WAVES))


def presence(
    judge: Judge, pattern: Pattern, wanted: bool, targets: parts.Targets, subject: Subject
) -> Iterator[Finding]:
    """What a claim that such positions are there, or are not, finds."""
    if pattern.what.kind in (SINUSOID, ROPE):
        yield from _waves(judge, pattern, wanted, subject)
        return
    cores = _cores(pattern, targets, subject)
    if not cores:
        yield parts.nowhere(pattern.where, subject)
    by_path = {op.path: op for op in subject.graph.walk()}
    asked = pattern.what.name if pattern.what.kind is None else pattern.what.kind.name
    found = {core.path: of_scores(core, by_path) for core in cores}
    for core in cores:
        word = found[core.path]
        places = parts.at(judge, core.span)
        if word == asked:
            if not wanted:
                yield _extra(f"there is {_SPOKEN[asked]} on the scores", f"no {pattern}", places)
        elif word == "" or (word is None and (why := _unread(core, by_path))):
            told = "what is added to the scores was not recognised" if word == "" else why
            yield parts.untold(f"whether there is {pattern} cannot be told: {told}", "", places)
        elif wanted and (pattern.where is not None or asked not in found.values()):
            has = f"there is {_SPOKEN[word]}" if word else "nothing but masks is added to the scores"
            yield _missing(f"there is no {pattern}: {has}", f"{pattern}", places)
        else:
            continue
        return


def _cores(pattern: Pattern, targets: parts.Targets, subject: Subject) -> list[Op]:
    """The attentions that a claim speaks of; one that is no sublayer stands for itself."""
    every = list(subject.graph.walk())
    cores = [op for op in every if op.kind in CORES]
    within = {inner.path for op in cores for inner in op.walk()}
    cores += [op for op in every if op.kind is ATTENTION and op.path not in within]
    where = pattern.where
    if where is None:
        return cores
    if not where.block:
        return [op for op in cores if parts.names(where, op)]
    inside = {op.path for graph in parts.graphs(where, targets, subject) for op in graph.walk()}
    return [op for op in cores if op.path in inside]


def _unread(core: Op, by_path: dict[str, Op]) -> str:
    """Why it is not known that nothing but a mask is added to the scores; "" where it is."""
    attention = next((op for op in core.walk() if op.kind is ATTENTION), None)
    if attention is None:
        return "the attention was not recognised"
    stream = {value.op for value in core.reads[:1]}
    for value in attention.reads[3:]:
        for op in numbers_behind(value.op, by_path, stream):
            if op.kind is OPAQUE:
                return f"{op.attr('name')} could not be read"
            if op.kind is INPUT and op.path not in stream:
                return f"what is added to the scores is given from outside, as {op.attr('name')}"
    return ""


def _waves(judge: Judge, pattern: Pattern, wanted: bool, subject: Subject) -> Iterator[Finding]:
    """Sines and cosines that turn no queries may be positions, and a table that is not learned may hold them."""
    every = list(subject.graph.walk())
    by_path = {op.path: op for op in every}
    turning = {
        one.path
        for op in every
        if op.kind is ROPE
        for value in op.reads[1:]
        for one in numbers_behind(value.op, by_path, {read.op for read in op.reads[:1]})
    }
    within = {inner.path for op in every if op.kind is ROPE for inner in op.walk()}
    for op in every:
        if op.kind in WAVES and op.path not in turning | within:
            told = f"there are a {op.kind.name} and what it may be is open"
        elif op.kind is OPAQUE:
            told = f"{op.attr('name')} could not be read"
        elif op.kind is EMBEDDING and op.attr("frozen") is True:
            told = "a table that is not learned was not read"
        elif op.kind is INPUT and not any(one.kind is EMBEDDING for one in every):
            told = "positions enter where the part is used"
        else:
            continue
        yield parts.untold(f"whether there is {pattern} cannot be told: {told}", "", parts.at(judge, op.span))
        return
    if wanted:
        yield _missing(f"there is no {pattern}", f"{pattern}", parts.at(judge, subject.span))


def _missing(message: str, paper: str, places: tuple[Place, ...]) -> Finding:
    told, fix = f"In the code {message}.", "add it, or record the deviation"
    return Finding("missing", Verdict.VIOLATED, message, f"The paper has {paper}.", told, fix, places)


def _extra(message: str, paper: str, places: tuple[Place, ...]) -> Finding:
    told, fix = f"In the code {message}.", "take it out, or record the deviation"
    return Finding("extra", Verdict.VIOLATED, message, f"The paper has {paper}.", told, fix, places)
