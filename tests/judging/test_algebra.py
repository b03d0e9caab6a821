"""Code that computes what a claim states in other terms of algebra: no alarm, and the report says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from archcheck.findings import Verdict
from archcheck.judging import Preset
from archcheck.pipeline import check
from archcheck.sweep import Request

SPEC = """\
archcheck: 1
id: cell2026
title: A gated cell
blocks:
  cell:
    where: Equation 1
    {strict}flow: |
      z = sigmoid(linear(x) + linear(h))
      n = tanh(linear(x) + linear(h))
      h = (1 - z) * n + z * h
"""
CELL = """
import torch
from torch import nn

class Cell(nn.Module):
    def __init__(self, d=8):
        super().__init__()
        self.zx, self.zh, self.nx, self.nh = (nn.Linear(d, d) for _ in range(4))

    def forward(self, x, h):
        z = torch.sigmoid(self.zx(x) + self.zh(h))
        n = torch.tanh(self.nx({given}) + self.nh(h))
        return {result}
"""


def judged(folder: Path, result: str, given: str = "x", strict: str = "") -> tuple[Verdict, tuple[str, ...]]:
    """The verdict on the cell, and what was taken as equal for it."""
    (folder / "cell2026.yaml").write_text(SPEC.format(strict=strict and f"strict: {strict}\n    "))
    (folder / "cell.py").write_text(CELL.format(result=result, given=given))
    request = Request(f"{folder}/cell.py:Cell", preset=Preset(pinned={"cell": "Cell"}))
    (report,) = check(request, str(folder / "cell2026.yaml"))
    (claim,) = report.default.claims
    return claim.verdict, claim.equivalences


@pytest.mark.parametrize(
    "result",
    ["n + z * (h - n)", "n - z * n + z * h", "h * z - n * (z - 1)", "torch.lerp(n, h, z)", "(z * (n - h) - n) * -1"],
)
def test_other_terms_are_no_departure(tmp_path: Path, result: str) -> None:
    verdict, used = judged(tmp_path, result)
    assert verdict is Verdict.HOLDS
    assert "algebra" in used


@pytest.mark.parametrize(
    ("result", "given"),
    [
        ("h + z * (n - h)", "x"),  # the gate is the other's
        ("n + z * (n - h)", "x"),  # the minuend
        ("n + z * (h - n)", "h"),  # what a layer reads
        ("n + torch.sigmoid(z) * (h - n)", "x"),  # one activation more
        ("n + z * h", "x"),  # a term less
        ("n + 2 * z * (h - n)", "x"),
    ],
)
def test_other_functions_are(tmp_path: Path, result: str, given: str) -> None:
    verdict, used = judged(tmp_path, result, given)
    assert verdict is Verdict.VIOLATED
    assert "algebra" not in used


def test_a_claim_may_rule_algebra_out(tmp_path: Path) -> None:
    assert judged(tmp_path, "n + z * (h - n)", strict="[algebra]")[0] is Verdict.VIOLATED
    assert judged(tmp_path, "(1 - z) * n + z * h", strict="[algebra]")[0] is Verdict.HOLDS
