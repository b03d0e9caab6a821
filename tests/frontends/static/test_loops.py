"""Loops over something unknown: one pass stands for any number, and nothing is counted that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from archcheck.frontends.static.library import Library, Root
from archcheck.frontends.static.reader import read
from archcheck.ir.graph import Unknown

HEAD = """
import torch
from torch import nn

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.map = nn.Linear(8, 8)

    def forward(self, x):
"""


def opaque(tmp_path: Path, body: str) -> list[str]:
    """The names of ops that could not be read."""
    lines = "".join(f"        {line}\n" for line in body.strip().splitlines())
    tmp_path.joinpath("model.py").write_text(HEAD + lines, encoding="utf-8")
    reading = read(Library([Root(tmp_path)]), "model", "Block", {})
    (variant,) = reading.variants
    assert not variant.error, variant.error
    kinds = [op.kind.name for op in variant.graph.ops]
    assert "linear" in kinds
    return [str(op.attr("why")) for op in variant.graph.walk() if op.kind.name == "opaque"]


@pytest.mark.parametrize(
    "loop",
    [
        "for size in x.shape:\n    sizes.append(size)",
        "for at in range(len(x.shape)):\n    sizes.append(x.shape[at])",
        "for at, size in enumerate(x.shape):\n    sizes.append(size)",
        "for at, size in enumerate(x.shape):\n    sizes += [size]",
    ],
)
def test_sizes_collected_in_a_loop_have_no_known_number(tmp_path: Path, loop: str) -> None:
    body = f"sizes = []\n{loop}\nbatch, time, width = sizes\nreturn self.map(x.reshape(batch * time, sizes[2]))"
    assert opaque(tmp_path, body) == []


def test_a_list_that_does_not_grow_in_the_loop_keeps_its_length(tmp_path: Path) -> None:
    body = """
sizes = [1, 2]
for size in x.shape:
    other = size
one, two = sizes
if len(sizes) != 2:
    raise ValueError("grew")
return self.map(x)
"""
    assert opaque(tmp_path, body) == []


def test_tensors_collected_in_a_loop_are_kept(tmp_path: Path) -> None:
    body = """
found = []
for size in x.shape:
    found.append(self.map(x))
return torch.cat(found)
"""
    assert opaque(tmp_path, body) == []


LONG = """
import torch
from torch import nn

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        offsets, self.count = {}, 0
        indices = []
        for a in range(400):
            for b in range(400):
                offset = (abs(a - b), b)
                if offset not in offsets:
                    offsets[offset] = len(offsets)
                indices.append(offsets[offset])
                self.count = self.count + 1
        self.bias = nn.Parameter(torch.zeros(8, len(offsets)))
        self.index = torch.LongTensor(indices)
        self.maps = nn.ModuleList()
        for a in range(300):
            self.maps.append(nn.Linear(8, 8))

    def forward(self, x):
        for map in self.maps:
            x = map(x)
        return x + self.bias[:, self.index] * self.count
"""


def test_a_long_loop_over_numbers_is_given_up_and_one_that_builds_is_not(tmp_path: Path) -> None:
    tmp_path.joinpath("model.py").write_text(LONG, encoding="utf-8")
    (variant,) = read(Library([Root(tmp_path)]), "model", "Block", {}).variants
    assert not variant.error
    kinds = [op.kind.name for op in variant.graph.ops]
    assert kinds.count("linear") == 300
    (factor,) = [op.attr("by") for op in variant.graph.ops if op.kind.name == "mul"]
    assert "rounds of a loop over numbers compute" in str(factor)


TABLE = """
import numpy as np
import torch
from torch import nn

def table(count, width):
    def angles(position):
        return [position / np.power(10000, 2 * (at // 2) / width) for at in range(width)]

    found = np.array([angles(position) for position in range(count)])
    found[:, 0::2] = np.sin(found[:, 0::2])
    return torch.FloatTensor(found).unsqueeze(0)

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = table(2000, 768)
        self.norm = nn.LayerNorm(8)

    def forward(self, x):
        return self.norm(x + self.table.to(x.device))
"""


def test_a_long_comprehension_over_numbers_is_given_up(tmp_path: Path) -> None:
    tmp_path.joinpath("model.py").write_text(TABLE, encoding="utf-8")
    (variant,) = read(Library([Root(tmp_path)]), "model", "Block", {}).variants
    assert not variant.error
    assert [op.kind.name for op in variant.graph.ops if op.kind.name != "input"][-2:] == ["add", "layer_norm"]
    (constant,) = [op for op in variant.graph.ops if op.kind.name == "constant"]
    assert isinstance(constant.attr("value"), Unknown)


def test_a_long_comprehension_that_changes_something_is_not_given_up(tmp_path: Path) -> None:
    text = TABLE.replace(
        "return [position / np.power(10000, 2 * (at // 2) / width) for",
        "seen.append(position)\n        return [position for",
    )
    tmp_path.joinpath("model.py").write_text(text.replace("def table(", "seen = []\ndef table("), encoding="utf-8")
    (variant,) = read(Library([Root(tmp_path)]), "model", "Block", {}).variants
    assert "too long to be followed" in variant.error
