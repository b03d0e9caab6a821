"""Weights that a paper shares: whether places of the module tree hold one and the same learned tensor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

from archcheck.findings import Finding, Verdict
from archcheck.ir.graph import Op, OpGraph
from archcheck.ir.ops import BY_NAME, OpKind
from archcheck.ir.span import Span, origin
from archcheck.judging import parts
from archcheck.judging.thirds import third_of
from archcheck.passes.kinds import LINEAR, PARAMETER, SUBLAYERS, VIEWS
from archcheck.spec.graph import lexicon
from archcheck.spec.model import OwnWeights, SameWeights
from archcheck.spec.problems import Problems

if TYPE_CHECKING:
    from archcheck.judging.judge import Judge, Subject

MOST_OF_ONE = 2  # tensors of one map: its weight and its bias
ORDER = ("first", "second", "last")
MOST_TOLD = 3  # tensors that a finding names
ANY = "*"
_LEARNING = SUBLAYERS | {kind for kind in BY_NAME.values() if kind.family in ("linear", "conv", "norm", "embedding")}

Tensors = Mapping[str, str]  # name within a module -> the first place of the tensor that stands there


def shared(judge: Judge, states: SameWeights, subject: Subject) -> list[Finding]:
    """What is to be said of places that a claim has share their weights: nothing where they do.

    Identity decides, as `Subject.weights` tells it: (place, first place of the same tensor, "" where a
    file does not tell which tensors are one). Modules that have a
    `weight` of their own share that one, since an embedding has no bias and a projection may; others, such as whole
    layers, share every tensor below them that they have in common.
    """
    if (kind := _kind(judge, states.places)) is not None and not _modules(states.places[0], dict(subject.weights)):
        return _all_shared(judge, states, kind, subject)
    held: dict[str, Tensors] = {}
    for place in states.places:
        module = judge.preset.pinned.get(place, place)
        found = _modules(module, dict(subject.weights))
        if not found:
            unbound = [place for place in states.places if place not in judge.preset.pinned]
            fix = f"bind each of the places to a module: {' '.join(f'--bind {place}=MODULE' for place in unbound)}"
            return [parts.untold(f"which module of {subject.symbol} is {place} is not told", fix)]
        held |= found if ANY in module else {place: next(iter(found.values()))}
    if len(held) < 2:
        message = f"{', '.join(states.places)} is one place in {subject.symbol}: it shares its weights with nothing"
        return [parts.untold(message, parts.AUDIT_THE_HOLDER)]
    common = set.intersection(*(set(tensors) for tensors in held.values()))
    compared = ["weight"] if "weight" in common else sorted(common)
    if not compared:
        return [parts.untold(f"{' and '.join(held)} have no learned tensor of one name, so that none can be compared")]
    if any(not tensors[name] for tensors in held.values() for name in compared):
        message = f"whether {' and '.join(held)} are one tensor is not told: a file may hold one under two names"
        return [parts.untold(message, "check the code that the file was exported from")]
    apart = [name for name in compared if len({tensors[name] for tensors in held.values()}) > 1]
    if not apart:
        return []
    rows = [f"{place} is {tensors[apart[0]]}" for place, tensors in held.items()]
    more = f"; so for {len(apart)} of {len(compared)} tensors" if len(compared) > 1 else ""
    return [
        Finding(
            "shared-weights",
            Verdict.VIOLATED,
            f"{' and '.join(states.places)} have weights of their own",
            "The paper shares one weight matrix between them."
            if compared == ["weight"]
            else "The paper shares their weights.",
            f"In the code, {', '.join(rows[:MOST_TOLD])}{', ...' if len(rows) > MOST_TOLD else ''}{more}.",
            "assign one module's weight to the other",
            parts.at(judge, subject.span),
            reached=_built(subject, {first for tensors in held.values() for first in tensors.values()}),
        )
    ]


def _built(subject: Subject, tensors: set[str]) -> tuple[Span, ...]:
    """Where the layers are built, and called, that hold some of these tensors."""
    return subject.reached.by(at for at, names in subject.reached.held.items() if tensors & {*names})


def _modules(place: str, weights: Mapping[str, str]) -> dict[str, Tensors]:
    """The modules or tensors at a place such as `encoder.embedding` or `layers[*].attention`, with what is below."""
    wanted = place.replace("[", ".").replace("]", "").split(".")
    found: dict[str, dict[str, str]] = {}
    for name, first in weights.items():
        steps = name.split(".")
        if len(steps) >= len(wanted) + (wanted[-1] == ANY) and all(map(_fits, wanted, steps)):
            below = ".".join(steps[len(wanted) :])
            found.setdefault(".".join(steps[: len(wanted)]), {})[below or "weight"] = first
    return dict(found)


def _fits(wanted: str, step: str) -> bool:
    return wanted in (ANY, step)


# ---- parts that are ops


@dataclass(frozen=True, slots=True)
class Learned:
    """An op that learns, with the first places of its tensors.

    Attributes:
        folded: it stands for several, in a repeat.
        again: those are one module, called in every round.
    """

    op: Op
    tensors: frozenset[str]
    folded: bool
    again: bool = False


def own(judge: Judge, states: OwnWeights, subject: Subject) -> list[Finding]:
    """What is to be said of parts that have weights of their own: nothing where no two of them hold one tensor."""
    found: list[Finding] = []
    kinds = {place: kind for place in states.places if (kind := _kind(judge, (place,))) is not None}
    weights = dict(subject.weights)
    modules = [place for place in states.places if place not in kinds or _modules(place, weights)]
    for place, kind in kinds.items():
        if place not in modules:
            found += _each_own(judge, place, kind, subject)
    return found + (_modules_own(judge, modules, weights, subject) if modules else [])


def _modules_own(judge: Judge, places: list[str], weights: Mapping[str, str], subject: Subject) -> list[Finding]:
    held: dict[str, Tensors] = {}
    for place in places:
        module = judge.preset.pinned.get(place, place)
        modules = _modules(module, weights)
        if not modules:
            fix = f"bind it to a module: --bind {place}=MODULE"
            return [parts.untold(f"which module of {subject.symbol} is {place} is not told", fix)]
        held |= modules
    if len(held) < 2:
        message = f"{', '.join(places)} is one place in {subject.symbol}: it shares its weights with nothing"
        return [parts.untold(message, parts.AUDIT_THE_HOLDER)]
    for (one, left), (other, right) in combinations(held.items(), 2):
        if common := sorted({*left.values()} & {*right.values()} - {""}):
            found = _one(judge, f"{one} and {other}", f"both hold {common[0]}", [], subject)
            return [replace(found, reached=_built(subject, {*common}))]
    if any(not tensor for tensors in held.values() for tensor in tensors.values()):
        message = f"whether {' and '.join(held)} are one tensor is not told: a file may hold one under two names"
        return [parts.untold(message, "check the code that the file was exported from")]
    return []


def _each_own(judge: Judge, place: str, kind: OpKind, subject: Subject) -> list[Finding]:
    ops = list(_learned(kind, subject))
    for one, other in combinations(ops, 2):
        if common := sorted(one.tensors & other.tensors):
            said = f"two of {place} are computed with one {common[0]}"
            return [_one(judge, f"two of {place}", said, [one.op, other.op], subject)]
    if again := next((one for one in ops if one.again), None):
        said = f"{min(again.tensors)} is that of every round"
        return [_one(judge, f"the rounds of {place}", said, [again.op], subject)]
    return _open(place, ops, subject)


def _all_shared(judge: Judge, states: SameWeights, kind: OpKind, subject: Subject) -> list[Finding]:
    """Whether all ops of a kind are computed with the same tensors."""
    place = states.places[0]
    ops = list(_learned(kind, subject))
    if ops and all(one.again for one in ops) and len({one.tensors for one in ops}) == 1:
        return []
    for one, other in combinations(ops, 2):
        if one.tensors and other.tensors and one.tensors != other.tensors and subject.weights:
            return [
                Finding(
                    "shared-weights",
                    Verdict.VIOLATED,
                    f"two of {place} have weights of their own",
                    f"The paper shares the weights of every {place}.",
                    f"In the code, one has {min(one.tensors)}, another {min(other.tensors)}.",
                    "call one module twice, or assign one's weight to the other",
                    tuple(found for op in (one.op, other.op) for found in parts.at(judge, op.span)),
                    reached=judge.reached([one.op, other.op], subject),
                )
            ]
    return _open(place, ops, subject)


def _open(place: str, ops: list[Learned], subject: Subject) -> list[Finding]:
    """Why nothing can be said of the weights of ops, where that is so."""
    unread = next((op for op in subject.graph.walk() if op.kind.name == "opaque"), None)
    if unread is not None:
        return [parts.untold(f"whether {place} share weights is not told: {unread.attr('name')} could not be read")]
    if len(ops) < 2 and not any(one.folded for one in ops):
        message = f"{subject.symbol} holds {len(ops) or 'no'} {place}: it shares its weights with nothing"
        return [parts.untold(message, parts.AUDIT_THE_HOLDER)]
    if not subject.weights or any(one.folded or not one.tensors for one in ops):
        return [parts.untold(f"which tensors each {place} is computed with is not told by the code")]
    return []


def _one(judge: Judge, who: str, code: str, ops: list[Op], subject: Subject) -> Finding:
    places = tuple(found for op in ops for found in parts.at(judge, op.span)) or parts.at(judge, subject.span)
    return Finding(
        "own-weights",
        Verdict.VIOLATED,
        f"{who} share their weights",
        "The paper has weights of their own for each.",
        f"In the code, {code}.",
        "build a module for each",
        places,
        reached=judge.reached(ops, subject),
    )


def _kind(judge: Judge, places: tuple[str, ...]) -> OpKind | None:
    """The kind of ops that one word names."""
    if len(places) != 1 or places[0] in judge.preset.pinned:
        return None
    problems = Problems(judge.spec.file, judge.spec.lines)
    meaning = lexicon(judge.spec, judge.values).meaning(places[0], problems)
    problems.raise_any()
    return meaning.kind if meaning is not None else None


def _learned(kind: OpKind, subject: Subject) -> Iterator[Learned]:
    """The ops of a kind, the outermost of them, with the learned tensors that they are computed with."""
    weights, held = dict(subject.weights), subject.reached.held
    calls = Counter(tensor for tensors in held.values() for tensor in {*tensors})
    waiting: list[tuple[Op, int | None]] = [(op, 1) for op in reversed(subject.graph.ops)]
    while waiting:
        op, rounds = waiting.pop()
        if not kind.covers(op.kind):
            times = op.attr("count") if op.kind.name == "repeat" else 1
            inside = rounds * times if isinstance(times, int) and rounds is not None else None
            waiting += [(inner, inside) for inner in reversed(op.body)]
            continue
        tensors = _tensors(op, weights, held)
        again = rounds is not None and rounds > 1 and all(calls[one] >= rounds for one in tensors)
        yield Learned(op, tensors, rounds != 1, again and bool(tensors))


def _tensors(op: Op, weights: Mapping[str, str], held: Mapping[str, Sequence[str]]) -> frozenset[str]:
    """The first places of the tensors that an op is computed with."""
    tensors: set[str] = set()
    for inner in op.walk():
        if inner.kind.name == "parameter":
            called = inner.attr("name")
            tensors |= {weights[called]} if isinstance(called, str) and called in weights else set()
        else:
            tensors |= set(held.get(origin(inner.path), ()))
    return frozenset(tensors - {""})


# ---- ops of one block


def within(judge: Judge, stated: OpGraph, pairs: Sequence[tuple[Op, Op]], subject: Subject) -> list[Finding]:
    """What is to be said where two ops of a block are one module in the code.

    One behind the other, or side by side on one input, two ops that learn are two: a figure has a box for each, and an
    equation a matrix. Of ops on different inputs an equation does not say it (`f(x) - f(y)`): `own_weights` does.
    """
    weights, held = dict(subject.weights), subject.reached.held
    shares = [claim.states for claim in judge.spec.claims if isinstance(claim.states, SameWeights)]
    kinds = [kind for states in shares if (kind := _kind(judge, states.places)) is not None]
    meant = {
        tensor
        for states in shares
        for place in states.places
        for tensors in _modules(judge.preset.pinned.get(place, place), weights).values()
        for tensor in tensors.values()
    }
    at = {op.path: op for op in subject.wired.walk()}
    learned = [
        (one, Learned(other, found, folded=False))
        for one, other in pairs
        if one.kind in _LEARNING and not any(kind.covers(other.kind) for kind in kinds)
        if (found := _whole(other, weights, held, at) - meant)
    ]
    if len(learned) < 2:
        return []
    behind = _behind(stated)
    for (one, first), (other, second) in combinations(learned, 2):
        common = sorted(first.tensors & second.tensors)
        if not common or _are_ends(one, other) or _holds(first.op, second.op):
            continue
        if origin(first.op.path) == origin(second.op.path):  # parts of one matrix, which are matrices of their own
            continue
        if _are_parts(first.op, second.op, {*common}, lambda op: _tensors(op, weights, held)):
            continue
        if _weights(one, stated) & _weights(other, stated):  # an equation that names one weight at both
            continue
        alike = first.op.reads[:1] == second.op.reads[:1]
        if alike or one.path in behind[other.path] or other.path in behind[one.path]:
            who = f"two of {one.kind.name}" if one.kind is other.kind else f"{one.kind.name} and {other.kind.name}"
            said = f"both are computed with {common[0]}"
            return [_one(judge, who.replace("_", " "), said, [first.op, second.op], subject)]
    return []


def _are_ends(one: Op, other: Op) -> bool:
    """Whether one of two ops looks tokens up, and the other may be the map to their logits: models tie these."""
    return (one.kind.family == "embedding") != (other.kind.family == "embedding")


def _whole(
    op: Op, weights: Mapping[str, str], held: Mapping[str, Sequence[str]], at: Mapping[str, Op]
) -> frozenset[str]:
    """The tensors that an op is computed with, and which third of a matrix it is, where it is one of three maps in it;
    none where it is a part of which that is not known."""
    third, cut = third_of(op)
    if cut:
        return frozenset()
    own = _tensors(op, weights, held)
    if op.kind not in SUBLAYERS and len(own) > MOST_OF_ONE:  # a layer that is several maps, of which each has a part
        return frozenset()
    for inner in op.walk():
        for read in inner.reads:
            giver = at.get(read.op)
            while giver is not None and giver.kind in VIEWS and giver.reads:
                giver = at.get(giver.reads[0].op)
            if giver is not None and giver.kind.name == "parameter":
                own |= _tensors(giver, weights, held)
    return own if third is None else frozenset(f"{name} ({ORDER[third]} third)" for name in own)


def _weights(op: Op, graph: OpGraph) -> set[str]:
    """The learned tensors by which a claim says that an op is computed."""
    read = {value.op for inner in op.walk() for value in inner.reads}
    return {
        one.path for one in (*op.walk(), *graph.ops) if one.kind is PARAMETER and (one.path in read or one in op.body)
    }


def _are_parts(one: Op, other: Op, common: set[str], tensors: Callable[[Op], frozenset[str]]) -> bool:
    """Whether all that two sublayers have in common are matrices of which each has parts of its own."""
    found: list[set[tuple[object, ...]]] = []
    for op in (one, other):
        maps = [inner for inner in _outermost_maps(op) if tensors(inner) & common]
        parts = {_part(inner) for inner in maps}
        if not maps or () in parts:
            return False
        found.append(parts)
    inner = {tensor for op in (one, other) for inner in _outermost_maps(op) for tensor in tensors(inner)}
    return common <= inner and not found[0] & found[1]


def _outermost_maps(op: Op) -> Iterator[Op]:
    """The linear maps in an op, and not what they were cut from."""
    if op.kind is LINEAR:
        yield op
        return
    for inner in op.body:
        yield from _outermost_maps(inner)


def _part(op: Op) -> tuple[object, ...]:
    """Which part of a wider map an op is, outermost cut first; () where it is none."""
    rows: list[object] = []
    while op.body:
        cut = next((inner for inner in reversed(op.body) if inner.kind.name in ("split", "select")), None)
        if cut is None:
            break
        at = next((value.index for value in op.gives if value.op == cut.path), 0)
        rows.insert(0, (cut.kind, cut.attrs, at))
        op = op.body[0]
    return tuple(rows)


def _holds(one: Op, other: Op) -> bool:
    """Whether one of two ops stands in the other, or is it."""
    return any(inner.path == other.path for inner in one.walk()) or any(
        inner.path == one.path for inner in other.walk()
    )


def _behind(graph: OpGraph) -> dict[str, frozenset[str]]:
    """For each op, those of which it is made; of what holds others, those inside too."""
    found: dict[str, frozenset[str]] = {}

    def visit(ops: Sequence[Op]) -> None:
        for op in ops:
            visit(op.body)
            made = {read.op for read in op.reads} | {inner.path for inner in op.body}
            found[op.path] = frozenset(made.union(*(found.get(path, frozenset()) for path in made)))

    visit(graph.ops)
    return found
