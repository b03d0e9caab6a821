"""Random interpretation: what is equal by algebra is one function, and nothing else is."""

from __future__ import annotations

import math
from typing import Any

import pytest
from align_graphs import Builder
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from archcheck.align import align
from archcheck.align.field import PRIME, Element, NoValueError, number
from archcheck.align.meaning import same_function
from archcheck.ir.graph import Op, OpGraph, Value

Tree = tuple[Any, ...]
_NAMES = ("x", "h")
_LEAVES = st.sampled_from([("input", name) for name in _NAMES])


def _grown(smaller: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    pair = st.tuples(st.sampled_from(("add", "sub", "mul")), smaller, smaller)
    one = st.tuples(st.sampled_from(("neg", "sigmoid", "tanh")), smaller)
    learned = st.tuples(st.just("linear"), smaller, st.integers(1, 3))
    return pair | one | learned | st.tuples(st.just("scale"), smaller, st.sampled_from((2, 0.5, -1.5)))


TREES = st.recursive(_LEAVES, _grown, max_leaves=8)


def build(tree: Tree) -> OpGraph:
    """A graph in which a term that stands twice is one op."""
    builder = Builder()
    ops: list[Op] = []
    known: dict[Tree, str] = {("input", name): builder.op(ops, "input", name=name) for name in _NAMES}

    def place(tree: Tree) -> str:
        if tree not in known:
            name, *rest = tree
            reads = [place(part) for part in rest if isinstance(part, tuple)]
            attrs: dict[str, object] = {"by": rest[1]} if name == "scale" else {}
            if name == "linear":
                attrs = {"out_features": 8 * rest[1]}  # which of them it is
            if name == "one minus":
                name, attrs = "sub", {"by": 1, "reverse": True}
            known[tree] = builder.op(ops, name, *reads, **attrs)
        return known[tree]

    result = place(tree)
    return OpGraph(tuple(ops), (Value(result),))


def computed(tree: Tree, x: float, h: float) -> float:
    """What a tree gives, in plain numbers."""
    name, *rest = tree
    if name == "input":
        return x if rest[0] == "x" else h
    values = [computed(part, x, h) for part in rest if isinstance(part, tuple)]
    one = values[0]
    if name in ("add", "sub", "mul"):
        other = values[1]
        return one + other if name == "add" else one - other if name == "sub" else one * other
    if name == "linear":
        return math.sin(1.3 * rest[1] + (0.7 + rest[1]) * one)
    plain = {"neg": -one, "tanh": math.tanh(one), "one minus": 1 - one}
    if name == "sigmoid":
        return 1 / (1 + math.exp(-one)) if abs(one) < 500 else float(one > 0)
    return one * rest[1] if name == "scale" else plain[name]


def rewritten(tree: Tree, draw: Any, known: dict[Tree, Tree] | None = None) -> Tree:
    """The same function in other terms; the same ones for the same term, since what reads it may be learned."""
    known = {} if known is None else known
    if tree not in known:
        known[tree] = _rewritten(tree, draw, known)
    return known[tree]


def _rewritten(tree: Tree, draw: Any, known: dict[Tree, Tree]) -> Tree:
    name, *rest = tree
    tree = (name, *(rewritten(part, draw, known) if isinstance(part, tuple) else part for part in rest))
    if not draw(st.booleans()):
        return tree
    name, *rest = tree
    if name in ("add", "mul"):
        one, other = rest
        if name == "mul" and other[0] == "add":
            return ("add", ("mul", one, other[1]), ("mul", one, other[2]))
        if one[0] == name:
            return (name, one[1], (name, one[2], other))
        return (name, other, one)
    return {
        "sub": lambda: ("add", rest[0], ("neg", rest[1])),
        "neg": lambda: ("scale", rest[0], -1),
        "sigmoid": lambda: ("one minus", ("sigmoid", ("neg", rest[0]))),
        "tanh": lambda: ("neg", ("tanh", ("neg", rest[0]))),
        "scale": lambda: ("add", rest[0], rest[0]) if rest[1] == 2 else tree,
    }.get(name, lambda: tree)()


def same(expected: OpGraph, actual: OpGraph) -> bool:
    return same_function(expected, actual, align(expected, actual))


@settings(deadline=None, max_examples=200)
@given(TREES, st.data())
def test_what_is_equal_by_algebra_is_one_function(tree: Tree, data: st.DataObject) -> None:
    assert same(build(tree), build(rewritten(tree, data.draw)))


_POINTS = ((0.3, 0.8), (-1.1, 0.45), (0.9, -0.35), (1.7, 1.2))


@settings(deadline=None, max_examples=200)
@given(TREES, TREES)
def test_what_differs_somewhere_is_not_one_function(one: Tree, other: Tree) -> None:
    assume(any(abs(computed(one, *point) - computed(other, *point)) > 1e-6 for point in _POINTS))
    assert not same(build(one), build(other))


def _departures(tree: Tree) -> list[Tree]:
    """Trees that differ from this one in one place."""
    name, *rest = tree
    found: list[Tree] = []
    if name == "input":
        found.append(("input", "h" if rest[0] == "x" else "x"))
    if name == "sub":
        found += [("sub", rest[1], rest[0]), ("add", *rest)]
    if name in ("sigmoid", "tanh"):
        found += [rest[0], ("tanh" if name == "sigmoid" else "sigmoid", rest[0])]
    if name == "scale":
        found.append(("scale", rest[0], rest[1] * 3))
    for at, part in enumerate(rest):
        if isinstance(part, tuple):
            found += [(name, *rest[:at], changed, *rest[at + 1 :]) for changed in _departures(part)]
    return found


@settings(deadline=None, max_examples=200)
@given(TREES, st.data())
def test_one_place_that_differs_is_enough(tree: Tree, data: st.DataObject) -> None:
    other = data.draw(st.sampled_from(_departures(tree)))
    other = rewritten(other, data.draw)
    assume(any(abs(computed(tree, *point) - computed(other, *point)) > 1e-6 for point in _POINTS))
    assert not same(build(tree), build(other))


def test_what_the_claim_does_not_say_of_a_layer_may_be_anything() -> None:
    builder = Builder()
    claim: list[Op] = []
    x = builder.op(claim, "input", name="x")
    z = builder.op(claim, "sigmoid", builder.op(claim, "linear", x))
    builder.op(claim, "add", builder.op(claim, "mul", z, x), builder.op(claim, "mul", z, z))
    code: list[Op] = []
    x = builder.op(code, "input", name="given")
    z = builder.op(code, "sigmoid", builder.op(code, "linear", x, out_features=64, bias=True))
    total = builder.op(code, "add", x, builder.op(code, "dropout", z, p=0.1))
    builder.op(code, "mul", total, z)
    graphs = [OpGraph(tuple(ops), (Value(ops[-1].path),)) for ops in (claim, code)]
    assert same(*graphs)
    assert not same_function(*graphs, align(*graphs), closed=("dropout",))


@pytest.mark.parametrize("width", [8, 16])
def test_a_layer_with_other_attributes_is_another_one(width: int) -> None:
    one = build(("mul", ("input", "x"), ("add", ("linear", ("input", "x"), 1), ("input", "h"))))
    product = ("mul", ("input", "x"), ("linear", ("input", "x"), width // 8))
    other = build(("add", product, ("mul", ("input", "x"), ("input", "h"))))
    assert same(one, other) is (width == 8)


def test_two_layers_are_not_one_layer_twice() -> None:
    x = ("input", "x")
    twice = build(("sub", ("linear", x, 1), ("linear", x, 1)))
    builder = Builder()
    ops: list[Op] = []
    given_ = builder.op(ops, "input", name="x")
    layers = [builder.op(ops, "linear", given_, out_features=8) for _ in range(2)]
    builder.op(ops, "sub", *layers)
    assert not same(twice, OpGraph(tuple(ops), (Value(ops[-1].path),)))


def test_numbers_of_the_field() -> None:
    half, third = number(0.5), number(3)
    assert half is not None
    assert third is not None
    assert (half + half).value == 1
    assert (third * third.inverse()).value == 1
    assert third.power(-2).value * 9 % PRIME == 1
    assert number(True) is None
    assert number(math.inf) is None
    assert Element(7, 2, 1).power(3).degree == 9
    with pytest.raises(NoValueError, match="division by zero"):
        (half - half).inverse()
    with pytest.raises(NoValueError, match="too high"):
        Element(2).power(1 << 30)
