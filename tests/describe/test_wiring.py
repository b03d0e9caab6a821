"""Wiring: what feeds what, where a model is no stack of residual sublayers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from archcheck.describe.description import as_json
from archcheck.describe.text import as_text
from archcheck.pipeline import describe
from archcheck.sweep import Request

PARTS = """
import torch
from torch import nn


def conv(inner, outer, size, **more):
    return nn.Sequential(nn.Conv2d(inner, outer, size, **more), nn.BatchNorm2d(outer), nn.ReLU())


class Branches(nn.Module):
    def __init__(self, wide=5):
        super().__init__()
        self.one = conv(64, 16, 1)
        self.two = nn.Sequential(conv(64, 16, 1), conv(16, 16, wide, padding=wide // 2))
        self.three = nn.Sequential(nn.MaxPool2d(3, 1, 1), conv(64, 16, 1))

    def forward(self, x):
        return torch.cat([self.one(x), self.two(x), self.three(x)], 1)


class Dense(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(8, 4, 3, padding=1), nn.Conv2d(12, 4, 3, padding=1)

    def forward(self, x):
        grown = torch.cat([x, self.first(x)], 1)
        return torch.cat([grown, self.second(grown)], 1)


class U(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.pool, self.deep = conv(3, 8, 3, padding=1), nn.MaxPool2d(2), conv(8, 16, 3, padding=1)
        self.up, self.out = nn.ConvTranspose2d(16, 8, 2, stride=2), nn.Conv2d(16, 1, 1)

    def forward(self, image):
        kept = self.down(image)
        deep = self.up(self.deep(self.pool(kept)))
        return self.out(torch.cat((kept, deep), dim=1))


class Long(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = conv(64, 64, 7, stride=2, padding=3)
        self.blocks = nn.ModuleList([Branches(size) for size in (3, 5, 7, 9, 11)])
        self.pool, self.head = nn.AdaptiveAvgPool2d(1), nn.Linear(64, 10)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.head(self.pool(x).flatten(1))


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(8), nn.Linear(8, 32), nn.Linear(32, 8)

    def forward(self, x):
        return x + self.down(torch.relu(self.up(self.norm(x))))


class Lettered(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 3)

    def forward(self, b, a):
        return torch.cat([self.one(b), self.two(a)], 1)


class Constant(nn.Module):
    def __init__(self):
        super().__init__()
        self.map = nn.Linear(8, 8)

    def forward(self, x):
        return self.map(torch.zeros(1, 8))
"""
EXPECTED = {
    "Branches": """
wiring:
  a = conv 1x1, batch norm, relu of x
  b = conv 1x1, batch norm, relu, conv 5x5, batch norm, relu of x
  c = max pool 3x3 stride 1, conv 1x1, batch norm, relu of x
  d = concat axis 1 of a, b, c
  result: d
""",
    "Dense": """
wiring:
  a = conv 3x3 of x
  b = concat axis 1 of x, a
  c = conv 3x3 of b
  d = concat axis 1 of b, c
  result: d
""",
    "U": """
wiring:
  a = conv 3x3, batch norm, relu of image
  b = max pool 2x2, conv 3x3, batch norm, relu, transposed conv 2x2 stride 2 of a
  c = concat axis 1, conv 1x1 of a, b
  result: c
""",
    "Lettered": """
wiring:
  c = conv 1x1 of b
  d = conv 3x3 of a
  e = concat axis 1 of c, d
  result: e
""",
    "Long": """
wiring:
  a = conv 7x7 stride 2, batch norm, relu, blocks.0: Branches, blocks.1: Branches, blocks.2: Branches,
        blocks.3: Branches, blocks.4: Branches, global mean pool, linear 64 -> 10 of x
  result: a
""",
}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("wiring") / "model.py"
    path.write_text(PARTS, encoding="utf-8")
    return path


@pytest.mark.parametrize("symbol", EXPECTED)
def test_chains_say_what_feeds_what(file: Path, symbol: str) -> None:
    (found,) = describe(Request(f"{file}:{symbol}", explore=False))
    text = as_text(found)
    begin = text.index("wiring:")
    assert text[begin : text.index("\n", text.index("  result:")) + 1] == EXPECTED[symbol].lstrip()
    assert "not determined" not in text


def test_wiring_is_data_as_well(file: Path) -> None:
    data = json.loads(as_json(describe(Request(f"{file}:Dense", explore=False))))
    assert data["wiring"]["results"] == ["d"]
    line = PARTS[: PARTS.index("torch.cat([x, self.first(x)]")].count("\n") + 1
    assert data["wiring"]["chains"][1] == {"name": "b", "steps": ["concat axis 1"], "of": ["x", "a"], "line": line}


def test_a_residual_layer_needs_no_wiring(file: Path) -> None:
    (found,) = describe(Request(f"{file}:Layer", explore=False))
    assert found.default.wiring is None
    assert [sublayer.signature for sublayer in found.default.layers[0].sublayers] == ["n F a"]


def test_what_depends_on_no_input_has_no_wiring(file: Path) -> None:
    (found,) = describe(Request(f"{file}:Constant", explore=False))
    assert found.default.wiring is None


def test_a_wider_kernel_in_one_branch_is_another_picture(file: Path) -> None:
    (usual,) = describe(Request(f"{file}:Branches", explore=False))
    (wide,) = describe(Request(f"{file}:Branches", {"wide": "7"}, explore=False))
    assert "conv 7x7" in as_text(wide)
    assert as_text(usual).replace("conv 5x5", "conv 7x7") == as_text(wide)


NAMED = """
import torch
from torch import nn


class Coloured(nn.Module):
    def __init__(self):
        super().__init__()
        for at in range(9):
            self.add_module(f"\\x1b[31mred{at}", nn.Sequential(*(nn.Conv2d(8, 8, 3 + at) for _ in range(5))))

    def forward(self, x):
        for at in range(9):
            x = torch.cat([x, getattr(self, f"\\x1b[31mred{at}")(x)], 1)
        return x
"""


def test_names_of_modules_steer_no_terminal(tmp_path: Path) -> None:
    file = tmp_path / "model.py"
    file.write_text(NAMED, encoding="utf-8")
    (found,) = describe(Request(f"{file}:Coloured", explore=False))
    text = as_text(found)
    assert "\\u001b[31mred3" in text
    assert "\x1b" not in text
