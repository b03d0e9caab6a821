"""What is changed in a model: each operator gives every file that differs from the first in one such place.

They know the grammar of Python and the names of PyTorch's functions, and nothing of any model: a sum loses a term, a
call is skipped, a number doubles. Which of them departs from a paper is decided by running both, not here.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

ACTIVATIONS = {
    **{"relu": "tanh", "gelu": "relu", "silu": "relu", "tanh": "relu", "sigmoid": "tanh", "softmax": "sigmoid"},
    **{"ReLU": "Tanh", "GELU": "ReLU", "SiLU": "ReLU", "Tanh": "ReLU", "Sigmoid": "Tanh"},
}
NORMS = {"LayerNorm": "RMSNorm", "RMSNorm": "LayerNorm"}
BUILDS = frozenset({"__init__", "build", "setup"})

Change = Callable[[ast.AST], Iterator[ast.AST]]


@dataclass(frozen=True)
class Operator:
    """A kind of change.

    Attributes:
        id: its name.
        change: what an expression may become.
        rules: those that may tell of it; the others are told as well where one change makes several differences.
        builds: whether constructors are changed, and numbers that are given there; else what runs.
    """

    id: str
    change: Change
    rules: frozenset[str]
    builds: bool = False


@dataclass(frozen=True)
class Mutant:
    """A file that differs in one place."""

    operator: Operator
    line: int
    text: str
    was: str
    now: str


def mutants(text: str, operators: Sequence[Operator], parts: frozenset[str] = frozenset()) -> Iterator[Mutant]:
    """Every mutant of a file; of these classes and functions of it, where some are named."""
    tree = ast.parse(text)
    within = [node for node in tree.body if not parts or getattr(node, "name", "") in parts]
    every = (node for top in within for node in ast.walk(top))
    functions = [node for node in every if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    inner = {id(one) for outer in functions for one in ast.walk(outer) if one is not outer and one in functions}
    for operator in operators:
        for function in functions:
            if id(function) in inner or (function.name in BUILDS) is not operator.builds:
                continue
            for place, node in enumerate(ast.walk(function)):
                for made in operator.change(node):
                    changed = copy.deepcopy(tree)
                    twin = next(one for one in ast.walk(changed) if _same(one, function))
                    old = list(ast.walk(twin))[place]
                    _Exchange(old, made).visit(changed)
                    ast.fix_missing_locations(changed)
                    yield Mutant(
                        operator,
                        getattr(node, "lineno", function.lineno),
                        ast.unparse(changed),
                        ast.unparse(node),
                        ast.unparse(made),
                    )


def _same(one: ast.AST, function: ast.AST) -> bool:
    same = isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)) and isinstance(function, type(one))
    return same and (one.lineno, one.name) == (function.lineno, function.name)  # type: ignore[attr-defined]


class _Exchange(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, copy.deepcopy(new)

    def visit(self, node: ast.AST) -> ast.AST:
        """The new node in the place of the old one."""
        return self.new if node is self.old else self.generic_visit(node)


def _is_own_call(node: ast.AST) -> bool:
    """`self.norm(x)`: a call of what the object holds."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)


def _single(node: ast.AST) -> ast.expr | None:
    return node.args[0] if isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords else None


def _terms(node: ast.AST, sign: type[ast.operator] = ast.Add) -> tuple[ast.expr, ast.expr] | None:
    """The two operands of a sum, of which one is computed by a call."""
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, sign)):
        return None
    calls = any(isinstance(one, ast.Call) for one in ast.walk(node))
    return (node.left, node.right) if calls else None


def _drop_residual(node: ast.AST) -> Iterator[ast.AST]:
    if (terms := _terms(node)) is not None and isinstance(terms[0], ast.Name):
        yield terms[1]


def _drop_branch(node: ast.AST) -> Iterator[ast.AST]:
    if (terms := _terms(node)) is not None and isinstance(terms[0], ast.Name):
        yield terms[0]


def _other_sign(sign: ast.operator) -> Change:
    def change(node: ast.AST) -> Iterator[ast.AST]:
        if (terms := _terms(node)) is not None:
            yield ast.BinOp(terms[0], sign, terms[1])

    return change


def _norm_onto_branch(node: ast.AST) -> Iterator[ast.AST]:
    """`norm(x + f(x))` to `x + norm(f(x))`."""
    inner = _single(node)
    if inner is not None and _is_own_call(node) and (terms := _terms(inner)) is not None:
        yield ast.BinOp(terms[0], ast.Add(), ast.Call(node.func, [terms[1]], []))  # type: ignore[attr-defined]


def _call_onto_sum(node: ast.AST) -> Iterator[ast.AST]:
    """`x + f(g(x))` to `f(x + g(x))`."""
    if (terms := _terms(node)) is not None and _is_own_call(terms[1]) and (inner := _single(terms[1])) is not None:
        yield ast.Call(terms[1].func, [ast.BinOp(terms[0], ast.Add(), inner)], [])  # type: ignore[attr-defined]


def _swap_calls(node: ast.AST) -> Iterator[ast.AST]:
    """`f(g(x))` to `g(f(x))`."""
    inner = _single(node)
    if inner is None or not _is_own_call(node) or not _is_own_call(inner) or (given := _single(inner)) is None:
        return
    yield ast.Call(inner.func, [ast.Call(node.func, [given], [])], [])  # type: ignore[attr-defined]


def _skip_call(node: ast.AST) -> Iterator[ast.AST]:
    """`self.norm(x)` to `x`: it is built, and never called."""
    if _is_own_call(node) and (given := _single(node)) is not None:
        yield given


def _twice(node: ast.AST) -> Iterator[ast.AST]:
    if _is_own_call(node) and _single(node) is not None:
        yield ast.Call(node.func, [copy.deepcopy(node)], [])  # type: ignore[attr-defined, list-item]


def _extra(function: str) -> Change:
    def change(node: ast.AST) -> Iterator[ast.AST]:
        if _is_own_call(node) and _single(node) is not None:
            yield ast.Call(
                ast.Attribute(ast.Name("torch", ast.Load()), function, ast.Load()), [copy.deepcopy(node)], []
            )  # type: ignore[list-item]

    return change


def _renamed(names: dict[str, str]) -> Change:
    def change(node: ast.AST) -> Iterator[ast.AST]:
        named = isinstance(node, ast.Attribute) and node.attr in names and isinstance(node.value, ast.Name)
        if isinstance(node, ast.Attribute) and named and node.value.id != "self":  # type: ignore[attr-defined]
            yield ast.Attribute(node.value, names[node.attr], node.ctx)

    return change


def _other_axis(node: ast.AST) -> Iterator[ast.AST]:
    named = isinstance(node, ast.keyword) and node.arg in ("dim", "axis")
    if named and isinstance(node.value, ast.UnaryOp) and isinstance(node.value.operand, ast.Constant):  # type: ignore[attr-defined]
        yield ast.keyword(node.arg, ast.UnaryOp(ast.USub(), ast.Constant(3 - node.value.operand.value)))  # type: ignore[attr-defined, operator]


def _without_factor(node: ast.AST) -> Iterator[ast.AST]:
    if (
        isinstance(node, ast.BinOp)
        and isinstance(node.op, (ast.Div, ast.Mult))
        and not isinstance(node.left, ast.Constant)
    ):
        yield node.left


def _swap_arguments(node: ast.AST) -> Iterator[ast.AST]:
    if not isinstance(node, ast.Call) or len(node.args) < 2 or ast.dump(node.args[0]) == ast.dump(node.args[1]):
        return
    if not any(isinstance(one, (ast.Constant, ast.Starred)) for one in node.args[:2]):
        yield ast.Call(node.func, [node.args[1], node.args[0], *node.args[2:]], node.keywords)


def _swap_terms(node: ast.AST) -> Iterator[ast.AST]:
    """`a - b` to `b - a`, `f(x) * g(x)` to `g(x) * f(x)`, of which the second is the same."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, (ast.Sub, ast.Mult, ast.MatMult)):
        return
    if not any(isinstance(one, ast.Constant) for one in (node.left, node.right)):
        yield ast.BinOp(node.right, node.op, node.left)


def _swap_listed(node: ast.AST) -> Iterator[ast.AST]:
    """`cat([a, b])` to `cat([b, a])`."""
    first = node.args[0] if isinstance(node, ast.Call) and node.args else None
    if isinstance(first, (ast.List, ast.Tuple)) and len(first.elts) == 2 and isinstance(node, ast.Call):
        yield ast.Call(node.func, [ast.List(list(reversed(first.elts)), ast.Load()), *node.args[1:]], node.keywords)


def _other_way(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.If):
        yield ast.If(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
    if isinstance(node, ast.IfExp):
        yield ast.IfExp(node.test, node.orelse, node.body)


def _without_mask(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "masked_fill":
        yield node.func.value


def _one_fewer(node: ast.AST) -> Iterator[ast.AST]:
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "range"
        and len(node.args) == 1
    ):
        yield ast.Call(node.func, [ast.BinOp(node.args[0], ast.Sub(), ast.Constant(1))], [])


def _doubled(node: ast.AST) -> Iterator[ast.AST]:
    """Numbers that a signature or a constructor gives: heads, widths, layers."""
    if isinstance(node, ast.arguments):
        for at, default in enumerate(node.defaults):
            if isinstance(default, ast.Constant) and type(default.value) is int and default.value > 1:
                made = copy.deepcopy(node)
                made.defaults[at] = ast.Constant(default.value * 2)
                yield made


def _shared(node: ast.AST) -> Iterator[ast.AST]:
    """`self.a, self.b = Linear(), Linear()`: a second attribute is the first one's layer."""
    body = getattr(node, "body", None)
    if not isinstance(node, ast.FunctionDef) or not isinstance(body, list):
        return
    built: dict[str, ast.expr] = {}
    for at, statement in enumerate(body):
        target = statement.targets[0] if isinstance(statement, ast.Assign) and len(statement.targets) == 1 else None
        if (
            not isinstance(target, ast.Attribute)
            or not isinstance(statement, ast.Assign)
            or not isinstance(statement.value, ast.Call)
        ):
            continue
        made = ast.dump(statement.value)
        if made in built:
            twin = copy.deepcopy(node)
            twin.body[at].value = copy.deepcopy(built[made])  # type: ignore[attr-defined]
            yield twin
        built.setdefault(made, ast.Attribute(ast.Name("self", ast.Load()), target.attr, ast.Load()))


_PLACES = frozenset({"norm-placement", "sublayers", "residual", "operations", "wiring", "parallel-sublayers"})
_ANY = _PLACES | {"activation", "dropout-placement", "gating", "norm-kind", "attribute", "operand-order", "position"}
_ANY |= {"missing", "extra", "shared-weights"}  # of statements that are no equations
_ANY |= {"residual-scale", "repeat", "attention-attributes", "path", "count", "own-weights", "widths"}
OPERATORS: tuple[Operator, ...] = (
    Operator("drop a residual", _drop_residual, _PLACES),
    Operator("drop a branch", _drop_branch, _ANY),
    Operator("minus for plus", _other_sign(ast.Sub()), _ANY),
    Operator("times for plus", _other_sign(ast.Mult()), _ANY),
    Operator("a norm onto the branch", _norm_onto_branch, _ANY),
    Operator("a call onto the sum", _call_onto_sum, _ANY),
    Operator("swap two calls", _swap_calls, _ANY),
    Operator("skip a call", _skip_call, _ANY),
    Operator("call twice", _twice, _ANY),
    Operator("an extra activation", _extra("tanh"), _ANY),
    Operator("another activation", _renamed(ACTIVATIONS), _ANY),
    Operator("another activation, built", _renamed(ACTIVATIONS), _ANY, builds=True),
    Operator("another norm", _renamed(NORMS), _ANY, builds=True),
    Operator("another axis", _other_axis, _ANY),
    Operator("without a factor", _without_factor, _ANY),
    Operator("swap arguments", _swap_arguments, _ANY),
    Operator("swap operands", _swap_terms, _ANY),
    Operator("swap what is joined", _swap_listed, _ANY),
    Operator("the other branch", _other_way, _ANY),
    Operator("the other branch, built", _other_way, _ANY, builds=True),
    Operator("without a mask", _without_mask, _ANY),
    Operator("a layer fewer", _one_fewer, _ANY, builds=True),
    Operator("doubled", _doubled, _ANY, builds=True),
    Operator("shared weights", _shared, _ANY, builds=True),
)
