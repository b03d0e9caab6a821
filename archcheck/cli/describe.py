"""`archcheck describe TARGET`: what this code is."""

from __future__ import annotations

import click

from archcheck.cli import options
from archcheck.cli.entry import HOLDS, NOTHING_JUDGED


@click.command("describe")
@click.argument("target")
@options.reading_options
@options.tracing_options
@click.option("--format", "-f", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--graph", is_flag=True, help="Print the canonical op graph instead.")
@click.option("--as-spec", is_flag=True, help="Write the architecture down as a spec, to lock it.")
@click.option("--output", "-o", default=None, metavar="PATH", help="Write to a file.")
@options.jobs_option
@options.cache_option
def command(
    target: str,
    reading: options.Reading,
    tracing: options.Tracing,
    form: str,
    graph: bool,
    as_spec: bool,
    output: str | None,
    jobs: int,
    cache: bool,
) -> int:
    """Say what TARGET is: its layers with their sublayer signatures, norms, activation, attention, and the flags that
    change them. For a file, every class that holds a layer; hparams sets that a file registers are listed. For a
    folder, a line for each of them, and what could not be told, by the number of classes that it costs.
    """
    from archcheck.describe.description import as_json
    from archcheck.describe.text import as_text
    from archcheck.ir.text import dump
    from archcheck.pipeline import Extent, describe, extent, load_target, survey
    from archcheck.workers import cores

    request = options.request_of(target, reading, tracing=tracing)
    unread = HOLDS
    try:
        if graph:
            reads = load_target(request, options.progress())
            text = "\n".join(
                dump(one, places=False) + (f"# it goes no further: {variant.error}\n" if variant.error else "")
                for read in reads
                for one, variant in zip(read.graphs, read.reading.variants, strict=True)
            )
            if all(read.reading.variants[0].error for read in reads):
                unread = NOTHING_JUDGED
        elif as_spec:
            from archcheck.starting import spec_text

            text = spec_text(request, options.progress(), exact=True)
        elif (whole := extent(request, options.progress())) is not Extent.ONE:
            from archcheck.describe import survey as surveyed

            entries = survey(request, options.progress(), jobs=jobs or cores(), store=options.store(cache))
            if whole is Extent.FOLDER:
                text = surveyed.as_json(entries) if form == "json" else surveyed.as_text(target, entries)
            else:
                text = surveyed.file_json(entries) if form == "json" else surveyed.file_text(entries)
                if all(one.stopped for one in entries if not one.why):
                    unread = NOTHING_JUDGED
        else:
            found = describe(request, options.progress(), jobs=jobs or cores())
            if all(one.default.error for one in found):
                unread = NOTHING_JUDGED
            text = as_json(found) if form == "json" else "\n".join(as_text(one) for one in found)
    finally:
        options.clear_progress()
    options.write(text, output)
    return unread
