"""What must hold for every graph, after every stage: a breach is archcheck's own mistake and is never hidden."""

from __future__ import annotations

from archcheck.errors import GraphError
from archcheck.ir.graph import Op, OpGraph, Value


def verify(graph: OpGraph, stage: str = "") -> OpGraph:
    """`graph` itself, after checking that paths are unique and every value is given before it is read.

    Args:
        stage: the frontend or pass that made the graph, for the message.

    Raises:
        GraphError: naming the first op that breaks an invariant, and `stage`.
    """
    _verify_body(graph.ops, set(), set(), stage)
    top = {op.path for op in graph.ops}
    for value in graph.results:
        if value.op not in top:
            raise GraphError(f"after {stage or 'a stage'}: the graph gives {value.op}, which it does not hold")
    return graph


def _verify_body(ops: tuple[Op, ...], visible: set[str], seen: set[str], stage: str) -> None:
    """Check one body; `visible` holds what its ops may read, and is as it was when this returns."""
    for op in ops:
        for value in op.reads:
            if value.op not in visible:
                raise GraphError(f"after {stage or 'a stage'}: {op.path} reads {value.op} before it is given")
        if op.path in seen:
            raise GraphError(f"after {stage or 'a stage'}: two ops are at {op.path}")
        seen.add(op.path)
        if len(op.attrs) > 1 and [attr.name for attr in op.attrs] != sorted(attr.name for attr in op.attrs):
            raise GraphError(f"after {stage or 'a stage'}: the attributes of {op.path} are not sorted")
        if op.body:
            _verify_body(op.body, visible, seen, stage)
            _verify_reads(op, stage)
        visible.add(op.path)
    visible.difference_update(op.path for op in ops)


def _verify_reads(op: Op, stage: str) -> None:
    listed = set(op.reads)
    missing = [value for value in free_values(op.body, op.gives) if value not in listed]
    if missing:
        raise GraphError(f"after {stage or 'a stage'}: {op.path} does not list that its body reads {missing[0].op}")


def free_values(ops: tuple[Op, ...], gives: tuple[Value, ...] = ()) -> tuple[Value, ...]:
    """The values that `ops` read and do not give themselves, each once, in the order of their first use."""
    own = {op.path for op in ops}
    free: dict[Value, None] = {}
    for op in ops:
        for value in op.reads:
            if value.op not in own:
                free[value] = None
    for value in gives:
        if value.op not in own:
            free[value] = None
    return tuple(free)
