"""Templates: objects of named values that are made once and copied, such as a configuration with its defaults."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

from archcheck.frontends.static.opens import Open
from archcheck.frontends.static.values import SCALARS, Class, Data, External, Function, Instance, ModuleValue, Sentinel

_SHARED = (*SCALARS, bytes, complex, range, type(...), External, Open, Sentinel, Class, ModuleValue)
_HOLDING = (list, tuple, dict, set)


@dataclass(frozen=True)
class Template:
    """An instance, and all that it holds; whoever copies it may change the copy."""

    instance: Instance

    def copy(self) -> Instance:
        """Another instance that holds the same values."""
        made: Instance = _copied(self.instance, {})
        return made


def template_of(instance: Instance) -> Template | None:
    """A template of `instance` as it is now; None where it holds something that a copy would have to share."""
    return Template(_copied(instance, {})) if _can_be_copied(instance, set()) else None


def _can_be_copied(value: Data, seen: set[int]) -> bool:
    if isinstance(value, _SHARED) or id(value) in seen:
        return True
    seen.add(id(value))
    if isinstance(value, Function):  # of a module or class: one that closes over variables may close over the object
        scope = value.scope
        while scope.parent is not None and scope.is_class:
            scope = scope.parent
        return scope.parent is None
    if isinstance(value, Instance):
        if value.layer is not None or value.tensors is not None:
            return False
        return _can_be_copied(value.attributes, seen) and _can_be_copied(value.items, seen)
    if isinstance(value, dict):
        return all(_can_be_copied(item, seen) for pair in value.items() for item in pair)
    return isinstance(value, _HOLDING) and all(_can_be_copied(item, seen) for item in value)


def _copied(value: Data, known: dict[int, Data]) -> Data:
    if isinstance(value, (*_SHARED, Function)):
        return value
    if id(value) in known:
        return known[id(value)]
    if isinstance(value, tuple):
        return tuple(_copied(item, known) for item in value)
    made = known[id(value)] = copy(value)
    if isinstance(value, Instance):
        made.attributes = _copied(value.attributes, known)
        made.settings = dict(value.settings)
        owner, name = value.owner or (None, "")
        made.owner = (known[id(owner)], name) if id(owner) in known else None
        made.items = _copied(value.items, known)
    elif isinstance(value, list):
        made[:] = [_copied(item, known) for item in value]
    elif isinstance(value, dict):
        made.update({key: _copied(item, known) for key, item in value.items()})
    return made
