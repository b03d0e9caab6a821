"""Builds what is traced: imports the target's module, and constructs what the symbol names with what it is given."""

from __future__ import annotations

import importlib
import inspect
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from archcheck.frontends.trace.child.usual import annotation, usual
from archcheck.frontends.trace.tensorflow_child.frames import Frames

_MISSING = object()


class CannotBuildError(Exception):
    """The target cannot be built; the message says why, in the user's words.

    Args:
        problem: what is wrong.
        hint: what to do about it, or "".
        at: the place in code that raised it, as `Frames.place` tells it; None where there is none.
    """

    def __init__(self, problem: str, *, hint: str = "", at: list[Any] | None = None) -> None:
        super().__init__(problem)
        self.hint = hint
        self.at = at


@dataclass
class Built:
    """What is traced.

    Attributes:
        model: the layer or module whose variables and places are told; None for a plain function.
        call: what is called.
        symbol: whose arguments `call` takes.
        assumed: what was taken for granted to build it, in words.
        made: constructor arguments that nobody gave -> what they were taken to be.
        arguments: what the constructor was given, from which sizes of inputs are taken.
        fixed: arguments of the call that the user gives beside those of the constructor.
    """

    model: Any
    call: Callable[..., Any]
    symbol: str
    assumed: list[str] = field(default_factory=list)
    made: dict[str, Any] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    fixed: dict[str, Any] = field(default_factory=dict)


def import_target(request: Mapping[str, Any], frames: Frames) -> types.ModuleType:
    """The module of the target; its own folders come first where modules are looked for."""
    sys.path[:0] = [path for path in request["roots"] if path not in sys.path]
    try:
        return importlib.import_module(request["module"])
    except (KeyboardInterrupt, MemoryError):
        raise
    except BaseException as error:
        hint = ""
        if isinstance(error, ImportError):
            hint = "--python names the interpreter of an environment that has it"
        elif isinstance(error, SystemExit):
            hint = "it ends when it is imported: what a script does belongs under if __name__ == '__main__'"
        problem = f"importing {request['module']} failed: {told(error)}"
        raise CannotBuildError(problem, hint=hint, at=frames.place(error)) from error


def build(request: Mapping[str, Any], module: types.ModuleType, frames: Frames) -> Built:
    """What the request's symbol names, built.

    Raises:
        CannotBuildError: there is no such symbol, it cannot be constructed, or nothing takes an argument that is given.
    """
    first, *rest = str(request["symbol"]).split(".")
    value = getattr(module, first, _MISSING)
    if value is _MISSING:
        raise CannotBuildError(f"{module.__name__} has no {first}")
    given = {name: _evaluated(name, text, module, frames) for name, text in request["arguments"].items()}
    return _Builder(given, request, frames).build(value, first, rest)


def is_layer(value: Any) -> bool:
    """Whether something is a layer of one of the Kerases."""
    return hasattr(type(value), "call") and hasattr(value, "built")


def is_model(value: Any) -> bool:
    """Whether something has variables, and a place for each of its parts."""
    return isinstance(value, tf.Module) or is_layer(value)


def parameters_of(call: Any) -> list[inspect.Parameter]:
    """The parameters of a function, or of a layer's `call`; none where nobody knows them."""
    if is_layer(call):
        call = call.call
    call = getattr(call, "python_function", call)
    try:
        return list(inspect.signature(call).parameters.values())
    except (TypeError, ValueError):
        return []


def names_of(parameters: list[inspect.Parameter]) -> list[str]:
    """The names of those that take one value."""
    return [one.name for one in parameters if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]


def told(error: BaseException) -> str:
    """An exception in one line; AutoGraph and Keras tell what was raised last, under where it was."""
    lines = [line.strip() for line in str(error).strip().split("\n") if line.strip()]
    text = lines[0] if lines else ""
    if text.startswith(("in user code", "Exception encountered")):
        kind = f"{type(error).__name__}: "
        text = next((line.removeprefix(kind) for line in lines if line.startswith(kind)), lines[-1])
    text = text[:300]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _evaluated(name: str, text: str, module: types.ModuleType, frames: Frames) -> Any:
    try:
        return eval(text, dict(vars(module)))  # the user's own expression, as for the reader: --arg NAME=EXPR
    except SyntaxError as error:
        hint = "give a Python expression in the module's words"
        raise CannotBuildError(f"--arg {name}={text}: {error.msg}", hint=hint) from None
    except NameError as error:
        hint = "names are looked up in the target's module"
        raise CannotBuildError(f"--arg {name}={text}: {told(error)}", hint=hint) from None
    except Exception as error:
        raise CannotBuildError(f"--arg {name}={text}: {told(error)}", at=frames.place(error)) from error


class _Builder:
    def __init__(self, given: dict[str, Any], request: Mapping[str, Any], frames: Frames) -> None:
        self.given = given
        self.unused = set(given)
        self.request = request
        self.frames = frames
        self.assumed: list[str] = []
        self.made: dict[str, Any] = {}
        self.arguments: dict[str, Any] = {}
        self.takes: dict[str, None] = {}  # what arguments could be called

    def build(self, value: Any, first: str, rest: list[str]) -> Built:
        if inspect.isclass(value):
            made = self._called(value)
            return self._of(made, _followed(made, rest, first), ".".join([value.__name__, *rest]))
        if is_model(value):
            return self._of(value, _followed(value, rest, first), ".".join([first, *rest]))
        function = _followed(value, rest, first)
        name = ".".join([first, *rest])
        parameters = parameters_of(function)
        needed = [one.name for one in parameters if one.name in names_of(parameters) and one.default is one.empty]
        if not rest and (self.request["factory"] or self.given.keys() >= set(needed)):
            made = self._tried(function)
            if is_model(made):
                return self._of(made, made, name)
            if self.request["factory"]:
                raise CannotBuildError(f"{name} gives {type(made).__name__}, which is no model")
        self.unused, self.made, self.assumed = set(self.given), {}, []
        return self._of(None, function, name)

    def _tried(self, function: Any) -> Any:
        """What a function gives that may build a model; None where calling it fails: it may be one that computes."""
        try:
            return self._called(function)
        except CannotBuildError:
            if self.request["factory"] or self.given:
                raise
            return None

    def _of(self, model: Any, call: Any, symbol: str) -> Built:
        """All that there is to be said. Arguments that no constructor took are those of the call."""
        self.takes |= dict.fromkeys(names_of(parameters_of(call)))
        if strange := sorted(self.unused - self.takes.keys()):
            hint = f"it takes {', '.join(self.takes)}" if self.takes else "it takes none"
            raise CannotBuildError(f"{self.request['symbol']} has no parameter {strange[0]}", hint=hint)
        fixed = {name: value for name, value in self.given.items() if name in self.unused}
        model = model if is_model(model) else None
        return Built(model, call, symbol, self.assumed, self.made, self.arguments, fixed)

    def _called(self, function: Any) -> Any:
        keywords: dict[str, Any] = {}
        positional: list[Any] = []
        parameters = parameters_of(function)
        self.takes |= dict.fromkeys(names_of(parameters))
        for parameter in parameters:
            name = parameter.name
            if parameter.kind == parameter.VAR_KEYWORD:
                keywords |= {one: self.given[one] for one in sorted(self.unused)}
                self.unused.clear()
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                continue
            if name in self.given:
                self.unused.discard(name)
                value = self.given[name]
            elif parameter.default is not parameter.empty:
                if name != "weights" or not isinstance(parameter.default, str):
                    continue
                value = self._taken(name, None, f"{name} is None and not {parameter.default!r}: nothing is fetched")
            else:
                value = self._required(function, parameter)
            if parameter.kind == parameter.POSITIONAL_ONLY:
                positional.append(value)
            else:
                keywords[name] = value
        self.arguments = keywords
        try:
            return function(*positional, **keywords)
        except (CannotBuildError, KeyboardInterrupt, MemoryError):
            raise
        except BaseException as error:
            raise self._failed(function, error) from error

    def _taken(self, name: str, value: Any, why: str) -> Any:
        self.assumed.append(why)
        self.made[name] = value
        return value

    def _required(self, function: Any, parameter: inspect.Parameter) -> Any:
        """A constructor's argument that is not given: a configuration with its defaults, or what is usual."""
        name = parameter.name
        wanted = self.request["configs"].get(name)
        if wanted is not None:
            cls = getattr(importlib.import_module(wanted[0]), wanted[1], None)
            if inspect.isclass(cls):
                self.assumed.append(f"{name} is {cls.__name__}(), with its defaults")
                return cls()
        value = usual(name, annotation(function, parameter))
        if value is None:
            raise CannotBuildError(f"the argument {name} is not given", hint=f"--arg {name}=EXPR gives it")
        return self._taken(name, value, f"{name} is {value!r}, as it is not given")

    def _failed(self, function: Any, error: BaseException) -> CannotBuildError:
        problem = f"constructing {getattr(function, '__name__', function)} failed: {told(error)}"
        hint = "--arg NAME=EXPR gives it something else"
        if self.made:
            made_up = ", ".join(f"{name}={value!r}" for name, value in self.made.items())
            hint = f"nobody said what it is given, and it got {made_up}; {hint}"
        elif self.takes:
            hint += f"; it takes {', '.join(self.takes)}"
        return CannotBuildError(problem, hint=hint if self.takes else "", at=self.frames.place(error))


def _followed(owner: Any, rest: list[str], symbol: str) -> Any:
    """What a chain of attributes leads to, which must be something that can be called."""
    value = owner
    for part in rest:
        value = getattr(value, part, _MISSING)
        if value is _MISSING:
            raise CannotBuildError(f"{symbol} has no {part}")
        symbol = f"{symbol}.{part}"
    if not callable(value):
        raise CannotBuildError(f"a {type(value).__name__} cannot be called", hint=f"name a method: {symbol}.METHOD")
    return value
