"""Models of timm as released, by the names under which it registers them, and code that asks for them by name."""

from __future__ import annotations

from pathlib import Path

import pytest
from packages import unpacked
from released_code import describe

from archcheck.errors import TargetError
from archcheck.frontends.static.library import Library, Root
from archcheck.frontends.static.reader import read
from archcheck.frontends.targets import parse_target, resolve

pytestmark = pytest.mark.packages

RELEASE = "timm==1.0.31"
PRE, SCALED = "n F d a", "n F d s a"


@pytest.mark.parametrize(
    ("module", "name", "signatures", "positions"),
    [
        ("vision_transformer", "vit_base_patch16_224", {PRE}, "learned_absolute"),
        ("deit", "deit3_base_patch16_224", {SCALED}, "learned_absolute"),
        ("beit", "beit_base_patch16_224", {SCALED}, "relative_bias"),
        ("cait", "cait_s24_224", {SCALED, "F d s a"}, "learned_absolute"),
        ("mlp_mixer", "mixer_b16_224", {PRE}, "none"),
        ("convnext", "convnext_tiny", {"F d s a"}, "none"),
        ("resnet", "resnet50", {"F n a"}, None),
        ("regnet", "regnetx_002", {"F n a"}, None),
    ],
)
def test_what_a_name_builds(module: str, name: str, signatures: set[str], positions: str | None) -> None:
    found = describe(RELEASE, f"timm/models/{module}.py:{name}").default
    assert {sublayer.signature for block in found.layers for sublayer in block.sublayers} == signatures
    assert {fact.name: fact.value for fact in found.facts}["positions"] == positions


def test_class_attention_is_two_blocks_behind_the_others() -> None:
    found = describe(RELEASE, "timm/models/cait.py:cait_s24_224").default
    assert [block.repeat for block in found.layers] == [24, 2]


def test_code_that_asks_for_a_model_by_name_is_read_with_it(tmp_path: Path) -> None:
    text = """
import timm
from torch import nn


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = timm.create_model("resnet18.a1_in1k", pretrained=True, num_classes=0)
        self.head = nn.Linear(512, 7)

    def forward(self, x):
        return self.head(self.backbone(x))
"""
    (tmp_path / "mine.py").write_text(text)
    reading = read(Library([Root(tmp_path), Root(unpacked(RELEASE))]), "mine", "Classifier")
    assert reading.variants[0].error == ""
    kinds = [op.kind.name for op in reading.variants[0].graph.ops if op.kind.name in ("conv", "linear")]
    assert (kinds.count("conv"), kinds[-1]) == (20, "linear")
    assert "no weights are loaded, and what they hold decides no layer" in reading.assumptions


def test_a_name_that_is_not_known_is_met_with_those_like_it() -> None:
    with pytest.raises(TargetError, match=r"did you mean resnet18"):
        resolve(parse_target(f"{unpacked(RELEASE)}/timm/models/resnet.py:resnat18"))
