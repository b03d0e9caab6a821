"""Text of a spec -> Python syntax trees with places, under limits that keep the parser and its readers shallow."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from archcheck.ir.span import Span
from archcheck.spec import slips
from archcheck.spec.nodes import Text
from archcheck.spec.problems import Problems

MAX_TEXT = 16 << 10  # characters of one flow or formula
MAX_BRACKETS = 32  # open at one place
MAX_TOKENS = 1_000  # of one statement
MAX_DEPTH = 100  # of a syntax tree: `a + b + c` is as deep as it has operators

_TOKEN = re.compile(r"\w+|[^\w\s]")
# A value of the vocabulary that is a keyword of Python: `pool(scope=global)`. It is parsed as a name of its length.
_KEYWORD = re.compile(r"((?<![=<>!])=\s*)global\b")


@dataclass(frozen=True)
class Piece:
    """One statement or expression: its tree, and where its characters stand in the spec."""

    node: ast.AST
    source: str  # what was parsed
    text: Text  # the text that holds it
    start: int  # offset of `source` in that text

    def span(self, node: ast.AST | None = None) -> Span:
        """The place of `node`, or of the whole piece."""
        if not isinstance(node, (ast.stmt, ast.expr, ast.keyword)):
            return self.text.at(self.start, self.start + len(self.source))
        start = self._offset(node.lineno, node.col_offset)
        end = self._offset(node.end_lineno or node.lineno, node.end_col_offset or 0)
        return self.text.at(self.start + start, self.start + max(start + 1, end))

    def words(self, node: ast.AST) -> str:
        """The source of `node`, on one line."""
        return " ".join((ast.get_source_segment(self.source, node) or "").split())

    def _offset(self, line: int, column: int) -> int:
        """Offset in `source` of a place as `ast` counts it: lines from 1, columns in bytes of UTF-8."""
        rows = self.source.split("\n")
        before = sum(len(row) + 1 for row in rows[: line - 1])
        return before + len(rows[line - 1].encode()[:column].decode(errors="ignore"))


def statements(text: Text, problems: Problems) -> list[Piece | None]:
    """The equations of `text`, one a line or separated by `;`; None for one that cannot be parsed, which is noted."""
    if not _fits(text, problems):
        return [None]
    pieces: list[Piece | None] = []
    for start, end in _cut(text.text):
        source = text.text[start:end]
        piece = _parse(text, start, source, problems)
        if piece is None:
            pieces.append(None)
        elif isinstance(piece.node, ast.Module):
            pieces += [Piece(node, source, text, start) for node in piece.node.body]
    return pieces


def expression(text: Text, problems: Problems, start: int = 0, end: int | None = None) -> Piece | None:
    """The single expression that `text[start:end]` holds, or None after noting why there is none."""
    if not _fits(text, problems):
        return None
    raw = text.text[start:end]
    source = raw.strip()
    start += len(raw) - len(raw.lstrip())
    if not source:
        problems.add(text.at(start, start), "something must stand here")
        return None
    piece = _parse(text, start, source, problems)
    if piece is None:
        return None
    body = piece.node.body if isinstance(piece.node, ast.Module) else []
    if len(body) != 1 or not isinstance(body[0], ast.Expr):
        problems.add(piece.span(), "one expression stands here, without an assignment")
        return None
    return Piece(body[0].value, source, text, start)


def _fits(text: Text, problems: Problems) -> bool:
    if len(text.text) > MAX_TEXT:
        problems.add(text.span, f"a flow or formula may have at most {MAX_TEXT:,} characters")
        return False
    if (at := text.text.find("\\")) >= 0:
        line = text.text[text.text.rfind("\n", 0, at) + 1 :].partition("\n")[0]
        problem = "equations are written in Python's syntax: no backslash can stand here"
        problems.add(text.at(at, at + 1), problem, slips.untexed(line))
        return False
    depth = 0
    for at, char in _code(text.text):
        depth += (char in "([{") - (char in ")]}")
        if depth > MAX_BRACKETS:
            problems.add(text.at(at, at + 1), f"more than {MAX_BRACKETS} brackets are open here", "name a part of it")
            return False
    return True


def _code(text: str) -> Iterator[tuple[int, str]]:
    """The characters of `text` outside of quotes and comments, with their offsets."""
    quote = ""
    comment = False
    for at, char in enumerate(text):
        if comment or quote:
            if char == "\n":  # a quote never passes the end of its line
                comment, quote = False, ""
                yield at, char
            elif char == quote:
                quote = ""
        elif char == "#":
            comment = True
        elif char in "\"'":
            quote = char
        else:
            yield at, char


def _cut(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each statement: a line end or `;` outside of brackets ends one."""
    depth = start = 0
    ends = []
    for at, char in _code(text):
        depth = max(0, depth + (char in "([{") - (char in ")]}"))
        if char == ";" or (char == "\n" and depth == 0):
            ends.append(at)
            depth = 0
    for end in [*ends, len(text)]:
        row = text[start:end]
        if row.strip() and not row.strip().startswith("#"):
            yield start + len(row) - len(row.lstrip()), start + len(row.rstrip())
        start = end + 1


def _parse(text: Text, start: int, source: str, problems: Problems) -> Piece | None:
    whole = text.at(start, start + len(source))
    if len(_TOKEN.findall(source)) > MAX_TOKENS:
        problems.add(whole, f"one equation may have at most {MAX_TOKENS:,} words and signs", "name a part of it")
        return None
    try:
        tree = ast.parse(_KEYWORD.sub(r"\1Global", source))
    except SyntaxError as error:
        rows = source.split("\n")
        row = min(max(error.lineno or 1, 1), len(rows))
        at = start + sum(len(line) + 1 for line in rows[: row - 1]) + max(0, (error.offset or 1) - 1)
        at = min(at, start + len(source) - 1)
        problems.add(text.at(at, at + 1), f"this equation cannot be read: {error.msg}", slips.shape_hint(source))
        return None
    except (RecursionError, MemoryError, ValueError):
        problems.add(whole, "this equation is nested too deeply", "name a part of it")
        return None
    if _depth(tree) > MAX_DEPTH:
        problems.add(whole, f"this equation is more than {MAX_DEPTH} operations deep", "name a part of it")
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == "Global":
            node.id = "global"
    return Piece(tree, source, text, start)


def _depth(tree: ast.AST) -> int:
    deepest = 0
    stack = [(tree, 1)]
    while stack:
        node, depth = stack.pop()
        deepest = max(deepest, depth)
        stack += [(child, depth + 1) for child in ast.iter_child_nodes(node)]
    return deepest
