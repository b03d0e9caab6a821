"""The reports on the classes of one file, told once: a model repeats what its layer says, and a part is no layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from archcheck.findings import ClaimResult, Report, Undetermined, Verdict
from archcheck.ir.span import Span
from archcheck.judging.binding import LOOSE


@dataclass(frozen=True, slots=True)
class OfClass:
    """What came of one class.

    Args:
        symbol: its name.
        span: where it is defined.
        report: how it stands against the spec; None where it holds no layer.
        holds: where the classes in its module tree are defined.
        unread: why it could not be read to its end.
    """

    symbol: str
    span: Span | None
    report: Report | None = None
    holds: frozenset[Span] = frozenset()
    unread: str = ""


def told_once(found: Sequence[OfClass]) -> tuple[Report, ...]:
    """The reports that say something, each once, in the order of the file; the last names what is left out.

    Left out are classes about which the spec says nothing or that were not read, those that lack a part of what other
    classes of the file have whole, and those of which all that was judged stands in the report on another.
    """
    judged = {at: one.report for at, one in enumerate(found) if one.report is not None and _determined(one.report)}
    whole = [found[at] for at, report in judged.items() if _is_whole(report)]
    lacking = {at for at, report in judged.items() if whole and not _is_whole(report)}
    kept: dict[int, list[int]] = {}  # report -> those that say no more
    for at in sorted(judged, key=lambda at: -len(_determined(judged[at]))):
        if at not in lacking:
            said = _determined(judged[at])
            same = next((other for other in kept if said <= _determined(judged[other])), None)
            kept[at if same is None else same] = [] if same is None else [*kept[same], at]
    reports = [
        replace(judged[at], also=tuple(found[other].symbol for other in sorted(kept[at]))) for at in sorted(kept)
    ]
    shown = set(kept).union(*kept.values())
    if not reports:  # nothing is judged: one report says so
        at, report = next((at, one.report) for at, one in enumerate(found) if one.report is not None)
        reports, shown = [report], {at}
    left_out = [
        Undetermined(one.symbol, _why_not(one, whole if at in lacking else []), one.span)
        for at, one in enumerate(found)
        if at not in shown
    ]
    reports[-1] = replace(reports[-1], beside=tuple(left_out))
    return tuple(reports)


def _determined(report: Report) -> frozenset[object]:
    """What was judged, as a reader would tell two verdicts apart; of every variant."""
    alone = len(report.variants) == 1
    return frozenset(
        (() if alone else variant.when, _told(claim))
        for variant in report.variants
        for claim in variant.claims
        if claim.verdict is not Verdict.UNDETERMINED
    )


def _told(claim: ClaimResult) -> object:
    bound = frozenset((bound.block, bound.symbol, bound.span, bound.signature) for bound in claim.bound)
    findings = tuple((finding.rule, finding.places, finding.trail) for finding in claim.findings)
    return claim.claim, claim.verdict, bound, findings


def _is_whole(report: Report) -> bool:
    """Whether a block of the spec was found in the class, not only something that lacks a part of it."""
    return any(bound.how != LOOSE for claim in report.default.claims for bound in claim.bound)


def _why_not(one: OfClass, whole: Sequence[OfClass]) -> str:
    if whole:
        around = next((other for other in whole if one.span in other.holds), None)
        return f"it is a part of {around.symbol}" if around else f"it has a part of what {whole[0].symbol} has whole"
    if one.report is None:
        return f"it could not be read to its end: {one.unread}"
    if any(claim.bound for claim in one.report.default.claims):
        return "what was found in it could not be judged"
    return "nothing in it is what the spec is about"
