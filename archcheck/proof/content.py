"""What tensors hold that follow from a call's inputs alone: grids of patches, masks, the lengths of sequences.

Code asks for it: how many windows a grid has decides how often a loop goes round. Given what the inputs hold, the ops
in between are evaluated by their definitions; what has none, or too many ops before it, is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from archcheck.ir.graph import Op, Value
from archcheck.proof.evaluate import evaluate, undefined
from archcheck.proof.world import CannotEvaluate, DoesNotFit, World

if TYPE_CHECKING:
    from archcheck.proof.world import Array

Nested = Any  # a number, or a list of these: what `tolist` gives
MOST_OPS = 400  # before what is asked for
MOST_NUMBERS = 4096  # in one tensor
_OPEN = frozenset({"input", "parameter", "random", "opaque"})  # hold what nobody knows, unless the caller does
LARGEST = 1e15  # number that counts as whole


def content(
    value: Value,
    by_path: Mapping[str, Op],
    held: Mapping[Value, Nested],
    dropped: frozenset[str],
    shape: Callable[[Value], Sequence[int | None] | None],
) -> Nested | None:
    """What a tensor holds; None where that does not follow.

    Args:
        value: the tensor.
        by_path: all ops so far.
        held: what inputs hold.
        dropped: paths of reductions whose axes go.
        shape: the shape of a value, where it is known. A value of another shape, or of an unknown one, is not believed.
    """
    try:
        import numpy as np
    except ImportError:  # it comes with the extra for proofs
        return None
    ops = _before(value, by_path, held)
    if ops is None or undefined(ops):
        return None
    given: dict[Value, Array] = {one: np.asarray(numbers) for one, numbers in held.items()}
    try:
        found = evaluate(ops, given, World(dropped=dropped))
    except (CannotEvaluate, DoesNotFit):
        return None
    for op in ops:
        array = found.get(Value(op.path))
        if array is not None and (array.size > MOST_NUMBERS or shape(Value(op.path)) != array.shape):
            return None
    return _plain(found[value]) if value in found else None


def _before(value: Value, by_path: Mapping[str, Op], held: Mapping[Value, Nested]) -> list[Op] | None:
    """The ops from which a value follows, in program order; None where they are too many, or one is not known."""
    needed: set[str] = set()
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if one in held or one.op in needed:
            continue
        op = by_path.get(one.op)
        if op is None or op.kind.name in _OPEN or len(needed) >= MOST_OPS:
            return None
        needed.add(one.op)
        waiting.extend(op.reads)
    return [op for path, op in by_path.items() if path in needed]


def _plain(array: Array) -> Nested:
    """Numbers as Python has them: whole ones as such."""
    if array.dtype.kind == "f" and array.size and bool((abs(array) < LARGEST).all() and (array == array.round()).all()):
        array = array.astype("int64")
    return array.tolist()
