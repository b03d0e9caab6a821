"""Facts of whole models: where positions enter, what shares keys, what stands before and behind the stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from archcheck.pipeline import describe
from archcheck.sweep import Request

MODEL = """
import math
import torch
from torch import nn


class Attention(nn.Module):
    def __init__(self, d=64, heads=8, kv={kv}):
        super().__init__()
        self.heads, self.kv, self.size = heads, kv, d // heads
        self.q, self.k, self.v = nn.Linear(d, d), nn.Linear(d, kv * d // heads), nn.Linear(d, kv * d // heads)
        self.out = nn.Linear(d, d)

    def forward(self, x, bias=None):
        batch, length, _ = x.shape
        q = self.q(x).view(batch, length, self.heads, self.size).transpose(1, 2)
        k = self.k(x).view(batch, length, self.kv, self.size).transpose(1, 2)
        v = self.v(x).view(batch, length, self.kv, self.size).transpose(1, 2)
        k, v = (part.repeat_interleave(self.heads // self.kv, dim=1) for part in (k, v))
        scores = q @ k.transpose(-2, -1) / math.sqrt(self.size)
        if bias is not None:
            scores = scores + bias
        return self.out((torch.softmax(scores, -1) @ v).transpose(1, 2).reshape(batch, length, -1))


class Layer(nn.Module):
    def __init__(self, d=64):
        super().__init__()
        self.first, self.second, self.attention = nn.LayerNorm(d), nn.LayerNorm(d), Attention(d)
        self.up, self.down = nn.Linear(d, 256), nn.Linear(256, d)

    def forward(self, x, bias):
        x = x + self.attention(self.first(x), bias)
        return x + self.down(torch.relu(self.up(self.second(x))))


class Model(nn.Module):
    def __init__(self, d=64):
        super().__init__()
        self.tokens, self.places, self.distances = nn.Embedding(1000, d), nn.Embedding(128, d), nn.Embedding(9, 8)
        self.table = nn.Parameter(torch.zeros(1, 128, d))
        self.token = nn.Parameter(torch.zeros(1, 1, d))
        self.register_buffer("types", torch.zeros(1, 128, dtype=torch.long))
        self.kinds = nn.Embedding(2, d)
        self.early, self.last, self.map = nn.LayerNorm(d), nn.LayerNorm(d), nn.Linear(d, d)
        self.layers = nn.ModuleList(Layer(d) for _ in range({count}))

    def forward(self, ids):
        length = ids.shape[1]
        bias = None
        x = self.tokens(ids)
        {before}
        for layer in self.layers:
            x = layer(x, bias)
        {behind}
        return x
"""


def _facts(
    folder: Path, *, before: str = "pass", behind: str = "pass", kv: int = 8, count: int = 4
) -> dict[str, object]:
    file = folder / "model.py"
    file.write_text(MODEL.format(before=before, behind=behind, kv=kv, count=count))
    (description,) = describe(Request(f"{file}:Model"))
    return {fact.name: fact.value for fact in description.default.facts}


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("x = x + self.places(torch.arange(length))", "learned_absolute"),
        ("x = self.early(self.kinds(self.types) + x + self.places(torch.arange(length) + 2))", "learned_absolute"),
        ("x = x + self.places(torch.cumsum(ids != 0, 1))", "learned_absolute"),
        ("x = x + self.table", "learned_absolute"),
        ("x = x + torch.cat([torch.sin(torch.arange(64)), torch.cos(torch.arange(64))], -1)", "sinusoidal"),
        ("bias = self.distances(torch.arange(length)[None] - torch.arange(length)[:, None])", "relative_bias"),
        ("x = torch.cat([self.token.expand(len(ids), -1, -1), x + self.table], 1)", "learned_absolute"),
        ("x = torch.cat([self.token.expand(len(ids), -1, -1), x], 1)", "none"),
        ("x = x + self.kinds(self.types)", "none"),
        ("import elsewhere; x = self.map(x); x = x + elsewhere.table(x)", None),
        ("pass", "none"),
    ],
)
def test_where_positions_enter(tmp_path: Path, before: str, expected: str | None) -> None:
    assert _facts(tmp_path, before=before)["positions"] == expected


@pytest.mark.parametrize(("kv", "expected"), [(8, "mha"), (2, "gqa"), (1, "mqa")])
def test_how_many_heads_share_keys(tmp_path: Path, kv: int, expected: str) -> None:
    assert _facts(tmp_path, kv=kv)["attention"] == expected


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize(
    ("before", "behind", "expected"),
    [
        ("pass", "pass", (False, False)),
        ("x = self.early(x)", "x = self.last(x)", (True, True)),
        ("x = self.map(self.early(x))", "x = self.last(x[:, 0])", (True, False)),
        ("x = self.map(x)", "x = self.last(x)", (False, True)),
    ],
)
def test_norms_around_the_stack(
    tmp_path: Path, before: str, behind: str, expected: tuple[bool, bool], count: int
) -> None:
    found = _facts(tmp_path, before=before, behind=behind, count=count)
    told = (found["embedding_norm"], found["final_norm"])
    assert told == expected if count > 1 else all(one in (None, two) for one, two in zip(told, expected, strict=True))


def test_a_pooler_behind_the_stack_says_nothing_of_the_layers(tmp_path: Path) -> None:
    plain = _facts(tmp_path)["activation"]
    assert plain not in (None, "tanh")
    assert _facts(tmp_path, behind="x = self.map(torch.tanh(self.map(x)))")["activation"] == plain
