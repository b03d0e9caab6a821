"""mesh-tensorflow: axes are found by name, and a model is what gin files make of it."""

from __future__ import annotations

import pytest
from evaluator_sources import Sources, ops

TOP = """
import mesh_tensorflow as mtf
import tensorflow.compat.v1 as tf

BATCH, LENGTH, MODEL = mtf.Dimension("batch", 2), mtf.Dimension("length", 5), mtf.Dimension("model", 8)
HEADS, KEY = mtf.Dimension("heads", 2), mtf.Dimension("key", 4)


def given(x, *dims):
    return mtf.import_tf_tensor(None, x, mtf.Shape(list(dims)))


def weight(name, *dims):
    return mtf.get_variable(None, name, mtf.Shape(list(dims)))

"""


def test_a_reduction_and_what_it_is_multiplied_with_keep_their_axes(sources: Sources) -> None:
    text = """
    def f(x):
        x = given(x, BATCH, LENGTH, MODEL)
        scale = weight("scale", MODEL)
        variance = mtf.reduce_mean(mtf.square(x), reduced_dim=MODEL)
        return x * mtf.rsqrt(variance + 1e-6) * scale
    """
    assert sources.computes(text, top=TOP).splitlines() == [
        "%1 = parameter name='scale' shape=(8,)",
        "%2 = pow %0 exponent=2",
        "%3 = mean %2 axis=-1",
        "%4 = add %3 by=1e-06",
        "%5 = rsqrt %4",
        "%6 = mul %0, %5",
        "%7 = mul %6, %1",
    ]


def test_an_einsum_is_spelled_by_the_names_of_its_axes(sources: Sources) -> None:
    text = """
    def f(x):
        x = given(x, BATCH, LENGTH, MODEL)
        q = mtf.einsum([x, weight("q", MODEL, HEADS, KEY)], reduced_dims=[MODEL])
        m = mtf.rename_dimension(x, "length", "memory")
        k = mtf.einsum([m, weight("k", MODEL, HEADS, KEY)], reduced_dims=[MODEL])
        memory = mtf.Dimension("memory", 5)
        w = mtf.softmax(mtf.einsum([q, k], reduced_dims=[KEY]), memory)
        return mtf.einsum([w, k], output_shape=q.shape)
    """
    found = sources.computes(text, top=TOP).splitlines()
    equations = [line.partition("equation=")[2] for line in found if "equation" in line]
    assert equations == ["'abc,cde->abde'", "'abc,cde->abde'", "'abcd,aecd->abce'", "'abcd,adce->abce'"]
    assert "softmax %5 axis=-1" in "\n".join(found)


def test_axes_in_another_order_are_brought_into_it(sources: Sources) -> None:
    text = """
    def f(x, y):
        return given(x, BATCH, LENGTH, MODEL) + given(y, MODEL, BATCH)
    """
    found = sources.computes(text, top=TOP).splitlines()
    assert [line.partition(" = ")[2] for line in found] == [
        "permute %1 axes=(1,0,)",
        "reshape %2 axis=1 form='unsqueeze'",
        "add %0, %3",
    ]


def test_axes_that_only_one_of_two_has_stand_behind(sources: Sources) -> None:
    text = """
    def f(x, y):
        return given(x, LENGTH) - given(y, BATCH)
    """
    found = sources.computes(text, top=TOP).splitlines()
    assert [line.partition(" = ")[2] for line in found] == ["reshape %0 axis=1 form='unsqueeze'", "sub %2, %1"]


def test_heads_are_axes_of_their_own(sources: Sources) -> None:
    text = """
    def f(x):
        return mtf.replace_dimensions(given(x, BATCH, LENGTH, MODEL), MODEL, [HEADS, KEY])
    """
    assert sources.computes(text, top=TOP) == "%1 = reshape %0 shape=(2,5,2,4,)"


def test_dropout_shares_its_mask_along_axes_that_its_noise_lacks(sources: Sources) -> None:
    text = """
    def f(x):
        x = given(x, BATCH, LENGTH, MODEL)
        return mtf.dropout(x, True, keep_prob=1.0 - 0.1, noise_shape=x.shape - LENGTH)
    """
    assert sources.computes(text, top=TOP) == "%1 = dropout %0 axes=(-2,) p=0.1"


@pytest.mark.parametrize(("keep", "training"), [("1.0", "True"), ("0.9", "False")])
def test_a_dropout_that_drops_nothing_is_none(sources: Sources, keep: str, training: str) -> None:
    text = f"""
    def f(x):
        x = given(x, BATCH, LENGTH)
        return mtf.dropout(x, {training}, keep_prob={keep}) * 2
    """
    assert sources.computes(text, top=TOP) == "%1 = mul %0 by=2"


def test_a_table_is_an_embedding_where_its_rows_are_taken(sources: Sources) -> None:
    text = """
    def f(ids):
        vocab = mtf.Dimension("vocab", 11)
        return mtf.gather(weight("table", vocab, MODEL), given(ids, BATCH, LENGTH), vocab)
    """
    assert "embedding %1, %0" in sources.computes(text, top=TOP)


def test_a_table_of_biases_takes_its_other_axes_behind(sources: Sources) -> None:
    text = """
    def f(ids):
        buckets = mtf.Dimension("buckets", 32)
        return mtf.gather(weight("bias", HEADS, buckets), given(ids, LENGTH, MODEL), buckets)
    """
    found = sources.computes(text, top=TOP)
    assert "gather %1, %0 axis=1" in found
    assert "permute %2 axes=(1,2,0,)" in found


def test_gelu_is_the_one_with_the_tanh(sources: Sources) -> None:
    text = """
    def f(x):
        return getattr(mtf, "gelu")(given(x, BATCH, MODEL))
    """
    assert sources.computes(text, top=TOP) == "%1 = gelu %0 approximate='tanh'"


def test_a_mode_is_no_other_word(sources: Sources) -> None:
    text = """
    def f(x):
        x = given(x, BATCH, MODEL)
        if tf.estimator.ModeKeys.TRAIN == "incremental":
            x = mtf.relu(x)
        return mtf.tanh(x)
    """
    assert sources.computes(text, top=TOP) == "%1 = tanh %0"


def test_what_no_table_lists_is_not_passed_over(sources: Sources) -> None:
    text = """
    def f(x):
        return mtf.halo_exchange(given(x, BATCH, MODEL), BATCH, MODEL, 1) * 2
    """
    [variant] = sources.read(text, top=TOP).variants
    assert variant.error or "opaque" in ops(variant)


# ---- what gin files build of the released package


@pytest.mark.packages
@pytest.mark.parametrize(
    ("file", "activation", "gated", "signature"),
    [("bi_v1", "relu", False, "n F d a"), ("t5.1.1.base", "gelu_tanh", True, "n F a")],
)
@pytest.mark.parametrize("training", [True, False])
def test_t5(file: str, activation: str, gated: bool, signature: str, training: bool) -> None:
    from packages import unpacked

    from archcheck.pipeline import describe
    from archcheck.sweep import Request

    mesh = unpacked("mesh-tensorflow==0.1.21") / "mesh_tensorflow" / "transformer"
    gin = (str(mesh / "gin" / "defaults.gin"), str(unpacked("t5==0.9.4") / f"t5/models/gin/models/{file}.gin"))
    sizes = {"input_vocab_size": "32128", "output_vocab_size": "32128"}
    target = f"{mesh}/transformer.py:make_bitransformer"
    [found] = describe(Request(target, sizes, training, explore=False, gin=gin))
    picture = found.default
    signature = signature if training else "n F a"
    rows = [[(one.kind, one.signature, one.norm) for one in region.sublayers] for region in picture.layers]
    attention, ffn = ("self_attention", signature, "rms_norm"), ("ffn", signature, "rms_norm")
    assert rows == [[attention, ffn], [attention, ("cross_attention", signature, "rms_norm"), ffn]]
    facts = {fact.name: fact.value for fact in picture.facts}
    assert (facts["activation"], facts["ffn_gated"], facts["positions"]) == (activation, gated, "relative_bias")
    assert (facts["final_norm"], facts["attention"]) == (True, "mha")
