"""Which activation it is, and whether there is one more or one less."""

from __future__ import annotations

from collections.abc import Iterator

from archcheck.align.edits import Edit, EditKind
from archcheck.findings import Finding
from archcheck.ir.graph import Op, Unknown
from archcheck.ir.ops import BY_NAME
from archcheck.rules.case import Case, Example
from archcheck.rules.evidence import Told, finding
from archcheck.rules.grouping import alike, consequences, where
from archcheck.rules.view import subject
from archcheck.rules.words import called, kind_words


class Activation:
    """Says where the code has another activation than the paper, one more, or none.

    What it checks:
        Every activation: its kind, the form of a GELU (exact, by the error function, or approximated by tanh), its
        slope, and its place. One that is spelled out in arithmetic counts as what it computes.

    Why it matters:
        Trained weights only work with the activation they were trained with; the two forms of GELU (hendrycks2016)
        differ by up to about 5e-4 for each element, which adds up when a checkpoint is converted. A ReLU behind the
        last map of a branch lets a residual stream only ever grow.

    Example:
        The paper:  linear(relu(linear(x)))
        Departs:    linear(gelu(linear(x)))
        Agrees:     linear(max(linear(x), 0))

    What it cannot see:
        An activation that is looked up under a name which was not given (`ACT2FN[config.hidden_act]`): UNDETERMINED
        until the configuration is given. A claim that says only "activation" is met by any.

    Cites:
        hendrycks2016; ramachandran2017; shazeer2020; he2016b, on a ReLU behind the branch.
    """

    id = "activation"
    title = "the activation: another, one more, or none"
    examples = (
        Example(
            "%x = input\n%h = linear %x\n%a = relu %h\nlinear %a",
            "%x = input\n%h = linear %x\n%a = relu %h\nlinear %a bias=True",
            holds=True,
        ),
        Example(
            "%x = input\n%h = linear %x\n%a = relu %h\nlinear %a",
            "%x = input\n%h = linear %x\n%a = gelu %h\nlinear %a",
            holds=False,
            message="the activation is GELU, not ReLU",
        ),
    )

    def explain(self, case: Case, edits: tuple[Edit, ...]) -> Iterator[Finding]:
        """One finding for each pair of activations, and for each that is missing, added or moved alike."""
        own = [edit for edit in edits if _is_own(edit)]
        told: set[int] = set()
        for group in alike(own, _change):
            follow = [edit for edit in consequences(case, group, edits) if id(edit) not in told]
            follow = [edit for edit in follow if not _is_own(edit)]
            told.update(id(edit) for edit in follow)
            told_words = _told(case, group, *_change(group[0]))
            yield finding(self.id, case, [*group, *follow], told_words, names=True)


def _is_activation(op: Op | None) -> bool:
    return op is not None and op.kind.family in ("activation", "gate")


def _is_own(edit: Edit) -> bool:
    if edit.kind is EditKind.CHANGED and edit.aspect == "attr:activation":
        return True
    if edit.kind is EditKind.CHANGED and (edit.aspect == "kind" or edit.aspect.startswith("attr:")):
        return _is_activation(edit.expected) and _is_activation(edit.actual)
    return edit.kind in (EditKind.MISSING, EditKind.EXTRA, EditKind.MOVED) and _is_activation(subject(edit))


def _change(edit: Edit) -> tuple[str, str]:
    """What it is in the paper and in the code; "" for none; equal for one that moved."""
    if edit.aspect == "attr:activation":
        return _word(edit.stated), _word(edit.found)
    attr = edit.aspect.partition(":")[2]
    if attr and attr != "approximate":
        name = called(subject(edit))
        return f"{name} with {attr} {edit.stated}", f"{name} with {attr} {edit.found}"
    if attr:
        forms = {"tanh": "tanh GELU", "none": "exact GELU"}
        return forms.get(str(edit.stated), "GELU"), forms.get(str(edit.found), "GELU")
    return (
        "" if edit.expected is None else called(edit.expected),
        "" if edit.actual is None else called(edit.actual),
    )


def _word(value: object) -> str:
    if isinstance(value, Unknown):
        return value.why
    kind = BY_NAME.get(str(value))
    return kind_words(kind) if kind is not None else str(value).replace("_", " ")


def _told(case: Case, group: list[Edit], stated: str, found: str) -> Told:
    places = where(case, group)
    if group[0].kind is EditKind.MOVED:
        return Told(
            f"the activation {found} stands in another place{places}",
            f"By the paper {stated} stands elsewhere.",
            f"The code applies {found} in another place.",
            f"move {found}",
        )
    if not found:
        return Told(
            f"the activation {stated} is missing{places}",
            f"The paper applies {stated}.",
            "The code applies no activation there.",
            f"apply {stated}",
        )
    if not stated:
        return Told(
            f"the activation {found} is added{places}",
            "The paper applies no activation there.",
            f"The code applies {found}.",
            f"take out {found}",
            found,
        )
    return Told(
        f"the activation is {found}, not {stated}{places}",
        f"The activation is {stated}.",
        f"The activation is {found}.",
        f"use {stated}",
        found,
    )
