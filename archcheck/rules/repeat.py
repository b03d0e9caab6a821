"""How often a block stands in a row."""

from __future__ import annotations

from collections.abc import Iterator

from archcheck.align.edits import Edit, EditKind
from archcheck.findings import Finding
from archcheck.rules.case import Case, Example
from archcheck.rules.evidence import Told, finding
from archcheck.rules.grouping import consequences
from archcheck.rules.view import subject
from archcheck.rules.words import shown_value


class Repeat:
    """Says where a block is repeated another number of times than in the paper, or not at all.

    What it checks:
        The number of identical layers in a row, folded or written out. Whether they share their weights is a claim of
        its own.

    Why it matters:
        Depth is the first of a model's sizes: cost, capacity and the scale of initialisation hang on it, and the
        factors of DeepNorm are formulas of it (wang2022).

    Example:
        The paper:  encoder_layer, repeat: 6
        Departs:    a loop over range(12)
        Agrees:     six layers written one below the other

    What it cannot see:
        A number that comes from a configuration which was not given: UNDETERMINED until it is given.

    Cites:
        vaswani2017, section 3.1; wang2022.
    """

    id = "repeat"
    title = "how many layers there are"
    examples = (
        Example(
            "%x = input\nrepeat %x count=2:\n  linear %x\n  tanh",
            "%x = input\nrepeat %x count=2:\n  linear %x bias=True\n  tanh",
            holds=True,
        ),
        Example(
            "%x = input\nrepeat %x count=2:\n  linear %x\n  tanh",
            "%x = input\nrepeat %x count=3:\n  linear %x\n  tanh",
            holds=False,
            message="repeated 3 times, not 2 times",
        ),
    )

    def explain(self, case: Case, edits: tuple[Edit, ...]) -> Iterator[Finding]:
        """One finding for each repeat."""
        told: set[int] = set()
        for edit in edits:
            if subject(edit).kind.name != "repeat" or edit.kind is EditKind.UNKNOWN or id(edit) in told:
                continue
            words = _told(edit)
            if words is None:
                continue
            own = [edit, *(other for other in consequences(case, [edit], edits) if id(other) not in told)]
            told.update(id(other) for other in own)
            yield finding(self.id, case, own, words)


def _told(edit: Edit) -> Told | None:
    if edit.kind is EditKind.CHANGED and edit.aspect == "attr:count":
        stated, found = shown_value(edit.stated), shown_value(edit.found)
        return Told(
            f"the block is repeated {found} times, not {stated} times",
            f"The block stands {stated} times in a row.",
            f"The block stands {found} times in a row.",
            f"repeat it {stated} times",
            f"{found} layers",
        )
    count = shown_value(subject(edit).attr("count", "several"))
    if edit.kind is EditKind.MISSING:
        return Told(
            "the block is not repeated",
            f"The block stands {count} times in a row.",
            "The code has no such row of blocks.",
            f"repeat it {count} times",
        )
    if edit.kind is EditKind.EXTRA:
        return Told(
            f"a block is repeated {count} times, which the paper does not have",
            "The paper states no such row of blocks.",
            f"A block stands {count} times in a row.",
            "take the row out",
            f"{count} layers",
        )
    return None
