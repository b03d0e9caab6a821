"""What the tests of initial values share: a model's source, specs for it, and the figures of weights."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import random
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

import archcheck.frontends
from archcheck.findings import ClaimResult, Place
from archcheck.frontends.targets import parse_target, resolve
from archcheck.ir.weights import Initial, by_name
from archcheck.judging import Judge, Preset, Subject
from archcheck.spec.build import read
from archcheck.sweep import Request, read_symbol

CHILD = Path(archcheck.frontends.__file__).parent / "trace" / "child" / "initial.py"

SOURCE = """
import math
import torch
from torch import nn
import torch.nn.functional as F


class Attention(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads = heads
        self.one, self.two, self.three, self.four = (nn.Linear(d, d) for _ in range(4))

    def forward(self, x):
        b, n, d = x.shape
        q, k, v = (m(x).view(b, n, self.heads, -1).transpose(1, 2) for m in (self.one, self.two, self.three))
        y = F.scaled_dot_product_attention(q, k, v)
        return self.four(y.transpose(1, 2).reshape(b, n, d))


class Fused(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)

    def forward(self, x):
        b, n, d = x.shape
        q, k, v = self.qkv(x).chunk(3, -1)
        q, k, v = (m.view(b, n, self.heads, -1).transpose(1, 2) for m in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v)
        return self.out(y.transpose(1, 2).reshape(b, n, d))


class Torch(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.inner = nn.MultiheadAttention(d, heads, batch_first=True)

    def forward(self, x):
        return self.inner(x, x, x, need_weights=False)[0]


class Norm(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(d))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.gamma


class Block(nn.Module):
    def __init__(self, d, heads, attention):
        super().__init__()
        self.before = nn.LayerNorm(d)
        self.attention = attention(d, heads)
        self.second = Norm(d)
        self.up, self.down = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)
        self.factor = nn.Parameter(torch.zeros(d))

    def forward(self, x):
        x = x + self.attention(self.before(x))
        return x + self.factor * self.down(F.relu(self.up(self.second(x))))


class Model(nn.Module):
    def __init__(self, layers=4, d=64, heads=4, attention=Attention):
        super().__init__()
        self.tokens = nn.Embedding(1000, d)
        self.places = nn.Parameter(torch.zeros(10, d))
        self.blocks = nn.ModuleList(Block(d, heads, attention) for _ in range(layers))
        self.last = nn.LayerNorm(d)
        self.head = nn.Linear(d, 1000, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, ids):
        x = self.tokens(ids) + self.places
        for block in self.blocks:
            x = block(x)
        return self.head(self.last(x))


class OfFused(Model):
    def __init__(self, layers=4, d=64):
        super().__init__(layers, d, 4, Fused)


class OfTorch(Model):
    def __init__(self, layers=4, d=64):
        super().__init__(layers, d, 4, Torch)


class Named(nn.Module):
    def __init__(self, d=64):
        super().__init__()
        self.block1, self.block2, self.block3 = (Block(d, 4, Attention) for _ in range(3))

    def forward(self, x):
        return self.block3(self.block2(self.block1(x)))


class Shared(nn.Module):
    def __init__(self, d=64, layers=3):
        super().__init__()
        self.block = Block(d, 4, Attention)
        self.layers = layers

    def forward(self, x):
        for _ in range(self.layers):
            x = self.block(x)
        return x


class Basic(nn.Module):
    def __init__(self, d=8):
        super().__init__()
        self.c1, self.c2 = nn.Conv2d(d, d, 3, padding=1, bias=False), nn.Conv2d(d, d, 3, padding=1, bias=False)
        self.n1, self.n2 = nn.BatchNorm2d(d), nn.BatchNorm2d(d)

    def forward(self, x):
        return torch.relu(x + self.n2(self.c2(torch.relu(self.n1(self.c1(x))))))


class Fixed(nn.Module):
    def __init__(self, d=8):
        super().__init__()
        self.before, self.behind = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
        self.times = nn.Parameter(torch.ones(1))
        self.c1, self.c2 = nn.Conv2d(d, d, 3, padding=1, bias=False), nn.Conv2d(d, d, 3, padding=1, bias=False)

    def forward(self, x):
        return x + self.c2(torch.relu(self.c1(x + self.before))) * self.times + self.behind


class Residual(nn.Module):
    def __init__(self, d=64):
        super().__init__()
        self.up, self.down = nn.Linear(d, 2 * d), nn.Linear(2 * d, d)

    def forward(self, x):
        return x + self.down(torch.relu(self.up(x)))
"""

HEAD = """\
archcheck: 1
id: a2026
title: A
sizes: {N: null, d: 64, sigma: 0.02}
blocks:
  layer:
    where: Section 2
    flow: |
      x = x + self_attention(layer_norm(x))
      x = x + feed_forward(rms_norm(x))
    repeat: N
"""


def subject(
    folder: Path, symbol: str = "Model", initial: Mapping[str, Initial] | None = None, file: str = "model.py"
) -> Subject:
    """A class of SOURCE, or of another file, read; `initial` stands for what a trace would bring."""
    (folder / "model.py").write_text(SOURCE)
    target = resolve(parse_target(f"{folder / file}:{symbol}"))
    assert target.source is not None
    one = read_symbol(target, target.source.module, symbol, Request(""))
    return replace(next(iter(one.subjects())), initial=initial)


def judged(subject: Subject, claim: str, head: str = HEAD, **sizes: int) -> ClaimResult:
    """The verdict on a claim of this form."""
    spec = read(f"{head}claims:\n  - {{id: a, where: Section 1, {claim}}}\n".encode(), "made.yaml")
    variant = Judge(spec, Place, Preset(sizes=sizes)).variant(subject)
    return variant.claims[-1]


def sample(name: str, shape: tuple[int, ...], std: float, *, uniform: bool = False, seed: str = "") -> Initial:
    """A tensor that is drawn as a paper says."""
    draw = random.Random(seed or name)
    bound = std * math.sqrt(3)
    entries = [draw.uniform(-bound, bound) if uniform else draw.gauss(0, std) for _ in range(math.prod(shape))]
    return figures(name, shape, entries)


def figures(name: str, shape: tuple[int, ...], entries: list[float]) -> Initial:
    """The figures of entries."""
    count = len(entries)
    mean = math.fsum(entries) / count
    std = math.sqrt(math.fsum((entry - mean) ** 2 for entry in entries) / count)
    taps = math.prod(shape[2:])
    fans = (shape[1] * taps, shape[0] * taps) if len(shape) > 1 else (0, 0)
    ends = (min(entries), max(entries))
    return Initial(name, shape, count, mean, std, *ends, entries.count(0), entries.count(1), *fans)


def constant(name: str, shape: tuple[int, ...], value: float) -> Initial:
    """A tensor of one value."""
    return figures(name, shape, [value] * math.prod(shape))


def torch_python() -> str:
    """A Python with torch: this one, or $ARCHCHECK_TORCH_PYTHON; without any the test is skipped."""
    if importlib.util.find_spec("torch") is not None:
        return sys.executable
    return os.environ.get("ARCHCHECK_TORCH_PYTHON") or pytest.skip(
        "no torch: ARCHCHECK_TORCH_PYTHON may name its Python"
    )


def instance(code: str) -> tuple[dict[str, Initial], list[list[str]]]:
    """What a traced process tells of the `model` that `code` makes of SOURCE's classes.

    It runs apart, where nothing of archcheck can be imported.
    """
    program = f"""
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("initial", {str(CHILD)!r})
initial = importlib.util.module_from_spec(spec)
before = set(sys.modules)
spec.loader.exec_module(initial)
assert "torch" not in sys.modules and not any(name.startswith("archcheck") for name in sys.modules)
{SOURCE}
torch.manual_seed(7)
init = nn.init
{code}
print(json.dumps([initial.initial_values(model), initial.tied(model)], allow_nan=False))
"""
    done = subprocess.run(
        [torch_python(), "-I", "-c", program], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    rows, tied = json.loads(done.stdout)
    return by_name(rows), tied
