"""A name is followed to its definition through every form of re-export, by the index alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from archcheck.errors import TargetError
from archcheck.frontends.static.exports import find, offered, similar
from archcheck.frontends.static.library import Library


def library(folder: Path, files: dict[str, str]) -> Library:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Library([folder])


def found(library: Library, module: str, name: str) -> str | None:
    source = library.module(module)
    assert source is not None
    definition = find(library, source, name)
    return definition and f"{definition.source.module}:{definition.name}"


FILES = {
    "p/__init__.py": (
        "from .modules import *\nfrom . import sub\nfrom .deep.er import Old as New\nimport p.deep.er as er\n"
        "try:\n    from missing import Fast\nexcept ImportError:\n    from .slow import Slow as Fast\n"
        "if TYPE_CHECKING:\n    from .lazy import Typed\n"
        "from elsewhere import External\nfrom .circle import Round\nalias = sub.Thing\n"
    ),
    "p/modules/__init__.py": "from .layers import Layer, _private\nfrom .more import *\n__all__ = ['Layer', 'More']\n",
    "p/modules/layers.py": "class Layer: pass\ndef _private(): pass\n",
    "p/modules/more.py": "class More: pass\nclass Unlisted: pass\n",
    "p/sub.py": "class Thing: pass\n",
    "p/deep/__init__.py": "",
    "p/deep/er.py": "class Old: pass\n",
    "p/slow.py": "class Slow: pass\n",
    "p/lazy.py": "def Typed(): pass\nclass Lazy: pass\nclass Twice: pass\n",
    "p/other.py": "class Twice: pass\n",
    "p/circle.py": "from . import Round\n",
    "p/broken.py": "class Broken: pass\nx = = 1\n",
}


@pytest.mark.parametrize(
    ("module", "name", "wanted"),
    [
        ("p", "Layer", "p.modules.layers:Layer"),
        ("p", "More", "p.modules.more:More"),
        ("p", "New", "p.deep.er:Old"),
        ("p", "Fast", "p.slow:Slow"),
        ("p", "Typed", "p.lazy:Typed"),
        ("p", "Lazy", "p.lazy:Lazy"),
        ("p", "sub", "p.sub:"),
        ("p", "er", "p.deep.er:"),
        ("p", "modules", "p.modules:"),
        ("p", "alias", "p:alias"),
        ("p", "External", None),
        ("p", "Round", None),
        ("p", "Absent", None),
        ("p.modules", "_private", "p.modules.layers:_private"),
        ("p.slow", "Thing", None),
        ("p", "Broken", None),
    ],
)
def test_a_name_is_followed_to_its_definition(tmp_path: Path, module: str, name: str, wanted: str | None) -> None:
    assert found(library(tmp_path, FILES), module, name) == wanted


def test_a_star_gives_what_all_lists(tmp_path: Path) -> None:
    files = {
        "m.py": "from listed import *\nfrom computed import *\nfrom public import *\n",
        "listed.py": "__all__ = ['a']\na = 1\nb = 1\n",
        "computed.py": "__all__ = ['c'] + others\nc = 1\nd = 1\n_e = 1\n",
        "public.py": "f = 1\n_g = 1\n",
    }
    names = ("a", "b", "c", "d", "f", "_g")
    assert [found(library(tmp_path, files), "m", name) for name in names] == [
        "listed:a", None, "computed:c", "computed:d", "public:f", None,
    ]  # fmt: skip


def test_two_definitions_in_a_package_are_named(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"p\.lazy:Twice, p\.other:Twice"):
        found(library(tmp_path, FILES), "p", "Twice")


def test_suggestions(tmp_path: Path) -> None:
    books = library(tmp_path, FILES)
    source = books.module("p")
    assert source is not None
    assert {"Layer", "More", "New", "Lazy"} <= set(offered(books, source))
    assert similar("layr", offered(books, source))[0] == "Layer"
    assert similar("transformerencoderlayer", ["TransformerEncoderLayer", "x"]) == ("TransformerEncoderLayer",)
    assert similar("zzz", ["Layer"]) == ()
