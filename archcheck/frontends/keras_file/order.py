"""In which order the calls of a model run, and which layers it has."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator, Sequence

from archcheck.frontends.keras_file.layers import Entry, Node, NonsenseError, Ref, entry_of


def first_call(entry: Entry, layers: Sequence[Entry], ends: Sequence[Ref]) -> int:
    """The number of a layer's first call in its model: a model has a call of its own before."""
    if not entry.nodes:
        return 0
    asked = [ref.node for one in layers for node in one.nodes for ref in node.refs() if ref.layer == entry.name]
    asked += [ref.node for ref in ends if ref.layer == entry.name]
    return 1 if asked and max(asked) == len(entry.nodes) and 0 not in asked else 0


def in_order(calls: Sequence[tuple[Entry, int, Node]], given: Collection[tuple[str, int]]) -> list[int]:
    """The numbers of calls, each behind those whose results it reads, otherwise as they are listed."""
    at = {(entry.name, number): index for index, (entry, number, _) in enumerate(calls)}
    known = set(given)
    waiting: list[int] = []
    readers: dict[int, list[int]] = {}
    for index, (entry, _, node) in enumerate(calls):
        asked = {(ref.layer, ref.node) for ref in node.refs()} - known
        missing = [key for key in asked if key not in at]
        if missing:
            name, number = sorted(missing)[0]
            raise NonsenseError(f'"{entry.name[:80]}" reads call {number} of "{name[:80]}", and there is none')
        waiting.append(len(asked))
        for key in asked:
            readers.setdefault(at[key], []).append(index)
    ready = [index for index, count in enumerate(waiting) if not count]
    heapq.heapify(ready)
    order: list[int] = []
    while ready:
        index = heapq.heappop(ready)
        order.append(index)
        for reader in readers.get(index, ()):
            waiting[reader] -= 1
            if not waiting[reader]:
                heapq.heappush(ready, reader)
    if len(order) < len(calls):
        stuck = next(calls[index][0].name for index, count in enumerate(waiting) if count)
        raise NonsenseError(f'layers read each other in a circle, "{stuck[:80]}" among them')
    return order


def listed(entry: Entry) -> Iterator[Entry]:
    """The layers of a model that runs them one after another."""
    config = entry.config
    told = config if isinstance(config, list) else config.get("layers")
    if not isinstance(told, list):
        raise NonsenseError(f'the layers of "{entry.name[:80]}" are no list')
    names: set[str] = set()
    for at, one in enumerate(told):
        found = entry_of(one, f"layer_{at}")
        if found.name in names:
            raise NonsenseError(f'two layers are called "{found.name[:80]}"')
        names.add(found.name)
        yield found
