"""Counts that differ are shown where the code has what is counted."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_paths import SOURCE

from archcheck.findings import Finding, Verdict
from archcheck.pipeline import check
from archcheck.sweep import Request


def test_a_count_that_differs_shows_the_lines_and_says_what_to_do(tmp_path: Path) -> None:
    model, spec = tmp_path / "model.py", tmp_path / "spec.yaml"
    model.write_text(SOURCE)
    claim = "{id: a, where: Section 1, count: {layer_norm: 5}}"
    spec.write_text(f"archcheck: 1\nid: a2026\ntitle: A\nclaims:\n  - {claim}\n")
    (report,) = check(Request(f"{model}:Model"), str(spec))
    (finding,) = report.default.claims[0].findings
    assert finding.message == "9 layer_norm in Model, not 5"
    assert [place.text.strip() for place in finding.places] == [
        "y = self.norm(x)",
        "return x + self.down(F.relu(self.up(self.second(x))))",
        "return self.head(self.last(x))",
    ]
    assert finding.fix == "make it 5; or, if the code is meant, state 9 in the spec"


def strictly(folder: Path, strict: str) -> list[Finding]:
    """What is told of a feed-forward written as 1x1 convolutions, where the claim rules out `strict`."""
    model, spec = folder / "model.py", folder / "spec.yaml"
    model.write_text(
        SOURCE.replace(
            "nn.Linear(64, 256), nn.Linear(256, 64)", "nn.Conv1d(64, 256, 1), nn.Conv1d(256, 64, 1)"
        ).replace(
            "self.down(F.relu(self.up(self.second(x))))",
            "self.down(F.relu(self.up(self.second(x).transpose(1, 2)))).transpose(1, 2)",
        )
    )
    block = f"    where: Section 3\n    strict: {strict}\n    flow: y = linear(relu(linear(x)))\n"
    spec.write_text(f"archcheck: 1\nid: a2026\ntitle: A\nblocks:\n  ffn:\n{block}")
    (report,) = check(Request(f"{model}:Block"), f"{spec}#ffn")
    return [finding for claim in report.default.claims for finding in claim.findings]


def test_a_strict_claim_says_what_it_rules_out(tmp_path: Path) -> None:
    findings = strictly(tmp_path, "true")
    assert [finding.rule for finding in findings] == ["strict"]
    assert findings[0].paper.startswith("The claim is strict")
    assert findings[0].code
    assert findings[0].fix
    assert findings[0].places


def test_an_equivalence_is_ruled_out_by_its_name(tmp_path: Path) -> None:
    assert [finding.rule for finding in strictly(tmp_path, "[1x1 convolution as linear]")] == ["strict"]
    assert strictly(tmp_path, "[fused projection]") == []


@pytest.mark.parametrize("claim", ["present: ffn", "absent: ffn", "absent: ffn in ffn", "count: {ffn: 4}"])
def test_a_block_is_no_kind_that_could_be_looked_for(tmp_path: Path, claim: str) -> None:
    model, spec = tmp_path / "model.py", tmp_path / "spec.yaml"
    model.write_text(SOURCE)
    block = "blocks:\n  ffn:\n    where: Section 3\n    flow: y = linear(relu(linear(x)))\n"
    claims = f"claims:\n  - {{id: a, where: Section 3, {claim}}}\n"
    spec.write_text(f"archcheck: 1\nid: a2026\ntitle: A\n{block}{claims}")
    (report,) = check(Request(f"{model}:Block"), str(spec))
    assert report.default.claims[0].verdict is Verdict.HOLDS
    found = report.default.claims[-1]
    assert found.verdict is Verdict.UNDETERMINED
    assert [finding.message for finding in found.findings] == ["ffn is a block, and only kinds of ops are looked for"]
