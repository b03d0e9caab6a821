"""A claim as the code applies it: what an equation says of any operands, said of those that it has there."""

from __future__ import annotations

from dataclasses import replace

from archcheck.ir.graph import Op, OpGraph, Value
from archcheck.ir.ops import kind
from archcheck.judging.binding import Expected, Form, Target

INPUT, ATTENTION = kind("input"), kind("attention")
QUERY, KEY, VALUE = range(3)


def applied(expected: Expected, target: Target) -> OpGraph:
    """The graph of `expected`, said of the operands of `target`.

    An equation of one op, or of the inside of a sublayer, names operands that code may give one value: `softmax(q @
    k.T) @ v` of three holds of `attention(x, x, x)`, and self-attention is multi-head attention whose queries, keys and
    values come from one place. Its inputs become one where the code's operands are one.
    """
    graph = expected.graph
    if expected.form is Form.OP and target.region.op is not None:
        stated = [op for op in graph.ops if op.kind is not INPUT]
        return _merged(graph, dict(zip(stated[0].reads, target.region.op.reads, strict=False))) if stated else graph
    if expected.form is not Form.INSIDE or target.region.op is None:
        return graph
    core = next((op for op in graph.ops if op.kind is ATTENTION), None)
    if core is None:
        return graph
    places = _places(target.region.op.kind.name)
    sources = [_source(graph, value) for value in core.reads[: VALUE + 1]]
    return _merged(graph, {source: places[at] for at, source in enumerate(sources) if source is not None})


def _places(sublayer: str) -> tuple[object, object, object]:
    """For queries, keys and values, the place that each comes from."""
    if sublayer == "self_attention":
        return (QUERY, QUERY, QUERY)
    return (QUERY, KEY, KEY) if sublayer == "cross_attention" else (QUERY, KEY, VALUE)


def _source(graph: OpGraph, value: Value) -> Value | None:
    """The input that `value` comes from through ops of one operand; None where it comes from several."""
    by_path = {op.path: op for op in graph.ops}
    op = by_path[value.op]
    while op.kind is not INPUT:
        if len(op.reads) != 1:
            return None
        value = op.reads[0]
        op = by_path[value.op]
    return value


def _merged(graph: OpGraph, places: dict[Value, object]) -> OpGraph:
    """`graph` with those inputs as one that have one place."""
    inputs = {op.path for op in graph.ops if op.kind is INPUT}
    first: dict[object, Value] = {}
    names = {value: first.setdefault(place, value) for value, place in places.items() if value.op in inputs}
    gone = {value.op for value, other in names.items() if value != other}
    return _renamed(graph, names, gone) if gone else graph


def _renamed(graph: OpGraph, names: dict[Value, Value], gone: set[str]) -> OpGraph:
    ops = tuple(_op(op, names) for op in graph.ops if op.path not in gone)
    return OpGraph(ops, tuple(names.get(value, value) for value in graph.results), graph.origin)


def _op(op: Op, names: dict[Value, Value]) -> Op:
    reads = tuple(names.get(value, value) for value in op.reads)
    gives = tuple(names.get(value, value) for value in op.gives)
    return replace(op, reads=reads, gives=gives, body=tuple(_op(inner, names) for inner in op.body))
