"""How positions enter: sinusoids, rotary angles, biases on the scores."""

from __future__ import annotations

from collections.abc import Iterator

from archcheck.align.edits import Edit, EditKind
from archcheck.findings import Finding
from archcheck.rules.case import Case, Example
from archcheck.rules.evidence import Told, finding
from archcheck.rules.grouping import alike, consequences, where
from archcheck.rules.view import subject
from archcheck.rules.words import called, sentence


class Position:
    """Says where positions enter the code in another way than the paper's, in another place, or not at all.

    What it checks:
        The position ops that the claim speaks of: sinusoids, rotary positions, ALiBi, a learned bias on the scores:
        their kind and place.

    Why it matters:
        Without positions self-attention cannot tell the order of its tokens (vaswani2017, section 3.5). The ways differ
        in how far a model reads beyond the lengths it was trained on (press2021), and trained weights fit only theirs.

    Example:
        The paper:  attention(rope(q), rope(k), v)
        Departs:    attention(rope(q), k, v)
        Agrees:     q and k turned by complex numbers

    What it cannot see:
        A position embedding that is an ordinary learned table is an embedding like any other and is judged as such.

    Cites:
        vaswani2017, section 3.5; su2021; press2021; raffel2020.
    """

    id = "position"
    title = "how positions enter: kind and place"
    examples = (
        Example(
            "%x = input\n%q = linear %x\n%r = rope %q\nsoftmax %r",
            "%x = input\n%q = linear %x\n%r = rope %q base=10000.0\nsoftmax %r",
            holds=True,
        ),
        Example(
            "%x = input\n%q = linear %x\n%r = rope %q\nsoftmax %r",
            "%x = input\n%q = linear %x\nsoftmax %q",
            holds=False,
            message="rotary positions are missing",
        ),
    )

    def explain(self, case: Case, edits: tuple[Edit, ...]) -> Iterator[Finding]:
        """One finding for each kind and each way in which it differs."""
        own = [edit for edit in edits if _is_own(edit)]
        told: set[int] = set()
        for group in alike(own, lambda edit: (edit.kind, subject(edit).kind.name, edit.stated)):
            follow = [edit for edit in consequences(case, group, edits) if id(edit) not in told and edit not in own]
            told.update(id(edit) for edit in follow)
            yield finding(self.id, case, [*group, *follow], _told(case, group), names=group[0].aspect == "kind")


def _is_own(edit: Edit) -> bool:
    ops = [op for op in (edit.expected, edit.actual) if op is not None]
    if edit.kind is EditKind.CHANGED and edit.aspect != "kind":
        return False
    return edit.kind is not EditKind.UNKNOWN and all(op.kind.family == "position" for op in ops)


def _told(case: Case, group: list[Edit]) -> Told:
    edit = group[0]
    places = where(case, group)
    stated = called(edit.expected) if edit.expected is not None else ""
    found = called(edit.actual) if edit.actual is not None else ""
    if edit.kind is EditKind.MISSING:
        verb = "are" if stated.endswith("s") else "is"
        return Told(
            f"{stated} {verb} missing{places}",
            sentence(f"positions enter by {stated}"),
            sentence(f"the code has no {stated} there"),
            f"add {stated}",
        )
    if edit.kind is EditKind.EXTRA:
        verb = "are" if found.endswith("s") else "is"
        return Told(
            f"{found} {verb} added{places}",
            sentence(f"the paper has no {found} there"),
            sentence(f"positions enter by {found}"),
            f"take out {found}",
            found,
        )
    if edit.kind is EditKind.MOVED:
        return Told(
            f"positions enter in another place{places}",
            sentence(f"{stated} enter where the paper says"),
            sentence(f"{found} enter in another place"),
            f"move {found}",
        )
    return Told(
        f"positions enter by {found}, not by {stated}{places}",
        sentence(f"positions enter by {stated}"),
        sentence(f"positions enter by {found}"),
        f"use {stated}",
        found,
    )
