"""Calls: of functions of the code that is read, of classes, of library names, of everything else."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from archcheck.frontends import dialects
from archcheck.frontends.static import (
    containers,
    contents,
    definitions,
    functional,
    instances,
    modules,
    rows,
    statements,
    wanted,
)
from archcheck.frontends.static.decorators import only_documents, veiled
from archcheck.frontends.static.gin import bound as gin
from archcheck.frontends.static.libraries import LIBRARY
from archcheck.frontends.static.machine import Frame, OutOfFuel, Raised, flatten_tensors, place_of, span_of
from archcheck.frontends.static.opens import Open, Shape, Told
from archcheck.frontends.static.values import (
    INERT,
    Class,
    Data,
    External,
    Function,
    Inert,
    Instance,
    Layer,
    Method,
    Native,
    Partial,
    Scope,
    Super,
    Tensor,
    TensorMethod,
    TensorModel,
    is_module,
    is_open,
    shown,
)
from archcheck.ir.span import Setting

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine

Given = dict[str | int, tuple[Setting, ...]]  # settings that decided an argument, by its name or position
MOST_NESTED = 12  # calls around, above which one that comes back to itself with something unknown is not followed
MOST_OF_ITSELF = 3
BINDS = (Function, Method, Class, Instance)  # calls of these bind arguments to parameters of code that is read


def call(vm: Machine, function: Data, args: list[Data], kwargs: dict[str, Data], given: Given | None = None) -> Data:
    """What calling `function` gives.

    Args:
        given: settings that decided the arguments.

    Raises:
        Raised: the code that is read raised.
        OutOfFuel: too deep or too long.
    """
    if isinstance(function, Method):
        receiver = function.receiver
        if given:
            given = {key + 1 if isinstance(key, int) else key: value for key, value in given.items()}
        return run(vm, function.function, [receiver, *args], kwargs, given)
    if isinstance(function, Function):
        return run(vm, function, args, kwargs, given)
    if isinstance(function, Native):
        return function.call(vm, args, kwargs)
    if isinstance(function, Class):
        return instances.instantiate(vm, function, args, kwargs, given)
    if isinstance(function, Instance):
        return modules.call_module(vm, function, args, kwargs, given)
    if isinstance(function, Layer):
        return modules.call_layer(vm, function, args, kwargs)
    if isinstance(function, TensorMethod):
        return rows.call_method(vm, function, args, kwargs)
    if isinstance(function, External):
        return _external(vm, function.name, args, kwargs)
    if isinstance(function, Partial):
        return call(vm, function.function, [*function.args, *args], {**function.kwargs, **kwargs})
    if isinstance(function, Inert):
        return INERT
    if isinstance(function, Super):
        return None
    if isinstance(function, TensorModel):
        return functional.call(vm, function, args, kwargs)
    return _not_known(vm, function, args, kwargs)


def _not_known(vm: Machine, function: Data, args: list[Data], kwargs: dict[str, Data]) -> Data:
    tensors = list(flatten_tensors([args, kwargs]))
    why = function.why if isinstance(function, Open) else f"{shown(function)} cannot be called"
    if tensors:
        name = (function.flag or why[:60]) if isinstance(function, Open) else shown(function)
        return vm.opaque(name, tensors, f"what is called is not known: {why}")
    if isinstance(function, Shape):  # `x.get_shape()`
        return function
    if isinstance(function, Told):  # `x.size()`
        return Told(function.within(after="()"), vm.here(), function.flag, function.metadata)
    known = function if isinstance(function, Open) else vm.open(why)
    return known.about(known.within(after="()"), vm.here())


def _external(vm: Machine, name: str, args: list[Data], kwargs: dict[str, Data]) -> Data:
    native = LIBRARY.get(name)
    if native is not None:
        return native(vm, args, kwargs)
    if dialects.is_ignored(name):
        return INERT
    if dialects.container(name) is not None:
        return containers.container(vm, name, args, kwargs)
    layer = dialects.layer(name)
    if layer is not None:
        return instances.library_layer(vm, name, layer, args, kwargs)
    result = rows.call_function(vm, name, args, kwargs)
    if result is not rows.UNLISTED:
        return result
    known = definitions.spelled_class(vm, name)
    if known is not None:
        return instances.instantiate(vm, known, args, kwargs)
    if dialects.is_class(name) and dialects.base_methods(name) and not args and not kwargs:
        return containers.bare(vm, name)
    from archcheck.frontends.static import names

    source = names.read_external(vm, name)
    if isinstance(source, Class):
        return instances.instantiate(vm, source, args, kwargs)
    if isinstance(source, Function):
        return run(vm, source, args, kwargs)
    if dialects.is_record(name) and not args:
        held = {key: value for key, value in kwargs.items() if value is not None}
        record = rows.NamedParts(tuple(held.values()), tuple(held))
        record.empty = frozenset(kwargs) - frozenset(held)
        return record
    tensors = list(flatten_tensors([args, kwargs]))
    if tensors and name.startswith("numpy.") and all(contents.is_made_up(vm, tensor) for tensor in tensors):
        return _of_numbers(vm, name, args)
    if tensors:
        return vm.opaque(name, tensors, f"{name} is not in the dialect and its source is not installed")
    return Open(f"{name}()", vm.here(), metadata=True)


_CHANGES_FIRST = frozenset({
    "numpy.put_along_axis", "numpy.put", "numpy.place", "numpy.putmask", "numpy.copyto", "numpy.fill_diagonal",
    "numpy.random.shuffle",
})  # fmt: skip


def _of_numbers(vm: Machine, name: str, args: list[Data]) -> Data:
    """What a function of numpy makes of numbers that no tensor is computed from: others, of which nothing is known."""
    made = vm.emit("constant", (), {"value": vm.open(f"numbers of {name}", metadata=True)})
    if name not in _CHANGES_FIRST:
        return made
    if isinstance(args[0], Tensor):
        statements.write(vm, args[0], made)
    return None


def run(vm: Machine, function: Function, args: list[Data], kwargs: dict[str, Data], given: Given | None = None) -> Data:
    """What a function of the code that is read returns."""
    if function.ignored is None:
        owner = "" if function.cls is None else f"{function.cls.name}."
        qualified = f"{function.file.module}.{owner}{function.name}"
        function.ignored = dialects.is_ignored(qualified) or dialects.may_tie(qualified)
        function.ties = dialects.may_tie(qualified)
        function.answer = dialects.answer(qualified)
    if function.answer is not None:
        answer, assumed = function.answer
        vm.assume(assumed)
        return answer
    if function.ignored:
        vm.notes.tied = vm.notes.tied or function.ties
        return INERT
    if args and only_documents(function.node):
        return args[0]
    vm.step()
    if len(vm.frames) > vm.limits.depth:
        raise OutOfFuel(f"calls nest deeper than {vm.limits.depth}")
    if len(vm.frames) > MOST_NESTED and _calls_itself(vm, function, [*args, *kwargs.values()]):
        return _not_known(vm, vm.open(f"{function.name} calls itself, and where that ends is not known"), args, kwargs)
    scope = Scope(function.file, function.scope)
    if function.cls is not None and args:
        scope.cls = function.cls
        scope.self_value = args[0]
    _bind(vm, function, scope, args, kwargs, given)
    node = function.node
    place = vm.frame.place if vm.frames else ""
    frame = Frame(function.name, function.file, node.lineno, node.col_offset + 1, place, vm.control)
    if function.formula:
        _stand_outside(vm, frame)
    spelled = function.formula and function.cls is not None and not is_module(function.cls)  # no part of the model
    if isinstance(args[0] if args else None, Instance) and function.cls is not None and not spelled:
        frame.place = place_of(args[0]) or place
        frame.receiver = args[0]
    if vm.frames:
        frame.caller = vm.frame.caller if function.formula else vm.caller(function.name, frame.place)
    vm.frames.append(frame)
    frame.node = node
    if vm.invoked:
        vm.ran[node] = function.cls
    try:
        if isinstance(node, ast.Lambda):
            return vm.evaluate(node.body, scope)
        if _is_generator(function):
            scope.yields = []
        signal = vm.execute(node.body, scope)
        if scope.yields is not None:
            return scope.yields
        result = None if signal is None else signal.value
        return veiled(vm, result, function.veil) if function.veil else result
    except Raised as error:
        if vm.invoked and not vm.trying and not error.traced:
            error.traced = True
            wanted.note(vm, frame, scope)
        if vm.trying or (frame.receiver is not None and frame.receiver is vm.target) or function is vm.target:
            raise
        tensors = list(flatten_tensors([args, kwargs]))
        if not tensors:
            raise
        del vm.frames[vm.frames.index(frame) + 1 :]
        return vm.opaque(function.name, tensors, f"reading it raised {error}")
    finally:
        vm.frames.pop()


def _stand_outside(vm: Machine, frame: Frame) -> None:
    """What a dialect spells stands where code that was read calls it, or where the target's class extends it."""
    if vm.frames and vm.frame.function:
        frame.file, frame.line, frame.column, frame.fixed = vm.frame.file, vm.frame.line, vm.frame.column, True
    elif isinstance(vm.target, Instance) and vm.target.cls.node is not None:
        node = vm.target.cls.node
        frame.file, frame.line, frame.column = vm.target.cls.file, node.lineno, node.col_offset + 1
        frame.fixed = True


def _calls_itself(vm: Machine, function: Function, args: list[Data]) -> bool:
    """Whether a function comes back to itself again and again, with what is not known: nothing would end it."""
    again = sum(frame.node is function.node for frame in vm.frames)
    return again > MOST_OF_ITSELF and any(is_open(value) for value in args)


def _is_generator(function: Function) -> bool:
    if function.generator is None:
        node = function.node
        known: bool | None = getattr(node, "yields", None)  # kept with the tree: functions are made anew in each run
        function.generator = known if known is not None else _says_yield(function) and _yields(node)
        node.yields = function.generator  # type: ignore[union-attr]
    return function.generator


def _says_yield(function: Function) -> bool:
    """Whether the text of a function has the word at all: looking costs less than walking its tree."""
    node = function.node
    return any("yield" in function.file.line(at) for at in range(node.lineno, (node.end_lineno or node.lineno) + 1))


def _yields(node: ast.AST) -> bool:
    stack: list[ast.AST] = list(ast.iter_child_nodes(node))
    while stack:
        inner = stack.pop()
        if isinstance(inner, (ast.Yield, ast.YieldFrom)):
            return True
        if not isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            stack.extend(ast.iter_child_nodes(inner))
    return False


def _bind(
    vm: Machine,
    function: Function,
    scope: Scope,
    args: list[Data],
    kwargs: dict[str, Data],
    given: Given | None,
) -> None:
    """Bind arguments to parameters; one that is missing becomes an open value, since callers may be guesses."""
    args, kwargs, bound = gin.supplied(vm, function, args, kwargs)
    if bound:
        given = {**bound, **(given or {})}
    spec = function.node.args
    names = [*spec.posonlyargs, *spec.args]
    rest = dict(kwargs)
    first_default = len(names) - len(function.defaults)
    for position, parameter in enumerate(names):
        name = parameter.arg
        by_name = position >= len(spec.posonlyargs)
        if position < len(args):
            scope.vars[name] = args[position]
            if by_name:
                rest.pop(name, None)
            settings = given.get(position) if given else None
        elif by_name and name in rest:
            scope.vars[name] = rest.pop(name)
            settings = given.get(name) if given else None
        elif position >= first_default:
            default = function.defaults[position - first_default]
            scope.vars[name] = default
            settings = _default_setting(vm, function, name, default, spec.defaults[position - first_default])
        else:
            scope.vars[name] = vm.open(f"the argument {name} of {function.name} is missing", flag=name)
            settings = None
        if settings:
            scope.settings[name] = settings
    if spec.vararg is not None:
        scope.vars[spec.vararg.arg] = tuple(args[len(names) :])
    elif len(args) > len(names):
        raise Raised("TypeError", f"{function.name} takes {len(names)} arguments, {len(args)} are given", vm.here())
    for parameter, default, node in zip(spec.kwonlyargs, function.keyword_defaults, spec.kw_defaults, strict=True):
        name = parameter.arg
        if name in rest:
            scope.vars[name] = rest.pop(name)
            settings = given.get(name) if given else None
        elif node is not None:
            scope.vars[name] = default
            settings = _default_setting(vm, function, name, default, node)
        else:
            scope.vars[name] = vm.open(f"the argument {name} of {function.name} is missing", flag=name)
            settings = None
        if settings:
            scope.settings[name] = settings
    if spec.kwarg is not None:
        scope.vars[spec.kwarg.arg] = rest
    elif rest:
        unexpected = next(iter(rest))
        raise Raised("TypeError", f"{function.name} has no parameter {unexpected}", vm.here())


def _default_setting(
    vm: Machine, function: Function, name: str, default: Data, node: ast.expr
) -> tuple[Setting, ...] | None:
    """A default that can switch something is a setting, set on the line of the parameter."""
    if not isinstance(default, (bool, str)) or not isinstance(node, ast.Constant):
        return None
    return (Setting(name, repr(default), span_of(function.file, node), vm.trail()),)


def argument_settings(vm: Machine, node: ast.Call, scope: Scope, passed: tuple[Setting, ...]) -> Given:
    """Which settings decided each argument of a call: those read in its expression, or the constant written there."""
    from archcheck.frontends.static.expressions import settings_of

    given: Given = {}
    starred = any(isinstance(argument, ast.Starred) for argument in node.args)
    if passed and not starred:
        for position, argument in enumerate(node.args):
            settings = settings_of(vm, argument, scope)
            if settings:
                given[position] = settings
    for keyword in node.keywords:
        if keyword.arg is None:
            continue
        if isinstance(keyword.value, ast.Constant):
            if isinstance(keyword.value.value, (bool, str)):
                span = vm.at(keyword)
                given[keyword.arg] = (Setting(keyword.arg, repr(keyword.value.value), span, vm.trail()),)
        elif passed:
            settings = settings_of(vm, keyword.value, scope)
            if settings:
                given[keyword.arg] = settings
    return given
