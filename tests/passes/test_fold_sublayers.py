from __future__ import annotations

import pytest
from blocks_in_text import Writer
from pass_asserts import assert_left, assert_pass, canonical, signatures

from archcheck.align.agree import attributes
from archcheck.align.edits import EditKind
from archcheck.ir.graph import Op
from archcheck.ir.text import parse
from archcheck.passes.fold_sublayers import FoldSublayers

PASS = FoldSublayers()


def core(write: Writer) -> Op:
    """The only sublayer of a graph."""
    (found,) = [op for op in canonical(write.text()).walk() if op.kind.family == "sublayer"]
    return found


def test_norm_and_dropout_are_peeled_off_a_branch() -> None:
    assert_pass(
        PASS,
        """
        %x = input
        residual %x:
          layer_norm %x
          linear
          relu
          linear
          dropout
        """,
        """
        %x = input
        residual %x:
          layer_norm %x
          feed_forward activation="relu" gated=False:
            linear
            relu
            linear
          dropout
        """,
    )


def test_a_sublayer_states_the_sink_and_the_axis_of_its_attention() -> None:
    found = canonical(
        """
        %x = input
        %q = linear %x
        %k = linear %x
        %v = linear %x
        %a = attention %q, %k, %v axis=-2 sink=True
        %o = linear %a
        add %x, %o
        """
    )
    (sublayer,) = [op for op in found.walk() if op.kind.family == "sublayer"]
    assert sublayer.kind.name == "self_attention"
    assert (sublayer.attr("axis"), sublayer.attr("sink")) == (-2, True)
    (claimed,) = [op for op in parse("%x = input\nself_attention %x\n").ops if op.reads]
    assert [edit.aspect for edit in attributes(claimed, sublayer)] == ["attr:axis"]  # attention weighs keys
    (claimed,) = [op for op in parse("%x = input\nself_attention %x sink=False\n").ops if op.reads]
    edits = list(attributes(claimed, sublayer))
    assert {edit.aspect for edit in edits} == {"attr:axis", "attr:sink"}
    assert {edit.kind for edit in edits} == {EditKind.CHANGED}


@pytest.mark.parametrize(("by", "signature"), [("0.0", "F d a"), ("1.0", "F a")])
def test_zeros_for_masked_tokens_hide_no_dropout(by: str, signature: str) -> None:
    text = f"""
        %x = input
        %mask = input
        residual %x, %mask:
          %1 = linear %x
          %2 = relu %1
          %3 = linear %2
          %4 = dropout %3
          masked_fill %4, %mask by={by}
        """
    assert signatures(text) == [f"ffn: {signature}"]


def test_a_feed_forward_without_a_residual_is_found() -> None:
    assert_pass(
        PASS,
        "%x = input\nlinear in_features=512 out_features=2048\nrelu\ndropout\n"
        "linear in_features=2048 out_features=512\n",
        """
        %x = input
        feed_forward activation="relu" d_ff=2048 d_model=512 gated=False:
          linear %x in_features=512 out_features=2048
          relu
          dropout
          linear in_features=2048 out_features=512
        """,
    )


def test_a_norm_in_front_of_it_stays_outside() -> None:
    write = Writer()
    write.feed_forward(write.norm("%x"))
    assert signatures(write.text()) == ["ffn: n F"]


def test_kernels_of_one_are_linear_maps() -> None:
    write = Writer()
    hidden = write.op("relu", write.op("conv", "%x", attrs="kernel=(1, 1,) out_features=2048"))
    write.norm(write.add("%x", write.op("conv", hidden, attrs="kernel=(1, 1,) out_features=512")))
    found = core(write)
    assert (found.kind.name, found.attr("d_ff"), found.attr("d_model")) == ("feed_forward", 2048, 512)


def test_a_gated_feed_forward_says_so() -> None:
    write = Writer()
    write.add("%x", write.gated(write.norm("%x")))
    assert (core(write).attr("gated"), core(write).attr("activation")) == (True, "silu")


def test_keys_from_another_tensor_are_cross_attention() -> None:
    write = Writer()
    memory = write.op("input", attrs='name="memory"')
    write.add("%x", write.attention(write.norm("%x"), memory))
    assert core(write).kind.name == "cross_attention"


@pytest.mark.parametrize("other", [False, True])
def test_windows_that_are_cut_alike_attend_to_themselves(other: bool) -> None:
    """Queries of one window and keys of the next are of different tokens: as where they come from elsewhere."""
    write = Writer()
    x = write.norm("%x")
    parts = [write.op("split", write.op("linear", x), attrs="size=16 axis=1") for _ in range(3)]
    windows = []
    for at in ("", ".1"):
        keys = (".1" if at == "" else "") if other else at
        windows.append(write.op("attention", parts[0] + at, parts[1] + keys, parts[2] + keys))
    write.op("linear", write.op("concat", *windows, attrs="axis=1"))
    found = {op.kind.name for op in canonical(write.text()).walk() if op.kind.family == "sublayer"}
    assert found == {"cross_attention" if other else "self_attention"}


def test_normalised_queries_and_keys_are_said() -> None:
    write = Writer()
    q, k, v = (write.op("linear", "%x") for _ in range(3))
    weighed = write.op("attention", write.op("rms_norm", q), write.op("rms_norm", k), v)
    write.add("%x", write.op("linear", weighed))
    assert core(write).attr("qk_norm") is True


def test_an_attention_that_holds_its_projections_is_the_same_sublayer() -> None:
    write = Writer()
    write.norm(write.add("%x", write.op("attention", "%x", "%x", "%x", attrs="heads=8 projected=True")))
    assert (core(write).kind.name, core(write).attr("heads")) == ("self_attention", 8)


def test_what_is_nearest_in_a_codebook_is_no_expert() -> None:
    """Vector quantisation (van den Oord et al., 2017): a choice without probabilities."""
    write = Writer()
    x = write.op("linear", write.norm("%x"))
    chosen = write.op("argmax", write.op("matmul", x, write.op("linear", x)))
    looked_up = write.op("gather", x, chosen)
    write.add("%x", write.op("linear", looked_up))
    assert core(write).kind.name != "moe"


@pytest.mark.parametrize(("cross", "kind"), [(False, "self_attention"), (True, "cross_attention")])
def test_values_sampled_where_the_query_says_are_attended_to(cross: bool, kind: str) -> None:
    """Deformable attention (Zhu et al., 2021, section 4.1): places and weights are linear maps of the query."""
    write = Writer()
    values = write.op("input") if cross else "%x"
    weights = write.op("softmax", write.op("linear", "%x"), attrs="axis=-1")
    sampled = write.op("grid_sample", write.op("linear", values), write.op("linear", "%x"))
    summed = write.op("sum", write.op("mul", sampled, weights), attrs="axis=-1")
    write.norm(write.add("%x", write.op("linear", summed)))
    assert core(write).kind.name == kind


def test_experts_chosen_for_tokens_with_one_that_all_share_are_one_sublayer() -> None:
    write = Writer()
    x = write.norm("%x")
    scores = write.op("softmax", write.op("linear", x, attrs="out_features=8"), attrs="axis=-1")
    chosen = write.op("topk", scores, attrs="k=2")
    mask = write.op("one_hot", f"{chosen}.1", attrs="classes=9")  # one more stands for none
    routed = write.op("scatter", x, mask, write.feed_forward(write.op("gather", x, mask)))
    write.add("%x", write.add(routed, write.feed_forward(x)))
    found = core(write)
    assert (found.kind.name, found.attr("experts"), found.attr("k")) == ("moe", 8, 2)


@pytest.mark.parametrize(
    ("ops", "kind"),
    [
        ("%b = conv %x kernel=7\n%c = linear %b\n%d = gelu %c\n%f = linear %d\n", "convolution"),
        ("%b = linear %x\n%c = conv %b kernel=3\n%d = gelu %c\n%f = linear %d\n", "feed_forward"),
        ("%b = linear %x\n%c = softplus %b\n%d = exp %c\n%e = cumsum %d axis=1\n%f = linear %e\n", "ssm"),
        ("%b = linear %x\n%f = selective_scan %b\n", "ssm"),
        ("%b = linear %x\n%f = lstm %b units=512\n", "recurrence"),
        ("%b = linear %x\n%f = linear %b\n", "branch"),
        ("%b = linear %x\n%f = opaque %b name='kernel' why='compiled'\n", "branch"),
        ("%b = linear %x\n%c = opaque %b name='act' why='compiled'\n%f = linear %c\n", "feed_forward"),
        ("%b = fft %x\n%f = real %b\n", "branch"),
        ("%f = attention %x, %x, %x\n", "self_attention"),
    ],
)
def test_a_core_is_named_by_what_it_computes(ops: str, kind: str) -> None:
    (found,) = [op for op in canonical(f"%x = input\n{ops}add %x, %f\n").walk() if op.kind.family == "sublayer"]
    assert found.kind.name == kind


def test_an_activation_that_could_not_be_read_is_unknown() -> None:
    found = canonical(
        "%x = input\n%b = linear %x\n%c = opaque %b name='act' why='compiled'\n%f = linear %c\nadd %x, %f\n"
    )
    assert "activation=unknown('act could not be read')" in str(_printed(found.ops[1].body))


def _printed(ops: tuple[Op, ...]) -> list[str]:
    from archcheck.ir.graph import OpGraph, Value
    from archcheck.ir.ops import BY_NAME
    from archcheck.ir.text import dump

    outside = [Op(value.op, BY_NAME["input"]) for op in ops for value in op.reads if value == Value(value.op)]
    return dump(OpGraph((*{op.path: op for op in outside}.values(), *ops)), places=False).splitlines()


@pytest.mark.parametrize(
    ("why", "ops"),
    [
        ("a claim that names its sublayers", "residual %x:\n  layer_norm %x\n  self_attention\n  dropout\n"),
        ("a paper's own word", "residual %x:\n  function name='mixer'\n"),
        ("an op that could not be read", "residual %x:\n  opaque name='kernel'\n"),
        ("attention as an equation gives it", "%k = input\n%v = input\nattention %x, %k, %v\n"),
        ("one map", "linear\nrelu\n"),
        ("no activation", "linear\nlinear\n"),
    ],
)
def test_what_has_a_name_or_deserves_none_is_left(why: str, ops: str) -> None:
    assert_left(PASS, "%x = input\n" + ops)


@pytest.mark.parametrize(
    ("first", "second", "between", "kind"),
    [
        ("in_features=64 out_features=256", "in_features=256 out_features=64", "relu", "feed_forward"),
        ("in_features=64 out_features=64", "in_features=64 out_features=64", "relu", "convolution"),
        ("in_features=64 out_features=256 groups=2", "in_features=256 out_features=64", "relu", "convolution"),
        ("in_features=64 out_features=256 stride=2", "in_features=256 out_features=64", "relu", "convolution"),
        ("in_features=64 out_features=256", "in_features=256 out_features=64", "layer_norm", "convolution"),
        ("in_features=64 out_features=256", "in_features=256 out_features=32", "relu", "convolution"),
    ],
)
def test_two_convolutions_over_tokens_to_a_wider_layer_and_back_are_a_feed_forward(
    first: str, second: str, between: str, kind: str
) -> None:
    text = f"%x = input\n%b = conv %x kernel=3 axes=1 {first}\n%c = {between} %b\n"
    text += f"%f = conv %c kernel=3 axes=1 {second}\nadd %x, %f\n"
    (found,) = [op for op in canonical(text).walk() if op.kind.family == "sublayer"]
    assert found.kind.name == kind


def test_a_norm_of_queries_keys_and_values_together_is_no_qk_norm() -> None:
    """As in a convolution with batch norm that gives all three."""
    write = Writer()
    cut = write.op("split", write.op("batch_norm", write.op("linear", "%x")), attrs="axis=-1 sections=3")
    scores = write.op("matmul", cut, f"{cut}.1", attrs="transpose_b=True")
    attended = write.op("matmul", write.op("softmax", scores, attrs="axis=-1"), f"{cut}.2")
    write.add("%x", write.op("linear", attended))
    assert (core(write).kind.name, core(write).attr("qk_norm")) == ("self_attention", None)
