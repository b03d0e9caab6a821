"""A claim about one layer, stated for several in a row: what code that writes its layers out is held against."""

from __future__ import annotations

from dataclasses import replace

from archcheck.ir.graph import Op, OpGraph, Value
from archcheck.ir.ops import kind

INPUT = kind("input")


def chained(graph: OpGraph, times: int) -> OpGraph:
    """`graph` `times` in a row, each fed with what the one before gave.

    The first inputs are taken as the streams that the results continue; inputs behind them (an encoder's output) are
    read by every layer.
    """
    inputs = [op for op in graph.ops if op.kind is INPUT]
    streams = [Value(op.path) for op in inputs[: len(graph.results)]]
    ops: list[Op] = list(graph.ops)
    results = graph.results
    for number in range(1, times):
        names = dict(zip(streams, results, strict=False))
        prefix = f"{number}:"
        own = {op.path for op in graph.walk() if op.kind is not INPUT}
        ops += [_renamed(op, names, own, prefix) for op in graph.ops if op.kind is not INPUT]
        results = tuple(_value(value, names, own, prefix) for value in graph.results)
    return OpGraph(tuple(ops), results, graph.origin)


def _renamed(op: Op, names: dict[Value, Value], own: set[str], prefix: str) -> Op:
    return replace(
        op,
        path=prefix + op.path,
        reads=tuple(_value(value, names, own, prefix) for value in op.reads),
        body=tuple(_renamed(inner, names, own, prefix) for inner in op.body),
        gives=tuple(_value(value, names, own, prefix) for value in op.gives),
    )


def _value(value: Value, names: dict[Value, Value], own: set[str], prefix: str) -> Value:
    if value in names:
        return names[value]
    return Value(prefix + value.op, value.index) if value.op in own else value
