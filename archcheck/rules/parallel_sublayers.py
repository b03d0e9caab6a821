"""Parallel against sequential: whether sublayers share one residual add."""

from __future__ import annotations

from collections.abc import Iterator

from archcheck.align.edits import Edit, EditKind
from archcheck.findings import Finding
from archcheck.ir.graph import Op
from archcheck.rules.case import Case, Example
from archcheck.rules.evidence import Told, finding
from archcheck.rules.outline import Outline, Unit
from archcheck.rules.view import View
from archcheck.rules.words import listed


class ParallelSublayers:
    """Says where sublayers stand side by side in the code and one behind the other in the paper, or the reverse.

    What it checks:
        Whether sublayers read the same residual stream and are added to it together, x + attention(norm(x)) +
        feed_forward(norm(x)), or each reads what the one before gave. All that follows (one norm in place of two, an
        add that is gone) is told in the same finding.

    Why it matters:
        The parallel form is faster, since the maps of both sublayers can be computed together, and is a different
        function: at 8B parameters it cost a little quality, at 62B none was seen (chowdhery2022, section 2). Weights
        of the one do not work in the other.

    Example:
        The paper:  x = x + self_attention(norm(x)); x = x + feed_forward(norm(x))
        Departs:    h = norm(x); x = x + self_attention(h) + feed_forward(h)
        Agrees:     y = x + self_attention(norm(x)); x = feed_forward(norm(y)) + y

    What it cannot see:
        Whether two sublayers that could not be read are parallel: UNDETERMINED until they are read.

    Cites:
        wang2021 (GPT-J); chowdhery2022, section 2.
    """

    id = "parallel-sublayers"
    title = "sublayers in parallel, or one behind the other"
    examples = (
        Example(
            "%x = input\n%n = norm %x\n%a = self_attention %n\n%f = moe %n\n%s = add %a, %f\nadd %x, %s",
            "%x = input\n%n = layer_norm %x\n%a = self_attention %n\n%t = add %x, %a\n%f = moe %n\nadd %t, %f",
            holds=True,
        ),
        Example(
            "%x = input\n%n = norm %x\n%a = self_attention %n\n%s = add %x, %a\n%m = norm %s\n%f = moe %m\nadd %s, %f",
            "%x = input\n%n = norm %x\n%a = self_attention %n\n%f = moe %n\n%s = add %a, %f\nadd %x, %s",
            holds=False,
            message="in parallel",
        ),
    )

    def explain(self, case: Case, edits: tuple[Edit, ...]) -> Iterator[Finding]:
        """One finding for all layers whose sublayers stand the other way."""
        view = case.view
        for parallel_code in (True, False):
            ours, theirs, names = _regrouped(view, edits, parallel_code)
            if not names:
                continue
            own = [edit for edit in edits if _within(view, edit, ours, theirs)]
            if own:
                yield finding(self.id, case, own, _told(names, parallel_code))
                return


def _regrouped(view: View, edits: tuple[Edit, ...], parallel_code: bool) -> tuple[set[int], set[int], list[str]]:
    """The sublayers of the claim and of the code that are grouped the other way, and their names."""
    one, other = (
        (view.expected_outline, view.actual_outline) if parallel_code else (view.actual_outline, view.expected_outline)
    )
    to = view.twin if parallel_code else view.back
    touched = {op.path for edit in edits if edit.kind is not EditKind.UNKNOWN for op in _ops(edit)}
    apart: set[int] = set()
    together: set[int] = set()
    names: list[str] = []
    for group in other.units:
        if len(group.cores) < 2 or not _is_touched(group, touched):
            continue
        found = _counterparts(group, one, to)
        if found is not None:
            apart |= found
            together.add(group.number)
            names += [core.kind.name.replace("_", "-") for core in group.cores]
    return (apart, together, names) if parallel_code else (together, apart, names)


def _counterparts(group: Unit, outline: Outline, to: dict[str, Op]) -> set[int] | None:
    """The numbers of the separate sublayers that `group` holds together; None where they are not those."""
    back = {twin.path: path for path, twin in to.items()}
    known = [outline.unit(outline.at[back[core.path]].op) for core in group.cores if back.get(core.path) in outline.at]
    near = [unit.number for unit in known if unit is not None]
    if not near:
        return None
    wanted = sorted(core.kind.name for core in group.cores)
    size = len(wanted)
    for start in range(max(0, min(near) - size + 1), min(near) + 1):
        units = outline.units[start : start + size]
        single = len(units) == size and all(len(unit.cores) == 1 for unit in units)
        if single and sorted(unit.cores[0].kind.name for unit in units) == wanted:
            return {unit.number for unit in units}
    return None


def _is_touched(unit: Unit, touched: set[str]) -> bool:
    ops = [step.op for step in unit.steps]
    return any(op.path in touched for op in ops)


def _ops(edit: Edit) -> Iterator[Op]:
    for one, other in ((edit.expected, edit.actual), *edit.also):
        yield from (op for op in (one, other) if op is not None)


def _within(view: View, edit: Edit, ours: set[int], theirs: set[int]) -> bool:
    """Whether an edit is of the wiring of these sublayers, or of what stands around them."""
    wiring = edit.aspect.startswith(("reads:", "gives:"))
    if not wiring and edit.kind not in (EditKind.MISSING, EditKind.EXTRA, EditKind.MOVED):
        return False
    for op, index, outline, units in (
        (edit.expected, view.expected, view.expected_outline, ours),
        (edit.actual, view.actual, view.actual_outline, theirs),
    ):
        if op is None:
            continue
        step = outline.at.get(op.path)
        if step is None and wiring:  # an op inside a sublayer reads the stream itself
            step = next((outline.at[holder.path] for holder in index.holders(op) if holder.path in outline.at), None)
        if step is None or step.unit not in units:
            return False
    return True


def _told(names: list[str], parallel_code: bool) -> Told:
    which = listed(names)
    parallel = f"{which} read the same residual stream and are added to it together: in parallel."
    sequential = f"Each of {which} reads the residual stream as the one before left it: sequential."
    parallel = parallel[:1].upper() + parallel[1:]
    if parallel_code:
        return Told(
            f"{which} stand in parallel, not one behind the other",
            sequential,
            parallel,
            "add each sublayer to the stream before the next reads it",
            "parallel sublayers",
        )
    return Told(
        f"{which} stand one behind the other, not in parallel",
        parallel,
        sequential,
        "let all sublayers read the same stream, and add them together",
        "sequential sublayers",
    )
