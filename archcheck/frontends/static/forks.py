"""Which conditions on a tensor decide the architecture: those that choose between calls of modules."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING

from archcheck.frontends.static import contents
from archcheck.frontends.static.opens import Expected, Open
from archcheck.frontends.static.values import (
    Class,
    Data,
    Function,
    Instance,
    Layer,
    Scope,
    Tensor,
    Tensors,
    is_metadata,
)

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine

DEEPEST = 3  # methods that call methods
Find = Callable[[str], Data]


def weighed(vm: Machine, test: Data, node: ast.If | ast.IfExp, scope: Scope) -> Data:
    """`test`; as an open condition, of which both sides are read, where it is about a tensor's shape, type or device
    and what `node` runs on one of its sides calls a module.

    Other conditions of that kind are taken as false: they guard what is done about odd sizes. Where a random number
    decides, a module that only one side calls is what may be dropped, and is kept; where both sides call one, it is a
    choice, and both are read.
    """
    test = contents.told(vm, test)
    by_number, vm.by_number = vm.by_number or by_chance(vm, test) is not None, False
    if by_number:
        first, second = (_side_calls(side, _names(scope)) for side in (node.body, node.orelse))
        if first and second:
            return Open("a random number decides it", test.span if isinstance(test, Open) else vm.here())
        return first if first or second else test
    if not (is_metadata(test) or isinstance(test, (Tensor, Tensors))):
        return test
    if not _calls_module(_callees(node), _names(scope), DEEPEST):
        return test
    if isinstance(test, Expected):
        return test.weighty()
    return Open(test.why, test.span) if isinstance(test, Open) else Open("it is decided by a tensor's content")


def by_chance(vm: Machine, test: Data) -> bool | None:
    """The truth of a random number that is held against a probability, as in `torch.rand([]) < self.layerdrop`: what
    is dropped at random, with a small probability, is kept. None for any other condition.

    Layers left out at random: Fan, Grave, Joulin, "Reducing Transformer Depth on Demand with Structured Dropout"
    (2020), Section 3; Huang et al., "Deep Networks with Stochastic Depth" (2016), Section 3.
    """
    op = vm.recorder.by_path.get(test.value.op) if isinstance(test, Tensor) else None
    if op is None or op.kind.name != "compare" or len(op.reads) != 1:
        return None
    drawn = vm.recorder.by_path.get(op.reads[0].op)
    relation = op.attr("relation")
    if drawn is None or drawn.kind.name != "random" or drawn.reads or relation not in ("lt", "le", "gt", "ge"):
        return None
    vm.assume("what is dropped at random is kept")
    vm.by_number = True
    return relation in ("gt", "ge")


def _names(scope: Scope) -> Find:
    def find(name: str) -> Data:
        inner: Scope | None = scope
        while inner is not None:
            if name in inner.vars:
                return inner.vars[name]
            inner = inner.parent
        return None

    return find


def calls_module(body: list[ast.stmt], scope: Scope) -> bool:
    """Whether these statements call a module."""
    return _side_calls(body, _names(scope))


def _side_calls(side: object, find: Find) -> bool:
    """Whether one side of a condition calls a module."""
    called = [one.func for part in _listed(side) for one in ast.walk(part) if isinstance(one, ast.Call)]
    return _calls_module(called, find, DEEPEST)


def _calls_module(callees: list[ast.expr], find: Find, depth: int) -> bool:
    for callee in callees:
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
    return _calls_module(_callees(function.node), lambda local: owner if local == receiver else None, depth)


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
