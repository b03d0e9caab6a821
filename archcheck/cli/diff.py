"""`archcheck diff A B`: how the second departs from the first."""

from __future__ import annotations

import json

import click

from archcheck.cli import options
from archcheck.cli.entry import HOLDS, NOTHING_JUDGED, VIOLATED
from archcheck.findings import Finding, Verdict


@click.command("diff")
@click.argument("expected")
@click.argument("actual")
@options.reading_options
@options.spec_options
@click.option("--format", "-f", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(
    expected: str,
    actual: str,
    reading: options.Reading,
    beside: options.Beside,
    form: str,
) -> int:
    """Compare EXPECTED with ACTUAL: two targets, or a target and SPEC#block. Exit code 1 if they differ, 3 if
    nothing differs but something could not be compared."""
    from archcheck.pipeline import diff, explain_difference, load_sides

    request = options.request_of(expected, reading, beside)
    try:
        one, other = load_sides(expected, actual, request, options.progress())
    finally:
        options.clear_progress()
    alignment, uncompared = diff(one, other)
    findings = explain_difference(one, other, alignment)
    write = _as_json if form == "json" else _as_text
    options.write(write(one.name, other.name, findings, uncompared, one.stripped or other.stripped), None)
    if any(finding.verdict is Verdict.VIOLATED for finding in findings):
        return VIOLATED
    return NOTHING_JUDGED if findings else HOLDS


def _as_json(expected: str, actual: str, findings: tuple[Finding, ...], uncompared: int, stripped: bool) -> str:
    rows = [
        {
            "rule": finding.rule,
            "verdict": finding.verdict.value,
            "message": finding.message,
            "at": [str(place.span) for place in finding.places],
        }
        for finding in findings
    ]
    found = {
        "version": 1,
        "expected": expected,
        "actual": actual,
        "differences": rows,
        "sizes_not_compared": uncompared,
        "dropout_compared": not stripped,
    }
    return json.dumps(found, indent=2) + "\n"


def _as_text(expected: str, actual: str, findings: tuple[Finding, ...], uncompared: int, stripped: bool) -> str:
    lines = [f"A  {expected}", f"B  {actual}", ""]
    differences = [finding for finding in findings if finding.verdict is Verdict.VIOLATED]
    unknown = [finding for finding in findings if finding.verdict is not Verdict.VIOLATED]
    count = len(differences)
    lines.append(
        f"B departs from A in {count} {'way' if count == 1 else 'ways'}:" if count else "no difference was found"
    )
    for finding in differences:
        lines += ["", *_line(finding)]
        if finding.expected:
            lines += [f"    A  {' -> '.join(filter(None, finding.expected))}"]
            lines += [f"    B  {' -> '.join(filter(None, finding.actual))}"]
    if unknown:
        lines += ["", "could not be compared:", *(line for finding in unknown for line in _line(finding))]
    if uncompared:
        lines += ["", f"sizes of {uncompared} reshapes were not compared: they follow from the input's"]
    if stripped:
        lines += ["", "dropout was not compared: it does nothing in eval mode, and one side is in train mode"]
    return "\n".join(lines) + "\n"


def _line(finding: Finding) -> list[str]:
    at = f" ({finding.places[0].span})" if finding.places else ""
    return [f"  {finding.message}{at}"]
