"""What every pass is made of: the protocol, and how a pass goes through the scopes of a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

from archcheck.ir.graph import Op, OpGraph, Value
from archcheck.ir.ops import OpKind
from archcheck.ir.verify import free_values
from archcheck.passes.kinds import STRUCTURE
from archcheck.passes.scope import Paths, Scope


class Pass(Protocol):
    """OpGraph -> OpGraph. Run twice, a pass changes nothing the second time."""

    @property
    def name(self) -> str:
        """As it is called in messages: a verb phrase in snake case."""

    def run(self, graph: OpGraph) -> OpGraph:
        """The graph after this pass; the same object where nothing changed."""


class ScopePass:
    """A pass that rewrites one scope at a time: bodies of structure ops first, then what holds them.

    Bodies of layer ops are left alone: they hold the primitives that were folded, kept for whoever wants to see them.
    """

    name: ClassVar[str] = ""
    enters: ClassVar[frozenset[OpKind]] = STRUCTURE
    makes: ClassVar[frozenset[OpKind]] = frozenset()  # kinds of new ops whose bodies a later pass has to enter

    def rewrite(self, scope: Scope, holder: Op | None) -> None:
        """Fold, replace and drop ops of `scope`, the body of `holder` (None: the whole graph)."""
        raise NotImplementedError

    def prepare(self, ops: tuple[Op, ...], paths: Paths) -> tuple[Op, ...]:
        """`ops` of one scope with some of them spelled out as several, the last of which keeps the path."""
        return ops

    def run(self, graph: OpGraph) -> OpGraph:
        """The graph after this pass; the same object where nothing changed."""
        if not graph.ops:
            return graph
        paths = Paths(graph)
        stated = graph.results or (Value(graph.ops[-1].path),)
        ops, results = self._scope(graph.ops, stated, paths, None)
        if ops is graph.ops:
            return graph
        if not graph.results and results == (Value(ops[-1].path),):
            results = ()
        return OpGraph(ops, results, graph.origin)

    def _scope(
        self, ops: tuple[Op, ...], results: tuple[Value, ...], paths: Paths, holder: Op | None
    ) -> tuple[tuple[Op, ...], tuple[Value, ...]]:
        inner = tuple(self._inner(op, paths) if op.body and op.kind in self.enters else op for op in ops)
        if all(new is old for new, old in zip(inner, ops, strict=True)):
            inner = ops
        inner = self.prepare(inner, paths)
        scope = Scope(inner, results, paths)
        self.rewrite(scope, holder)
        return scope.rebuild() if scope.changed else (inner, results)

    def _inner(self, op: Op, paths: Paths) -> Op:
        body, gives = self._scope(op.body, op.results, paths, op)
        if body is op.body:
            return op
        if len(gives) == 1 and gives[0] == Value(body[-1].path):
            gives = ()
        free = set(free_values(body, gives))
        # What is stated to be read first (the skip of a residual, what a repeat carries) stays; the rest may be gone.
        reads = tuple(value for number, value in enumerate(op.reads) if number == 0 or value in free)
        reads += tuple(value for value in free_values(body, gives) if value not in reads)
        return Op(op.path, op.kind, reads, op.attrs, body, gives, op.claim, op.span, op.because)


class Together(ScopePass):
    """Passes that share one scope: the same result as one after the other, without building the graph in between."""

    name = "together"

    def __init__(self, steps: Sequence[ScopePass]) -> None:
        self.steps = tuple(steps)

    def prepare(self, ops: tuple[Op, ...], paths: Paths) -> tuple[Op, ...]:
        """What each of the passes prepares, in order."""
        for step in self.steps:
            ops = step.prepare(ops, paths)
        return ops

    def rewrite(self, scope: Scope, holder: Op | None) -> None:
        """Run those of the passes that enter such a body."""
        for step in self.steps:
            if holder is None or holder.kind in step.enters:
                step.rewrite(scope, holder)
