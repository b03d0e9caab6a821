"""Post-norm, pre-norm, sandwich: where the norm stands around a sublayer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from archcheck.align.edits import Edit, EditKind
from archcheck.findings import Finding
from archcheck.ir.graph import Op
from archcheck.rules.case import Case, Example
from archcheck.rules.evidence import Told, finding
from archcheck.rules.outline import Outline, Slot, twin_units
from archcheck.rules.view import of, sides
from archcheck.rules.words import in_sublayers, listed, sentence

Change = tuple[tuple[Slot, ...], tuple[Slot, ...]]  # where norms went from, and where they came to

_SHORT = {
    frozenset({Slot.AFTER}): "post-norm",
    frozenset({Slot.BEHIND}): "post-norm without a residual",
    frozenset({Slot.BEFORE}): "pre-norm",
    frozenset({Slot.OUTPUT}): "a norm on the sublayer's output",
    frozenset({Slot.BEFORE, Slot.OUTPUT}): "sandwich norm",
    frozenset({Slot.BEFORE, Slot.AFTER}): "pre-norm and post-norm",
    frozenset(): "no norm",
}
_SAYS = {
    Slot.AHEAD: "the stream is normalised ahead of the first sublayer",
    Slot.BEFORE: "the sublayer reads a normalised copy of the residual stream",
    Slot.OUTPUT: "the sublayer's output is normalised before it is added to the residual stream",
    Slot.AFTER: "the sum of residual stream and sublayer is normalised",
    Slot.BEHIND: "the sublayer's output is normalised",
    Slot.INSIDE: "a norm stands inside the sublayer",
    Slot.SKIP: "the residual is normalised",
    Slot.ELSEWHERE: "a norm stands elsewhere",
}


@dataclass
class Group:
    """Sublayers to which the same happened."""

    change: Change
    names: list[str] = field(default_factory=list)
    before: frozenset[Slot] = frozenset()  # where the claim has norms
    after: frozenset[Slot] = frozenset()  # where the code has them
    final: str = ""  # what is to be said of a norm behind the last sublayer
    edits: dict[int, Edit] = field(default_factory=dict)


class NormPlacement:
    """Says where the norm stands around each sublayer, where the code has it in another place than the paper.

    What it checks:
        The place of each norm relative to its sublayer F and the residual add: after the add (post-norm, F d a n in
        letters), on the sublayer's input (pre-norm, n F d a), on the sublayer's output before the add (F n a), both
        sides (sandwich, n F n a); also a norm that is missing or added. What happened alike to several sublayers is
        one finding. The kind of the norm is another rule's matter.

    Why it matters:
        It decides how signals and gradients travel through depth. With post-norm the gradients near the output are
        large at initialisation, and training needs a warm-up of the learning rate; with pre-norm they are well
        behaved without it (xiong2020). Weights that were trained with one do not work with the other. Sandwich norms
        were added to keep very large models from diverging (ding2021).

    Example:
        The paper:  x = norm(x + dropout(self_attention(x)))
        Departs:    x = x + dropout(self_attention(norm(x)))
        Agrees:     y = self_attention(x); x = layer_norm(dropout(y) + x)

    What it cannot see:
        A norm that hides in an operation which could not be read: the claim is then UNDETERMINED, and reading that
        operation (its source, or an argument that decides it) would settle it. Post-norm, and a residual that is
        taken from a norm's output, are one wiring under two names: the name is chosen by what the claim states.

    Cites:
        vaswani2017, section 3.1; xiong2020; ding2021, section 2.4; he2016.
    """

    id = "norm-placement"
    title = "where the norm stands: post-norm, pre-norm, sandwich, missing, added"
    examples = (
        Example(
            claim="""
%x = input
%f = self_attention %x
%d = dropout %f
%s = add %x, %d
%n = layer_norm %s
give %n
""",
            code="""
%x = input
%f = self_attention %x
%d = dropout %f
%s = add %d, %x
%n = layer_norm %s eps=1e-05
give %n
""",
            holds=True,
        ),
        Example(
            claim="""
%x = input
%f = self_attention %x
%d = dropout %f
%s = add %x, %d
%n = layer_norm %s
give %n
""",
            code="""
%x = input
%n = layer_norm %x
%f = self_attention %n
%d = dropout %f
%s = add %x, %d
give %s
""",
            holds=False,
            message="the norm moved from after the residual add to before the sublayer",
        ),
    )

    def explain(self, case: Case, edits: tuple[Edit, ...]) -> Iterator[Finding]:
        """One finding for all sublayers to which the same happened."""
        own = of(edits, EditKind.MISSING, EditKind.EXTRA, EditKind.MOVED, where=_is_norm)
        if not own:
            return
        groups = _merged(_groups(case, own))
        expected, actual = ({op.path for op in ops} for ops in sides(own))
        left = [edit for edit in edits if edit not in own and case.view.follows(edit, expected, actual)]
        for number, group in enumerate(groups):
            taken = [*group.edits.values(), *(left if number == 0 else ())]
            yield finding(self.id, case, taken, _told(group), also=_ends(case, group))


def _is_norm(op: Op) -> bool:
    return op.kind.family == "norm"


def _groups(case: Case, edits: tuple[Edit, ...]) -> list[Group]:
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
    groups: dict[Change, Group] = {}
    for home in sorted(owners):
        change = (tuple(lost.get(home, ())), tuple(gained.get(home, ())))
        both = _cancel(change)
        group = groups.setdefault(both, Group(both))
        here = back.get(home, -2 - home if home < -1 else -1)
        group.names.append(_name(left, here) or _name(right, home))
        group.before |= _slots(left, here)
        group.after |= _slots(right, home)
        group.edits.update(owners[home])
    return _own_once(list(groups.values()))


def _own_once(groups: list[Group]) -> list[Group]:
    """A norm that moved from one sublayer to another is told with the first of them."""
    seen: set[int] = set()
    for group in groups:
        group.edits = {key: edit for key, edit in group.edits.items() if key not in seen}
        seen.update(group.edits)
    told = [group for group in groups if group.edits]
    for group in groups:
        if not group.edits and told:
            told[0].final = told[0].final or _clause(group.change) + in_sublayers(group.names)
    return told


def _cancel(change: Change) -> Change:
    lost, gained = Counter(change[0]), Counter(change[1])
    return tuple((lost - gained).elements()), tuple((gained - lost).elements())


def _where(outline: Outline, op: Op) -> tuple[Slot, int]:
    step = outline.at.get(op.path)
    return (step.slot, step.unit) if step is not None else (Slot.INSIDE, -1)


def _name(outline: Outline, unit: int) -> str:
    return outline.units[unit].name if 0 <= unit < len(outline.units) else ""


def _slots(outline: Outline, unit: int) -> frozenset[Slot]:
    if not 0 <= unit < len(outline.units):
        return frozenset()
    return frozenset(step.slot for step in outline.units[unit].steps if _is_norm(step.op))


def _merged(groups: list[Group]) -> list[Group]:
    """Put right that the last sublayer of a pre-norm stack with a final norm seems to have a norm on both sides."""
    for moved in groups:
        rest = [group for group in groups if group is not moved]
        if moved.change == ((Slot.AFTER,), (Slot.BEFORE,)):
            for group in rest:
                if group.change == ((), (Slot.BEFORE,)) and Slot.AFTER in group.after and len(group.names) == 1:
                    return _join(groups, moved, group, "and one more norm follows the last sublayer")
        if moved.change == ((Slot.BEFORE,), (Slot.AFTER,)):
            for group in rest:
                if group.change == ((Slot.BEFORE,), ()) and Slot.AFTER in group.after and len(group.names) == 1:
                    return _join(groups, moved, group, "and no final norm follows the last of them")
    return groups


def _join(groups: list[Group], moved: Group, other: Group, final: str) -> list[Group]:
    moved.names += other.names
    moved.edits.update(other.edits)
    moved.final = final
    return [group for group in groups if group is not other]


def _clause(change: Change) -> str:
    lost, gained = change
    gone, come = (listed(slot.value for slot in slots) for slots in change)
    if lost and gained:
        return f"the norm moved from {gone} to {come}"
    if lost:
        return f"the norm {gone} is missing"
    if gained:
        return f"there is an additional norm {come}"
    return "the norm is another one of the same place"


def _told(group: Group) -> Told:
    where = in_sublayers(group.names)
    message = _clause(group.change) + where + (f", {group.final}" if group.final else "")
    lost, gained = group.change
    short, found = _SHORT.get(group.before, ""), _SHORT.get(group.after, "")
    paper = sentence(_state(lost, group.before, "no norm stands there") + (f": {short}" if short else ""))
    code = sentence(_state(gained, group.after, "no norm stands there") + (f": {found}" if found else ""))
    if lost and gained:
        fix = f"move the norm to {listed(slot.value for slot in lost)}"
    elif lost:
        fix = f"add the norm {listed(slot.value for slot in lost)}"
    else:
        fix = f"take out the norm {listed(slot.value for slot in gained)}"
    return Told(message, paper, code, fix, found)


def _state(slots: tuple[Slot, ...], all_slots: frozenset[Slot], nothing: str) -> str:
    wanted = dict.fromkeys([*slots, *sorted(all_slots, key=list(Slot).index)])
    return listed(_SAYS[slot] for slot in wanted) or nothing


def _ends(case: Case, group: Group) -> list[Op]:
    """The steps of the code next to which the claim has the norm that moved away: their settings left it out."""
    if not group.change[0] or not group.change[1]:
        return []
    moved = (edit for edit in group.edits.values() if edit.kind is EditKind.MOVED)
    return [edit.before for edit in moved if edit.before is not None]
