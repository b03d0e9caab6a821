"""The code of a TorchScript archive: files of classes and functions, parsed as the Python that they are written in."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass, field
from typing import Any

from archcheck.errors import TargetError
from archcheck.frontends.torch_export.archive import Archive
from archcheck.frontends.torch_export.contents import within

MAX_CODE = 4 * 1024**2  # bytes of one archive's code
MAX_FILES = 20_000
MAX_LINE = 200_000  # characters; a tree of one statement takes hundreds of times its text
_PLAIN = re.compile(r"code/(?:[A-Za-z0-9_]+/)*[A-Za-z0-9_]+\.py")


@dataclass(frozen=True, slots=True)
class CodeFile:
    """One file of code.

    Attributes:
        module: the dotted name of what it defines: `__torch__.torch.nn.modules.linear`.
        entry: its name in the archive.
        shown: how reports call it.
        starts: at which character each of its lines starts.
    """

    module: str
    entry: str
    shown: str
    starts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Definition:
    """A class or a function of the archive."""

    node: ast.ClassDef | ast.FunctionDef
    file: CodeFile


@dataclass
class Code:
    """All definitions of an archive by qualified name; a file is parsed when one of its names is asked for.

    Args:
        archive: open for as long as names are asked for.
    """

    archive: Archive
    left: int = MAX_CODE
    _files: dict[str, str] = field(default_factory=dict)  # module -> entry
    _known: dict[str, dict[str, Definition]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for inside, entry in within(self.archive).items():
            if _PLAIN.fullmatch(inside):
                self._files[inside[len("code/") : -len(".py")].replace("/", ".")] = entry

    def find(self, qualified: str) -> Definition | None:
        """The class or function of this name; None where the archive defines none.

        Raises:
            TargetError: its file is too large, or no code.
        """
        module, _, word = qualified.rpartition(".")
        if module not in self._known:
            self._known[module] = self._parsed(module)
        return self._known[module].get(word)

    def _parsed(self, module: str) -> dict[str, Definition]:
        entry = self._files.get(module)
        if entry is None:
            return {}
        shown = f"{self.archive.shown}/{entry.partition('/')[2] if not entry.startswith('code/') else entry}"
        size = self.archive.entries[entry].size
        if size > self.left:
            raise self.archive.refused(f"it has more than {MAX_CODE // 1024**2} MiB of code")
        self.left -= size
        try:
            text = self.archive.read(entry).decode("utf-8")
        except UnicodeDecodeError:
            raise TargetError("its code is no text", place=shown) from None
        if len(text) > MAX_LINE and any(len(line) > MAX_LINE for line in text.split("\n")):
            raise TargetError(f"a line of its code has more than {MAX_LINE:,} characters", place=shown)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            line = getattr(error, "lineno", None) or 1
            reason = error.msg if isinstance(error, SyntaxError) else "it nests too deeply, or is no text"
            raise TargetError(f"its code cannot be parsed: {reason}", place=f"{shown}:{line}") from None
        starts = [0]
        for line in text.split("\n"):
            starts.append(starts[-1] + len(line) + 1)
        file = CodeFile(module, entry, shown, tuple(starts))
        return {
            node.name: Definition(node, file) for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)
        }


def chain(node: ast.AST) -> str:
    """`a.b.c`, where a node is no more than names and dots; else ""."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def types_of(node: ast.AST) -> dict[str, str]:
    """The attributes that a class declares, with their types, in order; those with values of their own apart."""
    found: dict[str, str] = {}
    for one in getattr(node, "body", ()):
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name) and one.value is None:
            found[one.target.id] = ast.unparse(one.annotation)
        elif isinstance(one, ast.Assign) and isinstance(target := one.targets[0], ast.Subscript):
            word = target.slice.value if isinstance(target.slice, ast.Constant) else None
            if isinstance(word, str):
                found[word] = ast.unparse(one.value)
    return found


def constants_of(node: ast.ClassDef) -> dict[str, Any]:
    """The attributes to which a class gives a plain value; `...` stands for one that is not plain."""
    found: dict[str, Any] = {}
    for one in node.body:
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name) and one.value is not None:
            try:
                found[one.target.id] = ast.literal_eval(one.value)
            except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                found[one.target.id] = ...
    return found


def listed(node: ast.AST, word: str) -> list[str]:
    """The names that a class lists under a word, such as `__parameters__`."""
    for one in getattr(node, "body", ()):
        if isinstance(one, ast.Assign) and ast.unparse(one.targets[0]) == word and isinstance(one.value, ast.List):
            return [part.value for part in one.value.elts if isinstance(part, ast.Constant) and type(part.value) is str]
    return []


def parameters_of(node: ast.FunctionDef) -> list[str]:
    """The names of a function's parameters, in order."""
    return [arg.arg for arg in node.args.args]
