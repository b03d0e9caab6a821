"""Methods of strings, lists and dicts that hparams functions call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archcheck.frontends.static.t2t import operators
from archcheck.frontends.static.t2t.data import SCALARS, Data, known
from archcheck.ir.graph import Unknown

if TYPE_CHECKING:
    from archcheck.frontends.static.t2t.calls import Site
    from archcheck.frontends.static.t2t.machine import Machine


def call(vm: Machine, owner: Data, name: str, args: list[Data], kwargs: dict[str, Data], site: Site) -> Data:
    """What `owner.<name>(*args, **kwargs)` gives and does."""
    from archcheck.frontends.static.t2t.calls import unread

    result: Data = _NOT_UNDERSTOOD
    try:
        if isinstance(owner, str):
            result = _of_string(vm, owner, name, args, kwargs)
        elif not kwargs and isinstance(owner, list):
            result = _of_list(vm, owner, name, args)
        elif isinstance(owner, dict):
            result = _of_dict(vm, owner, name, args, kwargs)
        elif not kwargs and isinstance(owner, tuple) and name in ("index", "count") and known(owner) and known(args):
            result = getattr(owner, name)(*args)
    except (TypeError, ValueError, IndexError, KeyError, AttributeError) as error:
        vm.note(f"Python raises {type(error).__name__}: {error}", site.span(vm))
        return unread(vm, f"{type(error).__name__}: {error}", [owner], site)
    if result is _NOT_UNDERSTOOD:
        return unread(vm, f"the method {name} is not evaluated on these values", [owner, *args, *kwargs.values()], site)
    return result


_NOT_UNDERSTOOD = object()
_STRING = frozenset(
    {
        "capitalize",
        "count",
        "endswith",
        "find",
        "index",
        "isdigit",
        "join",
        "lower",
        "lstrip",
        "partition",
        "replace",
        "rfind",
        "rindex",
        "rpartition",
        "rsplit",
        "rstrip",
        "split",
        "splitlines",
        "startswith",
        "strip",
        "swapcase",
        "title",
        "upper",
    }
)


def _of_string(vm: Machine, owner: str, name: str, args: list[Data], kwargs: dict[str, Data]) -> Data:
    given = [*args, *kwargs.values()]
    for value in given:
        if isinstance(value, Unknown):
            return value
    if not known(given):
        return _NOT_UNDERSTOOD
    if name == "format":
        plain = all(isinstance(value, SCALARS) for value in given)
        # A field that looks into its value ("{0.x}", "{0[1]}") is not evaluated.
        if not plain or operators.wide(owner) or "[" in owner or "." in owner.replace(". ", ""):
            return _NOT_UNDERSTOOD
        return owner.format(*args, **kwargs)
    if name not in _STRING or kwargs:
        return _NOT_UNDERSTOOD
    sizes = [len(value) for value in args if isinstance(value, str)]
    if name == "replace" and (len(owner) + 1) * max(sizes, default=0) > vm.limits.items:
        return _NOT_UNDERSTOOD
    if name == "join" and isinstance(args[0], list | tuple):
        total = sum(len(item) + len(owner) for item in args[0] if isinstance(item, str))
        if total > vm.limits.items:
            return _NOT_UNDERSTOOD
    result: Data = getattr(owner, name)(*args)
    return result


def _of_list(vm: Machine, owner: list[Data], name: str, args: list[Any]) -> Data:
    if name in ("index", "count"):
        return getattr(owner, name)(*args) if known(owner) and known(args) else _NOT_UNDERSTOOD
    if name == "copy":
        return list(owner)
    if name in ("sort", "remove") and not (known(owner) and known(args)):
        return _NOT_UNDERSTOOD
    if name == "extend":
        more = operators.items(vm, args[0])
        if more is None or len(owner) + len(more) > vm.limits.items:
            return _NOT_UNDERSTOOD
        vm.heap.changing(owner).extend(more)
        return None
    if name in ("append", "insert", "pop", "remove", "reverse", "sort", "clear"):
        if any(isinstance(arg, Unknown) for arg in args[: len(args) - (name in ("append", "insert"))]):
            return _NOT_UNDERSTOOD
        return getattr(vm.heap.changing(owner), name)(*args)
    return _NOT_UNDERSTOOD


def _of_dict(vm: Machine, owner: dict[Data, Data], name: str, args: list[Data], kwargs: dict[str, Data]) -> Data:
    if name == "update" and len(args) <= 1:
        more = args[0] if args else {}
        if not isinstance(more, dict):
            return _NOT_UNDERSTOOD
        for key, value in {**more, **kwargs}.items():
            vm.heap.put(owner, key, value)
        return None
    if kwargs:
        return _NOT_UNDERSTOOD
    if name in ("keys", "values", "items", "copy") and not args:
        if name == "copy":
            return dict(owner)
        return {"keys": list(owner), "values": list(owner.values()), "items": list(owner.items())}[name]
    if name in ("iteritems", "iterkeys", "itervalues") and not args:  # Python 2
        return _of_dict(vm, owner, name.removeprefix("iter"), args, kwargs)
    if name in ("get", "pop", "setdefault") and args and operators.hashable(args[0]):
        key, default = args[0], args[1:]
        if key in owner:
            value = owner[key]
            if name == "pop":
                vm.heap.remove(owner, key)
            return value
        if name == "setdefault":
            vm.heap.put(owner, key, default[0] if default else None)
        if name == "pop" and not default:
            raise KeyError(key)
        return default[0] if default else None
    return _NOT_UNDERSTOOD
