"""Layers that one module is in every round, and a paper's word as the value of an attribute."""

from __future__ import annotations

from pathlib import Path

import pytest

from archcheck.findings import Verdict
from archcheck.pipeline import check
from archcheck.sweep import Request

HOLDS, VIOLATED = Verdict.HOLDS, Verdict.VIOLATED

MODEL = """
import torch
from torch import nn

class Layer(nn.Module):
    def __init__(self, d=8):
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(d), nn.Linear(d, 32), nn.Linear(32, d)

    def forward(self, x):
        return x + self.down(torch.nn.functional.silu(self.up(self.norm(x))))

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([Layer() for _ in range({modules})])

    def forward(self, x):
        for at in range(6):
            x = self.layers[at * {modules} // 6](x)
        return x
"""
SPEC = """\
archcheck: 1
id: again2026
title: Again and again
terms: {swish: silu}
claims:
  - {id: shared, where: Section 1, same_weights: [feed_forward]}
  - {id: own, where: Section 1, own_weights: [feed_forward]}
  - {id: swish, where: Section 2, attributes: {feed_forward: {activation: swish}}}
"""


@pytest.mark.parametrize(("modules", "shared"), [(1, HOLDS), (6, None), (2, None)])
def test_one_module_in_every_round_is_shared(tmp_path: Path, modules: int, shared: Verdict | None) -> None:
    (tmp_path / "model.py").write_text(MODEL.format(modules=modules), encoding="utf-8")
    (tmp_path / "again2026.yaml").write_text(SPEC, encoding="utf-8")
    (report,) = check(Request(f"{tmp_path}/model.py:Model", explore=False), str(tmp_path / "again2026.yaml"))
    found = {claim.claim: claim.verdict for claim in report.default.claims}
    assert found["swish"] is HOLDS
    if shared is HOLDS:
        assert (found["shared"], found["own"]) == (HOLDS, VIOLATED)
    else:
        assert found["shared"] is not HOLDS
        assert found["own"] is not HOLDS or modules == 6
