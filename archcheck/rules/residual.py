"""The residual: whether it is there, and which tensor it carries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archcheck.align.edits import Edit, EditKind
from archcheck.findings import Finding
from archcheck.ir.graph import Op
from archcheck.rules.case import Case, Example
from archcheck.rules.evidence import Told, finding
from archcheck.rules.grouping import consequences, where
from archcheck.rules.outline import Slot, Unit, twin_units
from archcheck.rules.view import Index, View, of
from archcheck.rules.words import called, in_sublayers, listed, sentence


class Residual:
    """Says where a sublayer has no residual in the code, has one too many, or carries another tensor past it.

    What it checks:
        For each sublayer F the sum x + F(x): that it is there if and only if the paper has it, and that x is the tensor
        that the paper names: the residual stream and not its normalised copy, the sum before a norm or the norm's
        output, the stream as it is and not as it was a sublayer earlier.

    Why it matters:
        The clear path of x is what lets signals and gradients pass through many layers (he2016, he2016b). Without it a
        deep network trains badly or not at all; a residual that starts behind a norm turns pre-norm into post-norm,
        with its need for a warm-up (xiong2020).

    Example:
        The paper:  x = x + self_attention(norm(x))
        Departs:    h = norm(x); x = h + self_attention(h)
        Agrees:     h = norm(x); x = self_attention(h) + x

    What it cannot see:
        A residual that is added inside an operation which could not be read: UNDETERMINED until it is read.

    Cites:
        he2016; he2016b; xiong2020.
    """

    id = "residual"
    title = "the residual: missing, added, or taken from another tensor"
    examples = (
        Example(
            "%x = input\n%n = norm %x\n%f = self_attention %n\nadd %x, %f",
            "%x = input\n%n = rms_norm %x\n%f = self_attention %n\nadd %f, %x",
            holds=True,
        ),
        Example(
            "%x = input\n%n = norm %x\n%f = self_attention %n\nadd %x, %f",
            "%x = input\n%n = norm %x\n%f = self_attention %n\nadd %n, %f",
            holds=False,
            message="the residual is taken from the output of the norm",
        ),
    )

    def explain(self, case: Case, edits: tuple[Edit, ...]) -> Iterator[Finding]:
        """One finding for residuals that are missing, one for added ones, one for those that carry another tensor."""
        left = {id(edit): edit for edit in edits}
        for kind in (EditKind.MISSING, EditKind.EXTRA):
            own = [edit for edit in edits if edit.kind is kind and _is_residual(edit)]
            if own:
                own += consequences(case, own, left.values())
                for edit in own:
                    left.pop(id(edit), None)
                yield finding(self.id, case, own, _presence(case, own, kind))
        taken = _taken(case.view, tuple(left.values()))
        if taken is not None:
            units, own = taken
            own += consequences(case, own, left.values())
            yield finding(self.id, case, own, _elsewhere(case.view, units))


def _is_residual(edit: Edit) -> bool:
    ops = [op for op in (edit.expected, edit.actual) if op is not None]
    return all(op.kind.name == "residual" for op in ops)


def _presence(case: Case, own: Sequence[Edit], kind: EditKind) -> Told:
    places = where(case, [edit for edit in own if edit.kind is kind])
    if kind is EditKind.MISSING:
        return Told(
            f"the residual is missing{places}",
            "The sublayer's output is added to the residual stream that it reads: x + F(x).",
            "The sublayer's output takes the place of what it reads: F(x).",
            "add what the sublayer reads to what it gives",
            "the sublayer without a residual",
        )
    return Told(
        f"a residual is added{places}",
        "The sublayer's output takes the place of what it reads: F(x).",
        "The sublayer's output is added to the residual stream that it reads: x + F(x).",
        "take out the residual add",
        "the residual",
    )


def _taken(view: View, edits: tuple[Edit, ...]) -> tuple[list[tuple[Unit, Unit]], list[Edit]] | None:
    """The sublayers whose residual carries another tensor, with the edits that say so; None where there are none.

    A residual that starts at a norm's output in place of the stream shows as a norm that moved from the branch to the
    stream (or the other way), since what the add and the sublayer both read is no part of the branch. It is told apart
    from pre-norm that became post-norm by the first sublayer, which has no norm before it to start from.
    """
    pairs = list(twin_units(view))
    norms = of(edits, EditKind.MISSING, EditKind.EXTRA, EditKind.MOVED, where=lambda op: op.kind.family == "norm")
    lost = {op.path for edit in norms for op in _expected(edit)}
    gained = {op.path for edit in norms for op in _actual(edit)}
    found: list[tuple[Unit, Unit]] = []
    own: list[Edit] = [edit for edit in edits if _is_skip(edit)]
    for edit in own:
        found += [pair for pair in pairs if pair[1].residual is not None and pair[1].residual in _actual(edit)]
    to_stream = _all_start(pairs, lost, gained, view, into_branch=False)
    into_branch = _all_start(pairs, lost, gained, view, into_branch=True)
    if to_stream or into_branch:
        found += [pair for pair in (*to_stream, *into_branch) if pair not in found]
        own += norms
    return (found, own) if own and found else None


def _all_start(
    pairs: list[tuple[Unit, Unit]], lost: set[str], gained: set[str], view: View, *, into_branch: bool
) -> list[tuple[Unit, Unit]]:
    """The sublayers that lost (gained) a norm before them, if each one's skip is a norm that came (went)."""
    side, moved = (1, gained) if into_branch else (0, lost)
    touched = [pair for pair in pairs if any(s.slot is Slot.BEFORE and s.op.path in moved for s in pair[side].steps)]
    count = 0
    for pair in touched:
        residual = pair[1 - side].residual
        index = view.expected if into_branch else view.actual
        giver = _skip(index, residual)
        if giver is None or giver.path not in (lost if into_branch else gained):
            return []
        count += 1
    return touched if count == len(moved) else []


def _skip(index: Index, residual: Op | None) -> Op | None:
    if residual is None or not residual.reads:
        return None
    giver = index.giver(residual.reads[0])
    while giver is not None and giver.kind.name == "scale" and giver.reads:
        giver = index.giver(giver.reads[0])
    return giver


def _is_skip(edit: Edit) -> bool:
    return edit.kind is EditKind.CHANGED and edit.aspect == "reads:0" and _is_residual(edit)


def _expected(edit: Edit) -> list[Op]:
    return [one for one, _ in ((edit.expected, edit.actual), *edit.also) if one is not None]


def _actual(edit: Edit) -> list[Op]:
    return [other for _, other in ((edit.expected, edit.actual), *edit.also) if other is not None]


def _elsewhere(view: View, units: list[tuple[Unit, Unit]]) -> Told:
    stated = listed(_called(view.expected, _skip(view.expected, unit.residual)) for unit, _ in units)
    found = listed(_called(view.actual, _skip(view.actual, unit.residual)) for _, unit in units)
    places = in_sublayers([unit.name for unit, _ in units])
    against = f", not {stated}" if stated != found else ", another than in the paper"
    return Told(
        f"the residual is taken from {found}{against}{places}",
        sentence(f"what is added to the sublayer's output is {stated}"),
        sentence(f"what is added to the sublayer's output is {found}"),
        f"add {stated} to the sublayer's output",
        "the residual as the code takes it",
    )


def _called(index: Index, op: Op | None) -> str:
    """What a residual starts from, as a reader would say it."""
    if op is None or op.kind.name == "input":
        return "the block's input"
    if op.kind.family == "norm":
        return "the output of the norm"
    if op.kind.name == "residual":
        cores = [inner for inner in op.body if inner.kind.family == "sublayer"]
        return f"the sum behind {listed(called(core) for core in cores)}" if cores else "the sum before it"
    return f"the output of {called(op)}"
