from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from t2t_sources import one, sets

from archcheck.frontends.static.t2t import LayerCodes, layer_codes, order
from archcheck.ir.graph import Unknown


@pytest.mark.parametrize(
    ("pre", "post", "signature"),
    [
        ("none", "dan", "F d a n"),
        ("", "dan", "F d a n"),
        ("n", "da", "n F d a"),
        ("n", "dna", "n F d n a"),
        ("none", "none", "F"),
        ("", "", "F"),
        ("nd", "a", "n d F a"),
        ("", "dnz", "F d n s a"),
    ],
)
def test_codes_become_a_signature(pre: str, post: str, signature: str) -> None:
    assert order(pre, post) == signature


@given(st.text("nd", max_size=4), st.text("nda", max_size=4))
def test_every_letter_stands_once_and_in_its_place(pre: str, post: str) -> None:
    before, after = order(pre, post).split("F")
    assert (before.split(), after.split()) == (list(pre), list(post))


@pytest.mark.parametrize(("pre", "post"), [("a", "dan"), ("z", "da"), ("n", "dq"), ("None", "da")])
def test_codes_that_the_library_refuses_have_no_signature(pre: str, post: str) -> None:
    with pytest.raises(ValueError, match="layer code"):
        order(pre, post)
    codes = layer_codes(one(f"hp.layer_preprocess_sequence = {pre!r}\nhp.layer_postprocess_sequence = {post!r}"))
    assert isinstance(codes, LayerCodes)
    assert isinstance(codes.order, Unknown)


def test_codes_come_with_the_lines_that_set_them() -> None:
    codes = layer_codes(one("hp.layer_postprocess_sequence = 'da'"))
    assert isinstance(codes, LayerCodes)
    assert (codes.pre, codes.post, codes.order) == ("none", "da", "F d a")
    assert str(codes.pre_setting.span) == "zoo/layers/common.py:10:9"
    assert str(codes.post_setting.span) == "zoo/models/model.py:8:5"
    assert [step.function for step in codes.pre_setting.trail] == ["tried"]
    assert codes.post_setting.trail == ()


def test_absent_codes_are_said_to_be_absent() -> None:
    codes = layer_codes(sets("@registry.register_hparams\ndef tried(): return tf.HParams(norm_type='none')\n")["tried"])
    assert isinstance(codes, Unknown)
    assert "no layer codes" in codes.why


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("hp.layer_postprocess_sequence = tf.f()", "layer_postprocess_sequence is not known"),
        ("hp.layer_preprocess_sequence = 3", "is 3, not a layer code"),
        ("hp.del_hparam('layer_preprocess_sequence')", "has no layer_preprocess_sequence"),
        ("tf.change(hp)", "is not known"),
    ],
)
def test_codes_that_are_not_known_are_not_guessed(body: str, why: str) -> None:
    codes = layer_codes(one(body))
    assert isinstance(codes, Unknown)
    assert why in codes.why
