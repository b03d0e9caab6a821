"""Operands and outputs; and whatever no other rule explained, in plain words."""

from __future__ import annotations

from collections.abc import Iterator

from archcheck.align.edits import Edit
from archcheck.findings import Finding
from archcheck.ir.graph import AttrValue
from archcheck.ir.ops import BY_NAME
from archcheck.rules.case import Case, Example
from archcheck.rules.evidence import Told, finding
from archcheck.rules.grouping import alike
from archcheck.rules.view import places_of, subject
from archcheck.rules.words import called, kind_words, sentence, shown_value, times


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
        humbatova2020 (a taxonomy of real faults in deep learning systems).
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
        """One finding for each thing to be said, places put together."""
        for group in alike(edits, lambda edit: _told(edit, places_of(edit))):
            yield finding(self.id, case, group, _told(group[0], sum(places_of(edit) for edit in group)))


def _told(edit: Edit, places: int) -> Told:
    op = subject(edit)
    name, often = called(op), times(places)
    aspect, _, what = edit.aspect.partition(":")
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
            f"let {stated} come out",
        )
    what = what.replace("_", " ") or aspect or edit.kind.value
    return Told(
        f"{name} differs in {what}: {found}, not {stated}{often}",
        sentence(f"by the paper {what} of {name} is {stated}"),
        sentence(f"in the code {what} of {name} is {found}"),
        f"make {what} {stated}",
    )


def _side(value: AttrValue) -> str:
    """One side of an edit of wiring, in which kinds stand under the names of the vocabulary."""
    if value is None:
        return "nothing"
    words = shown_value(value)
    for name, kind in BY_NAME.items():
        if words.endswith(f" of {name}"):
            return words.removesuffix(name) + ("the residual add" if name == "residual" else kind_words(kind))
    return words
