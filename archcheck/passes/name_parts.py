"""Parts of the code under a paper's own words: what a module or a function computes becomes one op."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from archcheck.ir.graph import Op, OpGraph, Value, attrs
from archcheck.ir.ops import kind
from archcheck.ir.span import Caller, Reached, origin

FUNCTION, OPAQUE = kind("function"), kind("opaque")
_SOURCES = frozenset({kind("parameter"), kind("constant")})
INPUT = kind("input")


@dataclass
class _Part:
    """One call of a module or a function: its ops, next to each other in the program's order."""

    word: str
    place: str
    call: Caller | None  # None: of a module that is not read, whose calls are told apart by nothing
    ops: list[Op] = field(default_factory=list)

    def is_one_call(self, reached: Reached) -> bool:
        """Whether no layer of it is called again: none that learns, or, where none does, none at all."""
        if self.call is not None:
            return True
        own = [op for op in self.ops if op.kind not in _SOURCES]
        learns = [op for op in own if reached.held.get(origin(op.path))] or own
        seen = [(op.path.rpartition("/")[0], op.kind) for op in learns]
        return len(seen) == len(set(seen))


def name_parts(graph: OpGraph, parts: Mapping[str, Iterable[str]], reached: Reached) -> OpGraph:
    """`graph`, as it was read, with each call of what is bound as one `function`, which a claim does not look into.

    Args:
        parts: a paper's word -> places of the modules that it is, or the name of the function.
        reached: how code comes to each op.
    """
    places = {place: word for word, named in parts.items() for place in named}
    groups: list[_Part | Op] = []
    current: _Part | None = None
    for op in graph.ops:
        found = _under(op, places, reached)
        if op.kind is INPUT or (op.kind in _SOURCES and found is None):
            groups.append(op)  # what comes from nowhere ends no call
            continue
        if found is None:
            current = None
            groups.append(op)
            continue
        place, call = found
        if current is None or current.place != place or (current.call is not call and op.kind not in _SOURCES):
            current = _Part(places[place], place, call)
            groups.append(current)
        current.ops.append(op)
    return _joined(graph, groups, reached)


def _under(op: Op, places: Mapping[str, str], reached: Reached) -> tuple[str, Caller | None] | None:
    """The bound place or function to which an op belongs, and its call."""
    own = op.path.rpartition("/")[0]
    caller = reached.called.get(origin(op.path))
    for place in places:
        call = caller.first(place, place) if caller is not None else None
        if call is not None or place == own or own.startswith(f"{place}."):
            return place, call
    return None


def _joined(graph: OpGraph, groups: list[_Part | Op], reached: Reached) -> OpGraph:
    names: dict[Value, Value] = {}
    ops: list[Op] = []
    read = _readers(graph)
    for number, one in enumerate(groups):
        if isinstance(one, Op):
            ops.append(replace(one, reads=_named(one.reads, names)))
            continue
        own = {op.path for op in one.ops}
        inside = {value for op in one.ops for value in op.reads if value.op in own}
        reads = dict.fromkeys(value for op in one.ops for value in op.reads if value.op not in own)
        path = f"{one.place}/{number}.function"
        given = [value for value in read if value.op in own and (read[value] - own or value in graph.results)]
        given = given or [Value(op.path) for op in one.ops[-1:] if Value(op.path) not in inside]
        names |= {value: Value(path, at) for at, value in enumerate(given)}
        told = attrs(name=one.word)
        found = FUNCTION
        if not one.is_one_call(reached):
            found, told = (
                OPAQUE,
                attrs(name=one.word, why=f"calls of {one.place} that follow each other are not told apart"),
            )
        first = next((op for op in one.ops if op.kind not in _SOURCES), one.ops[0])
        ops.append(Op(path, found, _named(reads, names), told, span=first.span, because=first.because))
    return OpGraph(tuple(ops), _named(graph.results, names), graph.origin)


def _readers(graph: OpGraph) -> dict[Value, set[str]]:
    found: dict[Value, set[str]] = {value: set() for value in graph.results}
    for op in graph.ops:
        for value in op.reads:
            found.setdefault(value, set()).add(op.path)
    return found


def _named(values: Iterable[Value], names: Mapping[Value, Value]) -> tuple[Value, ...]:
    return tuple(names.get(value, value) for value in values)


__all__ = ["name_parts"]
