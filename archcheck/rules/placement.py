"""What happened to the norms, or the dropouts, around each sublayer: like with like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from archcheck.align.edits import Edit
from archcheck.ir.graph import Op
from archcheck.rules.case import Case
from archcheck.rules.outline import Outline, Slot, twin_units
from archcheck.rules.words import in_sublayers, listed

Change = tuple[tuple[Slot, ...], tuple[Slot, ...]]  # where ops went from, and where they came to
Wanted = Callable[[Op], bool]


@dataclass
class Group:
    """Sublayers to which the same happened."""

    change: Change
    names: list[str] = field(default_factory=list)
    before: frozenset[Slot] = frozenset()  # where the claim has such ops
    after: frozenset[Slot] = frozenset()  # where the code has them
    final: str = ""  # what is to be said of a norm behind the last sublayer
    edits: dict[int, Edit] = field(default_factory=dict)


def groups(case: Case, edits: tuple[Edit, ...], wanted: Wanted, word: str) -> list[Group]:
    """What was lost and gained around each sublayer, like with like."""
    view = case.view
    left, right = view.expected_outline, view.actual_outline
    number = {unit.number: other.number for unit, other in twin_units(view)}
    lost: dict[int, list[Slot]] = {}
    gained: dict[int, list[Slot]] = {}
    owners: dict[int, dict[int, Edit]] = {}  # sublayer of the code -> its edits
    for edit in edits:
        for one, other in ((edit.expected, edit.actual), *edit.also):
            if one is not None:
                slot, unit = _where(left, one)
                home = number.get(unit, -2 - unit if unit >= 0 else -1)
                lost.setdefault(home, []).append(slot)
                owners.setdefault(home, {})[id(edit)] = edit
            if other is not None:
                slot, home = _where(right, other)
                gained.setdefault(home, []).append(slot)
                owners.setdefault(home, {})[id(edit)] = edit
    back = {there: here for here, there in number.items()}
    found: dict[Change, Group] = {}
    for home in sorted(owners):
        change = (tuple(lost.get(home, ())), tuple(gained.get(home, ())))
        both = _cancel(change)
        group = found.setdefault(both, Group(both))
        here = back.get(home, -2 - home if home < -1 else -1)
        group.names.append(_name(left, here) or _name(right, home))
        group.before |= _slots(left, here, wanted)
        group.after |= _slots(right, home, wanted)
        group.edits.update(owners[home])
    return _own_once(list(found.values()), word)


def _own_once(groups: list[Group], word: str) -> list[Group]:
    """An op that moved from one sublayer to another is told with the first of them."""
    seen: set[int] = set()
    for group in groups:
        group.edits = {key: edit for key, edit in group.edits.items() if key not in seen}
        seen.update(group.edits)
    told = [group for group in groups if group.edits]
    for group in groups:
        if not group.edits and told:
            told[0].final = told[0].final or clause(group.change, word) + in_sublayers(group.names)
    return told


def _cancel(change: Change) -> Change:
    lost, gained = Counter(change[0]), Counter(change[1])
    return tuple((lost - gained).elements()), tuple((gained - lost).elements())


def _where(outline: Outline, op: Op) -> tuple[Slot, int]:
    step = outline.at.get(op.path)
    return (step.slot, step.unit) if step is not None else (Slot.INSIDE, -1)


def _name(outline: Outline, unit: int) -> str:
    return outline.units[unit].name if 0 <= unit < len(outline.units) else ""


def _slots(outline: Outline, unit: int, wanted: Wanted) -> frozenset[Slot]:
    if not 0 <= unit < len(outline.units):
        return frozenset()
    return frozenset(step.slot for step in outline.units[unit].steps if wanted(step.op))


def clause(change: Change, word: str) -> str:
    """What happened, in words."""
    lost, gained = change
    gone, come = (listed(slot.value for slot in slots) for slots in change)
    if lost and gained:
        return f"{word} moved from {gone} to {come}"
    if lost:
        return f"{word} {gone} is missing"
    if gained:
        noun = word.removeprefix("the ")
        return f"{noun if noun == word else 'a ' + noun} is added {come}"
    return f"{word} is exchanged for another"
