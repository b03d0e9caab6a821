"""Where specs come from: the library that ships with archcheck, and files of one's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import archcheck
from archcheck.errors import ArchcheckError
from archcheck.spec.build import read
from archcheck.spec.model import Block, Spec
from archcheck.spec.problems import did_you_mean, hints

SUFFIXES = (".yaml", ".yml")
SUMS = "SHA256SUMS"  # of the library's specs as tests have checked them: cd specs && sha256sum *.yaml > SHA256SUMS


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of `archcheck spec list`."""

    id: str
    title: str
    year: int  # 0 where the spec does not say
    claims: tuple[str, ...]  # ids of blocks and claims


def library() -> Path:
    """The folder of the specs that ship with archcheck: inside the package, or `specs/` of a checkout."""
    package = Path(archcheck.__file__).parent
    installed = package / "library"
    return installed if installed.is_dir() else package.parent / "specs"


def load(reference: str) -> tuple[Spec, Block | None]:
    """The spec that a user means, and the block of it where one was asked for.

    Args:
        reference: a citation key of the library or a path, with `#block` behind it or not.

    Raises:
        SpecError: the file has mistakes.
        ArchcheckError: there is no such spec or no such block.
    """
    name, _, block_id = reference.rpartition("#") if "#" in reference else (reference, "", "")
    path = find(name)
    data = _bytes(path)
    spec = read(data, _shown(path), shaped=is_shaped(path, data))
    return spec, spec.block(block_id) if block_id else None


def is_shaped(path: Path, data: bytes) -> bool:
    """Whether these are, byte for byte, a spec of the library that was found to have the shape of one when it was made.

    A spec that was changed since, or is not of the library, is not: its shape is checked when it is read.
    """
    sums = library() / SUMS
    if path.parent != library() or not sums.is_file():
        return False
    from hashlib import sha256

    return f"{sha256(data).hexdigest()}  {path.name}" in sums.read_text(encoding="ascii").splitlines()


def find(name: str) -> Path:
    """The file of a citation key or path.

    A name with a folder or a suffix is a path; a bare word is looked up in the library, then in the working folder.

    Raises:
        ArchcheckError: there is none.
    """
    path = Path(name)
    if path.suffix in SUFFIXES or len(path.parts) > 1:
        if path.is_file():
            return path
        kind = "is a folder" if path.is_dir() else "does not exist"
        known = did_you_mean(path.stem, keys())
        raise ArchcheckError(f"the spec {name} {kind}", hint=hints(known, "`archcheck spec list` lists the library"))
    if name in keys():
        return library() / f"{name}.yaml"
    if path.is_file():
        return path
    raise ArchcheckError(
        f'no spec is called "{name}"',
        hint=hints(did_you_mean(name, keys()), f"the library has {', '.join(keys())}", "a file is given by its path"),
    )


def keys() -> tuple[str, ...]:
    """The citation keys of the library, sorted."""
    return tuple(sorted(path.stem for path in library().glob("*.yaml")))


def listing() -> Iterator[Entry]:
    """What the library holds, one entry a spec, sorted by citation key."""
    for key in keys():
        spec, _ = load(key)
        claims = (*(block.id for block in spec.blocks), *(claim.id for claim in spec.claims))
        yield Entry(spec.id, spec.title, spec.paper.year, claims)


def _bytes(path: Path) -> bytes:
    from archcheck.spec.guard import MAX_BYTES

    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)  # one byte more than the guard lets through
    except OSError as error:
        raise ArchcheckError(f"the spec cannot be read: {error.strerror}", place=_shown(path)) from None


def _shown(path: Path) -> str:
    """The file as places name it: `specs/<key>.yaml` for the library, wherever it is installed."""
    if path.parent == library():
        return f"specs/{path.name}"
    try:
        return Path(os.path.relpath(path)).as_posix() if path.is_absolute() else path.as_posix()
    except ValueError:  # on another drive
        return path.as_posix()
