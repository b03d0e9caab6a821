"""What a user names on the command line, and the sources it stands for."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from archcheck.errors import TargetError
from archcheck.frontends.files import Kind, kind_of
from archcheck.frontends.static.exports import find, offered, similar
from archcheck.frontends.static.library import Library, Root, SourceFile, environment_roots
from archcheck.frontends.static.sources import SpelledFile

MAX_FILES = 20_000  # in one folder

_RELEASE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^/:\\]*)(?:/([^:]*))?(?::(.*))?", re.DOTALL)
_DRIVE = re.compile(r"[A-Za-z]:(?=[\\/])")
# A folder with one of these is where a project starts; its files are shown relative to it.
_PROJECT = frozenset({".git", ".hg", "pyproject.toml", "setup.py", "setup.cfg", "archcheck.toml"})
_SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules", "site-packages", "dist-packages"})
_WEIGHTS = "is no saved program: others like it hold weights, not code, and unpickling them would run code"
_NOT_PYTHON = {
    **dict.fromkeys((".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle", ".joblib"), _WEIGHTS),
    **dict.fromkeys((".safetensors", ".npz", ".npy", ".gguf", ".index"), "holds weights, not the code that uses them"),
    **dict.fromkeys((".h5", ".hdf5", ".keras"), "is no model that Keras saved"),
    ".pb": "is no graph of TensorFlow",
    ".pbtxt": "is a saved TensorFlow graph in a form that this version does not read",
    **dict.fromkeys((".tflite", ".lite"), "is no model of TensorFlow Lite"),
    ".onnx": "is no ONNX graph",
    ".pt2": "is no exported program of PyTorch, which is a zip archive",
    ".ipynb": "is a notebook",
    ".pyi": "is a stub, which holds no code",
    ".pyc": "is compiled; its source is needed",
    ".so": "is compiled; its source is needed",
    ".pyd": "is compiled; its source is needed",
}
# A file that has none of these endings, or one that saved models have, is what its content says.
_TOLD_BY_NAME = frozenset({".py", ".yaml", ".yml", ".txt", ".json", ".md", *_NOT_PYTHON})
_WAYS_OUT = {
    ".ipynb": "`jupyter nbconvert --to script` makes a Python file of it",
    ".yaml": "a spec is given with --spec; the target is the code",
    ".yml": "a spec is given with --spec; the target is the code",
}
_NAME_THE_CODE = "name the Python file, or package.module, that builds the model"


class Fetch(Protocol):
    """`releases.fetch`, or what stands for it in a test."""

    def __call__(self, dist: str, version: str, *, progress: Callable[[str], None] | None = None) -> Path: ...


@dataclass(frozen=True, slots=True)
class TargetRef:
    """A target as typed, taken apart; nothing has been looked up yet.

    Attributes:
        text: as typed.
        place: path or dotted module; in a release, the path inside it, or "" for the whole package.
        symbol: "Class", "Class.method", "function", or "".
        dist: name of the distribution where a release is meant, else "".
        version: its version.
    """

    text: str
    place: str
    symbol: str = ""
    dist: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Program:
    """A saved model: where it is, and what kind of file it is."""

    path: Path
    kind: Kind


@dataclass(frozen=True, slots=True)
class Target:
    """Sources to read a model from.

    Attributes:
        ref: what was asked for.
        library: where the target's imports are looked up.
        source: the file that defines `symbol`, re-exports followed; None where a folder stands for all its models.
        files: `source` alone, or every Python file of the folder, by path.
        symbol: the name in `source`, which a re-export may call differently; "" for all that it defines.
        name: how reports call the target.
        program: the file or folder, where it is a saved model and no source; `source` then has its name and no text.
    """

    ref: TargetRef
    library: Library
    source: SourceFile | None
    files: tuple[SourceFile, ...]
    symbol: str
    name: str
    program: Program | None = None


def parse_target(text: str) -> TargetRef:
    """Take a target apart: `path[:Symbol]`, `package.module[:Symbol]`, `dist==version[/path][:Symbol]`.

    Raises:
        TargetError: it is empty, or what stands after the colon is no name.
    """
    if not text.strip():
        raise TargetError("the target is empty", hint="name a file, as in model.py:Model, or package.module:Model")
    if "\0" in text:
        raise TargetError("the target holds a NUL character")
    if match := _RELEASE.fullmatch(text):
        dist, version, path, symbol = match[1], match[2], match[3] or "", match[4]
        if not version:
            raise TargetError("no version after ==", place=text, hint=f"write it as in {dist}==1.0.0")
        return TargetRef(text, path.rstrip("/"), _symbol(symbol, text), dist, version)
    start = len(drive[0]) if (drive := _DRIVE.match(text)) else 0
    place, colon, symbol = text[start:].rpartition(":")
    if not colon:
        return TargetRef(text, text)
    if "/" in symbol or "\\" in symbol or symbol.endswith(".py"):
        return TargetRef(text, text)  # a colon in a file's name
    return TargetRef(text, text[:start] + place, _symbol(symbol, text))


def resolve(ref: TargetRef, *, fetch: Fetch | None = None, progress: Callable[[str], None] | None = None) -> Target:
    """Find the sources that a target stands for; nothing is imported, and nothing but pip is run.

    Args:
        ref: what was asked for.
        fetch: gets a release; `releases.fetch` by default.
        progress: called with one line when something takes time.

    Raises:
        TargetError: there is no such file, module, release or name, it is ambiguous, or it is no Python.
    """
    if ref.dist:
        return _release(ref, fetch, progress)
    path = Path(ref.place)
    if path.exists() or path.is_symlink():
        try:
            return _at_path(ref, path)
        except _NoPythonError:  # a folder of data that happens to have a package's name
            if all(part.isidentifier() for part in ref.place.split(".")) and _is_module(ref.place):
                return _module(ref)
            raise
    if path.suffix in (".py", *_NOT_PYTHON) or "/" in ref.place or "\\" in ref.place:
        raise _no_file(ref, path)
    return _module(ref)


class _NoPythonError(TargetError):
    """A folder has no Python file."""


def _symbol(symbol: str | None, text: str) -> str:
    if symbol is None:
        return ""
    if not symbol:
        raise TargetError(
            "no name after the colon", place=text, hint="name a class or a function, or leave the colon out"
        )
    if all(part.isidentifier() for part in symbol.split(".")):
        return symbol
    hint = "name a class, Class.method or a function"
    raise TargetError(
        f'"{symbol}" is not a name', place=text, hint=f"{hint}; a line cannot be given" if symbol.isdigit() else hint
    )


def in_release(text: str, *, fetch: Fetch | None = None, progress: Callable[[str], None] | None = None) -> Path | None:
    """The folder of a release whose file `dist==version/path` names; None where it names no release.

    Raises:
        TargetError: the release cannot be had.
    """
    ref = parse_target(text)
    if not ref.dist:
        return None
    if fetch is None:
        from archcheck.frontends import releases

        fetch = releases.fetch
    return fetch(ref.dist, ref.version, progress=progress)


def _release(ref: TargetRef, fetch: Fetch | None, progress: Callable[[str], None] | None) -> Target:
    if fetch is None:
        from archcheck.frontends import releases

        fetch = releases.fetch
    folder = fetch(ref.dist, ref.version, progress=progress)
    library = Library([Root(folder), *environment_roots()])
    inside = Path(ref.place)
    if inside.is_absolute() or ".." in inside.parts or "\\" in ref.place:
        raise TargetError("the path must lie in the release", place=ref.text)
    path = folder / inside
    if path.is_dir():
        return _folder(ref, library, path)
    if path.is_file():
        return _in_file(ref, library, _python(path, ref, library))
    names = sorted(found.relative_to(folder).as_posix() for found in folder.rglob("*.py"))
    same = [name for name in names if name.rpartition("/")[2] == inside.name][:3]
    near = same or similar(ref.place, names)
    top = sorted({name.partition("/")[0] for name in names})
    hint = f"did you mean {' or '.join(near)}?" if near else f"it holds {', '.join(top[:6])}"
    raise TargetError(f'{ref.dist} {ref.version} has no file "{ref.place}"', place=ref.text, hint=hint)


def _at_path(ref: TargetRef, path: Path) -> Target:
    # Folders are taken as they are behind links; a file that is a link keeps its own place, and so its package.
    path = Path(os.path.abspath(path.parent.resolve() / path.name)) if path.name not in ("", "..") else path.resolve()
    if (program := _program(ref, path)) is not None:
        return program
    if path.is_dir():
        library = Library([*project_roots(path), *environment_roots()])
        return _folder(ref, library, path)
    library = Library([*project_roots(path.parent), *environment_roots()])
    return _in_file(ref, library, _python(path, ref, library))


def _program(ref: TargetRef, path: Path) -> Target | None:
    """A saved model as a target; None where the file is none.

    Raises:
        TargetError: it is a saved model that is not read.
    """
    kind = kind_of(path, ref.place, other=path.suffix.lower() in _TOLD_BY_NAME)
    if kind is None:
        return None
    library = Library(project_roots(Path.cwd(), package=False))  # where the lines of code that it tells may lie
    source = SpelledFile(ref.place, "")
    return Target(ref, library, source, (source,), ref.symbol or "program", ref.text, Program(path, kind))


def _python(path: Path, ref: TargetRef, library: Library) -> SourceFile:
    suffix = path.suffix.lower()
    if suffix in _NOT_PYTHON:
        reason = f"this file {_NOT_PYTHON[suffix]}"
        raise TargetError(reason, place=ref.place, hint=_WAYS_OUT.get(suffix, _NAME_THE_CODE))
    if suffix in (".py", ""):
        return library.file(path)
    raise TargetError("this is not a Python file", place=ref.place, hint=_WAYS_OUT.get(suffix, _NAME_THE_CODE))


def _module(ref: TargetRef) -> Target:
    parts = ref.place.split(".")
    if not all(part.isidentifier() for part in parts):
        raise _no_file(ref, Path(ref.place))
    here = Path.cwd()
    near = [*project_roots(here, package=False), *([Root(here / "src", "src")] if (here / "src").is_dir() else [])]
    installed = environment_roots()
    library = Library([*near, *installed])
    source = library.module(ref.place)
    if source is None and library.package(ref.place) is None:
        raise _no_module(ref, library)
    if source is not None and not any(source.path.is_relative_to(root.path) for root in near):
        library = Library(installed)  # an installed package does not import what happens to lie here
        source = library.module(ref.place)
    if source is None:
        package = library.package(ref.place)
        assert package is not None
        return _folder(ref, library, package.folders[0])
    if source.is_package and not ref.symbol:
        return _folder(ref, library, source.path.parent)
    return _in_file(ref, library, source)


def _is_module(dotted: str) -> bool:
    library = Library(environment_roots())
    return library.module(dotted) is not None or library.package(dotted) is not None


def _in_file(ref: TargetRef, library: Library, source: SourceFile) -> Target:
    if not ref.symbol:
        assert source.index.entries is not None  # a file that cannot be read is an error here, not later
        return Target(ref, library, source, (source,), "", ref.text)
    parts = ref.symbol.split(".")
    while parts:
        found = find(library, source, parts[0])
        if found is None:
            raise _no_symbol(library, source, parts[0])
        if found.name:
            symbol = ".".join([found.name, *parts[1:]])
            _check_member(ref, found.source, found.name, parts[1:])
            return Target(ref, library, found.source, (found.source,), symbol, ref.text)
        source, parts = found.source, parts[1:]
    return Target(ref, library, source, (source,), "", ref.text)


def _check_member(ref: TargetRef, source: SourceFile, name: str, rest: list[str]) -> None:
    """Refuse `Class.method` where the class has no bases and says all that it has."""
    node = source.index.names[name][-1].parse()
    if rest and isinstance(node, ast.FunctionDef):
        raise TargetError(
            f'{name} is a function, which has no "{".".join(rest)}"',
            place=f"{source.shown}:{node.lineno}",
            hint="leave it out: a name of weights behind a dot decides no layer; arguments are given with --arg",
        )
    if not rest or not isinstance(node, ast.ClassDef) or node.bases or node.keywords or node.decorator_list:
        return
    methods = [child.name for child in node.body if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)]
    simple = all(isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Expr) for child in node.body)
    if simple and rest[0] not in methods:
        near = similar(rest[0], methods) or tuple(methods[:6])
        hint = f"it has {', '.join(near)}" if near else "it has no methods"
        raise TargetError(f'class {name} has no method "{rest[0]}"', place=f"{source.shown}:{node.lineno}", hint=hint)


def _folder(ref: TargetRef, library: Library, folder: Path) -> Target:
    files = tuple(library.file(path) for path in _python_files(folder, ref))
    if not files:
        raise _NoPythonError("there is no Python file in this folder", place=ref.text, hint=_NAME_THE_CODE)
    if not ref.symbol:
        return Target(ref, library, None, files, "", ref.text)
    name, _, rest = ref.symbol.partition(".")
    holds: list[SourceFile] = []
    unread: list[TargetError] = []
    for source in files:
        try:
            if name in source.text and name in source.index.names:
                holds.append(source)
        except TargetError as error:
            unread.append(error)
    defining = [s for s in holds if any(entry.kind in ("class", "def") for entry in s.index.names[name])] or holds
    if len(defining) > 1:
        listed = [f"{source.shown}:{ref.symbol}" for source in defining]
        more = f" and {len(listed) - 4} more" if len(listed) > 4 else ""
        raise TargetError(
            f'"{name}" is defined in {len(listed)} files of this folder',
            place=ref.text,
            hint=f"say which: {', '.join(listed[:4])}{more}",
        )
    if not defining:
        if unread:
            raise unread[0]  # it may be defined there
        near = similar(name, {known for source in files for known in source.index.names})
        raise TargetError(
            f'no file in this folder defines "{name}"',
            place=ref.text,
            hint=f"did you mean {' or '.join(near)}?" if near else "",
        )
    _check_member(ref, defining[0], name, rest.split(".") if rest else [])
    return Target(ref, library, defining[0], (defining[0],), ref.symbol, ref.text)


def _python_files(folder: Path, ref: TargetRef) -> list[Path]:
    """The Python files below `folder`, sorted; hidden folders, environments and links are left out."""
    found: dict[tuple[str, ...], Path] = {}  # by the parts of its path
    whole = str(folder)

    def fail(error: OSError) -> None:
        if error.filename == str(folder):
            raise TargetError(f"cannot read the folder: {error.strerror}", place=ref.place)

    for at, folders, files in os.walk(folder, onerror=fail):
        here, parts = Path(at), tuple(at[len(whole) :].split(os.sep))
        folders[:] = (
            name
            for name in folders
            if not name.startswith(".")
            and name not in _SKIPPED_FOLDERS
            and not os.path.exists(os.path.join(at, name, "pyvenv.cfg"))
        )
        for name in files:
            if name.endswith(".py") and not os.path.islink(os.path.join(at, name)):
                found[*parts, name] = here / name
        if len(found) > MAX_FILES:
            raise TargetError(f"more than {MAX_FILES:,} Python files", place=ref.place, hint="name a folder inside it")
    return [found[parts] for parts in sorted(found)]


def project_roots(folder: Path, *, package: bool = True) -> tuple[Root, ...]:
    """Where imports of a file in `folder` are looked up in its own project, nearest first.

    The first root is the folder that holds the file's outermost package (`__init__.py` by `__init__.py`); then come the
    folders around it up to the project's, since research code is run from there without being installed. Where no
    folder is marked as a project's, the working directory stands for it if the file lies below it.

    Args:
        folder: absolute.
        package: whether `folder` itself may lie in a package.
    """
    own = folder
    installed = next((at for at in (folder, *folder.parents) if at.name in ("site-packages", "dist-packages")), None)
    if installed is not None:  # folders of installed packages need no `__init__.py`
        return (Root(installed, trusted=True),)
    # A folder whose name no import can write is not a package, whatever it holds: `my-model` with an `__init__.py`.
    while package and own.name.isidentifier() and (own / "__init__.py").is_file() and own.parent != own:
        own = own.parent
    around = [own, *own.parents]
    base = next((at for at in around if any((at / mark).exists() for mark in _PROJECT)), None)
    here = Path.cwd()
    if base is None:
        base = here if here in around and here != Path(here.anchor) else own
    return tuple(Root(at, _relative(at, base)) for at in around[: around.index(base) + 1])


def _relative(path: Path, base: Path) -> str:
    text = path.relative_to(base).as_posix()
    return "" if text == "." else text


def _no_file(ref: TargetRef, path: Path) -> TargetError:
    folder = path.parent
    try:
        names = [entry.name for entry in os.scandir(folder) if entry.is_dir() or entry.name.endswith(".py")]
    except OSError:
        names = []
    near = [str(folder / name) if str(folder) != "." else name for name in similar(path.name, names)]
    hint = f"did you mean {' or '.join(near)}?" if near else ""
    if not names and not folder.is_dir():
        hint = f'there is no folder "{folder}"'
    return TargetError("no such file", place=ref.place, hint=hint)


def _no_module(ref: TargetRef, library: Library) -> TargetError:
    parent, _, name = ref.place.rpartition(".")
    while parent and library.module(parent) is None and library.package(parent) is None:
        parent, _, name = parent.rpartition(".")
    if parent:
        near = similar(name, (module.rpartition(".")[2] for module in library.modules(parent)))
        listed = " or ".join(f"{parent}.{word}" for word in near)
        return TargetError(
            f'{parent} has no module "{name}"',
            place=ref.text,
            hint=f"did you mean {listed}?"
            if near
            else "a name that it defines is written after a colon: package.module:Name",
        )
    top = ref.place.partition(".")[0]
    near = similar(top, library.modules(""))
    return TargetError(
        f'no file and no installed package is called "{top}"',
        place=ref.text,
        hint=f"did you mean {' or '.join(near)}?"
        if near
        else f"a release that is not installed: {top}==VERSION/path/in/it.py",
    )


def _no_symbol(library: Library, source: SourceFile, name: str) -> TargetError:
    source.index.check()  # in a file that is no Python, that is what the user has to hear
    names = source.index.names
    near = similar(name, offered(library, source))
    if near:
        hint = f"did you mean {' or '.join(near)}?"
    else:
        defined = [known for known, entries in names.items() if entries[-1].kind in ("class", "def")]
        more = f" and {len(defined) - 8} more" if len(defined) > 8 else ""
        hint = f"it defines {', '.join(defined[:8])}{more}" if defined else "it defines no class and no function"
    where = "is imported there, but its source is not here" if name in names else "is not defined there"
    return TargetError(f'"{name}" {where}', place=source.shown, hint=hint)
