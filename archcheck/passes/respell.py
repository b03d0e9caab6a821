"""For passes that put several ops where one stood: a scope is asked, and its list of ops written anew."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import ClassVar

from archcheck.ir.graph import Op, OpGraph, Value
from archcheck.ir.ops import OpKind
from archcheck.ir.verify import free_values
from archcheck.passes.kinds import STRUCTURE
from archcheck.passes.scope import Paths, Scope
from archcheck.passes.values import in_order, rename

_ROUNDS = 16  # what was spelled out may be spelled out again: a part that is cut into parts


@dataclass(slots=True)
class Respelled:
    """What stands in a scope in place of ops, by their slots, and what their values are called now."""

    instead: dict[int, tuple[Op, ...]] = field(default_factory=dict)
    names: dict[Value, Value] = field(default_factory=dict)


class RespellPass:
    """A pass that writes one scope after the other anew, bodies of structure ops first, until nothing changes."""

    name: ClassVar[str] = ""
    enters: ClassVar[frozenset[OpKind]] = STRUCTURE

    def applies(self, ops: tuple[Op, ...]) -> bool:
        """Whether any of the ops of a scope could be changed, at a glance."""
        raise NotImplementedError

    def respell(self, scope: Scope, paths: Paths) -> Respelled:
        """What to write in place of ops of `scope`; empty where nothing is to be changed."""
        raise NotImplementedError

    def run(self, graph: OpGraph) -> OpGraph:
        """The graph after this pass; the same object where nothing changed."""
        if not graph.ops:
            return graph
        stated = graph.results or (Value(graph.ops[-1].path),)
        ops, results = self._scope(graph.ops, stated, Paths(graph))
        if ops is graph.ops:
            return graph
        if not graph.results and results == (Value(ops[-1].path),):
            results = ()
        return OpGraph(ops, results, graph.origin)

    def _scope(
        self, ops: tuple[Op, ...], results: tuple[Value, ...], paths: Paths
    ) -> tuple[tuple[Op, ...], tuple[Value, ...]]:
        inner = tuple(self._inner(op, paths) if op.body and op.kind in self.enters else op for op in ops)
        if any(new is not old for new, old in zip(inner, ops, strict=True)):
            ops = inner
        for _ in range(_ROUNDS):
            if not self.applies(ops):
                break
            scope = Scope(ops, results, paths)
            found = self.respell(scope, paths)
            if not found.instead:
                break
            written = [op for slot in scope.slots() for op in found.instead.get(slot, (scope.ops[slot],))]
            ops = in_order([rename(op, found.names) for op in written])
            results = tuple(_follow(value, found.names) for value in results)
        return ops, results

    def _inner(self, op: Op, paths: Paths) -> Op:
        body, gives = self._scope(op.body, op.results, paths)
        if body is op.body:
            return op
        if gives == (Value(body[-1].path),):
            gives = ()
        free = free_values(body, gives)
        # What is stated to be read first (the skip of a residual, what a repeat carries) stays; the rest may be gone.
        reads = tuple(dict.fromkeys([*op.reads[:1], *(value for value in op.reads if value in free), *free]))
        return replace(op, reads=reads, body=body, gives=gives)


def copied(ops: Iterable[Op], paths: Paths) -> tuple[tuple[Op, ...], dict[Value, Value]]:
    """`ops` once more under unused paths, and what their values are called in the copy."""
    made: list[Op] = []
    names: dict[Value, Value] = {}
    for op in ops:
        path = paths.fresh(op.path, op.kind)
        body, inner = copied(op.body, paths)
        at = {value.op: other.op for value, other in inner.items()}
        again = rename(replace(op, path=path, body=()), names)
        gives = tuple(Value(at[value.op], value.index) if value.op in at else value for value in op.gives)
        made.append(replace(again, body=tuple(rename(one, names) for one in body), gives=gives))
        for number in range(max(1, len(op.gives))):
            names[Value(op.path, number)] = Value(path, number)
    return tuple(made), names


def _follow(value: Value, names: dict[Value, Value]) -> Value:
    while value in names:
        value = names[value]
    return value
