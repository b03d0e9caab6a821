"""Spells a rearrangement that a pattern states as the reshapes and the permutation that it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import prod

from archcheck.ir.graph import AttrValue, Op, Unknown, Value, attrs
from archcheck.ir.ops import BY_NAME, OpKind
from archcheck.passes.respell import Respelled, RespellPass
from archcheck.passes.scope import Paths, Scope

_REARRANGE, _RESHAPE, _PERMUTE = BY_NAME["rearrange"], BY_NAME["reshape"], BY_NAME["permute"]
_GROUP = re.compile(r"\(([^()]*)\)|(\w+)")
_Side = tuple[tuple[str, ...], ...]


class SpellRearrange(RespellPass):
    """Spell `rearrange` as a reshape that splits axes, a permutation, and a reshape that joins axes.

    before                                                              after
      %x = input                                                          input
      rearrange pattern="b n (h d) -> b h n d" sizes=(("h", 8,),)         reshape shape=(unknown, unknown, 8, -1,)
                                                                          permute axes=(0, 2, 1, 3,)

    Left alone: patterns that reduce or repeat, that leave axes out by an ellipsis, or that put in axes of one element.
    """

    name = "spell_rearrange"

    def applies(self, ops: tuple[Op, ...]) -> bool:
        """Whether there is a rearrangement that can be spelled out."""
        return any(op.kind is _REARRANGE and _sides(op) is not None for op in ops)

    def respell(self, scope: Scope, paths: Paths) -> Respelled:
        """The spelled form of every rearrangement."""
        found = Respelled()
        for slot in scope.of_kinds({_REARRANGE}):
            op = scope.ops[slot]
            sides = _sides(op)
            if sides is not None:
                ops = tuple(_spelled(op, *sides, paths))
                found.instead[slot] = ops
                found.names[Value(op.path)] = Value(ops[-1].path) if ops else op.reads[0]
        return found


def _sides(op: Op) -> tuple[_Side, _Side] | None:
    """The axes of both sides of a pattern, each a group of names; None where it is no pure rearrangement."""
    pattern = op.attr("pattern")
    if op.kind is not _REARRANGE or len(op.reads) != 1 or not isinstance(pattern, str):
        return None
    if op.states("reduction") or op.attr("repeats") is True or pattern.count("->") != 1 or "." in pattern:
        return None
    left, right = (_groups(side) for side in pattern.split("->"))
    names = [name for group in left for name in group]
    others = [name for group in right for name in group]
    plain = all(name.isidentifier() for name in names) and all((*left, *right))
    return (left, right) if plain and len(set(names)) == len(names) and sorted(names) == sorted(others) else None


def _groups(side: str) -> _Side:
    return tuple(tuple((inner or one).split()) for inner, one in _GROUP.findall(side))


def _spelled(op: Op, left: _Side, right: _Side, paths: Paths) -> Iterator[Op]:
    sizes = _sizes(op)
    names = [name for group in left for name in group]
    order = [name for group in right for name in group]
    value = op.reads[0]

    def view(kind: OpKind, **stated: AttrValue) -> Op:
        path = paths.fresh(op.path, kind)
        return Op(path, kind, (value,), attrs(**stated), claim=op.claim, span=op.span, because=op.because)

    if len(names) > len(left):
        made = view(_RESHAPE, shape=tuple(_split(op, left, sizes)))
        yield made
        value = Value(made.path)
    if names != order:
        made = view(_PERMUTE, axes=tuple(names.index(name) for name in order))
        yield made
        value = Value(made.path)
    if len(order) > len(right):
        yield view(_RESHAPE, shape=tuple(_joined(op, right, sizes)))


def _sizes(op: Op) -> dict[str, int]:
    """The sizes of named axes that a pattern is given."""
    stated = op.attr("sizes")
    pairs = stated if isinstance(stated, tuple) else ()
    return {
        pair[0]: pair[1]
        for pair in pairs
        if isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str) and isinstance(pair[1], int)
    }


def _split(op: Op, left: _Side, sizes: dict[str, int]) -> Iterator[AttrValue]:
    """The size of each name; of one that is not given, within a group, that which is left for it."""
    left_over = [name for group in left if len(group) > 1 for name in group if name not in sizes]
    for group in left:
        for name in group:
            rest: AttrValue = -1 if left_over == [name] else Unknown(f"the size of the axis {name}", op.span)
            yield sizes.get(name, rest)


def _joined(op: Op, right: _Side, sizes: dict[str, int]) -> Iterator[AttrValue]:
    """The size of each group: the product of its names, or, of the only one where that is not told, what is left."""
    told = [all(name in sizes for name in group) for group in right]
    open_groups = [group for group, known in zip(right, told, strict=True) if len(group) > 1 and not known]
    for group, known in zip(right, told, strict=True):
        if known:
            yield prod(sizes[name] for name in group)
        else:
            yield -1 if open_groups == [group] else Unknown(f"the size of the axes {' '.join(group)}", op.span)
