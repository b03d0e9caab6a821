from __future__ import annotations

import pytest
from pass_asserts import assert_left, assert_pass, canonical

from archcheck.passes.spell_rearrange import SpellRearrange

PASS = SpellRearrange()


def test_features_are_split_into_heads() -> None:
    assert_pass(
        PASS,
        """
        %x = input
        rearrange %x pattern="b n (h d) -> b h n d" sizes=(("h", 8,),)
        """,
        """
        %x = input
        reshape %x shape=(unknown('the size of the axis b'), unknown('the size of the axis n'), 8, -1,)
        permute axes=(0, 2, 1, 3,)
        """,
    )


def test_heads_are_joined() -> None:
    assert_pass(
        PASS,
        """
        %x = input
        rearrange %x pattern="b h n d -> b n (h d)"
        """,
        """
        %x = input
        permute %x axes=(0, 2, 1, 3,)
        reshape shape=(unknown('the size of the axes b'), unknown('the size of the axes n'), -1,)
        """,
    )


def test_two_groups_of_unknown_size_are_not_told() -> None:
    assert_pass(
        PASS,
        """
        %x = input
        rearrange %x pattern="(b n) (h d) -> b n h d" sizes=(("b", 2,), ("h", 4,),)
        """,
        """
        %x = input
        reshape %x shape=(2, unknown('the size of the axis n'), 4, unknown('the size of the axis d'),)
        """,
    )


def test_the_same_axes_are_the_value_itself() -> None:
    assert_pass(PASS, '%x = input\nrearrange %x pattern="b n d -> b n d"\nrelu\n', "%x = input\nrelu %x\n")


def test_a_fused_projection_in_a_pattern_is_three() -> None:
    found = canonical(
        """
        %x = input
        linear %x out_features=96
        rearrange pattern="b n (three h d) -> three b h n d" sizes=(("three", 3,), ("h", 4,),)
        %p = split axis=0 unbind=True
        %a = attention %p, %p.1, %p.2 layout="b h s d"
        rearrange %a pattern="b h n d -> b n (h d)"
        linear
        """
    )
    (_, sublayer) = found.ops
    assert sublayer.kind.name == "self_attention"
    assert [sublayer.attr(name) for name in ("heads", "head_dim", "scale")] == [4, 8, 8**-0.5]
    assert [op.attr("out_features") for op in sublayer.body if op.kind.name == "linear"] == [32, 32, 32, None]


@pytest.mark.parametrize(
    "attrs",
    [
        'pattern="... (h d) -> ... h d" sizes=(("h", 8,),)',
        'pattern="b n d -> b d" reduction="mean"',
        'pattern="b d -> b n d" repeats=True',
        'pattern="b d -> b 1 d"',
        'pattern="b () d -> b d"',
    ],
)
def test_what_is_no_pure_rearrangement_is_left(attrs: str) -> None:
    assert_left(PASS, f"%x = input\nrearrange %x {attrs}\n")
