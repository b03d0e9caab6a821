"""Heads that are stacked parts, and inputs that come in one tensor."""

from __future__ import annotations

from archcheck.ir.text import parse
from archcheck.judging.cuts import cut_inputs, with_parts_as_inputs, without_heads

STATED = parse("""
%0 = input name='q'
%1 = tanh %0
give %1
""")
HEADS = """
%0 = input name='q'
%1 = split %0 axis=2 sections=3
%2 = stack {} axis=1
%3 = tanh %2
give %3
"""
PACKED = parse("""
%0 = input name='x'
%1 = split %0 axis=1 sections=2
%2 = tanh %1
%3 = add %2, %1.1
give %3
""")
TWO = parse("""
%0 = input name='a'
%1 = input name='b'
%2 = tanh %0
%3 = add %2, %1
give %3
""")


def test_all_parts_stacked_in_their_order_are_the_value_under_other_axes() -> None:
    laid = without_heads(STATED, parse(HEADS.format("%1, %1.1, %1.2")))
    assert [op.kind.name for op in laid.ops] == ["input", "reshape", "tanh"]


def test_parts_in_another_order_and_some_of_them_are_not() -> None:
    for parts in ("%1.2, %1.1, %1", "%1, %1.1"):
        code = parse(HEADS.format(parts))
        assert without_heads(STATED, code) is code


def test_a_claim_that_stacks_means_it() -> None:
    code = parse(HEADS.format("%1, %1.1, %1.2"))
    assert without_heads(code, code) is code


def test_parts_of_an_input_are_inputs_of_a_claim_that_has_more() -> None:
    (cut,) = cut_inputs(PACKED).values()
    assert cut == (0, 1)
    laid = with_parts_as_inputs(TWO, PACKED)
    assert [op.kind.name for op in laid.ops] == ["input", "input", "tanh", "add"]
    assert with_parts_as_inputs(STATED, PACKED) is PACKED
