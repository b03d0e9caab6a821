"""The guard: what YAML means by the core schema, where things stand, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from spec_text import message, places

from archcheck.errors import SpecError
from archcheck.spec import guard
from archcheck.spec.guard import read, resolve
from archcheck.spec.nodes import Mapping, Scalar, Sequence


def tree(text: str) -> object:
    """The tree as plain data."""

    def plain(node: object) -> object:
        if isinstance(node, Mapping):
            return {key.text: plain(value) for key, value in node.items}
        if isinstance(node, Sequence):
            return [plain(item) for item in node.items]
        assert isinstance(node, Scalar)
        return node.value

    return plain(read(text.encode(), "f.yaml").root)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("n", "n"),
        ("012", 12),
        ("0o14", 12),
        ("0xff", 255),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("2001-01-01", "2001-01-01"),
        ("-7", -7),
        ("+7", 7),
        (".5", 0.5),
        ("1.", 1.0),
        ("1e3", 1000.0),
        ("-.inf", float("-inf")),
        ("True", True),
        ("FALSE", False),
        ("tRUE", "tRUE"),
        ("~", None),
        ("", None),
        ("Null", None),
        ("0b1", "0b1"),
        ("=", "="),
    ],
)
def test_plain_scalars_follow_the_core_schema(text: str, value: object) -> None:
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


def test_quoted_scalars_are_text() -> None:
    assert tree("a: '1'\nb: \"true\"\nc: |\n  3\n") == {"a": "1", "b": "true", "c": "3\n"}


def test_both_parsers_give_the_same_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: {b: [1, no, ~], c: 'it''s'}\nd: |\n  x = 1\n\n  y\ne: >-\n  one\n  two\nf: \"\\x41\\tb\"\n"
    fast = read(text.encode(), "f.yaml").root
    monkeypatch.setattr(guard, "_libyaml", None)
    assert read(text.encode(), "f.yaml").root == fast


def at(text: str, key: str) -> list[tuple[str, int, int]]:
    document = read(text.encode(), "f.yaml")
    assert isinstance(document.root, Mapping)
    node = document.root.get(key)
    assert isinstance(node, Scalar)
    found = document.text(node)
    assert len(found.places) == len(found.text)
    rows = zip(found.text, found.places, strict=True)
    return [(char, *place) for char, place in rows if not char.isspace()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: xy", [("x", 1, 4), ("y", 1, 5)]),
        ("a: 'x''y'", [("x", 1, 5), ("'", 1, 6), ("y", 1, 8)]),
        ('a: "x\\u0041\\ty"', [("x", 1, 5), ("A", 1, 6), ("y", 1, 14)]),
        ("a: |\n\n   x\n  \n   y\n", [("x", 3, 4), ("y", 5, 4)]),
        ("a: |2-  # why\n    x\n", [("x", 2, 5)]),
        ("a: >\n  x\n  y\n", [("x", 2, 3), ("y", 3, 3)]),
        ("a: x\n  y", [("x", 1, 4), ("y", 2, 3)]),
        ("a: |\r\n  x\r\n  y\r\n", [("x", 2, 3), ("y", 3, 3)]),
    ],
)
def test_every_character_knows_its_place(text: str, expected: list[tuple[str, int, int]]) -> None:
    assert at(text, "a") == expected


@given(st.lists(st.text("xyzα =+()'\"", min_size=1, max_size=12), min_size=1, max_size=5))
@example(["x", "  y"])
def test_a_block_scalar_points_into_its_lines(rows: list[str]) -> None:
    lines = [f"q{row}" for row in rows]
    source = "a: |\n" + "".join(f"    {line}\n" for line in lines)
    for char, line, column in at(source, "a"):
        assert source.split("\n")[line - 1][column - 1] == char


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: &x 1\nb: 2", '1:4 anchors ("&x") are not part of the spec language'),
        ("b: *x", '1:4 aliases ("*x") are not part of the spec language'),
        ("a: !!int 1", '1:4 tags ("tag:yaml.org,2002:int") are not part of the spec language'),
        ("a: ! b", '1:4 tags ("!") are not part of the spec language'),
        (
            "a: !!python/object:os.system []",
            '1:4 tags ("tag:yaml.org,2002:python/object:os.system") are not part of the spec language',
        ),
        ("<<: {a: 1}", '1:1 merge keys ("<<") are not part of the spec language'),
        ("a: 1\n---\nb: 2", "2:1 a second YAML document begins here"),
        ("%TAG ! x:\n---\na: 1", "1:1 %TAG directives are not part of the spec language"),
        ("", "1:1 the file is empty"),
        ("# only a comment\n", "1:1 the file is empty"),
        ("a: b: c", "1:5 this is not YAML: mapping values are not allowed in this context"),
        (
            "a:\n\t- b",
            "2:1 this is not YAML: while scanning for the next token, found character that cannot start any token",
        ),
        (b"a: \xff", "1:4 this byte is not UTF-8"),
        (b"a: 1\nb: \xc3\xa4\xc3", "2:5 this byte is not UTF-8"),
        ("a: x".encode("utf-16"), "1:1 this byte is not UTF-8"),
        (b"a: \x00", "1:4 a spec holds no control characters (U+0000)"),
        ("a: \x1b[31m", "1:4 a spec holds no control characters (U+001B)"),
        ('a: "\\0"', "1:4 a text holds no control characters (U+0000)"),
        ("a: " + "x" * (guard.MAX_SCALAR + 1), "1:4 a text may have at most 65,536 characters"),
        ("#" * (guard.MAX_BYTES + 1), "1:1 a spec may have at most 1,048,576 bytes, this file has more"),
        ("a: [" + "1," * guard.MAX_EVENTS + "]", "1:99995 a spec may have at most 50,000 YAML events"),
        ("[" * 100_000, "1:33 nested more than 32 levels deep"),
        ("{a: " * 100_000, "1:129 nested more than 32 levels deep"),
        ("- " * 50_000, "1:65 nested more than 32 levels deep"),
        (
            "a: &a [x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
            '1:4 anchors ("&a") are not part of the spec language',
        ),
    ],
)
def test_what_a_spec_may_not_hold_ends_in_one_error(text: str | bytes, problem: str) -> None:
    [found] = places(text.encode() if isinstance(text, str) else text)
    assert found.replace("made.yaml:", "") == problem


def test_duplicate_keys_and_odd_keys_are_noted_beside_other_mistakes() -> None:
    found = places("archcheck: 1\nid: a\nid: b\n? [x]\n: 1\nblocks:\n  b: {where: x, where: y, flow: f(x)}\n")
    assert '3:1 "id" stands twice in this mapping' in found
    assert "4:3 a key must be a word" in found
    assert '7:17 "where" stands twice in this mapping' in found
    assert '7:33 no op is called "f"' in found


def test_a_message_has_excerpt_caret_and_hint() -> None:
    assert message("a: 1\nb:\n  - &here x\n") == (
        'made.yaml:3:5: anchors ("&here") are not part of the spec language\n'
        "   3 |   - &here x\n"
        "     |     ^^^^^^^\n"
        "  hint: write the value out where it is needed"
    )


def test_a_long_line_is_shown_around_the_caret() -> None:
    rows = message("[" * 100_000).splitlines()
    assert all(len(row) < 120 for row in rows)
    assert rows[1][rows[2].index("^")] == "["


@given(st.binary(max_size=300))
@example(b"\xef\xbb\xbfa: 1")
@example(b"? ")
@example(b"a: \xe2\x80\xa8b")
def test_any_bytes_give_a_tree_or_a_spec_error(data: bytes) -> None:
    try:
        found: object = read(data, "f.yaml").root
    except SpecError as error:
        found = error.problems
    assert found
