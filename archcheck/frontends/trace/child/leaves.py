"""Layers and library functions that are recorded whole: those for which the dialects have a row.

Which they are is told from outside, by qualified name. A layer's constructor arguments are noted when it is built.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

GIVEN = "_archcheck_given"
Layer = Callable[["Leaf", torch.nn.Module, tuple[Any, ...], dict[str, Any]], Any]
Silence = Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]
Function = Callable[[str, Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]


class Key:
    """What layers have in common that are constructed alike and whose weights have the same shapes."""

    __slots__ = ("constructed",)

    def __init__(self) -> None:
        self.constructed: Any = None  # how that is told, where it is told for all of them


class Leaf:
    """A class of layers.

    Args:
        name: by which the dialects list it.
        cls: the class.
        parameters: names of its constructor's parameters.
        plain: parameters that must have their default for the row to be what is computed, with the defaults.
    """

    def __init__(self, name: str, cls: type, parameters: list[str], plain: Mapping[str, Any]) -> None:
        self.name = name
        self.cls = cls
        self.parameters = parameters
        self.plain = plain
        self.forward: Callable[..., Any] = cls.__dict__["forward"]
        self._call_parameters = list(inspect.signature(self.forward).parameters)[1:] if plain else []
        self._given: dict[int, dict[str, Any]] = {}
        self._keys: dict[int, Key] = {}
        self._alike: dict[Any, Key] = {}
        self._kept: list[Any] = []

    def given(self, module: torch.nn.Module) -> dict[str, Any]:
        """What the constructor was given, and what became of it."""
        found = self._given.get(id(module))
        if found is None:
            attributes = {}
            for name in self.parameters:
                value = module.__dict__.get(name, _MISSING)
                if value is _MISSING and name in module._parameters:
                    value = module._parameters[name] is not None
                if isinstance(value, (bool, int, float, str, type(None), tuple, list)):
                    attributes[name] = value
            args, kwargs = module.__dict__.get(GIVEN, (None, None))
            found = {"args": args, "kwargs": kwargs, "attributes": attributes}
            self._given[id(module)] = found
            self._kept.append(module)
        return found

    def key(self, module: torch.nn.Module) -> Key:
        """The same for layers that give the same shapes for the same shapes."""
        found = self._keys.get(id(module))
        if found is None:
            like = (type(module), *self._constructed(module))
            for held in (module._parameters, module._buffers):
                for one in held.values():
                    like = (*like, None if one is None else (one.shape, one.dtype, one.is_meta))
            found = self._alike.get(like)
            if found is None:
                found = self._alike[like] = Key()
            self._keys[id(module)] = found
            self._kept.append(module)
        return found

    def _constructed(self, module: torch.nn.Module) -> Iterator[Any]:
        """What the constructor was given, and what became of it, as something that can be compared."""
        held = module.__dict__
        args, kwargs = held.get(GIVEN, ((), {}))
        for value in (*args, *kwargs, *kwargs.values(), *[held.get(name, _MISSING) for name in self.parameters]):
            kind = type(value)
            if kind is int or kind is str or value is None or value is _MISSING:
                yield value
            else:
                yield kind, repr(value)
        yield len(args)

    def fits(self, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Whether the row says what this call computes."""
        if not self.plain:
            return True
        given = self.given(module)
        constructed = dict(given["attributes"])
        if given["args"] is not None:
            constructed |= dict(zip(self.parameters, given["args"], strict=False)) | given["kwargs"]
        called = dict(zip(self._call_parameters, args, strict=False)) | kwargs
        for name, default in self.plain.items():
            value = called.get(name, constructed.get(name, default))
            if isinstance(value, torch.Tensor) or value != default:
                return False
        return True


_MISSING = object()
_UNSEEN = (None, -1)


class Leaves:
    """All of them.

    Args:
        layers: name -> (constructor's parameters, plain parameters with their defaults).
        functions: names of library functions outside of torch.
        silent: names of functions and methods in which nothing is recorded: they give weights their initial values.
    """

    def __init__(
        self,
        layers: Mapping[str, tuple[list[str], Mapping[str, Any]]],
        functions: list[str],
        silent: Sequence[str] = (),
    ) -> None:
        self.layers = layers
        self.functions = functions
        self.silent = silent
        self._noted: set[type] = set()
        self._sought: set[int] = set()  # the functions that modules were looked through for
        self._scanned: dict[int, tuple[Any, int]] = {}  # namespaces of modules that were, with their lengths then
        self._holders: list[tuple[Any, str, str, Any]] = []  # module and attribute, the function's name and itself

    def _found(self) -> Iterator[Leaf]:
        for name, (parameters, plain) in self.layers.items():
            module, _, attribute = name.rpartition(".")
            cls = getattr(sys.modules.get(module), attribute, None)
            if isinstance(cls, type):
                owner = next((base for base in cls.__mro__ if "forward" in base.__dict__), None)
                if owner is not None and owner is not torch.nn.Module and issubclass(cls, torch.nn.Module):
                    yield Leaf(name, cls if owner is cls else _with_forward(cls, owner), parameters, plain)

    def note_constructors(self) -> None:
        """From now on, what constructors of these layers are given is noted."""
        for name in self.layers:
            module, _, attribute = name.rpartition(".")
            cls = getattr(sys.modules.get(module), attribute, None)
            if isinstance(cls, type) and issubclass(cls, torch.nn.Module) and cls not in self._noted:
                self._noted.add(cls)
                _note(cls)

    @contextmanager
    def watched(self, layer: Layer, function: Function, silence: Silence) -> Iterator[None]:
        """Within, calls of these layers go to `layer`, those of functions to `function`, those of the silent to
        `silence`."""
        changed: list[tuple[Any, str, Any]] = []
        for leaf in self._found():
            changed.append((leaf.cls, "forward", leaf.cls.__dict__["forward"]))
            leaf.cls.forward = _through(leaf, layer)  # type: ignore[attr-defined]
        changed += self._everywhere(function)
        for name in self.silent:
            place, _, attribute = name.rpartition(".")
            module, _, cls = place.rpartition(".")
            owner = sys.modules.get(place) or getattr(sys.modules.get(module), cls, None)
            original = getattr(owner, "__dict__", {}).get(attribute)
            if inspect.isfunction(original):
                changed.append((owner, attribute, original))
                setattr(owner, attribute, _silently(original, silence))
        try:
            yield
        finally:
            for owner, attribute, original in reversed(changed):
                setattr(owner, attribute, original)

    def _everywhere(self, function: Function) -> Iterator[tuple[Any, str, Any]]:
        """Put what records a function in its place in each module that has it under some name."""
        self._scan()
        recorded: dict[str, Any] = {}
        for module, attribute, name, original in self._holders:
            if module.__dict__.get(attribute) is original:
                if name not in recorded:
                    recorded[name] = _recorded(name, original, function)
                yield module, attribute, original
                setattr(module, attribute, recorded[name])

    def _scan(self) -> None:
        """Find the modules that hold the functions; those are looked through again that hold more than before."""
        originals: dict[int, tuple[str, Any]] = {}
        for name in self.functions:
            place, _, attribute = name.rpartition(".")
            original = getattr(sys.modules.get(place), attribute, None)
            if inspect.isfunction(original):
                originals[id(original)] = (name, original)
        anew = set(originals) != self._sought
        self._sought = set(originals)
        for module in list(sys.modules.values()):
            held = getattr(module, "__dict__", None)
            if not isinstance(held, dict) or (not anew and self._scanned.get(id(held), _UNSEEN)[1] == len(held)):
                continue
            self._scanned[id(held)] = (held, len(held))
            self._holders = [one for one in self._holders if one[0] is not module]
            for attribute, value in list(held.items()):
                if id(value) in originals:
                    self._holders.append((module, attribute, *originals[id(value)]))


def _silently(original: Any, silence: Silence) -> Any:
    @functools.wraps(original)
    def silent(*args: Any, **kwargs: Any) -> Any:
        return silence(original, args, kwargs)

    return silent


def _with_forward(cls: type, owner: type) -> type:
    """`cls`, which takes its `forward` from a base, with a `forward` of its own that is the same."""
    cls.forward = owner.__dict__["forward"]  # type: ignore[attr-defined]
    return cls


def _through(leaf: Leaf, layer: Layer) -> Any:
    @functools.wraps(leaf.forward)
    def forward(module: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:
        return layer(leaf, module, args, kwargs)

    return forward


def _recorded(name: str, original: Any, function: Function) -> Any:
    @functools.wraps(original)
    def recorded(*args: Any, **kwargs: Any) -> Any:
        return function(name, original, args, kwargs)

    return recorded


def _note(cls: Any) -> None:
    original = cls.__init__

    @functools.wraps(original)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        if GIVEN not in self.__dict__:
            object.__setattr__(self, GIVEN, (args, kwargs))
        original(self, *args, **kwargs)

    cls.__init__ = init
