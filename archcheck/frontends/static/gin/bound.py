"""What gin binds, for the evaluator: parameters that a caller leaves out, references to functions, scopes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archcheck.frontends.static.gin.syntax import Binding, Items, Macro, Reference, Value, shown
from archcheck.frontends.static.opens import Open
from archcheck.frontends.static.outcomes import Raised
from archcheck.frontends.static.values import Class, Data, External, Function, Native, Scope
from archcheck.ir.span import Setting

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine

CONFIGURABLE = frozenset({"gin.configurable", "gin.register", "gin.tf.configurable", "gin.config.configurable"})
REQUIRED = frozenset({"gin.REQUIRED", "gin.config.REQUIRED"})
Given = dict[str | int, tuple[Setting, ...]]  # settings that decided an argument, by its name or position
DEEPEST = 50  # macros that stand for macros


@dataclass(frozen=True, slots=True)
class Registered:
    """How a function or class is known to gin.

    Args:
        selector: its module and name.
        parameters: the only ones that may be bound; None: all but `refused`.
        refused: parameters that may not be bound.
    """

    selector: str
    parameters: frozenset[str] | None = None
    refused: frozenset[str] = frozenset()

    def allows(self, parameter: str) -> bool:
        return parameter not in self.refused and (self.parameters is None or parameter in self.parameters)


@dataclass(frozen=True, slots=True, eq=False)
class Entered:
    """`with gin.config_scope(name)`: scopes that hold inside."""

    scopes: tuple[str, ...]


# ---- what a function is called with


def supplied(
    vm: Machine, function: Function, args: list[Data], kwargs: dict[str, Data], known: Registered | None = None
) -> tuple[list[Data], dict[str, Data], Given]:
    """The arguments of a call with those that gin supplies, and what decided these.

    What the caller gives stands, save `gin.REQUIRED`, which asks for a binding.

    Args:
        known: how gin knows what is called; None: as the function says.

    Raises:
        Raised: a parameter is bound that it has not.
    """
    known = known or registered(vm, function)
    if known is None:
        return args, kwargs, {}
    spec = function.node.args
    names = [parameter.arg for parameter in (*spec.posonlyargs, *spec.args)]
    given = {*names[: len(args)], *kwargs}
    required = {name for name, value in [*zip(names, args, strict=False), *kwargs.items()] if _is_required(value)}
    defaults = dict(zip(names[len(names) - len(function.defaults) :], function.defaults, strict=True))
    defaults |= {
        one.arg: value
        for one, value, node in zip(spec.kwonlyargs, function.keyword_defaults, spec.kw_defaults, strict=True)
        if node is not None
    }
    found = _bound(vm, known)
    settings: Given = {}
    args, kwargs = list(args), dict(kwargs)
    every = [*names, *(one.arg for one in spec.kwonlyargs)]
    wanted = [*every, *(name for name in found if name not in every)]
    for name in wanted:
        if name in given and name not in required:
            continue
        if not known.allows(name) or name == "self":
            continue
        binding = found.get(name)
        value = _unknown(vm, known, name, binding)
        if binding is not None and name not in every and spec.kwarg is None:
            raise Raised("ValueError", f"{known.selector} has no parameter {name} that gin could bind", binding.span)
        if value is None and binding is not None:
            value = evaluate(vm, binding.value)
        elif value is None:
            if name not in required and not _is_required(defaults.get(name)):
                continue
            value = vm.open(f"{_short(known, name)} is required and no gin file binds it", flag=name)
        if name in names[: len(args)]:
            args[names.index(name)] = value
            settings.update({names.index(name): _setting(known, name, binding)} if binding is not None else {})
        else:
            kwargs[name] = value
            settings.update({name: _setting(known, name, binding)} if binding is not None else {})
    return args, kwargs, settings


def _is_required(value: Data) -> bool:
    return isinstance(value, External) and value.name in REQUIRED


def _bound(vm: Machine, known: Registered) -> dict[str, Binding]:
    configuration = vm.library.gin
    return {} if configuration is None else configuration.of(known.selector, vm.gin_scopes)


def _unknown(vm: Machine, known: Registered, name: str, binding: Binding | None) -> Open | None:
    """A parameter that a file may bind which was not found."""
    configuration = vm.library.gin
    missing = None if configuration is None else configuration.unknown_from(binding)
    if missing is None:
        return None
    return Open(f"{missing.path}, which may bind {_short(known, name)}, is not found", missing.span, name)


def _short(known: Registered, name: str) -> str:
    return f"{known.selector.rpartition('.')[2]}.{name}"


def _setting(known: Registered, name: str, binding: Binding) -> tuple[Setting, ...]:
    scope = f"{binding.scope}/" if binding.scope else ""
    return (Setting(f"{scope}{_short(known, name)}", shown(binding.value), binding.span),)


# ---- how functions and classes are known


def registered(vm: Machine, function: Function) -> Registered | None:
    """How gin knows a function, or the class that it makes instances of; None where it does not."""
    if function.cls is not None and function.name in ("__init__", "__new__"):
        return of_class(vm, function.cls)
    node = function.node
    if isinstance(node, ast.Lambda):
        return None
    return _of(vm, node, function.scope, f"{function.file.module}.{function.name}")


def of_class(vm: Machine, cls: Class) -> Registered | None:
    """How gin knows a class; None where it does not."""
    if cls.node is None or cls.scope.parent is None:
        return None
    return _of(vm, cls.node, cls.scope.parent, f"{cls.file.module}.{cls.name}")


def _of(
    vm: Machine, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope, selector: str
) -> Registered | None:
    for decorator in node.decorator_list:
        call = decorator if isinstance(decorator, ast.Call) else None
        base = decorator if call is None else call.func
        if not _says_configurable(base) or vm.evaluate(base, scope) not in _NAMES:
            continue
        if call is None:
            return Registered(selector)
        given = {keyword.arg: vm.evaluate(keyword.value, scope) for keyword in call.keywords if keyword.arg}
        name = vm.evaluate(call.args[0], scope) if call.args else given.get("name")
        module = given.get("module")
        own_module, _, own_name = selector.rpartition(".")
        name = name if isinstance(name, str) else own_name
        module = module if isinstance(module, str) else own_module
        only = given.get("allowlist") or given.get("whitelist")
        refused = given.get("denylist") or given.get("blacklist")
        return Registered(
            f"{module}.{name}" if module and "." not in name else name,
            frozenset(only) if isinstance(only, list | tuple | set) else None,
            frozenset(refused) if isinstance(refused, list | tuple | set) else frozenset(),
        )
    return None


_NAMES = tuple(External(name) for name in CONFIGURABLE)


def _says_configurable(node: ast.expr) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name in ("configurable", "register")


# ---- values


def evaluate(vm: Machine, value: Value, depth: int = 0) -> Data:
    """What a bound value is where it is used."""
    if isinstance(value, Macro):
        return _macro(vm, value, depth)
    if isinstance(value, Reference):
        return _reference(vm, value)
    if not isinstance(value, Items):
        return value
    if value.kind is dict:
        pairs = [one.items for one in value.items if isinstance(one, Items)]
        try:
            return {evaluate(vm, key, depth): evaluate(vm, item, depth) for key, item in pairs}
        except TypeError:
            return vm.open("a dict of gin whose keys are no keys")
    items = [evaluate(vm, one, depth) for one in value.items]
    return items if value.kind is list else tuple(items)


def _macro(vm: Machine, macro: Macro, depth: int) -> Data:
    configuration = vm.library.gin
    assert configuration is not None
    binding = configuration.macros.get(macro.name)
    missing = configuration.unknown_from(binding)
    if missing is not None:
        return Open(f"{missing.path}, which may bind %{macro.name}, is not found", missing.span, macro.name)
    if binding is None:
        return Open(f"no gin file binds %{macro.name}", macro.span, macro.name)
    if depth >= DEEPEST:
        return Open(f"%{macro.name} stands for itself", macro.span)
    return evaluate(vm, binding.value, depth + 1)


def _reference(vm: Machine, reference: Reference) -> Data:
    target = _target(vm, reference)
    scopes = tuple(reference.scope.split("/")) if reference.scope else None
    if not reference.called:
        if scopes is None or isinstance(target, Open):
            return target
        return Native(str(reference), lambda machine, args, kwargs: _scoped(machine, target, scopes, args, kwargs))
    return _scoped(vm, target, scopes, [], {})


def _scoped(
    vm: Machine, target: Data, scopes: tuple[str, ...] | None, args: list[Data], kwargs: dict[str, Data]
) -> Data:
    with inside(vm, vm.gin_scopes if scopes is None else scopes):
        return vm.call(target, args, kwargs)


def _target(vm: Machine, reference: Reference) -> Data:
    """The function or class that a reference means: the one in the packages that are known whose name ends like it."""
    configuration = vm.library.gin
    assert configuration is not None
    from archcheck.frontends.static import names

    own = vm.frames[0].file.module
    packages = dict.fromkeys(name.partition(".")[0] for name in (own, *configuration.modules, reference.selector))
    last = reference.selector.rpartition(".")[2]
    found: dict[str, Data] = {}
    for package in packages:
        if vm.library.module(package) is None and vm.library.package(package) is None:
            continue
        for file in vm.library.definitions(package, last):
            if not f".{file.module}.{last}".endswith(f".{reference.selector}"):
                continue
            opened = names.opened_by(file.module)
            if opened not in vm.opened and package in names.NAMESPACES:
                vm.opened.add(opened)
                vm.loaded.spoil("more is read than before")
            module = vm.module(file.module)
            value = None if module is None else names.global_value(vm, module.scope, last)
            if isinstance(value, Class | Function) and _is_known(vm, value):
                found[file.module] = value
    if len(found) == 1:
        return next(iter(found.values()))
    several = f" is one of {', '.join(sorted(found))}" if found else " is not in the sources read"
    return Open(f"{reference}{several}", reference.span, reference.selector)


def _is_known(vm: Machine, value: Class | Function) -> bool:
    return (of_class(vm, value) if isinstance(value, Class) else registered(vm, value)) is not None


# ---- scopes


@contextmanager
def inside(vm: Machine, scopes: tuple[str, ...]) -> Iterator[None]:
    """Calls inside are made in these scopes."""
    before, vm.gin_scopes = vm.gin_scopes, scopes
    try:
        yield
    finally:
        vm.gin_scopes = before


def config_scope(vm: Machine, args: list[Data], kwargs: dict[str, Data]) -> Data:
    """`gin.config_scope(name)`: a name goes inside of the scopes around, a list takes their place, None leaves them."""
    given = args[0] if args else kwargs.get("name_or_scope")
    if given is None or given == "":
        return Entered(())
    if isinstance(given, str):
        return Entered((*vm.gin_scopes, *given.split("/")))
    if isinstance(given, list | tuple) and all(isinstance(one, str) for one in given):
        return Entered(tuple(given))
    return vm.open("which scope of gin is entered is not known")
