"""Finds sublayers that no residual bounds: from an attention to its projections, an activation to its maps."""

from __future__ import annotations

from archcheck.ir.graph import Op, Value
from archcheck.ir.ops import OpKind
from archcheck.passes.cores import classify, core_attrs
from archcheck.passes.kinds import ACTIVATIONS, ATTENTIONS, CONVS, LINEAR, NORMS, PARAMETER, VIEWS, named
from archcheck.passes.scope import Scope

_TO_PROJECTION = (
    VIEWS | NORMS | named("select", "split", "rope", "concat", "scale", "add", "update", "dropout", "expand")
)
_FROM_ATTENTION = VIEWS | named("select", "concat", "dropout")
_TO_MAP = VIEWS | named("split", "select", "dropout", "add", "scale")
_FROM_ACTIVATION = VIEWS | named("mul", "dropout", "scale", "glu") | ACTIVATIONS
_HIDDEN = ACTIVATIONS | named("glu")
_MAPS = CONVS | {LINEAR}


def grow_sublayers(scope: Scope) -> None:
    """Fold every attention with its projections, then every activation with the maps around it."""
    for slot in scope.of_kinds(ATTENTIONS):
        _grow_attention(scope, slot)
    for slot in scope.of_kinds(_HIDDEN):
        _grow_feed_forward(scope, slot)


def _is_map(op: Op) -> bool:
    return op.kind in _MAPS and bool(op.reads)


def _to_maps(scope: Scope, value: Value, through: frozenset[OpKind]) -> tuple[set[int], set[int]]:
    """The ops from `value` back to the learned maps that it comes from, and what these read; nothing without a map."""
    found: set[int] = set()
    sources: set[int] = set()
    maps = 0
    stack = [scope.giver(value)]
    while stack:
        slot = stack.pop()
        if slot < 0 or slot in found:
            if slot < 0:
                sources.add(slot)
            continue
        op = scope.ops[slot]
        if _is_map(op):
            maps += 1
            found.add(slot)
            sources.add(scope.giver(op.reads[0]))
            stack.extend(giver for giver in scope.givers(slot)[1:] if giver >= 0 and scope.ops[giver].kind is PARAMETER)
        elif op.kind is PARAMETER:
            found.add(slot)
        elif op.kind in through and op.reads:
            found.add(slot)
            stack.extend(
                scope.givers(slot) if op.kind.name in ("add", "concat", "update") else [scope.giver(op.reads[0])]
            )
        else:
            sources.add(slot)
    return (found, sources) if maps else (set(), {scope.giver(value)})


def _exclusive(scope: Scope, group: set[int], keep: int) -> set[int]:
    """`group` without the ops that something outside of it reads, but for `keep`."""
    inside = set(group)
    for slot in sorted(group, reverse=True):
        if slot != keep and any(reader not in inside for reader in scope.readers(slot)):
            inside.discard(slot)
    return inside


def _grow_attention(scope: Scope, slot: int) -> None:
    op = scope.ops[slot]
    group = {slot}
    entry = scope.giver(op.reads[0]) if op.reads else -1
    projected = op.attr("projected") is True
    for number, value in enumerate(op.reads[:3]):
        found, sources = _to_maps(scope, value, _TO_PROJECTION)
        projected = projected or bool(found)
        group |= found
        if number == 0:
            entry = next(iter(sorted(sources, reverse=True)), entry)
    out = _to_output(scope, slot)
    group.update(out)
    if not projected and not (out and _is_map(scope.ops[out[-1]])):
        return  # the function alone, as a paper's equation gives it
    last = out[-1] if out else slot
    group = _exclusive(scope, group, last)
    if slot not in group:
        return
    if not any(entry in scope.givers(member) for member in group):  # a projection is needed elsewhere too: it stays out
        entry = scope.giver(op.reads[0])
        while entry in group:
            entry = scope.giver(scope.ops[entry].reads[0])
    _fold(scope, group, entry, last)


def _to_output(scope: Scope, slot: int) -> list[int]:
    """The ops from an attention to its output projection, or the views behind it where it has none."""
    passed: list[int] = []
    at = slot
    while (reader := scope.only_reader(at)) is not None:
        op = scope.ops[reader]
        if _is_map(op):
            return [*passed, reader]
        if op.kind not in _FROM_ATTENTION:
            break
        passed.append(reader)
        at = reader
    views: list[int] = []
    for reader in passed:
        if scope.ops[reader].kind not in VIEWS:
            break
        views.append(reader)
    return views


def _grow_feed_forward(scope: Scope, slot: int) -> None:
    if not scope.ops[slot].reads:
        return
    found, sources = _to_maps(scope, scope.ops[slot].reads[0], _TO_MAP)
    group = {slot} | found
    if not found or len(sources) != 1:
        return
    at, last = slot, -1
    while (reader := scope.only_reader(at)) is not None:
        op = scope.ops[reader]
        if _is_map(op):
            last = reader
            group.add(reader)
        elif op.kind not in _FROM_ACTIVATION:
            break
        elif op.kind.name == "mul":
            other, other_sources = _beside(scope, op, at)
            if other_sources != sources or last >= 0:
                break
            group |= other
            group.add(reader)
        else:
            group.add(reader)
        at = reader
    if last < 0:
        return
    group = {member for member in group if member <= last}
    group = _exclusive(scope, group, last)
    if slot in group and sum(_is_map(scope.ops[member]) for member in group) > 1:
        _fold(scope, group, next(iter(sources)), last)


def _beside(scope: Scope, op: Op, at: int) -> tuple[set[int], set[int]]:
    """The other factor of a product, back to its maps."""
    others = [value for value in op.reads if scope.giver(value) != at]
    if len(others) != 1:
        return set(), set()
    return _to_maps(scope, others[0], _TO_MAP)


def _fold(scope: Scope, group: set[int], entry: int, last: int) -> None:
    members = sorted(group)
    found = classify(scope, members, entry)
    first = [value for slot in members for value in scope.ops[slot].reads if scope.giver(value) == entry]
    scope.fold(members, found.kind, core_attrs(found), value=Value(scope.ops[last].path), first=first[:1])
