"""The formula of attention holds for any width of a head; a scale that is not that of its width departs."""

from __future__ import annotations

from pathlib import Path

import pytest

from archcheck.findings import Verdict
from archcheck.judging import Preset
from archcheck.pipeline import check
from archcheck.sweep import Request

SOURCE = """
import torch
from torch import nn

class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(96, 96) for _ in range(3))

    def forward(self, x):
        q, k, v = (part(x).view(x.shape[0], -1, 4, 24).transpose(1, 2) for part in (self.q, self.k, self.v))
        return torch.softmax(q @ k.transpose(-2, -1) * SCALE, -1) @ v
"""


def verdict(folder: Path, scale: str, preset: Preset | None = None) -> Verdict:
    file = folder / "model.py"
    file.write_text(SOURCE.replace("SCALE", scale))
    (report,) = check(Request(f"{file}:Attention", preset=preset or Preset()), "vaswani2017#attention")
    return report.default.claims[0].verdict


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        ("24**-0.5", Verdict.HOLDS),
        ("24**-1", Verdict.VIOLATED),
        ("96**-0.5", Verdict.VIOLATED),
        ("1", Verdict.VIOLATED),
    ],
)
def test_the_scale_is_that_of_the_width(tmp_path: Path, scale: str, expected: Verdict) -> None:
    assert verdict(tmp_path, scale) is expected


def test_a_size_that_is_given_stands(tmp_path: Path) -> None:
    assert verdict(tmp_path, "24**-0.5", Preset("base")) is Verdict.VIOLATED


READ_TWICE = """
archcheck: 1
id: a2026
title: A
sizes: {d_k: 96}
blocks:
  scaled:
    where: Equation 1
    flow: y = softmax(q @ k.T / sqrt(d_k)) @ v
readings:
  - id: undivided
    where: Equation 1
    says: divided by the width itself
    blocks: {scaled: {flow: y = softmax(q @ k.T / d_k) @ v}}
"""


@pytest.mark.parametrize(
    ("scale", "block", "reading"),
    [("24**-0.5", Verdict.HOLDS, Verdict.VIOLATED), ("24**-1", Verdict.VIOLATED, Verdict.HOLDS)],
)
def test_another_reading_is_judged_by_its_own_formula_at_the_width_of_the_code(
    tmp_path: Path, scale: str, block: Verdict, reading: Verdict
) -> None:
    file, spec = tmp_path / "model.py", tmp_path / "spec.yaml"
    file.write_text(SOURCE.replace("SCALE", scale))
    spec.write_text(READ_TWICE)
    (report,) = check(Request(f"{file}:Attention"), str(spec))
    assert report.default.claims[0].verdict is block
    assert [one.verdict for one in report.default.readings] == [reading]


UNGIVEN = """
archcheck: 1
id: a2026
title: A
sizes: {SIZE: null, d_model: null}
presets: {small: {d_model: 96}, large: {d_model: 128}}
blocks:
  scaled:
    where: Equation 1
    flow: y = softmax(q @ k.T / sqrt(SIZE)) @ v
"""


@pytest.mark.parametrize("preset", ["", "small"])
@pytest.mark.parametrize(
    ("size", "scale", "expected"),
    [
        ("head_dim", "24**-0.5", Verdict.HOLDS),
        ("head_dim", "24**-1", Verdict.VIOLATED),
        ("head_dim", "1", Verdict.VIOLATED),
        ("temperature", "24**-0.5", Verdict.HOLDS),
        ("temperature", "24**-1", Verdict.UNDETERMINED),  # it may be 576
        ("temperature", "2", Verdict.UNDETERMINED),  # or a quarter
    ],
)
def test_a_width_of_heads_that_the_paper_does_not_give_is_the_code_s_own(
    tmp_path: Path, size: str, scale: str, expected: Verdict, preset: str
) -> None:
    file, spec = tmp_path / "model.py", tmp_path / "spec.yaml"
    file.write_text(SOURCE.replace("SCALE", scale))
    spec.write_text(UNGIVEN.replace("SIZE", size))
    (report,) = check(Request(f"{file}:Attention", preset=Preset(preset)), str(spec))
    assert report.default.claims[0].verdict is expected


MULTIPLE = """
archcheck: 1
id: a2026
title: A
sizes: {width: null}
blocks:
  mlp:
    where: Equation 1
    flow: y = linear(gelu(linear(x, out_features=FIRST)), out_features=width)
"""
MLP = """
from torch import nn

class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.down, self.act = nn.Linear(96, 384), nn.Linear(384, WIDTH), nn.GELU()

    def forward(self, x):
        return self.down(self.act(self.up(x)))
"""


@pytest.mark.parametrize(
    ("first", "last", "width", "expected"),
    [
        ("4*width", "width", 96, Verdict.HOLDS),
        ("4*width", "width", 192, Verdict.VIOLATED),
        ("4*width", "2*width", 96, Verdict.UNDETERMINED),  # 4*width is 384, which is not the width
    ],
)
def test_a_number_of_the_code_is_a_size_only_where_the_size_itself_is_stated(
    tmp_path: Path, first: str, last: str, width: int, expected: Verdict
) -> None:
    file, spec = tmp_path / "model.py", tmp_path / "spec.yaml"
    file.write_text(MLP.replace("WIDTH", str(width)))
    spec.write_text(MULTIPLE.replace("FIRST", first).replace("=width", f"={last}"))
    (report,) = check(Request(f"{file}:Mlp"), str(spec))
    assert report.default.claims[0].verdict is expected
