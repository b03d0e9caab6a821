"""tensor2tensor as released: the order of Figure 1 until 1.2.4, the other one from 1.2.5 on."""

from __future__ import annotations

import ast

import pytest
from packages import unpacked
from released_code import HOLDS, UNDETERMINED, VIOLATED, audit, claim, describe, violated

from archcheck.findings import Report

pytestmark = pytest.mark.packages

MODEL, COMMON = "tensor2tensor/models/transformer.py", "tensor2tensor/layers/common_hparams.py"
POST, PRE = "F d a n", "n F d a"
KINDS = {
    "encoder_layer": ("self_attention", "ffn"),
    "decoder_layer": ("self_attention", "cross_attention", "ffn"),
}

# Until 1.1.6 the order is a closure inside the model, which holds both stacks; from then on each stack is a function.
MODELS = ["1.0.1", "1.0.14", "1.1.6"]
STACKS = {"encoder_layer": "transformer_encoder", "decoder_layer": "transformer_decoder"}
POST_STACKS, PRE_STACKS = ["1.1.7", "1.2.4"], ["1.2.5", "1.2.9", "1.4.2", "1.15.7"]

POST_TARGETS = [(version, "Transformer", block, "transformer_base()") for version in MODELS for block in KINDS]
POST_TARGETS += [(version, STACKS[block], block, "transformer_base()") for version in POST_STACKS for block in KINDS]
POST_TARGETS += [(version, STACKS[block], block, "transformer_base_v1()") for version in PRE_STACKS for block in KINDS]
PRE_TARGETS = [(version, STACKS[block], block) for version in PRE_STACKS for block in KINDS]


def report(version: str, symbol: str, spec: str, hparams: str) -> Report:
    return audit(f"tensor2tensor=={version}", f"{MODEL}:{symbol}", spec, hparams=hparams)


def signature(block: str, order: str) -> str:
    return "; ".join(f"{kind}: {order}" for kind in KINDS[block])


@pytest.mark.parametrize(("version", "symbol", "block", "hparams"), POST_TARGETS)
def test_the_papers_order_holds(version: str, symbol: str, block: str, hparams: str) -> None:
    found = report(version, symbol, f"vaswani2017#{block}", hparams)
    order = claim(found, block)
    assert (order.verdict, order.findings) == (HOLDS, ())
    assert [(bound.signature, bound.repeat) for bound in order.bound] == [(signature(block, POST), 6)]
    assert claim(found, f"{block}.repeat").verdict is HOLDS
    assert found.verdict is HOLDS
    assert [(reading.reading, reading.verdict) for reading in found.default.readings] == [("norm-then-add", VIOLATED)]


# Where the function that makes `transformer_base` sets the codes, and the functions that led there. In 1.2.5 the
# default became that of "v2"; from 1.10 on a "v3" stands between.
TRAILS = {
    "1.2.5": ["transformer_base", "transformer_base_v2"],
    "1.2.9": ["transformer_base", "transformer_base_v2"],
    "1.4.2": ["transformer_base", "transformer_base_v2"],
    "1.15.7": ["transformer_base", "transformer_base_v3", "transformer_base_v2"],
}
SET = {
    "layer_preprocess_sequence": 'hparams.layer_preprocess_sequence = "n"',
    "layer_postprocess_sequence": 'hparams.layer_postprocess_sequence = "da"',
}


@pytest.mark.parametrize(("version", "symbol", "block"), PRE_TARGETS)
def test_the_norm_stands_before_the_sublayer_from_1_2_5_on(version: str, symbol: str, block: str) -> None:
    found = report(version, symbol, f"vaswani2017#{block}", "transformer_base()")
    order = claim(found, block)
    assert (found.verdict, order.verdict) == (VIOLATED, VIOLATED)
    assert [(bound.signature, bound.repeat) for bound in order.bound] == [(signature(block, PRE), 6)]
    assert order.bound[0].span is not None
    defined = "layers/transformer_layers.py" if (version, symbol) == ("1.15.7", "transformer_encoder") else "models"
    assert defined in order.bound[0].span.file

    (finding,) = order.findings
    assert (finding.rule, finding.verdict) == ("norm-placement", VIOLATED)
    assert finding.message.startswith("the norm moved from after the residual add to before the sublayer")
    assert "pre-norm" in finding.code
    assert "post-norm" in finding.paper
    assert finding.fix

    # What a reader is sent to first are the lines that set the codes, not the class nor the norm.
    places = finding.places[: len(SET)]
    assert [(place.span.file, place.text.strip()) for place in places] == [(MODEL, line) for line in SET.values()]
    text = (unpacked(f"tensor2tensor=={version}") / MODEL).read_text(encoding="utf-8").splitlines()
    assert [text[place.span.line - 1] for place in places] == [place.text for place in places]
    trails = {setting.name: [step.function for step in setting.trail] for setting in finding.trail}
    for name in SET:
        assert trails[f"hparams.{name}"] == TRAILS[version]

    assert [(reading.reading, reading.verdict) for reading in found.default.readings] == [("norm-then-add", HOLDS)]
    assert ("LayerNorm(x + Sublayer(x))" if block == "encoder_layer" else "inserts a third sub-layer") in order.quote


# ---- the paper as a whole: each claim that is called violated, and why that is true


@pytest.mark.parametrize("version", MODELS)
def test_no_claim_of_the_paper_is_called_violated_in_the_first_releases(version: str) -> None:
    found = report(version, "Transformer", "vaswani2017", "transformer_base()")
    assert violated(found) == {}
    assert found.verdict is HOLDS
    # `residual_fn` normalises sums only, and nothing stands behind the last one.
    assert claim(found, "no-final-norm").verdict is HOLDS
    assert claim(found, "masked-decoder").verdict is HOLDS  # attention_bias_lower_triangle
    assert claim(found, "dropout-rate").verdict is HOLDS  # residual_dropout=0.1


WHOLE_POST = [(version, symbol, "transformer_base()") for version in POST_STACKS for symbol in STACKS.values()]
WHOLE_POST += [(version, symbol, "transformer_base_v1()") for version in PRE_STACKS for symbol in STACKS.values()]


@pytest.mark.parametrize(("version", "symbol", "hparams"), WHOLE_POST)
def test_no_claim_of_the_paper_is_called_violated_where_its_order_stays(
    version: str, symbol: str, hparams: str
) -> None:
    found = report(version, symbol, "vaswani2017", hparams)
    assert violated(found) == {}
    assert found.verdict is HOLDS


@pytest.mark.parametrize(("version", "symbol", "block"), PRE_TARGETS)
def test_what_the_paper_as_a_whole_finds_from_1_2_5_on(version: str, symbol: str, block: str) -> None:
    found = report(version, symbol, "vaswani2017", "transformer_base()")
    # The order; and the norm behind the last layer, which both stacks end in: `layer_preprocess(x, hparams)`, with "if
    # normalization is done in layer_preprocess, then it should also be done on the output" above it. Figure 1 has none.
    assert violated(found) == {block: ["norm-placement"], "no-final-norm": ["extra"]}
    extra = next(finding for finding in claim(found, "no-final-norm").findings if finding.rule == "extra")
    assert "layer norm" in extra.message
    assert extra.places
    assert claim(found, "feed_forward").verdict is HOLDS


@pytest.mark.parametrize(("version", "symbol", "block"), PRE_TARGETS)
def test_what_one_stack_does_not_hold_is_not_judged(version: str, symbol: str, block: str) -> None:
    found = report(version, symbol, "vaswani2017", "transformer_base()")
    other = "decoder_layer" if block == "encoder_layer" else "encoder_layer"
    assert claim(found, other).verdict is UNDETERMINED
    assert claim(found, f"{other}.repeat").verdict is UNDETERMINED
    assert claim(found, "tied-embeddings").verdict is UNDETERMINED


# ---- every registered set

# The sets that do not have the order of most, in each release.
ORDERS: dict[str, tuple[str, dict[str, str]]] = {
    "1.0.1": (POST, {}),
    "1.0.14": (POST, {}),
    "1.1.6": (POST, {}),
    "1.1.7": (POST, {"transformer_n_da": PRE, "transformer_n_da_l10": PRE}),
    "1.2.4": (POST, {"transformer_n_da": PRE, "transformer_n_da_l10": PRE}),
    "1.2.5": (PRE, {"transformer_base_v1": POST}),
    "1.2.9": (PRE, {"transformer_base_v1": POST, "transformer_prepend_v1": POST}),
    "1.4.2": (PRE, {"transformer_base_v1": POST, "transformer_prepend_v1": POST}),
    "1.15.7": (
        PRE,
        dict.fromkeys(
            (
                "transformer_base_v1",
                "transformer_prepend_v1",
                "transformer_base_vq_ada_32ex_packed",
                "transformer_topk_16_packed",
                "transformer_base_vq1_16_nb1_packed_dan_b01_scales",
                "transformer_ada_lmpackedbase",
                "transformer_ada_lmpackedbase_dialog",
                "transformer_ada_lmpackedbase_relative",
            ),
            POST,
        ),
    ),
}


@pytest.mark.parametrize("version", sorted(ORDERS))
def test_every_registered_set_is_listed_with_its_order(version: str) -> None:
    listed = describe(f"tensor2tensor=={version}", MODEL).hparams
    text = (unpacked(f"tensor2tensor=={version}") / MODEL).read_text(encoding="utf-8")
    assert [one.function for one in listed] == decorated(text)
    most, others = ORDERS[version]
    assert {one.name: one.order for one in listed} == {one.name: others.get(one.name, most) for one in listed}
    assert set(others) <= {one.name for one in listed}
    assert len({one.name for one in listed}) == len(listed)
    assert [one.name for one in listed if one.why] == []
    coded = version not in MODELS
    assert {bool(one.post and one.set_at) for one in listed} == {coded}


def decorated(text: str) -> list[str]:
    """The functions that a file registers as hparams sets, in its order."""
    return [
        node.name
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef)
        and any(ast.unparse(each).split("(")[0] == "registry.register_hparams" for each in node.decorator_list)
    ]


def test_the_codes_are_shown_as_they_stand() -> None:
    listed = {one.name: one for one in describe("tensor2tensor==1.2.4", MODEL).hparams}
    assert (listed["transformer_base"].pre, listed["transformer_base"].post) == ("none", "dan")
    assert {place.partition(":")[0] for place in listed["transformer_base"].set_at} == {COMMON.rpartition("/")[2]}
    assert (listed["transformer_n_da"].pre, listed["transformer_n_da"].post) == ("n", "da")
    assert {place.partition(":")[0] for place in listed["transformer_n_da"].set_at} == {MODEL.rpartition("/")[2]}
