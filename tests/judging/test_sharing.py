"""Weights that are one: identity decides, whether it was read or comes from a trace."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from initial_cases import HEAD, SOURCE, subject

from archcheck.errors import ArchcheckError
from archcheck.findings import ClaimResult, Place, Verdict
from archcheck.judging import Judge, Preset, Subject
from archcheck.pipeline import check
from archcheck.spec.build import read
from archcheck.sweep import Request

LAYERS = ("a.weight", "a.bias", "b.inner.weight")


def judged(model: Subject, places: str, **pinned: str) -> ClaimResult:
    spec = read(f"{HEAD}claims:\n  - {{id: a, where: x, same_weights: [{places}]}}\n".encode(), "made.yaml")
    bound = {name.replace("_", "."): place for name, place in pinned.items()}
    return Judge(spec, Place, Preset(pinned=bound)).variant(model).claims[-1]


def traced(model: Subject, *names: str, tied: tuple[tuple[str, ...], ...] = ()) -> Subject:
    """`model` with the weights that a trace tells: every place, and the first place of its tensor."""
    first = {name: group[0] for group in tied for name in group}
    return replace(model, weights=tuple((name, first.get(name, name)) for name in sorted({*names, *first})))


@pytest.fixture
def model(tmp_path: Path) -> Subject:
    return subject(tmp_path)


def test_identity_from_a_trace_is_enough(model: Subject) -> None:
    tied = traced(model, "head.bias", tied=(("tokens.weight", "head.weight"),))
    assert judged(tied, "tokens, head").verdict is Verdict.HOLDS
    assert judged(tied, "encoder.embedding, output", encoder_embedding="tokens", output="head").verdict is Verdict.HOLDS
    assert judged(tied, "tokens.weight, head").verdict is Verdict.HOLDS
    apart = judged(traced(model, "tokens.weight", "head.weight"), "tokens, head")
    assert apart.verdict is Verdict.VIOLATED
    assert apart.findings[0].code == "In the code, tokens is tokens.weight, head is head.weight."


def test_layers_that_share_all_they_hold(model: Subject) -> None:
    groups = tuple(tuple(f"layers.{n}.{name}" for n in range(3)) for name in LAYERS)
    one = traced(model, tied=groups)
    assert judged(one, "'layers[*]'").verdict is Verdict.HOLDS
    assert judged(one, "'layers[*].a'").verdict is Verdict.HOLDS
    assert judged(one, "layers.0, layers.2").verdict is Verdict.HOLDS
    some = traced(model, *(name for group in groups[1:] for name in group), tied=groups[:1])
    result = judged(some, "'layers[*]'")
    assert result.verdict is Verdict.VIOLATED
    assert result.findings[0].code.endswith("so for 2 of 3 tensors.")
    assert judged(some, "'layers[*].a'").verdict is Verdict.HOLDS  # its weight; biases are free


@pytest.mark.parametrize(
    ("places", "why"),
    [
        ("tokens, output", "which module of Model is output is not told"),
        ("'tokens[*]', 'blocks[0]'", "which module of Model is tokens[*] is not told"),
        ("'*.norm', head", "cannot stand here"),
        ("'layers[*]'", "layers[*] is one place in Model"),
        ("layers.0.a, tokens", ""),
    ],
)
def test_what_is_not_told(model: Subject, places: str, why: str) -> None:
    one = traced(model, "tokens.weight", "head.weight", "layers.0.b.inner.weight", "layers.0.a.other")
    if "stand" in why:
        with pytest.raises(ArchcheckError, match=why):
            judged(one, places)
        return
    result = judged(one, places)
    assert result.verdict is Verdict.UNDETERMINED
    assert why in result.findings[0].message


def test_places_of_a_claim_can_be_bound(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(SOURCE)
    spec = tmp_path / "spec.yaml"
    spec.write_text(f"{HEAD}claims:\n  - {{id: a, where: x, same_weights: [encoder.embedding, output]}}\n")
    pinned = {"encoder.embedding": "tokens", "output": "head"}
    (report,) = check(Request(f"{tmp_path / 'model.py'}:Model", preset=Preset(pinned=pinned)), str(spec))
    assert report.default.claims[-1].verdict is Verdict.HOLDS
    with pytest.raises(ArchcheckError, match='has no block "outputs"'):
        check(Request(f"{tmp_path / 'model.py'}:Model", preset=Preset(pinned={"outputs": "head"})), str(spec))
