"""The index says what `ast` says about the whole file, and parses no more than it is asked for."""

from __future__ import annotations

import ast
import sys
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archcheck.errors import TargetError
from archcheck.frontends.static.bindings import bindings
from archcheck.frontends.static.index import MAX_CHARACTERS, Index

PIECES = [
    "x = 1\n",
    "x: int\n",
    "x: int = 3\n",
    "x: int # = 3\n",
    "x: Dict[str, int] | None = {}\n",
    "x: f(a=1)\n",
    "x += 1; y = 2\n",
    "x = 1 + \\\ny; z = 2\n",
    "a, (b, *c) = d = range(3)\n",
    "a = b = (1,\n2)\n",
    "x.y = 1\n",
    "x['k'] = z = 2\n",
    "x.update(a=1)\n",
    "del x\n",
    "import a.b.c, d.e as f\n",
    "from . import g\n",
    "from .import h as i\n",
    "from ..m import (j,\nk as l,  # why\n)\n",
    "from m import *\n",
    "from a \\\n import b\n",
    "def f(): pass\n",
    "def f(a=(\n1, 2)):\n    return a\n",
    "async def g():\n    x = '''\ndef no(): pass\n'''\n",
    "class C: x = 1; y = 2\n",
    "class D(Base,\nmetaclass=M):\n\n# a comment\n\n    def f(self): pass\n",
    "@decorate\nclass E:\n    pass\n",
    "@decorate(\n    1,\n)\n@other\n# between\ndef h(): pass\n",
    "try: t = 1\nexcept E as gone: u = 2\nelse:\n    v = 3\nfinally:\n    import w\n",
    "if a:\n    x = 1\nelif b:\n    from n import *\nelse:\n    def p(): inner = 1\n",
    "with a as b, c as (d, e): pass\n",
    "for i, j in x:\n    k = i\nelse:\n    q = 1\n",
    "while (n := f()):\n    pass\n",
    "match x:\n    case [y, *z]: pass\n    case {'k': v, **rest} as whole: pass\n",
    '"""A docstring\nclass No: pass\nwith \'\'\' inside\n"""\n',
    "'''escaped \\''' and\nx = 2\n'''\n",
    "s = 'it\\'s' \"# not a comment\"\n",
    "r = r'\\\\'\n",
    "long = 1 + \\\nname\n",
    "call(\nx = 1,\nif_ = 2 if a\nelse 3)\n",
    "m = (a\n@ b)\n",
    "# only a comment\n",
    "\n\n",
    "[w := 1 for unseen in x]\n",
    "print(lambda hidden: hidden)\n",
    "ℌ = 1\n",
    "d = {\n'k':\n1}\n",
    "f'{x!r:>{width}} {{}}'\n",
    "import a; b = 1\n",
    "assert x, (\n'y')\n",
]


def described(text: str) -> list[tuple[tuple[str, ...], int, str]]:
    """Names, first line and content of every top-level statement, by `ast` alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        body = ast.parse(text).body
    return [(bindings(node).names, first_line(node), ast.dump(node, include_attributes=True)) for node in body]


def first_line(node: ast.stmt) -> int:
    decorators = getattr(node, "decorator_list", [])
    return decorators[0].lineno if decorators else node.lineno


def indexed(text: str) -> list[tuple[tuple[str, ...], int, str]]:
    entries = Index(text, "m.py").entries
    return [(entry.names, entry.line, ast.dump(entry.parse(), include_attributes=True)) for entry in entries]


@pytest.mark.parametrize("piece", PIECES)
def test_a_statement_is_what_ast_says(piece: str) -> None:
    assert indexed(piece) == described(piece)
    assert indexed(piece.rstrip("\n")) == described(piece.rstrip("\n"))


@given(st.lists(st.sampled_from(PIECES), max_size=12))
def test_any_file_of_statements_is_what_ast_says(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert indexed(text) == described(text)


@given(st.text(alphabet="ax1=:;,.()[]{}'\"#\\\n \t\f@*", max_size=60))
def test_any_text_that_ast_reads_is_indexed_the_same(text: str) -> None:
    try:
        wanted = described(text)
    except (SyntaxError, ValueError):
        return
    assert indexed(text) == wanted


def test_names_hold_every_binding_in_order() -> None:
    index = Index("x = 1\nif a:\n    x = 2\n    def f(): local = 1\nx += 3\nfrom m import *\nx.z = 1\n", "m.py")
    assert [entry.line for entry in index.names["x"]] == [1, 2, 5]
    assert [entry.kind for entry in index.names["x"]] == ["assign", "block", "assign"]
    assert set(index.names) == {"x", "f"}
    assert [(star.level, star.module, star.entry.line) for star in index.star_imports] == [(0, "m", 6)]
    assert [entry.line for entry in index.changes["x"]] == [7]


def test_a_definition_is_parsed_only_when_asked_for() -> None:
    index = Index("class Good:\n    x = 1\n\nclass Bad:\n    x = = 1\n", "m.py")
    assert isinstance(index.names["Good"][0].parse(), ast.ClassDef)
    assert index.names["Good"][0].parse() is index.names["Good"][0].parse()
    with pytest.raises(TargetError) as caught:
        index.names["Bad"][0].parse()
    assert caught.value.place == "m.py:5:9"
    assert "   5 |     x = = 1" in str(caught.value)
    assert str(caught.value).split("\n")[2].index("^") == len("     | ") + 8


def test_a_form_feed_starts_a_line_anew() -> None:
    text = "x = 1\n\f\nclass A:\n    pass\n \fdef f(): pass\n"
    assert indexed(text) == described(text)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="PEP 701 is Python 3.12")
def test_an_f_string_may_reuse_its_quotes() -> None:
    for text in (
        'x = f"{d["#"]}"\ny = 1\n',
        'x = f"""{"""\nz = 1\n"""}"""\ny = 1\n',
        'x = f"}}{ {"a":1}["a"] }"\ny = 2\n',
    ):
        assert indexed(text) == described(text)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 100_000,
        "x = " + "(" * 100_000,
        "x = " + "[" * 150 + "1 2" + "]" * 150,
        "x = " + "-" * 100_000 + "1",
        "x = a" + ".b" * 100_000,
        "x = 1" + "+1" * 100_000,
        "x = " + "lambda:" * 100_000 + "1",
        "if a:\n  pass\n" + "elif a:\n  pass\n" * 20_000,
        "".join(" " * depth + "if 1:\n" for depth in range(150)),
        '"""never closed\nclass A: pass\n',
        "x = 'never closed\n",
        "x = (1\nclass A: pass\n",
        "x = 1)\n",
        "  x = 1\ny = 2\n",
        "else:\n    x = 1\n",
        "@decorator\n",
        "print 'Python 2'\n",
    ],
)
def test_what_is_not_python_is_one_clear_error(text: str) -> None:
    with pytest.raises(TargetError) as caught:
        indexed(text)
    assert caught.value.place.startswith("m.py:")
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "text",
    [
        "from x import " + " " * 200_000 + "#",
        "from" + " " * 200_000,
        "x" + " " * 200_000,
        "import a" + " " * 200_000 + "!",
    ],
)
def test_long_blanks_take_linear_time(text: str) -> None:
    with pytest.raises(TargetError):
        [entry.parse() for entry in Index(text + "\ny = 1 1\n", "m.py").entries]


def test_python_2_is_named() -> None:
    with pytest.raises(TargetError, match="looks like Python 2"):
        Index("def f():\n    print 'x'\n", "m.py").names["f"][0].parse()


def test_nul_and_size_are_refused() -> None:
    with pytest.raises(TargetError, match=r"m\.py:2: a NUL"):
        Index("x = 1\ny = '\0'\n", "m.py")
    with pytest.raises(TargetError, match="at most"):
        Index("#" * (MAX_CHARACTERS + 1), "m.py")


@pytest.mark.packages
@pytest.mark.parametrize("requirement", ["tensor2tensor==1.2.5", "labml-nn==0.5.1"])
def test_released_files_are_what_ast_says(requirement: str) -> None:
    from packages import unpacked

    files = sorted(Path(unpacked(requirement)).rglob("*.py"))
    assert len(files) > 50
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert indexed(text) == described(text), file
