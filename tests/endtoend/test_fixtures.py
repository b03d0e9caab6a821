"""A paper's architecture in many styles of code holds; one swapped thing in each is told by the rule that guards it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from fixture_cases import Fixture, fixtures

from archcheck.findings import ClaimResult, Finding, Report, Verdict
from archcheck.judging import Preset
from archcheck.pipeline import check
from archcheck.sweep import Request

ALL = tuple(fixtures())


def parameter(fixture: Fixture) -> object:
    marks = [pytest.mark.xfail(strict=True, reason=fixture.xfail)] if fixture.xfail else []
    return pytest.param(fixture, id=fixture.id, marks=marks)


CONFORMING = [parameter(fixture) for fixture, _ in ALL]
DEPARTING = [parameter(twin) for _, twins in ALL for twin in twins]


def audit(fixture: Fixture, file: Path, spec: str = "") -> Report:
    request = Request(f"{file}:{fixture.symbol}", fixture.arguments, preset=Preset(fixture.preset, fixture.sizes))
    (report,) = check(request, spec or fixture.spec)
    return report


def looked_at(fixture: Fixture, report: Report) -> list[ClaimResult]:
    claims = [claim for claim in report.default.claims if claim.claim in fixture.claims]
    assert {claim.claim for claim in claims} == set(fixture.claims), "a claim that the spec does not make"
    return claims


def told(findings: list[Finding]) -> str:
    return "\n".join(f"{one.rule}: {one.verdict.value}: {one.message}" for one in findings)


@pytest.mark.parametrize("fixture", CONFORMING)
def test_the_architecture_holds_in_every_style(fixture: Fixture) -> None:
    report = audit(fixture, fixture.folder / "model.py")
    claims = looked_at(fixture, report)
    assert {claim.claim: claim.verdict.value for claim in claims} == fixture.claims, told(
        [finding for claim in claims for finding in claim.findings]
    )
    assert Verdict.HOLDS.value in fixture.claims.values()
    assert [finding for claim in claims if claim.verdict is Verdict.HOLDS for finding in claim.findings] == []
    # No pass by blindness: all was read, in one way, and what was judged is the whole layer.
    assert report.undetermined == ()
    assert len(report.variants) == 1 or all(variant.when for variant in report.variants[1:])
    (bound,) = claims[0].bound
    assert bound.signature == "; ".join(f"{kind}: {letters}" for kind, letters in fixture.sublayers.items())
    assert bound.repeat == fixture.repeat


@pytest.mark.parametrize("fixture", DEPARTING)
def test_one_swapped_thing_is_told_by_its_rule(fixture: Fixture, tmp_path: Path) -> None:
    file = tmp_path / "model.py"
    file.write_text(fixture.source, encoding="utf-8")
    ast.parse(fixture.source)
    claims = looked_at(fixture, audit(fixture, file))
    findings = [finding for claim in claims for finding in claim.findings]
    assert {claim.claim: claim.verdict.value for claim in claims} == fixture.claims, told(findings)
    assert sorted({finding.rule for finding in findings}) == list(fixture.rules), told(findings)
    assert all(finding.message and finding.paper and finding.code and finding.fix for finding in findings)
    if fixture.at:
        first = [finding.places[0] for finding in findings if finding.places]
        lines = fixture.source.splitlines()
        assert any(fixture.at in lines[place.span.line - 1] for place in first), [place.text for place in first]
        assert all(place.text == lines[place.span.line - 1] for place in first if place.span.file.endswith("model.py"))


# Styles written smaller than the paper's model: its numbers (64 features a head, scores divided by 8) are not theirs.
SMALLER = {
    f"vaswani2017/{style}": claims
    for style, claims in {
        "decorators": {"heads"},
        "einsum": {"heads"},
        "functional": {"heads"},
        "handwritten_norm": {"heads"},
        "in_place_add": {"heads"},
    }.items()
}


@pytest.mark.parametrize("fixture", [parameter(one) for one, _ in ALL if not one.id.startswith("xiong2020/")])
def test_no_claim_of_the_whole_paper_is_violated(fixture: Fixture) -> None:
    """What a style leaves open is undetermined; nothing in it is called a violation. (xiong2020 states two orders.)"""
    report = audit(fixture, fixture.folder / "model.py", fixture.spec.partition("#")[0])
    violated = {
        claim.claim: told(list(claim.findings))
        for claim in report.default.claims
        if claim.verdict is Verdict.VIOLATED and not claim.advisory
    }
    assert set(violated) == SMALLER.get(fixture.id, set()), violated
    numbers = ("the scale of attention is", "head_dim of self attention is", "not-determined: UNDETERMINED: heads")
    assert [
        line for text in violated.values() for line in text.splitlines() if not any(n in line for n in numbers)
    ] == []


def test_there_are_many_styles_and_each_departs() -> None:
    styles = [(fixture, twins) for fixture, twins in ALL if fixture.id.startswith("vaswani2017/")]
    assert len(styles) >= 12
    assert [fixture.id for fixture, twins in ALL if not twins] == []
    assert {rule for _, twins in ALL for twin in twins for rule in twin.rules} >= {
        "activation",
        "dropout-placement",
        "norm-kind",
        "norm-placement",
        "residual",
        "residual-scale",
    }
