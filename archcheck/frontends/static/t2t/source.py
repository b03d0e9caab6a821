"""Files of one package, read as text: an index of what each module binds, and LibCST trees of what is asked for.

`ast` parses each file once: it is ten times as fast, it refuses what would end LibCST's process (`((((…`), and its
positions say where each top-level statement stands. LibCST then parses single statements, when they are needed.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from archcheck.errors import TargetError, excerpt
from archcheck.ir.span import Span

if TYPE_CHECKING:
    import libcst as cst
    from libcst.metadata import CodeRange

Find = Callable[[str], "tuple[str, str] | None"]
"""Module name -> (path to show, text), or None where the package has no such module."""

MAX_CHARACTERS = 4 << 20  # of one file
MAX_MODULES = 256  # files that one question may read
MAX_NESTING = 120  # of a statement given to LibCST, whose visitors recurse
MAX_NODES = 50_000  # of a statement given to LibCST, which takes 150 us a node on long lists


class Unreadable(Exception):
    """A statement or a module that is not given to LibCST; `str()` says why."""


@dataclass(eq=False)
class Segment:
    """One top-level statement as a LibCST tree, and where its nodes stand in the file."""

    module: Module
    tree: cst.Module
    first_line: int  # of the file, on which the segment starts
    first_column: int  # 0-based, in characters
    ranges: dict[cst.CSTNode, CodeRange]
    literals: dict[cst.CSTNode, object] = field(default_factory=dict)  # their values, on demand
    statements: dict[tuple[str, int, int], cst.CSTNode] = field(default_factory=dict)  # kind, line, column; on demand

    def span(self, node: cst.CSTNode) -> Span:
        """The place of `node` in the file."""
        where = self.ranges[node]
        return Span(
            self.module.shown,
            where.start.line + self.first_line - 1,
            where.start.column + 1 + (self.first_column if where.start.line == 1 else 0),
            where.end.line + self.first_line - 1,
            where.end.column + 1 + (self.first_column if where.end.line == 1 else 0),
        )

    def find(self, node: ast.stmt) -> cst.CSTNode:
        """The LibCST node of a statement that `ast` found inside this segment.

        Raises:
            Unreadable: there is none at its place.
        """
        line = node.lineno - self.first_line + 1
        column = self.module.column(node) - (self.first_column if line == 1 else 0)
        if not self.statements:
            for candidate, where in self.ranges.items():
                kind = type(candidate).__name__
                if kind in _KINDS.values():
                    self.statements[kind, where.start.line, where.start.column] = candidate
        found = self.statements.get((_KINDS.get(type(node), ""), line, column))
        if found is None:
            raise Unreadable(f"line {node.lineno} could not be found again")
        return found

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> cst.FunctionDef:
        """The LibCST node of a function; raises as `find` does."""
        import libcst as cst

        found = self.find(node)
        assert isinstance(found, cst.FunctionDef)
        return found


_KINDS: dict[type[ast.stmt], str] = {
    ast.FunctionDef: "FunctionDef",
    ast.AsyncFunctionDef: "FunctionDef",
    ast.ClassDef: "ClassDef",
    ast.Assign: "Assign",
    ast.AnnAssign: "AnnAssign",
    ast.Expr: "Expr",
}


@dataclass(eq=False)
class Binding:
    """A statement that gives a name of a module its value."""

    node: ast.stmt
    top: ast.stmt  # the top-level statement that holds it
    repeated: bool  # inside a loop


@dataclass(eq=False)
class Module:
    """One file of the package: its text, and what its top level binds."""

    name: str
    shown: str
    lines: list[str]
    tree: ast.Module
    package: bool  # an `__init__.py`: relative imports start in it
    bindings: dict[str, list[Binding]] = field(default_factory=dict)  # more than one: which one counts is open
    changed: set[str] = field(default_factory=set)  # names whose value is changed in place after it was bound
    stars: list[str] = field(default_factory=list)  # modules of `from … import *`
    segments: dict[tuple[int, int], Segment | Unreadable] = field(default_factory=dict)

    def column(self, node: ast.stmt) -> int:
        """The 0-based column of a statement in characters; `ast` counts bytes."""
        return self.characters(node.lineno, node.col_offset)

    def characters(self, line: int, byte: int) -> int:
        """How many characters `byte` bytes of a line are."""
        text = self.lines[line - 1]
        return byte if text.isascii() else len(text.encode()[:byte].decode(errors="replace"))

    def header(self, node: ast.stmt) -> Span:
        """The line on which a definition starts."""
        column = self.column(node)
        return Span(self.shown, node.lineno, column + 1, node.lineno, len(self.lines[node.lineno - 1].rstrip()) + 1)

    def segment(self, top: ast.stmt) -> Segment:
        """The LibCST tree of one top-level statement, parsed on first use.

        Raises:
            Unreadable: it is too large, too deeply nested, or LibCST cannot parse it.
        """
        place = (top.lineno, top.col_offset)
        found = self.segments.get(place)
        if found is None:
            try:
                found = _parse(self, top)
            except Unreadable as error:
                found = error
            self.segments[place] = found
        if isinstance(found, Unreadable):
            raise found
        return found

    def absolute(self, base: str, level: int) -> str:
        """The full name of the module that `from <level dots><base> import …` names here."""
        if not level:
            return base
        parts = self.name.split(".")
        parts = parts[: len(parts) - level + (1 if self.package else 0)]
        return ".".join([*parts, base] if base else parts)


def _parse(module: Module, top: ast.stmt) -> Segment:
    import libcst as cst
    from libcst.metadata import MetadataWrapper, PositionProvider

    _check_size(top)
    decorators: list[ast.expr] = getattr(top, "decorator_list", [])
    first = min([top.lineno, *(decorator.lineno for decorator in decorators)])
    column = 0 if decorators else module.column(top)
    last = top.end_lineno or top.lineno
    lines = module.lines[first - 1 : last]
    # Cut at the end first: on a single line the start would shift it.
    lines[-1] = lines[-1][: module.characters(last, top.end_col_offset or 0)]
    lines[0] = lines[0][column:]
    try:
        tree = cst.parse_module("\n".join(lines) + "\n")
        wrapper = MetadataWrapper(tree, unsafe_skip_copy=True)  # a fresh tree holds no node twice
        ranges = dict(wrapper.resolve(PositionProvider))
    except (cst.ParserSyntaxError, cst.CSTValidationError) as error:
        raise Unreadable(f"LibCST cannot parse line {first}: {str(error).splitlines()[0]}") from error
    except RecursionError as error:
        raise Unreadable(f"the statement in line {first} is nested too deeply") from error
    return Segment(module, tree, first, column, ranges)


def _check_size(top: ast.stmt) -> None:
    level: list[ast.AST] = [top]
    depth = count = 0
    while level:
        depth += 1
        count += len(level)
        if depth > MAX_NESTING:
            raise Unreadable(f"the statement in line {top.lineno} is nested more than {MAX_NESTING} levels deep")
        if count > MAX_NODES:
            raise Unreadable(f"the statement in line {top.lineno} holds more than {MAX_NODES:,} expressions")
        level = [child for node in level for child in ast.iter_child_nodes(node)]


class Library:
    """The modules of one package, each read and parsed at most once.

    Args:
        find: how to get a module's text.
        package: first part of the module names that are asked for; every other module is foreign.
    """

    def __init__(self, find: Find, package: str) -> None:
        self._find = find
        self._package = package
        self._modules: dict[str, Module | None] = {}
        self.refused: dict[str, str] = {}  # module name -> why it is there and cannot be read

    def root(self, name: str) -> Module:
        """The module that was asked for.

        Raises:
            TargetError: there is none, or it is not Python, with its place and the line.
        """
        found = self._find(name)
        if found is None:
            raise TargetError(f"there is no module {name}", hint="give the module's full name, package included")
        module = read(name, *found)
        self._modules[name] = module
        return module

    def module(self, name: str) -> Module | None:
        """Another module of the package; None where there is none, it is foreign, or it is in `refused`."""
        if name in self._modules:
            return self._modules[name]
        if name.split(".", 1)[0] != self._package:
            return None
        self._modules[name] = None
        if len(self._modules) > MAX_MODULES:
            self.refused[name] = f"more than {MAX_MODULES} modules would have to be read"
            return None
        found = self._find(name)
        if found is not None:
            try:
                self._modules[name] = read(name, *found)
            except TargetError as error:
                self.refused[name] = f"{error.place}: {error.problem}"
        return self._modules[name]


def read(name: str, shown: str, text: str) -> Module:
    """A module's text, parsed by `ast` and indexed.

    Raises:
        TargetError: it is not Python that can be read, with `file:line:column` and the line.
    """
    if len(text) > MAX_CHARACTERS:
        raise TargetError(f"the file is larger than {MAX_CHARACTERS >> 20} MiB", place=shown)
    # Lines as `ast` counts them: `str.splitlines` also breaks at form feeds and U+2028.
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in old files are no concern of the reader
            tree = ast.parse(text)
    except SyntaxError as error:
        line, column = error.lineno or 1, error.offset or 1
        lines = text.split("\n")
        shown_line = lines[line - 1] if 0 < line <= len(lines) else ""
        raise TargetError(
            f"this is not valid Python: {error.msg}",
            place=f"{shown}:{line}:{column}",
            excerpt=excerpt(shown_line[:200], line, min(column, 200)),
        ) from error
    except (RecursionError, MemoryError) as error:
        raise TargetError("the file is nested too deeply to be read", place=shown) from error
    except ValueError as error:  # a NUL byte
        raise TargetError(f"this is not valid Python: {error}", place=shown) from error
    module = Module(name, shown, text.split("\n"), tree, shown.rsplit("/", 1)[-1] == "__init__.py")
    for top in tree.body:
        _index(module, top, top, open_=False, repeated=False)
    if "global " in text:
        module.changed.update(name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names)
    return module


def _index(module: Module, top: ast.stmt, node: ast.stmt, *, open_: bool, repeated: bool) -> None:
    """Note what `node` binds; `open_` where it may not run."""
    for name in _bound(module, node):
        binding = Binding(node, top, repeated)
        if open_:
            module.bindings.setdefault(name, []).append(binding)
        else:
            module.bindings[name] = [binding]
    match node:
        case (
            ast.If() | ast.While() | ast.For() | ast.AsyncFor() | ast.Try() | ast.Match() | ast.With() | ast.AsyncWith()
        ):
            loop = repeated or isinstance(node, ast.For | ast.AsyncFor | ast.While)
            certain = isinstance(node, ast.With | ast.AsyncWith)
            for inner in inner_statements(node):
                _index(module, top, inner, open_=open_ or not certain, repeated=loop)
        case ast.AugAssign(target=target) | ast.Expr(value=ast.Call(func=ast.Attribute(value=target))):
            module.changed.add(_base(target))
        case ast.Assign(targets=targets):
            module.changed.update(_base(target) for target in targets if not isinstance(target, ast.Name))
        case ast.Delete(targets=targets):
            module.changed.update(_base(target) for target in targets)
        case _:
            pass


def inner_statements(node: ast.AST) -> Iterator[ast.stmt]:
    """The statements directly inside a statement: its bodies, handlers and cases, in source order."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield child
        elif isinstance(child, ast.ExceptHandler | ast.match_case):
            yield from inner_statements(child)


def _base(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _bound(module: Module, node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Import(names=names):
            for alias in names:
                yield alias.asname or alias.name.split(".", 1)[0]
        case ast.ImportFrom(names=names, module=base, level=level):
            for alias in names:
                if alias.name == "*":
                    module.stars.append(module.absolute(base or "", level))
                else:
                    yield alias.asname or alias.name
        case ast.Assign(targets=targets):
            for target in targets:
                yield from stored(target)
        case ast.AnnAssign(target=target, value=value) if value is not None:
            yield from stored(target)
        case ast.For(target=target) | ast.AsyncFor(target=target):
            yield from stored(target)
        case _:
            return


def stored(node: ast.AST) -> Iterator[str]:
    """The names that an assignment to `node` binds."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            yield inner.id
