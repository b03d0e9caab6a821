"""`align`: does the code's graph fulfil the claim's, and if not, how does it depart?"""

from __future__ import annotations

from collections.abc import Collection

from archcheck.align.agree import DEFAULT_FREE, free_kinds
from archcheck.align.anchors import Matcher
from archcheck.align.classify import Classifier
from archcheck.align.edits import Alignment
from archcheck.align.flat import TOP, Numbers, Side, flatten
from archcheck.align.fold import fold
from archcheck.align.order import arrange
from archcheck.align.wiring import Wiring
from archcheck.ir.graph import OpGraph
from archcheck.ir.ops import FAMILIES, OpKind


def align(
    expected: OpGraph,
    actual: OpGraph,
    *,
    free: Collection[str] = DEFAULT_FREE,
    closed: Collection[str] = (),
) -> Alignment:
    """Match `actual`, which comes from code, with `expected`, which states what it should be.

    Time grows with the number of ops and of *distinct* differences; a difference that repeats in every layer is told
    once, whether the layers are folded or written out.

    Args:
        expected: a claim, or another code graph, in canonical form.
        actual: in canonical form too.
        free: kinds that `actual` may have unstated; one of which (or of whose family) `expected` holds an op is not.
        closed: kinds and families that are not free whatever `expected` holds; `agree.EVERYTHING` for `only:`.

    Returns:
        Pairs in the order of `expected`, moved and replaced ops included; edits in the order of the code.

    Raises:
        GraphError: a graph reads a value that it does not give before.
    """
    result, repeats = _align(expected, actual, free, closed, unroll=False)
    if repeats:  # a repeat without counterpart: perhaps the other side wrote its layers out
        written_out, _ = _align(expected, actual, free, closed, unroll=True)
        if _size(written_out) < _size(result):
            return written_out
    return result


def _size(alignment: Alignment) -> int:
    return sum(1 + len(edit.also) for edit in alignment.edits)


def _align(
    expected: OpGraph, actual: OpGraph, free: Collection[str], closed: Collection[str], *, unroll: bool
) -> tuple[Alignment, bool]:
    numbers = Numbers()
    one, other = flatten(expected, numbers, unroll=unroll), flatten(actual, numbers, unroll=unroll)
    mentioned = _mentioned(one, numbers)
    _join_families(mentioned, numbers, one, other)
    arrange(one, numbers)
    arrange(other, numbers)
    open_kinds = free_kinds(mentioned, free, closed)
    classes = (
        number for number, key in enumerate(numbers.keys) if isinstance(key, tuple) and _name(key[0]) in open_kinds
    )
    match = Matcher(one, other, frozenset(classes), numbers)
    match.run()
    wiring = Wiring(match)
    wiring.settle()
    classifier = Classifier(match, wiring)
    edits = fold(classifier.run(), classifier.context)
    if unroll and (one.unrolled or other.unrolled):
        wiring.equivalences.add("repeat written out")
    pairs = match.to if not classifier.moved else list(match.to)
    for node, twin in classifier.moved:
        pairs[node] = twin
    ops, others = one.ops, other.ops
    alignment = Alignment(
        tuple([(ops[node], others[twin]) for node, twin in enumerate(pairs) if twin >= 0]),
        tuple(edits),
        tuple(sorted(wiring.equivalences)),
    )
    return alignment, _lone_repeats(one, match.to) or _lone_repeats(other, match.back)


def _mentioned(side: Side, numbers: Numbers) -> list[OpKind]:
    keys = [numbers.keys[number] for number in sorted(set(side.classes))]
    return [key[0] for key in keys if isinstance(key, tuple) and isinstance(key[0], OpKind)]


def _join_families(mentioned: list[OpKind], numbers: Numbers, *sides: Side) -> None:
    """Where the claim names a family, its kinds are matched as one."""
    joined: dict[int, int] = {}
    for kind in mentioned:
        if kind.generic:
            number = numbers((kind, None))
            joined.update((numbers((member, None)), number) for member in FAMILIES[kind.family])
    if joined:
        for side in sides:
            side.classes = [joined.get(number, number) for number in side.classes]


def _name(key: object) -> str:
    return key.name if isinstance(key, OpKind) else ""


def _lone_repeats(side: Side, counterpart: list[int]) -> bool:
    return any(
        counterpart[scope] < 0 and side.ops[scope].kind.name == "repeat" for scope in side.inside if scope != TOP
    )
