"""Names: modules read on demand, imports, definitions of classes and functions, look-up through scopes."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from archcheck.frontends import dialects
from archcheck.frontends.static.machine import Raised
from archcheck.frontends.static.natives import BUILTINS
from archcheck.frontends.static.opens import Open
from archcheck.frontends.static.sources import code_of
from archcheck.frontends.static.values import Class, Data, External, Function, Instance, ModuleScope, ModuleValue, Scope
from archcheck.ir.span import Setting

if TYPE_CHECKING:
    from archcheck.frontends.static.index import Entry
    from archcheck.frontends.static.loaded import Toll
    from archcheck.frontends.static.machine import Machine

# Packages that the dialects speak for: their names mean what the tables say, and their sources are not read, so that a
# model reads the same whether or not a framework is installed.
NAMESPACES = frozenset(sys.stdlib_module_names) | {
    "torch", "tensorflow", "keras", "tf_keras", "jax", "flax", "haiku", "numpy", "einops", "six", "mesh_tensorflow",
    "torchvision", "torchaudio", "scipy", "absl", "apex", "flash_attn", "xformers", "typing_extensions", "packaging",
    "optax", "chex", "jaxlib", "gin", "huggingface_hub", "safetensors", "tokenizers", "tqdm", "yaml",
}  # fmt: skip


_INNER = ("src", "_src")  # a framework keeps all of its source in such a folder
LIBRARIES = frozenset({"torchvision", "torchaudio", "mesh_tensorflow"})  # of models: what they define is read whole


def module(vm: Machine, dotted: str) -> ModuleValue | None:
    """The module called `dotted`, if its source is to be read."""
    if dotted in vm.loaded.modules:
        vm.library.footprint.asked.add(("module", dotted))
        return vm.loaded.modules[dotted]
    top = dotted.partition(".")[0]
    if top in NAMESPACES and not any(dotted == part or dotted.startswith(f"{part}.") for part in vm.opened):
        return None
    file = vm.library.module(dotted)
    if file is None:
        return None
    found = vm.loaded.modules[dotted] = ModuleValue(file, ModuleScope(file, dotted))
    return found


def opened_by(dotted: str) -> str:
    """The package that is read when a target is in module `dotted`: of a framework, only the part around it."""
    top, _, rest = dotted.partition(".")
    if top in LIBRARIES:
        return top
    if top not in NAMESPACES or not rest:
        return top
    parts = rest.split(".")
    return ".".join((top, *parts[: 2 if parts[0] in _INNER else 1]))


def module_scope(scope: Scope) -> Scope:
    """The scope of the module in which `scope` stands."""
    while scope.parent is not None:
        scope = scope.parent
    return scope


def load(vm: Machine, name: str, scope: Scope) -> Data:
    """The value of `name` as code in `scope` sees it."""
    at: Scope | None = scope
    while at is not None:
        if name in at.vars and (not at.is_class or at is scope):
            if name in at.tolls and at.tolls[name] not in vm.paid:
                vm.loaded.pay(vm, at.tolls[name])
            settings = at.settings.get(name)
            if settings is not None:
                vm.touch(settings)
            return at.vars[name]
        if at.parent is None:
            break
        at = at.parent
    assert at is not None
    found = global_value(vm, at, name)
    if not isinstance(found, _Missing):
        return found
    if name in BUILTINS:
        return BUILTINS[name]
    if name == "__class__" and scope.cls is not None:
        return scope.cls
    vm.unknown(name, "the name is not defined in the sources read")
    return vm.open(f"the name {name} is not defined")


def store(scope: Scope, name: str, value: Data, settings: tuple[Setting, ...]) -> None:
    """Bind `name` in `scope`, with what decided its value."""
    scope = scope.outer_names.get(name, scope)
    scope.vars[name] = value
    if settings:
        scope.settings[name] = settings
    elif scope.settings:
        scope.settings.pop(name, None)


class _Missing:
    pass


MISSING = _Missing()


class Pending(Open):
    """The value of a name whose definition is being evaluated."""

    __slots__ = ()


def global_value(vm: Machine, scope: Scope, name: str) -> Data:
    """The value of `name` in the module whose scope this is, evaluating only the statements that bind it."""
    if name in scope.vars:
        if name in scope.tolls and scope.tolls[name] not in vm.paid:
            vm.loaded.pay(vm, scope.tolls[name])
        return scope.vars[name]
    entries = scope.file.index.names.get(name, ())
    if not entries or not isinstance(scope, ModuleScope):
        return _from_star(vm, scope, name)
    with top_level(vm, scope) as toll:
        scope.vars[name] = Pending(f"{name} is defined in terms of itself")
        scope.tolls[name] = toll
        before = {other: scope.vars.get(other) for entry in entries for other in entry.names}
        ran = _bind(vm, scope, name, entries)
        bound = [name, *(other for other, value in before.items() if scope.vars.get(other, value) is not value)]
        vm.loaded.bound(toll, scope, list(dict.fromkeys(bound)), ran)
    return scope.vars[name]


def _bind(vm: Machine, scope: ModuleScope, name: str, entries: Sequence[Entry]) -> list[ast.stmt]:
    """Evaluate the statements that bind `name`; those that have run."""
    bound_at = entries[-1].line
    ran: list[ast.stmt] = []
    try:
        statements = [entry.parse() for entry in entries]
        ran += statements
        scope.executed.update(statements)
        if (first := _chain_from(statements, name)) < len(statements) - 1:
            lines = range(entries[first].line, bound_at)
            between = [entry for entry in scope.file.index.changes.get(name, ()) if entry.line in lines]
            for entry in sorted([*entries[first:], *between], key=lambda one: one.line):
                ran.append(entry.parse())
                scope.executed.add(entry.parse())
                vm.execute([entry.parse()], scope)
        else:
            # Only the last binding counts; one that stands in a branch not taken leaves the one before.
            before = scope.vars[name]
            for node in reversed(statements):
                if isinstance(node, (ast.Import, ast.ImportFrom)):
                    _import_one(vm, node, name, scope)
                elif (inner := _for_type_checkers(node, name)) is not None:
                    _import_one(vm, inner, name, scope)
                else:
                    vm.execute([node], scope)
                if scope.vars.get(name) is not before:
                    bound_at = node.lineno
                    break
        ran += _change(vm, scope, name, bound_at)
    except Raised as error:
        scope.vars[name] = Open(f"evaluating {name} raised {error}", error.span)
    return ran


@contextmanager
def top_level(vm: Machine, scope: Scope) -> Iterator[Toll]:
    """Statements of a module are evaluated inside: nothing that led here decides about them."""
    with vm.loaded.apart(vm, scope.file) as toll:
        vm.loading += 1
        try:
            yield toll
        finally:
            vm.loading -= 1


def _chain_from(statements: list[ast.stmt], name: str) -> int:
    """The first of the bindings of `name` that count: the last, and those before it on which it builds
    (`TABLE = dict(TABLE, more=1)`, `SIZES += [3]`, `Model = extended(Model)`)."""
    at = len(statements) - 1
    while at and _builds_on(statements[at], name):
        at -= 1
    return at


def _builds_on(node: ast.stmt, name: str) -> bool:
    if isinstance(node, ast.AugAssign):
        return True
    parts: list[ast.AST | None] = []
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        parts = [node.value]
    elif isinstance(node, ast.ClassDef):
        parts = [*node.bases, *node.decorator_list]
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        parts = [*node.args.defaults, *node.args.kw_defaults, *node.decorator_list]
    return any(
        isinstance(inner, ast.Name) and inner.id == name and isinstance(inner.ctx, ast.Load)
        for part in parts
        if part is not None
        for inner in ast.walk(part)
    )


def _change(vm: Machine, scope: ModuleScope, name: str, bound_at: int) -> list[ast.stmt]:
    """Run what a module does to a value after it bound it: `TABLE["key"] = ...`, `TABLE.update(...)`, `f.key = ...`."""
    ran: list[ast.stmt] = []
    if not isinstance(scope.vars[name], (dict, list, set, Function, Class, Instance)):
        return ran
    for entry in scope.file.index.changes.get(name, ()):
        if entry.line <= bound_at or (node := entry.parse()) in scope.executed:
            continue
        ran.append(node)
        scope.executed.add(node)
        try:
            vm.execute([node], scope)
        except Raised as error:
            vm.unknown(name, f"changing it raised {error}")
    return ran


def _import_one(vm: Machine, node: ast.Import | ast.ImportFrom, name: str, scope: Scope) -> None:
    """Bind `name` alone of what an import statement binds: the others may never be needed."""
    for alias in node.names:
        if (alias.asname or alias.name.partition(".")[0]) == name:
            for bound, value in imported(vm, node, alias, scope):
                store(scope, bound, value, ())


def _for_type_checkers(node: ast.stmt, name: str) -> ast.Import | ast.ImportFrom | None:
    """The import of `name` in an `if TYPE_CHECKING` block, by which packages that import lazily say what they hold."""
    if not isinstance(node, ast.If) or "TYPE_CHECKING" not in code_of(node.test):
        return None
    for inner in ast.walk(node):
        if isinstance(inner, (ast.Import, ast.ImportFrom)):
            for alias in inner.names:
                if (alias.asname or alias.name.partition(".")[0]) == name:
                    return inner
    return None


def _from_star(vm: Machine, scope: Scope, name: str) -> Data:
    for star in scope.file.index.star_imports:
        dotted = scope.file.absolute(star.level, star.module)
        if dotted is None or name.startswith("_"):
            continue
        if dialects.known(f"{dotted}.{name}"):
            return External(dialects.canonical(f"{dotted}.{name}"))
        source = vm.module(dotted)
        if source is not None:
            found = global_value(vm, source.scope, name)
            if not isinstance(found, _Missing):
                return found
    return MISSING


def imported(
    vm: Machine, node: ast.Import | ast.ImportFrom, alias: ast.alias, scope: Scope
) -> Iterator[tuple[str, Data]]:
    """The names that one part of an import statement binds, with their values."""
    if isinstance(node, ast.Import):
        dotted = alias.name if alias.asname else alias.name.partition(".")[0]
        yield alias.asname or dotted, vm.module(dotted) or External(dialects.canonical(dotted))
        return
    if alias.name == "*":
        return  # names are looked up through the star when they are asked for
    yield (
        alias.asname or alias.name,
        member(vm, module_scope(scope).file.absolute(node.level, node.module or "") or "", alias.name),
    )


def member(vm: Machine, dotted: str, name: str) -> Data:
    """What `from dotted import name` gives."""
    qualified = f"{dotted}.{name}"
    source = vm.module(dotted)
    # A model library's base class is read where its source is at hand: its methods matter, not only which of them a
    # call runs. A framework's base class is what the dialect says.
    framework = qualified.partition(".")[0] in NAMESPACES
    spelled = dialects.base_methods(qualified) is not None or bool(dialects.spelled(qualified))
    if dialects.known(qualified) and (source is None or framework or not spelled):
        return External(dialects.canonical(qualified))
    if framework and source is not None and _is_computed(qualified):
        return External(dialects.canonical(qualified))
    # What the package's own statements bind counts before a module in it, and that before what it imports by a star.
    if source is None or (name not in source.scope.vars and name not in source.file.index.names):
        inner = vm.module(qualified)
        if inner is not None:
            return inner
    if source is None:
        return External(dialects.canonical(qualified))
    found = global_value(vm, source.scope, name)
    if isinstance(found, Pending):  # a package that imports a module in it: `from package import module`
        return vm.module(qualified) or found
    return _lazily_exported(vm, dotted, name) if isinstance(found, _Missing) else found


def _is_computed(qualified: str) -> bool:
    """Whether the evaluator itself computes what a framework's name does."""
    from archcheck.frontends.static.libraries import LIBRARY

    return dialects.canonical(qualified) in LIBRARY


def _lazily_exported(vm: Machine, dotted: str, name: str) -> Data:
    """A name that a package gives without a statement that binds it: found where one module right below defines it, or
    among what the module takes from a framework by a star."""
    for inner in vm.library.modules(dotted):
        source = vm.module(inner)
        if source is not None and name in source.file.index.names:
            return global_value(vm, source.scope, name)
    own = vm.module(dotted)
    for star in own.file.index.star_imports if own is not None else ():
        place = own.file.absolute(star.level, star.module) if own is not None else None
        if place and place.partition(".")[0] in NAMESPACES and vm.module(place) is None:
            return External(dialects.canonical(f"{place}.{name}"))
    return External(f"{dotted}.{name}")


def read_external(vm: Machine, name: str) -> Data:
    """The class or function called `name` of a namespace whose dialect does not list it, read from its source."""
    dotted, _, last = name.rpartition(".")
    top = dotted.partition(".")[0]
    only_types = top in sys.stdlib_module_names or top == "typing_extensions"
    if not dotted or only_types or not dialects.may_be_read(name) or vm.library.module(dotted) is None:
        return None
    if opened_by(dotted) not in vm.opened:
        vm.opened.add(opened_by(dotted))
        vm.loaded.spoil("more is read than before")
    source = vm.module(dotted)
    found = None if source is None else global_value(vm, source.scope, last)
    return found if isinstance(found, (Class, Function)) else None
