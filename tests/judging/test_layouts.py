"""Equations of tensors in other terms: what moves, joins and adds up entries means what it does."""

from __future__ import annotations

from pathlib import Path

import pytest

from archcheck.findings import Verdict
from archcheck.judging import Preset
from archcheck.pipeline import check
from archcheck.sweep import Request

SPEC = """\
archcheck: 1
id: pool2026
title: Pooling by attention
blocks:
  pool:
    where: Equation 1
    flow: |
      {}
"""
POOL = "a = softmax(linear(tanh(linear(h))), axis=1); sum(a * h, axis=1)"
CODE = """
import torch
from torch import nn
import torch.nn.functional as F

class Pool(nn.Module):
    def __init__(self, d=512):
        super().__init__()
        self.w, self.v = nn.Linear(d, d), nn.Linear(d, 1)

    def forward(self, h, x):
        {}
"""
SCORES = "a = F.softmax(self.v(torch.tanh(self.w(h))), dim=1)\n        "
SAME = [
    (POOL, SCORES + "return torch.bmm(a.transpose(1, 2), h).squeeze(1)"),
    (POOL, SCORES + "return torch.matmul(a.squeeze(2).unsqueeze(1), h).squeeze(1)"),
    (POOL, SCORES + "return torch.einsum('bni,bnd->bd', a, h)"),
    (POOL, SCORES.replace("(h))), dim=1", "(h))).squeeze(2), dim=-1") + "return torch.einsum('bn,bnd->bd', a, h)"),
    (POOL, SCORES + "return (h.permute(0, 2, 1) @ a).flatten(1)"),
    ("mean(h, axis=(1, 2))", "return h.mean(1).mean(1)"),
    ("sum(h * x, axis=-1)", "return torch.einsum('bnd,bnd->bn', h, x)"),
    ("sum(h, axis=1) + sum(x, axis=1)", "return (h + x).sum(1)"),
    ("sum(h * x, axis=1) / sum(x, axis=1)", "return (h * (x / x.sum(1, keepdim=True))).sum(1)"),
]
OTHER = [
    (POOL, SCORES.replace("dim=1", "dim=2") + "return torch.bmm(a.transpose(1, 2), h).squeeze(1)"),
    (POOL, SCORES + "return torch.bmm(a.transpose(1, 2), torch.tanh(h)).squeeze(1)"),
    (POOL, SCORES + "return torch.einsum('bni,bnd->bn', a, h)"),
    (POOL, SCORES + "return torch.bmm(a.transpose(1, 2), h).squeeze(1) / h.shape[1]"),
    ("mean(h, axis=(1, 2))", "return h.mean(1).sum(1)"),
    ("sum(h * x, axis=-1)", "return torch.einsum('bnd,bnd->bd', h, x)"),
    ("sum(h * x, axis=1) / sum(x, axis=1)", "return (h * (x / x.sum(2, keepdim=True))).sum(1)"),
    ("tanh(h) + tanh(x)", "return torch.stack([torch.tanh(h), torch.tanh(x)]).mean(0)"),
    ("linear(dropout(relu(linear(h))))", "return self.v(F.relu(self.w(h)))"),
]


def judged(folder: Path, flow: str, body: str) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict, and what was taken as equal for it."""
    (folder / "pool2026.yaml").write_text(SPEC.format(flow))
    (folder / "pool.py").write_text(CODE.format(body))
    (report,) = check(
        Request(f"{folder}/pool.py:Pool", preset=Preset(pinned={"pool": "Pool"})), f"{folder}/pool2026.yaml"
    )
    (claim,) = report.default.claims
    return claim.verdict, claim.equivalences


@pytest.mark.parametrize(("flow", "body"), SAME)
def test_other_terms_are_no_departure(tmp_path: Path, flow: str, body: str) -> None:
    verdict, used = judged(tmp_path, flow, body)
    assert verdict is Verdict.HOLDS
    assert "algebra" in used


@pytest.mark.parametrize(("flow", "body"), OTHER)
def test_other_functions_are(tmp_path: Path, flow: str, body: str) -> None:
    verdict, _ = judged(tmp_path, flow, body)
    assert verdict is Verdict.VIOLATED
