"""Differences in how entries are laid out, of which it is not shown that they change what is computed.

An equation says nothing of cuts, reshapes and borders: code may need them to compute just that, and an index notation
says in one op what a claim says in several. Where small tensors show that something else comes out, it is a departure;
where they cannot be run through the code, nothing is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from archcheck.align.edits import Edit, EditKind
from archcheck.findings import Finding, Place, Verdict
from archcheck.ir.graph import Op, Unknown
from archcheck.ir.span import Span
from archcheck.judging.features import MAPS
from archcheck.rules.words import called, listed

# Ops that an equation leaves out: they cut, lay out, repeat and set beside each other what others compute.
_LAYING_OUT = frozenset({"split", "select", "stack", "pad", "permute", "reshape", "expand", "rearrange", "unfold"})
# Ops by which sums of products are written, and those that say several of them at once.
_INDEXED = frozenset({"einsum", "tensordot"})
_BY = frozenset({"scale", "mul", "add", "sub", "div"})
_PRODUCTS = _INDEXED | {"matmul", "outer", "mul", "sum", "permute"}


def unshown(
    findings: Sequence[Finding], place: Callable[[Span], Place], differs: Callable[[], bool]
) -> tuple[Finding, ...]:
    """The findings, those that rest on nothing but the layout, or on a number that is not known, as not determined.

    What reads what is then not told either: the values stand in other ops.

    Args:
        differs: whether small tensors show that what comes out is not the same. Where code names axes by letters they
            show nothing: a claim of matrices does not say where the axes of a batch stand.
    """
    open_ones = [_is_indexed(finding.edits) or _is_laid_out(finding.edits) for finding in findings]
    if not any(_is_indexed(finding.edits) for finding in findings) and any(open_ones) and differs():
        return tuple(findings)
    if not any(open_ones):
        return tuple(findings)
    if any(is_open and _cuts(finding.edits) for is_open, finding in zip(open_ones, findings, strict=True)):
        # what is cut may be several maps, of which the claim writes each
        told = [at for at, finding in enumerate(findings) if not _lacks_maps(finding.edits)]
        findings, open_ones = [findings[at] for at in told], [open_ones[at] for at in told]
    return tuple(
        _open(finding, place) if is_open else finding
        for finding, is_open in zip(findings, open_ones, strict=True)
        if is_open or finding.rule != "wiring"
    )


def _is_laid_out(edits: Sequence[Edit]) -> bool:
    """Whether edits are ops that lay out, in the code alone or at another place, or compute with what is not known."""
    return bool(edits) and all(
        (edit.kind in (EditKind.EXTRA, EditKind.MOVED) and _is(edit, _LAYING_OUT))
        or (edit.kind is EditKind.EXTRA and _is_unknown(edit))
        for edit in edits
    )


def _cuts(edits: Sequence[Edit]) -> bool:
    """Whether code takes parts of something, as edits."""
    return any(edit.actual is not None and edit.actual.kind.name in ("select", "split") for edit in edits)


def _lacks_maps(edits: Sequence[Edit]) -> bool:
    """Whether edits are maps that the code has not, and nothing else."""
    return bool(edits) and all(
        edit.kind is EditKind.MISSING and edit.expected is not None and edit.expected.kind in MAPS for edit in edits
    )


def _is_indexed(edits: Sequence[Edit]) -> bool:
    """Whether edits are products of which the code writes some in an index notation."""
    indexed = any(edit.actual is not None and _is(edit, _INDEXED) for edit in edits)
    return indexed and all(_is(edit, _LAYING_OUT | _PRODUCTS) or _is_unknown(edit) for edit in edits)


def _is_unknown(edit: Edit) -> bool:
    """Whether an op of the code is a product with, or a sum of, something that was not read."""
    op = edit.actual
    return op is not None and edit.expected is None and op.kind.name in _BY and isinstance(op.attr("by"), Unknown)


def _is(edit: Edit, names: frozenset[str]) -> bool:
    """Whether both ops of an edit are of these kinds, as far as it has them."""
    ops = [op for op in (edit.expected, edit.actual) if op is not None]
    return bool(ops) and all(op.kind.name in names and not _is_one_entry(op) for op in ops)


def _is_one_entry(op: Op) -> bool:
    """Whether an op takes one entry of an axis: then the others are left out of what is computed."""
    index = op.attr("index") if op.kind.name == "select" else None
    return any(type(one) is int for one in (index if isinstance(index, tuple) else (index,)))


def _open(finding: Finding, place: Callable[[Span], Place]) -> Finding:
    if finding.verdict is not Verdict.VIOLATED:
        return finding
    ops = [op for edit in finding.edits for op in (edit.actual,) if op is not None]
    words = listed(dict.fromkeys(called(op) for op in ops))
    spans = dict.fromkeys(op.span for op in ops if op.span is not None)
    return Finding(
        "not-determined",
        Verdict.UNDETERMINED,
        f"whether the code computes the same in another layout is not shown: {words} can be a part of that",
        fix="state the layout as the code has it; or give sizes (--arg, --input) that tell how many axes there are",
        places=tuple(map(place, spans)),
    )
