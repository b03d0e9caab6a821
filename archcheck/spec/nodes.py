"""The tree of a spec file: mappings, sequences and scalars, and where each of their characters stands."""

from __future__ import annotations

from dataclasses import dataclass

from archcheck.ir.span import Span
from archcheck.spec.problems import Problems

Plain = None | bool | int | float | str


@dataclass(frozen=True, slots=True)
class Text:
    """A string of the spec that knows where each of its characters stands in the file."""

    text: str
    span: Span
    places: tuple[tuple[int, int], ...] = ()  # (line, column) of each character

    def at(self, start: int, end: int) -> Span:
        """The place of `text[start:end]`; an empty range marks the character at `start`."""
        if not self.places:
            return self.span
        last = len(self.places) - 1
        line, column = self.places[min(start, last)]
        end_line, end_column = self.places[min(max(start, end - 1), last)]
        if start > last:  # behind the text: one past its last character
            column += 1
            end_column += 1
        return Span(self.span.file, line, column, end_line, end_column + 1)


@dataclass(frozen=True, slots=True)
class Scalar:
    """A leaf: `value` as YAML 1.2's core schema resolves it, `text` as it was written."""

    value: Plain
    text: str
    style: str  # "" plain, or one of ' " | >
    span: Span


@dataclass(frozen=True, slots=True)
class Sequence:
    items: tuple[Node, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Mapping:
    items: tuple[tuple[Scalar, Node], ...]
    span: Span

    def get(self, name: str) -> Node | None:
        """The value under `name`, if there is one."""
        return next((value for key, value in self.items if key.text == name), None)

    def key(self, name: str) -> Scalar | None:
        """The key `name` itself, if it is there."""
        return next((key for key, _ in self.items if key.text == name), None)


Node = Scalar | Sequence | Mapping


@dataclass(frozen=True)
class Document:
    """One file: its tree, its lines, and the mistakes that did not stop it from being read."""

    root: Node
    lines: tuple[str, ...]
    file: str
    problems: Problems

    def text(self, scalar: Scalar) -> Text:
        """The string of `scalar` with the place of each character."""
        return Text(scalar.text, scalar.span, _places(scalar, self.lines))


_BLANK_ESCAPES = frozenset("nt v\tfrNLP_")
_ESCAPE_LENGTHS = {"x": 4, "u": 6, "U": 10}


def _places(scalar: Scalar, lines: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """(line, column) of each character of the scalar's text.

    YAML keeps the visible characters of a text in their order, whatever it folds or indents, so one walk over the
    source finds them all. Blanks, which may be folded, stand behind the character before them.
    """
    line, column = scalar.span.line - 1, scalar.span.column - 1
    if scalar.style in ("|", ">"):
        line, column = line + 1, 0  # the text begins on the line below its header
    elif scalar.style:
        column += 1
    places: list[tuple[int, int]] = []
    for char in scalar.text:
        if char.isspace():
            places.append((line + 1, column + 1))
            continue
        while True:
            row = lines[line]
            if column >= len(row):
                line, column = line + 1, 0
            elif row[column].isspace():
                column += 1
            elif scalar.style == '"' and row[column] == "\\":
                length = _ESCAPE_LENGTHS.get(row[column + 1 : column + 2], 2)
                places_here = not _blank_escape(row[column : column + length])
                if places_here:
                    places.append((line + 1, column + 1))
                column += length
                if places_here:
                    break
            else:
                places.append((line + 1, column + 1))
                column += 2 if scalar.style == "'" and char == "'" else 1
                break
    return tuple(places)


def _blank_escape(escape: str) -> bool:
    if escape[1:2] in _ESCAPE_LENGTHS:
        return chr(int(escape[2:], 16)).isspace()
    return escape[1:] in _BLANK_ESCAPES or not escape[1:]
