"""torch.nn's Transformer as released, read from its wheel: both values of `norm_first`, and final norms."""

from __future__ import annotations

import pytest
from released_code import HOLDS, VIOLATED, audit, claim, describe, violated

from archcheck.describe.description import Picture
from archcheck.findings import Report

pytestmark = pytest.mark.packages

RELEASE = "torch==2.13.0"
FILE = "torch/nn/modules/transformer.py"
POST, PRE = "F d a n", "n F d a"
ENCODER, DECODER = ("self_attention", "ffn"), ("self_attention", "cross_attention", "ffn")
LAYERS = {"TransformerEncoderLayer": ENCODER, "TransformerDecoderLayer": DECODER}


def sublayers(picture: Picture) -> list[list[tuple[str, str, str]]]:
    return [[(each.kind, each.signature, each.norm) for each in layer.sublayers] for layer in picture.layers]


@pytest.mark.parametrize("symbol", sorted(LAYERS))
@pytest.mark.parametrize("arguments", [{}, {"d_model": "512", "nhead": "8"}], ids=["sizes open", "sizes given"])
def test_both_values_of_norm_first_are_variants(symbol: str, arguments: dict[str, str]) -> None:
    described = describe(RELEASE, f"{FILE}:{symbol}", **arguments)
    orders = {
        picture.when: (picture.default, sublayers(picture))
        for picture in described.pictures
        if not picture.when or dict(picture.when).keys() == {"norm_first"}
    }
    assert orders == {
        (): (True, [[(kind, POST, "layer_norm") for kind in LAYERS[symbol]]]),
        (("norm_first", True),): (False, [[(kind, PRE, "layer_norm") for kind in LAYERS[symbol]]]),
    }
    facts = {fact.name: fact.value for fact in described.default.facts}
    assert (facts["activation"], facts["ffn_gated"], facts["attention"]) == ("relu", False, "mha")
    assert facts["final_norm"] is None  # one layer does not tell


def encoder_layer(block: str, **arguments: str) -> Report:
    return audit(
        RELEASE, f"{FILE}:TransformerEncoderLayer", f"xiong2020#{block}", d_model="512", nhead="8", **arguments
    )


@pytest.mark.parametrize(
    ("block", "norm_first", "agrees"),
    [("post_ln", "False", True), ("post_ln", "True", False), ("pre_ln", "False", False), ("pre_ln", "True", True)],
)
def test_the_encoder_layer_is_judged_by_its_flag(block: str, norm_first: str, agrees: bool) -> None:
    report = encoder_layer(block, norm_first=norm_first)
    assert violated(report) == ({} if agrees else {block: ["norm-placement"]})
    assert report.verdict is (HOLDS if agrees else VIOLATED)
    if not agrees:
        first = claim(report, block).findings[0].places[0]
        assert first.span.file == FILE
        assert "self.norm1" in first.text


@pytest.mark.parametrize(("block", "default", "other"), [("post_ln", HOLDS, VIOLATED), ("pre_ln", VIOLATED, HOLDS)])
def test_the_flag_that_is_not_given_is_explored(block: str, default: object, other: object) -> None:
    report = encoder_layer(block)
    verdicts = {
        variant.when: next(result.verdict for result in variant.claims if result.claim == block)
        for variant in report.variants
    }
    assert verdicts == {(): default, (("norm_first", True),): other}


@pytest.mark.parametrize("norm_first", ["False", "True"])
def test_the_decoder_layer_is_judged_by_its_flag(norm_first: str) -> None:
    report = audit(
        RELEASE,
        f"{FILE}:TransformerDecoderLayer",
        "vaswani2017#decoder_layer",
        d_model="512",
        nhead="8",
        norm_first=norm_first,
    )
    agrees = norm_first == "False"
    assert violated(report) == ({} if agrees else {"decoder_layer": ["norm-placement"]})
    assert [each.verdict for each in report.default.readings] == [VIOLATED if agrees else HOLDS]


@pytest.mark.parametrize("block", ["post_ln", "pre_ln"])
def test_the_decoder_layer_has_a_sublayer_more_than_an_encoder(block: str) -> None:
    norm_first = str(block == "pre_ln")
    report = audit(
        RELEASE,
        f"{FILE}:TransformerDecoderLayer",
        f"xiong2020#{block}",
        d_model="512",
        nhead="8",
        norm_first=norm_first,
    )
    assert violated(report) == {block: ["sublayers"]}
    assert "cross-attention is added" in claim(report, block).findings[0].message


def test_the_whole_transformer_has_norms_behind_both_stacks() -> None:
    described = describe(RELEASE, f"{FILE}:Transformer")
    assert [(layer.symbol, layer.repeat) for layer in described.default.layers] == [
        ("TransformerEncoderLayer", 6),
        ("TransformerDecoderLayer", 6),
    ]
    facts = {fact.name: fact.value for fact in described.default.facts}
    assert facts["final_norm"] is True


def test_final_norms_are_extra_where_the_paper_has_none() -> None:
    report = audit(RELEASE, f"{FILE}:Transformer", "vaswani2017")
    # `encoder_norm` and `decoder_norm` of `Transformer.__init__`: both true, and all that departs from the paper.
    assert violated(report) == {"no-final-norm": ["extra", "extra"]}
    findings = claim(report, "no-final-norm").findings
    assert [finding.message for finding in findings] == [
        "there is a layer norm after encoder_layer",
        "there is a layer norm after decoder_layer",
    ]
    assert all(finding.places and finding.places[0].span.file == FILE for finding in findings)
    for held in ("encoder_layer", "decoder_layer", "encoder_layer.repeat", "decoder_layer.repeat", "feed_forward"):
        assert claim(report, held).verdict is HOLDS


def test_final_norms_belong_to_the_pre_norm_form_only() -> None:
    post = audit(RELEASE, f"{FILE}:Transformer", "xiong2020", norm_first="False")
    assert claim(post, "post_ln").verdict is HOLDS
    assert claim(post, "post-ln-no-final-norm").verdict is VIOLATED
    assert violated(post)["post-ln-no-final-norm"] == ["extra"]
    pre = audit(RELEASE, f"{FILE}:Transformer", "xiong2020", norm_first="True")
    assert claim(pre, "pre_ln").verdict is HOLDS
    assert claim(pre, "pre-ln-final-norm").verdict is HOLDS
