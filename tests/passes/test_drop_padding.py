from __future__ import annotations

import pytest
from pass_asserts import assert_left, assert_pass, canonical

from archcheck.ir.text import parse
from archcheck.passes.drop_padding import DropPadding

PASS = DropPadding()


def test_padding_taken_away_around_a_feed_forward_is_no_part_of_it() -> None:
    assert_pass(
        PASS,
        """
        %x = input
        %m = input
        %i = nonzero %m
        %t = gather %x, %i coordinates=True
        %u = reshape %t axis=0 form="unsqueeze"
        %a = linear %u
        %r = relu %a
        %d = dropout %r
        %b = linear %d
        %s = reshape %b axis=0 form="squeeze"
        scatter %i, %s coordinates=True
        """,
        """
        %x = input
        %m = input
        %t = identity %x, %m:
          %i = nonzero %m
          %g = gather %x, %i coordinates=True
          give %g, %i
        %u = reshape %t axis=0 form="unsqueeze"
        %a = linear %u
        %r = relu %a
        %d = dropout %r
        %b = linear %d
        %s = reshape %b axis=0 form="squeeze"
        identity %s, %t.1:
          scatter %t.1, %s coordinates=True
        """,
    )


def test_an_index_that_several_layers_share_stays_outside() -> None:
    layer = "%t = gather %y, %i\n%l = linear %t\n%s = scatter %i, %l\n"
    found = PASS.run(
        parse("%x = input\n%m = input\n%i = nonzero %m\n%y = relu %x\n" + layer + layer.replace("%y", "%s"))
    )
    assert [op.kind.name for op in found.ops[2:]] == ["nonzero", "relu", *["identity", "linear", "identity"] * 2]


def test_a_gated_map_put_back_into_zeros() -> None:
    found = PASS.run(
        parse(
            """
            %x = input
            %m = input
            %z = constant value=0
            %n = nonzero %m
            %i = reshape %n form="flatten" axis=0
            %t = gather %x, %i axis=0 whole=True
            %g = linear %t
            %s = silu %g
            %h = linear %t
            %p = mul %s, %h
            %o = linear %p
            update %z, %o, %n axis=0
            """
        )
    )
    assert [op.kind.name for op in found.ops if op.body] == ["identity", "identity"]


def test_the_sublayer_is_the_same_with_and_without() -> None:
    bare = canonical("%x = input\nlinear %x\nrelu\nlinear\n")
    removed = canonical(
        "%x = input\n%m = input\n%i = nonzero %m\ngather %x, %i\nlinear\nrelu\n%o = linear\nscatter %i, %o\n"
    )
    kinds = [[op.kind.name for op in graph.walk() if op.kind.name in ("linear", "relu")] for graph in (bare, removed)]
    assert kinds[0] == kinds[1]


@pytest.mark.parametrize(
    "ops",
    [
        # what is between mixes tokens
        "%i = nonzero %m\n%t = gather %x, %i\n%a = attention %t, %t, %t\nscatter %i, %a\n",
        "%i = nonzero %m\n%t = gather %x, %i\n%c = conv %t kernel=3\nscatter %i, %c\n",
        "%i = nonzero %m\n%t = gather %x, %i\n%c = softmax %t axis=0\nscatter %i, %c\n",
        "%i = nonzero %m\n%t = gather %x, %i\n%c = reshape %t shape=(-1, 7,)\nscatter %i, %c\n",
        "%i = nonzero %m\n%t = gather %x, %i\n%c = batch_norm %t\nscatter %i, %c\n",
        # another index puts it back
        "%i = nonzero %m\n%j = nonzero %x\n%t = gather %x, %i\n%c = linear %t\nscatter %j, %c\n",
        # something else reads what has no padding
        "%i = nonzero %m\n%t = gather %x, %i\n%c = linear %t\n%o = scatter %i, %c\ngive %o, %t\n",
        # tokens that were not removed are read as well
        "%i = nonzero %m\n%t = gather %x, %i\n%c = linear %t\n%d = add %c, %m\nscatter %i, %d\n",
        # it is added to something
        "%i = nonzero %m\n%t = gather %x, %i\n%c = linear %t\nscatter %x, %i, %c\n",
        # experts: a choice decides which tokens
        "%r = linear %x\n%e = topk %r\n%i = nonzero %e\n%t = gather %x, %i\n%c = linear %t\nscatter %i, %c\n",
        "%r = linear %x\n%e = compare %r by=0\n%i = nonzero %e\n%t = gather %x, %i\n%c = linear %t\nscatter %i, %c\n",
        # an index of which nothing is told
        "%t = gather %x, %m\n%c = linear %t\nscatter %m, %c\n",
        # features are chosen, not tokens
        "%i = nonzero %m\n%t = gather %x, %i axis=-1\n%c = linear %t\nscatter %i, %c axis=-1\n",
    ],
)
def test_what_is_no_removal_of_padding_is_left(ops: str) -> None:
    assert_left(PASS, "%x = input\n%m = input\n" + ops)
