"""Two sequences side by side: every mark stands under the token that it is about."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archcheck.reporters.sequences import side_by_side
from archcheck.shown import cells


def drawn(expected: str, actual: str, **options: object) -> list[str]:
    sides = (tuple("" if token == "." else token for token in side.split()) for side in (expected, actual))
    return [line.text for line in side_by_side(*sides, **options)]


@pytest.mark.parametrize(
    ("expected", "actual", "lines"),
    [
        (". F d a n", "n F d a .", ["·  F  d  a  n", "n  F  d  a  ·", "^-----------'  n moved"]),
        ("n F a .", ". F a n", ["n  F  a  ·", "·  F  a  n", "'--------^  n moved"]),
        ("F d a", "F . a", ["F  d  a", "F  ·  a", "   ^  d: not in the code"]),
        ("F a .", "F a s", ["F  a  ·", "F  a  s", "      ^  s: not in the paper"]),
        (
            "add layer_norm",
            "add rms_norm",
            ["add  layer_norm", "add  rms_norm", "     ^^^^^^^^^^  layer_norm in the paper, rms_norm in the code"],
        ),
        ("F a", "F ?", ["F  a", "F  ?", "   ^  not known"]),
        ("n F a", "n F a", ["n  F  a", "n  F  a"]),
        (
            ". F a n . F a n",
            "n F a . n F a .",
            ["·  F  a  n  ·  F  a  n", "n  F  a  ·  n  F  a  ·", "^--------'  ^--------'  n moved (2 times)"],
        ),
        (
            ". . F n d",
            "n d F . .",
            ["·  ·  F  n  d", "n  d  F  ·  ·", "^--------'  n moved", "   ^--------'  d moved"],
        ),
        (". F n n", "n F . .", ["·  F  n  n", "n  F  ·  ·", "^-----'  n moved", "         ^  n: not in the code"]),
    ],
)
def test_marks(expected: str, actual: str, lines: list[str]) -> None:
    assert drawn(expected, actual) == lines


def test_what_no_edit_calls_moved_is_missing_and_extra() -> None:
    assert drawn(". F n", "n F .", moves=False) == [
        "·  F  n",
        "n  F  ·",
        "^  n: not in the paper",
        "      ^  n: not in the code",
    ]


def test_long_sequences_are_cut_into_strips_and_an_arrow_runs_on() -> None:
    lines = drawn(". aa bb cc dd nn", "nn aa bb cc dd .", width=20)
    assert lines == [
        "·   aa  bb  cc  dd",
        "nn  aa  bb  cc  dd",
        "^-----------------",
        "nn moved",
        "nn",
        "·",
        "'  nn moved",
    ]


def test_wide_characters_keep_their_columns() -> None:
    assert drawn("注意 . n", "注意 n .") == ["注意  ·  n", "注意  n  ·", "      ^--'  n moved"]


@given(
    st.lists(st.tuples(st.sampled_from(["", "n", "F", "drop"]), st.sampled_from(["", "n", "F", "drop"])), max_size=30),
    st.integers(30, 90),
)
def test_every_difference_is_marked_and_no_line_is_wider_than_asked(columns: list[tuple[str, str]], width: int) -> None:
    expected, actual = (tuple(side) for side in zip(*columns, strict=True)) if columns else ((), ())
    lines = side_by_side(expected, actual, width=width)
    assert any(line.who == "" for line in lines) == any(left != right for left, right in columns)
    assert all(cells(line.text) <= max(width, 30) for line in lines if line.who)
    assert (
        all("^" in line.text or "'" in line.text for line in lines if line.who == "" and "-" in line.text) or width < 60
    )
