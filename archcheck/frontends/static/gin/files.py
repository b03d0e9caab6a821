"""gin files with what they include, as one configuration: bindings in the order in which gin would make them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from archcheck.errors import TargetError
from archcheck.frontends.static.gin.syntax import Binding, Import, Include, parse
from archcheck.frontends.static.sources import decode

if TYPE_CHECKING:
    from archcheck.frontends.static.library import Library
    from archcheck.ir.span import Span

MOST_FILES = 500  # read for one configuration, one that is included twice counted twice
DEEPEST = 50  # includes in each other
FOLDERS_AROUND = 6  # around a file in which what it includes is looked for


@dataclass(frozen=True, slots=True)
class Missing:
    """An include that leads to no file; what it would bind may take the place of the bindings `before` it."""

    path: str
    span: Span
    before: int


@dataclass
class Configuration:
    """What gin files bind.

    Attributes:
        bindings: of parameters, in order; the last one of a parameter counts.
        macros: name, with its scope -> the binding that counts.
        modules: those that the files import, in order.
        missing: includes that lead to no file.
        files: those that were read, in order, as they are shown.
        counted: how many statements have bound something.
    """

    bindings: list[Binding] = field(default_factory=list)
    macros: dict[str, Binding] = field(default_factory=dict)
    modules: dict[str, None] = field(default_factory=dict)
    missing: list[Missing] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    counted: int = 0
    _by_name: dict[str, list[int]] = field(default_factory=dict)
    _order: dict[Binding, int] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Equal for configurations that bind the same in the same places."""
        told = [*map(repr, self.bindings), *map(repr, self.macros.items()), *self.modules, *map(repr, self.missing)]
        return hashlib.sha256("\0".join(told).encode("utf-8", "surrogatepass")).hexdigest()

    def add(self, binding: Binding) -> None:
        """Bind what a statement binds."""
        self._order[binding] = self.counted = self.counted + 1
        if not binding.parameter:
            self.macros[binding.selector] = binding
            return
        self._by_name.setdefault(binding.selector.rpartition(".")[2], []).append(len(self.bindings))
        self.bindings.append(binding)

    def of(self, selector: str, scopes: tuple[str, ...]) -> dict[str, Binding]:
        """Parameter -> its binding, for a function or class with this full name, called inside of these scopes.

        A binding names it by its own name and as much of its module as it likes. One for more of the scopes around
        counts before one for fewer of them, whatever their order.
        """
        found: dict[str, Binding] = {}
        numbers = self._by_name.get(selector.rpartition(".")[2], ())
        matching = [self.bindings[at] for at in numbers if f".{selector}".endswith(f".{self.bindings[at].selector}")]
        for depth in range(len(scopes) + 1):
            scope = "/".join(scopes[:depth])
            found.update((one.parameter, one) for one in matching if one.scope == scope)
        return found

    def unknown_from(self, binding: Binding | None) -> Missing | None:
        """A missing file that may bind anew what `binding` binds, or what nothing binds."""
        last = self.missing[-1] if self.missing else None
        if last is None or (binding is not None and self._order[binding] > last.before):
            return None
        return last


def load(paths: Iterable[str], library: Library, releases: Mapping[str, Path | None] | None = None) -> Configuration:
    """The configuration that gin files make, read one after the other.

    Args:
        paths: of files; one that is not found is looked for in the folders that the target's modules come from.
        library: where modules are looked for.
        releases: for a path that names a file of a release, `dist==version/path`, the folder of that release.

    Raises:
        TargetError: a file cannot be found or read, is no gin file, or includes without end.
    """
    loader = _Loader(library)
    for path in paths:
        folder = (releases or {}).get(path)
        places = _places(path, library) if folder is None else _inside(folder, path.partition("/")[2])
        found = next((one for one in places if one.is_file()), None)
        if found is None:
            hint = "name a file, one inside of the target's package, or one of a release: t5==0.9.4/t5/models/gin/FILE"
            raise TargetError(f"no gin file {path}", hint=hint)
        if folder is not None and folder not in loader.folders:
            loader.folders.append(folder)
        loader.read(found, ())
    return loader.found


def _places(path: str, library: Library) -> Iterator[Path]:
    yield Path(path)
    yield from (root.path / path for root in library.roots)


def _inside(folder: Path, path: str) -> list[Path]:
    inner = Path(path)
    return [] if inner.is_absolute() or ".." in inner.parts else [folder / inner]


class _Loader:
    def __init__(self, library: Library) -> None:
        self.library = library
        self.folders: list[Path] = []  # of releases, in which what their files include is looked for
        self.found = Configuration()
        self.texts: dict[Path, tuple[str, str]] = {}

    def read(self, path: Path, around: tuple[Path, ...]) -> None:
        """Bind what a file binds, inside of files that include it."""
        real = path.resolve()
        shown, text = self._text(path, real)
        self.found.files.append(shown)
        if len(self.found.files) > MOST_FILES:
            raise TargetError(f"more than {MOST_FILES} gin files are included", place=shown)
        for statement in parse(text, shown):
            if isinstance(statement, Binding):
                self.found.add(statement)
            elif isinstance(statement, Import):
                self.found.modules[statement.module] = None
            else:
                self._include(statement, path, (*around, real))

    def _include(self, statement: Include, path: Path, around: tuple[Path, ...]) -> None:
        place = str(statement.span)
        if len(around) > DEEPEST:
            raise TargetError(f"gin files include each other deeper than {DEEPEST}", place=place)
        inner = self._included(statement.path, path)
        if inner is None:
            self.found.missing.append(Missing(statement.path, statement.span, self.found.counted))
        elif inner.resolve() in around:
            raise TargetError(f"{statement.path} includes itself", place=place, hint="take one of the includes out")
        else:
            self.read(inner, around)

    def _included(self, name: str, path: Path) -> Path | None:
        """An included file: beside the file, in a folder around it, or where the target's modules come from."""
        if Path(name).is_absolute():
            return None  # a file must not lead to any other of the machine
        folders = [*list(path.absolute().parents)[:FOLDERS_AROUND], *self.folders]
        places = (*(folder / name for folder in folders), *_places(name, self.library))
        return next((one for one in places if one.is_file()), None)

    def _text(self, path: Path, real: Path) -> tuple[str, str]:
        if real not in self.texts:
            source = self.library.beside(path)
            self.texts[real] = (source.shown, decode(source.content(), source.shown))
        return self.texts[real]
