from __future__ import annotations

import pytest
from pass_asserts import assert_left, assert_pass, canonical

from archcheck.ir.text import parse
from archcheck.passes.raise_pointwise import RaisePointwise, is_pointwise

PASS = RaisePointwise()


def test_a_1x1_convolution_behind_an_axis_that_was_put_in_is_a_linear() -> None:
    assert_pass(
        PASS,
        """
        %x = input
        reshape %x axis=2 form="unsqueeze"
        conv axes=2 bias=True channels_last=True dilation=(1, 1,) kernel=(1, 1,) out_features=8 padding="valid"
        reshape axis=2 form="squeeze"
        """,
        """
        %x = input
        %t = reshape %x axis=2 form="unsqueeze"
        %l = linear %t bias=True out_features=8:
          conv %t axes=2 bias=True channels_last=True dilation=(1, 1,) kernel=(1, 1,) out_features=8 padding="valid"
        reshape %l axis=2 form="squeeze"
        """,
    )


def test_a_feed_forward_of_one_dimensional_convolutions_is_two_linears() -> None:
    assert_pass(
        PASS,
        """
        %x = input
        permute %x axis=1 other_axis=2
        conv axes=1 in_features=4 kernel=1 out_features=16
        relu
        conv axes=1 in_features=16 kernel=1 out_features=4
        """,
        """
        %x = input
        %t = permute %x axis=1 other_axis=2
        %l = linear %t in_features=4 out_features=16:
          conv %t axes=1 in_features=4 kernel=1 out_features=16
        %r = relu %l
        linear %r in_features=16 out_features=4:
          conv %r axes=1 in_features=16 kernel=1 out_features=4
        """,
    )


def test_what_leads_to_scores_goes_over_tokens_even_in_an_image() -> None:
    found = canonical(
        """
        %x = input
        %n = group_norm %x groups=8
        %q = conv %n axes=2 kernel=1 out_features=8
        %k = conv %n axes=2 kernel=1 out_features=8
        %v = conv %n axes=2 kernel=1 out_features=8
        %a = reshape %q
        %b = reshape %k
        %c = reshape %v
        %s = matmul %a, %b transpose_b=True
        %p = softmax %s axis=-1
        %o = matmul %p, %c
        %r = reshape %o
        conv %r axes=2 kernel=1 out_features=8
        """
    )
    kinds = [op.kind.name for op in found.walk()]
    assert kinds.count("linear") == 4
    assert kinds.count("conv") == 4  # each within its linear


def test_an_attention_on_the_same_stream_tells_tokens() -> None:
    attention = "%a = attention %n, %n, %n\n%h = add %x, %a\n"
    feed_forward = "conv axes=2 kernel=1\nrelu\n%f = conv axes=2 kernel=1\nadd %h, %f\n"
    with_attention = PASS.run(parse("%x = input\n%n = layer_norm %x\n" + attention + "layer_norm %h\n" + feed_forward))
    assert [op.kind.name for op in with_attention.ops].count("linear") == 2
    without = parse("%x = input\n%p = pool %x\n%h = add %x, %p\nlayer_norm %h\n" + feed_forward)
    assert PASS.run(without) is without


@pytest.mark.parametrize(
    "ops",
    [
        # a bottleneck: statistics over positions on both sides
        "conv axes=2 kernel=1\nbatch_norm\nrelu\nconv axes=2 kernel=3\nbatch_norm\nconv axes=2 kernel=1\nbatch_norm\n",
        # the same without norms: a wide convolution next to it
        "conv axes=2 kernel=1\nrelu\nconv axes=2 kernel=3\nrelu\nconv axes=2 kernel=1\n",
        # depthwise, then pointwise, over images and over sequences
        "conv axes=2 kernel=3 groups=8\nrelu\nconv axes=2 kernel=1\nrelu\n",
        "conv axes=1 kernel=7 groups=8\nlayer_norm\nconv axes=1 kernel=1\ngelu\nconv axes=1 kernel=1\n",
        # squeeze and excitation
        '%p = pool mode="mean"\nconv axes=2 kernel=1\nrelu\nconv axes=2 kernel=1\n%s = sigmoid\nmul %x, %s\n',
        # images of which nothing is told
        "conv axes=2 kernel=1\nrelu\nconv axes=2 kernel=1\n",
    ],
)
def test_convolutional_networks_keep_their_1x1_convolutions(ops: str) -> None:
    assert_left(PASS, "%x = input\n" + ops)


@pytest.mark.parametrize(
    "attrs", ["kernel=3", "kernel=1 stride=2", "kernel=1 groups=4", "kernel=1 padding=1", "kernel=(1, 3,)", ""]
)
def test_a_convolution_that_does_more_than_map_channels_is_left(attrs: str) -> None:
    assert_left(PASS, f"%x = input\nconv %x axes=1 {attrs}\nlinear\n")


def test_padding_that_adds_nothing_does_not_matter() -> None:
    for padding in ('"same"', '"valid"', '"causal"', "0", "(0, 0,)"):
        (_, op) = parse(f"%x = input\nconv %x kernel=(1, 1,) padding={padding}\n").ops
        assert is_pointwise(op)
