"""Chains that no pass raises, one for each module that spells something, and what they are after all."""

from __future__ import annotations

from archcheck.ir.text import parse
from archcheck.proof import Outcome, explain, near_misses


def test_a_norm_whose_mean_is_taken_off_in_the_spread_alone_is_named() -> None:
    graph = parse("""
        %0 = input name="x"
        %1 = var %0 axis=-1 correction=0 @ path="norm/0.var"
        %2 = add %1 by=1e-06 @ path="norm/1.add"
        %3 = rsqrt %2 @ path="norm/2.rsqrt"
        %4 = mul %0, %3 @ path="norm/3.mul"
    """)
    (proof,) = near_misses(graph)
    assert proof.outcome is Outcome.DIFFERS
    assert "the mean taken off in the spread alone" in explain(proof)


def test_a_chain_that_is_no_formula_is_not_told() -> None:
    graph = parse("""
        %0 = input name="x"
        %1 = sin %0 @ path="odd/0.sin"
        %2 = add %1, %0 @ path="odd/1.add"
        %3 = cos %2 @ path="odd/2.cos"
        %4 = mul %0, %3 @ path="odd/3.mul"
    """)
    assert near_misses(graph) == ()


def test_ops_of_several_modules_are_no_chain() -> None:
    graph = parse("""
        %0 = input name="x"
        %1 = var %0 axis=-1 correction=0 @ path="one/0.var"
        %2 = add %1 by=1e-06 @ path="one/1.add"
        %3 = rsqrt %2 @ path="two/2.rsqrt"
        %4 = mul %0, %3 @ path="two/3.mul"
    """)
    assert near_misses(graph) == ()
