"""A whole graph with its bodies, looked up by path and rewritten at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from archcheck.ir.graph import Op, OpGraph, Value
from archcheck.ir.verify import free_values
from archcheck.passes.kinds import RESIDUAL, STRUCTURE
from archcheck.passes.values import rename


class Tree:
    """The ops of a graph and of the bodies of its structures; those of layers stay what they are.

    Changes are noted with `put` and `forward`, and made by `rebuilt`.
    """

    def __init__(self, graph: OpGraph) -> None:
        self.graph = graph
        self.ops: dict[str, Op] = {op.path: op for op in _laid_open(graph.ops)}
        self._forward: dict[Value, Value] = {}
        self.readers: dict[Value, list[str]] = {}  # of what each value is read by, structures left out
        self.given: set[Value] = set(graph.results)  # what comes out of a body, or of the graph
        if graph.ops and not graph.results:
            self.given.add(Value(graph.ops[-1].path))
        for op in self.ops.values():
            if op.kind in STRUCTURE:
                self.given.update(op.results)
                if op.kind is RESIDUAL or op.kind.name == "repeat":
                    self.given.add(op.reads[0])
            else:
                for value in op.reads:
                    self.readers.setdefault(value, []).append(op.path)

    def maker(self, value: Value) -> Op | None:
        """The op that gives `value`; a structure is one, though what it gives is computed within."""
        return self.ops.get(self.resolve(value).op)

    def resolve(self, value: Value) -> Value:
        """What `value` is called now."""
        while value in self._forward:
            value = self._forward[value]
        return value

    def only_reader(self, value: Value) -> Op | None:
        """The one op that reads a value, which goes nowhere else."""
        found = self.readers.get(value, [])
        if len(set(found)) != 1 or value in self.given:
            return None
        return self.ops[found[0]]

    def put(self, op: Op) -> None:
        """Let `op` stand where the one at its path stood."""
        self.ops[op.path] = op

    def forward(self, value: Value, to: Value) -> None:
        """Let all that reads `value` read another."""
        if value != to:
            self._forward[value] = to

    def rebuilt(self) -> OpGraph:
        """The graph with what was noted; ops that nothing reads any more are gone."""
        before = _used(self.graph)
        ops = self._body(self.graph.ops)
        results = tuple(map(self.resolve, self.graph.results))
        found = OpGraph(ops, results, self.graph.origin)
        while True:
            dead = {path for path in before - _used(found) if not self._is_kept(path)}
            thinner = OpGraph(_without(found.ops, dead), results, found.origin)
            if len(thinner) == len(found):
                return thinner
            found = thinner

    def _is_kept(self, path: str) -> bool:
        op = self.ops.get(path)
        return op is None or op.kind.name in ("input", "opaque") or op.kind in STRUCTURE

    def _body(self, ops: tuple[Op, ...]) -> tuple[Op, ...]:
        return tuple(self._now(self.ops[op.path]) for op in ops)

    def _now(self, op: Op) -> Op:
        if op.kind not in STRUCTURE:
            return rename(op, self._forward)
        reads = tuple(map(self.resolve, op.reads))
        return _listed(replace(op, reads=reads, body=self._body(op.body), gives=tuple(map(self.resolve, op.gives))))


def _laid_open(ops: tuple[Op, ...]) -> Iterator[Op]:
    for op in ops:
        yield op
        if op.kind in STRUCTURE:
            yield from _laid_open(op.body)


def _listed(op: Op) -> Op:
    """A structure with what its body reads; what is stated to be read first (the skip of a residual) stays."""
    if not op.body:
        return op
    free = free_values(op.body, op.gives)
    reads = tuple(value for number, value in enumerate(op.reads) if number == 0 or value in free)
    return replace(op, reads=reads + tuple(value for value in free if value not in reads))


def _used(graph: OpGraph) -> set[str]:
    """The paths whose values anything reads, or that come out."""
    found = Counter(value.op for value in graph.results)
    if graph.ops and not graph.results:
        found[graph.ops[-1].path] += 1
    for op in _laid_open(graph.ops):
        found.update(value.op for value in (*op.reads, *op.results))
    return set(found)


def _without(ops: tuple[Op, ...], dead: set[str]) -> tuple[Op, ...]:
    kept: list[Op] = []
    for op in ops:
        if op.path in dead:
            continue
        if op.kind in STRUCTURE and op.body:
            body = _without(op.body, dead)
            kept.append(op if len(body) == len(op.body) and body == op.body else _listed(replace(op, body=body)))
        else:
            kept.append(op)
    return tuple(kept)
