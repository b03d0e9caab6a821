"""Writes to what evaluation can change, kept so that the branches of an open condition can be tried and merged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from archcheck.frontends.static.t2t.data import Data, Declared, Entry, HParams, reachable, same
from archcheck.ir.graph import Unknown
from archcheck.ir.span import Setting, Step


class Flow(Enum):
    """How a statement ended, unless it went on."""

    RETURN = "return"
    BREAK = "break"
    CONTINUE = "continue"
    RAISE = "raise"


@dataclass(frozen=True, slots=True)
class Signal:
    """A statement that did not go on to the next one; `value` is what was returned, or why it raises."""

    flow: Flow
    value: Data = None


class _Missing:
    pass


_MISSING = _Missing()
_Place = tuple[Any, Any]  # a dict and a key of it, or a list and None


class Heap:
    """All writes go through here. While branches are tried, each one is noted and can be undone."""

    def __init__(self) -> None:
        self._journal: list[tuple[_Place, Data]] | None = None
        self._spoiled: dict[int, tuple[Data, Unknown]] = {}  # the value is kept: its id must not be used again

    # ---- writes

    def put(self, container: dict[Any, Any], key: Data, value: Data) -> None:
        """`container[key] = value`, where `container` is a dict or the names of a scope."""
        self._note(container, key)
        container[key] = value

    def remove(self, container: dict[Any, Any], key: Data) -> None:
        """`del container[key]`, if it is there."""
        self._note(container, key)
        container.pop(key, None)

    def changing(self, items: list[Data]) -> list[Data]:
        """A list that is about to be changed in place."""
        self._note(items, None)
        return items

    def _note(self, container: Any, key: Any) -> None:
        if self._journal is not None:
            self._journal.append(((container, key), _read((container, key))))

    # ---- what is no longer known

    def spoil(self, values: Sequence[Data], why: Unknown, setting: Callable[[str], Setting]) -> None:
        """Everything reachable from `values` that can be changed may have been, for the reason `why`."""
        for item in reachable(values):
            if isinstance(item, HParams):
                for name in tuple(item.entries):
                    self.put(item.entries, name, Entry(why, setting(name)))
                for name in tuple(item.types):
                    self.put(item.types, name, Declared(None))
                self.put(item.rest, "why", why)
            else:
                self._spoiled[id(item)] = (item, why)

    def seen(self, value: Data) -> Data:
        """`value`, or the Unknown that stands for it since it may have been changed."""
        if self._spoiled and isinstance(value, list | dict):
            spoiled = self._spoiled.get(id(value))
            if spoiled is not None:
                return spoiled[1]
        return value

    # ---- branches

    def fork(
        self,
        branches: Sequence[Callable[[], Signal | None]],
        why: Unknown,
        trail: tuple[Step, ...],
        *,
        repeated: bool = False,
    ) -> list[Signal | None]:
        """Try each branch from the present state, and leave what all of them agree on.

        A branch that raises is taken as one that the program does not take. Where the others differ, the value is
        `why`; with `repeated`, everything that any of them writes is.

        Returns:
            How each branch ended; those that raise are left out unless all do.
        """
        outer = self._journal
        ends: list[tuple[Signal | None, dict[tuple[int, Any], tuple[_Place, Data]]]] = []
        try:
            for branch in branches:
                journal: list[tuple[_Place, Data]] = []
                self._journal = journal
                signal = branch()
                after = {_key(place): (place, _read(place)) for place, _ in journal}
                self._journal = None
                for place, before in reversed(journal):
                    _write(place, before)
                ends.append((signal, after))
        finally:
            self._journal = outer
        going = [end for end in ends if end[0] is None or end[0].flow is not Flow.RAISE]
        if not going:
            return [end[0] for end in ends]
        touched = {key: place for _, after in going for key, (place, _) in after.items()}
        for key, place in touched.items():
            values = [after[key][1] if key in after else _read(place) for _, after in going]
            self._merge(place, values, why, trail, repeated=repeated)
        return [end[0] for end in going]

    def _merge(
        self, place: _Place, values: list[Data], why: Unknown, trail: tuple[Step, ...], *, repeated: bool
    ) -> None:
        container, key = place
        if isinstance(container, list):
            contents = [tuple(value) for value in values if isinstance(value, list)]
            if repeated or not all(same(content, contents[0]) for content in contents[1:]):
                self._spoiled[id(container)] = (container, why)
            return
        agree = not repeated and all(_agree(value, values[0]) for value in values[1:])
        if agree:
            if isinstance(values[0], _Missing):
                self.remove(container, key)
            else:
                self.put(container, key, values[0])
        elif any(isinstance(value, Entry) for value in values):
            written = next(value for value in reversed(values) if isinstance(value, Entry))
            self.put(container, key, Entry(why, Setting(written.setting.name, "", why.span, trail)))
        elif any(isinstance(value, Declared) for value in values):
            self.put(container, key, Declared(None))
        else:
            self.put(container, key, why)


def _agree(left: Data, right: Data) -> bool:
    if isinstance(left, Entry) and isinstance(right, Entry):
        return same(left.value, right.value)
    return same(left, right)


def _key(place: _Place) -> tuple[int, Any]:
    return id(place[0]), place[1]


def _read(place: _Place) -> Data:
    container, key = place
    return list(container) if isinstance(container, list) else container.get(key, _MISSING)


def _write(place: _Place, value: Data) -> None:
    container, key = place
    if isinstance(container, list):
        assert isinstance(value, list)
        container[:] = value
    elif isinstance(value, _Missing):
        container.pop(key, None)
    else:
        container[key] = value
