"""The fixtures in eval mode: what holds in train mode holds, and of what departs all is seen but dropout."""

from __future__ import annotations

from pathlib import Path

import pytest
from fixture_cases import Fixture, fixtures
from test_fixtures import looked_at, told
from test_fixtures_traced import Run, judged, run_all

from archcheck.findings import ClaimResult, Report, Verdict
from archcheck.ir.equivalences import NO_DROPOUT
from archcheck.judging import Preset
from archcheck.pipeline import check
from archcheck.sweep import Request

DROPOUT = "dropout-placement"
ALWAYS = "vaswani2017/prepost_string"  # tf.nn.dropout of TensorFlow 1 knows no modes: what is there is judged
ALL = [pytest.param(one, id=one.id) for own, twins in fixtures() for one in (own, *twins) if not one.xfail]
TORCH = [param for param in ALL if "import torch" in param.values[0].source]  # type: ignore[union-attr]


def assert_evaluated(fixture: Fixture, report: Report) -> None:
    claims = looked_at(fixture, report)
    expected = fixture.claims
    rules = tuple(rule for rule in fixture.rules if rule != DROPOUT)
    always = fixture.id.startswith(ALWAYS)
    if fixture.rules and not rules:
        told_instead = "UNDETERMINED" if always else "HOLDS"
        expected = {name: verdict.replace("VIOLATED", told_instead) for name, verdict in expected.items()}
    findings = [finding for claim in claims for finding in claim.findings]
    assert {claim.claim: claim.verdict.value for claim in claims} == expected, told(findings)
    assert {finding.rule for finding in findings if finding.verdict is Verdict.VIOLATED} == set(rules), told(findings)
    assert always or all(_is_named(claim) for claim in claims)


def _is_named(claim: ClaimResult) -> bool:
    """Whether the equivalence is named by which a claim with dropout holds of code that shows none."""
    return NO_DROPOUT in claim.equivalences or "dropout" not in claim.says or not claim.bound


@pytest.mark.parametrize("fixture", ALL)
def test_what_is_read(fixture: Fixture, tmp_path: Path) -> None:
    file = tmp_path / "model.py"
    file.write_text(fixture.source, encoding="utf-8")
    preset = Preset(fixture.preset, fixture.sizes)
    request = Request(f"{file}:{fixture.symbol}", fixture.arguments, training=False, preset=preset)
    (report,) = check(request, fixture.spec)
    assert_evaluated(fixture, report)


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    return run_all(tmp_path_factory.mktemp("evaluated"), training=False)


@pytest.mark.parametrize("fixture", TORCH)
def test_what_runs(fixture: Fixture, traced: dict[str, Run]) -> None:
    assert_evaluated(fixture, judged(fixture, traced[fixture.id]))
