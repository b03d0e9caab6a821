"""`archcheck draw TARGET|SPEC [--against SPEC] -o out.svg`: diagrams and diff diagrams."""

from __future__ import annotations

from pathlib import Path

import click

from archcheck.cli import options
from archcheck.errors import ArchcheckError


@click.command("draw")
@click.argument("target")
@click.option(
    "--against",
    default=None,
    metavar="SPEC|TARGET",
    help="Draw the difference: this on the left, TARGET on the right.",
)
@options.reading_options
@options.spec_options
@click.option(
    "--format",
    "-f",
    "form",
    default=None,
    metavar="FORMAT",
    help="svg, png, dot or mmd; by default the ending of --output.",
)
@click.option(
    "--output",
    "-o",
    default=None,
    metavar="PATH",
    help="The file to write; without it, Mermaid on standard output.",
)
@click.option("--inside", is_flag=True, help="Also draw what sublayers hold.")
def command(
    target: str,
    against: str | None,
    reading: options.Reading,
    beside: options.Beside,
    form: str | None,
    output: str | None,
    inside: bool,
) -> int:
    """Draw TARGET (code, or SPEC#block), or how it differs from another."""
    from archcheck.drawing import FORMATS
    from archcheck.pipeline import picture

    chosen = form or (Path(output).suffix.removeprefix(".").lower() if output else "mmd")
    if chosen not in FORMATS:
        raise ArchcheckError(f'cannot draw "{chosen}"', hint=f"formats: {', '.join(FORMATS)}")
    request = options.request_of(target, reading, beside)
    try:
        data = picture(request, against, chosen, inside=inside, progress=options.progress())
    finally:
        options.clear_progress()
    options.write(data if chosen == "png" else data.decode("utf-8"), output)
    return 0
