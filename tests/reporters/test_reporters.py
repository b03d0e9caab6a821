"""Reporters on reports written by hand: golden files, and properties that hold for any report."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_samples import EVIL, FLAGGED, POST_LN, POST_LN_VIOLATED, T2T, hostile

from archcheck.align.edits import Edit, EditKind
from archcheck.errors import ArchcheckError, SpecError
from archcheck.findings import Report, Variant, Verdict
from archcheck.reporters import REPORTERS
from archcheck.reporters.json import render_errors
from archcheck.shown import shown

Golden = Callable[[str, str], None]
SAMPLES = {"tensor2tensor": T2T, "norm_first": FLAGGED}
ENDING = {"text": ".text.txt", "concise": ".concise.txt", "json": ".json"}


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("format_name", REPORTERS)
def test_golden(name: str, format_name: str, golden: Golden) -> None:
    golden(name + ENDING[format_name], REPORTERS[format_name](SAMPLES[name]))


@pytest.mark.parametrize("format_name", ["text", "concise"])
@pytest.mark.parametrize("name", SAMPLES)
def test_colour_adds_nothing_but_colour(format_name: str, name: str) -> None:
    plain = REPORTERS[format_name](SAMPLES[name])
    coloured = REPORTERS[format_name](SAMPLES[name], colour=True)
    assert "\x1b[" in coloured
    assert "\x1b" not in plain
    assert re.sub(r"\x1b\[\d*m", "", coloured) == plain


def test_the_text_fits_a_hundred_columns() -> None:
    for report in SAMPLES.values():
        assert max(len(line) for line in REPORTERS["text"](report).splitlines()) <= 100


def test_the_verdict_comes_first() -> None:
    first = REPORTERS["text"](T2T).splitlines()[0]
    assert first == 'VIOLATED: the code departs from "Attention Is All You Need" (vaswani2017)'


@pytest.mark.parametrize("format_name", ["text", "concise"])
def test_hostile_text_is_only_text(format_name: str) -> None:
    text = REPORTERS[format_name](hostile(EVIL))
    assert not re.search("[^\n -~…·]", text)
    assert not re.search(r"^\s*(::|##\[)", text, re.MULTILINE)
    assert "\\u001b[31m\\u202e<b>x</b>" in text
    assert (
        len(REPORTERS["concise"](hostile(EVIL)).splitlines()) == 1 + 1
    )  # the finding that both variants share, and the counts


@given(st.text(st.characters(exclude_categories=()), min_size=1))
def test_any_text_comes_through(name: str) -> None:
    report = hostile(name)
    for format_name in ("text", "concise"):
        text = REPORTERS[format_name](report)
        assert shown(text.replace("\n", "")) == text.replace("\n", "")
    document = json.loads(REPORTERS["json"](report))
    assert document["target"] == name
    assert REPORTERS["json"](report).isascii()
    assert REPORTERS["json"](report).replace("\n", "").isprintable()


@pytest.mark.parametrize("name", ["::error::x", "##[error]x", "  ::stop-commands::x"])
def test_no_line_is_a_command_to_the_ci_system_that_prints_it(name: str) -> None:
    for format_name in ("text", "concise"):
        text = REPORTERS[format_name](hostile("a " * 30 + name + " " + name))
        assert not re.search(r"^\s*(::|##\[)", text, re.MULTILINE)
    assert REPORTERS["concise"](hostile(name)).lstrip().startswith(("\\u003a:", "\\u0023#"))


def test_an_undetermined_report_says_so() -> None:
    report = dataclasses.replace(FLAGGED, variants=(Variant((), True, ()),))
    lines = REPORTERS["text"](report).splitlines()
    assert lines[0].startswith("UNDETERMINED: cannot tell whether the code computes")
    assert "  claims: none" in lines
    assert REPORTERS["concise"](report).startswith("UNDETERMINED xiong2020#post_ln: none")


def test_holding_with_something_undetermined_is_not_sold_as_all() -> None:
    unsure = dataclasses.replace(T2T.default.claims[3], advisory=False)
    assert unsure.verdict is Verdict.UNDETERMINED
    report = dataclasses.replace(T2T, variants=(Variant((), True, (*T2T.default.claims[:2], unsure)),))
    assert REPORTERS["text"](report).startswith("HOLDS: as far as could be judged, the code computes what")


def test_variants_that_say_the_same_are_shown_once() -> None:
    variants = (
        Variant((("a", 1), ("norm_first", False)), True, (POST_LN,)),
        Variant((("a", 1), ("norm_first", True)), False, (POST_LN_VIOLATED,)),
        Variant((("a", 2), ("norm_first", True)), False, (POST_LN_VIOLATED,)),
    )
    text = REPORTERS["text"](Report("t", "s", "T", "static", variants))
    assert text.count("norm-placement:") == 1
    assert "VIOLATED post_ln when a=1, norm_first=True or a=2, norm_first=True: norm(x + sublayer(x))" in text
    assert "With other flags: every claim is judged alike" in REPORTERS["text"](
        Report("t", "s", "T", "static", (variants[0], dataclasses.replace(variants[0], default=False)))
    )


def test_another_reading_that_holds_is_named() -> None:
    reading = dataclasses.replace(T2T.default.readings[0], verdict=Verdict.HOLDS)
    report = dataclasses.replace(T2T, variants=(dataclasses.replace(T2T.default, readings=(reading,)),))
    assert "Read as norm-inside-the-residual, the paper states what the code computes." in REPORTERS["text"](report)


def test_only_an_edit_that_moved_is_drawn_as_a_move() -> None:
    finding = dataclasses.replace(POST_LN_VIOLATED.findings[0], edits=(Edit(EditKind.MISSING), Edit(EditKind.EXTRA)))
    claim = dataclasses.replace(POST_LN_VIOLATED, findings=(finding,))
    text = REPORTERS["text"](Report("t", "s", "T", "static", (Variant((), True, (claim,)),)))
    assert "n: not in the code" in text
    assert "n: not in the paper" in text
    assert " moved\n" not in text


def test_json_keeps_everything_but_graphs() -> None:
    document = json.loads(REPORTERS["json"](T2T))
    assert document["version"] == 1
    assert document["verdict"] == "VIOLATED"
    assert document["counts"] == {"HOLDS": 2, "UNDETERMINED": 1, "VIOLATED": 1}
    (variant,) = document["variants"]
    claims = {claim["claim"]: claim for claim in variant["claims"]}
    (finding,) = claims["encoder_layer"]["findings"]
    assert finding["expected"][0] is None
    assert [step["function"] for step in finding["trail"][0]["trail"]] == ["transformer_base", "transformer_base_v2"]
    (edit,) = claims["self_attention.scale"]["findings"][0]["edits"]
    assert (edit["stated"], edit["found"], edit["why"]) == (0.125, None, "key_depth_per_head is not stated")
    assert claims["no-final-norm"]["quote"] is None


def test_json_has_no_number_that_json_lacks() -> None:
    variants = (Variant((("a", float("inf")), ("b", (float("nan"), 1, None, True))), True, (POST_LN,)),)
    (variant,) = json.loads(REPORTERS["json"](Report("t", "s", "T", "static", variants)))["variants"]
    assert variant["when"] == {"a": "inf", "b": ["nan", 1, None, True]}


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("a:b.yaml:3:7", ("a:b.yaml", 3, 7)),
        ("a.yaml:3", ("a.yaml", 3, None)),
        ("a.yaml", ("a.yaml", None, None)),
        ("", (None, None, None)),
        ("a:b", ("a:b", None, None)),
    ],
)
def test_json_of_errors(place: str, expected: tuple[str | None, int | None, int | None]) -> None:
    (error,) = json.loads(render_errors([ArchcheckError("wrong", place=place)]))["errors"]
    assert (error["file"], error["line"], error["column"]) == expected


def test_json_of_errors_has_every_mistake_of_a_spec() -> None:
    spec = SpecError((ArchcheckError("one", hint="two"), ArchcheckError("three", excerpt="  1 | x")))
    errors = json.loads(render_errors([spec, ArchcheckError("four")]))["errors"]
    assert [error["problem"] for error in errors] == ["one", "three", "four"]
    assert (errors[0]["hint"], errors[1]["excerpt"], errors[2]["hint"]) == ("two", "  1 | x", None)
