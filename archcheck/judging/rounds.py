"""Loops within what is judged, of which the number of rounds is not known: what they compute together is not known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from archcheck.ir.graph import Op, OpGraph, Unknown
from archcheck.ir.span import Span
from archcheck.passes.kinds import REPEAT, SUBLAYERS, named

_MADE_ANYWHERE = named("constant", "parameter", "input")  # they stand where they are used


def open_loop(graph: OpGraph, rounds: Mapping[str, Unknown], *, whole: bool) -> tuple[str, Span | None] | None:
    """Why, and where, a loop within `graph` runs a number of times that is not known; None where there is no such loop.

    A loop around all of it does no harm: each round is what is judged.

    Args:
        graph: what is compared.
        rounds: path of each op that was recorded in such a loop -> why the number of its rounds is not known.
        whole: whether what sublayers compute inside is compared too.
    """
    if not rounds:
        return None
    loops: set[tuple[str, Span | None] | None] = set()
    for op in _visible(graph.ops, whole):
        count = op.attr("count")
        if op.kind is REPEAT:
            if isinstance(count, Unknown):
                return count.why, count.span
        elif op.kind not in _MADE_ANYWHERE:
            why = rounds.get(op.path)
            loops.add(None if why is None else (why.why, why.span))
    return next((loop for loop in loops if loop is not None), None) if len(loops) > 1 else None


def _visible(ops: Iterable[Op], whole: bool) -> Iterator[Op]:
    """Ops that hold no others, and repeats."""
    for op in ops:
        if op.kind is REPEAT or not op.body:
            yield op
        if op.body and (whole or op.kind not in SUBLAYERS):
            yield from _visible(op.body, whole)
