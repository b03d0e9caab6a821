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
