"""Shapes in traces: of each op that ran, the rules say what the tensor had, from the graph that the trace became.

A graph has no arguments of calls: what only they tell is not known, and nothing that is known is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from torch_python import torch_python

from archcheck.errors import ArchcheckError
from archcheck.frontends.targets import parse_target, resolve
from archcheck.frontends.trace.tracer import Running, Wanted, trace_many
from archcheck.ir.graph import Op, Size, Value
from archcheck.ir.shapes import Dims, shapes_of

MODELS = """
import torch
from torch import nn
import torch.nn.functional as F


class Heads(nn.Module):
    def __init__(self, width=32, heads=4):
        super().__init__()
        self.qkv, self.out, self.heads = nn.Linear(width, 3 * width), nn.Linear(width, width), heads

    def forward(self, x):
        batch, length, width = x.shape
        q, k, v = self.qkv(x).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        scores = q @ k.transpose(-2, -1) / k.shape[-1] ** 0.5
        mask = torch.ones(length, length, dtype=torch.bool).tril()
        scores = scores.masked_fill(~mask[None, None], float("-inf"))
        y = torch.einsum("bhqk,bhkd->bqhd", scores.softmax(-1), v)
        return self.out(y.reshape(*x.shape[:-1], -1))


class Rotated(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        x = self.linear(x)
        places = torch.arange(x.shape[1])
        angles = places[:, None] * (1.0 / 10000 ** (torch.arange(0, 32, 2) / 32))[None]
        both = torch.cat([angles, angles], dim=-1)
        one, other = x.chunk(2, dim=-1)
        turned = torch.cat((-other, one), -1)
        x = x * both.cos()[None] + turned * both.sin().unsqueeze(0)
        x[..., ::2] += 1
        x[:, 0] = 0
        return x.repeat_interleave(2, dim=1).expand(3, -1, -1, -1) if x.dim() == 4 else x.flip(1).roll(1, 1)


class Image(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.patches = nn.Conv2d(3, width, 4, 4)
        self.norm, self.cls = nn.GroupNorm(2, width), nn.Parameter(torch.zeros(1, 1, width))
        self.table = nn.Parameter(torch.zeros(1, 65, width))
        self.mix = nn.Conv2d(width, 2 * width, 3, padding=1, groups=2)
        self.up = nn.ConvTranspose2d(2 * width, width, 2, 2)

    def forward(self, image):
        x = self.norm(self.patches(image))
        batch, width, rows, columns = x.shape
        tokens = x.flatten(2).transpose(1, 2)
        tokens = torch.cat((self.cls.expand(batch, -1, -1), tokens), dim=1) + self.table[:, : rows * columns + 1]
        x = tokens[:, 1:].transpose(1, 2).unflatten(2, (rows, columns))
        x = F.glu(F.pad(self.mix(x), (0, 1, 1, 0)), 1).relu_()
        x = F.max_pool2d(x, 2) + F.interpolate(x, scale_factor=0.5)[..., : x.shape[-2] // 2, : x.shape[-1] // 2]
        windows = x.view(batch, width, 2, -1, x.shape[-1]).movedim(2, 1)
        return self.up(torch.cat([windows.flatten(1, 2)])), [row.sum() for row in windows.unbind(1)]


class Chosen(nn.Module):
    def __init__(self, width=32, experts=4):
        super().__init__()
        self.gate, self.table = nn.Linear(width, experts), nn.Parameter(torch.zeros(7, width))
        self.cell, self.steps = nn.GRUCell(width, width), nn.LSTM(width, 16, 2, batch_first=True, bidirectional=True)

    def forward(self, x):
        weights, which = self.gate(x).softmax(-1).topk(2, dim=-1)
        hot = F.one_hot(which, 4).permute(3, 2, 0, 1).float()
        x = x + self.table[which].mean(dim=-2) * weights.sum(-1, keepdim=True)
        x = x.gather(1, which[..., :1].expand(-1, -1, x.shape[-1]).clamp(max=x.shape[1] - 1))
        output, (hidden, memory) = self.steps(x)
        state = x[:, 0]
        for step in x.split(1, dim=1):
            state = self.cell(step.squeeze(1), state)
        y = torch.stack([state, hidden[-2:].transpose(0, 1).flatten(1)], dim=1)
        first, rest = torch.split(output, [8, 24], dim=-1)
        return y.where(y > 0, 0.0), hot, memory[0].T, first.index_select(-1, torch.arange(3)), rest.cumsum(1)
"""
# kinds of which arguments tell the shape: whether axes stay, whether a last window counts, where features are
LEFT_OPEN = {
    "Heads": set[str](),
    "Rotated": set[str](),
    "Image": {"pool", "interpolate", "concat", "conv_transpose", "sum"},
    "Chosen": {"mean", "sum"},
}
MOST = 8  # outputs of an op
Traced = Mapping[str, tuple[tuple[Op, ...], Mapping[Value, Dims]]]


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Traced:
    """The ops of each model, and the shapes that they gave when they ran."""
    python = torch_python()
    file: Path = tmp_path_factory.mktemp("shapes") / "laid_out.py"
    file.write_text(MODELS)
    target = resolve(parse_target(str(file)))
    source = target.source or target.files[0]
    wanted = [Wanted(replace(target, source=source, symbol=name), source.module, name) for name in LEFT_OPEN]
    found: dict[str, tuple[tuple[Op, ...], Mapping[Value, Dims]]] = {}
    for name, one in zip(LEFT_OPEN, trace_many(wanted, Running(python=python)), strict=True):
        assert not isinstance(one, ArchcheckError), one
        assert one.recording.error == "", name
        graph = one.reading.variants[0].graph
        assert graph is not None
        found[name] = graph.ops, {value: tuple(shape) for value, shape in one.shapes.items()}
    return found


def _resolved(value: object, shapes: Mapping[Value, Dims | None]) -> object:
    """An attribute with the numbers that its sizes had."""
    if isinstance(value, Size) and value.of is not None and value.power == 1:
        return (shapes[value.of] or ())[value.axes[0]]
    return tuple(_resolved(item, shapes) for item in value) if isinstance(value, tuple) else value


@pytest.mark.parametrize("name", LEFT_OPEN)
def test_each_op_gives_what_it_gave_when_it_ran(name: str, traced: Traced) -> None:
    ops, ran = traced[name]
    shapes: dict[Value, Dims | None] = {}  # as they ran, and as the rules say where nothing was recorded
    left_open: set[str] = set()
    for op in ops:
        if op.kind.name == "input":
            shapes[Value(op.path)] = ran[Value(op.path)]
            continue
        attrs = {attr.name: _resolved(attr.value, shapes) for attr in op.attrs}
        operands = [shapes[read] for read in op.reads]
        for index, shape in enumerate(shapes_of(op.kind.name, attrs, operands, MOST)):
            value = Value(op.path, index)
            shapes[value] = true = ran.get(value, shape)
            if shape is not None and true is not None:
                assert len(shape) == len(true), (op, operands)
                assert all(one in (None, size) for one, size in zip(shape, true, strict=True)), (op, operands)
            if shape != true:
                left_open.add(op.kind.name)
    assert left_open == LEFT_OPEN[name]
