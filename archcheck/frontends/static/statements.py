"""Evaluation of statements: each handler gives None, or the signal that ends its block."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING

from archcheck.frontends.static import (
    conditions,
    containers,
    definitions,
    forks,
    iteration,
    loops,
    names,
    patterns,
    unsettled,
)
from archcheck.frontends.static.gin.bound import Entered
from archcheck.frontends.static.machine import Raised, flatten_tensors
from archcheck.frontends.static.opens import Open
from archcheck.frontends.static.signals import BREAK, CONTINUE, Signal
from archcheck.frontends.static.sources import code_of
from archcheck.frontends.static.values import (
    SCALARS,
    Class,
    Data,
    Instance,
    ModuleScope,
    Scope,
    Tensor,
    Tensors,
    is_open,
    is_undecided,
    shown,
)
from archcheck.ir.span import Setting

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine


def execute(vm: Machine, body: list[ast.stmt], scope: Scope) -> Signal | None:
    """Run `body`; gives the signal that ended it, if one did.

    Raises:
        Raised: the code raised and did not catch it.
        OutOfFuel: too many steps.
    """
    frame = vm.frame
    for node in body:
        vm.step()
        if not frame.fixed:
            frame.line = node.lineno
            frame.column = node.col_offset + 1
        frame.statement = node
        mark = len(vm.touched)
        signal = HANDLERS[type(node)](vm, node, scope)
        if signal is not None:
            if signal.kind != "return":
                del vm.touched[mark:]
            return signal
        del vm.touched[mark:]
    return None


def _expression(vm: Machine, node: ast.Expr, scope: Scope) -> None:
    if not isinstance(node.value, ast.Constant):
        vm.evaluate(node.value, scope)


def _assign(vm: Machine, node: ast.Assign, scope: Scope) -> None:
    mark = len(vm.touched)
    value = vm.evaluate(node.value, scope)
    settings = vm.since(mark)
    for target in node.targets:
        bind(vm, target, value, scope, settings, node)


def _annotated(vm: Machine, node: ast.AnnAssign, scope: Scope) -> None:
    if node.value is not None:
        mark = len(vm.touched)
        default = field_default(node.value) if scope.is_class else None
        value = vm.evaluate(node.value if default is None else default, scope)
        bind(vm, node.target, value, scope, vm.since(mark), node)
    if scope.is_class and scope.cls is not None and isinstance(node.target, ast.Name):
        scope.cls.fields[node.target.id] = node


def field_default(node: ast.expr) -> ast.expr | None:
    """The default that a field specifier holds (typing.dataclass_transform, PEP 681): `field(default=3)`."""
    if isinstance(node, ast.Call):
        for keyword in node.keywords:
            if keyword.arg == "default":
                return keyword.value
    return None


def _augmented(vm: Machine, node: ast.AugAssign, scope: Scope) -> None:
    target = node.target
    mark = len(vm.touched)
    load = _as_load(target)
    old = vm.evaluate(load, scope)
    new = vm.evaluate(node.value, scope)
    settings = vm.since(mark)
    if isinstance(old, list) and isinstance(node.op, ast.Add) and isinstance(new, (list, tuple)):
        old.extend(new)
        return
    vm.frame.reach(node)
    value = conditions.binary(vm, type(node.op), old, new)
    if isinstance(old, Tensor) and isinstance(value, Tensor) and vm.inplace_sums:
        if isinstance(target, ast.Subscript):
            old.base = None  # the part is put back below, which is what changes the whole
        write(vm, old, value)
        value = old
    bind(vm, target, value, scope, settings, node)


def _as_load(target: ast.Name | ast.Attribute | ast.Subscript) -> ast.expr:
    if isinstance(target, ast.Name):
        load: ast.expr = ast.Name(target.id, ast.Load())
    elif isinstance(target, ast.Attribute):
        load = ast.Attribute(target.value, target.attr, ast.Load())
    else:
        load = ast.Subscript(target.value, target.slice, ast.Load())
    return ast.copy_location(load, target)


def write(vm: Machine, tensor: Tensor, value: Tensor) -> None:
    """Give `tensor` another value in place; a tensor of which it is a view changes with it.

    A learned tensor stays what it is while a model is built: numbers that it starts from are put into it.
    """
    if tensor.learned and not vm.invoked:
        return
    tensor.value = value.value
    tensor.data = None
    seen = 0
    view = tensor
    while view.base is not None and seen < 8:
        if view.base.learned and not vm.invoked:
            return
        view.base.value = vm.emit("update", (view.base, view), {}).value
        view = view.base
        seen += 1


def bind(
    vm: Machine, target: ast.expr, value: Data, scope: Scope, settings: tuple[Setting, ...], node: ast.AST | None = None
) -> None:
    """Assign `value`, which `settings` decided, to `target`."""
    if isinstance(target, ast.Name):
        names.store(scope, target.id, value, settings)
    elif isinstance(target, ast.Attribute):
        owner = vm.evaluate(target.value, scope)
        if node is not None and isinstance(value, SCALARS) and not settings and isinstance(owner, Instance):
            settings = (Setting(code_of(target), repr(value), vm.at(node), vm.trail()),)
        if isinstance(owner, Instance) and settings:
            owner.settings[target.attr] = settings
        elif isinstance(owner, Instance):
            owner.settings.pop(target.attr, None)
        if owner is vm.target or (isinstance(owner, Instance) and owner.cls is vm.target):
            vm.stored[target] = [one for one in flatten_tensors(value) if isinstance(one, Tensor)]
        vm.set(owner, target.attr, value)
    elif isinstance(target, (ast.Tuple, ast.List)):
        _bind_many(vm, target, value, scope, settings)
    elif isinstance(target, ast.Starred):
        bind(vm, target.value, value, scope, settings)
    elif isinstance(target, ast.Subscript):
        _bind_item(vm, target, value, scope)


def _bind_many(
    vm: Machine, target: ast.Tuple | ast.List, value: Data, scope: Scope, settings: tuple[Setting, ...]
) -> None:
    count = len(target.elts)
    star = next((at for at, item in enumerate(target.elts) if isinstance(item, ast.Starred)), None)
    values = iteration.unpack(vm, value, count, star)
    if star is not None:
        behind = count - star - 1
        middle = values[star : len(values) - behind]
        values = [*values[:star], list(middle), *values[len(values) - behind :]]
    for item, part in zip(target.elts, values, strict=True):
        bind(vm, item, part, scope, settings)


def _bind_item(vm: Machine, target: ast.Subscript, value: Data, scope: Scope) -> None:
    owner = vm.evaluate(target.value, scope)
    index = vm.evaluate(target.slice, scope)
    if isinstance(owner, Instance):
        found = owner.cls.lookup("__setitem__")
        if found is not None:
            vm.call(vm.get(owner, "__setitem__"), [index, value], {})
            return
        owner = owner.items
    if isinstance(owner, Tensor):
        reads = [owner, *([value] if isinstance(value, (Tensor, Tensors)) else [])]
        write(vm, owner, vm.emit("update", reads, {"index": index}))
        return
    if isinstance(owner, containers.Parts) and isinstance(index, str):
        vm.set(owner.of, index, value)
    elif isinstance(owner, dict) and vm.open_rounds and isinstance(index, Open):
        owner[index] = value  # `layers[f"layer_{i}"] = ...` in rounds of open number: each has a name of its own
    elif isinstance(owner, Open):
        vm.stored[target] = [one for one in flatten_tensors(value) if isinstance(one, Tensor)]
    elif isinstance(owner, (dict, list)) and (unsettled.is_unknown(index) or is_open(index)):
        unsettled.unsettle(vm, owner, "which entry is set is not known", (value,))
    elif isinstance(owner, (dict, list)):
        try:
            owner[index] = value
        except (TypeError, IndexError, ValueError) as error:
            raise Raised(type(error).__name__, str(error), vm.here()) from None


def _return(vm: Machine, node: ast.Return, scope: Scope) -> Signal:
    value = None if node.value is None else vm.evaluate(node.value, scope)
    # What is returned also depends on the decisions that led to this line.
    begin = vm.frame.control
    control = vm.control
    while control is not None and control is not begin:
        vm.touch(control.settings)
        control = control.outer
    return Signal("return", value)


def _raise(vm: Machine, node: ast.Raise, scope: Scope) -> None:
    again = _handled(vm, node)
    if again is not None or node.exc is None:
        raise again or Raised("RuntimeError", "there is nothing to raise anew", vm.at(node))
    called, arguments = (node.exc.func, node.exc.args) if isinstance(node.exc, ast.Call) else (node.exc, [])
    kind, message = vm.evaluate(called, scope), ""
    if arguments:
        text = vm.evaluate(arguments[0], scope)
        message = text if isinstance(text, str) else code_of(arguments[0])
    name = code_of(called).rpartition(".")[2]
    raise Raised(name, message[:200], vm.at(node), kind if isinstance(kind, Class) else None)


def _handled(vm: Machine, node: ast.Raise) -> Raised | None:
    """The exception that a handler raises anew, by `raise` alone or by the name under which it has it."""
    if node.exc is None:
        return vm.handled[-1][1] if vm.handled else None
    name = node.exc.id if isinstance(node.exc, ast.Name) else None
    return next((error for called, error in reversed(vm.handled) if called == name and name is not None), None)


def _if(vm: Machine, node: ast.If, scope: Scope) -> Signal | None:
    mark = len(vm.touched)
    vm.by_number = False
    test = vm.evaluate(node.test, scope)
    settings = vm.since(mark)
    # Behind a test that is not known, a branch that only complains is not taken: the model is used as intended.
    if is_undecided(test) and only_complains(node.body):
        chosen = node.orelse
    elif is_undecided(test) and only_complains(node.orelse):
        chosen = node.body
    else:
        chosen = node.body if vm.truth(forks.weighed(vm, test, node, scope), node.test) else node.orelse
    if not settings:
        return execute(vm, chosen, scope)
    outer = vm.control
    vm.decide(settings)
    try:
        return execute(vm, chosen, scope)
    finally:
        vm.control = outer


def only_complains(body: list[ast.stmt]) -> bool:
    """Whether `body` only raises, warns or logs."""
    return bool(body) and all(
        isinstance(node, (ast.Raise, ast.Assert, ast.Pass))
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        or (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Call)
            and code_of(node.value.func).split(".")[0] in ("logger", "logging", "warnings", "log", "print")
        )
        for node in body
    )


def _with(vm: Machine, node: ast.With | ast.AsyncWith, scope: Scope) -> Signal | None:
    scopes = vm.gin_scopes
    try:
        return _inside(vm, node, scope)
    finally:
        vm.gin_scopes = scopes


def _inside(vm: Machine, node: ast.With | ast.AsyncWith, scope: Scope) -> Signal | None:
    for item in node.items:
        value = vm.evaluate(item.context_expr, scope)
        if isinstance(value, Instance) and value.cls.lookup("__enter__"):
            value = vm.call(vm.get(value, "__enter__"), [], {})
        elif isinstance(value, Entered):
            vm.gin_scopes = value.scopes
        elif isinstance(value, list) and len(value) == 1:
            value = value[0]  # a generator made a context manager gives what it yields
        if item.optional_vars is not None:
            bind(vm, item.optional_vars, value, scope, ())
    return execute(vm, node.body, scope)


def _try(vm: Machine, node: ast.Try, scope: Scope) -> Signal | None:
    depth, control = len(vm.frames), vm.control
    try:
        signal = _tried(vm, node, scope)
    except Raised:
        del vm.frames[depth:]
        vm.control = control
        if node.finalbody and (signal := execute(vm, node.finalbody, scope)) is not None:
            return signal  # one that leaves by itself lets nothing else out
        raise
    return (execute(vm, node.finalbody, scope) if node.finalbody else None) or signal


def _tried(vm: Machine, node: ast.Try, scope: Scope) -> Signal | None:
    """What runs before `finally`."""
    signal: Signal | None = None
    caught: tuple[ast.ExceptHandler, Raised] | None = None
    depth, control = len(vm.frames), vm.control
    vm.trying += bool(node.handlers)
    try:
        signal = execute(vm, node.body, scope)
    except Raised as error:
        del vm.frames[depth:]
        vm.control = control
        handler = next((handler for handler in node.handlers if _catches(handler, error)), None)
        if handler is None:
            raise
        if handler.name:
            names.store(scope, handler.name, vm.open(str(error)), ())
        caught = handler, error
    finally:
        vm.trying -= bool(node.handlers)
    if caught is None and vm.invoked and any(forks.calls_module(handler.body, scope) for handler in node.handlers):
        vm.notes.assumptions.setdefault("what a `try` runs does not fail, and no handler calls its layers", vm.at(node))
    if caught is not None:
        handler, _ = caught
        vm.handled.append((handler.name, caught[1]))
        try:
            return execute(vm, handler.body, scope)
        finally:
            vm.handled.pop()
    if signal is None and node.orelse:
        signal = execute(vm, node.orelse, scope)
    return signal


def _catches(handler: ast.ExceptHandler, error: Raised) -> bool:
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(code_of(kind).rpartition(".")[2] in error.kinds for kind in kinds)


def _match(vm: Machine, node: ast.Match, scope: Scope) -> Signal | None:
    subject = vm.evaluate(node.subject, scope)
    for case in node.cases:
        fits = patterns.fits(vm, case.pattern, subject, scope)
        if fits is None:
            fits = vm.truth(vm.open(f"which case matches {shown(subject)}"), node.subject)
        if fits and (case.guard is None or vm.truth(vm.evaluate(case.guard, scope), case.guard)):
            return execute(vm, case.body, scope)
    return None


def _define_function(vm: Machine, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope) -> None:
    names.store(scope, node.name, definitions.define_function(vm, node, scope), ())


def _define_class(vm: Machine, node: ast.ClassDef, scope: Scope) -> None:
    names.store(scope, node.name, definitions.define_class(vm, node, scope), ())


def _import(vm: Machine, node: ast.Import | ast.ImportFrom, scope: Scope) -> None:
    for alias in node.names:
        for name, value in names.imported(vm, node, alias, scope):
            names.store(scope, name, value, ())


def _outer(vm: Machine, node: ast.Global | ast.Nonlocal, scope: Scope) -> None:
    if isinstance(node, ast.Global):
        vm.loaded.spoil("a function binds names of its module")
    for name in node.names:
        at = scope.parent
        if isinstance(node, ast.Global):
            at = names.module_scope(scope)
        else:
            while at is not None and (at.is_class or name not in at.vars):
                at = at.parent
        if at is not None:
            scope.outer_names[name] = at


def _delete(vm: Machine, node: ast.Delete, scope: Scope) -> None:
    for target in node.targets:
        if isinstance(target, ast.Name):
            if not isinstance(scope, ModuleScope):  # a module's names are looked up as what uses them found them
                scope.vars.pop(target.id, None)
        elif isinstance(target, ast.Attribute):
            owner = vm.evaluate(target.value, scope)
            if isinstance(owner, Instance):
                owner.attributes.pop(target.attr, None)
        elif isinstance(target, ast.Subscript):
            owner = vm.evaluate(target.value, scope)
            index = vm.evaluate(target.slice, scope)
            items = owner.items if isinstance(owner, Instance) else owner
            if isinstance(items, (dict, list)) and (unsettled.is_unknown(index) or is_open(index)):
                unsettled.unsettle(vm, items, "which entry is taken out is not known")
            elif isinstance(items, (dict, list)) and isinstance(index, (str, int, slice)):
                try:
                    items.__delitem__(index)  # type: ignore[arg-type]  # a key that does not fit raises TypeError
                except (KeyError, IndexError, TypeError) as error:
                    raise Raised(type(error).__name__, str(error), vm.here()) from None


def _nothing(vm: Machine, node: ast.stmt, scope: Scope) -> None:
    """`pass`, and `assert`: the model is assumed to be used as intended."""


HANDLERS: dict[type[ast.stmt], Callable[..., Signal | None]] = {
    ast.Expr: _expression,
    ast.Assign: _assign,
    ast.AnnAssign: _annotated,
    ast.AugAssign: _augmented,
    ast.Return: _return,
    ast.Raise: _raise,
    ast.If: _if,
    ast.For: loops.over,
    ast.AsyncFor: loops.over,
    ast.While: loops.while_true,
    ast.With: _with,
    ast.AsyncWith: _with,
    ast.Try: _try,
    ast.TryStar: _try,
    ast.Match: _match,
    ast.FunctionDef: _define_function,
    ast.AsyncFunctionDef: _define_function,
    ast.ClassDef: _define_class,
    ast.Import: _import,
    ast.ImportFrom: _import,
    ast.Global: _outer,
    ast.Nonlocal: _outer,
    ast.Delete: _delete,
    ast.Pass: _nothing,
    ast.Assert: _nothing,
    ast.Break: lambda vm, node, scope: BREAK,
    ast.Continue: lambda vm, node, scope: CONTINUE,
}  # each handler takes the node type that it is listed under
