"""Definitions: what `class` and `def` make; methods are defined when they are asked for."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from archcheck.frontends import dialects
from archcheck.frontends.static import attributes, decorators, named, rows
from archcheck.frontends.static.bindings import bindings
from archcheck.frontends.static.machine import Frame, Raised
from archcheck.frontends.static.sources import SpelledFile, code_of
from archcheck.frontends.static.values import Class, Data, External, Function, Later, Method, Open, Scope

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine


HOOK = "__init_subclass__"
WRAPPED = ("__init__", "__new__")


def define_class(vm: Machine, node: ast.ClassDef, scope: Scope) -> Class:
    """The class that `node` defines."""
    bases = tuple(_base(vm, base, scope) for base in node.bases if not isinstance(base, ast.Starred))
    inside = Scope(scope.file, scope, is_class=True)
    cls = Class(node.name, bases, inside, node)
    inside.cls = cls
    bound = _bound_in(node)
    for statement in node.body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)) and not _needs_body(statement, bound):
            inside.vars[statement.name] = Later(partial(_define_later, vm, statement, inside))
            continue
        try:
            vm.execute([statement], inside)
        except Raised as error:
            vm.unknown(f"class {node.name}", f"a statement of its body raised {error}")
    named.make_members(cls)
    _tell_base(vm, cls)
    for decorator in reversed(node.decorator_list):
        cls = decorators.decorate_class(vm, decorator, cls, scope)
    return cls


def _tell_base(vm: Machine, cls: Class) -> None:
    """Run `__init_subclass__` of a base that is no module: base classes of configurations complete their fields in it.

    How an instance is made stays as the class says: such a hook wraps `__init__` to take any arguments, no more.
    """
    found = next(
        (base.scope.vars[HOOK] for base in cls.mro[1:] if isinstance(base, Class) and HOOK in base.scope.vars),
        None,
    )
    if not isinstance(found, Function) or attributes.is_module(cls):
        return
    own = {name: dict.get(cls.scope.vars, name) for name in WRAPPED}
    try:
        vm.call(Method(found, cls), [], {})
    except Raised as error:
        vm.unknown(f"{cls.name}.{HOOK}", str(error))
    for name, value in own.items():
        if value is None:
            cls.scope.vars.pop(name, None)
        else:
            cls.scope.vars[name] = value


def _bound_in(node: ast.ClassDef) -> Mapping[str, int]:
    """Names that the body of a class binds, with how often; kept with the tree."""
    known: Mapping[str, int] | None = getattr(node, "bound", None)
    if known is None:
        known = node.bound = Counter(  # type: ignore[attr-defined]
            name for statement in node.body for name in bindings(statement).names
        )
    return known


def _needs_body(node: ast.FunctionDef | ast.AsyncFunctionDef, bound: Mapping[str, int]) -> bool:
    """Whether it matters when a method is defined: another statement of the body binds its name, or its decorators and
    defaults use names that the body binds. Kept with the tree."""
    known: bool | None = getattr(node, "needs_body", None)
    if known is None:
        parts = [*node.decorator_list, *node.args.defaults, *(one for one in node.args.kw_defaults if one is not None)]
        known = node.needs_body = bound[node.name] > 1 or any(  # type: ignore[union-attr]
            isinstance(inner, ast.Name) and inner.id in bound for part in parts for inner in ast.walk(part)
        )
    return known


def _define_later(vm: Machine, node: ast.FunctionDef | ast.AsyncFunctionDef, inside: Scope) -> Data:
    """A method, defined when it is asked for, as if that were done when its class was."""
    control, vm.control = vm.control, None
    mark, depth = len(vm.touched), len(vm.frames)
    vm.frames.append(Frame("", inside.file, node.lineno))
    try:
        return define_function(vm, node, inside)
    except Raised as error:
        vm.unknown(f"{inside.cls.name if inside.cls else ''}.{node.name}", f"defining it raised {error}")
        return Open(f"defining {node.name} raised {error}", error.span)
    finally:
        del vm.frames[depth:]
        vm.control = control
        del vm.touched[mark:]


def _base(vm: Machine, node: ast.expr, scope: Scope) -> Data:
    value = vm.evaluate(node, scope)
    if isinstance(value, Open):
        vm.unknown(f"base class {code_of(node)}", value.why)
        return External(f"unread.{code_of(node)}")
    if isinstance(value, tuple) and value and isinstance(value[0], (Class, External)):
        return value[0]  # Generic[...] of a base
    if isinstance(value, External) and (known := spelled_class(vm, value.name)) is not None:
        return known
    return value


def spelled_class(vm: Machine, name: str) -> Class | None:
    """A library's class whose definition its dialect spells; None where it does not."""
    text = dialects.spelled(name)
    if not text:
        return None
    name = dialects.canonical(name)
    if name not in vm.container_classes:
        scope = Scope(SpelledFile(name, text))
        scope.vars.update(rows.FORMULA_NAMES)
        (node,) = (node for node in ast.parse(text).body if isinstance(node, ast.ClassDef))
        vm.container_classes[name] = define_class(vm, node, scope)
    return vm.container_classes[name]


def define_function(vm: Machine, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope) -> Data:
    """The function that `node` defines, behind its decorators."""
    function = Function(node, scope, node.name)
    if scope.is_class:
        function.cls = scope.cls
    function.formula = isinstance(scope.file, SpelledFile)
    function.defaults = [vm.evaluate(default, scope) for default in node.args.defaults]
    function.keyword_defaults = [
        None if default is None else vm.evaluate(default, scope) for default in node.args.kw_defaults
    ]
    result: Data = function
    for decorator in reversed(node.decorator_list):
        result = decorators.decorate_function(vm, decorator, function, result, scope)
    return result
