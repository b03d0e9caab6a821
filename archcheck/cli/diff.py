"""`archcheck diff A B`: how the second departs from the first."""

from __future__ import annotations

import json

import click

from archcheck.cli import options
from archcheck.cli.entry import HOLDS, VIOLATED
from archcheck.findings import Finding


@click.command("diff")
@click.argument("expected")
@click.argument("actual")
@options.reading_options
@options.spec_options
@click.option("--format", "-f", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(
    expected: str,
    actual: str,
    arguments: tuple[str, ...],
    mode: str,
    preset: str,
    sizes: tuple[str, ...],
    pinned: tuple[str, ...],
    form: str,
) -> int:
    """Compare EXPECTED with ACTUAL: two targets, or a target and SPEC#block. Exit code 1 if they differ."""
    from archcheck.pipeline import diff, explain_difference, load_side

    request = options.request_of(expected, arguments, mode, options.preset_of(preset, sizes, pinned))
    try:
        one = load_side(expected, request, options.progress())
        other = load_side(actual, request, options.progress())
    finally:
        options.clear_progress()
    alignment = diff(one, other)
    findings = explain_difference(one, other, alignment)
    options.write((_as_json if form == "json" else _as_text)(one.name, other.name, findings), None)
    return VIOLATED if findings else HOLDS


def _as_json(expected: str, actual: str, findings: tuple[Finding, ...]) -> str:
    rows = [
        {
            "rule": finding.rule,
            "verdict": finding.verdict.value,
            "message": finding.message,
            "at": [str(place.span) for place in finding.places],
        }
        for finding in findings
    ]
    return json.dumps({"version": 1, "expected": expected, "actual": actual, "differences": rows}, indent=2) + "\n"


def _as_text(expected: str, actual: str, findings: tuple[Finding, ...]) -> str:
    lines = [f"{actual} departs from {expected}:" if findings else f"{actual} computes what {expected} computes"]
    for finding in findings:
        at = f"{finding.places[0].span}: " if finding.places else ""
        lines += ["", f"{at}{finding.message}"]
        if finding.expected:
            lines.append(f"  {expected}: {' -> '.join(filter(None, finding.expected))}")
            lines.append(f"  {actual}: {' -> '.join(filter(None, finding.actual))}")
    return "\n".join(lines) + "\n"
