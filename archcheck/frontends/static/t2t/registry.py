"""The hparams sets that a file registers: found by their decorators, each resolved through its chain of functions."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType

from archcheck.frontends.static.t2t.calls import bind
from archcheck.frontends.static.t2t.data import Data, Frame, Function, HParams
from archcheck.frontends.static.t2t.machine import Limits, Machine, OutOfBounds, enclosing_scope, qualified_name
from archcheck.frontends.static.t2t.results import HParamsSet, ResolvedValue, resolved
from archcheck.frontends.static.t2t.source import Find, Library, Module, Segment, Unreadable, inner_statements
from archcheck.ir.graph import Unknown
from archcheck.ir.span import Span

MAX_SETS = 5_000  # of one file


def registered(find: Find, module: str, limits: Limits = Limits()) -> tuple[HParamsSet, ...]:  # noqa: B008 - frozen
    """Every hparams set that a module registers, in the order of the file.

    Args:
        find: gives the path to show and the text of a module of the package by its full name, or None.
        module: full name of the module: `tensor2tensor.models.transformer`.
        limits: how much one set may cost to evaluate.

    Returns:
        One set for each `@register_hparams`, and for each call that registers a function. A set that cannot be
        resolved is there as well, and says why.

    Raises:
        TargetError: there is no such module, or it is not valid Python.
    """
    library = Library(find, module.split(".", 1)[0])
    root = library.root(module)
    sets: list[HParamsSet] = []
    for place in _registrations(root):
        if len(sets) == MAX_SETS:
            span = root.header(place.node)
            why = Unknown(f"the file registers more than {MAX_SETS:,} sets", span)
            sets.append(HParamsSet(why, "", span, unknowns=(why,), rest=why))
            break
        sets.append(_resolve(library, root, place, limits))
    return tuple(sets)


@dataclass(frozen=True, slots=True)
class _Registration:
    """A statement that registers a set."""

    node: ast.stmt  # the function, or the statement that calls `register_hparams`
    top: ast.stmt
    call: ast.expr  # the decorator, or the call itself
    outers: tuple[ast.stmt, ...]  # functions, classes and compound statements around it, outermost first
    function: ast.expr | None = None  # what is registered, where it is not decorated

    @property
    def path(self) -> str:
        """The function's name behind the names of the definitions around it."""
        around = [o.name for o in self.outers if isinstance(o, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
        if isinstance(self.node, ast.FunctionDef | ast.AsyncFunctionDef):
            return ".".join([*around, self.node.name])
        return ast.unparse(self.function) if self.function is not None else ""


def _registrations(module: Module) -> Iterator[_Registration]:
    for top in module.tree.body:
        stack: list[tuple[ast.stmt, tuple[ast.stmt, ...]]] = [(top, ())]
        while stack:
            node, outers = stack.pop()
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for decorator in node.decorator_list:
                    if _registers(module, decorator.func if isinstance(decorator, ast.Call) else decorator):
                        yield _Registration(node, top, decorator, outers)
            elif isinstance(node, ast.Expr | ast.Assign | ast.AnnAssign):
                yield from _registering_call(module, node, top, outers)
            stack.extend((inner, (*outers, node)) for inner in reversed(list(inner_statements(node))))


def _registering_call(
    module: Module, node: ast.Expr | ast.Assign | ast.AnnAssign, top: ast.stmt, outers: tuple[ast.stmt, ...]
) -> Iterator[_Registration]:
    match node.value:
        case ast.Call(func=ast.Call(func=inner) as call, args=[function]) if _registers(module, inner):
            yield _Registration(node, top, call, outers, function)
        case ast.Call(func=func, args=[function]) as call if _registers(module, func):
            yield _Registration(node, top, func, outers, function)
        case _:
            return


def _registers(module: Module, function: ast.expr) -> bool:
    if not isinstance(function, ast.Name | ast.Attribute):
        return False
    name = qualified_name(module, ast.unparse(function))
    return name.rsplit(".", 1)[-1] == "register_hparams" or name.endswith("Registries.hparams.register")


def _resolve(library: Library, module: Module, place: _Registration, limits: Limits) -> HParamsSet:
    machine = Machine(library, limits)
    span = module.header(place.node)
    name: str | Unknown = Unknown("the name is not known", span)
    try:
        segment = module.segment(place.top)
        function, scope = _function(machine, module, segment, place)
        name = _name(machine, module, segment, place, function, scope)
        result = _run(machine, function, place, span)
    except (OutOfBounds, Unreadable) as error:
        result = Unknown(str(error), span)
    except RecursionError:
        result = Unknown("evaluation is nested too deeply", span)
    return _set(machine, name, place.path, span, result)


def _function(
    machine: Machine, module: Module, segment: Segment, place: _Registration
) -> tuple[Function | Unknown, Frame | None]:
    """The function that is registered, and the scope around it."""
    scope = enclosing_scope(module, segment, list(place.outers))
    if isinstance(place.node, ast.FunctionDef | ast.AsyncFunctionDef):
        decorators = place.node.decorator_list
        below = decorators[decorators.index(place.call) + 1 :]
        why = machine.decoration(module, below)
        if isinstance(place.node, ast.AsyncFunctionDef):
            why = f"{place.node.name} is asynchronous"
        if why:
            return Unknown(why, module.header(place.node)), scope
        inner = (segment, segment.function(place.node))
        return Function(module, place.node.name, place.top, place.node, inner, scope), scope
    value = _expression(machine, module, place.function, scope)
    if isinstance(value, Function):
        return value, scope
    why = value.why if isinstance(value, Unknown) else "what is registered is not a function of the package"
    return Unknown(why, module.header(place.node)), scope


def _expression(machine: Machine, module: Module, node: ast.expr | None, scope: Frame | None) -> Data:
    """The value of an expression of a decorator: a name or a literal."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name | ast.Attribute):
        first, *rest = ast.unparse(node).split(".")
        value = scope.names[first] if scope is not None and first in scope.names else None
        if value is None:
            found = machine.module_value(module, first)
            value = found[0] if found is not None else Unknown(f"the name {first} is not bound")
        for part in rest:
            value = machine.attribute(value, part)
        return value
    return Unknown("it is computed while the program runs")


def _name(
    machine: Machine,
    module: Module,
    segment: Segment,
    place: _Registration,
    function: Function | Unknown,
    scope: Frame | None,
) -> str | Unknown:
    """The name under which a set is registered: what is given, else the function's own in snake case."""
    span = module.header(place.node)
    if any(isinstance(outer, ast.For | ast.AsyncFor | ast.While) for outer in place.outers):
        return Unknown("it is registered in a loop", span)
    given: Data = None
    if isinstance(place.call, ast.Call) and (place.call.args or place.call.keywords):
        arguments = [*place.call.args, *(keyword.value for keyword in place.call.keywords)]
        given = _expression(machine, module, arguments[0], scope)
    if isinstance(given, str) and given:
        return given
    if given is None and isinstance(function, Function):
        return snake_case(function.name)
    if given is None and isinstance(place.node, ast.FunctionDef | ast.AsyncFunctionDef):
        return snake_case(place.node.name)
    why = given.why if isinstance(given, Unknown) else "the name is not known"
    return Unknown(why, span)


def snake_case(name: str) -> str:
    """A function's name as the registry writes it: `TransformerBase` is registered as `transformer_base`."""
    name = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _run(machine: Machine, function: Function | Unknown, place: _Registration, span: Span) -> Data:
    if isinstance(function, Unknown):
        return function
    segment, definition = machine.definition(function)
    frame = Frame(function.name, function.module, segment, outer=function.outer)
    machine.frames.append(Frame("", function.module, segment))  # the registry, which calls the function
    problem = bind(machine, definition.params, [], {}, frame, function)
    return Unknown(problem, span) if problem else machine.run(definition, frame)


def _set(machine: Machine, name: str | Unknown, path: str, span: Span, result: Data) -> HParamsSet:
    unknowns: dict[Unknown, None] = dict(machine.notes)
    if isinstance(name, Unknown):
        unknowns[name] = None
    if isinstance(result, HParams):
        values = resolved(result, machine.heap)
        rest = result.rest.get("why")
    else:
        values = MappingProxyType[str, ResolvedValue]({})
        rest = (
            result if isinstance(result, Unknown) else Unknown("the function does not return an hparams object", span)
        )
    for value in values.values():
        if isinstance(value.value, Unknown):
            unknowns[value.value] = None
    if rest is not None:
        unknowns[rest] = None
    ordered = sorted(unknowns, key=lambda unknown: (unknown.span or span, unknown.why))
    return HParamsSet(name, path, span, values, tuple(ordered), rest)
