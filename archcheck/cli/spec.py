"""`archcheck spec list|show|new|validate|test|schema`: the library of papers and the user's own specs."""

from __future__ import annotations

from pathlib import Path

import click

from archcheck.cli import options
from archcheck.cli.entry import HOLDS, VIOLATED
from archcheck.errors import ArchcheckError


@click.group("spec")
def command() -> None:
    """List, show, write and check specs: one YAML file a paper, named by its citation key."""


@command.command("list")
def list_() -> int:
    """The papers in the library, with what each spec states, and released code that holds and departs."""
    from archcheck.spec.known import summary
    from archcheck.spec.library import listing

    entries = list(listing())
    width = max(len(entry.id) for entry in entries)
    for entry in entries:
        options.write(f"{entry.id:<{width}}  {entry.title} ({entry.year})\n", None)
        for line in (", ".join(entry.claims), *summary(entry.id)):
            options.write(f"{'':<{width}}    {line}\n", None)
    return 0


@command.command("show")
@click.argument("spec")
def show(spec: str) -> int:
    """What SPEC states, claim by claim; with SPEC#block, one block and its canonical graph."""
    from archcheck.ir.text import dump
    from archcheck.passes import canonicalise
    from archcheck.spec import load, to_graph
    from archcheck.spec.known import known, summary
    from archcheck.spec.library import keys

    found, block = load(spec)
    if block is not None:
        options.write(f"{found.id}#{block.id}  {block.citation.where}\n  {block.says}\n\n", None)
        options.write(dump(canonicalise(to_graph(found, block.id)), places=False), None)
        return 0
    lines = [f"{found.title} ({found.id}, {found.paper.year})", ""]
    for one in found.blocks:
        lines += [f"{one.id}  {one.citation.where}", f"    {one.says}"]
        if one.repeat is not None:
            lines.append(f"    {one.repeat} times")
    for claim in found.claims:
        lines += [f"{claim.id}  {claim.citation.where}", f"    {claim.says}"]
    for reading in found.readings:
        lines += [f"another reading, {reading.id}: {reading.says}"]
        lines += [f"    {one.id}: {one.says}" for one in reading.blocks]
    lines += [f"not checked: {note.what}" for note in found.not_checked]
    commands = dict.fromkeys(row.command for row in known(found.id)) if spec in keys() else ()
    lines += ["", "known of released code:", *(f"  {line}" for line in summary(found.id))] if commands else []
    lines += [f"  $ {line}" for line in commands]
    options.write("\n".join(lines) + "\n", None)
    return 0


@command.command("new")
@click.argument("key")
@click.option("--title", default="", help="Of the paper.")
@click.option(
    "--from", "target", default=None, metavar="TARGET|FILE.dot",
    help="State what this code does, or what a diagram draws.",
)  # fmt: skip
@click.option("--exact", is_flag=True, help="With --from: every attribute that the code tells, not what papers state.")
@options.reading_options
@click.option("--output", "-o", default=None, metavar="PATH", help="The file to write; by default standard output.")
def new(key: str, title: str, target: str | None, exact: bool, reading: options.Reading, output: str | None) -> int:
    """A commented spec to start from, for the paper with citation key KEY.

    With --from it states what code does, and is judged against that code before it is written; or what a diagram
    draws (FILE.dot): labels are matched to the vocabulary, and arrows are the wiring.
    """
    from archcheck.spec.new import from_diagram, starter
    from archcheck.spec.schema import FILE as SCHEMA
    from archcheck.spec.schema import text as schema_text
    from archcheck.starting import spec_text

    if output is not None and Path(output).exists():
        raise ArchcheckError(f"{output} exists already", hint="choose another name")
    misses: tuple[ArchcheckError, ...] = ()
    if target is None:
        text = starter(key, title=title)
    elif Path(target).suffix.lower() in (".dot", ".gv"):
        text, misses = from_diagram(Path(target), key, title)
    else:
        text = spec_text(options.request_of(target, reading), options.progress(), key, title, exact=exact)
    options.write(text, output)
    for miss in misses:
        click.echo(f"note: {miss}", err=True)
    if output is not None and not (schema := Path(output).with_name(SCHEMA)).exists():
        options.write(schema_text(), str(schema))
        click.echo(f"wrote {output}, and {schema}, by which editors complete and check it", err=True)
    return 0


@command.command("validate")
@click.argument("specs", nargs=-1, required=True)
@click.option("--explain/--no-explain", default=True, help="Say in plain words how each claim was understood.")
def validate(specs: tuple[str, ...], explain: bool) -> int:
    """Check SPECS; every mistake is shown with its place and a hint.

    Of a spec without mistakes it says how each claim was understood, and how it will be judged.
    """
    from archcheck.spec import load
    from archcheck.understood import understood

    failed = False
    for one in specs:
        try:
            found, _ = load(one)
            lines = list(understood(found))
        except ArchcheckError as error:
            failed = True
            click.echo(str(error), err=True)
        else:
            counts = f"{_count(len(found.blocks), 'block')}, {_count(len(found.claims), 'claim')}"
            options.write(f"{one}: {counts}, no mistakes\n", None)
            if explain:
                options.write("".join(f"{line}\n" for line in ["", *lines]), None)
    return 2 if failed else 0


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


@command.command("test")
@click.argument("specs", nargs=-1, required=True)
@click.option("--format", "-f", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def test(specs: tuple[str, ...], form: str) -> int:
    """Judge the examples of SPECS: code that its writer knows to match or to depart.

    They stand in the spec under `examples:`, or in a file beside it that says `spec:` and `examples:`. Each is
    {target, expects: holds or departs} and may have of (claims), why, args, bind, sizes, preset and mode. The exit code
    is 0 where all are as expected, and 1 where one is not, or could not be judged.
    """
    from archcheck.cli.trials import as_json, as_text
    from archcheck.trials import listed, tried

    found = [(name, listed(name)) for name in specs]
    try:
        results = [(name, one.spec.id, tuple(tried(one, options.progress()))) for name, one in found]
    finally:
        options.clear_progress()
    options.write(as_json(results) if form == "json" else as_text(results), None)
    return HOLDS if all(trial.as_expected for _, _, trials in results for trial in trials) else VIOLATED


@command.command("schema")
def schema() -> int:
    """The JSON Schema of specs, for editors."""
    from archcheck.spec.schema import text

    options.write(text(), None)
    return 0
