"""Where a name that a module offers is defined: followed through imports by the index, without evaluating anything."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from archcheck.errors import TargetError
from archcheck.frontends.static.bindings import bindings
from archcheck.frontends.static.index import Entry
from archcheck.frontends.static.library import Library, SourceFile

_STAR = re.compile(r"import[ \t]*\*")


@dataclass(frozen=True, slots=True)
class Definition:
    """A name's definition: `name` in `source`; "" stands for the module itself."""

    source: SourceFile
    name: str


def find(library: Library, source: SourceFile, name: str) -> Definition | None:
    """Where the `name` that `source` offers is defined; None: it offers no such name, or its source is not here.

    A name is followed through `from a import b as c`, through star imports as `__all__` allows, and into branches. A
    package that binds no such name may have a module of that name, or import it when it is asked for (`__getattr__`):
    then it is the one class or function of that name in the package.

    Raises:
        TargetError: several modules of the package define it, or a file on the way cannot be read.
    """
    found = _follow(library, source, name, set())
    if found is not None or not source.is_package:
        return found
    several = library.definitions(source.module, name)
    if len(several) > 1:
        listed = [f"{candidate.module}:{name}" for candidate in several]
        more = f" and {len(listed) - 4} more" if len(listed) > 4 else ""
        raise TargetError(
            f'"{name}" is defined in {len(listed)} modules of {source.module}',
            place=source.shown,
            hint=f"say which: {', '.join(listed[:4])}{more}",
        )
    return Definition(several[0], name) if several else None


def offered(library: Library, source: SourceFile) -> tuple[str, ...]:
    """Names that `source` offers, for suggestions: its own, those of star imports, and all that a package defines.

    Files that cannot be read offer nothing.
    """
    names: dict[str, None] = {}
    pending, seen = [source], {source.shown}
    while pending:
        at = pending.pop()
        try:
            names.update(dict.fromkeys(name for name in at.index.names if at is source or _star_gives(at, name)))
            stars = [at.absolute(star.level, star.module) for star in at.index.star_imports]
        except TargetError:
            continue
        for origin in [library.module(dotted) for dotted in stars if dotted]:
            if origin is not None and origin.shown not in seen:
                seen.add(origin.shown)
                pending.append(origin)
    if source.is_package:
        names.update(dict.fromkeys(library.defined(source.module)))
    return tuple(names)


def similar(name: str, candidates: Iterable[str], count: int = 3) -> tuple[str, ...]:
    """The candidates that a user who typed `name` may have meant, the likeliest first; case does not count."""
    by_lower: dict[str, str] = {}
    for candidate in candidates:
        by_lower.setdefault(candidate.lower(), candidate)
    near = difflib.get_close_matches(name.lower(), by_lower, n=count, cutoff=0.6)
    return tuple(by_lower[lower] for lower in near)


def _follow(library: Library, source: SourceFile, name: str, seen: set[tuple[str, str]]) -> Definition | None:
    if (source.shown, name) in seen:
        return None
    seen.add((source.shown, name))
    if not _may_offer(source, name):
        return _submodule(library, source, name)
    entries = source.index.names.get(name, ())
    for node in (node for entry in reversed(entries) for node in _binders(entry, name)):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            return Definition(source, name)
        if (found := _imported(library, source, node, name, seen)) is not None:
            return found
    if entries:
        return None
    for star in source.index.star_imports:
        dotted = source.absolute(star.level, star.module)
        origin = library.module(dotted) if dotted else None
        if origin is None or not _may_offer(origin, name) or not _star_gives(origin, name):
            continue
        if (found := _follow(library, origin, name, seen)) is not None:
            return found
    return _submodule(library, source, name)


def _may_offer(source: SourceFile, name: str) -> bool:
    """Whether it is worth indexing the file: one that never spells the name can only pass it on through a star."""
    return name in source.text or not name.isascii() or _STAR.search(source.text) is not None


def _submodule(library: Library, source: SourceFile, name: str) -> Definition | None:
    inner = library.module(f"{source.module}.{name}") if source.is_package else None
    return Definition(inner, "") if inner is not None else None


def _imported(
    library: Library, source: SourceFile, node: ast.Import | ast.ImportFrom, name: str, seen: set[tuple[str, str]]
) -> Definition | None:
    for alias in reversed(node.names):
        if isinstance(node, ast.Import):
            if (alias.asname or alias.name.partition(".")[0]) != name:
                continue
            module = library.module(alias.name if alias.asname else name)
            return Definition(module, "") if module is not None else None
        if (alias.asname or alias.name) != name:
            continue
        dotted = source.absolute(node.level, node.module or "")
        if dotted is None:
            return None
        origin = library.module(dotted)
        if origin is not None and (found := _follow(library, origin, alias.name, seen)) is not None:
            return found
        inner = library.module(f"{dotted}.{alias.name}")
        return Definition(inner, "") if inner is not None else None
    return None


def _binders(entry: Entry, name: str) -> Iterator[ast.stmt]:
    """The statements in `entry` that bind `name`, the last first; blocks are opened."""
    pending = [entry.parse()]
    while pending:
        node = pending.pop()
        if name not in bindings(node).names:
            continue
        if isinstance(node, ast.If | ast.Try | ast.TryStar | ast.With | ast.For | ast.While):
            inner = [*node.body, *getattr(node, "orelse", []), *getattr(node, "finalbody", [])]
            for handler in getattr(node, "handlers", []):
                inner.extend(handler.body)
            if any(name in bindings(child).names for child in inner):
                pending.extend(inner)
                continue
        yield node


def _star_gives(origin: SourceFile, name: str) -> bool:
    """Whether `from origin import *` may bind `name`: by `__all__` where it is a plain list, else if it is public."""
    entries = origin.index.names.get("__all__", ())
    if not entries:
        return not name.startswith("_")
    listed: set[str] = set()
    for entry in entries:
        node = entry.parse()
        value = node.value if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign) else None
        if not isinstance(value, ast.List | ast.Tuple):
            return True  # computed: it may be there
        for element in value.elts:
            if not (isinstance(element, ast.Constant) and isinstance(element.value, str)):
                return True
            listed.add(element.value)
    return name in listed or "__all__" in origin.index.changes  # `__all__.extend(...)`
