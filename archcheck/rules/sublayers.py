"""Which sublayers there are, and in which order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from archcheck.align.edits import Edit, EditKind
from archcheck.findings import Finding
from archcheck.ir.graph import Op
from archcheck.rules.case import Case, Example
from archcheck.rules.evidence import Told, finding
from archcheck.rules.grouping import alike, consequences
from archcheck.rules.outline import Outline, Unit
from archcheck.rules.view import SUBLAYER, View, sides
from archcheck.rules.words import called, listed, sentence

_STRUCTURAL = (EditKind.MISSING, EditKind.EXTRA, EditKind.MOVED)


class Sublayers:
    """Says which sublayer the code lacks, has besides, has in another place or has another one for.

    What it checks:
        The sublayers of a layer (self-attention, cross-attention, feed-forward, convolution, experts) by what they
        compute, and their order. The norms, dropouts and the residual that come or go with a sublayer are told with it.

    Why it matters:
        A missing sublayer is a missing part of the method. Order matters as well: sandwiching attention and
        feed-forward sublayers in another order changes perplexity at equal size (press2020).

    Example:
        The paper:  x = norm(x + self_attention(x)); x = norm(x + feed_forward(x))
        Departs:    x = norm(x + feed_forward(x)); x = norm(x + self_attention(x))
        Agrees:     x = norm(self_attention(x) + x); x = norm(feed_forward(x) + x)

    What it cannot see:
        A sublayer that is chosen by a flag which was not given, or computed by code that could not be read:
        UNDETERMINED until the flag is given or the code is read.

    Cites:
        vaswani2017, section 3.1; press2020.
    """

    id = "sublayers"
    title = "the sublayers and their order"
    examples = (
        Example(
            "%x = input\n%f = self_attention %x\n%s = add %x, %f\n%g = moe %s\nadd %s, %g",
            "%x = input\n%f = self_attention %x heads=8\n%s = add %f, %x\n%g = moe %s\nadd %g, %s",
            holds=True,
        ),
        Example(
            "%x = input\n%f = self_attention %x\n%s = add %x, %f\n%g = moe %s\nadd %s, %g",
            "%x = input\n%f = self_attention %x\nadd %x, %f",
            holds=False,
            message="the mixture of experts is missing",
        ),
    )

    def explain(self, case: Case, edits: tuple[Edit, ...]) -> Iterator[Finding]:
        """One finding for each sublayer that is missing, added or moved, layers put together; one for each kind."""
        view = case.view
        left = {id(edit): edit for edit in edits}
        heads = [edit for edit in edits if _is_head(view, edit)]
        for group in alike(heads, lambda edit: (edit.kind, edit.aspect, _name(view, edit), edit.found)):
            own = list(group)
            if group[0].kind in _STRUCTURAL:
                own += [edit for edit in left.values() if edit not in own and _belongs(view, edit, group)]
            own += [edit for edit in consequences(case, own, left.values(), whole=True) if not _is_head(view, edit)]
            own = [edit for edit in own if left.pop(id(edit), None) is not None]
            if own:
                yield finding(self.id, case, own, _told(view, group))


def _unit(view: View, edit: Edit) -> Unit | None:
    outline, op = _side(view, edit)
    return outline.unit(op)


def _side(view: View, edit: Edit) -> tuple[Outline, Op]:
    if edit.actual is not None:
        return view.actual_outline, edit.actual
    assert edit.expected is not None
    return view.expected_outline, edit.expected


def _is_head(view: View, edit: Edit) -> bool:
    """Whether an edit is of a sublayer as such: it, or the residual that was all there was of it."""
    ops = [op for op in (edit.expected, edit.actual) if op is not None]
    if edit.kind is EditKind.CHANGED:
        return edit.aspect == "kind" and any(op.kind.family == SUBLAYER for op in ops)
    if edit.kind not in _STRUCTURAL:
        return False
    if any(op.kind.family == SUBLAYER for op in ops):
        return True
    if any(op.kind.name != "residual" for op in ops):
        return False
    if edit.kind is EditKind.MOVED:
        return True
    unit = _unit(view, edit)
    matched = view.back if edit.actual is not None else view.twin
    return unit is not None and bool(unit.cores) and not any(core.path in matched for core in unit.cores)


def _name(view: View, edit: Edit) -> str:
    _, op = _side(view, edit)
    if op.kind.family == SUBLAYER:
        return called(op)
    unit = _unit(view, edit)
    return unit.name if unit is not None and unit.name else called(op)


def _belongs(view: View, edit: Edit, heads: Iterable[Edit]) -> bool:
    """Whether an edit is of what stands around the sublayers that `heads` are about."""
    if edit.kind not in _STRUCTURAL:
        return False
    expected, actual = sides(tuple(heads))
    ours = {unit.number for op in expected if (unit := view.expected_outline.unit(op)) is not None}
    theirs = {unit.number for op in actual if (unit := view.actual_outline.unit(op)) is not None}
    for op, outline, units in (
        (edit.expected, view.expected_outline, ours),
        (edit.actual, view.actual_outline, theirs),
    ):
        if op is None:
            continue
        unit = outline.unit(op)
        if unit is None or unit.number not in units:
            return False
    return True


def _told(view: View, group: list[Edit]) -> Told:
    edit = group[0]
    name = _name(view, edit)
    count = sum(1 + len(one.also) for one in group)
    often = f" ({count} times)" if count > 1 else ""
    if edit.kind is EditKind.MISSING:
        return Told(
            f"the {name} is missing{often}",
            sentence(f"the paper has these sublayers: {_row(view.expected_outline)}"),
            sentence(f"the code has these: {_row(view.actual_outline)}"),
            f"add the {name}",
            f"the block without {name}",
        )
    if edit.kind is EditKind.EXTRA:
        return Told(
            f"{name} is added{often}",
            sentence(f"the paper has these sublayers: {_row(view.expected_outline)}"),
            sentence(f"the code has these: {_row(view.actual_outline)}"),
            f"take out the {name}",
            f"the {name}",
        )
    if edit.kind is EditKind.MOVED:
        return Told(
            f"the sublayers stand in another order: {name} moved{often}",
            sentence(f"the order is {_row(view.expected_outline)}"),
            sentence(f"the order is {_row(view.actual_outline)}"),
            f"move the {name}",
            "the code's order",
        )
    assert edit.expected is not None
    assert edit.actual is not None
    stated, found = called(edit.expected), called(edit.actual)
    return Told(
        f"{found} stands where the paper has {stated}{often}",
        sentence(f"the sublayer is {stated}"),
        sentence(f"the sublayer is {found}"),
        f"put {stated} in its place",
        found,
    )


def _row(outline: Outline) -> str:
    """The sublayers in order, each run of layers once."""
    names = [unit.name for unit in outline.units if unit.name]
    for period in range(1, len(names) // 2 + 1):
        if len(names) % period == 0 and names == names[:period] * (len(names) // period):
            return f"{listed_all(names[:period])}, {len(names) // period} times"
    return listed_all(names) if len(names) <= 8 else f"{listed(names)}, {len(names)} in all"


def listed_all(names: list[str]) -> str:
    """ "a, b, a": in order, repeated ones too."""
    return ", ".join(names) or "none"
