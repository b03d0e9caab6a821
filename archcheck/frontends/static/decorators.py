"""Decorators: those that change nothing, those that are read and applied, and those behind which nothing is certain."""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING

from archcheck.errors import TargetError
from archcheck.frontends import dialects
from archcheck.frontends.static.outcomes import Raised
from archcheck.frontends.static.sources import code_of
from archcheck.frontends.static.values import (
    Class,
    Data,
    External,
    Function,
    Inert,
    Instance,
    Method,
    Native,
    Partial,
    Scope,
    Tensor,
    Tensors,
)

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine

ROLES = {
    "staticmethod": "static",
    "classmethod": "class",
    "property": "property",
    "cached_property": "property",
    "classproperty": "property",
}


def decorate_function(vm: Machine, node: ast.expr, function: Function, value: Data, scope: Scope) -> Data:
    """What one decorator makes of a function."""
    base = node.func if isinstance(node, ast.Call) else node
    last = code_of(base).rpartition(".")[2]
    if last in ROLES:
        function.role = ROLES[last]
        return value
    if last in ("setter", "deleter", "getter") and isinstance(base, ast.Attribute):
        previous = scope.vars.get(function.name)
        if last == "setter":
            scope.vars[f"{function.name}.setter"] = function
        return previous if previous is not None else value
    if _changes_nothing(vm, base, scope):
        return value
    result = _applied(vm, node, value, scope)
    if isinstance(result, (Function, Partial, Instance, Native)):
        if isinstance(result, Function) and result is not function:
            result.wrapped = function
            if result.cls is None:
                result.cls = function.cls
        return result
    function.veil = f"the decorator {last}"
    return value


def decorate_class(vm: Machine, node: ast.expr, cls: Class, scope: Scope) -> Class:
    """What one decorator makes of a class."""
    base = node.func if isinstance(node, ast.Call) else node
    if _changes_nothing(vm, base, scope):
        return cls
    result = _applied(vm, node, cls, scope)
    if isinstance(result, Class):
        return result
    cls.veil = f"the decorator {code_of(base).rpartition('.')[2]}"
    return cls


def _changes_nothing(vm: Machine, base: ast.expr, scope: Scope) -> bool:
    """Whether a decorator leaves what it decorates as it is, as far as what is computed goes."""
    try:
        value = vm.evaluate(base, scope)
    except (Raised, TargetError):
        return False
    if isinstance(value, (Inert, Native)):
        return True
    if isinstance(value, External):
        if value.name == "functools.partial":
            return False  # what it leaves open decides
        top = value.name.partition(".")[0]
        return top in sys.stdlib_module_names or dialects.is_transparent(value.name) or dialects.is_ignored(value.name)
    if isinstance(value, (Function, Class)):
        qualified = f"{value.file.module}.{value.name}"
        if dialects.is_transparent(qualified):
            vm.assume(f"the decorator {value.name} leaves what it decorates as it is")
            return True
    return False


def _leaves(function: Data) -> bool:
    """Whether a library's decorator, of which some settings are given, leaves what it decorates as it is."""
    if not isinstance(function, External):
        return False
    top = function.name.partition(".")[0]
    listed = dialects.is_transparent(function.name) or dialects.is_ignored(function.name)
    return listed or top in sys.stdlib_module_names


def _applied(vm: Machine, node: ast.expr, value: Data, scope: Scope) -> Data:
    """What a decorator gives when its code is read; None where it is not."""
    from archcheck.frontends.static.libraries import LIBRARY

    try:
        decorator = vm.evaluate(node, scope)
        if isinstance(decorator, Partial) and _leaves(decorator.function):
            return value
        if isinstance(decorator, External):
            known = dialects.formula(decorator.name) is not None or decorator.name in LIBRARY
        else:
            known = isinstance(decorator, (Function, Class, Instance, Method, Partial, Native))
        if not known:
            return None
        return vm.call(decorator, [value], {})
    except (Raised, TargetError):
        return None


def only_documents(node: ast.AST) -> bool:
    """Whether a function gives back its first argument and changes nothing but its documentation; kept with the tree.

    Packages write their docstrings by such functions, at the cost of everything else in a module.
    """
    known: bool | None = getattr(node, "only_documents", None)
    if known is None:
        known = isinstance(node, ast.FunctionDef) and _documents(node)
        node.only_documents = known  # type: ignore[attr-defined]
    return known


def _documents(node: ast.FunctionDef) -> bool:
    parameters = [*node.args.posonlyargs, *node.args.args]
    last = node.body[-1]
    if not parameters or not isinstance(last, ast.Return) or not isinstance(last.value, ast.Name):
        return False
    given = parameters[0].arg
    if last.value.id != given or "__doc__" not in _attributes_set(node):
        return False

    def is_given(value: ast.AST | None) -> bool:
        return isinstance(value, ast.Name) and value.id == given

    own = {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
    for inner in ast.walk(node):
        if isinstance(inner, ast.Return):
            allowed = is_given(inner.value)
        elif isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store):
            allowed = is_given(inner.value) and inner.attr == "__doc__"
        elif isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            allowed = inner.id != given
        elif isinstance(inner, ast.Call):
            allowed = not any(map(is_given, [*inner.args, *(keyword.value for keyword in inner.keywords)]))
        elif isinstance(inner, ast.Subscript):
            allowed = isinstance(inner.ctx, ast.Load) or (isinstance(inner.value, ast.Name) and inner.value.id in own)
        elif isinstance(inner, ast.Expr):
            allowed = isinstance(inner.value, ast.Constant)
        else:
            allowed = inner is node or not isinstance(inner, _OTHER_EFFECTS)
        if not allowed:
            return False
    return True


_OTHER_EFFECTS = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef, ast.Yield, ast.YieldFrom, ast.Await, ast.Global,
    ast.Nonlocal, ast.Delete, ast.Import, ast.ImportFrom, ast.With, ast.Try,
)  # fmt: skip


def _attributes_set(node: ast.FunctionDef) -> set[str]:
    return {
        inner.attr for inner in ast.walk(node) if isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store)
    }


def veiled(vm: Machine, value: Data, name: str, depth: int = 4) -> Data:
    """`value` as it comes out from behind something that could not be read: its tensors may be anything."""
    if isinstance(value, (Tensor, Tensors)):
        return vm.opaque(name, [value], f"{name} could not be read")
    if depth and isinstance(value, tuple) and type(value) is tuple:
        return tuple(veiled(vm, item, name, depth - 1) for item in value)
    if depth and isinstance(value, list):
        return [veiled(vm, item, name, depth - 1) for item in value]
    if depth and isinstance(value, dict):
        return {key: veiled(vm, item, name, depth - 1) for key, item in value.items()}
    if depth and isinstance(value, Instance):
        for key, item in value.attributes.items():
            if isinstance(item, Tensor):
                value.attributes[key] = veiled(vm, item, name, depth - 1)
    return value
