"""`align`: does the code's graph fulfil the claim's, and if not, how does it depart?"""

from __future__ import annotations

import gc
from collections.abc import Collection, Hashable, Iterator
from contextlib import contextmanager

from archcheck.align.agree import DEFAULT_FREE, compatible, free_kinds
from archcheck.align.anchors import Matcher
from archcheck.align.classify import Classifier
from archcheck.align.edits import Alignment, Edit, EditKind
from archcheck.align.flat import TOP, Numbers, Side, flatten
from archcheck.align.fold import Placed, fold
from archcheck.align.layers import SMALLEST, Places, repeated, survey
from archcheck.align.mending import settle
from archcheck.align.order import arrange
from archcheck.align.wiring import Wiring
from archcheck.ir.equivalences import WRITTEN_OUT
from archcheck.ir.graph import Op, OpGraph
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
    with _uncollected():
        result, repeats = _align(expected, actual, free, closed, unroll=False)
        if repeats:  # perhaps the other side wrote its layers out, or folded them from another one on
            written_out, _ = _align(expected, actual, free, closed, unroll=True)
            if _size(written_out) < _size(result):
                return written_out
        return result


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the cyclic garbage collector: nothing made here has cycles, and it would walk all ops again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _size(alignment: Alignment) -> tuple[int, int]:
    """How much differs, and how much may: what is not known is told again for each layer that is written out."""
    known = [1 + len(edit.also) for edit in alignment.edits if edit.kind is not EditKind.UNKNOWN]
    return sum(known), sum(1 + len(edit.also) for edit in alignment.edits)


def _align(
    expected: OpGraph, actual: OpGraph, free: Collection[str], closed: Collection[str], *, unroll: bool
) -> tuple[Alignment, bool]:
    places = None if unroll else _left_out(expected, actual)
    found = _align_kept(expected, actual, free, closed, unroll, places)
    if found is None:  # the layers of the two do not correspond as they seemed to
        found = _align_kept(expected, actual, free, closed, unroll, None)
        assert found is not None
    return found


def _align_kept(
    expected: OpGraph,
    actual: OpGraph,
    free: Collection[str],
    closed: Collection[str],
    unroll: bool,
    places: Places | None,
) -> tuple[Alignment, bool] | None:
    """The alignment of what `places` keeps, put back into the whole graphs; None where that would be unsound."""
    numbers = Numbers()
    one = flatten(expected, numbers, unroll=unroll, kept=places.kept(0) if places else None)
    other = flatten(actual, numbers, unroll=unroll, kept=places.kept(1) if places else None)
    mentioned = _mentioned(one, numbers)
    _join_families(mentioned, numbers, one, other)
    arrange(one, numbers)
    arrange(other, numbers)
    open_kinds = free_kinds(mentioned, free, closed)
    classes = (
        number for number, key in enumerate(numbers.keys) if isinstance(key, tuple) and _name(key[0]) in open_kinds
    )
    match = Matcher(one, other, frozenset(classes), numbers)
    if one.is_wired_like(other) and all(compatible(*pair) for pair in zip(one.ops, other.ops, strict=True)):
        match.to[:] = match.back[:] = range(len(one))  # op for op the same: nothing is to be looked for
        wiring = Wiring(match)
    else:
        match.run()
        wiring = Wiring(match)
        settle(wiring)
    classifier = Classifier(match, wiring)
    placed = classifier.run()
    if unroll and (one.unrolled or other.unrolled):
        wiring.equivalences.add(WRITTEN_OUT)
    moved = dict(classifier.moved)
    pairs = [(node, moved.get(node, twin)) for node, twin in enumerate(match.to) if twin >= 0 or node in moved]
    if places and not places.hold(pairs):
        return None
    alignment = Alignment(
        _ops(pairs, one, other, places), tuple(fold(_everywhere(placed, places))), tuple(sorted(wiring.equivalences))
    )
    lone = _lone_repeats(one, match.to) or _lone_repeats(other, match.back)
    return alignment, lone or (_repeats(one) and _repeats(other) and _is_out_of_step(alignment))


def _left_out(expected: OpGraph, actual: OpGraph) -> Places | None:
    """The layers that need not be matched because they repeat on both sides."""
    if min(len(expected.ops), len(actual.ops)) < SMALLEST:
        return None
    fine: dict[Hashable, int] = {}
    kinds: dict[OpKind, int] = {}
    one, other = survey(expected, fine, kinds), survey(actual, fine, kinds)
    stretches = repeated(one, other)
    return Places(one, other, stretches) if stretches else None


def _ops(pairs: list[tuple[int, int]], one: Side, other: Side, places: Places | None) -> tuple[tuple[Op, Op], ...]:
    if places is None:
        return tuple([(one.ops[node], other.ops[twin]) for node, twin in pairs])
    everywhere = sorted(pair for node, twin in pairs for pair in places.again(node, twin))
    ops, others = (side.ops for side in places.sides)
    return tuple([(ops[node], others[twin]) for node, twin in everywhere])


def _everywhere(placed: list[Placed], places: Places | None) -> list[tuple[Placed, object]]:
    """Edits with their forms, those of a layer that others are like in all of them."""
    if places is None:
        return [(place, place.form) for place in placed]
    result: list[tuple[Placed, object]] = []
    ops, others = (side.ops for side in places.sides)
    for place in placed:
        form, edit = place.form, place.edit
        for node, twin in places.again(place.node, place.twin):
            expected = ops[node] if edit.expected else None
            actual = others[twin] if edit.actual else None
            if expected is not edit.expected or actual is not edit.actual:
                edit = Edit(edit.kind, expected, actual, edit.aspect, edit.stated, edit.found)
            result.append((Placed(node, twin, edit, place.context), form))
    return result


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


def _repeats(side: Side) -> bool:
    return any(side.ops[scope].kind.name == "repeat" for scope in side.inside if scope != TOP)


def _is_out_of_step(alignment: Alignment) -> bool:
    """Whether layers that alternate may have been folded from another one on: whole residuals are missing or moved."""
    return any(
        op is not None and op.kind.name in ("residual", "repeat")
        for edit in alignment.edits
        if edit.kind in (EditKind.MISSING, EditKind.EXTRA, EditKind.MOVED)
        for op in (edit.expected, edit.actual)
    )


def _lone_repeats(side: Side, counterpart: list[int]) -> bool:
    return any(
        counterpart[scope] < 0 and side.ops[scope].kind.name == "repeat" for scope in side.inside if scope != TOP
    )
