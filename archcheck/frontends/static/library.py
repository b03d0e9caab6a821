"""Where sources come from: files found under named folders by Python's own rules, read as text and never imported."""

from __future__ import annotations

import codecs
import io
import os
import stat
import sys
import tokenize
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from archcheck.errors import TargetError
from archcheck.frontends.static.index import Index

MAX_BYTES = 4 * 1024 * 1024
# Codecs that Python accepts in a coding line and that take quadratic time, or hide what a reader of the file sees.
_REFUSED_CODECS = frozenset({"punycode", "idna", "unicode_escape", "raw_unicode_escape", "utf_7", "undefined"})


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


@dataclass(frozen=True, eq=False)
class SourceFile:
    """One Python file. Its text is read when it is first asked for, and kept.

    Attributes:
        module: dotted name under which its package knows it: "tensor2tensor.models.transformer".
        path: where it is read.
        shown: where a reader finds it, relative to the folder that was read, with "/": the file of every `Span`.
        is_package: it is the `__init__.py` of `module`.
    """

    module: str
    path: Path
    shown: str
    is_package: bool

    @cached_property
    def text(self) -> str:
        """The source, decoded as PEP 263 says, with "\\n" between lines.

        Raises:
            TargetError: it cannot be opened, is no regular file, is larger than 4 MiB, or is no text.
        """
        return decode(read_bytes(self.path, self.shown), self.shown)

    @cached_property
    def index(self) -> Index:
        """Its top-level definitions. Raises TargetError as `text` does, and where the file holds a NUL."""
        return Index(self.text, self.shown)

    @property
    def package(self) -> str:
        """The package that its relative imports start from; "" at the top."""
        return self.module if self.is_package else self.module.rpartition(".")[0]

    def absolute(self, level: int, module: str = "") -> str | None:
        """The dotted name that `from <level dots><module> import ...` means here; None: it leaves the top package."""
        if level == 0:
            return module
        parts = self.package.split(".") if self.package else []
        if level > len(parts):
            return None
        return ".".join([*parts[: len(parts) - level + 1], *([module] if module else [])])

    def line(self, number: int) -> str:
        """The text of a line counted from 1; "" past the end."""
        return self.index.line(number)


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
        self._listings: dict[Path, dict[str, bool]] = {}

    def module(self, dotted: str) -> SourceFile | None:
        """The file of module or package `dotted`; None: there is none, or it is a namespace package."""
        return self._find(dotted)[0]

    def package(self, dotted: str) -> Package | None:
        """The package `dotted`; None: there is none, or it is a plain module."""
        return self._find(dotted)[1]

    def file(self, path: Path) -> SourceFile:
        """The source at `path`, the same object that `module` gives for its dotted name where it has one.

        Raises:
            TargetError: `path` is under none of the roots.
        """
        for root in self.roots:
            if path.is_relative_to(root.path):
                parts = list(path.relative_to(root.path).parts)
                is_package = parts[-1] == "__init__.py" and len(parts) > 1
                names = parts[:-1] if is_package else [*parts[:-1], path.stem]
                return self._source(root, ".".join(names), path, is_package)
        raise TargetError("the file is in none of the folders that are read", place=str(path))

    def modules(self, package: str) -> tuple[str, ...]:
        """Dotted names of the modules and packages right inside `package`, sorted. Folders without Python are not."""
        found = self.package(package)
        names: set[str] = set()
        for folder in found.folders if found else ():
            for name, is_folder in self._listing(folder).items():
                if is_folder and name.isidentifier() and "__init__.py" in self._listing(folder / name):
                    names.add(name)
                elif not is_folder and name.endswith(".py") and name != "__init__.py" and name[:-3].isidentifier():
                    names.add(name[:-3])
        return tuple(f"{package}.{name}" for name in sorted(names))

    def walk(self, package: str) -> Iterable[SourceFile]:
        """`package` and every module inside it, at any depth, sorted by dotted name within each package."""
        pending = [package]
        while pending:
            name = pending.pop()
            if (source := self.module(name)) is not None:
                yield source
            pending.extend(reversed(self.modules(name)))

    def _find(self, dotted: str) -> tuple[SourceFile | None, Package | None]:
        if dotted not in self._found:
            self._found[dotted] = self._search(dotted)
        return self._found[dotted]

    def _search(self, dotted: str) -> tuple[SourceFile | None, Package | None]:
        parent, _, name = dotted.rpartition(".")
        if not name.isidentifier():
            return None, None
        if parent:
            package = self.package(parent)
            if package is None:
                return None, None
            folders = [(self._root_of(folder), folder) for folder in package.folders]
        else:
            folders = [(root, root.path) for root in self.roots]
        namespace: list[Path] = []
        for root, folder in folders:
            listing = self._listing(folder)
            if listing.get(name) is True:
                inner = folder / name
                if self._listing(inner).get("__init__.py") is False and _inside(root, inner / "__init__.py"):
                    source = self._source(root, dotted, inner / "__init__.py", True)
                    return source, Package(dotted, source, (inner,))
                namespace.append(inner)
            if listing.get(f"{name}.py") is False and _inside(root, folder / f"{name}.py"):
                return self._source(root, dotted, folder / f"{name}.py", False), None
        spaces = tuple(folder for folder in namespace if _inside(self._root_of(folder), folder))
        return None, Package(dotted, None, spaces) if spaces else None

    def _root_of(self, folder: Path) -> Root:
        # Roots may lie in each other (a virtual environment inside the project): the deepest is the one that found it.
        return max((root for root in self.roots if folder.is_relative_to(root.path)), key=lambda r: len(r.path.parts))

    def _source(self, root: Root, module: str, path: Path, is_package: bool) -> SourceFile:
        if path not in self._sources:
            shown = "/".join([*([root.prefix] if root.prefix else []), path.relative_to(root.path).as_posix()])
            self._sources[path] = SourceFile(module, path, shown, is_package)
        return self._sources[path]

    def _listing(self, folder: Path) -> dict[str, bool]:
        """Name -> whether it is a folder. One listing answers every look-up in a folder, and compares case."""
        if folder not in self._listings:
            try:
                with os.scandir(folder) as found:
                    self._listings[folder] = {entry.name: entry.is_dir() for entry in found}
            except OSError:  # no folder, or not ours to read: nothing can be imported from it either
                self._listings[folder] = {}
        return self._listings[folder]


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


def read_bytes(path: Path, shown: str) -> bytes:
    """The content of a regular file of at most 4 MiB, opened without waiting and without following a last link.

    Raises:
        TargetError: it is anything else, or the system refuses.
    """
    flags = os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
        flags |= getattr(os, name, 0)
    try:
        descriptor = os.open(path.resolve(), flags)
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise TargetError("not a regular file", place=shown)
            data = file.read(MAX_BYTES + 1)
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, before Python 3.13
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise TargetError(f"cannot read the file: {reason}", place=shown) from None
    if len(data) > MAX_BYTES:
        raise TargetError(
            f"the file is larger than {MAX_BYTES // 1024 // 1024} MiB",
            place=shown,
            hint="name the file that defines the model",
        )
    return data


def decode(data: bytes, shown: str) -> str:
    """Source text from bytes: byte order mark, coding line (PEP 263), UTF-8 otherwise; any newline becomes "\\n".

    Raises:
        TargetError: a NUL byte, an unknown or refused encoding, or bytes that are not text in it.
    """
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise TargetError("a NUL byte: this is not Python source", place=f"{shown}:{line}")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        if codecs.lookup(encoding).name.replace("-", "_") in _REFUSED_CODECS:
            raise TargetError(f'the coding "{encoding}" is not read', place=f"{shown}:1", hint="save the file as UTF-8")
        text = data.decode(encoding)
    except SyntaxError as error:
        reason = str(error.msg).partition(" for ")[0]
        raise TargetError(f"not Python source: {reason}", place=shown, hint="save the file as UTF-8") from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TargetError(
            f"byte 0x{data[error.start]:02x} is not {encoding} text",
            place=f"{shown}:{line}",
            hint="save the file as UTF-8, or name its encoding in the first line: # -*- coding: latin-1 -*-",
        ) from None
    except (LookupError, ValueError) as error:
        raise TargetError(f"not Python source: {error}", place=shown) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _inside(root: Root, path: Path) -> bool:
    """Whether `path` may be read as part of `root`: no symbolic link leads out of it."""
    if root.trusted:
        return True
    try:
        return path.resolve().is_relative_to(root.real)
    except (OSError, RuntimeError):
        return False
