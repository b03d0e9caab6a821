"""A layer that does not run by itself, as part of a model that does: what it is given there is what it is given here.

Many layers are constructed with sizes that only their model knows, and called with masks and positions that only their
model makes. Where such a layer cannot be built or called, a class of the same module is looked for that builds it
somewhere inside; that one is run, and the arguments of the layer's constructor and of its first call are kept.
"""

from __future__ import annotations

import copy
import functools
import importlib
import inspect
import types
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from archcheck.frontends.trace.child.building import Built, build, names_of, parameters_of
from archcheck.frontends.trace.child.presets import Presets
from archcheck.frontends.trace.child.settings import Set, Setting, is_literal
from archcheck.frontends.trace.child.sizes import field_of
from archcheck.frontends.trace.child.usual import annotation

MOST_HOLDERS = 3  # models that are run to find out what a layer is given
DEEPEST = 6  # lists in lists
_MISSING = object()


class NotToldError(Exception):
    """What a layer is given inside of a model is nothing that can be said outside of it."""


@dataclass
class Seen:
    """What one layer was given.

    Attributes:
        layer: the instance.
        arguments: of its first call, by name; tensors are copies.
        positional: those that have no names.
        now: attributes of it and of what it holds when it was called: modules with names and values.
        before: those of all layers as they were built, by module and name.
    """

    before: dict[tuple[int, str], Any] = field(default_factory=dict)
    layer: torch.nn.Module | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    positional: list[Any] = field(default_factory=list)
    now: list[tuple[torch.nn.Module, str, Any]] = field(default_factory=list)

    def forget(self) -> None:
        """The call has failed that it was part of."""
        self.layer, self.arguments, self.positional, self.now = None, {}, [], []


class Taken:
    """The arguments of a call, as they were seen; there is nothing to try where they do not fit.

    Args:
        seen: the call.
    """

    def __init__(self, seen: Seen) -> None:
        self.values = seen.arguments
        self.positional = seen.positional
        self.names = list(seen.arguments)
        self.settings: list[Set] = []
        self.assumed: list[str] = []

    def arguments(self) -> tuple[list[Any], dict[str, Any]]:
        """Positional and keyword arguments."""
        return list(self.positional), dict(self.values)

    def mend(self, error: BaseException, reached: int = 0) -> bool:
        """Never."""
        return False

    def lessen(self) -> bool:
        """Never."""
        return False


# ---- models that hold the layer


def holders(module: types.ModuleType, cls: type) -> list[str]:
    """Classes of the module that may have instances of a class inside; those that say their main input first."""
    known = [one for one in vars(module).values() if inspect.isclass(one) and one.__module__ == module.__name__]
    near = [one for one in known if one is not cls and issubclass(one, torch.nn.Module) and _mentions(one, cls, module)]
    return [one.__name__ for one in sorted(near, key=lambda one: not _says_input(one))]


def built(asked: Mapping[str, Any], module: types.ModuleType, holder: str) -> Built:
    """A model that may hold the layer, with nothing given.

    Raises:
        CannotBuildError: it needs something.
    """
    return build({**asked, "arguments": {}, "configs": {}, "factory": False, "symbol": holder}, module)


def _says_input(cls: type) -> bool:
    """Whether a class names the input that it is about, as a whole model does."""
    main = field_of(cls, "main_input_name")
    return isinstance(main, str) and main in [one.name for one in parameters_of(cls.__dict__.get("forward")) or ()]


def _mentions(holder: type, cls: type, module: types.ModuleType) -> bool:
    """Whether code of a class, or of what it mentions in the same module, mentions another class."""
    waiting: list[Any] = [holder]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if one is cls:
            return True
        if id(one) in seen:
            continue
        seen.add(id(one))
        if inspect.isclass(one) and one.__module__ == module.__name__:
            waiting += [base for base in one.__mro__[1:] if base is not cls]
            functions = [getattr(value, "__func__", value) for value in vars(one).values()]
        else:
            functions = [one]
        for function in functions:
            code = getattr(inspect.unwrap(function) if callable(function) else function, "__code__", None)
            for name in _names(code) if code is not None else ():
                value = vars(module).get(name)
                waiting += value.values() if isinstance(value, dict) else [value] if _is_own(value, module) else []
    return False


def _is_own(value: Any, module: types.ModuleType) -> bool:
    return (inspect.isclass(value) or inspect.isfunction(value)) and value.__module__ == module.__name__


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


# ---- what it is given there


@contextmanager
def constructors(cls: Any, given: dict[int, tuple[Any, dict[str, Any]]]) -> Iterator[None]:
    """Within, what constructors of a class are given is noted, by the identity of what they make."""
    original = cls.__init__
    own = "__init__" in cls.__dict__
    signature = inspect.signature(original)

    @functools.wraps(original)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        if type(self) is cls and id(self) not in given:
            given[id(self)] = self, _bound(signature, (self, *args), kwargs)[0]
        original(self, *args, **kwargs)

    cls.__init__ = init
    try:
        yield
    finally:
        if own:
            cls.__init__ = original
        else:
            del cls.__init__


@contextmanager
def calls(model: torch.nn.Module, layers: list[Any], seen: Seen) -> Iterator[None]:
    """Within, the first call of any of these layers in the last call of the model is kept in `seen`."""

    def begins(module: torch.nn.Module, args: Any) -> None:
        seen.forget()

    def called(module: torch.nn.Module, args: Any, kwargs: Any) -> None:
        if seen.layer is None:
            with torch._C.DisableTorchFunction():
                signature = inspect.signature(module.forward)
                seen.arguments, seen.positional = _bound(signature, _copied(tuple(args)), _copied(dict(kwargs)))
                seen.now = list(_plain_attributes(module.modules()))
            seen.layer = module

    inside = [module for layer in layers for module in layer.modules()]
    seen.before = {(id(one), name): value for one, name, value in _plain_attributes(inside)}
    hooks = [one.register_forward_pre_hook(called, with_kwargs=True) for one in layers]
    hooks.append(model.register_forward_pre_hook(begins))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _plain_attributes(modules: Iterable[torch.nn.Module]) -> Iterator[tuple[torch.nn.Module, str, Any]]:
    """What code may decide by: attributes of modules that are numbers, texts and lists of them."""
    for module in modules:
        for name, value in vars(module).items():
            if not name.startswith("_") and name != "training" and is_literal(value):
                yield module, name, copy.deepcopy(value)


def _bound(signature: inspect.Signature, args: tuple[Any, ...], kwargs: Any) -> tuple[dict[str, Any], list[Any]]:
    """Arguments by name, and those that have none; without `self`."""
    named: dict[str, Any] = {}
    unnamed: list[Any] = []
    for name, value in signature.bind(*args, **kwargs).arguments.items():
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            named |= value
        elif kind is inspect.Parameter.VAR_POSITIONAL:
            unnamed += value
        elif name != "self":
            named[name] = value
    return named, unnamed


def _copied(value: Any, depth: int = DEEPEST) -> Any:
    """Arguments as they are before the call, which may write into them, each a tensor of its own: that the model gives
    one for two says nothing about the layer."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    if depth and type(value) in (list, tuple):
        return type(value)(_copied(item, depth - 1) for item in value)
    if depth and type(value) is dict:
        return {key: _copied(item, depth - 1) for key, item in value.items()}
    return value


# ---- as something that is built


def of(seen: Seen, constructed: Mapping[str, Any], holder: Built, asked: Mapping[str, Any], why: str) -> Built:
    """The layer as if it had been built by itself, with what was taken for granted by that.

    Raises:
        NotToldError: it is given something that nobody could give it from outside.
    """
    layer = seen.layer
    assert layer is not None
    assert holder.model is not None
    cls = type(layer)
    place = next(name for name, one in holder.model.named_modules(remove_duplicate=False) if one is layer)
    presets = Presets(asked["presets"], asked["defaults"])
    made: dict[str, Any] = {}
    settings: list[Set] = []
    config = None
    for name, value in constructed.items():
        if presets.is_config(type(value)):
            config = value
            settings += _changed(value, presets)
            if type(value) is not _expected(asked, cls, name):
                made[name] = _Spelled(f"{type(value).__name__}()")
        elif not _is_default(cls.__init__, name, value):
            made[name] = _literal(name, value)
    names = names_of(parameters_of(layer) or ())
    for name, value in list(seen.arguments.items()):
        if name not in names or _is_default(layer.forward, name, value):
            del seen.arguments[name]  # what has no name of its own is for what the layer calls, and is left out
        elif not _holds_tensor(value):
            if name in made and made[name] != value:
                raise NotToldError(f"{name} is one thing to its constructor and another to its call")
            made[name] = _literal(name, value)
        elif not _is_plain(value):
            raise NotToldError(f"{name} holds more than tensors")
    if any(not isinstance(one, Tensor) for one in seen.positional):
        raise NotToldError("it is given something without a name that is no tensor")
    changed = [_called_with(one, name, seen.before.get((id(one), name), _MISSING), now) for one, name, now in seen.now]
    settings += [one for one in changed if one is not None]
    told = f"it is built and called as {place} is in {holder.symbol}, as it does not run by itself: {why}"
    assumed = [*holder.assumed, told]
    symbol = cls.__name__
    return Built(layer, layer, symbol, assumed, made, config, constructed, False, {}, [*holder.settings, *settings])


class _Spelled(str):
    """An expression, as something whose `repr` it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _expected(asked: Mapping[str, Any], cls: type, name: str) -> Any:
    """The class that a configuration is taken to be of where nobody gives one."""
    if wanted := asked["configs"].get(name):
        return getattr(importlib.import_module(wanted[0]), wanted[1], None)
    parameter = next((one for one in parameters_of(cls) or () if one.name == name), None)
    return annotation(cls, parameter) if parameter is not None else None


def _changed(config: Any, presets: Presets) -> Iterator[Set]:
    """Fields in which a configuration is not as its class makes it."""
    try:
        usual = type(config)()
        list(presets.apply(usual))
    except Exception as error:
        raise NotToldError(f"{type(config).__name__}() cannot be made: {type(error).__name__}") from error
    for name, value in vars(config).items():
        was = vars(usual).get(name, _MISSING)
        if name.startswith("_") or presets.is_config(type(value)) or _alike(value, was):
            continue
        if was is _MISSING:
            raise NotToldError(f"{type(config).__name__} has no {name} of its own")
        yield Setting((config,), name, _literal(name, value), f"{type(config).__name__}.{name}"), [was]


def _called_with(module: torch.nn.Module, name: str, before: Any, now: Any) -> Set | None:
    """An attribute that the model has changed since the layer was built; None where it has not."""
    if _alike(before, now):
        return None
    if before is _MISSING:
        raise NotToldError(f"{name} is set by the model")
    return Setting((module,), name, now, name), [before]


def _alike(value: Any, other: Any) -> bool:
    try:
        return bool(type(value) is type(other) and value == other)
    except Exception:  # what cannot be compared is not known to be the same
        return False


def _is_default(function: Any, name: str, value: Any) -> bool:
    parameter = next((one for one in parameters_of(function) or () if one.name == name), None)
    if parameter is None:
        return value is None
    return not isinstance(value, Tensor) and _alike(value, parameter.default)


def _holds_tensor(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(map(_holds_tensor, value))
    return isinstance(value, Tensor)


def _is_plain(value: Any) -> bool:
    """Whether a value is a tensor, or a list of such."""
    return isinstance(value, Tensor) or (type(value) in (list, tuple) and all(map(_is_plain, value)))


def _literal(name: str, value: Any) -> Any:
    if is_literal(value):
        return value
    raise NotToldError(f"{name} is given {type(value).__name__}, which has no literal")
