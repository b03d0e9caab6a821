"""Norms and scales that are spelled with the size of what they are given, which no number tells before it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from archcheck.frontends.static.library import Library
from archcheck.frontends.static.reader import read
from archcheck.passes import canonicalise

FORWARD = """
import math
import torch
import torch.nn.functional as F


def f(x):
    b, c, n = x.shape
    return {formula}
"""


@pytest.mark.parametrize(
    ("formula", "kind"),
    [
        ("F.normalize(x, dim=1) * x.shape[1] ** 0.5", "rms_norm"),
        ("F.normalize(x, dim=1) * c ** 0.5", "rms_norm"),
        ("F.normalize(x, dim=-1) * math.sqrt(x.size(-1))", "rms_norm"),
        ("F.normalize(x, dim=-1) * n ** 0.5", "rms_norm"),
        ("F.normalize(x, dim=-1) * c ** 0.5", "l2_norm"),
        ("F.normalize(x, dim=1) * x.shape[2] ** 0.5", "l2_norm"),
        ("F.normalize(x, dim=1) * x.shape[1]", "l2_norm"),
        ("F.normalize(x, dim=1) * x.shape[1] ** -0.5", "l2_norm"),
        ("F.normalize(x.float(), dim=1) * c ** 0.5", "rms_norm"),
    ],
)
def test_the_root_of_the_width_makes_an_rms_norm_of_unit_vectors(tmp_path: Path, formula: str, kind: str) -> None:
    (tmp_path / "model.py").write_text(FORWARD.format(formula=formula), encoding="utf-8")
    [variant] = read(Library([tmp_path]), "model", "f", {}).variants
    (first, *_) = [op for op in canonicalise(variant.graph).ops if op.kind.name != "input"]
    assert first.kind.name == kind


def test_a_size_before_a_change_of_shape_is_no_width(tmp_path: Path) -> None:
    text = FORWARD.format(formula="F.normalize(x.reshape(b, -1), dim=1) * c ** 0.5")
    (tmp_path / "model.py").write_text(text, encoding="utf-8")
    [variant] = read(Library([tmp_path]), "model", "f", {}).variants
    assert "rms_norm" not in {op.kind.name for op in canonicalise(variant.graph).walk()}
