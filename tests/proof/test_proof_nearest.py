from __future__ import annotations

import pytest
from proof_bodies import ANGLES, ATTENTIONS, ERF, FIRST, HALF_WHOLE, INPUTS, LAYER, RMS, SHARED, TURNED, X, nearest_of

from archcheck.proof import Outcome, explain

SQUARES = "%p = pow %x exponent=2\n%m = mean %p axis=-1\n"

NEAR = {
    "1 + weight": (RMS.replace("mul %n, %w", "mul %n, %v").replace("%o =", "%v = add %w by=1.0\n%o ="), "rms_norm"),
    "no mean taken off in the spread": (
        LAYER.replace("%p = mul %c, %c", "%p = mul %x, %x"),
        "layer_norm with the mean taken off above but not in the spread",
    ),
    "unbiased, eps outside": (
        "%m = mean %x axis=-1\n%c = sub %x, %m\n%v = std %x axis=-1 correction=1\n%e = add %v by=1e-6\ndiv %c, %e\n",
        "layer_norm with unbiased variance and eps outside the root",
    ),
    "eps as a bound": (SQUARES + "%e = clamp %m min=1e-6\n%r = rsqrt %e\nmul %x, %r\n", "rms_norm with eps as a bound"),
    "by the variance": (
        "%m = mean %x axis=-1\n%v = var %x axis=-1 correction=0\n%c = sub %x, %m\n%e = add %v by=1e-6\ndiv %c, %e\n",
        "layer_norm with the root missing",
    ),
    "another axis": (RMS.replace("axis=-1", "axis=-2"), "rms_norm with statistics over axis -2 for -1"),
    "an exponential of the weight": (
        RMS.replace("mul %n, %w", "mul %n, %v").replace("%o =", "%v = exp %w\n%o ="),
        "rms_norm with exp(weight)",
    ),
    "the factor sqrt(dim)": (
        SQUARES + '%e = add %m by=1e-6\n%r = rsqrt %e\n%n = mul %x, %r\n%w = parameter name="w" shape=(16,)\n'
        "%o = mul %n, %w\n%z = mul %o by=4.0\n",
        "rms_norm with a factor sqrt(dim) too many",
    ),
    "erf without the root of two": (ERF.replace("%d = div %x by=1.4142135623730951\n", "").replace("%d", "%x"), "gelu"),
    "a root to four digits": (ERF.replace("1.4142135623730951", "1.414"), "gelu (erf) with 1.414 for 1.414213562"),
    "another factor": (ERF.replace("1.4142135623730951", "1.5"), "gelu (erf) with the factor 0.666667 within"),
    "swish by another factor": ("%h = mul %x by=1.6\n%s = sigmoid %h\nmul %s, %x\n", "silu with beta = 1.6"),
    "a bound far out": (ERF + "clamp %o max=10.0\n", "gelu (erf), kept"),
    "the other sign": (
        "%n = neg %a\n%r = concat %b, %n axis=-1\n%p = mul %x, %c\n%q = mul %r, %s\n%z = add %p, %q\n",
        "rope with the opposite sign",
    ),
    "no sign": (
        "%r = concat %b, %a axis=-1\n%p = mul %x, %c\n%q = mul %r, %s\n%z = add %p, %q\n",
        "rope with both products added: no turn",
    ),
    "over queries": (
        TURNED + "%c = mul %s by=0.125\n%p = softmax %c axis=-2\nmatmul %p, %v\n",
        "attention with the softmax over the queries",
    ),
    "over heads": (
        TURNED + "%c = mul %s by=0.125\n%p = softmax %c axis=-3\nmatmul %p, %v\n",
        "attention with the softmax over the ",
    ),
    "no scale": (TURNED + "%p = softmax %s axis=-1\nmatmul %p, %v\n", "attention with no scale"),
    "the mask behind the softmax": (
        TURNED + "%c = mul %s by=0.125\n%p = softmax %c axis=-1\n%f = masked_fill %p, %m by=0\nmatmul %f, %v\n",
        "attention with the mask behind the softmax",
    ),
    "masked by zero": (
        TURNED + "%c = mul %s by=0.125\n%f = masked_fill %c, %m by=0\n%p = softmax %f axis=-1\nmatmul %p, %v\n",
        "attention with masked scores set to 0",
    ),
    "a mask that nobody reads": (
        TURNED + "%c = mul %s by=0.125\n%p = softmax %c axis=-1\nmatmul %p, %v\n",
        "attention with the mask missing",
    ),
}


def inputs_of(text: str) -> str:
    """The inputs that a chain needs before it."""
    if "softmax" in text:
        return INPUTS
    return ANGLES + FIRST if "%c\n" in text and "concat" in text else X


@pytest.mark.parametrize("name", NEAR)
def test_a_near_miss_is_named(name: str) -> None:
    text, is_ = NEAR[name]
    proof = nearest_of(inputs_of(text) + text)
    assert proof.outcome is Outcome.DIFFERS, explain(proof)
    assert proof.is_.startswith(is_)
    assert proof.near < 1e-3 * proof.error
    assert explain(proof).startswith("computes ")


def test_the_scale_of_an_attention_is_told() -> None:
    proof = nearest_of(INPUTS.rpartition("%m")[0] + ATTENTIONS["scaled scores"])
    assert (proof.outcome, proof.is_) == (Outcome.CONFIRMED, "attention with the scale 0.125")


def test_heads_that_share_keys_stand_side_by_side() -> None:
    queries = INPUTS.rpartition("%m")[0]
    assert nearest_of(queries + SHARED).outcome is Outcome.CONFIRMED
    proof = nearest_of(queries + SHARED.replace("repeats=4 axis=1 interleaved=True", "repeats=(1,4,1,1,)"))
    assert proof.outcome is not Outcome.CONFIRMED
    proof = nearest_of(queries + SHARED.replace(" interleaved=True", ""))
    assert proof.outcome is not Outcome.CONFIRMED  # of three axes it repeats keys, which changes nothing


def test_the_sentence_about_a_near_miss() -> None:
    text = explain(nearest_of(X + NEAR["1 + weight"][0]))
    assert text.startswith("computes RMSNorm with 1 + weight: equal to it within ")
    assert " on 3 random draws; the textbook RMSNorm differs by up to " in text


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("rms_norm", X + RMS),
        ("layer_norm", X + LAYER),
        ("gelu", X + ERF),
        ("rope", ANGLES + HALF_WHOLE),
        ("softmax", X + "%e = exp %x\n%s = sum %e axis=-1\ndiv %e, %s\n"),
        ("attention", INPUTS.rpartition("%m")[0] + ATTENTIONS["scaled scores"]),
    ],
)
def test_a_formula_of_the_textbook_is_confirmed_under_its_kind(kind: str, text: str) -> None:
    proof = nearest_of(text)
    assert (proof.kind, proof.outcome) == (kind, Outcome.CONFIRMED)


@pytest.mark.parametrize(
    "text",
    [
        X + "%m = mean %x axis=-1\n%v = std %x axis=-1\n%c = add %x, %m\ndiv %c, %v\n",
        X + "%s = sin %x\nmul %x, %s\n",
        INPUTS + "%s = matmul %q, %k transpose_b=True\n%p = sigmoid %s\nmatmul %p, %v\n",
        X + "%t = tensor_function %x function='median'\nsub %x, %t\n",
    ],
)
def test_what_has_no_name_gets_none(text: str) -> None:
    proof = nearest_of(text)
    assert proof.outcome is Outcome.NOT_PROVED
    assert proof.why
