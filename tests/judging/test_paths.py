"""Paths are followed through sublayers, residuals and repeats, wherever the canonical form has put the ops."""

from __future__ import annotations

from pathlib import Path

import pytest

from archcheck.findings import Verdict
from archcheck.pipeline import check
from archcheck.sweep import Request

SOURCE = """
from torch import nn
import torch.nn.functional as F

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(64)
        self.attention = nn.MultiheadAttention(64, 4, batch_first=True)
        self.second = nn.LayerNorm(64)
        self.up, self.down = nn.Linear(64, 256), nn.Linear(256, 64)

    def forward(self, x):
        y = self.norm(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.down(F.relu(self.up(self.second(x))))

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(1000, 64)
        self.blocks = nn.ModuleList(Block() for _ in range(4))
        self.last = nn.LayerNorm(64)
        self.head = nn.Linear(64, 1000)

    def forward(self, ids):
        x = self.tokens(ids)
        for block in self.blocks:
            x = block(x)
        return self.head(self.last(x))
"""


def verdict(folder: Path, claim: str, symbol: str = "Model", source: str = SOURCE) -> Verdict:
    model, spec = folder / "model.py", folder / "spec.yaml"
    model.write_text(source)
    spec.write_text(f"archcheck: 1\nid: a2026\ntitle: A\nclaims:\n  - {{id: a, where: Section 1, {claim}}}\n")
    (report,) = check(Request(f"{model}:{symbol}"), str(spec))
    return report.default.claims[0].verdict


@pytest.mark.parametrize(
    "path",
    [
        "linear -> relu -> linear",
        "linear -> relu -> linear -> add",
        "layer_norm -> attention -> add",
        "layer_norm -> self_attention -> add",
        "layer_norm -> ... -> attention -> ... -> relu",
        "relu -> ... -> attention",  # in the next round
        "embedding -> ... -> relu -> ... -> layer_norm -> linear -> output",
        "embedding -> ... -> output",
        "add -> layer_norm -> linear -> relu",
    ],
)
def test_what_stands_there_holds(tmp_path: Path, path: str) -> None:
    assert verdict(tmp_path, f"path: {path}") is Verdict.HOLDS


@pytest.mark.parametrize(
    "path",
    [
        "relu -> linear -> layer_norm",  # the add stands between
        "linear -> gelu -> linear",
        "attention -> layer_norm",
        "layer_norm -> relu",
        "linear -> ... -> embedding",
    ],
)
def test_what_does_not_is_violated(tmp_path: Path, path: str) -> None:
    assert verdict(tmp_path, f"path: {path}") is Verdict.VIOLATED


def test_what_a_path_excludes_cannot_be_gone_around(tmp_path: Path) -> None:
    assert verdict(tmp_path, "path: attention -> ... -> relu, absent: layer_norm") is Verdict.VIOLATED
    assert verdict(tmp_path, "path: attention -> ... -> relu, absent: gelu") is Verdict.HOLDS


def test_what_stands_outside_of_the_target_is_undetermined(tmp_path: Path) -> None:
    assert verdict(tmp_path, "path: embedding -> ... -> relu", "Block") is Verdict.UNDETERMINED


def test_what_could_not_be_read_leaves_a_path_and_a_count_undetermined(tmp_path: Path) -> None:
    source = SOURCE.replace("F.relu(self.up(self.second(x)))", "unread(self.up(self.second(x)))")
    source = "from elsewhere import unread\n" + source
    assert verdict(tmp_path, "path: linear -> relu -> linear", "Block", source) is Verdict.UNDETERMINED


def test_a_path_that_is_not_there_is_told_where_it_parts(tmp_path: Path) -> None:
    model, spec = tmp_path / "model.py", tmp_path / "spec.yaml"
    model.write_text(SOURCE)
    claim = "path: linear -> gelu -> linear"
    spec.write_text(f"archcheck: 1\nid: a2026\ntitle: A\nclaims:\n  - {{id: a, where: Section 1, {claim}}}\n")
    (report,) = check(Request(f"{model}:Model"), str(spec))
    (finding,) = report.default.claims[0].findings
    assert finding.code == "Behind the linear, relu follows, where the path has gelu."
    assert [place.text.strip() for place in finding.places] == ["return x + self.down(F.relu(self.up(self.second(x))))"]
    assert finding.fix


@pytest.mark.parametrize(
    ("claim", "symbol", "expected"),
    [
        ("present: relu in feed_forward", "Model", Verdict.HOLDS),
        ("present: gelu in feed_forward", "Model", Verdict.VIOLATED),
        ("present: relu in self_attention", "Model", Verdict.VIOLATED),  # it stands elsewhere in the model
        ("absent: relu in self_attention", "Model", Verdict.HOLDS),
        ("count: {linear in feed_forward: 2}", "Block", Verdict.HOLDS),
        ("present: rope in cross_attention", "Model", Verdict.UNDETERMINED),  # there is none
        ("absent: rope in cross_attention", "Model", Verdict.UNDETERMINED),
    ],
)
def test_a_claim_about_a_kind_of_sublayer_looks_into_those(
    tmp_path: Path, claim: str, symbol: str, expected: Verdict
) -> None:
    assert verdict(tmp_path, claim, symbol) is expected


UNREAD = """
import torch
from torch import nn
from nowhere import Mystery

class Part(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(8, 8), nn.Linear(8, 8), Mystery()

    def forward(self, x, y):
        return torch.tanh(self.b(torch.relu(self.a(x)))), self.c(y)
"""


def test_what_was_not_read_matters_on_a_path_only_where_it_may_be(tmp_path: Path) -> None:
    through = "path: linear -> gelu -> linear -> tanh"
    assert verdict(tmp_path, through, "Part", UNREAD) is Verdict.UNDETERMINED  # all of it may stand in there
    assert verdict(tmp_path, "path: input -> linear -> relu -> linear", "Part", UNREAD) is Verdict.HOLDS
    behind = UNREAD.replace("torch.tanh(self.b(torch.relu(self.a(x)))), self.c(y)", "self.c(torch.relu(self.a(x)))")
    assert verdict(tmp_path, "path: input -> linear -> gelu -> linear", "Part", behind) is Verdict.VIOLATED
    assert verdict(tmp_path, "path: input -> linear -> relu -> linear", "Part", behind) is Verdict.UNDETERMINED
