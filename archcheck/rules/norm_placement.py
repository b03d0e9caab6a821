"""Post-norm, pre-norm, sandwich: where the norm stands around a sublayer."""

from __future__ import annotations

from collections.abc import Iterator

from archcheck.align.edits import Edit, EditKind
from archcheck.findings import Finding
from archcheck.ir.graph import Op
from archcheck.rules.case import Case, Example
from archcheck.rules.evidence import Told, finding
from archcheck.rules.outline import Slot
from archcheck.rules.placement import Group, clause, groups
from archcheck.rules.view import of, sides
from archcheck.rules.words import in_sublayers, listed, sentence

WORD = "the norm"

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
        vaswani2017, section 3.1; xiong2020; ding2021 (CogView).
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
        found = _merged(groups(case, own, _is_norm, WORD))
        expected, actual = ({op.path for op in ops} for ops in sides(own))
        left = [edit for edit in edits if edit not in own and case.view.follows(edit, expected, actual)]
        for number, group in enumerate(found):
            taken = [*group.edits.values(), *(left if number == 0 else ())]
            yield finding(self.id, case, taken, _told(group), also=_ends(case, group))


def _is_norm(op: Op) -> bool:
    return op.kind.family == "norm"


def _merged(found: list[Group]) -> list[Group]:
    """Put right that the last sublayer of a pre-norm stack with a final norm seems to have a norm on both sides."""
    for moved in found:
        rest = [group for group in found if group is not moved]
        if moved.change == ((Slot.AFTER,), (Slot.BEFORE,)):
            for group in rest:
                if group.change == ((), (Slot.BEFORE,)) and Slot.AFTER in group.after and len(group.names) == 1:
                    return _join(found, moved, group, "and one more norm follows the last sublayer")
        if moved.change == ((Slot.BEFORE,), (Slot.AFTER,)):
            for group in rest:
                if group.change == ((Slot.BEFORE,), ()) and Slot.AFTER in group.after and len(group.names) == 1:
                    return _join(found, moved, group, "and no final norm follows the last of them")
    return found


def _join(found: list[Group], moved: Group, other: Group, final: str) -> list[Group]:
    moved.names += other.names
    moved.edits.update(other.edits)
    moved.final = final
    return [group for group in found if group is not other]


def _told(group: Group) -> Told:
    where = in_sublayers(group.names)
    message = clause(group.change, WORD) + where + (f", {group.final}" if group.final else "")
    lost, gained = group.change
    short, found = (_SHORT.get(slots, "") if group.names != [""] else "" for slots in (group.before, group.after))
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
