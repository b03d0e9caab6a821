"""Seeded faults: one thing of a confirmed body is changed, and it must not be confirmed any more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from proof_bodies import ACTIVATIONS, ANGLES, ATTENTIONS, INPUTS, NORMS, ROPES, X, body_of, raised

from archcheck.ir.graph import Attr, AttrValue, Op, OpGraph
from archcheck.ir.ops import BY_NAME
from archcheck.proof import Outcome, confirm, explain

GRAPHS: dict[str, OpGraph] = {
    **{f"norm: {name}": raised(X + text) for name, text in NORMS.items()},
    **{f"activation: {name}": raised(X + text) for name, text in ACTIVATIONS.items()},
    **{f"rope: {name}": raised(ANGLES + text) for name, text in ROPES.items()},
    **{f"attention: {name}": raised(INPUTS + text) for name, text in ATTENTIONS.items()},
}
_SWAPPED = {"add": "sub", "sub": "add", "mul": "div", "div": "mul", "sqrt": "exp", "rsqrt": "sqrt", "neg": "abs"}
_SWAPPED |= {"sigmoid": "tanh", "tanh": "sigmoid", "erf": "tanh", "exp": "sin", "mean": "sum", "relu": "abs"}
_SWAPPED |= {"std": "var", "softplus": "relu", "log": "sqrt"}


def faults(op: Op) -> Iterator[tuple[str, Op]]:
    """`op` with one thing changed, in every way that changes what it computes."""
    for attr in op.attrs:
        for words, value in _other(op, attr):
            attrs = tuple(Attr(one.name, value) if one.name == attr.name else one for one in op.attrs)
            yield f"{op.kind.name} {attr.name}={attr.value} becomes {words}", replace(op, attrs=attrs)
    if len(op.reads) == 2 and op.reads[0] != op.reads[1] and op.kind.name in ("sub", "div", "concat", "stack"):
        yield f"{op.kind.name} with its operands exchanged", replace(op, reads=op.reads[::-1])
    if (other := _SWAPPED.get(op.kind.name)) and not (op.kind.name == "mean" and len(op.reads) == 1 and not op.attrs):
        yield f"{other} for {op.kind.name}", replace(op, kind=BY_NAME[other])


def _other(op: Op, attr: Attr) -> Iterator[tuple[str, AttrValue]]:
    value = attr.value
    if attr.name in ("by", "exponent", "alpha", "min", "max") and isinstance(value, (int, float)):
        if attr.name == "by" and op.kind.name == "masked_fill":
            yield "0", 0.0
            return
        yield f"{value} * 1.01", value * 1.01 if value else 0.01
        if value:
            yield f"-{value}", -value
    elif attr.name in ("no", "yes") and isinstance(value, (int, float)):
        yield "another", 0.0 if value else 0.5
    elif attr.name == "axis" and op.kind.name in ("mean", "var", "std", "softmax", "vector_norm"):
        yield "-2", -2
    elif attr.name == "correction":
        yield "another", 1 - value if isinstance(value, int) else 1


def faulty(graph: OpGraph) -> list[tuple[str, OpGraph]]:
    """A graph with each fault that its one raised op can have."""
    raised_op = body_of(graph)
    found = []
    for at, inner in enumerate(raised_op.body):
        for words, other in faults(inner):
            body = (*raised_op.body[:at], other, *raised_op.body[at + 1 :])
            ops = tuple(replace(op, body=body) if op is raised_op else op for op in graph.ops)
            found.append((words, replace(graph, ops=ops)))
    return found


# A scale that was not read may be a factor or a divisor: the op does not say which.
ALL = [
    (name, words, graph)
    for name, whole in GRAPHS.items()
    for words, graph in faulty(whole)
    if (name, words) != ("attention: a scale that was not read", "mul for div")
]


@pytest.mark.parametrize(("name", "words", "graph"), ALL, ids=[f"{name}: {words}" for name, words, _ in ALL])
def test_a_changed_body_is_not_confirmed(name: str, words: str, graph: OpGraph) -> None:
    (proof,) = confirm(graph)
    assert proof.outcome is not Outcome.CONFIRMED, explain(proof)


@given(st.sampled_from(sorted(GRAPHS)), st.data())
def test_a_number_that_moves_a_little_is_seen(name: str, data: st.DataObject) -> None:
    """Down to one part in a hundred thousand, whichever number it is."""
    graph = GRAPHS[name]
    op = body_of(graph)
    numbers = [
        (at, attr)
        for at, inner in enumerate(op.body)
        for attr in inner.attrs
        if attr.name in ("by", "exponent", "alpha")
        and isinstance(attr.value, float)
        and abs(attr.value) < 1e6
        and inner.kind.name != "dropout"
    ]
    if not numbers:
        return
    at, attr = data.draw(st.sampled_from(numbers))
    assert isinstance(attr.value, float)
    factor = data.draw(st.floats(1.00001, 3.0)) ** data.draw(st.sampled_from((1, -1)))
    inner = op.body[at]
    changed = replace(
        inner, attrs=tuple(Attr(one.name, attr.value * factor) if one is attr else one for one in inner.attrs)
    )
    body = (*op.body[:at], changed, *op.body[at + 1 :])
    (proof,) = confirm(replace(graph, ops=tuple(replace(one, body=body) if one is op else one for one in graph.ops)))
    assert proof.outcome is not Outcome.CONFIRMED, explain(proof)


@given(st.sampled_from(sorted(GRAPHS)))
def test_the_same_graph_gives_the_same_proof(name: str) -> None:
    first, second = confirm(GRAPHS[name]), confirm(GRAPHS[name])
    assert repr(first) == repr(second)
