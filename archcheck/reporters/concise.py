"""One line a finding, for editors, `grep` and long lists; a summary line at the end.

file:line:column: VERDICT rule message [claim]
"""

from __future__ import annotations

from archcheck.findings import ClaimResult, Finding, Report, Variant, Verdict
from archcheck.reporters.page import Page, Styled, verdict_word
from archcheck.reporters.words import counts, flags


def render(report: Report, *, colour: bool = False) -> str:
    """Each finding of the default variant, then those that only other variants have, then the counts.

    A finding without a place in the code is shown at the claim's line in the spec; one without either, at the target.
    """
    page = Page(colour=colour)
    seen: set[tuple[str, Finding]] = set()
    for variant in (report.default, *(each for each in report.variants if each is not report.default)):
        for claim in variant.claims:
            for finding in claim.findings:
                if (claim.claim, finding) not in seen:
                    seen.add((claim.claim, finding))
                    _line(page, report, variant, claim, finding)
    for one in report.unjudged:
        where = str(one.span) if one.span is not None else report.target
        page.line(f"{where}: ", verdict_word(Verdict.UNDETERMINED), f" not-judged {one.what}: {one.why}")
    page.line(verdict_word(report.verdict), f" {report.spec}: {counts(report.default.claims)}  {report.target}")
    return page.text()


def _line(page: Page, report: Report, variant: Variant, claim: ClaimResult, finding: Finding) -> None:
    place = finding.places[0] if finding.places else claim.spec
    where = str(place.span) if place is not None else report.target
    when = f" (when {flags(variant)})" if variant.when and variant is not report.default else ""
    advisory = " (advisory)" if claim.advisory else ""
    page.line(
        f"{where}: ",
        verdict_word(finding.verdict),
        f" {finding.rule} {finding.message} ",
        Styled(f"[{claim.claim}]", dim=True),
        advisory + when,
    )
