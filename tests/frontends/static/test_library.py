"""Modules are found as Python finds them, nothing is imported, and nothing outside the roots is read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from archcheck.errors import TargetError
from archcheck.frontends.static.library import Library, Root, SourceFile, environment_roots
from archcheck.frontends.static.sources import MAX_BYTES, decode, read_bytes


def tree(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def test_packages_modules_and_namespaces(tmp_path: Path) -> None:
    tree(tmp_path, {"a/__init__.py": "", "a/b.py": "x = 1\n", "space/inner/c.py": "", "stub.pyi": "", "data/x.txt": ""})
    library = Library([tmp_path])
    package, module, nested = library.module("a"), library.module("a.b"), library.module("space.inner.c")
    assert package is not None
    assert (package.shown, package.is_package, package.package) == ("a/__init__.py", True, "a")
    assert module is not None
    assert (module.shown, module.module, module.package, module.text) == ("a/b.py", "a.b", "a", "x = 1\n")
    assert nested is not None
    assert nested.shown == "space/inner/c.py"
    assert library.module("a.b") is module
    assert library.module("space") is None
    space = library.package("space")
    assert space is not None
    assert space.source is None
    for absent in ("stub", "a.c", "a.b.c", "A", "", ".", "a.", "..a", "a/b", "space.inner.d"):
        assert library.module(absent) is None, absent


def test_earlier_roots_and_regular_packages_come_first(tmp_path: Path) -> None:
    tree(tmp_path, {"one/a/x.py": "", "two/a/__init__.py": "", "two/b.py": "2", "one/b.py": "1"})
    library = Library([Root(tmp_path / "one", "near"), tmp_path / "two"])
    assert library.module("a.x") is None  # `two/a` is a regular package, `one/a` is none
    found, other = library.module("a"), library.module("b")
    assert found is not None
    assert found.shown == "a/__init__.py"
    assert other is not None
    assert (other.text, other.shown) == ("1", "near/b.py")


def test_a_namespace_package_spans_roots(tmp_path: Path) -> None:
    tree(tmp_path, {"one/space/x.py": "", "two/space/y.py": ""})
    library = Library([tmp_path / "one", tmp_path / "two"])
    assert library.modules("space") == ("space.x", "space.y")
    assert library.module("space.y") is not None


def test_a_file_is_the_module_that_it_is(tmp_path: Path) -> None:
    tree(tmp_path, {"a/__init__.py": "", "a/b.py": "", "my-script.py": ""})
    library = Library([tmp_path])
    assert library.file(tmp_path / "a/b.py") is library.module("a.b")
    assert library.file(tmp_path / "a/__init__.py") is library.module("a")
    assert library.file(tmp_path / "my-script.py").shown == "my-script.py"
    with pytest.raises(TargetError):
        library.file(tmp_path.parent / "elsewhere.py")


@pytest.mark.parametrize(
    ("module", "is_package", "level", "name", "wanted"),
    [
        ("a.b.c", False, 0, "torch.nn", "torch.nn"),
        ("a.b.c", False, 1, "d", "a.b.d"),
        ("a.b.c", False, 2, "", "a"),
        ("a.b.c", False, 3, "d", None),
        ("a.b", True, 1, "d", "a.b.d"),
        ("a.b", True, 2, "d", "a.d"),
        ("a", False, 1, "d", None),
    ],
)
def test_relative_imports(module: str, is_package: bool, level: int, name: str, wanted: str | None) -> None:
    assert SourceFile(module, Path("x.py"), "x.py", is_package).absolute(level, name) == wanted


def test_links_may_not_lead_out_of_a_root(tmp_path: Path) -> None:
    tree(tmp_path, {"in/a.py": "", "out/secret.py": "x = 1\n", "out/pack/__init__.py": ""})
    (tmp_path / "in/secret.py").symlink_to(tmp_path / "out/secret.py")
    (tmp_path / "in/pack").symlink_to(tmp_path / "out/pack")
    (tmp_path / "in/alias.py").symlink_to(tmp_path / "in/a.py")
    (tmp_path / "in/loop.py").symlink_to(tmp_path / "in/loop.py")
    (tmp_path / "in/round").symlink_to(tmp_path / "in")
    library = Library([tmp_path / "in"])
    assert library.module("secret") is None
    assert library.module("pack") is None
    assert library.module("loop") is None
    assert library.module("alias") is not None
    assert Library([Root(tmp_path / "in", trusted=True)]).module("secret") is not None


def test_walking_a_package_that_links_to_itself_ends(tmp_path: Path) -> None:
    tree(tmp_path, {"a/__init__.py": "", "a/b.py": ""})
    (tmp_path / "a/again").symlink_to(tmp_path / "a")
    assert [source.module for source in Library([tmp_path]).walk("a")] == ["a", "a.b"]


def test_the_one_definition_in_a_package(tmp_path: Path) -> None:
    tree(
        tmp_path,
        {
            "p/__init__.py": "",
            "p/one.py": "class A:\n    pass\nclass Both: pass\n",
            "p/two.py": '"""\nclass A:\n"""\nfrom .one import A\nclass Both: pass\n',
            "p/m/__init__.py": "if TYPE_CHECKING:\n    from .modeling import *\n",
            "p/m/modeling.py": "class M: pass\n",
            "p/m/modular.py": "class M: pass\n",
        },
    )
    library = Library([tmp_path])
    assert library.definition("p", "A") == "p.one"
    assert library.definition("p", "Both") is None
    assert [source.module for source in library.definitions("p", "Both")] == ["p.one", "p.two"]
    assert library.definition("p", "M") == "p.m.modeling"  # the package exports that one
    assert library.definition("p", "Absent") is None
    assert library.definition("absent", "A") is None


def test_only_regular_files_of_bounded_size_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "big.py").write_bytes(b"#" * (MAX_BYTES + 1))
    for name, why in [("pipe.py", "not a regular file"), ("big.py", "larger than 4 MiB"), ("none.py", "No such file")]:
        with pytest.raises(TargetError, match=why):
            read_bytes(tmp_path / name, name)
    with pytest.raises(TargetError, match=r"cannot read|not a regular file"):
        read_bytes(tmp_path, "folder")


def test_encodings() -> None:
    assert decode(b"\xef\xbb\xbfx = 1\r\ny = 2\rz = 3\n", "m.py") == "x = 1\ny = 2\nz = 3\n"
    assert decode("# -*- coding: latin-1 -*-\nx = 'é'\n".encode("latin-1"), "m.py").endswith("x = 'é'\n")
    with pytest.raises(TargetError, match=r"m\.py:2: byte 0xe9 is not utf-8 text"):
        decode("x = 1\ny = 'é'\n".encode("latin-1"), "m.py")
    with pytest.raises(TargetError, match="unknown encoding"):
        decode(b"# coding: klingon\n", "m.py")
    with pytest.raises(TargetError, match="is not read"):
        decode(b"# coding: unicode_escape\nx = 1\n", "m.py")
    with pytest.raises(TargetError, match=r"m\.py:2: a NUL byte"):
        decode(b"x = 1\n\0", "m.py")
    for codec in ("rot13", "zlib", "utf-16"):
        with pytest.raises(TargetError):
            decode(f"# coding: {codec}\nx = 1 \u20ac\n".encode(), "m.py")


def test_the_environment_is_found_and_nothing_of_it_is_imported() -> None:
    assert Library(environment_roots()).module("pytest") is not None
    assert Library(environment_roots()).module("dataclasses") is None  # the standard library is not searched
    program = (
        "import sys; from archcheck.frontends.static.library import Library, environment_roots;"
        "before = set(sys.modules); source = Library(environment_roots()).module('hypothesis.strategies');"
        "assert source.index.names; print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "hypothesis" not in done.stdout


def test_a_file_that_is_asked_for_is_read_though_another_folder_has_a_package_of_its_name(tmp_path: Path) -> None:
    """A part of a package beside an installed one: folders without `__init__.py`, or with one that is not read."""
    installed, mine = tmp_path / "installed", tmp_path / "mine"
    for folder, text in ((installed, "y = 1\n"), (mine, "y = 2\n")):
        (folder / "pack/inner").mkdir(parents=True)
        (folder / "pack/inner/model.py").write_text(text)
    for package in ("pack", "pack/inner"):
        (installed / package / "__init__.py").touch()
    library = Library([mine, installed])
    given = library.file(mine / "pack/inner/model.py")
    assert given.path == mine / "pack/inner/model.py"
    assert library.module("pack.inner.model") is given
    assert library.module("pack.inner").path == installed / "pack/inner/__init__.py"
