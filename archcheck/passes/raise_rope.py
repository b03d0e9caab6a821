"""Raises rotary positions: pairs of features turned by an angle, in halves, interleaved, or as complex numbers."""

from __future__ import annotations

from collections.abc import Iterable

from archcheck.ir.graph import Op, Value, attrs
from archcheck.ir.ops import BY_NAME
from archcheck.passes.base import ScopePass
from archcheck.passes.kinds import VIEWS, named
from archcheck.passes.raise_scales import factor_of
from archcheck.passes.scope import Scope

_ROPE, _REARRANGE = BY_NAME["rope"], BY_NAME["rearrange"]
_JOIN = named("concat", "stack")
_PART = named("select", "split")
_SUMS = named("add", "sub")
_LAST = _JOIN | named("add", "as_real")  # the last ops of the forms


class RaiseRope(ScopePass):
    """Raise `x * cos + rotate_half(x) * sin`, its form on halves, and the product of complex numbers.

    before                          after
      %x = input                      input
      %c = input                      input
      %s = input                      input
      %a = mul %x, %c                 rope %0, %1, %2 interleaved=False:
      %1 = select %x index=...          ...
      ...
    """

    name = "raise_rope"

    def rewrite(self, scope: Scope, holder: Op | None) -> None:
        """Fold each of the three forms where its last op stands."""
        for slot in scope.of_kinds(_LAST):
            name = scope.ops[slot].kind.name
            if name == "add":
                _rotated_whole(scope, slot)
            elif name == "as_real":
                _rotated_complex(scope, slot)
            else:
                _rotated_halves(scope, slot)


class _Group:
    """The ops of a form, as they are walked over."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.slots: set[int] = set()

    def back(self, value: Value) -> Op | None:
        """The op that gives `value` behind any views, all of which join the group."""
        slot = self.scope.giver(value)
        while slot >= 0 and _is_view(self.scope.ops[slot]):
            self.slots.add(slot)
            slot = self.scope.giver(self.scope.ops[slot].reads[0])
        if slot < 0:
            return None
        self.slots.add(slot)
        return self.scope.ops[slot]

    def part_of(self, value: Value) -> int | None:
        """What `value` is a part of, as a giver; None where it is no part of anything."""
        op = self.back(value)
        if op is None or op.kind not in _PART or not op.reads:
            return None
        return self.root(op.reads[0])

    def root(self, value: Value) -> int:
        """The giver of `value` behind views."""
        slot = self.scope.source(value)
        while slot >= 0 and _is_view(self.scope.ops[slot]):
            slot = self.scope.source(self.scope.ops[slot].reads[0])
        return slot

    def behind_parts(self, main: int) -> None:
        """Views between what is turned, given by `main`, and its parts join the group."""
        for slot in [slot for slot in self.slots if self.scope.ops[slot].kind in _PART]:
            view = self.scope.giver(self.scope.ops[slot].reads[0])
            while view >= 0 and view != main and _is_view(self.scope.ops[view]):
                self.slots.add(view)
                view = self.scope.giver(self.scope.ops[view].reads[0])

    def own(self, last: int) -> set[int]:
        """The ops of the group that nothing else reads, and the last one."""
        inside = {last}
        for slot in sorted(self.slots, reverse=True):
            if all(reader in inside for reader in self.scope.readers(slot)):
                inside.add(slot)
        return inside


def _is_view(op: Op) -> bool:
    """Whether an op gives the entries that it reads under other axes, as a pattern with an ellipsis does too."""
    plain = op.kind is _REARRANGE and not op.states("reduction") and op.attr("repeats") is not True
    return bool(op.reads) and (op.kind in VIEWS or plain)


def _factors(scope: Scope, value: Value) -> tuple[int, tuple[Value, ...]] | None:
    """Slot and operands of the product that gives `value`."""
    slot = scope.giver(value)
    if slot < 0 or scope.ops[slot].kind.name != "mul" or len(scope.ops[slot].reads) != 2:
        return None
    return slot, scope.ops[slot].reads


def _rotated_whole(scope: Scope, slot: int) -> None:
    op = scope.ops[slot]
    if len(op.reads) != 2:
        return
    products = [_factors(scope, value) for value in op.reads]
    if products[0] is None or products[1] is None:
        return
    for plain, turned in ((products[0], products[1]), (products[1], products[0])):
        for number, rotated in enumerate(turned[1]):
            group = _Group(scope)
            form = _turned(group, rotated)
            if form is None:
                continue
            whole, interleaved = form
            main = [value for value in plain[1] if group.root(value) == whole]
            if len(main) != 1:
                continue
            cosine = next(value for value in plain[1] if value != main[0])
            if _is_given(scope, main[0]) and not _is_given(scope, cosine):
                continue  # the angles are turned, by what should be: `cos * q + rotate_half(cos) * sin`
            group.slots |= {slot, plain[0], turned[0]}
            group.behind_parts(scope.giver(main[0]))
            first = (main[0], cosine, turned[1][1 - number])
            if not _are_angles(scope, first[1:]):
                return
            scope.fold(group.own(slot), _ROPE, attrs(interleaved=interleaved), value=Value(op.path), first=first)
            return


def _is_given(scope: Scope, value: Value) -> bool:
    """Whether a value comes from outside, under views."""
    slot = scope.giver(value)
    while slot >= 0 and _is_view(scope.ops[slot]):
        slot = scope.giver(scope.ops[slot].reads[0])
    return slot < 0 or not scope.ops[slot].reads


def _are_angles(scope: Scope, values: Iterable[Value]) -> bool:
    """Whether no activation was applied to sines and cosines: what `tanh(cos)` turns by is no angle."""
    for value in values:
        slot = scope.giver(value)
        while slot >= 0 and _is_view(scope.ops[slot]):
            slot = scope.giver(scope.ops[slot].reads[0])
        if slot >= 0 and scope.ops[slot].kind.family == "activation":
            return False
    return True


def _turned(group: _Group, value: Value) -> tuple[int, bool] | None:
    """(what is turned, whether pairs are neighbours) where `value` is concat(-second half, first half)."""
    op = group.back(value)
    if op is None or op.kind not in _JOIN or len(op.reads) != 2:
        return None
    negated = group.back(op.reads[0])
    if negated is None or factor_of(negated) != -1:
        return None
    second, first = group.part_of(negated.reads[0]), group.part_of(op.reads[1])
    if first is None or first != second:
        return None
    return first, op.kind.name == "stack"


def _rotated_halves(scope: Scope, slot: int) -> None:
    op = scope.ops[slot]
    if len(op.reads) != 2:
        return
    group = _Group(scope)
    group.slots.add(slot)
    sums = [group.back(value) for value in op.reads]
    if sums[0] is None or sums[1] is None or sums[0].kind.name != "sub" or sums[1].kind.name != "add":
        return
    products = [_factors(scope, value) for total in sums if total is not None for value in total.reads]
    if len(products) != 4:
        return
    found = [_parts(scope, product[1]) for product in products if product is not None]
    if len(found) != 4:
        return
    wholes = [whole for whole in found[0] if all(whole in row for row in found)]
    if not wholes:
        return
    # Where the angles are two parts of one tensor as well, the formula is symmetric: features are what was projected.
    whole = max(wholes, key=lambda giver: giver >= 0 and bool(scope.origins(giver) & scope.ON_PARAMETER))
    mains = [row[whole] for row in found]
    sources = [scope.source(main) for main in mains]
    if set(sources[:2]) != set(sources[2:]) or sources[0] == sources[1]:
        return
    angles: list[Value] = []
    strided = op.kind.name == "stack"
    for main, product in zip(mains, products, strict=True):
        if product is None:
            return
        group.part_of(main)
        group.slots.add(product[0])
        angles.append(next(other for other in product[1] if other != main))
        strided = strided or _is_strided(scope.maker(main))
    if not _are_angles(scope, angles):
        return
    inside = group.own(slot)
    part = scope.maker(mains[0])
    taken = part is not None and part.kind in _PART and scope.giver(mains[0]) in inside
    main = part.reads[0] if part is not None and taken else mains[0]
    scope.fold(inside, _ROPE, attrs(interleaved=strided), value=Value(op.path), first=(main, *angles[:2]))


def _parts(scope: Scope, factors: tuple[Value, ...]) -> dict[int, Value]:
    """What each factor that is a part is a part of."""
    found: dict[int, Value] = {}
    for factor in factors:
        whole = _Group(scope).part_of(factor)
        if whole is not None:
            found[whole] = factor
    return found


def _is_strided(op: Op | None) -> bool:
    """Whether an op takes every second entry."""
    index = op.attr("index") if op is not None else None
    rows = index if isinstance(index, tuple) else ()
    return any(isinstance(row, tuple) and len(row) == 4 and row[0] == "slice" and row[3] == 2 for row in rows)


def _rotated_complex(scope: Scope, slot: int) -> None:
    op = scope.ops[slot]
    if op.attr("inverse") is True or len(op.reads) != 1:
        return
    group = _Group(scope)
    product = group.back(op.reads[0])
    if product is None or product.kind.name != "mul" or len(product.reads) != 2:
        return
    for number, factor in enumerate(product.reads):
        pairs = scope.maker(factor)
        if pairs is not None and pairs.kind.name == "as_real" and pairs.attr("inverse") is True:
            group.slots |= {slot, scope.giver(factor)}
            first = (pairs.reads[0], product.reads[1 - number])
            if not _are_angles(scope, first[1:]):
                return
            scope.fold(group.own(slot), _ROPE, attrs(interleaved=True), value=Value(op.path), first=first)
            return
