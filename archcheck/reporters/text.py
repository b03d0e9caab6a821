"""The report for people: the verdict first, then each claim, laid out so that it can be pasted into an issue."""

from __future__ import annotations

from archcheck.align.edits import EditKind
from archcheck.findings import Bound, ClaimResult, Finding, Place, Report, Verdict, overall
from archcheck.ir.equivalences import NOTES
from archcheck.reporters.page import Page, Part, Styled, verdict_word
from archcheck.reporters.sequences import side_by_side
from archcheck.reporters.words import counts, flags, line_of, same_line, sentence_of_variants, set_by, source

_ORDER = (Verdict.VIOLATED, Verdict.UNDETERMINED, Verdict.HOLDS)
_LABEL = 7  # columns of "paper  " and "code   " in front of what a finding shows
_INDENT = 4  # columns before those labels
_MOST_WAYS = 3  # lines that lead to those of a finding


def render(report: Report, *, colour: bool = False) -> str:
    """The report as text of a hundred columns.

    Args:
        report: what one audit found out.
        colour: whether verdicts and marks are coloured for a terminal; words say the same without.

    Returns:
        Lines with a newline at the end. What a spec, a paper or the code wrote is on them in readable form only:
        control characters, escape sequences and bidirectional marks are shown as `\\u…`.
    """
    page = Page(colour=colour)
    _head(page, report)
    for claim in _sorted(report.default.claims):
        if claim.verdict is Verdict.VIOLATED:
            page.blank()
            _claim(page, claim)
    for verdict, short in ((Verdict.HOLDS, _held), (Verdict.UNDETERMINED, _undecided)):
        claims = [claim for claim in report.default.claims if claim.verdict is verdict]
        if claims:
            page.blank()
        for claim in claims:
            short(page, claim)
    _variants(page, report)
    _readings(page, report)
    _rest(page, report)
    return page.text()


def _head(page: Page, report: Report) -> None:
    verdict = report.verdict
    paper = f'"{report.title}" ({report.spec})' if report.title else report.spec
    says = {
        Verdict.HOLDS: f"the code computes what {paper} states",
        Verdict.VIOLATED: f"the code departs from {paper}",
        Verdict.UNDETERMINED: f"cannot tell whether the code computes what {paper} states",
    }[verdict]
    if verdict is Verdict.HOLDS and any(claim.verdict is Verdict.UNDETERMINED for claim in report.default.claims):
        says = f"as far as could be judged, {says}"
    page.prose(verdict_word(verdict), ": ", says, hang=2)
    page.line("target: ", report.target, indent=2)
    if report.also:
        page.prose("also:   ", f"the same was found in {', '.join(report.also)}", indent=2, hang=10)
    page.line("claims: ", counts(report.default.claims), indent=2)
    code = {"static": " (the code was read, not run)", "trace": "", "static and trace": ""}
    how = code.get(report.frontend, " (the file was read, not loaded)")
    if report.isolation:
        how = f" (the code was run, contained by {report.isolation})"
    page.line("reader: ", report.frontend, how, indent=2)
    if len(report.variants) > 1:
        verdicts = tuple(
            overall(claim.verdict for claim in each.claims if not claim.advisory) for each in report.variants
        )
        page.prose("flags:  ", sentence_of_variants(report.variants, verdicts), indent=2)
    elif report.default.when:
        page.prose("flags:  ", flags(report.default), indent=2)


def _sorted(claims: tuple[ClaimResult, ...]) -> list[ClaimResult]:
    return sorted(claims, key=lambda claim: (_ORDER.index(claim.verdict), claim.advisory))


def _claim(page: Page, claim: ClaimResult, when: str = "") -> None:
    _title(page, claim, when, claim.says)
    for bound in claim.bound:
        page.prose("held against ", _bound(bound), indent=2, hang=4)
        if bound.signature and not bound.equation:
            times = f" ({bound.repeat or 'n'} times)" if bound.repeat != 1 else ""
            page.prose("which computes ", bound.signature + times, indent=2, hang=4)
        if bound.equation:
            page.line("which computes", indent=2)
        for line in bound.equation:
            page.prose(line, indent=_INDENT, hang=_INDENT + 4)
    for number, finding in enumerate(claim.findings):
        page.blank()
        _finding(page, finding, claim, words=number == 0)
    if not claim.findings:  # a contract broken upstream must not read like agreement
        page.line("no finding says why", indent=2)


def _held(page: Page, claim: ClaimResult, when: str = "") -> None:
    against = "; ".join(
        bound.symbol + (f", {line_of(bound.span).rpartition('/')[2]}" if bound.span is not None else "")
        for bound in claim.bound
    )
    where = f" ({claim.where})" if claim.where else ""
    _title(page, claim, when, claim.says + where + (f" -- held against {against}" if against else ""))


def _undecided(page: Page, claim: ClaimResult, when: str = "") -> None:
    """What is not known, why, and what would settle it: there is nothing to show of code that was not judged."""
    for number, finding in enumerate(claim.findings):
        at = f" ({line_of(finding.places[0].span)})" if finding.places else ""
        settle = f"; to settle it: {finding.fix}" if finding.fix else ""
        if number == 0:
            _title(page, claim, when, finding.message + at + settle)
        else:
            page.prose(finding.message + at + settle, indent=2)
    if not claim.findings:  # a contract broken upstream must not read like agreement
        _title(page, claim, when, "no finding says why")


def _title(page: Page, claim: ClaimResult, when: str, says: str) -> None:
    tail = (" (advisory)" if claim.advisory else "") + (f" when {when}" if when else "")
    page.prose(verdict_word(claim.verdict), " ", Styled(claim.claim, bold=True), tail + ": ", says, hang=2)


def _bound(bound: Bound) -> str:
    words = bound.symbol + (f" ({line_of(bound.span)})" if bound.span is not None else "")
    if bound.how:
        words += f", found {bound.how}" if bound.how.startswith("by ") else f", {bound.how}"
    return words


def _finding(page: Page, finding: Finding, claim: ClaimResult, *, words: bool) -> None:
    colour = "red" if finding.verdict is Verdict.VIOLATED else "yellow"
    page.prose(Styled(finding.rule, colour, bold=True), ": ", finding.message, indent=2, hang=4)
    page.blank()
    _labelled(page, "code", finding.code)
    stated = [place for place in finding.places if claim.spec is not None and place.span.file == claim.spec.span.file]
    found = [place for place in finding.places if place not in stated]
    for place in found:
        _place(page, place, finding, first=not finding.code and place is found[0])
    for setting in finding.trail:
        if not any(same_line(setting.span, place.span) for place in finding.places):
            page.prose(set_by(setting), indent=_INDENT + _LABEL, hang=_INDENT + _LABEL + 2)
    ways = [span for span in finding.reached if not any(same_line(span, place.span) for place in finding.places)]
    if ways and found:
        lines = list(dict.fromkeys(line_of(span) for span in ways))
        rest = f" and {len(lines) - _MOST_WAYS} more" if len(lines) > _MOST_WAYS else ""
        page.prose("built or called at ", ", ".join(lines[:_MOST_WAYS]) + rest, indent=_INDENT + _LABEL)
    if finding.paper or words or stated:
        page.blank()
        _labelled(page, "paper", finding.paper)
        if words:
            _paper(page, claim, first=not finding.paper, named=bool(stated))
        for place in stated:
            _place(page, place, finding, first=False)
    if finding.expected or finding.actual:
        page.blank()
        moved = not finding.edits or any(edit.kind is EditKind.MOVED for edit in finding.edits)
        for line in side_by_side(finding.expected, finding.actual, moves=moved):
            text: Part = line.text if line.who else Styled(line.text, colour)
            page.line(line.who.ljust(_LABEL), text, indent=_INDENT)
    if finding.fix:
        page.blank()
        lead = "to agree: " if finding.verdict is Verdict.VIOLATED else "to settle it: "
        page.prose(lead, finding.fix, indent=_INDENT, hang=_INDENT + 2)


def _labelled(page: Page, label: str, sentence: str) -> None:
    if sentence:
        page.prose(label.ljust(_LABEL), sentence, indent=_INDENT)


def _place(page: Page, place: Place, finding: Finding, *, first: bool) -> None:
    says = f": {place.says}" if place.says else ""
    page.prose("code".ljust(_LABEL) if first else " " * _LABEL, f"{place.span}{says}", indent=_INDENT)
    for line in source(place):
        page.line(line, indent=_INDENT + _LABEL)
    for setting in finding.trail:
        if same_line(setting.span, place.span):
            page.prose(set_by(setting, at=place.span), indent=_INDENT + _LABEL + 2, hang=_INDENT + _LABEL + 4)


def _paper(page: Page, claim: ClaimResult, *, first: bool, named: bool) -> None:
    """The paper's own words, then the line of the spec that states them, unless the finding names one."""
    lead = "paper".ljust(_LABEL) if first else " " * _LABEL
    words = f'"{claim.quote}"' + (f" ({claim.where})" if claim.where else "") if claim.quote else claim.where
    if words:
        page.prose(lead, words, indent=_INDENT)
        lead = " " * _LABEL
    if claim.spec is not None and not named:
        page.line(lead, str(claim.spec.span), f": {claim.spec.says}" if claim.spec.says else "", indent=_INDENT)
        for line in source(claim.spec):
            page.line(line, indent=_INDENT + _LABEL)


def _variants(page: Page, report: Report) -> None:
    """Claims on which other flags give another verdict, or the same for another reason."""
    if len(report.variants) < 2:
        return
    known = {_key(claim) for claim in report.default.claims}
    groups: dict[tuple[object, ...], tuple[ClaimResult, list[str]]] = {}
    for variant in report.variants:
        if variant is report.default:
            continue
        for claim in variant.claims:
            if _key(claim) not in known:
                groups.setdefault(_key(claim), (claim, []))[1].append(flags(variant))
    page.blank()
    page.line(Styled("With other flags" if groups else "With other flags: every claim is judged alike", bold=True))
    for claim, whens in sorted(groups.values(), key=lambda group: _ORDER.index(group[0].verdict)):
        page.blank()
        _BY_VERDICT[claim.verdict](page, claim, " or ".join(whens))


_BY_VERDICT = {Verdict.HOLDS: _held, Verdict.VIOLATED: _claim, Verdict.UNDETERMINED: _undecided}


def _key(claim: ClaimResult) -> tuple[object, ...]:
    """What makes two verdicts on a claim the same to a reader."""
    said = tuple((finding.rule, finding.message, finding.places, finding.trail) for finding in claim.findings)
    return claim.claim, claim.verdict, said


def _readings(page: Page, report: Report) -> None:
    readings = report.default.readings
    if not readings:
        return
    page.blank()
    page.line(Styled("Other readings of the paper", bold=True))
    for reading in readings:
        page.prose(verdict_word(reading.verdict, 12), f" {reading.reading}: ", reading.says, indent=2, hang=4)
    holding = [reading.reading for reading in readings if reading.verdict is Verdict.HOLDS]
    if holding:
        page.prose(f"Read as {' or '.join(holding)}, the paper states what the code computes.", indent=2)
    elif all(reading.verdict is Verdict.VIOLATED for reading in readings):
        page.line("The code fulfils none of them.", indent=2)


def _rest(page: Page, report: Report) -> None:
    for title, items in (
        ("Taken as equal", _equivalences(report)),
        ("Could not be determined", [_undetermined(item.what, item.why, item.span) for item in report.undetermined]),
        ("Formulas, evaluated on random numbers", list(report.proofs)),
        ("Not checked: no graph can show it", list(report.not_checked)),
        ("Assumed while reading", list(report.assumptions)),
        ("Classes that could not be judged", [_undetermined(one.what, one.why, one.span) for one in report.unjudged]),
        ("Other classes of the file", [_undetermined(one.what, one.why, one.span) for one in report.beside]),
    ):
        if items:
            page.blank()
            page.line(Styled(title, bold=True))
            page.items(items)


def _equivalences(report: Report) -> list[str]:
    used: dict[str, list[str]] = {}
    for claim in report.default.claims:
        for name in claim.equivalences:
            used.setdefault(name, []).append(claim.claim)
    noted = {name: f"{name}: {NOTES[name]}" if name in NOTES else name for name in used}
    return [f"{noted[name]} (in {', '.join(claims)})" for name, claims in sorted(used.items())]


def _undetermined(what: str, why: str, span: object) -> str:
    return f"{what}: {why}" + (f" ({span})" if span is not None else "")
