"""Registries: dicts that a module makes, and that decorators and calls at the top level of modules fill.

Modules are evaluated name by name, as far as the target needs them. What is registered is needed without being named:
it is run when something is looked for in a registry, and not found.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from archcheck.frontends.static import names
from archcheck.frontends.static.outcomes import Raised
from archcheck.frontends.static.values import Class, Data, Function, Instance, Method, ModuleValue, Registry

if TYPE_CHECKING:
    from archcheck.frontends.static.index import Entry
    from archcheck.frontends.static.machine import Machine

_DECORATORS = re.compile(r"^@[ \t]*(\w+)", re.MULTILINE)


def made(vm: Machine, found: dict[Data, Data]) -> dict[Data, Data]:
    """A dict that was just made: a registry, where a module makes it empty."""
    return Registry() if vm.loading and not found and type(found) is dict else found


def complete(vm: Machine, owner: Data) -> bool:
    """Fill the registries of the modules that were read so far; whether there was anything to run."""
    if (
        not isinstance(owner, Registry) or vm.loading
    ):  # while modules are loaded only names that are taken are asked for
        return False
    ran = False
    for module in list(vm.modules.values()):
        if module.file in vm.registered:
            continue
        vm.registered.add(module.file)
        for entry in module.file.index.entries:
            if entry.kind == "other":
                ran |= _call(vm, module, entry)
            elif entry.kind in ("class", "def") and entry.text[:1] == "@" and entry.names[0] not in module.scope.vars:
                ran |= _decorate(vm, module, entry)
    return ran


def _call(vm: Machine, module: ModuleValue, entry: Entry) -> bool:
    """Run `register("name", Block)`."""
    node = entry.parse()
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call) or node in vm.executed:
        return False
    root = node.value.func
    while isinstance(root, ast.Attribute | ast.Call):
        root = root.value if isinstance(root, ast.Attribute) else root.func
    if not isinstance(root, ast.Name) or not _is_read(names.global_value(vm, module.scope, root.id)):
        return False
    vm.executed.add(node)
    with names.top_level(vm, module.scope):
        try:
            vm.execute([node], module.scope)
        except Raised as error:
            vm.unknown("a registry", f"what registers something raised {error}")
    return True


def _decorate(vm: Machine, module: ModuleValue, entry: Entry) -> bool:
    """Define what `@register("name")` decorates."""
    head = entry.text[: entry.text.find("\nclass " if entry.kind == "class" else "\ndef ") + 1]
    roots = set(_DECORATORS.findall(head))
    if not any(_is_read(names.global_value(vm, module.scope, root)) for root in roots):
        return False
    names.global_value(vm, module.scope, entry.names[0])
    return True


def _is_read(value: Data) -> bool:
    """Whether a value is code that was read, and may do anything; what a framework's functions do is known."""
    return isinstance(value, Function | Class | Instance | Method)
