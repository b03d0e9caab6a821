"""Whatever no other rule explained, in plain words: ops that are missing, added, moved or other, and their wiring."""

from __future__ import annotations

from collections.abc import Iterator

from archcheck.align.edits import Edit, EditKind
from archcheck.findings import Finding
from archcheck.rules.case import Case, Example
from archcheck.rules.evidence import Told, finding
from archcheck.rules.view import places_of, subject
from archcheck.rules.words import called, sentence, shown_value, times


class Wiring:
    """Says which tensor an operation reads, or a block gives, where it is another one than in the paper.

    What it checks:
        Every operand and output of the operations that the claim speaks of. It is the last rule: it also says, in
        plain words, whatever difference none of the others explained, so that none goes unsaid.

    Why it matters:
        A wrong operand runs without an error wherever shapes agree, and most hidden sizes of a model are equal.
        Models learn around it, which is why such a mistake is found in a table of results or not at all.

    Example:
        The paper:  h = relu(linear(x)); y = h * sigmoid(linear(x))
        Departs:    h = relu(linear(x)); y = h * sigmoid(linear(h))
        Agrees:     y = sigmoid(linear(x)) * relu(linear(x))

    What it cannot see:
        Which of two inputs of the same role is which: inputs have no identity but what is done with them.

    Cites:
        pham2020 (silent variance and faults in deep learning code).
    """

    id = "wiring"
    title = "an operation reads, or a block gives, another tensor; and whatever no other rule explains"
    examples = (
        Example(
            claim="""
%x = input
%h = linear %x
%y = tanh %h
%z = linear %x
concat %y, %z
""",
            code="""
%x = input
%h = linear %x
%y = tanh %h
%z = linear %x
concat %y, %z axis=-1
""",
            holds=True,
        ),
        Example(
            claim="""
%x = input
%h = linear %x
%y = tanh %h
%z = linear %x
concat %y, %z
""",
            code="""
%x = input
%h = linear %x
%y = tanh %h
%z = linear %y
concat %y, %z
""",
            holds=False,
            message="reads",
        ),
    )

    def explain(self, case: Case, edits: tuple[Edit, ...]) -> Iterator[Finding]:
        """One finding for each edit."""
        for edit in edits:
            yield finding(self.id, case, (edit,), _told(edit))


def _told(edit: Edit) -> Told:
    op = subject(edit)
    name, often = called(op), times(places_of(edit))
    aspect, _, _ = edit.aspect.partition(":")
    if edit.kind is EditKind.MISSING:
        return Told(
            f"{name} is missing{often}",
            sentence(f"the paper has {name}"),
            f"The code has none{_between(edit)}.",
            f"add {name}",
        )
    if edit.kind is EditKind.EXTRA:
        return Told(
            f"there is an additional {name}{often}",
            f"The paper states no {name} there.",
            f"The code has one{_between(edit)}.",
            f"take out {name}",
            name,
        )
    if edit.kind is EditKind.MOVED:
        return Told(
            f"{name} stands in another place{often}",
            sentence(f"by the paper {name} stands{_between(edit) or ' elsewhere'}"),
            sentence(f"the code has {name} in another place"),
            f"move {name}",
        )
    stated, found = _side(edit.stated), _side(edit.found)
    if aspect == "reads":
        return Told(
            f"{name} reads {found}, not {stated}{often}",
            sentence(f"{name} reads {stated}"),
            sentence(f"{name} reads {found}"),
            f"let {name} read {stated}",
        )
    if aspect == "gives":
        return Told(
            f"what comes out is {found}, not {stated}{often}",
            sentence(f"what comes out is {stated}"),
            sentence(f"what comes out is {found}"),
            f"give {stated}",
        )
    if aspect == "kind":
        return Told(
            f"{found.replace('_', ' ')} stands where the paper has {stated.replace('_', ' ')}{often}",
            sentence(f"the paper has {stated.replace('_', ' ')}"),
            sentence(f"the code has {found.replace('_', ' ')}"),
            f"put {stated.replace('_', ' ')} in its place",
        )
    what = edit.aspect.partition(":")[2] or "the inside"
    return Told(
        f"{what} of {name} is {found}, not {stated}{often}",
        sentence(f"{what} of {name} is {stated}"),
        sentence(f"{what} of {name} is {found}"),
        f"make {what} {stated}",
    )


def _side(value: object) -> str:
    if value is None:
        return "nothing"
    return shown_value(value) if isinstance(value, bool | int | float | str | tuple) else str(value)


def _between(edit: Edit) -> str:
    if edit.before is not None and edit.after is not None:
        return f" between {called(edit.before)} and {called(edit.after)}"
    if edit.before is not None:
        return f" behind {called(edit.before)}"
    return f" before {called(edit.after)}" if edit.after is not None else ""
