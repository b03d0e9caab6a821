"""From the bytes of a spec to a tree of nodes with places, or one clear error: the first thing a spec meets.

One pass over PyYAML's events, with the scalars of YAML 1.2's core schema (`no` and `1:30` are text, `012` is twelve).
Whatever lets a small file stand for a large or hidden one is refused at the event that brings it: anchors, aliases,
tags, merge keys, several documents, deep nesting, large scalars.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import yaml
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner

from archcheck.errors import SpecError
from archcheck.ir.span import Span
from archcheck.spec.nodes import Document, Mapping, Node, Plain, Scalar, Sequence
from archcheck.spec.problems import Problems

try:
    import yaml._yaml as _libyaml
except ImportError:  # PyYAML was built without libyaml
    _libyaml = None  # type: ignore[assignment]

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_EVENTS = 50_000
MAX_SCALAR = 64 << 10  # characters
MAX_DIGITS = 64  # of a number

# The line breaks that PyYAML counts, so that its line numbers are ours.
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_CONTROL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def read(data: bytes, file: str) -> Document:
    """The tree of nodes in `data`.

    Args:
        data: a file's bytes, UTF-8.
        file: its name, for places.

    Raises:
        SpecError: it is no YAML, or holds what a spec may not hold.
    """
    if len(data) > MAX_BYTES:
        problem = f"a spec may have at most {MAX_BYTES:,} bytes, this file has more"
        raise Problems(file, ()).fail(Span(file, 1), problem, "one file describes one paper")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", "replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        lines = tuple(_BREAK.split(data.decode("utf-8-sig", "replace")))
        raise Problems(file, lines).fail(
            Span(file, line, column, line, column + 1), "this byte is not UTF-8", "save the file as UTF-8"
        ) from None
    lines = tuple(_BREAK.split(text))
    problems = Problems(file, lines)
    if bad := _CONTROL.search(text):
        before = text[: bad.start()]
        number = len(_BREAK.split(before))
        column = bad.start() - max((m.end() for m in _BREAK.finditer(before)), default=0) + 1
        raise problems.fail(
            Span(file, number, column, number, column + 1), f"a spec holds no control characters (U+{ord(bad[0]):04X})"
        )
    reader = _Reader(file, lines, problems)
    try:
        reader.read(text)
    except yaml.MarkedYAMLError as error:
        raise _syntax(error, reader) from None
    except yaml.YAMLError as error:
        raise problems.fail(Span(file, 1), f"this is not YAML: {error}") from None
    if reader.root is None:
        raise problems.fail(Span(file, 1), "the file is empty", "`archcheck spec new` writes one to start from")
    return Document(reader.root, lines, file, problems)


_TABS = "indent with blanks, not with tabs"
_SYNTAX_HINTS = (
    ("mapping values are not allowed", 'quote a text that holds ": ", or write it below a "|"'),
    ("\\t", _TABS),
    ("did not find expected key", "lines that belong together begin in the same column"),
    ("expected <block end>", "lines that belong together begin in the same column"),
    ("could not find expected ':'", 'a key ends in ":"; a text of several lines stands below a "|"'),
    ("cannot start any token", "quote a text that begins with this character"),
)


def _syntax(error: yaml.MarkedYAMLError, reader: _Reader) -> SpecError:
    line, column = _at(error.problem_mark or error.context_mark)
    context = f"{error.context}, " if error.context else ""
    problem = f"this is not YAML: {context}{error.problem or 'it cannot be read'}"
    hint = next((hint for words, hint in _SYNTAX_HINTS if words in problem), "")
    row = reader.lines[line - 1] if line <= len(reader.lines) else ""
    if "\t" in row[: len(row) - len(row.lstrip())]:
        hint = _TABS
    return reader.problems.fail(Span(reader.file, line, column, line, column + 1), problem, hint)


class _PureParser(Reader, Scanner, Parser):
    """PyYAML's own parser without the constructor and the resolver that a Loader adds."""

    def __init__(self, stream: str) -> None:
        Reader.__init__(self, stream)
        Scanner.__init__(self)
        Parser.__init__(self)


def _events(text: str) -> Iterator[yaml.Event]:
    parser = _PureParser(text) if _libyaml is None else _libyaml.CParser(text)
    while (event := parser.get_event()) is not None:  # None: the stream has ended
        yield event


class _Mark(Protocol):
    """Where PyYAML or libyaml stands, counted from 0."""

    line: int
    column: int


def _at(mark: _Mark | None) -> tuple[int, int]:
    """Line and column of `mark`, counted from 1."""
    return (1, 1) if mark is None else (mark.line + 1, mark.column + 1)


@dataclass
class _Open:
    """A mapping or sequence that has begun and not ended."""

    line: int
    column: int
    mapping: bool
    brackets: bool  # or braces; else its lines are indented
    values: list[Node] = field(default_factory=list)
    keys: list[Scalar] = field(default_factory=list)
    key: Scalar | None = None  # waits for its value
    complex_key: bool = False  # the next value belongs to a key that was no scalar
    seen: dict[str, Span] = field(default_factory=dict)


class _Reader:
    def __init__(self, file: str, lines: tuple[str, ...], problems: Problems) -> None:
        self.file = file
        self.lines = lines
        self.problems = problems
        self.open: list[_Open] = []
        self.root: Node | None = None
        self.documents = 0

    def read(self, text: str) -> None:
        for count, event in enumerate(_events(text)):
            if count >= MAX_EVENTS:
                raise self.problems.fail(self.span(event), f"a spec may have at most {MAX_EVENTS:,} YAML events")
            if isinstance(event, yaml.AliasEvent):
                raise self.refuse(event, f'aliases ("*{event.anchor}") are not part of the spec language')
            if isinstance(event, yaml.NodeEvent):
                self.plain(event)
            if isinstance(event, yaml.DocumentStartEvent):
                self.documents += 1
                if self.documents > 1:
                    raise self.problems.fail(
                        self.span(event), "a second YAML document begins here", "one file describes one paper"
                    )
                if event.tags:
                    raise self.refuse(event, "%TAG directives are not part of the spec language")
            elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
                if len(self.open) >= MAX_DEPTH:
                    raise self.problems.fail(self.span(event), f"nested more than {MAX_DEPTH} levels deep")
                mapping = isinstance(event, yaml.MappingStartEvent)
                self.open.append(_Open(*_at(event.start_mark), mapping, bool(event.flow_style)))
            elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                self.close(*_at(event.end_mark))
            elif isinstance(event, yaml.ScalarEvent):
                self.scalar(event)

    def plain(self, event: yaml.NodeEvent) -> None:
        """Refuse what hides or multiplies content."""
        if getattr(event, "anchor", None) is not None:
            raise self.refuse(event, f'anchors ("&{event.anchor}") are not part of the spec language')
        if (tag := getattr(event, "tag", None)) is not None:
            raise self.refuse(event, f'tags ("{tag}") are not part of the spec language')

    def refuse(self, event: yaml.Event, problem: str) -> SpecError:
        return self.problems.fail(self.span(event), problem, "write the value out where it is needed")

    def span(self, event: yaml.Event) -> Span:
        (line, column), (end_line, end_column) = _at(event.start_mark), _at(event.end_mark)
        if end_line != line or end_column <= column:
            end_column = column + 1
        return Span(self.file, line, column, line, end_column)

    def scalar(self, event: yaml.ScalarEvent) -> None:
        style = event.style or ""
        (line, column), (end_line, end_column) = _at(event.start_mark), _at(event.end_mark)
        if style in ("|", ">"):  # libyaml ends a block scalar where the next token begins
            end_line, end_column = self.last_character(line, end_line - 1, end_column - 1)
        span = Span(self.file, line, column, end_line, end_column)
        if len(event.value) > MAX_SCALAR:
            raise self.problems.fail(self.span(event), f"a text may have at most {MAX_SCALAR:,} characters")
        if bad := _CONTROL.search(event.value):  # by an escape: "\0"
            raise self.problems.fail(self.span(event), f"a text holds no control characters (U+{ord(bad[0]):04X})")
        if event.value == "<<" and not style and self.open and self.open[-1].mapping and self.open[-1].key is None:
            raise self.refuse(event, 'merge keys ("<<") are not part of the spec language')
        value: Plain = event.value
        if not style:
            value = resolve(event.value)
            if isinstance(value, (int, float)) and len(event.value) > MAX_DIGITS:
                self.problems.add(self.span(event), f"a number may have at most {MAX_DIGITS} characters")
                value = 0
        self.put(Scalar(value, event.value, style, span))

    def last_character(self, first: int, line: int, column: int) -> tuple[int, int]:
        """Behind the last visible character of the text that began at `first` and ended before (line, column)."""
        rows = [*self.lines[first:line], self.lines[line][:column] if line < len(self.lines) else ""]
        for offset in range(len(rows) - 1, -1, -1):
            if rows[offset].strip():
                return first + offset + 1, len(rows[offset].rstrip()) + 1
        return first, len(self.lines[first - 1]) + 1

    def close(self, line: int, column: int) -> None:
        """End the innermost mapping or sequence; (line, column) is behind its bracket, if it has one."""
        done = self.open.pop()
        last = done.values[-1].span if done.values else None
        end = (last.end_line, last.end_column) if last and not done.brackets else (line, column)
        span = Span(self.file, done.line, done.column, *end)
        if done.mapping:
            self.put(Mapping(tuple(zip(done.keys, done.values, strict=True)), span))
        else:
            self.put(Sequence(tuple(done.values), span))

    def put(self, node: Node) -> None:
        """Hand a finished node to what holds it."""
        if not self.open:
            self.root = node
            return
        holder = self.open[-1]
        if not holder.mapping:
            holder.values.append(node)
        elif holder.complex_key:
            holder.complex_key = False
        elif holder.key is not None:
            key, holder.key = holder.key, None
            if key.text in holder.seen:
                first = holder.seen[key.text]
                self.problems.add(
                    key.span, f'"{key.text}" stands twice in this mapping', f"it first stands in line {first.line}"
                )
                return
            holder.seen[key.text] = key.span
            holder.keys.append(key)
            holder.values.append(node)
        elif isinstance(node, Scalar):
            holder.key = node
        else:
            self.problems.add(node.span, "a key must be a word", "quote it if it holds brackets or braces")
            holder.complex_key = True


_INT = re.compile(r"[-+]?[0-9]+\Z")
_OCTAL = re.compile(r"0o[0-7]+\Z")
_HEX = re.compile(r"0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_INF = re.compile(r"[-+]?\.(inf|Inf|INF)\Z")
_WORDS: dict[str, Plain] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}


def resolve(text: str) -> Plain:
    """What the plain scalar `text` stands for by YAML 1.2.2, section 10.3.2 (core schema)."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > MAX_DIGITS:  # the caller refuses it if it looks like a number; no need to compute it
        return 0 if _INT.match(text) or _FLOAT.match(text) or _HEX.match(text) or _OCTAL.match(text) else text
    if _INT.match(text):
        return int(text)
    if _OCTAL.match(text) or _HEX.match(text):
        return int(text, 0)
    if _FLOAT.match(text):
        return float(text)
    if _INF.match(text):
        return float(text.replace(".", ""))
    return text
