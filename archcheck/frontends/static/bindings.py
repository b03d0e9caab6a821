"""Which names a statement binds, by Python's own rules."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from keyword import iskeyword
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archcheck.frontends.static.index import Entry


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


def imported_names(text: str, *, whole: bool) -> tuple[str, ...]:
    """Names that `import <text>` binds, or `from m import <text>`; () where it is not plain.

    Args:
        text: what follows `import`, without brackets: `"a.b, c as d"`.
        whole: a name without `as` binds as it stands; otherwise its first part does, as in `import a.b`.
    """
    names: dict[str, None] = {}
    words = text.split(",")
    for number, word in enumerate(words):
        match word.split():
            case [name]:
                bound = name if whole else name.partition(".")[0]
            case [_, "as", name]:
                bound = name
            case [] if number == len(words) - 1:
                continue  # the comma before a closing bracket
            case _:
                return ()
        if not is_plain_name(bound):
            return ()
        names[bound] = None
    return tuple(names)


def is_plain_name(text: str) -> bool:
    """Whether `text` is a name as Python keeps it: no keyword, and ASCII, since others are normalised (NFKC)."""
    return text.isascii() and text.isidentifier() and not iskeyword(text)
