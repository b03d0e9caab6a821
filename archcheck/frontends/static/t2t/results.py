"""What the parser gives: hparams sets as plain, hashable data, each value with the line that set it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from archcheck.frontends.static.t2t.data import SCALARS, Bound, Class, Data, Entry, Function, HParams, Name
from archcheck.frontends.static.t2t.heap import Heap
from archcheck.ir.graph import Unknown
from archcheck.ir.span import Setting, Span

MAX_ITEMS = 2_000  # of one value, nested items included


@dataclass(frozen=True, slots=True)
class Symbol:
    """What an hparam names without calling it: a function or class, or something of another package.

    `modalities.video_bottom`, `tensorflow.float32`. The name is known; what it stands for is not looked at.
    """

    qualified: str

    def __repr__(self) -> str:
        return self.qualified


@dataclass(frozen=True, slots=True)
class Table:
    """A dict, hashable, in its own order."""

    items: tuple[tuple[HParamValue, HParamValue], ...] = ()

    def __repr__(self) -> str:
        return "{" + ", ".join(f"{key!r}: {value!r}" for key, value in self.items) + "}"


HParamValue = None | bool | int | float | complex | str | bytes | Symbol | Table | Unknown | tuple["HParamValue", ...]
"""The value of an hparam; a list becomes a tuple."""


@dataclass(frozen=True, slots=True)
class ResolvedValue:
    """An hparam's value, and the line and calls that set it last."""

    value: HParamValue
    setting: Setting


@dataclass(frozen=True, slots=True)
class HParamsSet:
    """One registered set of hparams, as calling its function would give it.

    Args:
        name: under which it is registered; Unknown where that is decided while the program runs.
        function: that makes it, with the functions or classes that it is defined in: `transformer_base`.
        span: the line on which the function starts.
        values: of all hparams that it holds, by name, in alphabetical order.
        unknowns: everything that could not be found out, or that the library would refuse, in file order.
        rest: why hparams that `values` does not list may exist as well; None where `values` is complete.
    """

    name: str | Unknown
    function: str
    span: Span
    values: Mapping[str, ResolvedValue] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    unknowns: tuple[Unknown, ...] = ()
    rest: Unknown | None = None

    @property
    def settings(self) -> tuple[Setting, ...]:
        """What set each value, in alphabetical order of the names."""
        return tuple(resolved.setting for resolved in self.values.values())

    def get(self, name: str) -> ResolvedValue | Unknown:
        """The value of hparam `name`, or why there is none."""
        found = self.values.get(name)
        if found is not None:
            return found
        return self.rest if self.rest is not None else Unknown(f"this set has no {name}", self.span)


def resolved(hparams: HParams, heap: Heap) -> Mapping[str, ResolvedValue]:
    """The entries of an hparams object, frozen."""
    values: dict[str, ResolvedValue] = {}
    for name in sorted(hparams.entries):
        entry = hparams.entries[name]
        value, text = _freeze(entry, heap)
        setting = Setting(entry.setting.name, text, entry.setting.span, entry.setting.trail)
        values[name] = ResolvedValue(value, setting)
    return MappingProxyType(values)


def _freeze(entry: Entry, heap: Heap) -> tuple[HParamValue, str]:
    budget = [MAX_ITEMS]
    try:
        value = _frozen(entry.value, heap, budget)
    except _TooLarge:
        return Unknown(f"the value has more than {MAX_ITEMS:,} items", entry.setting.span), "unknown"
    return value, _text(entry.value, value)


class _TooLarge(Exception):
    pass


def _frozen(value: Data, heap: Heap, budget: list[int], depth: int = 0) -> HParamValue:
    budget[0] -= 1
    if budget[0] < 0 or depth > 50:
        raise _TooLarge
    value = heap.seen(value)
    if isinstance(value, (*SCALARS, Unknown)):
        return value
    match value:
        case list() | tuple():
            return tuple(_frozen(item, heap, budget, depth + 1) for item in value)
        case frozenset():
            return tuple(_frozen(item, heap, budget, depth + 1) for item in sorted(value, key=repr))
        case dict():
            keys = [_frozen(key, heap, budget, depth + 1) for key in value]
            items = [_frozen(item, heap, budget, depth + 1) for item in value.values()]
            return Table(tuple(zip(keys, items, strict=True)))
        case Name(qualified=qualified):
            return Symbol(qualified)
        case Function() | Class():
            return Symbol(value.qualified)
        case Bound(name=name):
            return Unknown(f"the value is the method {name} of an object")
        case HParams():
            return Unknown("the value is another hparams object")
        case _:
            return Unknown("the value is an object that is not read")


def _text(data: Data, value: HParamValue) -> str:
    """`value` as Python prints it; `data` tells a list from a tuple."""
    if isinstance(value, Unknown):
        return "unknown"
    if isinstance(data, list) and isinstance(value, tuple):
        return "[" + ", ".join(_text(a, b) for a, b in zip(data, value, strict=True)) + "]"
    if isinstance(data, tuple) and isinstance(value, tuple):
        inner = ", ".join(_text(a, b) for a, b in zip(data, value, strict=True))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(data, dict) and isinstance(value, Table):
        pairs = zip(data.items(), value.items, strict=True)
        return "{" + ", ".join(f"{_text(k, fk)}: {_text(v, fv)}" for (k, v), (fk, fv) in pairs) + "}"
    return repr(value)
