"""The text of a DOT file -> its nodes with their labels and its arrows, in the order in which they stand.

It is the part of the language that says what is drawn; how it is drawn is passed over. The reader is bounded in size,
depth and time, runs nothing and opens no other file.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from archcheck.errors import SpecError
from archcheck.ir.span import Span
from archcheck.spec.problems import Problems

MAX_BYTES = 1 << 20
MAX_NODES = 2_000
MAX_ARROWS = 10_000
MAX_NESTED = 32  # subgraphs inside subgraphs, and brackets of an HTML label

_TOKEN = re.compile(
    r"(?P<blank>\s+|//[^\n]*|/\*.*?\*/)"
    r'|(?P<quoted>"(?:[^"\\]|\\.)*")'
    r"|(?P<arrow>->|--)"
    r"|(?P<word>[^\W\d]\w*|-?(?:\.\d+|\d+(?:\.\d*)?))"
    r"|(?P<sign>[{}\[\];,=:+])"
    r"|(?P<html><)",
    re.DOTALL,
)
_BREAKS = re.compile(r"<\s*(?:br|/tr|/td|/th|hr)\b[^>]*>", re.IGNORECASE)
_TAGS = re.compile(r"<[^>]*>")


@dataclass(frozen=True, slots=True)
class Node:
    """A node: the lines of its label, its shape, and where its label stands, or else its name."""

    name: str
    lines: tuple[str, ...]
    shape: str
    span: Span


@dataclass(frozen=True, slots=True)
class Arrow:
    tail: str
    head: str
    span: Span


@dataclass(frozen=True, slots=True)
class Cluster:
    """A subgraph with a label, and the nodes in it."""

    label: str
    nodes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Diagram:
    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]
    clusters: tuple[Cluster, ...]
    problems: Problems  # of its file, none so far


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # word, quoted, html, arrow or the sign itself
    text: str
    span: Span


def parse(data: bytes, file: str) -> Diagram:
    """The diagram in `data`.

    Raises:
        SpecError: it is no DOT, it has lines without a direction, or it is too large to be a diagram.
    """
    problems = Problems(file, ())
    if len(data) > MAX_BYTES:
        raise problems.fail(Span(file, 1), f"a diagram may have at most {MAX_BYTES:,} bytes")
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise problems.fail(Span(file, 1), "this is not UTF-8", "save the diagram as UTF-8") from None
    problems = Problems(file, tuple(text.split("\n")))
    return _Parser(list(_tokens(text, problems)), problems).diagram()


def _tokens(text: str, problems: Problems) -> Iterator[_Token]:
    at, line, start = 0, 1, 0  # `start`: of the line
    while at < len(text):
        span = Span(problems.file, line, at - start + 1, line, at - start + 2)
        if text[at] == "#" and not text[start:at].strip():  # a line of a preprocessor
            end = text.find("\n", at)
            found, kind, end = "", "blank", len(text) if end < 0 else end
        else:
            match = _TOKEN.match(text, at)
            if match is None:
                hint = 'a text with other signs stands in quotes: "Add & Norm"'
                what = "this text has no end" if text[at] == '"' else f'"{text[at]}" cannot stand here'
                raise problems.fail(span, f"this is not DOT: {what}", hint)
            kind, found, end = match.lastgroup or "", match[0], match.end()
            if kind == "html":
                end = _html_end(text, at, span, problems)
                found = text[at + 1 : end - 1]
        if kind != "blank":
            wide = end - at if "\n" not in text[at:end] else 1
            place = Span(problems.file, line, at - start + 1, line, at - start + 1 + wide)
            yield _Token(found if kind == "sign" else kind, found, place)
        breaks = text.count("\n", at, end)
        if breaks:
            line, start = line + breaks, text.rfind("\n", at, end) + 1
        at = end


def _html_end(text: str, at: int, span: Span, problems: Problems) -> int:
    """Where the HTML label that begins at `at` has ended."""
    depth = 0
    for match in re.compile(r"[<>]").finditer(text, at):
        depth += 1 if match[0] == "<" else -1
        if depth > MAX_NESTED:
            break
        if depth == 0:
            return match.end()
    raise problems.fail(span, "this is not DOT: the HTML of this label has no end", 'write the label in quotes: "norm"')


@dataclass
class _Parser:
    """Reads tokens from first to last; what a node is labelled may be said before or after the arrows."""

    tokens: list[_Token]
    problems: Problems
    at: int = 0
    directed: bool = True
    labels: dict[str, tuple[str, str, Span]] = field(default_factory=dict)  # name -> text, kind of token, place
    shapes: dict[str, str] = field(default_factory=dict)
    seen: dict[str, Span] = field(default_factory=dict)
    arrows: list[Arrow] = field(default_factory=list)
    clusters: list[Cluster] = field(default_factory=list)

    def diagram(self) -> Diagram:
        self.take_word("strict")
        word = self.next()
        if word is None or word.text.lower() not in ("digraph", "graph"):
            hint = 'a diagram begins with: digraph { x -> "layer norm" -> output }'
            raise self.wrong(word, "it does not begin with digraph", hint)
        self.directed = word.text.lower() == "digraph"
        if (token := self.peek()) is not None and token.kind in ("word", "quoted"):
            self.at += 1
        self.expect("{")
        self.statements({}, 1)
        nodes = tuple(self.node(name, span) for name, span in self.seen.items())
        return Diagram(nodes, tuple(self.arrows), tuple(self.clusters), self.problems)

    # ---- tokens

    def peek(self) -> _Token | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def next(self) -> _Token | None:
        token = self.peek()
        self.at += 1
        return token

    def take(self, kind: str) -> bool:
        if (token := self.peek()) is not None and token.kind == kind:
            self.at += 1
            return True
        return False

    def take_word(self, word: str) -> bool:
        token = self.peek()
        if token is not None and token.kind == "word" and token.text.lower() == word:
            self.at += 1
            return True
        return False

    def expect(self, kind: str) -> _Token:
        token = self.next()
        if token is None or token.kind != kind:
            raise self.wrong(token, f'"{kind}" must stand here')
        return token

    def wrong(self, token: _Token | None, what: str, hint: str = "") -> SpecError:
        last = self.tokens[-1].span if self.tokens else Span(self.problems.file, 1)
        where = token.span if token is not None else last
        return self.problems.fail(where, f"this is not DOT: {what}", hint)

    def name(self) -> _Token:
        """A word, a quoted text or the HTML of a label; quoted texts may be joined with +."""
        token = self.next()
        if token is None or token.kind not in ("word", "quoted", "html"):
            raise self.wrong(token, "a name must stand here")
        text = token.text
        if token.kind == "quoted":
            text = _unquoted(text)
            while self.take("+"):
                text += _unquoted(self.expect("quoted").text)
        return _Token(token.kind, text, token.span)

    # ---- statements

    def statements(self, shared: dict[str, _Token], depth: int) -> frozenset[str]:
        """What stands up to the closing brace; the nodes that were named there.

        Args:
            shared: attributes that nodes have unless they say otherwise.
        """
        if depth > MAX_NESTED:
            raise self.wrong(self.peek(), f"more than {MAX_NESTED} subgraphs are inside each other")
        own: dict[str, _Token] = {}
        named: set[str] = set()
        shared = dict(shared)
        while not self.take("}"):
            if self.peek() is None:
                raise self.wrong(None, "a } is missing at its end")
            if self.take(";") or self.take(","):
                continue
            self.statement(shared, own, named, depth)
        label = own.get("label")
        if label is not None and depth > 1:
            self.clusters.append(Cluster(" ".join(_lines(label.text, label.kind)), frozenset(named)))
        return frozenset(named)

    def statement(self, shared: dict[str, _Token], own: dict[str, _Token], named: set[str], depth: int) -> None:
        for word, kept in (("graph", own), ("node", shared), ("edge", {})):
            token = self.peek()
            after = self.tokens[self.at + 1].kind if self.at + 1 < len(self.tokens) else ""
            if token is not None and token.kind == "word" and token.text.lower() == word and after == "[":
                self.at += 1
                kept.update(self.attributes())
                return
        before = self.at
        ends = self.endpoint(shared, named, depth)
        if self.at == before + 1 and self.take("="):
            own[self.tokens[before].text.lower()] = self.name()
            for name in ends:  # `label = "..."` names no node
                if self.seen.get(name) is self.tokens[before].span:
                    del self.seen[name]
                    named.discard(name)
            return
        chain, drawn = [ends], len(self.arrows)
        while (token := self.peek()) is not None and token.kind == "arrow":
            self.at += 1
            if token.text == "--" or not self.directed:
                raise self.problems.fail(
                    token.span, "this line has no direction", "a diagram of a model has arrows: digraph { x -> norm }"
                )
            chain.append(self.endpoint(shared, named, depth))
            self.join(chain[-2], chain[-1], token.span)
        given = self.attributes()
        if len(chain) == 1:
            for name in ends:
                self.describe(name, given)
        elif (style := given.get("style")) is not None and "invis" in style.text:  # it only moves nodes
            del self.arrows[drawn:]

    def join(self, tails: tuple[str, ...], heads: tuple[str, ...], span: Span) -> None:
        if len(self.arrows) + len(tails) * len(heads) > MAX_ARROWS:
            raise self.problems.fail(span, f"a diagram may have at most {MAX_ARROWS:,} arrows")
        self.arrows += [Arrow(tail, head, span) for tail in tails for head in heads]

    def endpoint(self, shared: dict[str, _Token], named: set[str], depth: int) -> tuple[str, ...]:
        """A node, or the nodes of a subgraph; a port behind a node says where on its border an arrow ends."""
        if self.take_word("subgraph"):
            token = self.peek()
            if token is not None and token.kind in ("word", "quoted"):
                self.at += 1
            self.expect("{")
            found = self.statements(shared, depth + 1)
        elif self.take("{"):
            found = self.statements(shared, depth + 1)
        else:
            token = self.name()
            if token.text not in self.seen:
                if len(self.seen) >= MAX_NODES:
                    raise self.problems.fail(token.span, f"a diagram may have at most {MAX_NODES:,} nodes")
                self.seen[token.text] = token.span
                self.describe(token.text, shared)
            while self.take(":"):
                self.name()
            found = frozenset((token.text,))
        named |= found
        return tuple(name for name in self.seen if name in found)

    def attributes(self) -> dict[str, _Token]:
        found: dict[str, _Token] = {}
        while self.take("["):
            while not self.take("]"):
                if self.take(",") or self.take(";"):
                    continue
                key = self.name()
                found[key.text.lower()] = self.name() if self.take("=") else key
        return found

    # ---- nodes

    def describe(self, name: str, given: dict[str, _Token]) -> None:
        if (label := given.get("label")) is not None:
            self.labels[name] = (label.text, label.kind, label.span)
        if (shape := given.get("shape")) is not None:
            self.shapes[name] = shape.text.lower()

    def node(self, name: str, span: Span) -> Node:
        text, kind, place = self.labels.get(name, (name, "word", span))
        shape = self.shapes.get(name, "")
        if shape in ("record", "mrecord"):
            text = re.sub(r"(?<!\\)[{}|]|<[^<>|]*>", "\n", text)
        lines = _lines(text.replace("\\N", name), kind)
        return Node(name, lines, shape, place)


def _unquoted(text: str) -> str:
    return text[1:-1].replace('\\"', '"').replace("\\\n", "")


def _lines(text: str, kind: str) -> tuple[str, ...]:
    """The lines of a label as a reader sees them."""
    if kind == "html":
        text = html.unescape(_TAGS.sub("", _BREAKS.sub("\n", text)))
    else:
        text = re.sub(r"\\([nlr])", "\n", text).replace("\\", "")
    return tuple(line for row in text.split("\n") if (line := " ".join(row.split())))
