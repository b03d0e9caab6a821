"""Statements of hparams functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from archcheck.frontends.static.t2t import calls, expressions, operators
from archcheck.frontends.static.t2t.data import Bound, Data, Frame, Function, HParams, Name, same
from archcheck.frontends.static.t2t.heap import Flow, Signal
from archcheck.ir.graph import Unknown

if TYPE_CHECKING:
    import libcst as cst

    from archcheck.frontends.static.t2t.machine import Machine


def execute(vm: Machine, suite: cst.BaseSuite, frame: Frame) -> Signal | None:
    """Run the statements of a body until one does not go on."""
    for statement in suite.body:
        if type(statement).__name__ == "SimpleStatementLine":
            for part in cast("cst.SimpleStatementLine", statement).body:
                signal = small(vm, part, frame)
                if signal is not None:
                    return signal
            continue
        handler = _COMPOUND.get(type(statement).__name__)
        signal = handler(vm, statement, frame) if handler else small(vm, statement, frame)
        if signal is not None:
            return signal
    return None


def small(vm: Machine, node: cst.CSTNode, frame: Frame) -> Signal | None:
    """Run one statement that holds no others."""
    handler = _SMALL.get(type(node).__name__)
    if handler is None:
        why = vm.unknown(f"{type(node).__name__} statements are not evaluated", node, frame)
        vm.spoil_scope(frame, why)
        return Signal(Flow.RETURN, why)
    return handler(vm, node, frame)


def class_body(vm: Machine, node: cst.CSTNode, frame: Frame) -> None:
    """Run the statements of a class body that set its attributes; methods are not looked into."""
    body = cast("cst.ClassDef", node).body
    for statement in body.body:
        if type(statement).__name__ == "SimpleStatementLine":
            for part in cast("cst.SimpleStatementLine", statement).body:
                small(vm, part, frame)
        elif type(statement).__name__ == "FunctionDef":
            name = cast("cst.FunctionDef", statement).name.value
            frame.names[name] = vm.unknown(f"{name} is a method", statement, frame)
        else:
            vm.spoil_scope(frame, vm.unknown("the body of the class decides at run time", statement, frame))


# ---- simple statements


def _expression(vm: Machine, node: cst.Expr, frame: Frame) -> None:
    vm.evaluate(node.value, frame)


def _assign(vm: Machine, node: cst.Assign, frame: Frame) -> None:
    value = vm.evaluate(node.value, frame)
    for target in node.targets:
        store(vm, target.target, value, node, frame)


def _annotated(vm: Machine, node: cst.AnnAssign, frame: Frame) -> None:
    if node.value is not None:
        store(vm, node.target, vm.evaluate(node.value, frame), node, frame)


def _augmented(vm: Machine, node: cst.AugAssign, frame: Frame) -> None:
    old = vm.evaluate(node.target, frame)
    change = vm.evaluate(node.value, frame)
    operator = type(node.operator).__name__.removesuffix("Assign")
    if isinstance(old, list) and operator == "Add":  # changes the list itself
        calls.call(vm, Bound(old, "extend"), [change], {}, calls.Site(node, frame))
        store(vm, node.target, old, node, frame)
        return
    store(vm, node.target, operators.binary(vm, operator, old, change, node, frame), node, frame)


def _return(vm: Machine, node: cst.Return, frame: Frame) -> Signal:
    return Signal(Flow.RETURN, vm.evaluate(node.value, frame) if node.value is not None else None)


def _raise(vm: Machine, node: cst.Raise, frame: Frame) -> Signal:
    name = "an exception"
    if node.exc is not None:
        raised = getattr(node.exc, "func", node.exc)
        name = str(getattr(raised, "value", name)) if type(raised).__name__ == "Name" else name
    return Signal(Flow.RAISE, f"{name} in {vm.span(node, frame)}")


def _assert(vm: Machine, node: cst.Assert, frame: Frame) -> Signal | None:
    test = vm.evaluate(node.test, frame)
    if operators.truth(test) is False:
        return Signal(Flow.RAISE, f"AssertionError in {vm.span(node, frame)}")
    return None  # one that is not known is taken to hold: otherwise there is no set


def _pass(vm: Machine, node: cst.CSTNode, frame: Frame) -> None:
    return None


def _nonlocal(vm: Machine, node: cst.Nonlocal, frame: Frame) -> None:
    why = vm.unknown("an inner function changes it", node, frame)
    scope = frame.outer
    while scope is not None:
        for item in node.names:
            if item.name.value in scope.names:
                vm.heap.put(scope.names, item.name.value, why)
        scope = scope.outer


def _break(vm: Machine, node: cst.CSTNode, frame: Frame) -> Signal:
    return Signal(Flow.BREAK)


def _continue(vm: Machine, node: cst.CSTNode, frame: Frame) -> Signal:
    return Signal(Flow.CONTINUE)


def _delete(vm: Machine, node: cst.Del, frame: Frame) -> None:
    targets: list[cst.BaseExpression] = [node.target]
    if type(node.target).__name__ in ("Tuple", "List"):
        targets = [element.value for element in cast("cst.Tuple", node.target).elements]
    for target in targets:
        match type(target).__name__:
            case "Name":
                vm.heap.remove(frame.names, cast("cst.Name", target).value)
            case "Attribute":
                attribute = cast("cst.Attribute", target)
                owner = vm.evaluate(attribute.value, frame)
                if isinstance(owner, HParams):
                    vm.heap.remove(owner.entries, attribute.attr.value)
            case "Subscript":
                owner = vm.evaluate(cast("cst.Subscript", target).value, frame)
                vm.spoil([owner], vm.unknown("a part of it is deleted", node, frame))
            case _:
                vm.spoil_scope(frame, vm.unknown("what is deleted here is not understood", node, frame))


def _import(vm: Machine, node: cst.Import, frame: Frame) -> None:
    for alias in node.names:
        dotted = _dotted(alias.name)
        name = alias.evaluated_alias
        vm.heap.put(frame.names, name or dotted.split(".", 1)[0], Name(dotted if name else dotted.split(".", 1)[0]))


def _import_from(vm: Machine, node: cst.ImportFrom, frame: Frame) -> None:
    if not isinstance(node.names, tuple | list):  # a star is an error inside a function
        return
    base = frame.module.absolute(_dotted(node.module) if node.module is not None else "", len(node.relative))
    for alias in node.names:
        name = _dotted(alias.name)
        vm.heap.put(frame.names, alias.evaluated_alias or name, vm.member(base, name))


def _dotted(node: cst.CSTNode) -> str:
    parts: list[str] = []
    while type(node).__name__ == "Attribute":
        attribute = cast("cst.Attribute", node)
        parts.append(attribute.attr.value)
        node = attribute.value
    parts.append(cast("cst.Name", node).value)
    return ".".join(reversed(parts))


# ---- assignment


def store(vm: Machine, target: cst.CSTNode, value: Data, node: cst.CSTNode, frame: Frame) -> None:
    """Assign `value` to `target`; `node` is the statement that does it."""
    match type(target).__name__:
        case "Name":
            vm.heap.put(frame.names, cast("cst.Name", target).value, value)
        case "Attribute":
            attribute = cast("cst.Attribute", target)
            owner = vm.evaluate(attribute.value, frame)
            if isinstance(owner, HParams):
                vm.set_hparam(owner, attribute.attr.value, value, vm.span(node, frame))
        case "Subscript":
            _store_item(vm, cast("cst.Subscript", target), value, node, frame)
        case "Tuple" | "List":
            _unpack(vm, cast("cst.Tuple", target), value, node, frame)
        case _:
            vm.spoil_scope(frame, vm.unknown("the target of this assignment is not understood", node, frame))


def _store_item(vm: Machine, target: cst.Subscript, value: Data, node: cst.CSTNode, frame: Frame) -> None:
    owner = vm.evaluate(target.value, frame)
    index = expressions.index(vm, target, frame)
    span = vm.span(node, frame)
    if isinstance(owner, dict) and operators.hashable(index):
        vm.heap.put(owner, index, value)
    elif isinstance(owner, list) and isinstance(index, int) and -len(owner) <= index < len(owner):
        vm.heap.changing(owner)[index] = value
    else:
        vm.spoil([owner], Unknown("an item is set that is not known", span))
    if type(target.value).__name__ == "Attribute":  # the hparam that holds the container was changed here
        attribute = cast("cst.Attribute", target.value)
        hparams = vm.evaluate(attribute.value, frame)
        if isinstance(hparams, HParams) and attribute.attr.value in hparams.entries:
            vm.set_hparam(hparams, attribute.attr.value, owner, span)


def _unpack(vm: Machine, target: cst.Tuple, value: Data, node: cst.CSTNode, frame: Frame) -> None:
    elements = target.elements
    items = operators.items(vm, value)
    starred = any(type(element).__name__ == "StarredElement" for element in elements)
    if items is None or starred or len(items) != len(elements):
        why = value if isinstance(value, Unknown) else vm.unknown("what is unpacked here is not known", node, frame)
        items = [why] * len(elements)
    for element, item in zip(elements, items, strict=True):
        store(vm, element.value, item, node, frame)


# ---- compound statements


def _if(vm: Machine, node: cst.If, frame: Frame) -> Signal | None:
    test = vm.evaluate(node.test, frame)
    known = operators.truth(test)

    def otherwise() -> Signal | None:
        if node.orelse is None:
            return None
        if type(node.orelse).__name__ == "If":
            return _if(vm, cast("cst.If", node.orelse), frame)
        return vm.execute(cast("cst.Else", node.orelse).body, frame)

    if isinstance(known, bool):
        return vm.execute(node.body, frame) if known else otherwise()
    why = Unknown(f"it depends on a condition that is not known: {known.why}", vm.span(node.test, frame))
    return _forked(vm, [lambda: vm.execute(node.body, frame), otherwise], why, frame)


def _forked(
    vm: Machine,
    branches: list[Callable[[], Signal | None]],
    why: Unknown,
    frame: Frame,
    *,
    repeated: bool = False,
) -> Signal | None:
    ends = vm.heap.fork(branches, why, vm.trail(), repeated=repeated)
    if all(end is None for end in ends):
        return None
    first = ends[0]
    if first is not None and all(end is not None and end.flow is first.flow for end in ends):
        agree = all(end is not None and same(end.value, first.value) for end in ends)
        return first if first.flow is Flow.RAISE or agree else Signal(first.flow, why)
    # One branch leaves and another goes on: what the rest would do may or may not happen.
    vm.spoil_scope(frame, why)
    return Signal(Flow.RETURN, why)


def _for(vm: Machine, node: cst.For, frame: Frame) -> Signal | None:
    value = vm.evaluate(node.iter, frame)
    items = operators.items(vm, value)
    if items is None:
        reason = value.why if isinstance(value, Unknown) else "what it runs over is not known"
        why = Unknown(f"it is set in a loop: {reason}", vm.span(node.iter, frame))

        def once() -> Signal | None:
            store(vm, node.target, why, node, frame)
            return _loop_end(vm.execute(node.body, frame))

        return _forked(vm, [lambda: None, once], why, frame, repeated=True)
    for item in items:
        vm.step()
        store(vm, node.target, item, node, frame)
        signal = vm.execute(node.body, frame)
        if signal is None or signal.flow is Flow.CONTINUE:
            continue
        if signal.flow is Flow.BREAK:
            return None
        return signal
    return vm.execute(node.orelse.body, frame) if node.orelse is not None else None


def _loop_end(signal: Signal | None) -> Signal | None:
    return None if signal is not None and signal.flow in (Flow.BREAK, Flow.CONTINUE) else signal


def _while(vm: Machine, node: cst.While, frame: Frame) -> Signal | None:
    while True:
        vm.step()
        known = operators.truth(vm.evaluate(node.test, frame))
        if not isinstance(known, bool):
            why = Unknown(f"it is set in a loop: {known.why}", vm.span(node.test, frame))
            return _forked(
                vm, [lambda: None, lambda: _loop_end(vm.execute(node.body, frame))], why, frame, repeated=True
            )
        if not known:
            return vm.execute(node.orelse.body, frame) if node.orelse is not None else None
        signal = vm.execute(node.body, frame)
        if signal is not None and signal.flow is Flow.BREAK:
            return None
        if signal is not None and signal.flow is not Flow.CONTINUE:
            return signal


def _with(vm: Machine, node: cst.With, frame: Frame) -> Signal | None:
    for item in node.items:
        value = vm.evaluate(item.item, frame)
        if item.asname is not None:
            why = value if isinstance(value, Unknown) else vm.unknown("it is given by a context manager", item, frame)
            store(vm, item.asname.name, why, node, frame)
    return vm.execute(node.body, frame)


def _try(vm: Machine, node: cst.Try, frame: Frame) -> Signal | None:
    def body() -> Signal | None:
        signal = vm.execute(node.body, frame)
        if signal is None and node.orelse is not None:
            return vm.execute(node.orelse.body, frame)
        return signal

    def handler(body: cst.BaseSuite) -> Callable[[], Signal | None]:
        return lambda: vm.execute(body, frame)

    branches: list[Callable[[], Signal | None]] = [body, *(handler(each.body) for each in node.handlers)]
    if len(branches) == 1:
        signal = body()
    else:
        why = vm.unknown("it depends on whether an exception is raised", node, frame)
        signal = _forked(vm, branches, why, frame)
    if node.finalbody is not None:
        last = vm.execute(node.finalbody.body, frame)
        return last if last is not None else signal
    return signal


def _function(vm: Machine, node: cst.FunctionDef, frame: Frame) -> None:
    name = node.name.value
    if node.decorators or node.asynchronous is not None:
        vm.heap.put(frame.names, name, vm.unknown(f"{name} is decorated where it is defined", node, frame))
        return
    vm.heap.put(frame.names, name, Function(frame.module, name, inner=(frame.segment, node), outer=frame))


def _class(vm: Machine, node: cst.ClassDef, frame: Frame) -> None:
    name = node.name.value
    vm.heap.put(frame.names, name, vm.unknown(f"class {name} is defined while the function runs", node, frame))


_Handler = Callable[["Machine", Any, Frame], Signal | None]

_SMALL: dict[str, _Handler] = {
    "AnnAssign": _annotated,
    "Assert": _assert,
    "Assign": _assign,
    "AugAssign": _augmented,
    "Break": _break,
    "Continue": _continue,
    "Del": _delete,
    "Expr": _expression,
    "Global": _pass,  # a module's name that is declared global anywhere is not trusted: see `Module.changed`
    "Import": _import,
    "ImportFrom": _import_from,
    "Nonlocal": _nonlocal,
    "Pass": _pass,
    "Raise": _raise,
    "Return": _return,
}
_COMPOUND: dict[str, _Handler] = {
    "ClassDef": _class,
    "For": _for,
    "FunctionDef": _function,
    "If": _if,
    "Try": _try,
    "While": _while,
    "With": _with,
}
