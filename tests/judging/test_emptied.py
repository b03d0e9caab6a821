"""Inputs of a claim for which the code gives zeros, and states that are zero before the first of several rounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from archcheck.findings import ClaimResult, Verdict
from archcheck.pipeline import check
from archcheck.sweep import Request

CELL = """\
archcheck: 1
id: cell2026
title: A recurrent cell
blocks:
  cell:
    where: Equation 1
    flow: |
      x = tanh(linear(x) + linear(h))
"""
HEAD = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, d=8):
        super().__init__()
        self.a, self.b = nn.Linear(d, d), nn.Linear(d, d)

    def forward(self, x, h=None):
"""


def judged(folder: Path, body: str) -> ClaimResult:
    (folder / "cell2026.yaml").write_text(CELL)
    (folder / "net.py").write_text(HEAD + "".join(f"        {line}\n" for line in body.splitlines()))
    (report,) = check(Request(f"{folder}/net.py:Net"), str(folder / "cell2026.yaml"))
    (claim,) = report.default.claims
    return claim


@pytest.mark.parametrize(
    "zeros", ["torch.zeros_like(x)", "torch.zeros(x.shape[0], 8)", "x.new_zeros(2, 8).unsqueeze(1)"]
)
def test_an_equation_that_holds_only_of_zeros_is_not_said_to_hold(tmp_path: Path, zeros: str) -> None:
    claim = judged(tmp_path, f"return torch.tanh(self.a(x) + self.b({zeros}))")
    assert claim.verdict is Verdict.UNDETERMINED
    (finding,) = claim.findings
    assert finding.message == "cell holds only of zeros: the code makes zeros where the claim reads an input"
    assert finding.places[0].span.line == 11


LOOPS = [
    "for t in range(3):\n    h = torch.tanh(self.a(x[:, t]) + self.b(h))",
    "for t in range(x.shape[1]):\n    h = torch.tanh(self.a(x[:, t]) + self.b(h))",
    "while x.sum() > h.sum():\n    h = torch.tanh(self.a(x) + self.b(h))",
    "for one in x:\n    h = torch.tanh(self.a(one) + self.b(h))",
]


@pytest.mark.parametrize("loop", LOOPS)
def test_a_state_of_zeros_is_that_of_the_first_round(tmp_path: Path, loop: str) -> None:
    claim = judged(tmp_path, f"h = torch.zeros(x.shape[0], 8)\n{loop}\nreturn h")
    assert claim.verdict is Verdict.HOLDS


@pytest.mark.parametrize("loop", LOOPS)
def test_a_loop_that_forgets_its_state_reads_zeros(tmp_path: Path, loop: str) -> None:
    forgets = loop.replace("h = torch", "y = torch")
    claim = judged(tmp_path, f"h = torch.zeros(x.shape[0], 8)\n{forgets}\nreturn y")
    assert claim.verdict is Verdict.UNDETERMINED
