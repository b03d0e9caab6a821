"""Which conditions on a tensor decide the architecture: those that choose between calls of modules."""

from __future__ import annotations

import ast
from collections.abc import Callable

from archcheck.frontends.static.values import Class, Data, Function, Instance, Layer, Open, Scope, is_metadata

DEEPEST = 3  # methods that call methods
Find = Callable[[str], Data]


def weighed(test: Data, node: ast.If | ast.IfExp, scope: Scope) -> Data:
    """`test`; as an open condition, of which both sides are read, where it is about a tensor's shape, type or device
    and what `node` runs on one of its sides calls a module.

    Other conditions of that kind are taken as false: they guard what is done about odd sizes.
    """
    if not is_metadata(test):
        return test
    assert isinstance(test, Open)
    return Open(test.why, test.span) if _calls_module(node, _names(scope), DEEPEST) else test


def _names(scope: Scope) -> Find:
    def find(name: str) -> Data:
        inner: Scope | None = scope
        while inner is not None:
            if name in inner.vars:
                return inner.vars[name]
            inner = inner.parent
        return None

    return find


def _calls_module(node: ast.AST, find: Find, depth: int) -> bool:
    for callee in _callees(node):
        found = _held(callee, find)
        if isinstance(found, Layer) or (isinstance(found, Instance) and _is_module(found.cls)):
            return True
        if found is None and isinstance(callee, ast.Attribute) and depth:
            owner = _held(callee.value, find)
            if isinstance(owner, Instance) and _method_calls_module(owner, callee.attr, depth - 1):
                return True
    return False


def _is_module(cls: Class) -> bool:
    return bool(cls.lookup("forward") or cls.lookup("call"))


def _method_calls_module(owner: Instance, name: str, depth: int) -> bool:
    method = owner.cls.lookup(name)
    function = method[1] if method else None
    if not isinstance(function, Function) or isinstance(function.node, ast.Lambda) or not function.node.args.args:
        return False
    receiver = function.node.args.args[0].arg
    return _calls_module(function.node, lambda local: owner if local == receiver else None, depth)


def _callees(node: ast.AST) -> list[ast.expr]:
    """What the sides of a condition, or a function, call; kept with the tree, which is read once for each layer."""
    known: list[ast.expr] | None = getattr(node, "callees", None)
    if known is None:
        body: list[ast.AST] = [
            *_listed(getattr(node, "body", ())),
            *_listed(getattr(node, "orelse", ())),
        ]
        known = [one.func for side in body for one in ast.walk(side) if isinstance(one, ast.Call)]
        node.callees = known  # type: ignore[attr-defined]
    return known


def _listed(side: object) -> list[ast.AST]:
    if isinstance(side, ast.AST):
        return [side]
    return [one for one in side if isinstance(one, ast.AST)] if isinstance(side, (list, tuple)) else []


def _held(node: ast.expr, find: Find) -> Data:
    """What a name or an attribute of an object holds, where telling takes no evaluation."""
    if isinstance(node, ast.Name):
        return find(node.id)
    if isinstance(node, ast.Attribute):
        owner = _held(node.value, find)
        return owner.attributes.get(node.attr) if isinstance(owner, Instance) else None
    if isinstance(node, ast.Subscript):
        owner = _held(node.value, find)
        items = owner.items if isinstance(owner, Instance) else owner
        if isinstance(items, dict):
            items = list(items.values())
        return items[0] if isinstance(items, list) and items else None
    return None
