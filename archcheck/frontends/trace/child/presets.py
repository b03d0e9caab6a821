"""Configurations, as a library hands them to the model that it builds: fields that nobody set get what it would set.

What the user sets stays. Which fields are set, and to what, the dialects say: `presets` for fields that are None until
a model is built, `defaults` for those that say how a model is used and not what it is.
"""

from __future__ import annotations

import inspect
import sys
import weakref
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from archcheck.frontends.trace.child.sizes import field_of

DEEPEST = 3  # configurations within configurations
_given: dict[int, tuple[weakref.ref[Any], frozenset[str]]] = {}  # by identity: what constructors were given by name


class Presets:
    """What is set.

    Args:
        presets: qualified class name -> fields with the values that they get where they are None.
        defaults: qualified class name -> fields with the values that they get where the constructor was not given them.
    """

    def __init__(self, presets: Mapping[str, Mapping[str, Any]], defaults: Mapping[str, Mapping[str, Any]]) -> None:
        self.presets = presets
        self.defaults = defaults

    def watch(self) -> None:
        """From now on, it is known which fields configurations are given that are made."""
        for base in self._bases({**self.presets, **self.defaults}):
            if base not in _watched:
                _watch(base)

    def is_config(self, cls: Any) -> bool:
        """Whether something is a class of configurations."""
        return inspect.isclass(cls) and any(issubclass(cls, base) for base in self._bases(self.presets))

    def apply(self, config: Any, depth: int = DEEPEST) -> Iterator[str]:
        """Set fields of a configuration and of those inside it; what is taken for granted by that."""
        for name, value in self._of(type(config), self.presets):
            if field_of(config, name) is None:
                object.__setattr__(config, name, value)
        for name, value in self._of(type(config), self.defaults):
            if name not in _names(config) and field_of(config, name, value) != value:
                object.__setattr__(config, name, value)
                yield f"{name} is {value!r}, which is not its default"
        for inner in list(vars(config).values()) if depth else ():
            if self.is_config(type(inner)):
                yield from self.apply(inner, depth - 1)

    def _of(self, cls: type, table: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Any]]:
        for name in table:
            for base in self._bases((name,)):
                if issubclass(cls, base):
                    yield from table[name].items()

    @staticmethod
    def _bases(names: Iterable[str]) -> Iterator[Any]:
        """Those of these classes that are imported."""
        for name in names:
            module, _, attribute = name.rpartition(".")
            base = getattr(sys.modules.get(module), attribute, None)
            if inspect.isclass(base):
                yield base


_watched: set[Any] = set()


def _watch(base: Any) -> None:
    """Note what constructors of a class and of those that extend it are given by name.

    `__new__` is given what `__init__` is, and is inherited by classes that are defined later.
    """
    original = base.__new__

    def new(cls: Any, *args: Any, **kwargs: Any) -> Any:
        made = object.__new__(cls) if original is object.__new__ else original(cls, *args, **kwargs)
        key = id(made)
        _given[key] = weakref.ref(made, lambda gone: _given.pop(key, None)), frozenset(kwargs)
        return made

    base.__new__ = new
    _watched.add(base)


def _names(config: Any) -> frozenset[str]:
    """The fields that the constructor of a configuration was given; none where nobody was watching."""
    known, names = _given.get(id(config), (None, frozenset()))
    return names if known is not None and known() is config else frozenset()
