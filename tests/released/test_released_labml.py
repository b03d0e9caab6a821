"""labml-nn's DeepNorm as released: its code multiplies the branch where the paper multiplies the residual."""

from __future__ import annotations

import pytest
from released_code import VIOLATED, audit, claim, describe, violated

pytestmark = pytest.mark.packages

RELEASE = "labml-nn==0.5.1"
TARGET = "labml_nn/normalization/deep_norm/__init__.py:DeepNormTransformerLayer"


def test_the_branch_is_scaled_not_the_residual() -> None:
    described = describe(RELEASE, TARGET)
    (layer,) = described.default.layers
    assert [(each.kind, each.signature, each.norm) for each in layer.sublayers] == [
        ("self_attention", "F s a n", "layer_norm"),
        ("ffn", "F s a n", "layer_norm"),
    ]
    facts = {fact.name: fact.value for fact in described.default.facts}
    assert facts["ffn_gated"] is False


@pytest.mark.parametrize("block", ["encoder_only_layer", "decoder_only_layer"])
def test_the_paper_multiplies_the_residual(block: str) -> None:
    report = audit(RELEASE, TARGET, f"wang2022#{block}")
    assert violated(report) == {block: ["residual-scale"]}
    finding = next(each for each in claim(report, block).findings if each.rule == "residual-scale")
    assert "multiplies the branch, not the residual" in finding.message
    assert finding.places[0].text.strip() == "return self.layer_norm(x + self.alpha * gx)"


def test_what_has_no_cross_attention_is_no_decoder_layer() -> None:
    report = audit(RELEASE, TARGET, "wang2022")
    assert report.verdict is VIOLATED
    assert not claim(report, "decoder_layer").bound
