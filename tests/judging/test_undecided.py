"""Code whose choices nothing decides: what its ways agree on stands, what they part on is undetermined."""

from __future__ import annotations

from pathlib import Path

import pytest

from archcheck.findings import Report, Verdict
from archcheck.pipeline import check
from archcheck.sweep import Request

SOURCE = """
import torch
from torch import nn

class Layer(nn.Module):
    def __init__(self, post):
        super().__init__()
        self.post = post
        self.attention = nn.MultiheadAttention(512, 8, batch_first=True)
        self.inner, self.outer = nn.Linear(512, 2048), nn.Linear(2048, 512)
        self.first, self.second = nn.LayerNorm(512), nn.LayerNorm(512)

    def attend(self, x):
        return self.attention(x, x, x, need_weights=False)[0]

    def feed(self, x):
        return self.outer(torch.relu(self.inner(x)))

    def after(self, x):
        x = self.first(x + self.attend(x))
        return self.second(x + self.feed(x))

    def before(self, x):
        x = x + self.attend(self.first(x))
        return x + self.feed(self.second(x))

    def forward(self, x):
        BODY
"""


def audit(folder: Path, body: str, spec: str = "xiong2020#post_ln", **arguments: str) -> Report:
    file = folder / "model.py"
    file.write_text(SOURCE.replace("BODY", body))
    (report,) = check(Request(f"{file}:Layer", arguments), spec)
    return report


def verdict(report: Report) -> Verdict:
    return report.default.claims[0].verdict


ORDER = "if self.post:\n            return self.after(x)\n        return self.before(x)"


def test_an_argument_that_nobody_gives_leaves_the_claim_undetermined(tmp_path: Path) -> None:
    report = audit(tmp_path, ORDER)
    claim = report.default.claims[0]
    assert claim.verdict is Verdict.UNDETERMINED
    (finding,) = claim.findings
    assert finding.message == ("nothing decides which it is: holds where post is True; violated where post is False")
    assert sorted(str(variant.claims[0].verdict.value) for variant in report.variants[1:]) == ["HOLDS", "VIOLATED"]


@pytest.mark.parametrize(("given", "expected"), [("True", Verdict.HOLDS), ("False", Verdict.VIOLATED)])
def test_the_argument_decides(tmp_path: Path, given: str, expected: Verdict) -> None:
    assert verdict(audit(tmp_path, ORDER, post=given)) is expected


def test_what_all_ways_agree_on_stands(tmp_path: Path) -> None:
    body = "if self.post:\n            x = x.contiguous()\n        return self.after(x)"
    assert verdict(audit(tmp_path, body)) is Verdict.HOLDS


@pytest.mark.parametrize(
    "body",
    [
        "if x.shape[0] > 1:\n            x = self.second(x)\n        return self.after(x)",
        "if x.dtype == torch.float16:\n            return self.before(x)\n        return self.after(x)",
        "return self.before(x) if x.is_cuda else self.after(x)",
    ],
    ids=["shape", "dtype", "device"],
)
def test_a_condition_on_a_tensor_that_chooses_between_modules_is_read_on_both_sides(tmp_path: Path, body: str) -> None:
    assert verdict(audit(tmp_path, body, post="True")) is Verdict.UNDETERMINED


def test_a_condition_on_a_tensor_that_calls_no_module_is_an_assumption(tmp_path: Path) -> None:
    body = "if x.shape[0] > 1:\n            x = x.contiguous()\n        return self.after(x)"
    report = audit(tmp_path, body, post="True")
    assert verdict(report) is Verdict.HOLDS
    assert any("x.shape[0] > 1" in assumption for assumption in report.assumptions)


OPEN_LOOP = """
import torch
from torch import nn


class Layer(nn.Module):
    def __init__(self, d, depth):
        super().__init__()
        self.attention = nn.MultiheadAttention(d, 8)
        self.first, self.second, self.drop = nn.LayerNorm(d), nn.LayerNorm(d), nn.Dropout(0.1)
        self.inner = nn.ModuleList([nn.Linear(d, d) for _ in range(depth)])
        self.out = nn.Linear(d, d)

    def forward(self, x):
        x = self.first(x + self.drop(self.attention(x, x, x)[0]))
        h = x
        for map in self.inner:
            h = torch.relu(map(h))
        return self.second(x + self.drop(self.out(h)))
"""


@pytest.mark.parametrize(
    ("arguments", "block", "expected"),
    [
        ({}, "feed_forward", Verdict.UNDETERMINED),
        ({"depth": "1"}, "feed_forward", Verdict.HOLDS),
        ({"depth": "2"}, "feed_forward", Verdict.VIOLATED),
        ({}, "encoder_layer", Verdict.HOLDS),  # how deep a feed-forward is does not matter to it
    ],
)
def test_how_often_a_loop_runs_decides_what_holds(
    tmp_path: Path, arguments: dict[str, str], block: str, expected: Verdict
) -> None:
    file = tmp_path / "model.py"
    file.write_text(OPEN_LOOP)
    (report,) = check(Request(f"{file}:Layer", arguments), f"vaswani2017#{block}")
    assert {one.claim: one.verdict for one in report.default.claims}[block] is expected
