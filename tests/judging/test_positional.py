"""Positions that enter the scores; the first layer that makes them for the others; blocks that are made for presets."""

from __future__ import annotations

from pathlib import Path

import pytest

from archcheck.findings import Verdict
from archcheck.judging import Preset
from archcheck.pipeline import check
from archcheck.sweep import Request

HOLDS, VIOLATED, UNDETERMINED = Verdict.HOLDS, Verdict.VIOLATED, Verdict.UNDETERMINED

SPEC = """\
archcheck: 1
id: bias2026
title: A bias on the scores
presets: {plain: {layers: 3}, gated: {layers: 2}}
blocks:
  layer:
    where: Figure 1
    flow: |
      x = x + self_attention(layer_norm(x))
      x = x + feed_forward(layer_norm(x))
    repeat: layers
  feed_forward:
    where: Equation 1
    flow: linear(relu(linear(x)))
    for: plain
  gated:
    where: Equation 2
    flow: linear(relu(linear(x)) * linear(x))
    for: gated
claims:
  - {id: relative, where: Section 2, present: relative_bias in self_attention}
  - {id: no-alibi, where: Section 2, absent: alibi in self_attention}
  - {id: no-waves, where: Section 2, absent: sinusoid}
"""
MODEL = """
import math
import torch
from torch import nn

class Layer(nn.Module):
    def __init__(self, d=16, heads=4, first=False):
        super().__init__()
        self.heads, self.first = heads, first
        self.q, self.k, self.v, self.o = (nn.Linear(d, d) for _ in range(4))
        self.before, self.between = nn.LayerNorm(d), nn.LayerNorm(d)
        self.up, self.down = nn.Linear(d, 64), nn.Linear(64, d)
        if first:
            self.distances = nn.Embedding(32, heads)

    def forward(self, x, bias=None):
        b, n, d = x.shape
        h = self.before(x)
        q, k, v = (f(h).view(b, n, self.heads, -1).transpose(1, 2) for f in (self.q, self.k, self.v))
        if bias is None:
            at = torch.arange(n)
            bias = {bias}
        scores = q @ k.transpose(-1, -2) / math.sqrt(d // self.heads) + bias
        h = (torch.softmax(scores, -1) @ v).transpose(1, 2).reshape(b, n, d)
        x = x + self.o(h)
        return x + self.down(torch.relu(self.up(self.between(x)))), bias

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(100, 16)
        self.layers = nn.ModuleList([Layer(first=n == 0) for n in range(3)])

    def forward(self, tokens):
        x, bias = self.tokens(tokens){plus}, None
        for layer in self.layers:
            x, bias = layer(x, bias)
        return x
"""
LEARNED = "self.distances(torch.clamp(at[None] - at[:, None], -15, 16) + 15).permute(2, 0, 1)[None]"
FALLING = "-torch.abs(at[None] - at[:, None])[None, None] * 2.0 ** -torch.arange(1, 5)[:, None, None]"


def judged(folder: Path, bias: str = LEARNED, plus: str = "", preset: str = "") -> dict[str, Verdict]:
    (folder / "bias2026.yaml").write_text(SPEC, encoding="utf-8")
    (folder / "model.py").write_text(MODEL.replace("{bias}", bias).replace("{plus}", plus), encoding="utf-8")
    request = Request(f"{folder}/model.py:Model", explore=False, preset=Preset(preset))
    (report,) = check(request, str(folder / "bias2026.yaml"))
    return {claim.claim: claim.verdict for claim in report.default.claims}


def test_the_first_layer_that_makes_the_bias_is_one_of_the_stack(tmp_path: Path) -> None:
    """What it gives beside its stream is no op of the layer, and it counts; the preset that fits is found."""
    found = judged(tmp_path)
    assert found == dict.fromkeys(("layer", "layer.repeat", "feed_forward", "relative", "no-alibi", "no-waves"), HOLDS)


def test_a_block_for_one_preset_is_not_judged_under_another(tmp_path: Path) -> None:
    found = judged(tmp_path, preset="gated")
    assert (found["gated"], found["layer.repeat"]) == (VIOLATED, VIOLATED)
    assert "feed_forward" not in found


@pytest.mark.parametrize(
    ("bias", "relative", "alibi"),
    [
        (FALLING, VIOLATED, VIOLATED),
        ("torch.zeros(1, 1, n, n)", VIOLATED, HOLDS),
        ("made_elsewhere(at)", UNDETERMINED, UNDETERMINED),
    ],
)
def test_what_is_added_to_the_scores_tells(tmp_path: Path, bias: str, relative: Verdict, alibi: Verdict) -> None:
    found = judged(tmp_path, bias)
    assert (found["relative"], found["no-alibi"]) == (relative, alibi)


def test_waves_that_are_added_are_not_absent(tmp_path: Path) -> None:
    waves = " + torch.sin(torch.arange(tokens.shape[1])[:, None] / 10000 ** (torch.arange(16) / 16))"
    assert judged(tmp_path, plus=waves)["no-waves"] is UNDETERMINED
