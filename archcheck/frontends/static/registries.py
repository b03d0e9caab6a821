"""Registries: dicts that a module makes, and that decorators and calls at the top level of modules fill.

Modules are evaluated name by name, as far as the target needs them. What is registered is needed without being named:
it is run when something is looked for in a registry, and not found. `create_model("resnet50")` is asked of a package
whose `__init__` imports every model: of these only the one that registers the name is read.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from archcheck.errors import TargetError
from archcheck.frontends import dialects
from archcheck.frontends.static import names
from archcheck.frontends.static.natives import CHANGES
from archcheck.frontends.static.outcomes import Raised
from archcheck.frontends.static.values import Class, Data, Function, Instance, Method, ModuleValue, Partial, Registry

if TYPE_CHECKING:
    from archcheck.frontends.static.index import Entry
    from archcheck.frontends.static.library import SourceFile
    from archcheck.frontends.static.machine import Machine


def made(vm: Machine, found: dict[Data, Data]) -> dict[Data, Data]:
    """A dict that was just made: it may be a registry, where a module makes it."""
    if not vm.loading or type(found) is not dict:
        return found
    registry = Registry(found)
    registry.package = vm.frames[0].file.package
    return registry


def complete(vm: Machine, owner: Data, key: Data = None) -> bool:
    """Fill the registries of the modules that were read so far; whether there was anything to run.

    Args:
        vm: the evaluation.
        owner: in which something is looked for; nothing happens where it is no registry.
        key: what is looked for. A name that none of these modules registers is looked for in the registry's package.
    """
    if (
        not isinstance(owner, Registry) or vm.loading
    ):  # while modules are loaded only names that are taken are asked for
        return False
    ran = _run_met(vm)
    if isinstance(key, str) and key not in owner and owner.package:
        ran |= _run_elsewhere(vm, owner, key)
    if ran:
        vm.loaded.spoil("registries were filled")
    return ran


def _run_met(vm: Machine) -> bool:
    """Run all that the modules register that were read so far."""
    ran = False
    for module in vm.loaded.met(vm):
        if module.file in vm.registered:
            continue
        vm.registered.add(module.file)
        for entry in module.file.index.entries:
            if entry.kind == "other":
                ran |= _call(vm, module, entry)
        for entry, roots in module.file.index.decorated:
            if entry.names[0] not in module.scope.vars and any(_registers(vm, module, root) for root in roots):
                names.global_value(vm, module.scope, entry.names[0])
                ran = True
    return ran


def _run_elsewhere(vm: Machine, owner: Registry, key: str) -> bool:
    """Run what registers `key` in a module of the registry's package that was not read so far: it is taken as imported.

    That is a decorated definition of this name, or one whose decorator spells it. Where several modules have one, which
    of them is imported last is not known, and none is run.
    """
    if (owner.package, key) in vm.sought:
        return False
    vm.sought.add((owner.package, key))
    files = vm.library.definitions(owner.package, key) or tuple(_spelling(vm, owner.package, key))
    found: list[tuple[ModuleValue, str]] = []
    for file in files:
        module = vm.module(file.module)
        for entry, roots in file.index.decorated if module is not None else ():
            named = entry.names[0] == key or _spells(entry, key)
            if module is not None and named and any(_registers(vm, module, root) for root in roots):
                found.append((module, entry.names[0]))
    if len(found) != 1:
        return False
    [(module, name)] = found
    names.global_value(vm, module.scope, name)
    return True


def _spelling(vm: Machine, package: str, key: str) -> Iterator[SourceFile]:
    """The files of a package in which a decorator spells `key`."""
    quoted = [f"{mark}{key}{mark}".encode() for mark in "'\""]
    for file in vm.library.walk(package):
        try:
            data = file.content()
            if any(one in data for one in quoted) and any(_spells(entry, key) for entry, _ in file.index.decorated):
                yield file
        except TargetError:
            continue  # a file that cannot be read registers nothing


def _spells(entry: Entry, key: str) -> bool:
    """Whether a decorator of a definition is called with `key`."""
    node = entry.parse()
    assert isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    calls = [one for one in node.decorator_list if isinstance(one, ast.Call)]
    given = [value for call in calls for value in (*call.args, *(keyword.value for keyword in call.keywords))]
    return any(isinstance(one, ast.Constant) and one.value == key for one in given)


def _call(vm: Machine, module: ModuleValue, entry: Entry) -> bool:
    """Run `register("name", Block)`."""
    node = entry.parse()
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call) or node in module.scope.executed:
        return False
    root = _root(node.value)
    if not root or not _registers(vm, module, root):
        return False
    module.scope.executed.add(node)
    with names.top_level(vm, module.scope):
        try:
            vm.execute([node], module.scope)
        except Raised as error:
            vm.unknown("a registry", f"what registers something raised {error}")
    return True


def _registers(vm: Machine, module: ModuleValue, name: str) -> bool:
    """Whether code that was read under `name` may put something where it stays."""
    value = names.global_value(vm, module.scope, name)
    while isinstance(value, Partial | Method):
        value = value.function
    if isinstance(value, Function | Class):
        if dialects.is_transparent(f"{value.file.module}.{value.name}"):
            return False
        return value.node is not None and _puts(value.node)
    return isinstance(value, Instance) and value.cls.node is not None and _puts(value.cls.node)


def _puts(node: ast.AST) -> bool:
    """Whether code puts something into what is none of its own variables; kept with the tree."""
    known: bool | None = getattr(node, "puts", None)
    if known is None:
        inner = list(ast.walk(node))
        own = {one.arg for one in inner if isinstance(one, ast.arg)} - {"self", "cls"}
        own |= {one.id for one in inner if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
        known = any(_root(target) not in own for one in inner for target in _put_into(one))
        node.puts = known  # type: ignore[attr-defined]
    return known


def _put_into(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
        yield node.value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGES:
        yield node.func.value


def _root(node: ast.expr) -> str:
    """The name with which an expression begins; "" where it begins with something else."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""
