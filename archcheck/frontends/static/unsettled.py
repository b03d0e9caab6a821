"""Lists and dicts that are changed at a place, or put into an order, that is not known: what stands where is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archcheck.frontends.static.opens import Open
from archcheck.frontends.static.values import Data, Kwargs, holds_tensor, is_metadata

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine

_PLAIN = (str, int, float, bool, type(None))


def unsettle(vm: Machine, items: Data, why: str, put: tuple[Data, ...] = ()) -> None:
    """Each entry of a list or dict may be what it was, another of them, or what was `put` there: any tensor at all, for
    to read one of them would say that it is used."""
    if not isinstance(items, (list, dict)):
        return
    places = range(len(items)) if isinstance(items, list) else list(items)
    about_sizes = all(isinstance(one, int) or is_metadata(one) for one in (*_entries(items), *put))
    given = any(holds_tensor(one) for one in put)
    for at in places:
        was = items[at]
        if holds_tensor(was) or given:
            items[at] = vm.opaque("entry", (), why)
        else:
            items[at] = vm.open(why, metadata=about_sizes)


def ordered(vm: Machine, values: list[Data], kwargs: Kwargs) -> list[Data]:
    """`values` as `sorted` and `list.sort` order them; each open where the order is not known."""
    key, reverse = kwargs.get("key"), kwargs.get("reverse", False)
    keys = values if key is None else [vm.call(key, [value], {}) for value in values]
    if len(values) < 2:
        return list(values)
    if isinstance(reverse, bool) and all(_is_plain(one) for one in keys):
        try:
            order = sorted(range(len(values)), key=keys.__getitem__, reverse=reverse)
        except TypeError:  # of kinds that are not compared
            pass
        else:
            return [values[at] for at in order]
    unknown = list(values)
    unsettle(vm, unknown, "the order that it is sorted into is not known")
    return unknown


def is_unknown(index: Data) -> bool:
    """Whether a place is not known: as a number, or as one of the ends of a slice."""
    if isinstance(index, slice):
        return any(is_unknown(end) for end in (index.start, index.stop, index.step))
    if isinstance(index, tuple):
        return any(is_unknown(part) for part in index)
    return isinstance(index, Open) or holds_tensor(index)


def _entries(items: list[Data] | dict[Data, Data]) -> list[Data]:
    return items if isinstance(items, list) else list(items.values())


def _is_plain(value: Data) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_is_plain(one) for one in value)
    return isinstance(value, _PLAIN)
