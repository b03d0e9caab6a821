"""Operands that changed places."""

from __future__ import annotations

from collections.abc import Iterator

from archcheck.align.edits import Edit, EditKind
from archcheck.findings import Finding
from archcheck.rules.case import Case, Example
from archcheck.rules.evidence import Told, finding
from archcheck.rules.grouping import where
from archcheck.rules.view import subject
from archcheck.rules.words import called, sentence


class OperandOrder:
    """Says where an operation reads the right tensors in the wrong order.

    What it checks:
        Operations whose operands cannot change places: differences, quotients, matrix products, concatenations,
        queries against keys and values.

    Why it matters:
        Where shapes agree, nothing fails: a - b has the sign of b - a turned, a cross-attention that takes its queries
        from the memory answers another question, and a concatenation in another order does not fit trained weights.

    Example:
        The paper:  h = sub(mean(x), x)
        Departs:    h = sub(x, mean(x))
        Agrees:     h = add(mean(x), neg(x))

    What it cannot see:
        Which of two inputs of the block is which, where only the order of operands tells them apart.

    Cites:
        vaswani2017, section 3.2.3, on where queries, keys and values come from.
    """

    id = "operand-order"
    title = "operands that changed places"
    examples = (
        Example(
            "%x = input\n%a = tanh %x\n%b = exp %x\nadd %a, %b",
            "%x = input\n%a = tanh %x\n%b = exp %x\nadd %b, %a",
            holds=True,
        ),
        Example(
            "%x = input\n%a = tanh %x\n%b = exp %x\nconcat %a, %b",
            "%x = input\n%a = tanh %x\n%b = exp %x\nconcat %b, %a",
            holds=False,
            message="the operands of concatenation changed places",
        ),
    )

    def explain(self, case: Case, edits: tuple[Edit, ...]) -> Iterator[Finding]:
        """One finding for each operation."""
        pairs: dict[tuple[str, str], list[Edit]] = {}
        for edit in edits:
            if edit.kind is EditKind.CHANGED and edit.aspect.startswith("reads:") and edit.expected and edit.actual:
                pairs.setdefault((edit.expected.path, edit.actual.path), []).append(edit)
        for group in pairs.values():
            if len(group) < 2 or not _is_exchange(case, group):
                continue
            op = group[0].actual or subject(group[0])
            stated = ", then ".join(str(edit.stated) for edit in group)
            found = ", then ".join(str(edit.found) for edit in group)
            told = Told(
                f"the operands of {called(op)} changed places{where(case, group[:1])}",
                sentence(f"{called(op)} reads {stated}"),
                sentence(f"{called(op)} reads {found}"),
                "exchange the operands",
                "the operands as the code has them",
            )
            yield finding(self.id, case, group, told)


def _is_exchange(case: Case, group: list[Edit]) -> bool:
    """Whether the operands that differ are each other's counterparts in another order."""
    expected, actual = group[0].expected, group[0].actual
    assert expected is not None
    assert actual is not None
    places = [int(edit.aspect.partition(":")[2]) for edit in group if edit.aspect.partition(":")[2].isdigit()]
    if len(places) < len(group) or max(places) >= min(len(expected.reads), len(actual.reads)):
        return False
    view = case.view
    stated = [view.expected.giver(expected.reads[place]) for place in places]
    found = [view.actual.giver(actual.reads[place]) for place in places]
    left = list(found)
    for one in stated:
        twin = next((other for other in left if view.are_twins(one, other)), None)
        if twin is None:
            return False
        left.remove(twin)
    return True
