"""The definitions of one Python source, found without parsing it whole; the first step of the static reader.

A file of a large package holds hundreds of definitions and a model needs a few of them. One regular expression, exact
about strings, comments and line continuations, cuts the text before every line that starts in column 0; brackets decide
which of those lines start a statement; a statement is parsed when it is asked for. Wherever this is not sure, `ast`
reads the whole file and decides.
"""

from __future__ import annotations

import ast
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from functools import cached_property
from types import MappingProxyType

from archcheck.errors import TargetError, excerpt
from archcheck.frontends.static.bindings import Bindings, StarImport, bindings, imported_names, is_plain_name

MAX_CHARACTERS = 4 * 1024 * 1024

# Python 3.11.4 and before are wrong about possessive groups (cpython#106052). Without, these patterns say the same: of
# their alternatives at most one fits at any place.
_ALL = "*+" if sys.version_info >= (3, 11, 5) else "*"
_STRING = (
    r'"""(?:[^"\\]++|\\(?s:.)|"(?!""))*+"""'
    r"|'''(?:[^'\\]++|\\(?s:.)|'(?!''))*+'''"
    r'|"(?!"")(?:[^"\\\n]++|\\(?s:.))*+"'
    r"|'(?!'')(?:[^'\\\n]++|\\(?s:.))*+'"
).replace(")*+", f"){_ALL}")
# To the next line that starts in column 0 with something that may start a statement. Possessive: no backtracking.
_SEGMENT = re.compile(rf"""(?:[^"'\#\\\n]++|{_STRING}|\#[^\n]*+|\\(?s:.)|\n(?![^\s\#)\]}}])){_ALL}""")
_TOKEN = re.compile(rf"{_STRING}|#[^\n]*+|[()\[\]{{}}]")
_STATEMENT = re.compile(r"[^\s#)\]}]")
# Keywords that cannot stand inside brackets: in a valid file no bracket is open where a line starts with one.
_CERTAIN = re.compile(
    r"(?:async[ \t]++def|def|class|import|with|try|while|del|raise|assert|pass|global)\b"
    r"|from[ \t.]++(?:(?!import\b)[\w.]++)?[ \t]*+import\b"
)
_CONTINUES = re.compile(r"(?:else|elif|except|finally)\b")
_DEFINITION = re.compile(r"(?:(?:async[ \t]++)?def|class)[ \t]++(\w++)")
_ASSIGNMENT = re.compile(r"(\w++)[ \t]*+(?::[\w.,|\[\] \t]++)?=(?!=)")
_FROM = re.compile(
    r"from[ \t]*+(\.*+)[ \t]*+((?!import\b)[\w.]++|)[ \t]*+import\b[ \t]*+(\*|\([\w\s,]*+\)|[\w \t,]*+)\s*+\Z"
)
_IMPORT = re.compile(r"import[ \t]++([\w. \t,]++)\s*+\Z")
_FORM_FEED = re.compile(r"^[ \t]*\f[ \t\f]*[^\s#]", re.MULTILINE)
_F_STRING = re.compile(rf"(?i)(?<!\w)r?f(?:r?)({_STRING})")
_DECORATORS = re.compile(r"^@[ \t]*+(\w++)", re.MULTILINE)
_BRACES = re.compile(r"\{\{|\}\}|[{}]")


class Entry:
    """One statement at the top level of a file.

    Attributes:
        names: what it binds, in order. A block (`if`, `try`, `with`, `for`, ...) binds what is bound anywhere in it.
        kind: "class", "def", "import", "assign", "block" or "other".
        line: 1-based number of its first line; of the first decorator, where it has some.
        changes: names that it changes without binding them: `x.a = 1`, `x[0] = 1`, `x.update(...)`, `del x`.
    """

    __slots__ = ("_index", "_node", "_position", "_segment", "changes", "kind", "line", "names")

    def __init__(
        self,
        index: Index,
        segment: tuple[int, int],
        line: int,
        kind: str,
        bound: Bindings,
        position: int = 0,
        node: ast.stmt | None = None,
    ) -> None:
        self._index = index
        self._segment = segment
        self._position = position  # among statements that share a line
        self._node = node
        self.line = line
        self.kind = kind
        self.names = bound.names
        self.changes = bound.changes

    def parse(self) -> ast.stmt:
        """The statement, with the line numbers of its file; parsed once.

        Raises:
            TargetError: it is not Python that this interpreter can parse, or it is nested too deeply.
        """
        if self._node is None:
            self._node = self._index.statement(self._segment, self.line, self._position)
        return self._node

    @property
    def text(self) -> str:
        """Its source, with the comments and empty lines that follow it."""
        return self._index.text[slice(*self._segment)]

    @property
    def end_line(self) -> int:
        """1-based number of its last line."""
        return self.parse().end_lineno or self.line

    def __repr__(self) -> str:
        return f"Entry({self.kind}, {', '.join(self.names)}, line {self.line})"


class Index:
    """What a Python source defines at its top level.

    Args:
        text: the source, with "\\n" between its lines.
        shown: its path as messages print it.

    Raises:
        TargetError: the text holds a NUL character or is larger than 4 Mi characters.
    """

    def __init__(self, text: str, shown: str) -> None:
        if len(text) > MAX_CHARACTERS:
            raise TargetError(
                f"the file has {len(text):,} characters; at most {MAX_CHARACTERS:,} are read",
                place=shown,
                hint="name the file that defines the model",
            )
        if "\0" in text:
            line = text.count("\n", 0, text.index("\0")) + 1
            raise TargetError("a NUL character: this is not Python source", place=f"{shown}:{line}")
        self.text = text
        self.shown = shown

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """Every statement at the top level, in order.

        Raises:
            TargetError: a statement that is neither a function nor a class cannot be parsed.
        """
        spans = self._spans()
        if spans is not None:
            try:
                return tuple(self._scan(spans))
            except TargetError:
                if self._whole is None:
                    raise
                self._stars.clear()  # those found before the cut went wrong
        return tuple(self._read())

    @cached_property
    def names(self) -> Mapping[str, tuple[Entry, ...]]:
        """Name -> the statements that bind it, in order."""
        found: dict[str, list[Entry]] = {}
        for entry in self.entries:
            for name in entry.names:
                found.setdefault(name, []).append(entry)
        return MappingProxyType({name: tuple(entries) for name, entries in found.items()})

    @cached_property
    def changes(self) -> Mapping[str, tuple[Entry, ...]]:
        """Name -> the statements that change what it stands for without binding it, in order."""
        found: dict[str, list[Entry]] = {}
        for entry in self.entries:
            for name in entry.changes:
                found.setdefault(name, []).append(entry)
        return MappingProxyType({name: tuple(entries) for name, entries in found.items()})

    @cached_property
    def star_imports(self) -> tuple[StarImport, ...]:
        """Every `from module import *` at the top level or in a block of it, in order."""
        assert self.entries is not None  # finding the entries finds them
        return tuple(self._stars)

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The text's lines, without their newlines."""
        return tuple(self.text.split("\n"))

    def line(self, number: int) -> str:
        """The text of line `number`, counted from 1; "" past the end."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""

    def check(self) -> None:
        """Parse the whole file.

        Raises:
            TargetError: it cannot be parsed; the message is that of the first syntax error.
        """
        if self._whole is None:
            self._parse(self.text)

    def statement(self, segment: tuple[int, int], line: int, position: int) -> ast.stmt:
        """The statement at `position` in a segment that starts at `line`. For `Entry.parse`."""
        try:
            return self._segment_statements(segment, line)[position]
        except TargetError:
            # The cut may have been wrong (an f-string that only a newer Python writes); the whole file decides.
            body = self._whole.body if self._whole is not None else []
            at_line = [node for node in body if _first_line(node) == line]
            if position >= len(at_line):
                raise
            return at_line[position]

    @cached_property
    def _stars(self) -> list[StarImport]:
        return []

    def _segment_statements(self, segment: tuple[int, int], line: int) -> list[ast.stmt]:
        # Empty lines in front cost less than moving every node of the tree down.
        return self._parse("\n" * (line - 1) + self.text[slice(*segment)]).body

    @cached_property
    def _whole(self) -> ast.Module | None:
        try:
            return self._parse(self.text)
        except TargetError:
            return None

    def _parse(self, text: str) -> ast.Module:
        # CPython bounds this by itself: 200 open brackets (SyntaxError), 100 indents (IndentationError), the
        # parser's stack (MemoryError) and the depth of the tree (RecursionError), each in linear time.
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # "invalid escape sequence" is not about the model
                return ast.parse(text)
        except SyntaxError as error:
            raise self._error(error) from None
        except (RecursionError, MemoryError):
            line = len(text) - len(text.lstrip("\n")) + 1
            raise TargetError(
                "nested too deeply for Python's own parser",
                place=f"{self.shown}:{line}",
                hint="no hand-written model looks like this: is the file generated?",
            ) from None
        except ValueError as error:
            raise TargetError(f"not Python source: {error}", place=self.shown) from None

    def _error(self, error: SyntaxError) -> TargetError:
        line, column = error.lineno or 1, max(1, error.offset or 1)
        width = (error.end_offset or 0) - column if error.end_lineno == error.lineno else 1
        text = self.line(line)
        version = ".".join(map(str, sys.version_info[:2]))
        old = "Missing parentheses in call to 'print'" in error.msg or "multiple exception types" in error.msg
        return TargetError(
            f"Python {version} cannot parse this: {error.msg}",
            place=f"{self.shown}:{line}:{column}",
            excerpt=excerpt(text, line, min(column, len(text) + 1), max(1, width)),
            hint="this looks like Python 2; convert it first (2to3, or lib2to3 in an older Python)" if old else "",
        )

    @cached_property
    def decorated(self) -> tuple[tuple[Entry, tuple[str, ...]], ...]:
        """Classes and functions with decorators, and the first names in these."""
        found = [entry for entry in self.entries if entry.kind in ("class", "def") and entry.text[:1] == "@"]
        return tuple((entry, tuple(dict.fromkeys(_DECORATORS.findall(_head(entry))))) for entry in found)

    def _read(self) -> Iterator[Entry]:
        """Entries by parsing the whole file."""
        module = self._parse(self.text)
        starts = [0]
        for content in self.lines:
            starts.append(starts[-1] + len(content) + 1)
        for node in module.body:
            end = node.end_lineno or node.lineno
            yield self._entry((starts[_first_line(node) - 1], min(starts[end], len(self.text))), node)

    def _scan(self, spans: list[tuple[int, int, int]]) -> Iterator[Entry]:
        """Entries by their first words; statements whose words are not enough are parsed."""
        text, line, before = self.text, 1, 0
        for start, definition, end in spans:
            line += text.count("\n", before, start)
            before = start
            match = _DEFINITION.match(text, definition)
            if match and is_plain_name(match[1]):
                kind = "class" if text.startswith("class", definition) else "def"
                yield Entry(self, (start, end), line, kind, Bindings((match[1],)))
            elif (found := _by_words(text[start:end])) is not None:
                kind, bound = found
                entry = Entry(self, (start, end), line, kind, bound)
                self._stars.extend(StarImport(entry, *star) for star in bound.stars)
                yield entry
            else:
                for position, node in enumerate(self._segment_statements((start, end), line)):
                    yield self._entry((start, end), node, position)

    def _entry(self, segment: tuple[int, int], node: ast.stmt, position: int = 0) -> Entry:
        bound = bindings(node)
        entry = Entry(self, segment, _first_line(node), _kind(node), bound, position, node)
        self._stars.extend(StarImport(entry, *star) for star in bound.stars)
        return entry

    def _spans(self) -> list[tuple[int, int, int]] | None:
        """(start, start of what follows the decorators, end) of each statement; None: not sure."""
        text = self.text
        if "\f" in text and _FORM_FEED.search(text):
            return None  # a form feed sets the column back to 0
        if sys.version_info >= (3, 12) and _cuts_an_f_string(text):
            return None
        cuts: list[int] = []
        end = 0
        if not _STATEMENT.match(text):  # comments, empty lines or an indented first statement
            end = _SEGMENT.match(text).end()  # type: ignore[union-attr]  # it matches the empty text as well
            if any(line.strip() and not line.lstrip().startswith("#") for line in text[:end].split("\n")):
                return None
            end += 1
        while end < len(text):
            if end and text[end - 1] != "\n":
                return None  # an unterminated string
            cuts.append(end)
            end = _SEGMENT.match(text, end).end() + 1  # type: ignore[union-attr]
        if end == len(text) and text[-1:] not in ("\n", ""):
            return None
        return _statements(text, cuts)


def _head(entry: Entry) -> str:
    """The decorators of a class or function."""
    return entry.text[: max(entry.text.find("\nclass " if entry.kind == "class" else "\ndef "), 0) + 1]


def _statements(text: str, cuts: list[int]) -> list[tuple[int, int, int]] | None:
    """Statements from the lines that may start one."""
    ends = [*cuts[1:], len(text)]
    starts: list[bool] = [True] * len(cuts)
    depth = 0  # at the end of the segment: where a line certainly starts a statement, or the file ends, it is 0
    for number in range(len(cuts) - 1, -1, -1):
        cut = cuts[number]
        if _CERTAIN.match(text, cut):
            depth = 0
            continue
        depth -= _net_brackets(text[cut : ends[number]])
        if depth < 0:
            return None
        starts[number] = depth == 0 and not _CONTINUES.match(text, cut)
    spans: list[tuple[int, int, int]] = []
    decorated = -1
    for number, cut in enumerate(cuts):
        if decorated >= 0 and starts[number]:
            if text[cut] == "@":
                continue
            spans.append((decorated, cut, ends[number]))
            decorated = -1
        elif decorated >= 0:
            continue
        elif not starts[number]:
            if not spans:
                return None
            spans[-1] = (*spans[-1][:2], ends[number])
        elif text[cut] == "@":
            decorated = cut
        else:
            spans.append((cut, cut, ends[number]))
    return spans if decorated < 0 else None


def _net_brackets(segment: str) -> int:
    opened = segment.count("(") + segment.count("[") + segment.count("{")
    closed = segment.count(")") + segment.count("]") + segment.count("}")
    if not opened and not closed:
        return 0
    if '"' not in segment and "'" not in segment and "#" not in segment:
        return opened - closed
    net = 0
    for token in _TOKEN.findall(segment):
        if token in "([{":
            net += 1
        elif token in ")]}":
            net -= 1
    return net


def _by_words(segment: str) -> tuple[str, Bindings] | None:
    """Kind and names of an import or a plain assignment by its first words; None: they are not enough."""
    if ";" in segment or "\\" in segment:
        return None
    if match := _FROM.match(segment):
        if match[3] == "*":
            return "import", Bindings((), (), ((len(match[1]), match[2]),))
        names = imported_names(match[3].strip("()"), whole=True)
        return ("import", Bindings(names)) if names else None
    if match := _IMPORT.match(segment):
        names = imported_names(match[1], whole=False)
        return ("import", Bindings(names)) if names else None
    if segment.count("=") == 1 and (match := _ASSIGNMENT.match(segment)):
        name = match[1]
        return ("assign", Bindings((name,))) if is_plain_name(name) else None
    return None


def _cuts_an_f_string(text: str) -> bool:
    """Whether an f-string may reuse its quotes inside braces (PEP 701): then `_STRING` ends too early."""
    for match in _F_STRING.finditer(text):
        depth = 0
        for brace in _BRACES.findall(match[1]):
            if len(brace) == 2:
                depth += 0 if depth == 0 else 2 if brace == "{{" else -2
            else:
                depth += 1 if brace == "{" else -1
        if depth:
            return True
    return False


def _first_line(node: ast.stmt) -> int:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.decorator_list:
        return node.decorator_list[0].lineno
    return node.lineno


def _kind(node: ast.stmt) -> str:
    match node:
        case ast.ClassDef():
            return "class"
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return "def"
        case ast.Import() | ast.ImportFrom():
            return "import"
        case ast.Assign() | ast.AugAssign() | ast.AnnAssign():
            return "assign"
        case ast.Expr() | ast.Delete() | ast.Pass() | ast.Assert() | ast.Raise():
            return "other"
    return "block" if hasattr(node, "body") or isinstance(node, ast.Match) else "assign"  # the last: `type X = ...`
