"""Signatures give the very graph of the equations they abbreviate."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spec_text import HEAD, marked, ops, with_flow, with_order

from archcheck.ir.graph import Op
from archcheck.spec import to_graph

POST = "x = norm(x + dropout(self_attention(x)))\nx = norm(x + dropout(feed_forward(x)))"
PRE = "x = x + dropout(self_attention(norm(x)))\nx = x + dropout(feed_forward(norm(x)))"


def bare(op: Op) -> Op:
    return replace(op, span=None, claim="")


@pytest.mark.parametrize(
    ("order", "flow"),
    [
        ("{self_attention: F d a n, feed_forward: F d a n}", POST),
        ("{self_attention: Fdan, feed_forward: 'F  dan'}", POST),
        ("{self_attention: n F d a, feed_forward: n F d a}", PRE),
        ("{self_attention: n F n a}", "x = x + norm(self_attention(norm(x)))"),
        ("{self_attention: F a, mlp: F a}", "x = x + self_attention(x)\nx = x + mlp(x)"),
        ("{self_attention: F a d n}", "x = norm(dropout(x + self_attention(x)))"),
        ("{self_attention: F}", "x = self_attention(x)"),
        ("{self_attention: n F}", "x = self_attention(norm(x))"),
        ("{self_attention: F p a}", "x = x + stochastic_depth(self_attention(x))"),
        ("{self_attention: N F a}", "x = norm(x)\nx = x + self_attention(x)"),
        ("{self_attention: F s a}", "x = x + scale(self_attention(x))"),
        ("{mlp: {signature: n F s a, s: 0.5}}", "x = x + mlp(norm(x)) * 0.5"),
        ("{mlp: {signature: S F a n, S: alpha}}", "x = norm(x * alpha + mlp(x))"),
        ("{mlp: {signature: S F a n, S: gamma}}", "x = norm(x * gamma + mlp(x))"),
        ("{cross_attention: F a n}", "x = norm(x + cross_attention(x, memory))"),
        ("{'cross_attention(h, encoded)': F a n}", "h = norm(h + cross_attention(h, encoded))"),
        ("{'self_attention(x, causal=True)': n F a}", "x = x + self_attention(norm(x), causal=True)"),
        (
            "[{mlp: n F a}, {self_attention: n F a}, {mlp: n F a}]",
            "x = x + mlp(norm(x))\nx = x + self_attention(norm(x))\nx = x + mlp(norm(x))",
        ),
        ("F d a n", "x = norm(x + dropout(sublayer(x)))"),
        ("{sublayer: F d a n}", "x = norm(x + dropout(sublayer(x)))"),
        # tensor2tensor's pair, of all sublayers and of each
        ("{pre: none, post: dan}", "x = norm(x + dropout(sublayer(x)))"),
        ("{pre: '', post: dan}", "x = norm(x + dropout(sublayer(x)))"),
        ("{post: dan}", "x = norm(x + dropout(sublayer(x)))"),
        ("{pre: n, post: da}", "x = x + dropout(sublayer(norm(x)))"),
        ("{pre: none, post: dan, sublayers: [self_attention, feed_forward]}", POST),
        ("{pre: n, post: da, sublayers: [self_attention, feed_forward]}", PRE),
        ("{self_attention: {pre: n, post: da}, feed_forward: {pre: n, post: da}}", PRE),
        ("{pre: dn, post: dna}", "x = x + norm(dropout(sublayer(norm(dropout(x)))))"),
        ("{pre: n, post: dz}", "x = x + scale(dropout(sublayer(norm(x))), by=learned)"),
    ],
)
def test_an_order_is_the_flow_it_abbreviates(order: str, flow: str) -> None:
    first, second = to_graph(with_order(order), "b"), to_graph(with_flow(flow), "b")
    assert [bare(op) for op in first.ops] == [bare(op) for op in second.ops]
    assert first.results == second.results


STEPS = {
    "n": "norm({})",
    "d": "dropout({})",
    "p": "stochastic_depth({})",
    "s": "scale({})",
}


@given(st.text("ndps", max_size=4), st.text("ndps", max_size=4), st.booleans(), st.text("nd", max_size=3))
def test_any_signature_is_its_equation(before: str, after: str, adds: bool, last: str) -> None:
    branch = "x"
    for letter in before:
        branch = STEPS[letter].format(branch)
    branch = f"feed_forward({branch})"
    for letter in after:
        branch = STEPS[letter].format(branch)
    branch = f"x + {branch}" if adds else branch
    for letter in last if adds else "":
        branch = STEPS[letter].format(branch)
    signature = f"{before}F{after}{'a' + last if adds else ''}"
    assert ops(with_order(f"{{feed_forward: {signature}}}")) == ops(with_flow(f"x = {branch}"))


def test_each_letter_points_at_itself() -> None:
    made = with_order("{self_attention: F d a n, mlp: {pre: n, post: da}}")
    at = {
        op.kind.name + str(op.span.column): made.lines[op.span.line - 1][op.span.column - 1 : op.span.end_column - 1]
        for op in to_graph(made, "b").ops
        if op.span
    }
    assert list(at.values()) == ["self_attention", "self_attention", "d", "a", "n", "n", "mlp", "d", "a"]


@pytest.mark.parametrize(
    ("order", "problem"),
    [
        ("{mlp: n q F a}", 'q: a signature has no letter "q"'),
        ("{mlp: n a}", "n a: a signature has one F, the sublayer function"),
        ("{mlp: F a F}", "F a F: a signature has one F, the sublayer function"),
        ("{mlp: a F}", "a F: the residual is added before there is anything to add it to"),
        ("{mlp: F a a}", "F a a: a signature adds the residual once"),
        ("{mlp: F a S}", "F a S: S scales the residual, which is added behind it"),
        ("{mlp: n N F a}", "n N F a: N stands first: it is the norm before the residual is taken"),
        ("{mpl: F a}", 'mpl: no op is called "mpl"'),
        ("{'a + b': F a}", "a + b: a sublayer is a word or a call: self_attention, cross_attention(x, memory)"),
        ("{mlp: {pre: na, post: d}}", "a: before the sublayer there is nothing to add"),
        ("{mlp: {pre: x, post: d}}", 'x: tensor2tensor has no step "x"'),
        ("{mlp: {post: dada}}", "dada: the residual is added once"),
        ("{mlp: {signature: F a, pre: n}}", "mlp: mlp needs its steps once"),
        ("{mlp: {}}", "mlp: mlp needs its steps once"),
        ("{mlp: {signature: F a, s: 2}}", "2: this is the factor of s, which the steps do not have"),
        ("{mlp: {signature: S F a, S: bta}}", 'bta: no size is called "bta"'),
        ("{}", "{}: an order names sublayers"),
        ("3", "3: text must stand here"),
        ("{mlp: 3}", "3: text or a mapping must stand here"),
        ("{pre: 3}", "3: text must stand here"),
        ("{pre: n, sublayers: [mpl]}", 'mpl: no op is called "mpl"'),
        ("{mlp: {signatur: F a}}", 'signatur: there is no key "signatur" here'),
    ],
)
def test_a_mistake_is_told_at_its_place(order: str, problem: str) -> None:
    assert problem in marked(HEAD + f"blocks:\n  b: {{where: Section 1, order: {order}}}\n")
