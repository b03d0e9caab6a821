"""Equivalences that the canonical form rests on, by name; and convolutions of one element as a claim calls them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from archcheck.align import Alignment
from archcheck.align.agree import opens
from archcheck.ir.equivalences import BORDERS, FUSED, MODULE, PADDING, POINTWISE, POOLED, unstated
from archcheck.ir.graph import Op, OpGraph, Value
from archcheck.ir.ops import kind
from archcheck.passes.raise_pointwise import is_pointwise
from archcheck.passes.values import rename

LINEAR = kind("linear")
_CUTS = frozenset({"split", "select"})
_MOVED = frozenset({"gather", "scatter", "update"})


def folds(alignment: Alignment, actual: OpGraph) -> frozenset[str]:
    """Names of the folds of the canonical form by which ops that an alignment matched are what they are.

    Args:
        alignment: of a claim with `actual`.
        actual: the code's graph; what stands free in it (padding taken out) is in no pair.
    """
    found = {name for pair in alignment.pairs for op in pair for name in _names(op)}
    if any(name == unstated("identity") for name in alignment.equivalences) and any(
        op.kind.name == "identity" and any(inner.kind.name in _MOVED for inner in op.body) for op in actual.walk()
    ):
        found.add(PADDING)
    return frozenset(found)


def _names(op: Op) -> Iterator[str]:
    if op.kind is LINEAR and op.body:
        inner = list(op.walk())[1:]
        if any(is_pointwise(one) for one in inner):
            yield POINTWISE
        if any(one.kind is LINEAR for one in op.body) and any(one.kind.name in _CUTS for one in op.body):
            yield FUSED
    elif any(inner.kind.name == "pad" for inner in op.body) and op.attr("padding") is not None:
        yield BORDERS
    elif op.kind.name == "pool" and any(inner.kind.name == "mean" for inner in op.body):
        yield POOLED
    elif op.kind.name == "attention" and op.attr("projected") is False:
        yield MODULE


def other_forms(expected: OpGraph, actual: OpGraph) -> Iterator[tuple[OpGraph, OpGraph]]:
    """Where a claim speaks of 1x1 convolutions: both graphs with convolutions, and both with linear maps. Where it
    speaks of linear maps and code has such convolutions: the code's as linear maps.

    "Two convolutions with kernel size 1" and two linear maps are one thing in two ways of speaking. Passes settle for
    one by what they see around it, which a claim need not show.
    """
    if any(is_pointwise(op) for op in expected.walk()):
        yield expected, _as_convolutions(actual)
        yield _as_linears(expected), _as_linears(actual)
    elif any(op.kind is LINEAR for op in expected.walk()) and any(is_pointwise(op) for op in actual.walk()):
        yield expected, _as_linears(actual)


def _as_convolutions(graph: OpGraph) -> OpGraph:
    """`graph` with the linear maps of its top level that were 1x1 convolutions as these."""
    names: dict[Value, Value] = {}
    ops: list[Op] = []
    for op in graph.ops:
        conv = op.body[0] if op.kind is LINEAR and len(op.body) == 1 and is_pointwise(op.body[0]) else None
        if conv is not None:
            names[Value(op.path)] = Value(conv.path)
        ops.append(rename(op if conv is None else conv, names))
    return OpGraph(tuple(ops), tuple(names.get(value, value) for value in graph.results), graph.origin)


def _as_linears(graph: OpGraph) -> OpGraph:
    """`graph` with its 1x1 convolutions as linear maps, also those in sublayers and residuals."""
    return replace(graph, ops=tuple(map(_as_linear, graph.ops)))


def _as_linear(op: Op) -> Op:
    if not is_pointwise(op):
        return replace(op, body=tuple(map(_as_linear, op.body))) if opens(op.kind) and op.body else op
    kept = tuple(attr for attr in op.attrs if attr.name in ("in_features", "out_features", "bias"))
    return replace(op, kind=LINEAR, attrs=kept, body=(replace(op, path=f"{op.path}'"),))
