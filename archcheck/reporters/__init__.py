"""Report -> text, one format a file. A reporter only renders; writing and exiting are the command line's."""

from __future__ import annotations

from typing import Protocol

from archcheck.findings import Report
from archcheck.reporters import concise, json, text


class Reporter(Protocol):
    """A pure function: the same report gives the same text, on every machine."""

    def __call__(self, report: Report, *, colour: bool = False) -> str: ...


REPORTERS: dict[str, Reporter] = {  # `--format` value -> reporter, in the order in which help lists them
    "text": text.render,
    "concise": concise.render,
    "json": json.render,
}


def render_all(reports: tuple[Report, ...], form: str, *, colour: bool = False) -> str:
    """Several reports in one format: one after the other, or a JSON list."""
    rendered = [REPORTERS[form](report, colour=colour) for report in reports]
    if form == "json" and len(rendered) > 1:
        return "[\n" + ",\n".join(text.rstrip("\n") for text in rendered) + "\n]\n"
    return "\n".join(rendered)
