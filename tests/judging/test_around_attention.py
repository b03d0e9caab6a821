"""What stands between an attention and the norms and sums around it, in code that a figure speaks of."""

from __future__ import annotations

from pathlib import Path

import pytest

from archcheck.findings import Verdict
from archcheck.pipeline import check
from archcheck.sweep import Request

CODE = """
import torch
from torch import nn

class Layer(nn.Module):
    def __init__(self, d=64):
        super().__init__()
        self.n1, self.n2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.mha = nn.MultiheadAttention(d, 4, batch_first=True)
        self.a, self.b = nn.Linear(d, d), nn.Linear(d, d)

    def forward(self, x):
        y = BEFORE(self.n1(x))
        y = BEHIND(self.mha(y, y, y)[0])
        x = x + y
        return x + self.b(torch.relu(self.a(self.n2(x))))
"""


@pytest.mark.parametrize("place", ["BEFORE", "BEHIND"])
@pytest.mark.parametrize("kind", ["tanh", "relu", "sigmoid"])
def test_an_activation_beside_an_attention_is_no_part_of_it(tmp_path: Path, place: str, kind: str) -> None:
    code = CODE.replace(place, f"torch.{kind}").replace("BEFORE", "").replace("BEHIND", "")
    (tmp_path / "model.py").write_text(code)
    (report,) = check(Request(f"{tmp_path}/model.py:Layer"), "xiong2020#pre_ln")
    claim = report.default.claims[0]
    assert claim.verdict is Verdict.VIOLATED
    assert [finding.rule for finding in claim.findings] == ["activation"]
    assert claim.bound[0].signature == "self_attention: n F a; ffn: n F a"


def test_without_one_the_layer_holds(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(CODE.replace("BEFORE", "").replace("BEHIND", ""))
    (report,) = check(Request(f"{tmp_path}/model.py:Layer"), "xiong2020#pre_ln")
    assert report.default.claims[0].verdict is Verdict.HOLDS
