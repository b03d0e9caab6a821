"""`archcheck diff A B`: how the second departs from the first."""

from __future__ import annotations

import json

import click

from archcheck.cli import options
from archcheck.cli.entry import HOLDS, VIOLATED


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
    if form == "json":
        rows = [
            {"rule": finding.rule, "verdict": finding.verdict.value, "message": finding.message, "at": [str(place.span) for place in finding.places]}
            for finding in findings
        ]
        options.write(json.dumps({"version": 1, "expected": one.name, "actual": other.name, "differences": rows}, indent=2) + "\n", None)
    else:
        lines = [f"{other.name} departs from {one.name}:" if findings else f"{other.name} computes what {one.name} computes"]
        for finding in findings:
            at = f"{finding.places[0].span}: " if finding.places else ""
            lines += ["", f"{at}{finding.message}"]
            if finding.expected:
                lines += [f"  {one.name}: {' -> '.join(filter(None, finding.expected))}", f"  {other.name}: {' -> '.join(filter(None, finding.actual))}"]
        options.write("\n".join(lines) + "\n", None)
    return VIOLATED if findings else HOLDS
