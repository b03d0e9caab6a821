"""Leaves the count of a repeat open where the code's loop has no known number of rounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from archcheck.ir.graph import Op, OpGraph, Unknown
from archcheck.passes.kinds import REPEAT, named

_MADE_ANYWHERE = named("constant", "parameter")  # they stand where they are used


def leave_open(graph: OpGraph, rounds: Mapping[str, Unknown]) -> OpGraph:
    """`graph` with no count on repeats that stand for such a loop, of which the reader follows two rounds.

    Args:
        graph: in canonical form.
        rounds: path of each op that was recorded within such a loop -> why the number of its rounds is not known.
    """
    return replace(graph, ops=tuple(_op(op, rounds) for op in graph.ops)) if rounds else graph


def _op(op: Op, rounds: Mapping[str, Unknown]) -> Op:
    if not op.body:
        return op
    body = tuple(_op(inner, rounds) for inner in op.body)
    attributes = op.attrs
    if op.kind is REPEAT:
        leaves = [leaf.path for leaf in _leaves(op) if leaf.kind not in _MADE_ANYWHERE]
        within = [path for path in leaves if path in rounds]
        if len(within) * 2 > len(leaves):  # a few bear the name that a pass gave them
            why = rounds[within[0]]
            attributes = tuple(replace(one, value=why) if one.name == "count" else one for one in op.attrs)
    return replace(op, body=body, attrs=attributes)


def _leaves(op: Op) -> Iterator[Op]:
    """The ops of a body that hold no others, without those of repeats within it."""
    for inner in op.body:
        if not inner.body:
            yield inner
        elif inner.kind is not REPEAT:
            yield from _leaves(inner)
