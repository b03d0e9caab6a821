"""Definitions: what `class` and `def` make; methods are defined when they are asked for."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archcheck.frontends import dialects
from archcheck.frontends.static import decorators, named, rows
from archcheck.frontends.static.bindings import bindings
from archcheck.frontends.static.loaded import Loaded, Toll
from archcheck.frontends.static.machine import Frame, Raised
from archcheck.frontends.static.opens import Open
from archcheck.frontends.static.sources import SpelledFile, code_of
from archcheck.frontends.static.values import (
    Class,
    Data,
    External,
    Function,
    Later,
    Members,
    Method,
    ModuleScope,
    Scope,
    is_module,
)

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine


HOOK = "__init_subclass__"
WRAPPED = ("__init__", "__new__")


def define_class(vm: Machine, node: ast.ClassDef, scope: Scope) -> Class:
    """The class that `node` defines."""
    bases = tuple(_base(vm, base, scope) for base in node.bases if not isinstance(base, ast.Starred))
    inside = Scope(scope.file, scope, is_class=True)
    cls = Class(node.name, bases, inside, node)
    cls.made_by = vm.loaded.current
    inside.cls = cls
    bound = _bound_in(node)
    for statement in node.body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)) and not _needs_body(statement, bound):
            inside.vars[statement.name] = _Undefined(vm.loaded, statement, inside)
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
    if not isinstance(found, Function) or is_module(cls):
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


@dataclass(frozen=True, slots=True, eq=False)
class _Undefined(Later):
    """A method that is not defined yet: that is done when it is asked for, as if its class was defined then."""

    loaded: Loaded
    node: ast.FunctionDef | ast.AsyncFunctionDef
    inside: Scope

    def value(self, members: Members, name: str) -> Data:
        """The method, defined now."""
        vm, spec = self.loaded.vm, self.node.args
        if not (self.node.decorator_list or spec.defaults or any(spec.kw_defaults)):
            members[name] = found = define_function(vm, self.node, self.inside)
            return found
        with self.loaded.apart(vm, self.inside.file) as toll:
            found = self._defined(vm)
        dict.__setitem__(members, name, found if toll.is_nothing else _Defined(self.loaded, toll, found))
        self.loaded.defined(toll, members, name, self, found)
        return found

    def _defined(self, vm: Machine) -> Data:
        depth = len(vm.frames)
        vm.frames.append(Frame("", self.inside.file, self.node.lineno))
        try:
            return define_function(vm, self.node, self.inside)
        except Raised as error:
            cls = self.inside.cls
            vm.unknown(f"{cls.name if cls else ''}.{self.node.name}", f"defining it raised {error}")
            return Open(f"defining {self.node.name} raised {error}", error.span)
        finally:
            del vm.frames[depth:]


@dataclass(frozen=True, slots=True, eq=False)
class _Defined(Later):
    """A method that was defined, and what there was to note about it."""

    loaded: Loaded
    toll: Toll
    found: Data

    def value(self, members: Members, name: str) -> Data:
        """The method."""
        vm = self.loaded.vm
        if self.toll not in vm.paid:
            self.loaded.pay(vm, self.toll)
        return self.found


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
    if name not in vm.loaded.spelled:
        scope = ModuleScope(SpelledFile(name, text), name)
        scope.vars.update(rows.FORMULA_NAMES)
        (node,) = (node for node in ast.parse(text).body if isinstance(node, ast.ClassDef))
        vm.loaded.spelled[name] = define_class(vm, node, scope)
    return vm.loaded.spelled[name]


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
