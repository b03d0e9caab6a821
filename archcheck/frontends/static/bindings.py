"""Which names a statement binds, by Python's own rules."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archcheck.frontends.static.index import Entry

_NAME = re.compile(r"\w+")
_AS = re.compile(r"\s+as\s+")


@dataclass(frozen=True, slots=True)
class StarImport:
    """One `from module import *`: `level` dots and `module`, as written, in the statement `entry`."""

    entry: Entry
    level: int
    module: str


@dataclass(frozen=True, slots=True)
class Bindings:
    """What a statement does to the names of its module.

    `names` are bound, `changes` are changed without being bound; `stars` are (dots, module) of its star imports.
    """

    names: tuple[str, ...]
    changes: tuple[str, ...] = ()
    stars: tuple[tuple[int, str], ...] = ()


def bindings(statement: ast.stmt) -> Bindings:
    """What `statement` binds in the scope that it stands in, blocks inside it included.

    An annotation without a value binds nothing; the name of an `except ... as` is gone after its handler. A name bound
    by `:=` inside a comprehension belongs to the scope around it.
    """
    names: dict[str, None] = {}
    changes: dict[str, None] = {}
    stars: list[tuple[int, str]] = []
    pending: list[ast.AST] = [statement]
    while pending:
        node = pending.pop()
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names[name] = None
                continue
            case ast.Lambda() | ast.Constant():
                continue
            case ast.Import():
                names.update({alias.asname or alias.name.partition(".")[0]: None for alias in node.names})
                continue
            case ast.ImportFrom():
                if node.names[0].name == "*":
                    stars.append((node.level, node.module or ""))
                else:
                    names.update({alias.asname or alias.name: None for alias in node.names})
                continue
            case ast.AnnAssign(value=None):
                continue
            case ast.Name(ctx=ast.Store()):
                names[node.id] = None
                continue
            case ast.Name(ctx=ast.Del()):
                changes[node.id] = None
                continue
            case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()):
                if root := root_name(node):
                    changes[root] = None
            case ast.Expr(value=ast.Call(func=ast.Attribute() as method)):
                if root := root_name(method):
                    changes[root] = None
            case ast.MatchAs(name=str() as name) | ast.MatchStar(name=str() as name):
                names[name] = None
            case ast.MatchMapping(rest=str() as name):
                names[name] = None
            case ast.comprehension():
                pending.extend(reversed([node.iter, *node.ifs]))  # its target is its own
                continue
        pending.extend(reversed(list(ast.iter_child_nodes(node))))
    return Bindings(tuple(names), tuple(changes), tuple(stars))


def root_name(node: ast.expr) -> str:
    """`x` of `x.a[0].b`; "" where it does not start with a name."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def from_names(text: str) -> tuple[str, ...]:
    """Names that `from m import <text>` binds: `"a, b as c"` binds a and c."""
    words = (_AS.split(word.strip()) for word in text.split(",") if word.strip())
    return tuple(dict.fromkeys(word[-1] for word in words))


def dotted_names(text: str) -> tuple[str, ...]:
    """Names that `import <text>` binds: `"a.b, c.d as e"` binds a and e."""
    words = (_AS.split(word.strip()) for word in text.split(",") if word.strip())
    return tuple(dict.fromkeys(word[1] if len(word) > 1 else word[0].partition(".")[0].strip() for word in words))


def first_name(text: str) -> str:
    """The name that `text` starts with, or ""."""
    match = _NAME.match(text)
    return match[0] if match and match[0].isidentifier() else ""
