"""Two ops of a block that one module of the code computes."""

from __future__ import annotations

from pathlib import Path

import pytest

from archcheck.findings import ClaimResult, Verdict
from archcheck.pipeline import check
from archcheck.sweep import Request

HEAD = """
import torch
import torch.nn.functional as F
from torch import nn

class Net(nn.Module):
    def __init__(self, d=8):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d)
        self.all = nn.Linear(d, 3 * d)
        self.gain, self.bias = nn.Parameter(torch.ones(d)), nn.Parameter(torch.zeros(d))
        self.gain2, self.bias2 = nn.Parameter(torch.ones(d)), nn.Parameter(torch.zeros(d))
        self.norm = nn.LayerNorm(d)
        self.mha = nn.MultiheadAttention(d, 2, batch_first=True)

    def forward(self, x, y):
"""
DEEP = "x = linear(tanh(linear(x)))"
GATED = "x = linear(sigmoid(linear(x)) * linear(x))"
APART = "x = abs(linear(x) - linear(y))"
LAYER = "x = layer_norm(x + self_attention(x))\nx = layer_norm(x + feed_forward(x))"
ATTENTION = "x = linear(attention(linear(q), linear(k), linear(v)))"


def judged(folder: Path, flow: str, body: str, more: str = "") -> ClaimResult:
    lines = "".join(f"      {line}\n" for line in flow.splitlines())
    (folder / "own2026.yaml").write_text(
        f"archcheck: 1\nid: own2026\ntitle: Own\nblocks:\n  block:\n    where: Equation 1\n    flow: |\n{lines}{more}"
    )
    (folder / "net.py").write_text(HEAD + "".join(f"        {line}\n" for line in body.splitlines()))
    (report,) = check(Request(f"{folder}/net.py:Net"), str(folder / "own2026.yaml"))
    return report.default.claims[0]


SHARED = {
    "behind one another": (DEEP, "return self.a(torch.tanh(self.a(x)))"),
    "on one input": (GATED, "return self.c(torch.sigmoid(self.a(x)) * self.a(x))"),
    "functional": (DEEP, "w = self.a.weight\nreturn F.linear(torch.tanh(F.linear(x, w)), w)"),
    "norms": (
        LAYER,
        "x = self.norm(x + self.mha(x, x, x)[0])\nreturn self.norm(x + self.b(torch.relu(self.a(x))))",
    ),
    "functional norms": (
        LAYER,
        "x = F.layer_norm(x + self.mha(x, x, x)[0], (8,), self.gain, self.bias)\n"
        "return F.layer_norm(x + self.b(torch.relu(self.a(x))), (8,), self.gain, self.bias)",
    ),
}


@pytest.mark.parametrize("case", SHARED)
def test_one_module_for_two_ops_departs(tmp_path: Path, case: str) -> None:
    claim = judged(tmp_path, *SHARED[case])
    assert claim.verdict is Verdict.VIOLATED
    assert "own-weights" in {finding.rule for finding in claim.findings}


OWN = {
    "behind one another": (DEEP, "return self.b(torch.tanh(self.a(x)))"),
    "on one input": (GATED, "return self.c(torch.sigmoid(self.a(x)) * self.b(x))"),
    "one matrix cut in three": (
        ATTENTION,
        "b, n, d = x.shape\n"
        "q, k, v = (one.view(b, n, 2, 4).transpose(1, 2) for one in self.all(x).chunk(3, -1))\n"
        "return self.c(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, d))",
    ),
    "functional norms": (
        LAYER,
        "x = F.layer_norm(x + self.mha(x, x, x)[0], (8,), self.gain, self.bias)\n"
        "return F.layer_norm(x + self.b(torch.relu(self.a(x))), (8,), self.gain2, self.bias2)",
    ),
    "one function of two inputs": (APART, "return (self.a(x) - self.a(y)).abs()"),
    "a module of several maps": (ATTENTION, "return self.mha(x, x, x)[0]"),
}


@pytest.mark.parametrize("case", OWN)
def test_modules_of_their_own_are_as_stated(tmp_path: Path, case: str) -> None:
    claim = judged(tmp_path, *OWN[case])
    assert "own-weights" not in {finding.rule for finding in claim.findings}
    assert claim.verdict is not Verdict.VIOLATED


def test_a_paper_that_shares_says_so(tmp_path: Path) -> None:
    claims = "claims:\n  - {id: shared, where: Section 2, same_weights: [linear]}\n"
    claim = judged(tmp_path, *SHARED["behind one another"], claims)
    assert claim.verdict is Verdict.HOLDS
