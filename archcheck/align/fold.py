"""Edits that repeat from layer to layer, told once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from archcheck.align.edits import Edit

_LEAST = 3  # places from which on an edit is said to repeat
_MOST_A_LAYER = 16  # edits of one form in a layer

Placed = tuple[int, int, Edit]


def fold(placed: list[Placed], context: Callable[[int, int], int]) -> list[Edit]:
    """The edits in the order of their places, those of one form at a regular distance folded into the first.

    Layers that were written out have one length, so that an edit that repeats with them stands at places a constant
    number of ops apart. Two like edits within a layer stand at other remainders of that length and stay apart; so do
    edits that repeat less than `_LEAST` times.

    Args:
        context: what the ops of a place stand in or behind; edits in different contexts are never folded.
    """
    forms: dict[object, list[Placed]] = {}
    for place in sorted(placed, key=_where):
        forms.setdefault((context(*place[:2]), _form(place[2])), []).append(place)
    folded: list[tuple[tuple[int, int, str], Edit]] = []
    for alike in forms.values():
        for group in _groups(alike):
            first = group[0]
            also = tuple((edit.expected, edit.actual) for _, _, edit in group[1:])
            folded.append((_where(first), replace(first[2], also=also) if also else first[2]))
    return [edit for _, edit in sorted(folded, key=lambda item: item[0])]


def _where(place: Placed) -> tuple[int, int, str]:
    """Sorts by the place in the code; what the code lacks stands where its claim stands."""
    node, twin, edit = place
    return (twin if twin >= 0 else node, node, edit.aspect)


def _form(edit: Edit) -> object:
    return (
        edit.kind,
        edit.aspect,
        edit.expected.kind if edit.expected else None,
        edit.actual.kind if edit.actual else None,
        repr(edit.stated),
        repr(edit.found),
    )


def _groups(alike: list[Placed]) -> list[list[Placed]]:
    if len(alike) < _LEAST:
        return [[place] for place in alike]
    places = [node if node >= 0 else twin for node, twin, _ in alike]
    length = _layer(places)
    if not length:
        return [[place] for place in alike]
    groups: dict[int, list[Placed]] = {}
    for place, at in zip(alike, places, strict=True):
        groups.setdefault(at % length, []).append(place)
    return [
        part
        for group in groups.values()
        for part in ([group] if len(group) >= _LEAST else [[place] for place in group])
    ]


def _layer(places: list[int]) -> int:
    """The distance at which most places come again; 0 where there is none."""
    for step in range(1, _MOST_A_LAYER + 1):
        pairs = len(places) - step
        if pairs < (_LEAST - 1) * step:
            return 0
        distances = Counter(b - a for a, b in zip(places, places[step:], strict=False))
        distance, count = distances.most_common(1)[0]
        if distance > 0 and count >= max(2, 0.75 * pairs):
            return distance
    return 0
