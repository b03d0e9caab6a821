"""An equation names its operands; code may give several of them one value, and a fused layer its own projections."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archcheck.describe.regions import Region, as_graph
from archcheck.findings import Place, Verdict
from archcheck.ir.graph import OpGraph
from archcheck.ir.text import parse
from archcheck.judging.application import applied
from archcheck.judging.binding import Expected, Form, Target, expectation
from archcheck.judging.judge import Judge, Subject
from archcheck.passes import canonicalise
from archcheck.spec import load

SELF = """
%x = input
%q = linear %x
%k = linear %x
%v = linear %x
%a = attention %q, %k, %v
linear %a
"""
CROSS = """
%x = input
%m = input
%q = linear %x
%k = linear %m
%v = linear %VALUE
%a = attention %q, %k, %v
linear %a
"""
FUSED = """
%x = input
attention %x, %x, %x projected=True
"""
NO_OUTPUT = """
%x = input
%q = linear %x
%k = linear %x
%v = linear %x
attention %q, %k, %v
"""


def verdict(code: str, block: str) -> Verdict:
    spec, _ = load("vaswani2017")
    variant = Judge(spec, Place, only=frozenset({block})).variant(Subject(canonicalise(parse(code)), "Model", None))
    return next(claim.verdict for claim in variant.claims if claim.claim == block)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (SELF, Verdict.HOLDS),
        (CROSS.replace("VALUE", "m"), Verdict.HOLDS),
        (CROSS.replace("VALUE", "x"), Verdict.VIOLATED),  # keys and values are of one place
        (FUSED, Verdict.HOLDS),
        (NO_OUTPUT, Verdict.VIOLATED),
    ],
    ids=["self", "cross", "values of another place", "fused", "without the last"],
)
def test_multi_head_attention_as_code_applies_it(code: str, expected: Verdict) -> None:
    assert verdict(code, "multi_head_attention") is expected


def test_only_inputs_with_one_place_become_one() -> None:
    spec, _ = load("vaswani2017")
    from archcheck.spec import to_graph

    stated = expectation(canonicalise(to_graph(spec, "multi_head_attention", spec.values("base", {}))))
    assert stated.form is Form.INSIDE
    (layer,) = [op for op in canonicalise(parse(SELF)).ops if op.body]
    merged = applied(stated, target(layer_graph := as_graph(layer), replace(region(layer_graph), op=layer)))
    assert sum(op.kind.name == "input" for op in stated.graph.ops) == 3
    assert sum(op.kind.name == "input" for op in merged.ops) == 1
    assert applied(stated, target(layer_graph, region(layer_graph))) is stated.graph  # not bound to a sublayer


def region(graph: OpGraph) -> Region:
    return Region(graph, "", "Model", None, ())


def target(graph: OpGraph, of: Region) -> Target:
    return Target(graph, of, "by its kind")


def test_a_formula_without_a_mask_says_nothing_about_masks() -> None:
    code = "%q = input\n%k = input\n%v = input\nattention %q, %k, %v causal=True scale=0.125\n"
    spec, _ = load("vaswani2017")
    from archcheck.spec import to_graph

    stated: Expected = expectation(canonicalise(to_graph(spec, "attention", spec.values("base", {}))))
    assert all(not op.states("causal") for op in stated.graph.walk())
    variant = Judge(spec, Place, only=frozenset({"attention"})).variant(Subject(canonicalise(parse(code)), "M", None))
    rules = [finding.rule for claim in variant.claims for finding in claim.findings]
    assert "attention-attributes" not in rules
