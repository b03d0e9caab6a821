"""Builds what is traced: imports the target's module, and constructs what the symbol names with what it is given."""

from __future__ import annotations

import importlib
import inspect
import sys
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from archcheck.frontends.trace.child import settings, stack
from archcheck.frontends.trace.child.presets import Presets
from archcheck.frontends.trace.child.settings import Setting
from archcheck.frontends.trace.child.sizes import Sizes, field_of
from archcheck.frontends.trace.child.usual import annotation, usual

MOST_COMPLETED = 8  # fields of a configuration
_MISSING = object()


class CannotBuildError(Exception):
    """The target cannot be built; the message says why, in the user's words.

    Args:
        problem: what is wrong.
        hint: what to do about it, or "".
        at: the place in code that raised it, as `stack.place` tells it; None where there is none.
    """

    def __init__(self, problem: str, *, hint: str = "", at: list[Any] | None = None) -> None:
        super().__init__(problem)
        self.hint = hint
        self.at = at


@dataclass
class Built:
    """What is traced.

    Attributes:
        model: the module whose parameters and places are told; None for a plain function.
        call: what is called.
        symbol: whose arguments `call` takes.
        assumed: what was taken for granted to build it, in words.
        made: constructor arguments that nobody gave and that are no configurations -> what they were taken to be.
        config: the configuration that sizes of inputs are taken from.
        arguments: what the constructor was given, from which they are taken where there is no configuration.
        completes: whether the configuration was made here with its defaults, and may be completed.
        fixed: arguments of the call that the user gives beside those of the constructor.
        settings: fields of configurations that got another value than their default, with what they were.
    """

    model: torch.nn.Module | None
    call: Callable[..., Any]
    symbol: str
    assumed: list[str] = field(default_factory=list)
    made: dict[str, Any] = field(default_factory=dict)
    config: Any = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    completes: bool = False
    fixed: dict[str, Any] = field(default_factory=dict)
    settings: list[settings.Set] = field(default_factory=list)


def import_target(request: Mapping[str, Any]) -> types.ModuleType:
    """The module of the target; its own folders come first where modules are looked for."""
    presets = Presets(request["presets"], request["defaults"])
    presets.watch()
    sys.path[:0] = [path for path in request["roots"] if path not in sys.path]
    try:
        module = importlib.import_module(request["module"])
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, MemoryError)):
            raise
        hint = ""
        if isinstance(error, ImportError):
            hint = "--python names the interpreter of an environment that has it"
        elif isinstance(error, SystemExit):
            hint = "it ends when it is imported: what a script does belongs under if __name__ == '__main__'"
        problem = f"importing {request['module']} failed: {_told(error)}"
        raise CannotBuildError(problem, hint=hint, at=stack.place(error)) from error
    presets.watch()  # with the packages that it has brought in
    return module


def build(request: Mapping[str, Any], module: types.ModuleType) -> Built:
    """What the request's symbol names, built.

    Raises:
        CannotBuildError: there is no such symbol, it cannot be constructed, or nothing takes an argument that is given.
    """
    first, *rest = str(request["symbol"]).split(".")
    value = getattr(module, first, _MISSING)
    if value is _MISSING:
        raise CannotBuildError(f"{module.__name__} has no {first}")
    given = {name: _evaluated(name, text, module) for name, text in request["arguments"].items()}
    built = _Builder(given, request).build(value, rest)
    if built.model is not None:
        built.model.train(bool(request["training"]))
    return built


def parameters_of(call: Any) -> list[inspect.Parameter] | None:
    """The parameters of a function, or of a module's `forward`; None where nobody knows them."""
    try:
        found = inspect.signature(call.forward if isinstance(call, torch.nn.Module) else call)
    except (TypeError, ValueError):
        return None
    return list(found.parameters.values())


def names_of(parameters: Iterable[inspect.Parameter]) -> list[str]:
    """The names of those that take one value."""
    return [one.name for one in parameters if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]


def _evaluated(name: str, text: str, module: types.ModuleType) -> Any:
    try:
        return eval(text, dict(vars(module)))  # the user's own expression, as for the reader: --arg NAME=EXPR
    except SyntaxError as error:
        hint = "give a Python expression in the module's words"
        raise CannotBuildError(f"--arg {name}={text}: {error.msg}", hint=hint) from None
    except NameError as error:
        for other in _near(module):  # a class of a module that the target does not import by name
            try:
                return eval(text, {**vars(other), **vars(module)})
            except NameError:  # the next module may know it
                continue
            except Exception as other_error:
                raise CannotBuildError(
                    f"--arg {name}={text}: {_told(other_error)}", at=stack.place(other_error)
                ) from None
        hint = "names are looked up in the target's module and its imports"
        raise CannotBuildError(f"--arg {name}={text}: {_told(error)}", hint=hint) from None
    except Exception as error:
        raise CannotBuildError(f"--arg {name}={text}: {_told(error)}", at=stack.place(error)) from error


def _near(module: types.ModuleType) -> list[types.ModuleType]:
    """The other modules of the package that are imported, those that stand nearest first."""
    near: dict[str, types.ModuleType] = {}
    package = module.__name__
    while package:
        names = (name for name in sorted(sys.modules) if f"{name}.".startswith(f"{package}."))
        near |= {name: sys.modules[name] for name in names if name not in near}
        package = package.rpartition(".")[0]
    return [one for one in near.values() if one is not module]


def _told(error: BaseException) -> str:
    text = str(error).strip().split("\n")[0][:300]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class _Builder:
    def __init__(self, given: dict[str, Any], request: Mapping[str, Any]) -> None:
        self.given = given
        self.unused = set(given)
        self.request = request
        self.presets = Presets(request["presets"], request["defaults"])
        self.assumed: list[str] = []
        self.settings: list[settings.Set] = []
        self.made: dict[str, Any] = {}
        self.config: Any = None
        self.constructed: dict[str, Any] = {}
        self.defaults = False  # whether the configuration was made here
        self.takes: dict[str, None] = {}  # what arguments could be called

    def build(self, value: Any, rest: list[str]) -> Built:
        if inspect.isclass(value):
            made = self._called(value)
            return self._of_config(made) if self.presets.is_config(value) else self._bound(made, rest)
        if self.presets.is_config(type(value)):
            return self._of_config(value)
        if isinstance(value, torch.nn.Module):
            return self._bound(value, rest)
        return self._function(value, rest, str(self.request["symbol"]).partition(".")[0])

    def _bound(self, made: Any, rest: list[str]) -> Built:
        """An instance, or a method of it."""
        symbol = type(made).__name__
        if not isinstance(made, torch.nn.Module):
            return self._function(made, rest, symbol)
        call = _followed(made, rest, symbol)
        return self._built(made, call, ".".join([symbol, *rest]))

    def _function(self, owner: Any, rest: list[str], symbol: str) -> Built:
        """What is no module: what a function computes, or the module that it builds."""
        function = _followed(owner, rest, symbol)
        name = ".".join([symbol, *rest]) if rest else getattr(function, "__name__", symbol)
        if self.request["factory"] and not rest:
            made = self._called(function)
            if not isinstance(made, torch.nn.Module):
                raise CannotBuildError(f"{name} gives {type(made).__name__}, which is no model")
            return self._built(made, made, name)
        return self._as_factory(function, name) or self._built(None, function, name)

    def _as_factory(self, function: Any, name: str) -> Built | None:
        """The module that a function gives which has all the arguments that it needs; None where it gives none.

        That it gives one is seldom written down: it is found out by calling it.
        """
        parameters = parameters_of(function)
        needed = names_of(one for one in parameters or () if one.default is one.empty)
        if parameters is None or not self.given.keys() >= set(needed):
            return None
        trial = _Builder(self.given, self.request)
        try:
            made = trial._called(function)
        except CannotBuildError:
            return None  # it fails again where it is called as what computes, and that is told
        return trial._built(made, made, name) if isinstance(made, torch.nn.Module) else None

    def _built(self, model: torch.nn.Module | None, call: Any, symbol: str) -> Built:
        """All that there is to be said. Arguments that no constructor took are those of the call."""
        self.takes |= dict.fromkeys(names_of(parameters_of(call) or ()))
        if strange := sorted(self.unused - self.takes.keys()):
            hint = f"it takes {', '.join(self.takes)}" if self.takes else "it takes none"
            raise CannotBuildError(f"{self.request['symbol']} has no parameter {strange[0]}", hint=hint)
        config = field_of(model, "config") if self.config is None else self.config
        fixed = {name: value for name, value in self.given.items() if name in self.unused}
        given = self.constructed, self.defaults, fixed, self.settings
        return Built(model, call, symbol, self.assumed, self.made, config, *given)

    # ---- constructors

    def _called(self, function: Any) -> Any:
        positional: list[Any] = []
        keywords: dict[str, Any] = {}
        parameters = parameters_of(function) or []
        self.takes |= dict.fromkeys(names_of(parameters))
        for parameter in parameters:
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                if parameter.kind == parameter.VAR_KEYWORD:
                    keywords |= {name: self._noted(self.given[name]) for name in sorted(self.unused)}
                    self.unused.clear()
                continue
            name = parameter.name
            if name in self.given:
                self.unused.discard(name)
                value = self._noted(self.given[name])
            elif parameter.default is not parameter.empty:
                continue
            else:
                value = self._required(function, parameter)
            if parameter.kind == parameter.POSITIONAL_ONLY:
                positional.append(value)
            else:
                keywords[name] = value
        self.constructed = keywords
        completed: list[str] = []
        while True:
            try:
                made = function(*positional, **keywords)
            except (CannotBuildError, KeyboardInterrupt, MemoryError):
                raise
            except BaseException as error:
                if (setting := self._completing(error, completed)) is None:
                    raise self._failed(function, error) from error
                self.settings.append((setting, setting.apply()))
                completed.append(setting.assumed)
            else:
                self.assumed += completed
                return made

    def _failed(self, function: Any, error: BaseException) -> CannotBuildError:
        problem = f"constructing {getattr(function, '__name__', function)} failed: {_told(error)}"
        made_up = [f"{name}={value!r}" for name, value in self.made.items()]
        rest = (name for name in self.constructed if name not in self.made and name not in self.given)
        made_up += [f"{name}={type(self.constructed[name]).__name__}()" for name in rest]
        hint = "--arg NAME=EXPR gives it something else"
        if made_up:
            hint = f"nobody said what it is given, and it got {', '.join(made_up)}; {hint}"
        elif self.takes:
            hint += f"; it takes {', '.join(self.takes)}"
        return CannotBuildError(problem, hint=hint if self.takes else "", at=stack.place(error))

    def _completing(self, error: BaseException, completed: list[str]) -> Setting | None:
        """A field of a configuration with defaults that has none, where a value for it follows from others."""
        if not self.defaults or len(completed) >= MOST_COMPLETED:
            return None
        proposed = settings.completing(error, Sizes(None, self.config))
        return next((one for one in proposed if one.assumed not in completed), None)

    def _noted(self, value: Any) -> Any:
        if self.presets.is_config(type(value)):
            self.config = self._preset(value)
        return value

    def _required(self, function: Any, parameter: inspect.Parameter) -> Any:
        """A constructor's argument that is not given: a configuration with its defaults, or what is usual."""
        name = parameter.name
        wanted = self.request["configs"].get(name)
        if wanted is not None:
            cls = getattr(importlib.import_module(wanted[0]), wanted[1], None)
            if inspect.isclass(cls):
                self.assumed.append(f"{name} is {cls.__name__}(), with its defaults")
                return self._noted(self._made(cls))
        cls = annotation(function, parameter)
        if self.presets.is_config(cls):
            self.assumed.append(f"{name} is {cls.__name__}(), with its defaults")
            return self._noted(self._made(cls))
        value = usual(name, cls)
        if value is None:
            raise CannotBuildError(f"the argument {name} is not given", hint=f"--arg {name}=EXPR gives it")
        self.assumed.append(f"{name} is {value!r}, as it is not given")
        self.made[name] = value
        return value

    def _made(self, cls: Any) -> Any:
        self.defaults = True
        try:
            return cls()
        except Exception as error:
            problem = f"{cls.__name__}() cannot be made: {_told(error)}"
            raise CannotBuildError(problem, hint="--arg NAME=EXPR gives another one", at=stack.place(error)) from error

    # ---- configurations

    def _preset(self, config: Any) -> Any:
        """The configuration with what the library would set: attention and experts as they are spelled in PyTorch."""
        for assumed in self.presets.apply(config):
            if assumed not in self.assumed:
                self.assumed.append(assumed)
        return config

    def _of_config(self, config: Any) -> Built:
        """The model that transformers builds from a configuration."""
        transformers = importlib.import_module("transformers")
        self.config = self._preset(config)
        try:
            made = transformers.AutoModel.from_config(config)
        except Exception as error:
            problem = f"AutoModel builds nothing from {type(config).__name__}: {_told(error)}"
            raise CannotBuildError(problem, hint="name the class of the model", at=stack.place(error)) from error
        self.assumed.append(f"the model is what AutoModel builds from {type(config).__name__}")
        return self._built(made, made, type(made).__name__)


def _followed(owner: Any, rest: list[str], symbol: str) -> Any:
    """What a chain of attributes leads to, which must be something that can be called."""
    value = owner
    for part in rest:
        value = getattr(value, part, _MISSING)
        if value is _MISSING:
            raise CannotBuildError(f"{symbol} has no {part}")
        symbol = f"{symbol}.{part}"
    if not callable(value):
        kind = type(value).__name__
        if kind == symbol:
            raise CannotBuildError(f"a {kind} cannot be called", hint=f"name a method: {kind}.METHOD")
        raise CannotBuildError(f"{symbol} is {kind}, which computes nothing", hint="name a class or a function")
    return value
