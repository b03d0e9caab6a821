"""The verdicts on code whose choices nothing decides: what holds on one side of a choice only does not hold."""

from __future__ import annotations

from dataclasses import replace

from archcheck.findings import ClaimResult, Finding, ReadingResult, Variant, Verdict
from archcheck.ir.graph import AttrValue


def distinct(variants: tuple[Variant, ...]) -> tuple[Variant, ...]:
    """The variant that stands, then those whose verdicts are others; with the rest a reader learns nothing.

    Where no variant is the default one, all of them are what the code may compute: the first of the answer then holds
    what they agree on, and is undetermined where they part.
    """
    first = next((variant for variant in variants if variant.default), None) or _common(variants)
    return (first, *(one for one in variants if one is not first and _verdicts(one) != _verdicts(first)))


def _verdicts(variant: Variant) -> list[tuple[str, Verdict]]:
    return [(claim.claim, claim.verdict) for claim in variant.claims]


def _common(variants: tuple[Variant, ...]) -> Variant:
    first = variants[0]
    if len(variants) == 1:
        return replace(first, default=True)
    rows = zip(*(variant.claims for variant in variants), strict=True)
    readings = zip(*(variant.readings for variant in variants), strict=False)
    return replace(
        first,
        when=(),
        default=True,
        claims=tuple(_claim(row, variants) for row in rows),
        readings=tuple(_reading(row) for row in readings),
    )


def _claim(row: tuple[ClaimResult, ...], variants: tuple[Variant, ...]) -> ClaimResult:
    verdicts = {claim.verdict for claim in row}
    if len(verdicts) == 1:
        return row[0]
    told = []
    for verdict in (Verdict.HOLDS, Verdict.VIOLATED, Verdict.UNDETERMINED):
        cases = [_case(one.when) for claim, one in zip(row, variants, strict=True) if claim.verdict is verdict]
        if cases:
            told.append(f"{_SAID[verdict]} where {' or where '.join(cases)}")
    findings = [finding for claim in row for finding in claim.findings]
    choice = Finding(
        "open-choice",
        Verdict.UNDETERMINED,
        f"nothing decides which it is: {'; '.join(told)}",
        fix="give the arguments that decide it: --arg NAME=EXPR",
        places=findings[0].places,
    )
    return replace(row[0], verdict=Verdict.UNDETERMINED, findings=(choice,))


_SAID = {Verdict.HOLDS: "holds", Verdict.VIOLATED: "violated", Verdict.UNDETERMINED: "undetermined"}


def _case(when: tuple[tuple[str, AttrValue], ...]) -> str:
    return " and ".join(f"{flag} is {value}" for flag, value in when) or "nothing is said"


def _reading(row: tuple[ReadingResult, ...]) -> ReadingResult:
    verdicts = {reading.verdict for reading in row}
    return row[0] if len(verdicts) == 1 else replace(row[0], verdict=Verdict.UNDETERMINED)
