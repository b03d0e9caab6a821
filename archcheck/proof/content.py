"""What tensors hold that follow from a call's inputs alone: grids of patches, masks, the lengths of sequences.

Code asks for it: how many windows a grid has decides how often a loop goes round. Given what the inputs hold, the ops
in between are evaluated by their definitions; what has none, or too many ops before it, is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from archcheck.ir.facts import Facts, Nested
from archcheck.ir.graph import Op, Value
from archcheck.proof.evaluate import evaluate, undefined
from archcheck.proof.world import CannotEvaluate, DoesNotFit, World

if TYPE_CHECKING:
    from archcheck.proof.world import Array

MOST_OPS = 400  # before what is asked for
MOST_NUMBERS = 1 << 16  # in one tensor
_OPEN = frozenset({"input", "parameter", "random", "opaque"})  # hold what nobody knows, unless the caller does
LARGEST = 1e15  # number that counts as whole
# Up to which whole numbers a type holds all.
_EXACT = {"bfloat16": 2**8, "float16": 2**11, "float32": 2**24, "float64": 2**53, "uint8": 2**8 - 1, "int8": 2**7 - 1}
_EXACT |= {"int16": 2**15 - 1, "uint16": 2**16 - 1, "int32": 2**31 - 1, "uint32": 2**32 - 1, "int64": 2**53, "bool": 1}


def content(value: Value, facts: Facts) -> Nested | None:
    """What a tensor holds; None where that does not follow.

    A value of another shape than the op's, or of an unknown one, is not believed, and none that a cast would change.
    """
    try:
        import numpy as np
    except ImportError:  # it comes with the extra for proofs
        return None
    ops = _before(value, facts.by_path, facts.held)
    if ops is None or undefined(ops):
        return None
    given: dict[Value, Array] = {one: np.asarray(numbers) for one, numbers in facts.held.items()}
    try:
        found = evaluate(ops, given, World(dropped=facts.dropped))
    except (CannotEvaluate, DoesNotFit):
        return None
    for op in ops:
        array = found.get(Value(op.path))
        if array is None:
            continue
        if array.size > MOST_NUMBERS or facts.shape(Value(op.path)) != array.shape:
            return None
        if op.path in facts.casts and not _is_kept(array, facts.casts[op.path]):
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


def _is_kept(array: Array, dtype: str) -> bool:
    """Whether a cast leaves numbers as they are; of a type that is not known, whether every type does."""
    if dtype in ("float32", "float64") and array.dtype.kind == "f":
        return True  # as exact as all that is computed here
    least = 0 if dtype.startswith("u") or dtype in ("", "bool") else -_EXACT[dtype]
    within = (array >= least) & (array <= _EXACT.get(dtype, 1))
    return bool(within.all()) and (array.dtype.kind == "b" or _is_whole(array))


def _is_whole(array: Array) -> bool:
    return bool((abs(array) < LARGEST).all() and (array == array.round()).all())


def _plain(array: Array) -> Nested:
    """Numbers as Python has them: whole ones as such."""
    if array.dtype.kind == "f" and array.size and _is_whole(array):
        array = array.astype("int64")
    return array.tolist()
