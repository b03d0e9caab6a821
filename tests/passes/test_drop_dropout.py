from __future__ import annotations

import pytest
from pass_asserts import assert_left, assert_pass, canonical, shown

from archcheck.passes import EVALUATED
from archcheck.passes.drop_dropout import DropDropout

PASS = DropDropout()


def test_readers_of_a_dropout_read_its_operand() -> None:
    assert_pass(
        PASS,
        """
        %x = input
        %f = self_attention %x
        %d = dropout %f p=0.1
        %s = stochastic_depth %d
        %a = add %x, %s
        norm %a
        """,
        """
        %x = input
        %f = self_attention %x
        %a = add %x, %f
        norm %a
        """,
    )


def test_a_dropout_that_is_given_gives_its_operand() -> None:
    assert_pass(PASS, "%x = input\nlinear %x\ndropout\n", "%x = input\nlinear %x\n")


def test_bodies_are_entered() -> None:
    assert_pass(
        PASS,
        """
        %x = input
        %r = residual %x:
          linear %x
          dropout
        norm %r
        """,
        """
        %x = input
        %r = residual %x:
          linear %x
        norm %r
        """,
    )


@pytest.mark.parametrize(
    "text",
    [
        "%x = input\nattention %x, %x, %x dropout=0.1\n",  # a rate is an attribute, and no op
        "%x = input\nrrelu %x\n",  # it computes something in eval mode
        "%x = input\n%r = residual %x:\n  dropout %x\nnorm %r\n",  # a body is never empty
    ],
)
def test_what_is_left_alone(text: str) -> None:
    assert_left(PASS, text)


def test_a_claim_with_dropout_becomes_that_without() -> None:
    """Wherever it stands: what later passes raise is what they raise of code in eval mode."""
    layer = """
    %x = input
    %n = layer_norm %x
    %q = linear %n
    %k = linear %n
    %v = linear %n
    %s = matmul %q, %k
    %w = softmax %s axis=-1
    %u = dropout %w
    %a = matmul %u, %v
    %o = linear %a
    %d = dropout %o
    %y = add %x, %d
    """
    bare = layer.replace("    %u = dropout %w\n", "").replace("    %d = dropout %o\n", "")
    bare = bare.replace("%u", "%w").replace("%d", "%o")
    assert shown(canonical(layer, EVALUATED)) == shown(canonical(bare))
