from __future__ import annotations

from pass_asserts import assert_left, assert_pass, canonical

from archcheck.ir.text import parse
from archcheck.passes.spell_projections import SpellProjections

PASS = SpellProjections()


def test_an_attention_with_projections_is_spelled_out() -> None:
    assert_pass(
        PASS,
        """
        %x = input
        %m = input
        attention %x, %x, %x, %m dropout=0.1 heads=8 out_features=512 projected=True projection_bias=True
        """,
        """
        %x = input
        %m = input
        %q = linear %x bias=True in_features=512 out_features=512
        %k = linear %x bias=True in_features=512 out_features=512
        %v = linear %x bias=True in_features=512 out_features=512
        %a = attention %q, %k, %v, %m dropout=0.1 head_dim=64 heads=8 kv_heads=8 projected=False scale=0.125
        linear %a bias=True in_features=512 out_features=512
        """,
    )


def test_keys_and_values_of_other_widths_and_weights_that_are_read() -> None:
    assert_pass(
        PASS,
        """
        %x = input
        %y = input
        %a = attention %x, %y, %y heads=2 key_features=6 out_features=4 projected=True value_features=5
        opaque %a, %a.1
        """,
        """
        %x = input
        %y = input
        %q = linear %x in_features=4 out_features=4
        %k = linear %y in_features=6 out_features=4
        %v = linear %y in_features=5 out_features=4
        %a = attention %q, %k, %v head_dim=2 heads=2 kv_heads=2 projected=False scale=0.7071067811865476
        %o = linear %a in_features=4 out_features=4
        opaque %o, %a.1
        """,
    )


def test_what_is_not_told_is_not_stated() -> None:
    assert_pass(
        PASS,
        "%x = input\nattention %x, %x, %x heads=8 projected=True\n",
        """
        %x = input
        %q = linear %x
        %k = linear %x
        %v = linear %x
        %a = attention %q, %k, %v heads=8 projected=False
        linear %a
        """,
    )


def test_keras_tells_the_size_of_a_head_and_not_the_width() -> None:
    found = PASS.run(
        parse("%x = input\nattention %x, %x, %x head_dim=16 heads=4 projected=True projection_bias=False\n")
    )
    query, key, value, attention, out = found.ops[1:]
    assert [op.attr("out_features") for op in (query, key)] == [64, 64]
    assert attention.attr("scale") == 0.25
    assert not any(op.states("out_features") for op in (value, out))  # `value_dim` and `output_shape` decide them
    assert all(op.attr("bias") is False for op in (query, key, value, out))


def test_learned_operands_tell_the_width_and_the_bias() -> None:
    found = canonical(
        """
        %x = input
        %w = parameter name="in_proj_weight" shape=(12, 4,)
        %b = parameter name="in_proj_bias" shape=(12,)
        %o = parameter name="out_proj.weight" shape=(4, 4,)
        %c = parameter name="out_proj.bias" shape=(4,)
        attention %x, %x, %x, %w, %b, %o, %c heads=2 projected=True
        """
    )
    (_, sublayer) = found.ops
    assert sublayer.kind.name == "self_attention"
    assert sublayer.attr("head_dim") == 2
    linears = [op for op in sublayer.body if op.kind.name == "linear"]
    assert [(op.attr("in_features"), op.attr("out_features"), op.attr("bias")) for op in linears] == [(4, 4, True)] * 4


def test_near_misses_are_left() -> None:
    assert_left(PASS, "%q = input\n%k = input\n%v = input\nattention %q, %k, %v heads=8\n")
    assert_left(PASS, "%q = input\nattention %q heads=8 projected=True\n")
    assert_left(
        PASS,
        """
        %x = input
        %w = parameter name="in_proj_weight" shape=(13, 4,)
        attention %x, %x, %x, %w heads=2 projected=True
        """,
    )
