"""Gates that code keeps for a paper's one minus the gate: `z h + (1 - z) c` for `(1 - z) h + z c`.

`1 - sigmoid(a) = sigmoid(-a)`, and where `a` is a sum of learned maps, `-a` is one as well: with the other sign in
every weight. Which of the two a gate is called is nothing that training could tell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import combinations

from archcheck.ir.graph import Op, OpGraph, Value, attrs
from archcheck.ir.ops import kind
from archcheck.ir.span import origin
from archcheck.judging.features import MAPS
from archcheck.passes.values import rename

ADD, PARAMETER, SIGMOID, SUB = map(kind, ("add", "parameter", "sigmoid", "sub"))
MOST_GATES = 3


def complements(graph: OpGraph) -> Iterator[OpGraph]:
    """`graph`, laid out without sublayers, with one or more of its gates as one minus a gate."""
    less = _one_minus(graph)
    gates = [op for op in graph.ops if op.path in less.values() and _is_learned(op, graph)][:MOST_GATES]
    for count in range(1, len(gates) + 1):
        for chosen in combinations(gates, count):
            yield _turned(graph, {op.path for op in chosen}, less)


def _one_minus(graph: OpGraph) -> dict[str, str]:
    """Ops that are one minus a gate, with the gate."""
    return {
        op.path: op.reads[0].op
        for op in graph.ops
        if op.kind is SUB and len(op.reads) == 1 and op.attr("by") == 1 and op.attr("reverse") is True
    }


def _turned(graph: OpGraph, gates: set[str], less: dict[str, str]) -> OpGraph:
    """With other gates in the place of these: what was one minus the gate is the gate."""
    names = {Value(gate): Value(f"{gate}'less") for gate in gates}
    whole = {Value(path): Value(gate) for path, gate in less.items() if gate in gates}
    ops: list[Op] = []
    for op in graph.ops:
        if Value(op.path) in whole:
            continue
        ops.append(rename(rename(op, names), whole))
        if op.path in gates:
            stated = attrs(by=1, reverse=True)
            ops.append(Op(f"{op.path}'less", SUB, (Value(op.path),), stated, span=op.span, because=op.because))
    results = tuple(whole.get(names.get(value, value), names.get(value, value)) for value in graph.results)
    return OpGraph(tuple(ops), results, graph.origin)


def _is_learned(gate: Op, graph: OpGraph) -> bool:
    """Whether a gate is the sigmoid of a sum of maps, all of them its own."""
    if gate.kind is not SIGMOID:
        return False
    made = {op.path: op for op in graph.ops}
    reads = Counter([read.op for op in graph.ops for read in op.reads] + [value.op for value in graph.results])
    waiting = list(gate.reads)
    while waiting:
        op = made.get(waiting.pop().op)
        if op is None or reads[op.path] != 1:
            return False
        if op.kind is ADD and len(op.reads) == 2:
            waiting += op.reads
        elif op.kind in MAPS:
            if len(op.reads) > 1 or _is_used_again(op, graph):
                return False
        elif op.kind is not PARAMETER:
            return False
    return True


def _is_used_again(of: Op, graph: OpGraph) -> bool:
    """Whether what a map has learned is used by another one: then its sign is not free."""
    place = of.path.rpartition("/")[0]
    return any(
        op.kind in MAPS
        and origin(op.path) != origin(of.path)
        and ((place and op.path.rpartition("/")[0] == place) or _learned(of) & _learned(op))
        for op in graph.ops
    )


def _learned(of: Op) -> set[object]:
    return {inner.attr("name") for inner in of.walk() if inner.kind is PARAMETER}


__all__ = ["complements"]
