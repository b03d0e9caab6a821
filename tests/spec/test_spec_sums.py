"""Library specs whose bytes are listed in SHA256SUMS are not checked for their shape again: the list must be true."""

from __future__ import annotations

import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from archcheck.errors import ArchcheckError
from archcheck.spec import guard, library, shape

HINT = "cd specs && sha256sum *.yaml > SHA256SUMS"


def test_every_spec_is_listed_as_it_is() -> None:
    folder = library.library()
    expected = [f"{sha256(file.read_bytes()).hexdigest()}  {file.name}" for file in sorted(folder.glob("*.yaml"))]
    assert (folder / library.SUMS).read_text(encoding="ascii").splitlines() == expected, HINT


@pytest.mark.parametrize("key", library.keys())
def test_what_is_listed_has_the_shape_of_a_spec(key: str) -> None:
    document = guard.read((library.library() / f"{key}.yaml").read_bytes(), key)
    shape.check(document)
    document.problems.raise_any()


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the library that may be changed."""
    folder = tmp_path / "specs"
    shutil.copytree(library.library(), folder)
    monkeypatch.setattr(library, "library", lambda: folder)
    return folder


def test_a_spec_that_was_changed_is_checked(copied: Path) -> None:
    file = copied / "vaswani2017.yaml"
    assert library.load("vaswani2017")[0].id == "vaswani2017"
    file.write_bytes(file.read_bytes() + b"\nunheard_of: 1\n")
    with pytest.raises(ArchcheckError, match='there is no key "unheard_of"'):
        library.load("vaswani2017")


def test_a_listed_spec_elsewhere_is_checked(copied: Path, tmp_path: Path) -> None:
    file = tmp_path / "vaswani2017.yaml"
    shutil.copy(copied / "vaswani2017.yaml", file)
    assert library.is_shaped(copied / "vaswani2017.yaml", file.read_bytes())
    assert not library.is_shaped(file, file.read_bytes())


def test_without_a_list_every_spec_is_checked(copied: Path) -> None:
    (copied / library.SUMS).unlink()
    file = copied / "vaswani2017.yaml"
    assert not library.is_shaped(file, file.read_bytes())
    assert library.load("vaswani2017")[0].id == "vaswani2017"
