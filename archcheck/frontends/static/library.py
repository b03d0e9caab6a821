"""Where sources come from: files found under named folders by Python's own rules, read as text and never imported."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from archcheck.errors import TargetError
from archcheck.frontends.static.footprint import Footprint
from archcheck.frontends.static.loaded import Loaded
from archcheck.frontends.static.sources import SourceFile

if TYPE_CHECKING:
    from archcheck.frontends.static.gin.files import Configuration

__all__ = ["Library", "Package", "Root", "SourceFile", "environment_roots"]

# Each starts with a fixed string, which `re` looks for several times faster than for an alternative.
_DEFINES = tuple(re.compile(rb"\n" + word + rb"[ \t]++(\w++)") for word in (b"class", b"def", rb"async[ \t]++def"))


@dataclass(frozen=True)
class Root:
    """A folder in which modules are looked for.

    Args:
        path: the folder.
        prefix: what `SourceFile.shown` puts before paths relative to it: "src" where the sources of a project stand
            in `src/` and the report speaks of `src/package/model.py`.
        trusted: an environment that the user installed; its symbolic links may lead out of it.
    """

    path: Path
    prefix: str = ""
    trusted: bool = False

    @cached_property
    def real(self) -> Path:
        """The folder itself, behind symbolic links."""
        return self.path.resolve()

    def below(self, path: Path) -> str:
        """A path inside the folder, relative to it, with "/"."""
        return str(path)[self._before :].replace(os.sep, "/")

    @cached_property
    def _before(self) -> int:
        """Characters before the relative part: comparing paths part by part took most of listing a large folder."""
        around = str(self.path)
        return 0 if around == "." else len(around) if around.endswith(os.sep) else len(around) + 1


@dataclass(frozen=True, eq=False)
class Package:
    """A package: regular, with an `__init__.py`, or a namespace package (PEP 420), which has none.

    Attributes:
        name: dotted.
        source: its `__init__.py`, or None.
        folders: where its modules are; more than one only in a namespace package.
    """

    name: str
    source: SourceFile | None
    folders: tuple[Path, ...]


class Library:
    """Finds modules by dotted name, in the order of its roots, and keeps what it found.

    `.py` files only: no stubs, no extension modules, no archives. A regular package in any root comes before a
    namespace package, as in Python. File names are compared by case on every system.
    """

    def __init__(self, roots: Iterable[Root | Path]) -> None:
        self.roots = tuple(root if isinstance(root, Root) else Root(root) for root in roots)
        self._found: dict[str, tuple[SourceFile | None, Package | None]] = {}
        self._sources: dict[Path, SourceFile] = {}
        self._in_folder: dict[Path, list[Path]] = {}  # those of them that stand right in a folder
        self._around: dict[Path, Root | None] = {}
        self._listings: dict[Path, dict[str, bool]] = {}
        self._definitions: dict[str, dict[str, list[SourceFile]]] = {}
        self.footprint = Footprint(self)
        self.gin: Configuration | None = None  # what gin files bind
        self._loaded: dict[frozenset[str], Loaded] = {}

    @contextmanager
    def loaded(self, opened: frozenset[str]) -> Iterator[Loaded]:
        """What modules hold for evaluations that read the sources of these packages; one evaluation at a time."""
        loaded = self._loaded.pop(opened, None)
        if loaded is None or not loaded.end():  # what the last one built may have been looked at since it ended
            loaded = Loaded()
        try:
            yield loaded
        finally:
            if loaded.end():
                self._loaded[opened] = loaded

    def release(self, folder: Path) -> None:
        """Forget the texts of the files right in `folder`, and what was parsed of them."""
        self._release({self._sources[path] for path in self._in_folder.get(folder, ())})

    def release_modules(self, names: Iterable[str]) -> None:
        """Forget the texts of modules, and what was parsed of them."""
        found = (self._found.get(name, (None, None))[0] for name in names)
        self._release({file for file in found if file is not None})

    def _release(self, files: set[SourceFile]) -> None:
        for file in files:
            file.release()
        for loaded in self._loaded.values():
            loaded.forget(files)

    def module(self, dotted: str) -> SourceFile | None:
        """The file of module or package `dotted`; None: there is none, or it is a namespace package."""
        self.footprint.asked.add(("module", dotted))
        return self._find(dotted)[0]

    def package(self, dotted: str) -> Package | None:
        """The package `dotted`; None: there is none, or it is a plain module."""
        self.footprint.asked.add(("module", dotted))
        return self._find(dotted)[1]

    def file(self, path: Path) -> SourceFile:
        """The source at `path`, the same object that `module` gives for its dotted name where it has one.

        Raises:
            TargetError: `path` is under none of the roots.
        """
        root = self._root_of(path.parent)
        if root is None:
            raise TargetError("the file is in none of the folders that are read", place=str(path))
        parts = root.below(path).split("/")
        is_package = parts[-1] == "__init__.py" and len(parts) > 1
        names = parts[:-1] if is_package else [*parts[:-1], path.stem]
        source = self._source(root, ".".join(names), path, is_package)
        found, _ = self._find(source.module)
        if found is not source:  # another folder has the package of that name: what was asked for is meant all the same
            self._found[source.module] = source, Package(source.module, source, (path.parent,)) if is_package else None
        return source

    def beside(self, path: Path) -> SourceFile:
        """A file that is no module and is read all the same: a configuration, whose lines reports show."""
        root = self._root_of(path.parent)
        if path not in self._sources:
            shown = str(path).replace(os.sep, "/") if root is None else root.below(path)
            shown = f"{root.prefix}/{shown}" if root is not None and root.prefix else shown
            self._sources[path] = SourceFile("", path, shown, False, self.footprint.tell)
        return self._sources[path]

    def shown(self, name: str) -> SourceFile | None:
        """The source, among those found so far, whose places are shown under `name`."""
        return next((source for source in self._sources.values() if source.shown == name), None)

    def modules(self, package: str) -> tuple[str, ...]:
        """Dotted names of the modules and packages right inside `package`, sorted; "" stands for the roots.

        Folders without an `__init__.py` are left out.
        """
        self.footprint.asked.add(("modules in", package))
        found = self.package(package) if package else None
        folders = tuple(root.path for root in self.roots) if not package else found.folders if found else ()
        names: set[str] = set()
        for folder in folders:
            for name, is_folder in self._listing(folder).items():
                if is_folder and name.isidentifier() and "__init__.py" in self._listing(folder / name):
                    names.add(name)
                elif not is_folder and name.endswith(".py") and name != "__init__.py" and name[:-3].isidentifier():
                    names.add(name[:-3])
        return tuple(f"{package}.{name}" if package else name for name in sorted(names))

    def walk(self, package: str) -> Iterator[SourceFile]:
        """`package` and every module inside it, at any depth, sorted by dotted name within each package."""
        pending = [package]
        seen: set[Path] = set()  # a link may lead back to a folder around it
        while pending:
            name = pending.pop()
            source = self.module(name)
            if source is not None:
                if source.is_package:
                    real = source.path.resolve()
                    if real in seen:
                        continue
                    seen.add(real)
                yield source
            pending.extend(reversed(self.modules(name)))

    def definitions(self, package: str, name: str) -> tuple[SourceFile, ...]:
        """The files in `package`, at any depth, that define a class or a function `name` at their top level.

        Where there are several, those count that the package right around them imports by name or with a star, if
        there are any (`if TYPE_CHECKING:` included, which is where lazy packages say what they hold): a generated
        file and the one that it is generated from define the same names, and one of them is exported.
        """
        found = self.defined(package).get(name, [])
        kept = tuple(source for source in found if _defines(source, name))
        with self.footprint.apart():  # of all files in the package it is known already that they matter
            exported = tuple(source for source in kept if self._is_exported(source, name))
        return exported if len(kept) > 1 and exported else kept

    def defined(self, package: str) -> Mapping[str, list[SourceFile]]:
        """Name -> the files in `package`, at any depth, in which a line in column 0 looks like its definition."""
        self.footprint.asked.add(("all in", package))
        if package not in self._definitions:
            with self.footprint.apart():
                self._definitions[package] = self._definitions_in(package)
        return self._definitions[package]

    def _definitions_in(self, package: str) -> dict[str, list[SourceFile]]:
        table: dict[str, list[SourceFile]] = {}
        for source in self.walk(package):
            try:
                data = b"\n" + source.content()
            except TargetError:
                continue  # a file that cannot be read has no definition to offer
            for found in dict.fromkeys(word for pattern in _DEFINES for word in pattern.findall(data)):
                table.setdefault(found.decode("utf-8", "replace"), []).append(source)
        return table

    def definition(self, package: str, name: str) -> str | None:
        """The module that alone defines a class or function `name` in `package`; None: there is none, or several."""
        found = self.definitions(package, name)
        return found[0].module if len(found) == 1 else None

    def _is_exported(self, source: SourceFile, name: str) -> bool:
        """Whether the package right around a file imports `name` or `*` from it, in whatever branch."""
        around = self.module(source.package) if not source.is_package else None
        if around is None:
            return False
        try:
            return bool({(source.module, name), (source.module, "*")} & _imports(around))
        except TargetError:
            return False  # an `__init__.py` that cannot be parsed exports nothing

    def _find(self, dotted: str) -> tuple[SourceFile | None, Package | None]:
        if dotted not in self._found:
            self._found[dotted] = self._search(dotted)
        return self._found[dotted]

    def _search(self, dotted: str) -> tuple[SourceFile | None, Package | None]:
        parent, _, name = dotted.rpartition(".")
        if not name.isidentifier():  # no import can write it; a file that was asked for by its path is a module
            return next((one for one in self._sources.values() if dotted and one.module == dotted), None), None
        if parent:
            package = self.package(parent)
            if package is None:
                return None, None
            folders = [(root, folder) for folder in package.folders if (root := self._root_of(folder))]
        else:
            folders = [(root, root.path) for root in self.roots]
        namespace: list[Path] = []
        for root, folder in folders:
            listing = self._listing(folder)
            if listing.get(name) is True:
                inner = folder / name
                if self._listing(inner).get("__init__.py") is False:
                    source = self._source(root, dotted, inner / "__init__.py", True)
                    return source, Package(dotted, source, (inner,))
                namespace.append(inner)
            if listing.get(f"{name}.py") is False:
                return self._source(root, dotted, folder / f"{name}.py", False), None
        return None, Package(dotted, None, tuple(namespace)) if namespace else None

    def _root_of(self, folder: Path) -> Root | None:
        # Roots may lie in each other (a virtual environment inside the project): the deepest is the one that found it.
        if folder not in self._around:
            holding = (root for root in self.roots if folder.is_relative_to(root.path))
            self._around[folder] = max(holding, key=lambda root: len(root.path.parts), default=None)
        return self._around[folder]

    def _source(self, root: Root, module: str, path: Path, is_package: bool) -> SourceFile:
        if path not in self._sources:
            shown = f"{root.prefix}/{root.below(path)}" if root.prefix else root.below(path)
            self._sources[path] = SourceFile(module, path, shown, is_package, self.footprint.tell)
            self._in_folder.setdefault(path.parent, []).append(path)
        return self._sources[path]

    def _listing(self, folder: Path) -> dict[str, bool]:
        """Name -> whether it is a folder. One listing answers every look-up in a folder, and compares case.

        Symbolic links that lead out of their root are left out, and so is all that they lead to.
        """
        if folder not in self._listings:
            try:
                with os.scandir(folder) as found:
                    self._listings[folder] = {e.name: e.is_dir() for e in found if self._may_be_read(folder, e)}
            except OSError:  # no folder, or not ours to read: nothing can be imported from it either
                self._listings[folder] = {}
        return self._listings[folder]

    def looked_in(self) -> tuple[Path, ...]:
        """The folders that were listed so far."""
        return tuple(self._listings)

    def held(self, folder: Path) -> str:
        """A digest of what in a folder could be a module, by name; what else lies there answers no question."""
        found = self._listing(folder).items()
        names = (f"{name}/" if is_folder else name for name, is_folder in found if is_folder or name.endswith(".py"))
        return hashlib.sha256("\0".join(sorted(set(names) - {"__pycache__/"})).encode()).hexdigest()

    def _may_be_read(self, folder: Path, entry: os.DirEntry[str]) -> bool:
        if not entry.is_symlink():
            return True
        root = self._root_of(folder)
        try:
            target = Path(entry.path).resolve(strict=True)
        except (OSError, RuntimeError):  # it leads nowhere, or in a circle
            return False
        return root is not None and (root.trusted or target.is_relative_to(root.real))


def environment_roots() -> tuple[Root, ...]:
    """Folders of installed packages: of the active virtual or conda environment, then of the running interpreter.

    The standard library is left out: its functions mean what the interpreter's own do.
    """
    standard = Path(os.__file__).parent
    entries = [
        site
        for variable in ("VIRTUAL_ENV", "CONDA_PREFIX")
        if (prefix := os.environ.get(variable))
        for pattern in ("lib/python3*/site-packages", "Lib/site-packages")
        for site in sorted(Path(prefix).glob(pattern))
    ]
    entries += [Path(entry) for entry in sys.path if entry]
    skipped = {standard, standard / "lib-dynload"}
    kept = dict.fromkeys(entry for entry in entries if entry not in skipped and entry.is_dir())
    return tuple(Root(entry, trusted=True) for entry in kept)


def _defines(source: SourceFile, name: str) -> bool:
    try:
        return any(entry.kind in ("class", "def") for entry in source.index.names.get(name, ()))
    except TargetError:
        return False  # it cannot be parsed: what it defines cannot be used


def _imports(source: SourceFile) -> set[tuple[str | None, str]]:
    """(module, name) of every `from module import name` at the top level of a file, in blocks too."""
    return {
        (source.absolute(node.level, node.module or ""), alias.name)
        for entry in source.index.entries
        if entry.kind in ("import", "block")
        for node in ast.walk(entry.parse())
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
