"""Factors on the residual or on the branch: DeepNorm, LayerScale, ReZero."""

from __future__ import annotations

from collections.abc import Iterator

from archcheck.align.edits import Edit, EditKind
from archcheck.findings import Finding
from archcheck.ir.graph import Op
from archcheck.rules.case import Case, Example
from archcheck.rules.evidence import Told, finding
from archcheck.rules.grouping import alike, consequences, where
from archcheck.rules.outline import Outline, Slot
from archcheck.rules.words import sentence, shown_value

_AROUND = frozenset({Slot.SKIP, Slot.BEFORE, Slot.OUTPUT, Slot.AFTER})
_SAYS = {
    "": "nothing",
    "residual": "the residual",
    "branch": "the branch",
    "input": "what the sublayer reads",
    "sum": "the sum of both",
}


class ResidualScale:
    """Says where a factor multiplies another side of the residual add than in the paper, has another value, or none.

    What it checks:
        Factors, constant or learned, on the residual, on the branch or on their sum: which side they multiply, and
        their value where the paper gives one, also by a formula over the number of layers.

    Why it matters:
        DeepNorm multiplies the residual, x * alpha + F(x) with alpha > 1, to bound how much each update changes the
        model, and trains 1,000 layers with it (wang2022). A factor on the branch does the opposite: it weighs the
        branch up. LayerScale and ReZero start with a small learned factor on the branch (touvron2021, bachlechner2021).

    Example:
        The paper:  x = norm(x * alpha + self_attention(x))
        Departs:    x = norm(x + alpha * self_attention(x))
        Agrees:     y = self_attention(x); x = norm(y + alpha * x)

    What it cannot see:
        A factor whose value depends on a number of layers that was not given: UNDETERMINED until it is given.

    Cites:
        wang2022; touvron2021; bachlechner2021.
    """

    id = "residual-scale"
    title = "a factor on the residual or on the branch"
    examples = (
        Example(
            "%x = input\n%y = scale %x by=2.0\n%f = self_attention %x\n%s = add %y, %f\nnorm %s",
            "%x = input\n%f = self_attention %x\n%y = scale %x by=2.0\n%s = add %f, %y\nlayer_norm %s",
            holds=True,
        ),
        Example(
            "%x = input\n%y = scale %x by=2.0\n%f = self_attention %x\n%s = add %y, %f\nnorm %s",
            "%x = input\n%f = self_attention %x\n%y = scale %f by=2.0\n%s = add %x, %y\nnorm %s",
            holds=False,
            message="the factor multiplies the branch, not the residual",
        ),
    )

    def explain(self, case: Case, edits: tuple[Edit, ...]) -> Iterator[Finding]:
        """One finding for each way in which factors differ, sublayers put together."""
        own = [edit for edit in edits if _is_own(case, edit)]
        told: set[int] = set()
        for group in alike(own, lambda edit: _change(case, edit)):
            follow = [edit for edit in consequences(case, group, edits) if id(edit) not in told and edit not in own]
            told.update(id(edit) for edit in follow)
            yield finding(self.id, case, [*group, *follow], _told(case, group, *_change(case, group[0])))


def _is_scale(outline: Outline, op: Op | None) -> bool:
    step = None if op is None else outline.at.get(op.path)
    return step is None or (step.op.kind.name == "scale" and step.slot in _AROUND)


def _is_own(case: Case, edit: Edit) -> bool:
    ops = [op for op in (edit.expected, edit.actual) if op is not None]
    if edit.kind is EditKind.UNKNOWN or any(op.kind.name != "scale" for op in ops):
        return False
    if edit.aspect.startswith(("reads:", "gives:")):
        return False
    view = case.view
    known = any(op.path in view.expected_outline.at or op.path in view.actual_outline.at for op in ops)
    return known and _is_scale(view.expected_outline, edit.expected) and _is_scale(view.actual_outline, edit.actual)


def _place(outline: Outline, op: Op | None) -> str:
    step = None if op is None else outline.at.get(op.path)
    if step is None:
        return ""
    return {Slot.SKIP: "residual", Slot.OUTPUT: "branch", Slot.BEFORE: "input"}.get(step.slot, "sum")


def _change(case: Case, edit: Edit) -> tuple[str, str, str, str]:
    """Which side is multiplied in the paper and in the code, and by how much, where the value is what differs."""
    stated, found = (
        _place(case.view.expected_outline, edit.expected),
        _place(case.view.actual_outline, edit.actual),
    )
    if edit.kind is EditKind.CHANGED:
        return stated, found, shown_value(edit.stated), shown_value(edit.found)
    return stated, found, "", ""


def _told(case: Case, group: list[Edit], stated: str, found: str, by: str, by_found: str) -> Told:
    places = where(case, group)
    if by != by_found:
        return Told(
            f"the factor on {_SAYS[found or stated]} is {by_found}, not {by}{places}",
            sentence(f"{_SAYS[stated]} is multiplied by {by}"),
            sentence(f"{_SAYS[found]} is multiplied by {by_found}"),
            f"make the factor {by}",
            f"the factor {by_found}",
        )
    if not found:
        return Told(
            f"the factor on {_SAYS[stated]} is missing{places}",
            sentence(f"{_SAYS[stated]} is multiplied by a factor before the add"),
            "The code multiplies neither side of the residual add.",
            f"multiply {_SAYS[stated]}",
        )
    if not stated:
        return Told(
            f"a factor on {_SAYS[found]} is added{places}",
            "The paper multiplies neither side of the residual add.",
            sentence(f"{_SAYS[found]} is multiplied by a factor"),
            "take out the factor",
            f"a factor on {_SAYS[found]}",
        )
    return Told(
        f"the factor multiplies {_SAYS[found]}, not {_SAYS[stated]}{places}",
        sentence(f"the factor multiplies {_SAYS[stated]}"),
        sentence(f"the factor multiplies {_SAYS[found]}"),
        f"multiply {_SAYS[stated]} instead of {_SAYS[found]}",
        f"a factor on {_SAYS[found]}",
    )
