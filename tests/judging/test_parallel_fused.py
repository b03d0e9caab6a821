"""A parallel layer whose attention and feed-forward are projected at once, turned by patterns, and normed in pieces."""

from __future__ import annotations

from pathlib import Path

import pytest

from archcheck.findings import Verdict
from archcheck.pipeline import check
from archcheck.sweep import Request

HOLDS, VIOLATED = Verdict.HOLDS, Verdict.VIOLATED

SPEC = """\
archcheck: 1
id: fused2026
title: A parallel layer
blocks:
  layer:
    where: Equation 1
    flow: |
      h = layer_norm(x)
      x = x + self_attention(h) + feed_forward(h)
claims:
  - {id: turned, where: Section 2, present: rope in self_attention}
  - {id: one-head, where: Section 2, attributes: {self_attention: {kv_heads: 1, heads: 4}}}
"""
LAYER = """
import torch
from einops import rearrange
from torch import nn

def half(x):
    x = rearrange(x, "{pattern}")
    a, b = x.unbind({axis})
    x = torch.{join}((-b, a), dim=-1)
    return {back}

class Norm(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.plain, self.gain = nn.LayerNorm(d, elementwise_affine=False), nn.Parameter(torch.ones(d))

    def forward(self, x):
        return self.plain(x) * self.gain

class Layer(nn.Module):
    def __init__(self, d=32, size=8, heads=4):
        super().__init__()
        self.norm, self.sizes, self.heads = Norm(d), (d, size, size, 8 * d), heads
        self.at_once = nn.Linear(d, sum(self.sizes), bias=False)
        self.out, self.down = nn.Linear(d, d, bias=False), nn.Linear(4 * d, d, bias=False)
        self.other = nn.Linear(d, 4 * d, bias=False)

    def forward(self, x):
        h = self.norm(x)
        q, k, v, f = self.at_once(h).split(self.sizes, dim=-1)
        q = rearrange(q, "b n (h d) -> b h n d", h=self.heads)
        at = torch.arange(x.shape[1])[:, None] * 10000 ** -(torch.arange(8) / 8)
        q, k = (t * at.cos() + half(t) * at.sin() for t in (q, k))
        scores = torch.einsum("bhid,bjd->bhij", q * 8 ** -0.5, k)
        a = torch.einsum("bhij,bjd->bhid", scores.softmax(-1), v)
        up, gate = {gated}
        return x + self.out(rearrange(a, "b h n d -> b n (h d)")) + self.down(torch.nn.functional.silu(gate) * up)
"""
HALVES = {"pattern": '... (j d) -> ... j d", j=2)#', "axis": -2, "join": "cat", "back": "x"}
PAIRS = {
    "pattern": '... (d j) -> ... d j", j=2)#',
    "axis": -1,
    "join": "stack",
    "back": 'rearrange(x, "... d j -> ... (d j)")',
}


def judged(folder: Path, layer: str) -> dict[str, Verdict]:
    (folder / "fused2026.yaml").write_text(SPEC, encoding="utf-8")
    (folder / "layer.py").write_text(layer, encoding="utf-8")
    (report,) = check(Request(f"{folder}/layer.py:Layer", explore=False), str(folder / "fused2026.yaml"))
    return {claim.claim: claim.verdict for claim in report.default.claims}


@pytest.mark.parametrize("form", [HALVES, PAIRS], ids=["halves", "pairs"])
def test_parts_of_one_projection_are_maps_of_their_own(tmp_path: Path, form: dict[str, object]) -> None:
    layer = LAYER.format(**form, gated="f.chunk(2, dim=-1)")
    assert judged(tmp_path, layer) == {"layer": HOLDS, "turned": HOLDS, "one-head": HOLDS}


def test_one_map_that_both_sublayers_read_is_shared(tmp_path: Path) -> None:
    layer = LAYER.format(**HALVES, gated="self.other(h), f[..., :128]")
    assert judged(tmp_path, layer)["layer"] is HOLDS
    shared = layer.replace("v, f = self.at_once", "_, f = self.at_once")
    shared = shared.replace("        scores", "        v = self.other(h)[..., :8]\n        scores")
    assert judged(tmp_path, shared)["layer"] is VIOLATED


def test_a_turn_that_is_not_recognised_is_not_missing(tmp_path: Path) -> None:
    layer = LAYER.format(**HALVES, gated="f.chunk(2, dim=-1)").replace("(-b, a)", "(b, a)")
    assert judged(tmp_path, layer)["turned"] is Verdict.UNDETERMINED
