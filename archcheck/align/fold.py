"""Edits that repeat from layer to layer, told once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from archcheck.align.edits import Edit

_LEAST = 3  # places from which on an edit is said to repeat
_MOST_A_LAYER = 16  # edits of one form in a layer


@dataclass(frozen=True, slots=True)
class Placed:
    """An edit with its place; edits in different contexts are never folded into one."""

    node: int  # number of the op in the claim, -1: none
    twin: int  # number of the op in the code, -1: none
    edit: Edit
    context: int  # what it stands in or behind, as a number that is the same in every layer

    @property
    def form(self) -> object:
        """What edits that repeat have in common."""
        edit = self.edit
        return (
            self.context,
            edit.kind,
            edit.aspect,
            edit.expected.kind if edit.expected else None,
            edit.actual.kind if edit.actual else None,
            repr(edit.stated),
            repr(edit.found),
        )

    @property
    def where(self) -> tuple[int, int, str]:
        """Sorts by the place in the code; what the code lacks stands where its claim stands."""
        return self.twin if self.twin >= 0 else self.node, self.node, self.edit.aspect


def fold(placed: list[tuple[Placed, object]]) -> list[Edit]:
    """The edits in the order of their places, those of one form at a regular distance folded into the first.

    Layers that were written out have one length, so that an edit that repeats with them stands at places a constant
    number of ops apart. Two like edits within a layer stand at other remainders of that length and stay apart; so do
    edits that repeat less than `_LEAST` times.

    Args:
        placed: edits with their forms.
    """
    forms: dict[object, list[Placed]] = {}
    for place, form in sorted(placed, key=lambda item: item[0].where):
        forms.setdefault(form, []).append(place)
    folded: list[tuple[tuple[int, int, str], Edit]] = []
    for alike in forms.values():
        for group in _groups(alike):
            edit = group[0].edit
            also = tuple([(place.edit.expected, place.edit.actual) for place in group[1:]])
            folded.append((group[0].where, replace(edit, also=also) if also else edit))
    return [edit for _, edit in sorted(folded, key=lambda item: item[0])]


def _groups(alike: list[Placed]) -> list[list[Placed]]:
    if len(alike) < _LEAST:
        return [[place] for place in alike]
    places = [place.node if place.node >= 0 else place.twin for place in alike]
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
