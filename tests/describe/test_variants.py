"""What a description tells apart: flags that change the wiring, convolutions, how often a sublayer stands in a row."""

from __future__ import annotations

import json
from pathlib import Path

from archcheck.describe.description import as_json
from archcheck.describe.text import as_text
from archcheck.pipeline import describe
from archcheck.sweep import Request

BOTTLENECK = """
import torch
from torch import nn


class Bottleneck(nn.Module):
    def __init__(self, width=64, groups=1, stride=2, in_the_middle=True):
        super().__init__()
        first, second = (1, stride) if in_the_middle else (stride, 1)
        self.reduce = nn.Conv2d(256, width, 1, first, bias=False)
        self.map = nn.Conv2d(width, width, 3, second, padding=1, groups=groups, bias=False)
        self.expand = nn.Conv2d(width, 256, 1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(width), nn.BatchNorm2d(width), nn.BatchNorm2d(256)])
        self.shortcut = nn.Conv2d(256, 256, 1, stride, bias=False)

    def forward(self, x):
        y = torch.relu(self.norms[0](self.reduce(x)))
        y = torch.relu(self.norms[1](self.map(y)))
        return torch.relu(self.shortcut(x) + self.norms[2](self.expand(y)))
"""
PARALLEL = """
import torch
from torch import nn


class Layer(nn.Module):
    def __init__(self, limit, width=64, parallel=False):
        super().__init__()
        self.limit = limit
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, 256), nn.Linear(256, width)
        self.attention = nn.MultiheadAttention(width, 4, batch_first=True)
        self.parallel = parallel

    def forward(self, x):
        if self.limit > 3:  # it cannot be known, and decides nothing
            torch.manual_seed(0)
        a = self.attention(self.first(x), self.first(x), self.first(x))[0]
        if self.parallel:
            return x + a + self.down(torch.relu(self.up(self.second(x))))
        x = x + a
        return x + self.down(torch.relu(self.up(self.second(x))))
"""


def _described(tmp_path: Path, text: str, symbol: str, **arguments: str) -> str:
    file = tmp_path / "model.py"
    file.write_text(text)
    (found,) = describe(Request(f"{file}:{symbol}", arguments))
    return as_text(found)


def test_where_a_bottleneck_strides_is_told(tmp_path: Path) -> None:
    text = _described(tmp_path, BOTTLENECK, "Bottleneck")
    default, _, other = text.partition("with in_the_middle=False:")
    assert "1x1, 3x3 stride 2, 1x1\n" in default
    assert "1x1 stride 2, 3x3, 1x1\n" in other


def test_groups_of_a_convolution_are_told(tmp_path: Path) -> None:
    assert "1x1, 3x3 groups 32, 1x1\n" in _described(tmp_path, BOTTLENECK, "Bottleneck", groups="32", stride="1")
    assert "1x1, 3x3 depthwise, 1x1\n" in _described(tmp_path, BOTTLENECK, "Bottleneck", groups="64", stride="1")


def test_convolutions_and_counts_are_in_the_json(tmp_path: Path) -> None:
    file = tmp_path / "model.py"
    stage = "\n\nclass Stage(nn.Sequential):\n    def __init__(self):\n"
    stage += "        super().__init__(*[Bottleneck(stride=1) for _ in range(3)])\n"
    file.write_text(BOTTLENECK + stage)
    found = describe(Request(f"{file}:Stage", explore=False))
    blocks = json.loads(as_json(found))["blocks"]
    sublayers = [
        (one["count"] * block["repeat"], one["convolutions"]) for block in blocks for one in block["sublayers"]
    ]
    assert sublayers == [(3, ["1x1", "3x3", "1x1"])]
    assert "3 x" in as_text(found[0])


def test_a_flag_that_changes_the_topology_alone_is_told(tmp_path: Path) -> None:
    text = _described(tmp_path, PARALLEL, "Layer")
    default, _, other = text.partition("with parallel=True:")
    assert "Layer, parallel" not in default
    assert "Layer, parallel" in other
