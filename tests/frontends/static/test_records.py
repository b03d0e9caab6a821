"""Records of tensors and functions of functions: what a call is given, and what it gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from archcheck.findings import Verdict
from archcheck.ir.text import dump
from archcheck.pipeline import check, load_side
from archcheck.sweep import Request

RECORDS = """\
from typing import NamedTuple, Optional
import jax
import jax.numpy as jnp
import torch
from torch import nn


class State(NamedTuple):
    hidden: torch.Tensor
    cell: "jax.Array"
    steps: int = 3


class Fields(nn.Module):
    def forward(self, x, state: State):
        return x * state.hidden + state.cell ** state.steps


class Parts(nn.Module):
    def forward(self, x, state: State):
        h, c, steps = state
        return x * h + c ** steps


def mapped(x, state: State):
    state = jax.tree.map(jnp.asarray, State(state.hidden, state.cell, 3))
    return x * state.hidden + state.cell ** state.steps


def made(factor):
    def f(x):
        return torch.tanh(x) * factor
    return f


def nothing(x):
    torch.tanh(x)
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "model.py").write_text(RECORDS)
    return tmp_path / "model.py"


@pytest.mark.parametrize("symbol", ["Fields", "Parts", "mapped"])
def test_a_record_in_a_call_has_a_tensor_in_each_field_that_is_one(model: Path, symbol: str) -> None:
    ops = [line.split("  @")[0] for line in dump(load_side(f"{model}:{symbol}", Request("")).graph).splitlines()]
    assert [line for line in ops if line and line[0] != "#"] == [
        "%0 = input name='x'",
        "%1 = input name='state.hidden'",
        "%2 = input name='state.cell'",
        "%3 = mul %0, %1",
        "%4 = pow %2 exponent=3",
        "%5 = add %3, %4",
        "give %5",
    ]


def test_a_function_that_defines_a_part_is_read_as_the_part(model: Path) -> None:
    graph = load_side(f"{model}:made", Request("", {"factor": "3"})).graph
    assert [op.kind.name for op in graph.ops] == ["input", "tanh", "scale"]


def test_of_what_gives_nothing_nothing_is_said(model: Path, tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "archcheck: 1\nid: a2026\ntitle: A\nblocks: {net: {where: x, flow: 'x + linear(tanh(linear(x)))'}}\n"
    )
    (report,) = check(Request(f"{model}:nothing"), str(spec))
    assert report.default.claims[0].verdict is Verdict.UNDETERMINED
