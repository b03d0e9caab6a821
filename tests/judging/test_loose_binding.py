"""A part of a layer is not the layer: auditing a whole file calls its attention no layer that lacks a feed-forward."""

from __future__ import annotations

from pathlib import Path

from archcheck.findings import Verdict
from archcheck.pipeline import check
from archcheck.sweep import Request

MODEL = Path(__file__).parents[2] / "fixtures/xiong2020/plain/model.py"
PART = """
class Part(nn.Module):
    def __init__(self, dim=256, heads=4):
        super().__init__()
        self.attn = nn.MultiheadAttention(dim, heads, batch_first=True)

    def forward(self, x):
        return self.attn(x, x, x)[0]
"""


def test_a_part_is_not_found_and_the_layer_is_judged(tmp_path: Path) -> None:
    file = tmp_path / "model.py"
    file.write_text(MODEL.read_text() + "\n" + PART)
    (part,) = check(Request(f"{file}:Part"), "xiong2020#pre_ln")
    assert part.default.claims[0].verdict is Verdict.UNDETERMINED
    (report,) = check(Request(str(file)), "xiong2020#pre_ln")
    assert report.verdict is Verdict.HOLDS
    assert [(one.what, one.why) for one in report.beside] == [("Part", "nothing in it is what the spec is about")]
