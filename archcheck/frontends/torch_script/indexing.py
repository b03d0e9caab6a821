"""`x[:, 1:, 0]`, which TorchScript writes as a slice or a selection for each axis, as one index again."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Sequence

from archcheck.frontends.torch_script.code import chain

_STEPS = frozenset({"torch.slice", "torch.select", "torch.unsqueeze"})
_WRITES = frozenset({"torch.copy_", "torch.fill_"})
_ASKS = frozenset({"ops.prim.dtype", "ops.prim.device"})
_TEMPORARY = re.compile(r"_\d+")
_END = 2**63 - 1
MOST_AXES = 32

Expr = Callable[[ast.expr], ast.expr]


def is_step(node: ast.expr) -> bool:
    """Whether an expression takes a part of a value along one axis, or gives it an axis."""
    return isinstance(node, ast.Call) and chain(node.func) in _STEPS and bool(node.args)


def inlined(body: Sequence[ast.stmt], uses: Counter[str]) -> list[ast.stmt]:
    """Statements in which each step of an index stands in the next one, where nothing else uses it."""
    kept: list[ast.stmt] = []
    held: dict[str, ast.expr] = {}
    passed: set[str] = set()
    for one in body:
        statement: ast.stmt = _Filled(held).visit(one) if held else one
        kept.append(statement)
        bound = _names(statement, ast.Store)
        held = {word: value for word, value in held.items() if not bound & {word, *_names(value, ast.Load)}}
        name = _assigned(statement)
        if not name or not _TEMPORARY.fullmatch(name) or uses[name] != 1 or not isinstance(statement, ast.Assign):
            continue
        value = statement.value
        if isinstance(value, ast.Call) and is_step(value) and chain(value.func) != "torch.unsqueeze":
            held[name] = value
            passed.add(name)
    left = _names_used(kept)
    return [one for one in kept if not ((name := _assigned(one)) and name in passed and name not in left)]


def uses_of(method: ast.FunctionDef) -> Counter[str]:
    """How often each name is used; asking for its kind of elements does not count."""
    found: Counter[str] = Counter()
    waiting: list[ast.AST] = [method]
    while waiting:
        one = waiting.pop()
        if isinstance(one, ast.Call) and chain(one.func) in _ASKS:
            continue
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load):
            found[one.id] += 1
        waiting.extend(ast.iter_child_nodes(one))
    return found


def index(node: ast.Call, expr: Expr) -> ast.expr | None:
    """Steps that stand in each other as one index, or several; None where they are better left as they are."""
    steps: list[ast.Call] = []
    base: ast.expr = node
    while isinstance(base, ast.Call) and is_step(base):
        steps.insert(0, base)
        base = base.args[0]
    while steps and chain(steps[0].func) == "torch.unsqueeze":
        base = steps.pop(0)
    words = {chain(step.func) for step in steps}
    if not steps or chain(steps[-1].func) == "torch.unsqueeze" or node not in steps:
        return None
    if "torch.slice" not in words and not all(_axis(step) == 0 for step in steps):
        return None
    value = expr(base)
    items: list[ast.expr] = []
    place = 0
    for step in steps:
        axis = _axis(step)
        if axis is None or axis >= MOST_AXES:
            return None
        if axis < 0 or axis < place:
            value, items, place = _taken(value, items), [], 0
        if axis < 0:
            if chain(step.func) == "torch.unsqueeze":
                return None
            behind: list[ast.expr] = [ast.Slice() for _ in range(-axis - 1)]
            value = _taken(value, [ast.Constant(Ellipsis), _item(step, expr), *behind])
            continue
        items += [ast.Slice() for _ in range(axis - place)]
        item = _item(step, expr)
        items.append(item)
        place = axis if chain(step.func) == "torch.select" else axis + 1
    return _taken(value, items)


def written(node: ast.stmt, expr: Expr) -> ast.stmt | None:
    """`x[...] = value`, which TorchScript writes as a copy into a part; None where a statement is no such."""
    value = node.value if isinstance(node, ast.Assign | ast.Expr) else None
    if not isinstance(value, ast.Call) or chain(value.func) not in _WRITES or len(value.args) < 2:
        return None
    part = value.args[0]
    if not isinstance(part, ast.Call) or not is_step(part):
        return None
    target = index(part, expr)
    if not isinstance(target, ast.Subscript):
        return None
    return ast.Assign([ast.Subscript(target.value, target.slice, ast.Store())], expr(value.args[1]))


def _taken(value: ast.expr, items: list[ast.expr]) -> ast.expr:
    if not items:
        return value
    return ast.Subscript(value, items[0] if len(items) == 1 else ast.Tuple(items, ast.Load()), ast.Load())


def _axis(step: ast.Call) -> int | None:
    node = step.args[1] if len(step.args) > 1 else ast.Constant(0)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        told = node.operand.value
        return -told if type(told) is int else None
    return node.value if isinstance(node, ast.Constant) and type(node.value) is int else None


def _item(step: ast.Call, expr: Expr) -> ast.expr:
    word = chain(step.func)
    if word == "torch.unsqueeze":
        return ast.Constant(None)
    if word == "torch.select":
        return expr(step.args[2])
    bounds: list[ast.expr | None] = []
    for at, one in enumerate(step.args[2:5]):
        plain = one.value if isinstance(one, ast.Constant) else one
        bounds.append(None if plain is None or plain == (0, _END, 1)[at] else expr(one))
    return ast.Slice(*bounds)


def _assigned(node: ast.stmt) -> str:
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return ""


def _names(node: ast.AST, how: type[ast.expr_context]) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, how)}


def _names_used(body: Sequence[ast.stmt]) -> set[str]:
    found: set[str] = set()
    waiting: list[ast.AST] = list(body)
    while waiting:
        one = waiting.pop()
        if isinstance(one, ast.Call) and chain(one.func) in _ASKS:
            continue
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load):
            found.add(one.id)
        waiting.extend(ast.iter_child_nodes(one))
    return found


class _Filled(ast.NodeTransformer):
    """Puts steps in the place of the names that hold them, where they are the start of a longer index."""

    def __init__(self, held: dict[str, ast.expr]) -> None:
        self.held = held

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """A call whose first argument may be a step."""
        self.generic_visit(node)
        first = node.args[0] if node.args else None
        if chain(node.func) in _STEPS | _WRITES and isinstance(first, ast.Name) and first.id in self.held:
            node.args[0] = self.held[first.id]
        return node
