"""Claims about ops with attributes (`conv(kernel=5)`), about weights of their own, and the lines that findings name."""

from __future__ import annotations

from pathlib import Path

import pytest

from archcheck.findings import ClaimResult, Verdict
from archcheck.judging import Preset
from archcheck.pipeline import check
from archcheck.sweep import Request

SOURCE = """\
import torch
import torch.nn.functional as F
from torch import nn


def conv5(i, o):
    return nn.Conv2d(i, o, 3, padding=1)  # 7: its name says five


class Branches(nn.Module):
    def __init__(self, width=8, odd=None):
        super().__init__()
        self.a = nn.Conv2d(3, width, kernel_size=1)
        self.b = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), conv5(4, width))  # 14
        self.odd = nn.Conv2d(3, width, kernel_size=odd)

    def forward(self, x):
        return torch.cat([self.a(x), self.b(x)], dim=1)

    def forward_odd(self, x):
        return F.relu(self.odd(x))


class Twice(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.one = nn.Sequential(nn.Linear(width, 32), nn.ReLU(), nn.Linear(32, width))
        self.two = nn.Sequential(nn.Linear(width, 32), nn.ReLU(), nn.Linear(32, width))
        self.norm = nn.LayerNorm(width)

    def forward(self, x):
        x = x + self.one(x)
        x = self.norm(x)
        return x + self.one(x)


class Apart(Twice):
    def forward(self, x):
        x = x + self.one(x)
        x = self.norm(x)
        return x + self.two(x)


class Rewrapped(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.f = nn.Linear(width, width)
        self.f = nn.Sequential(nn.Linear(width, width), self.f)  # two layers, whose places were called f

    def forward(self, x):
        return self.f(x)
"""


def judged(folder: Path, claim: str, symbol: str = "Branches", **arguments: str) -> ClaimResult:
    model, spec = folder / "model.py", folder / "spec.yaml"
    model.write_text(SOURCE)
    spec.write_text(f"archcheck: 1\nid: a2026\ntitle: A\nclaims:\n  - {{id: a, where: Section 1, {claim}}}\n")
    (report,) = check(Request(f"{model}:{symbol}", arguments, preset=Preset()), str(spec))
    return report.default.claims[0]


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [
        ("path: input -> conv(kernel=1) -> relu -> conv(kernel=3) -> concat", "HOLDS"),
        ("path: input -> conv(kernel=1) -> relu -> conv(kernel=5) -> concat", "VIOLATED"),
        ("path: input -> conv(out_features=9) -> concat", "VIOLATED"),
        ("path: 'input -> ... -> concat', absent: conv(kernel=1)", "VIOLATED"),
        ("path: 'input -> ... -> concat', absent: conv(kernel=5)", "HOLDS"),
        ("count: {conv(kernel=1): 2}", "HOLDS"),
        ("count: {conv(kernel=1): 1}", "VIOLATED"),
        ("count: {conv(kernel=5): 1}", "VIOLATED"),
        ("present: conv(kernel=3)", "HOLDS"),
        ("present: conv(kernel=5)", "VIOLATED"),
        ("absent: conv(kernel=5)", "HOLDS"),
        ("absent: conv(kernel=3)", "VIOLATED"),
    ],
)
def test_ops_are_told_apart_by_their_attributes(tmp_path: Path, claim: str, verdict: str) -> None:
    assert judged(tmp_path, claim).verdict.value == verdict


@pytest.mark.parametrize(
    "claim",
    [
        "path: input -> conv(kernel=5) -> relu",
        "present: conv(kernel=5)",
        "absent: conv(kernel=5)",
        "count: {conv(kernel=5): 1}",
        "count: {conv(kernel=5): 0}",
    ],
)
def test_an_attribute_that_the_code_does_not_tell_is_undetermined(tmp_path: Path, claim: str) -> None:
    found = judged(tmp_path, claim, "Branches.forward_odd")
    assert found.verdict is Verdict.UNDETERMINED
    assert judged(tmp_path, claim.replace("1}", "2}"), "Branches.forward_odd").verdict is not Verdict.HOLDS


def test_a_count_beyond_what_is_not_known_is_violated(tmp_path: Path) -> None:
    assert judged(tmp_path, "count: {conv(kernel=5): 2}", "Branches.forward_odd").verdict is Verdict.VIOLATED


def test_the_finding_names_the_step_and_the_lines_that_lead_there(tmp_path: Path) -> None:
    (finding,) = judged(tmp_path, "path: conv(kernel=1) -> relu -> conv(kernel=5) -> concat").findings
    assert finding.message.endswith("where it has conv(kernel=5), kernel of conv is 3")
    assert {7, 14} <= {span.line for span in (finding.places[0].span, *finding.reached)}


def test_weights_of_their_own(tmp_path: Path) -> None:
    shared = judged(tmp_path, "own_weights: [feed_forward]", "Twice")
    assert shared.verdict is Verdict.VIOLATED
    assert shared.findings[0].message == "two of feed_forward share their weights"
    assert judged(tmp_path, "own_weights: [feed_forward]", "Apart").verdict is Verdict.HOLDS
    assert judged(tmp_path, "own_weights: [one, two]", "Apart").verdict is Verdict.HOLDS
    assert judged(tmp_path, "own_weights: [linear]", "Rewrapped").verdict is Verdict.HOLDS
    assert judged(tmp_path, "own_weights: [layer_norm]", "Apart").verdict is Verdict.UNDETERMINED


def test_all_ops_of_a_kind_share(tmp_path: Path) -> None:
    assert judged(tmp_path, "same_weights: [feed_forward]", "Twice").verdict is Verdict.HOLDS
    assert judged(tmp_path, "same_weights: [feed_forward]", "Apart").verdict is Verdict.VIOLATED
