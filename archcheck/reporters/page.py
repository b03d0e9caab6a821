"""Lines of a text report: escaped, wrapped and, only when asked, coloured. Every text reporter writes through it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass

import click

from archcheck.findings import Verdict
from archcheck.shown import cells, shown, shown_prose

WIDTH = 100

# What a CI system that prints the report would take for a command to itself, where text from outside begins a line.
_COMMAND = re.compile(r"^(\s*)([:#])(:|#\[)")

COLOURS = {Verdict.HOLDS: "green", Verdict.VIOLATED: "red", Verdict.UNDETERMINED: "yellow"}


@dataclass(frozen=True, slots=True)
class Styled:
    """A part of a line that stands out where colour is asked for, and reads the same where it is not."""

    text: str
    fg: str | None = None
    bold: bool = False
    dim: bool = False


Part = str | Styled


class Page:
    """Collects lines. What it is given is raw; nothing reaches the text without going through the escaper."""

    def __init__(self, *, colour: bool = False) -> None:
        self.colour = colour
        self._lines: list[str] = []

    def line(self, *parts: Part, indent: int = 0) -> None:
        """One line made of `parts`, however long it gets."""
        self._add(" " * indent + "".join(self._part(part) for part in parts))

    def prose(self, *parts: Part, indent: int = 0, hang: int | None = None) -> None:
        """Sentences: the last part is wrapped at `WIDTH`, the others stand before its first line.

        Args:
            parts: a lead (may be empty), then one text.
            indent: columns before the lead.
            hang: columns before the second and later lines; None: as far as the lead goes.
        """
        *lead, text = parts
        width = indent + sum(cells(shown(_raw(part))) for part in lead)
        style = text if isinstance(text, Styled) else None
        wrapped = textwrap.wrap(
            shown_prose(_raw(text)),
            WIDTH,
            initial_indent=" " * width,
            subsequent_indent=" " * (width if hang is None else hang),
            break_long_words=False,
            break_on_hyphens=False,
        ) or [""]
        first = wrapped[0][width:]
        for number, body in enumerate([first, *wrapped[1:]]):
            start = " " * indent + "".join(self._part(part) for part in lead) if number == 0 else ""
            self._add(start + (self._style(body, style) if style else body))

    def items(self, texts: Iterable[str], *, indent: int = 2) -> None:
        """A list, one `- ` an item."""
        for text in texts:
            self.prose("- ", text, indent=indent)

    def blank(self) -> None:
        """An empty line, once where several are asked for in a row."""
        if self._lines and self._lines[-1]:
            self._lines.append("")

    def text(self) -> str:
        """All lines, with one newline at the end."""
        return "\n".join(self._lines).rstrip("\n") + "\n"

    def _add(self, line: str) -> None:
        self._lines.append(_COMMAND.sub(lambda found: f"{found[1]}\\u{ord(found[2]):04x}{found[3]}", line.rstrip()))

    def _part(self, part: Part) -> str:
        if isinstance(part, Styled):
            return self._style(shown(part.text), part)
        return shown(part)

    def _style(self, text: str, style: Styled) -> str:
        if not self.colour:
            return text
        return click.style(text, fg=style.fg, bold=style.bold or None, dim=style.dim or None)


def verdict_word(verdict: Verdict, width: int = 0) -> Styled:
    """The verdict as it stands in front of a line, padded to `width`."""
    return Styled(verdict.value.ljust(width), COLOURS[verdict], bold=True)


def _raw(part: Part) -> str:
    return part.text if isinstance(part, Styled) else part
