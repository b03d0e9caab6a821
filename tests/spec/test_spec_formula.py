"""Formulas over sizes: what they give, and what they may not do."""

from __future__ import annotations

import ast
import math
import operator
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from spec_text import marked

from archcheck.ir.graph import Unknown
from archcheck.ir.span import Span
from archcheck.spec.formula import Expression, settle
from archcheck.spec.nodes import Text
from archcheck.spec.problems import Problems


def value(text: str, **sizes: int | float | Unknown) -> object:
    problems = Problems("f.yaml", ())
    found = Expression(Text(text, Span("f.yaml", 1))).number(sizes, problems)
    problems.raise_any()
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(2*N)**0.25", 2.0),
        ("0.81*(N**4*M)**(1/16)", 0.81 * (8**4 * 3) ** (1 / 16)),
        ("d/h", 64),
        ("d/3", 512 / 3),
        ("7//2 + 7%4 - -1", 7),
        ("sqrt(d/h)", 8.0),
        ("max(ceil(d/3), min(1, 2), abs(-5))", 171),
        ("log2(h)", 3.0),
        ("2**10", 1024),
        ("2**-1", 0.5),
    ],
)
def test_a_formula_gives_a_number(text: str, expected: float) -> None:
    found = value(text, N=8, M=3, d=512, h=8)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    "text", ["1/0", "9**9**9**9", "10.0**400", "(-1)**0.5", "sqrt(-1)", "log(0)", "exp(1e9)", "2**100000", "0**-1"]
)
def test_a_formula_without_a_value_is_unknown(text: str) -> None:
    found = value(text)
    assert isinstance(found, Unknown)
    assert "has no value" in found.why


def test_what_needs_an_unknown_size_is_that_unknown() -> None:
    unknown = Unknown("the spec gives no value for N")
    assert value("(2*N)**0.25", N=unknown) is unknown
    assert value("sqrt(N)", N=unknown) is unknown


def _is_infinite(value: float) -> bool:
    """Whether a float, not an integer of any length, is no finite number."""
    return isinstance(value, float) and not math.isfinite(value)


def test_sizes_may_stand_in_any_order() -> None:
    def formula(text: str) -> Expression:
        return Expression(Text(text, Span("f.yaml", 1)))

    problems = Problems("f.yaml", ())
    assert settle({"a": formula("b+c"), "b": formula("c*2"), "c": 3}, problems) == {"a": 9, "b": 6, "c": 3}
    problems.raise_any()


OPERATORS = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow,
}  # fmt: skip


def _evaluated(node: ast.expr) -> Any:
    """What Python gives; an example whose powers Python itself takes minutes for is rejected."""
    if isinstance(node, ast.BinOp):
        left, right = _evaluated(node.left), _evaluated(node.right)
        if isinstance(node.op, ast.Pow) and isinstance(left, int) and isinstance(right, int):
            assume(abs(left) < 2 or right * left.bit_length() < 100_000)
        return OPERATORS[type(node.op)](left, right)
    return -_evaluated(node.operand) if isinstance(node, ast.UnaryOp) else ast.literal_eval(node)


@given(
    st.recursive(
        st.integers(-9, 9).map(str),
        lambda inner: st.builds(
            "({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "/", "//", "%", "**"]), inner
        ),
        max_leaves=12,
    )
)
@example("(2 ** (6 ** 4))")
def test_formulas_agree_with_python(text: str) -> None:
    try:
        expected = _evaluated(ast.parse(text, mode="eval").body)
        expected = None if isinstance(expected, complex) or _is_infinite(expected) else expected
    except (ArithmeticError, ValueError, TypeError):  # a root of a negative number is complex to Python
        expected = None
    if isinstance(expected, int) and expected.bit_length() > 4_000:
        return
    found = value(text)
    if expected is None:
        assert isinstance(found, Unknown)
    elif not isinstance(found, Unknown):
        assert found == expected or math.isclose(found, expected, rel_tol=1e-9)  # type: ignore[arg-type]
    else:
        assert "too large" in found.why or "no value" in found.why


@pytest.mark.parametrize(
    ("sizes", "problem"),
    [
        ("{N: 2*M}", 'M: no size is called "M"'),
        ("{d_model: 4, d_ff: 4*d_modle}", 'd_modle: no size is called "d_modle"'),
        ("{N: 2**}", "*: this equation cannot be read: invalid syntax"),
        ("{a: b, b: a}", "b: the size a is defined by itself: a -> b -> a"),
        ("{a: a+1}", "a+1: the size a is defined by itself: a -> a"),
        ("{a: 'f(3)'}", 'f: a formula has no function "f"'),
        ("{a: '(3).real'}", '(3).real: "(3).real" is not part of a formula'),
        ("{a: \"__import__('os')\"}", '__import__: a formula has no function "__import__"'),
        ("{a: '1 if 2 else 3'}", '1 if 2 else 3: "1 if 2 else 3" is not part of a formula'),
        ("{a: b = 3}", "b = 3: one expression stands here, without an assignment"),
        ("{a: 1 @ 2}", "1 @ 2: a formula has no such operation"),
        ("{a: true}", "true: a number or text must stand here"),
        ("{a: 1/0}", "1/0: the formula has no value: division by zero"),
        ("{lambda: 1}", 'lambda: "lambda" is a word of Python\'s own'),
        ("{a: ''}", "'': something must stand here"),
    ],
)
def test_a_mistake_in_a_size_is_told_at_its_place(sizes: str, problem: str) -> None:
    assert problem in marked(f"archcheck: 1\nid: a\ntitle: b\nsizes: {sizes}\n")
