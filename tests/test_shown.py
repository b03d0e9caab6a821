"""The one escaper: what it hides, what it leaves, and that nothing which steers a terminal gets through."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archcheck.errors import ArchcheckError, SpecError, excerpt
from archcheck.shown import cells, pad, shorten, shown, shown_prose


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("self_attention", "self_attention"),
        ("größe × 6 → 注意", "größe × 6 → 注意"),
        ("C:\\models", "C:\\models"),
        ("\x1b[31mred", "\\u001b[31mred"),
        ("a\nb\tc\r", "a\\u000ab\\u0009c\\u000d"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("\u2028\u2029\x85", "\\u2028\\u2029\\u0085"),
        ("\ud800", "\\ud800"),
        ("\uffff\U000e0041", "\\uffff\\U000e0041"),
    ],
)
def test_what_cannot_be_seen_is_written_out(raw: str, expected: str) -> None:
    assert shown(raw) == expected


@given(st.text(st.characters(exclude_categories=())))
def test_shown_text_is_one_printable_line_and_showing_it_again_changes_nothing(raw: str) -> None:
    text = shown(raw)
    assert not {unicodedata.category(char) for char in text} & {"Cc", "Cf", "Cs", "Zl", "Zp", "Co"}
    assert len(text.splitlines()) <= 1
    assert shown(text) == text
    text.encode("utf-8")


def test_prose_folds_line_breaks_only() -> None:
    assert shown_prose("  add,\n   then\tnorm\x1b ") == "add, then\\u0009norm\\u001b"


def test_width_counts_columns_of_a_terminal() -> None:
    assert [cells(text) for text in ("norm", "注意", "e\u0301", "")] == [4, 4, 1, 0]
    assert pad("注", 4) == "注  "


def test_shorten_keeps_both_ends_and_the_limit() -> None:
    assert shorten("norm", 4) == "norm"
    assert shorten("abcdefghij", 7) == "abcd…ij"
    assert all(len(shorten("x" * 100, limit)) == limit for limit in range(2, 100))


@pytest.mark.parametrize(
    ("line", "column", "width", "marked"),
    [
        ("x = norm(x)", 5, 4, "norm"),
        ("\tx = norm(x)", 6, 4, "norm"),
        ("注意 = norm(x)", 6, 4, "norm"),
        ("\x1b = norm(x)", 5, 4, "norm"),
        ("x" * 300 + "norm" + "y" * 300, 301, 4, "norm"),
        ("x = norm(x)", 11, 40, ")"),
    ],
)
def test_the_caret_stands_under_what_it_marks(line: str, column: int, width: int, marked: str) -> None:
    source, caret = excerpt(line, 7, column, width).split("\n")
    start = cells(caret[: caret.index("^")])
    columns = [char for char in source for _ in range(cells(char))]
    assert "".join(columns[start : start + caret.count("^")]) == marked
    assert cells(source) <= 100


def test_the_caret_survives_a_column_behind_the_line() -> None:
    assert excerpt("ab", 12345, 99).split("\n") == ["12345 | ab", "      |   ^"]


def test_an_error_cannot_steer_the_terminal() -> None:
    error = ArchcheckError(
        'no op is called "\x1b[2J"',
        place="a\u202e.yaml:1:1",
        excerpt=excerpt("- \x1b[2J", 1, 3),
        hint="write\nnorm",
    )
    assert str(error) == (
        'a\\u202e.yaml:1:1: no op is called "\\u001b[2J"\n   1 | - \\u001b[2J\n     |   ^^^^^^\n  hint: write norm'
    )


def test_a_spec_error_renders_every_mistake() -> None:
    mistakes = (ArchcheckError("one", place="a:1"), ArchcheckError("two", hint="three"))
    assert str(SpecError(mistakes)) == "a:1: one\n\ntwo\n  hint: three"
