"""The reports on the classes of one file, told once: a model repeats what its layer says, and a part is no layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from archcheck.findings import ClaimResult, Report, Undetermined, Verdict
from archcheck.ir.span import Span
from archcheck.judging.binding import LOOSE, NEARLY


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
    """The reports that say something, each once, in the order of the file; the last names the other classes.

    A class of which all that was judged stands in the report on another is named there. Parts of a class that is judged
    as a whole, and classes about which the spec says nothing, stand beside it. What could not be judged is told apart
    from those: a class that was not read, and one with a part of what another class of its file has whole.
    """
    judged = {at: one.report for at, one in enumerate(found) if one.report is not None and _determined(one.report)}
    whole = [found[at] for at, report in judged.items() if _binding(report) is Binding.WHOLE]
    around = {at: _around(found[at], whole) for at, report in judged.items() if _binding(report) is not Binding.WHOLE}
    lacking = {at: _like(found[at], whole) for at, report in judged.items() if _binding(report) is Binding.LOOSE}
    kept: dict[int, list[int]] = {}  # report -> those that say no more
    for at in sorted(judged, key=lambda at: -len(_determined(judged[at]))):
        if around.get(at) is None and lacking.get(at) is None:
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
    beside: list[Undetermined] = []
    unjudged: list[Undetermined] = []
    for at, one in enumerate(found):
        if at in shown:
            continue
        if (holder := around.get(at)) is not None:
            beside.append(Undetermined(one.symbol, f"it is a part of {holder.symbol}", one.span))
        elif (other := lacking.get(at)) is not None:
            why = f"most of what the spec is about is in it, all of it in {other.symbol}: audit it by itself"
            unjudged.append(Undetermined(one.symbol, why, one.span))
        elif one.report is None:
            unjudged.append(Undetermined(one.symbol, f"it could not be read to its end: {one.unread}", one.span))
        elif any(claim.bound for claim in one.report.default.claims):
            unjudged.append(Undetermined(one.symbol, "what was found in it could not be judged", one.span))
        else:
            beside.append(Undetermined(one.symbol, "nothing in it is what the spec is about", one.span))
    reports[-1] = replace(reports[-1], beside=tuple(beside), unjudged=tuple(unjudged))
    return tuple(reports)


class Binding(Enum):
    """What of the spec's blocks was found in a class."""

    NONE = "no block"
    LOOSE = "something that lacks a part of a block"
    WHOLE = "a block"


def _binding(report: Report) -> Binding:
    how = [bound.how for claim in report.default.claims for bound in claim.bound]
    return Binding.NONE if not how else Binding.LOOSE if all(one in (LOOSE, NEARLY) for one in how) else Binding.WHOLE


def _around(one: OfClass, whole: Sequence[OfClass]) -> OfClass | None:
    """The first class that is judged as a whole and holds this one."""
    return next((other for other in whole if one.span in other.holds), None)


def _like(one: OfClass, whole: Sequence[OfClass]) -> OfClass | None:
    """The first class of the same file that is judged as a whole."""
    return next((other for other in whole if one.span and other.span and one.span.file == other.span.file), None)


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
