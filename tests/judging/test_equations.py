"""What code computes, written as an equation in the claim's words."""

from __future__ import annotations

from pathlib import Path

import pytest

from archcheck.judging import Preset
from archcheck.pipeline import check
from archcheck.sweep import Request

SPEC = """\
archcheck: 1
id: cell2026
title: A cell
blocks:
  cell:
    where: Equation 1
    flow: |
      z = sigmoid(linear(x) + linear(h))
      c = tanh(linear(x) + linear(z * h))
      (1 - z) * h + z * c
"""
CODE = """
import torch
from torch import nn

class Cell(nn.Module):
    def __init__(self, d=8):
        super().__init__()
        self.zx, self.zh, self.cx, self.ch = (nn.Linear(d, d) for _ in range(4))

    def forward(self, x, h):
        z = torch.sigmoid(self.zx(x) + self.zh(h))
        {}
"""


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (
            "c = torch.tanh(self.cx(x) + z * self.ch(h))\n        return (1 - z) * h + z * c",
            (
                "z = sigmoid(linear(x) + linear(h))",
                "c = tanh(linear(x) + z * linear(h))",
                "(1 - z) * h + z * c",
            ),
        ),
        (
            "c = torch.tanh(self.cx(x) - (self.ch(z * h) - 2)) / 2\n        return -(z * c) + (1 - z) * h ** 2",
            (
                "z = sigmoid(linear(x) + linear(h))",
                "c = tanh(linear(x) - (linear(z * h) - 2))",
                "-(z * (0.5 * c)) + (1 - z) * h ** 2",
            ),
        ),
    ],
)
def test_a_part_that_departs_is_written_in_the_words_of_the_claim(
    tmp_path: Path, body: str, lines: tuple[str, ...]
) -> None:
    (tmp_path / "cell2026.yaml").write_text(SPEC)
    (tmp_path / "cell.py").write_text(CODE.format(body))
    request = Request(f"{tmp_path}/cell.py:Cell", preset=Preset(pinned={"cell": "Cell"}))
    (report,) = check(request, str(tmp_path / "cell2026.yaml"))
    (bound,) = report.default.claims[0].bound
    assert bound.equation == lines
    assert not any(finding.expected for finding in report.default.claims[0].findings)
