"""Numbers that a paper states by formula: `(2*N)**0.25` over the sizes of the spec."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from archcheck.ir.graph import AttrValue, Unknown
from archcheck.ir.ops import AttrDecl
from archcheck.spec.nodes import Plain, Text
from archcheck.spec.problems import Problems, did_you_mean, hints
from archcheck.spec.syntax import Piece, expression

Number = int | float
Amount = Number | Unknown
Sizes = Mapping[str, Amount]

NO_VALUE = "has no value"  # in the Unknown of a formula that divides by zero or the like
MAX_POWER = 4_096  # bits of a whole power; larger ones are computed as floats

FUNCTIONS: dict[str, Callable[..., Number]] = {
    "sqrt": math.sqrt,
    "log": math.log,
    "log2": math.log2,
    "exp": math.exp,
    "abs": abs,
    "min": min,
    "max": max,
    "floor": math.floor,
    "ceil": math.ceil,
    "round": round,
}


@dataclass(frozen=True, slots=True)
class Expression:
    """A value as the spec states it: a constant of YAML, or a formula in its text."""

    text: Text
    constant: Plain = None
    is_constant: bool = False

    def __str__(self) -> str:
        return self.text.text.strip()

    def number(self, sizes: Sizes, problems: Problems) -> Amount | None:
        """The number it stands for; None after noting a mistake in `problems`."""
        if self.is_constant:
            if isinstance(self.constant, (int, float)) and not isinstance(self.constant, bool):
                return self.constant
            problems.add(self.text.span, "a number or a formula must stand here")
            return None
        piece = expression(self.text, problems)
        return None if piece is None else number(piece.node, piece, sizes, problems)

    def attribute(self, sizes: Sizes, problems: Problems, decl: AttrDecl | None = None) -> AttrValue:
        """The attribute value it stands for: a number, a truth value, a word or a tuple of these."""
        if self.is_constant:
            return self.constant
        piece = expression(self.text, problems)
        return None if piece is None else attribute(piece.node, piece, sizes, problems, decl)


def number(node: ast.AST, piece: Piece, sizes: Sizes, problems: Problems) -> Amount | None:
    """The number that `node` computes; an Unknown where a size it needs is not known, None after noting a mistake."""
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return node.value  # type: ignore[return-value]
    if isinstance(node, ast.Name):
        if node.id in sizes:
            return sizes[node.id]
        problems.add(
            piece.span(node),
            f'no size is called "{node.id}"',
            hints(did_you_mean(node.id, sizes), "declare it under sizes:"),
        )
        return None
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        value = number(node.operand, piece, sizes, problems)
        return value if value is None or isinstance(node.op, ast.UAdd) else combine(ast.Sub(), 0, value)
    if isinstance(node, ast.BinOp):
        left = number(node.left, piece, sizes, problems)
        right = number(node.right, piece, sizes, problems)
        if left is None or right is None:
            return None
        if not isinstance(node.op, _OPERATORS):
            problems.add(piece.span(node), "a formula has no such operation", "it may use + - * / // % **")
            return None
        return combine(node.op, left, right)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        if node.func.id not in FUNCTIONS:
            problems.add(
                piece.span(node.func),
                f'a formula has no function "{node.func.id}"',
                hints(did_you_mean(node.func.id, FUNCTIONS), f"it may use {', '.join(FUNCTIONS)}"),
            )
            return None
        values = [number(arg, piece, sizes, problems) for arg in node.args]
        return None if None in values else apply(node.func.id, [value for value in values if value is not None])
    problems.add(
        piece.span(node), f'"{piece.words(node)}" is not part of a formula', "numbers, sizes, + - * / ** and sqrt() are"
    )
    return None


_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)


def combine(operator: ast.operator, left: Amount, right: Amount) -> Amount:
    """`left` and `right` under an arithmetic operator; an Unknown that says why where there is no result."""
    for side in (left, right):
        if isinstance(side, Unknown):
            return side
    assert not isinstance(left, Unknown)
    assert not isinstance(right, Unknown)
    try:
        result = _compute(operator, left, right)
    except (ArithmeticError, ValueError) as error:
        return Unknown(f"the formula {NO_VALUE}: {error}")
    return _finite(result)


def _compute(operator: ast.operator, left: Number, right: Number) -> Number:
    match operator:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.Div():
            exact = isinstance(left, int) and isinstance(right, int) and right != 0 and left % right == 0
            return left // right if exact else left / right
        case ast.FloorDiv():
            return left // right
        case ast.Mod():
            return left % right
        case _:
            if isinstance(left, int) and isinstance(right, int) and left.bit_length() * abs(right) > MAX_POWER:
                left = float(left)
            result: Number | complex = left**right
            if isinstance(result, complex):
                raise ValueError("it is not a real number")
            return result


def apply(name: str, values: list[Amount]) -> Amount:
    """Function `name` of `values`."""
    known: list[Number] = []
    for value in values:
        if isinstance(value, Unknown):
            return value
        known.append(value)
    try:
        return _finite(FUNCTIONS[name](*known))
    except (ArithmeticError, ValueError, TypeError) as error:
        return Unknown(f"{name}() {NO_VALUE}: {error}")


def _finite(result: Number) -> Amount:
    if isinstance(result, int):
        return result if result.bit_length() <= MAX_POWER else Unknown(f"the formula {NO_VALUE}: it is too large")
    return result if math.isfinite(result) else Unknown(f"the formula {NO_VALUE}: it is not finite")


def attribute(node: ast.AST, piece: Piece, sizes: Sizes, problems: Problems, decl: AttrDecl | None = None) -> AttrValue:
    """What an attribute states: a constant, a formula over sizes, a bare word, or a tuple of these.

    A bare word is a size if there is one of that name, else text. Where the vocabulary says that the attribute counts
    or measures something, a word that is no size is a mistake.
    """
    if isinstance(node, ast.Constant) and isinstance(node.value, (bool, int, float, str, type(None))):
        return node.value
    if isinstance(node, (ast.Tuple, ast.List)):
        return tuple(attribute(item, piece, sizes, problems, decl) for item in node.elts)
    if isinstance(node, ast.Name) and node.id not in sizes:
        if node.id == "inf":
            return math.inf
        if decl is not None and _measures(decl):
            problems.add(
                piece.span(node),
                f'no size is called "{node.id}", and {decl.name} is a number ({decl.unit})',
                hints(did_you_mean(node.id, sizes), "declare it under sizes:"),
            )
        return node.id
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = node.operand
        if isinstance(inner, ast.Name) and inner.id == "inf":
            return -math.inf
    return number(node, piece, sizes, problems)


def _measures(decl: AttrDecl) -> bool:
    """Whether the attribute's unit leaves no room for a word."""
    words = ("count", "size in elements", "size or sizes", "probability", "factor on", "step in", "step between")
    return decl.unit.startswith(words) and "'" not in decl.unit and "learned" not in decl.unit


def settle(formulas: Mapping[str, Expression | Amount], problems: Problems) -> dict[str, Amount]:
    """Every size with its value, whatever the order in which they stand.

    Args:
        formulas: name -> formula over the others, or the value itself.
        problems: where formulas that cannot be read and circles are noted; such a size is Unknown.
    """
    done: dict[str, Amount] = {}
    _Settling(formulas, done, problems).run()
    return {name: done[name] for name in formulas}


class _Settling(Mapping[str, Amount]):
    """The sizes as formulas see them: each is computed when it is first asked for."""

    def __init__(
        self, formulas: Mapping[str, Expression | Amount], done: dict[str, Amount], problems: Problems
    ) -> None:
        self.formulas = formulas
        self.done = done
        self.problems = problems
        self.running: list[str] = []

    def run(self) -> None:
        for name in self.formulas:
            self[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.formulas)

    def __len__(self) -> int:
        return len(self.formulas)

    def __contains__(self, name: object) -> bool:
        return name in self.formulas

    def __getitem__(self, name: str) -> Amount:
        if name in self.done:
            return self.done[name]
        formula = self.formulas[name]
        if not isinstance(formula, Expression):
            self.done[name] = formula
            return formula
        if name in self.running or len(self.running) > 64:
            circle = " -> ".join([*self.running[self.running.index(name) :], name]) if name in self.running else name
            self.problems.add(formula.text.span, f"the size {name} is defined by itself: {circle}")
            return Unknown(f"the size {name} is defined by itself")
        self.running.append(name)
        value = formula.number(self, self.problems)
        self.running.pop()
        if isinstance(value, Unknown) and value.span is None:
            value = Unknown(value.why, formula.text.span)
        self.done[name] = Unknown(f"the size {name} cannot be computed", formula.text.span) if value is None else value
        return self.done[name]
