"""Raises a softmax that code spells out with exponentials."""

from __future__ import annotations

from archcheck.ir.graph import AttrValue, Op, Value, attrs
from archcheck.ir.ops import BY_NAME
from archcheck.passes.base import ScopePass
from archcheck.passes.kinds import VIEWS, named
from archcheck.passes.scope import Scope

_SOFTMAX = BY_NAME["softmax"]
_STARTS = named("softmax", "exp")


class RaiseSoftmax(ScopePass):
    """Raise `exp(x) / sum(exp(x))`, with or without the maximum taken off, and `exp(x - logsumexp(x))`.

    before                              after
      %x = input                          input
      %e = exp %x                         softmax axis=-1:
      %s = sum %e axis=-1                   ...
      div %e, %s

    The maximum that is taken off in front of a softmax changes nothing and joins it: `softmax(x - max(x))`.
    """

    name = "raise_softmax"

    def rewrite(self, scope: Scope, holder: Op | None) -> None:
        """Fold at each exponential, and at each softmax of what has its maximum taken off."""
        for slot in scope.of_kinds(_STARTS):
            if len(scope.ops[slot].reads) != 1:
                continue
            if scope.ops[slot].kind is _SOFTMAX:
                _from_softmax(scope, slot)
            elif not _from_logsumexp(scope, slot):
                _from_sum(scope, slot)


def _behind_views(scope: Scope, value: Value, group: set[int]) -> int:
    """The giver of `value`; views on the way join the group."""
    slot = scope.source(value)
    while slot >= 0 and scope.ops[slot].kind in VIEWS and len(scope.ops[slot].reads) == 1:
        group.add(slot)
        slot = scope.source(scope.ops[slot].reads[0])
    return slot


def _from_softmax(scope: Scope, softmax: int) -> bool:
    taken = _taken_off(scope, softmax, "reduce_max")
    axis = _axis(scope.ops[softmax])
    if taken is None or axis is None or taken[2] != axis:
        return False
    main, group, _ = taken
    return _fold(scope, group | {softmax}, softmax, main, axis)


def _from_logsumexp(scope: Scope, exponential: int) -> bool:
    taken = _taken_off(scope, exponential, "logsumexp")
    if taken is None:
        return False
    main, group, axis = taken
    return _fold(scope, group | {exponential}, exponential, main, axis)


def _from_sum(scope: Scope, exponential: int) -> bool:
    for reader in scope.readers(exponential):
        if reader < 0 or scope.ops[reader].kind.name != "div" or len(scope.ops[reader].reads) != 2:
            continue
        group = {exponential, reader}
        over, under = scope.ops[reader].reads
        total = _behind_views(scope, under, group)
        if scope.giver(over) != exponential or total < 0 or scope.ops[total].kind.name != "sum":
            continue
        if _behind_views(scope, scope.ops[total].reads[0], group) != exponential:
            continue
        group.add(total)
        axis = _axis(scope.ops[total])
        taken = _taken_off(scope, exponential, "reduce_max")
        main = scope.ops[exponential].reads[0]
        if taken is not None and taken[2] == axis:
            main, more, _ = taken
            group |= more
        return _fold(scope, group, reader, main, axis)
    return False


def _taken_off(scope: Scope, exponential: int, reduction: str) -> tuple[Value, set[int], AttrValue] | None:
    """(x, ops, axis) where the exponential is of x minus a reduction of x."""
    group: set[int] = set()
    slot = scope.giver(scope.ops[exponential].reads[0])
    if slot < 0 or scope.ops[slot].kind.name != "sub" or len(scope.ops[slot].reads) != 2:
        return None
    main, off = scope.ops[slot].reads
    reduced = _behind_views(scope, off, group)
    if reduced < 0 or scope.ops[reduced].kind.name != reduction:
        return None
    if scope.source(scope.ops[reduced].reads[0]) != scope.source(main):
        return None
    return main, group | {slot, reduced}, _axis(scope.ops[reduced])


def _axis(op: Op) -> AttrValue:
    axis = op.attr("axis")
    return axis[0] if isinstance(axis, tuple) and len(axis) == 1 else axis


def _fold(scope: Scope, group: set[int], last: int, main: Value, axis: AttrValue) -> bool:
    inside = set(group)
    if any(scope.readers_beside(slot, inside) for slot in group if slot != last):
        return False
    stated = attrs(axis=axis) if axis is not None else ()
    scope.fold(group, _SOFTMAX, stated, value=Value(scope.ops[last].path), first=(main,))
    return True
