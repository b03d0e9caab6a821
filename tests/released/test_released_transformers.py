"""Layers of transformers as released: what they are, and which papers they agree with."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from released_code import HOLDS, VIOLATED, audit, claim, describe, violated

pytestmark = pytest.mark.packages

RELEASE = "transformers==5.23.0"
POST, PRE = "F d a n", "n F d a"
LAYER, RMS = "layer_norm", "rms_norm"


def target(model: str, symbol: str) -> str:
    return f"transformers/models/{model}/modeling_{model}.py:{symbol}"


@dataclass(frozen=True)
class Known:
    """A layer as its source was read by hand; `arguments` choose a configuration other than the default one."""

    model: str
    symbol: str
    signatures: tuple[tuple[str, str], ...]
    norm: str
    activation: str
    gated: bool = False
    attention: str = "mha"
    qk_norm: bool = False
    positions: str | None = None  # None: they enter outside of the layer
    topology: str = "sequential"
    arguments: tuple[tuple[str, str], ...] = ()
    name: str = ""


def both(signature: str) -> tuple[tuple[str, str], ...]:
    return (("self_attention", signature), ("ffn", signature))


def three(signature: str) -> tuple[tuple[str, str], ...]:
    return (("self_attention", signature), ("cross_attention", signature), ("ffn", signature))


LAYERS = [
    Known("bert", "BertLayer", both(POST), LAYER, "gelu_exact"),
    Known("gpt2", "GPT2Block", both(PRE), LAYER, "gelu_tanh"),
    Known("llama", "LlamaDecoderLayer", both("n F a"), RMS, "silu", gated=True, positions="rope"),
    Known("t5", "T5Block", both(PRE), RMS, "relu"),
    Known(
        "t5",
        "T5Block",
        three(PRE),
        RMS,
        "relu",
        arguments=(("config", "T5Config(is_decoder=True)"),),
        name="T5Block of the decoder",
    ),
    Known(
        "t5",
        "T5Block",
        both(PRE),
        RMS,
        "gelu_tanh",
        gated=True,
        arguments=(("config", 'T5Config(feed_forward_proj="gated-gelu")'),),
        name="T5Block of T5 1.1",
    ),
    Known("opt", "OPTDecoderLayer", both(PRE), LAYER, "relu"),
    Known(
        "opt",
        "OPTDecoderLayer",
        both(POST),
        LAYER,
        "relu",
        arguments=(("config", "OPTConfig(do_layer_norm_before=False)"),),
        name="OPTDecoderLayer with its norm behind",
    ),
    Known("bloom", "BloomBlock", both(PRE), LAYER, "gelu_tanh"),
    Known("vit", "ViTLayer", both(PRE), LAYER, "gelu_exact"),
    Known(
        "gemma2", "Gemma2DecoderLayer", both("n F n a"), RMS, "gelu_tanh", gated=True, attention="gqa", positions="rope"
    ),
    Known("olmo2", "Olmo2DecoderLayer", both("F n a"), RMS, "silu", gated=True, qk_norm=True, positions="rope"),
    Known(
        "cohere", "CohereDecoderLayer", both("n F a"), LAYER, "silu", gated=True, positions="rope", topology="parallel"
    ),
    Known("bart", "BartDecoderLayer", three(POST), LAYER, "gelu_exact"),
    Known("albert", "AlbertLayer", (("self_attention", POST), ("ffn", "F a n")), LAYER, "gelu_tanh"),
]


@pytest.mark.parametrize("known", LAYERS, ids=lambda known: known.name or known.symbol)
def test_a_layer_is_what_its_source_says(known: Known) -> None:
    from archcheck.passes.structure import topology

    described = describe(RELEASE, target(known.model, known.symbol), **dict(known.arguments))
    (layer,) = described.default.layers
    assert [(each.kind, each.signature) for each in layer.sublayers] == list(known.signatures)
    assert {each.norm for each in layer.sublayers} == {known.norm}
    assert topology(layer.sublayers) == known.topology
    facts = {fact.name: fact.value for fact in described.default.facts}
    assert facts["activation"] == known.activation
    assert facts["ffn_gated"] is known.gated
    assert facts["attention"] == known.attention
    assert facts["qk_norm"] is known.qk_norm
    assert facts["positions"] == known.positions


def test_the_flag_of_opt_is_a_variant() -> None:
    described = describe(RELEASE, target("opt", "OPTDecoderLayer"))
    orders = {picture.when: {each.signature for each in picture.layers[0].sublayers} for picture in described.pictures}
    assert orders == {(): {PRE}, (("do_layer_norm_before", False),): {POST}}


AGREE = [
    ("bert", "BertLayer", "devlin2018"),
    ("gpt2", "GPT2Block", "radford2019"),
    ("llama", "LlamaDecoderLayer", "touvron2023"),
]


@pytest.mark.parametrize(("model", "symbol", "spec"), AGREE)
def test_a_layer_agrees_with_its_paper(model: str, symbol: str, spec: str) -> None:
    report = audit(RELEASE, target(model, symbol), spec)
    assert violated(report) == {}
    assert report.verdict is HOLDS
    block = "encoder_layer" if spec == "devlin2018" else "decoder_layer"
    assert claim(report, block).verdict is HOLDS


def test_every_claim_about_one_bert_layer_is_judged() -> None:
    report = audit(RELEASE, target("bert", "BertLayer"), "devlin2018")
    open_claims = {result.claim for result in report.default.claims if result.verdict is not HOLDS}
    # One layer does not tell how many there are, and what its mask hides is up to the caller.
    assert open_claims <= {"encoder_layer.repeat", "bidirectional"}


@pytest.mark.parametrize(
    ("model", "symbol", "spec", "repeated"),
    [("gpt2", "GPT2Model", "radford2019", 12), ("llama", "LlamaModel", "touvron2023", 32)],
)
def test_a_model_agrees_with_its_paper(model: str, symbol: str, spec: str, repeated: int) -> None:
    report = audit(RELEASE, target(model, symbol), spec)
    assert violated(report) == {}
    layer = claim(report, "decoder_layer")
    assert layer.verdict is HOLDS
    assert [bound.repeat for bound in layer.bound] == [repeated]


# Which claims of another paper a layer violates, by which rules.
OTHERS = [
    ("bert", "BertLayer", "radford2019", {"decoder_layer": ["norm-placement"]}),
    ("bert", "BertLayer", "xiong2020#pre_ln", {"pre_ln": ["norm-placement"]}),
    ("bert", "BertLayer", "vaswani2017#encoder_layer", {}),
    ("gpt2", "GPT2Block", "devlin2018", {"encoder_layer": ["norm-placement"]}),
    (
        "llama",
        "LlamaDecoderLayer",
        "radford2019",
        {
            "decoder_layer": ["norm-kind"],
            "feed_forward": ["gating", "activation"],
            "multi_head_attention": ["position", "operations"],
        },
    ),
    (
        "olmo2",
        "Olmo2DecoderLayer",
        "touvron2023",
        {"decoder_layer": ["norm-placement"], "multi_head_attention": ["norm-placement"]},
    ),
    (
        "gemma2",
        "Gemma2DecoderLayer",
        "touvron2023",
        {
            "decoder_layer": ["norm-placement"],
            "feed_forward": ["activation"],
            "attention": ["attention-attributes"],  # softcap
            "multi_head_attention": ["attention-attributes"],
        },
    ),
    ("cohere", "CohereDecoderLayer", "touvron2023", {"decoder_layer": ["parallel-sublayers", "norm-kind"]}),
    ("bart", "BartDecoderLayer", "vaswani2017#decoder_layer", {}),
    ("vit", "ViTLayer", "xiong2020#pre_ln", {}),
    ("vit", "ViTLayer", "xiong2020#post_ln", {"post_ln": ["norm-placement"]}),
]


@pytest.mark.parametrize(("model", "symbol", "spec", "expected"), OTHERS)
def test_what_a_layer_violates_of_another_paper(
    model: str, symbol: str, spec: str, expected: dict[str, list[str]]
) -> None:
    report = audit(RELEASE, target(model, symbol), spec)
    assert violated(report) == expected
    assert report.verdict is (VIOLATED if expected else HOLDS)
    for name in expected:
        for finding in claim(report, name).findings:
            assert finding.places
            assert finding.places[0].span.file.startswith("transformers/models/")


@pytest.mark.parametrize(("before", "verdict"), [("True", HOLDS), ("False", VIOLATED)])
def test_opt_by_its_flag(before: str, verdict: object) -> None:
    config = f"OPTConfig(do_layer_norm_before={before})"
    report = audit(RELEASE, target("opt", "OPTDecoderLayer"), "xiong2020#pre_ln", config=config)
    assert claim(report, "pre_ln").verdict is verdict
