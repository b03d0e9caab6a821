"""`archcheck audit TARGET --spec SPEC`: verdicts, with the paper's words on one side and a code line on the other."""

from __future__ import annotations

import sys

import click

from archcheck.cli import options
from archcheck.cli.entry import HOLDS, NOTHING_JUDGED, VIOLATED, colours
from archcheck.errors import ArchcheckError
from archcheck.findings import Report, Verdict
from archcheck.reporters import REPORTERS, render_all


@click.command("audit")
@click.argument("target")
@click.option(
    "--spec",
    "-s",
    "reference",
    required=True,
    metavar="SPEC",
    help="A paper's key, or a YAML file; SPEC#block for one block.",
)
@options.reading_options
@options.tracing_options
@options.spec_options
@click.option("--format", "-f", "form", type=click.Choice(list(REPORTERS)), default="text", show_default=True)
@click.option(
    "--output",
    "-o",
    "outputs",
    multiple=True,
    metavar="FORMAT=PATH",
    help="Also write a report to a file. Repeatable.",
)
@click.option(
    "--undetermined",
    type=click.Choice(["warn", "fail"]),
    default="warn",
    show_default=True,
    help="What a claim that cannot be judged does to the exit code.",
)
@options.jobs_option
def command(
    target: str,
    reference: str,
    reading: options.Reading,
    tracing: options.Tracing,
    beside: options.Beside,
    form: str,
    outputs: tuple[str, ...],
    undetermined: str,
    jobs: int,
) -> int:
    """Hold TARGET against what a paper claims.

    TARGET is a file (model.py:Class), a module (package.module:Class) or a release that need not be installed
    (tensor2tensor==1.2.5/tensor2tensor/models/transformer.py:transformer_encoder). It is read, never run.
    """
    from archcheck.pipeline import check
    from archcheck.workers import cores

    files = options.pairs(outputs, "--output")
    for name in files:
        if name not in REPORTERS:
            raise ArchcheckError(f"--output {name}: no such format", hint=f"formats: {', '.join(REPORTERS)}")
    request = options.request_of(target, reading, beside, tracing)
    try:
        reports = check(request, reference, options.progress(), jobs=jobs or cores())
    finally:
        options.clear_progress()
    options.write(render_all(reports, form, colour=form == "text" and colours(sys.stdout)), None)
    for name, path in files.items():
        options.write(render_all(reports, name), path)
    return exit_code(reports, undetermined)


def exit_code(reports: tuple[Report, ...], undetermined: str) -> int:
    """0 every claim holds, 1 one is violated (or undetermined, if that fails), 3 nothing was judged."""
    verdicts = [claim.verdict for report in reports for claim in report.default.claims if not claim.advisory]
    untold = Verdict.UNDETERMINED in verdicts or any(report.unjudged for report in reports)
    if Verdict.VIOLATED in verdicts or (undetermined == "fail" and untold):
        return VIOLATED
    return HOLDS if Verdict.HOLDS in verdicts else NOTHING_JUDGED
