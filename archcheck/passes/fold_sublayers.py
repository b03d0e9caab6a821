"""Names sublayers: what stands between the norms, dropouts and factors of a branch becomes one op by its content."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from archcheck.ir.graph import Op, Value
from archcheck.ir.ops import OpKind
from archcheck.passes.base import ScopePass
from archcheck.passes.cores import classify, core_attrs, is_bearing
from archcheck.passes.grow import grow_sublayers
from archcheck.passes.kinds import (
    ACTIVATIONS,
    ADD,
    BRANCH,
    CONSTANT,
    CROSS_ATTENTION,
    FEED_FORWARD,
    FUNCTION,
    MASKED_FILL,
    MOE,
    OPAQUE,
    PARAMETER,
    PEELED,
    RECURRENCE,
    REPEAT,
    RESIDUAL,
    SELF_ATTENTION,
    SSM,
    SUBLAYERS,
    VIEWS,
)
from archcheck.passes.scope import Scope

# A core that is one of these needs no name: it has one.
_NAMED = SUBLAYERS | {FUNCTION, OPAQUE}
# A nested stream with one of these inside is a stack of layers and stays visible; others are part of their core (the
# skip around a state-space scan).
_STACKED = SUBLAYERS - {BRANCH, SSM, RECURRENCE}
_BETWEEN_MAPS = frozenset({SELF_ATTENTION, CROSS_ATTENTION, FEED_FORWARD})
_STREAMS = frozenset({RESIDUAL, REPEAT})


class FoldSublayers(ScopePass):
    """Fold the core of each branch into the sublayer that it is.

    before                          after
      %x = input                      input
      residual:                       residual:
        layer_norm                      layer_norm
        linear                          feed_forward activation="relu" gated=False:
        relu                              linear
        linear                            relu
        dropout                           linear
                                        dropout
    """

    name = "fold_sublayers"
    enters: ClassVar[frozenset[OpKind]] = frozenset({REPEAT, RESIDUAL})

    def rewrite(self, scope: Scope, holder: Op | None) -> None:
        """Fold the cores of a residual's body; elsewhere, what grows around an attention or an activation."""
        if holder is None or holder.kind is not RESIDUAL or not fold_branch(scope, holder):
            grow_sublayers(scope)


@dataclass(slots=True)
class Arm:
    """One of the parallel parts of a branch: what flows in, its core, and the value that comes out of the core."""

    entry: int
    exit: Value
    core: list[int] = field(default_factory=list)


def fold_branch(scope: Scope, holder: Op) -> bool:
    """Fold the cores of the body of a residual; False where it is a stream of its own."""
    if any(_is_stack(scope.ops[slot]) for slot in scope.of_kinds(_STREAMS)):
        return False
    readers: dict[int, list[int]] = {}
    for slot in scope.slots():
        for giver in dict.fromkeys(scope.givers(slot)):
            readers.setdefault(giver, []).append(slot)
    start = _entry(scope, holder, readers)
    # What could not be read and stands between the stream and the sublayer may be a norm: it stays in sight.
    for ends in (PEELED | {OPAQUE}, PEELED):
        entry, before = _peel_front(scope, start, readers, ends)
        exit_value, after = _peel_back(scope, scope.results[0], before, ends)
        peeled = before | after
        inside = _core(scope, [exit_value], peeled | {entry})
        if is_bearing([scope.ops[slot] for slot in inside]):
            break
    kind = classify(scope, inside, entry).kind if inside else None
    if kind in _BETWEEN_MAPS:  # which begins and ends with a learned map
        further, before = _peel_front(scope, start, readers, ends | ACTIVATIONS)
        value, after = _peel_back(scope, scope.results[0], before, ends | ACTIVATIONS)
        core = _core(scope, [value], before | after | {further})
        if core and classify(scope, core, further).kind is kind:
            entry, exit_value, peeled, inside = further, value, before | after, core
    arms = _arms(scope, entry, exit_value, peeled)
    if len(arms) < 2:
        _fold_core(scope, Arm(entry, exit_value, inside))
    for arm in arms if len(arms) > 1 else ():
        _fold_core(scope, arm)
    return True


def _is_stack(op: Op) -> bool:
    return any(inner.kind in _STACKED for inner in op.walk())


def _entry(scope: Scope, holder: Op, readers: Mapping[int, Sequence[int]]) -> int:
    """The giver of the value that flows into a branch: the skip, or what is read in its place."""
    skip = scope.giver(holder.reads[0])
    return skip if skip in readers and skip < 0 else next((giver for giver in readers if giver < 0), skip)


def _peel_front(
    scope: Scope, entry: int, readers: Mapping[int, Sequence[int]], ends: frozenset[OpKind]
) -> tuple[int, set[int]]:
    """Walk over the norms, dropouts and factors that all of a branch goes through first."""
    peeled: set[int] = set()
    while True:
        passed: list[int] = []
        at = entry
        while len(found := readers.get(at, ())) == 1 and scope.ops[found[0]].kind in VIEWS:
            at = found[0]
            passed.append(at)
        if len(found) != 1 or scope.ops[found[0]].kind not in ends or scope.giver(scope.ops[found[0]].reads[0]) != at:
            return entry, peeled
        entry = found[0]
        peeled.update([*passed, entry])


def _peel_back(
    scope: Scope, value: Value, before: set[int], ends: frozenset[OpKind] = PEELED
) -> tuple[Value, set[int]]:
    """Walk back over the norms, dropouts and factors that a branch ends in, and over masks between them."""
    peeled: set[int] = set()
    while True:
        passed: list[int] = []
        slot = scope.giver(value)
        while slot >= 0 and slot not in before and _lets_through(scope.ops[slot]) and scope.ops[slot].reads:
            passed.append(slot)
            slot = scope.giver(scope.ops[slot].reads[0])
        if slot < 0 or slot in before or scope.ops[slot].kind not in ends or not scope.ops[slot].reads:
            return value, peeled
        peeled.update([*passed, slot])
        value = scope.ops[slot].reads[0]


def _lets_through(op: Op) -> bool:
    """Whether what flows through an op stays as it is, or is left out: zeros in the place of masked tokens."""
    return op.kind in VIEWS or (op.kind is MASKED_FILL and op.attr("by") == 0)


def _core(scope: Scope, exits: Iterable[Value], stops: set[int]) -> list[int]:
    """The slots between `stops` and the values `exits`, in program order."""
    found: set[int] = set()
    stack = [scope.giver(value) for value in exits]
    while stack:
        slot = stack.pop()
        if slot < 0 or slot in found or slot in stops:
            continue
        found.add(slot)
        stack.extend(scope.givers(slot))
    return sorted(found)


def _arms(scope: Scope, entry: int, value: Value, peeled: set[int]) -> list[Arm]:
    """The parallel sublayers whose sum is `value`; fewer than two where it is not such a sum."""
    leaves = _leaves(scope, value, peeled)
    if len(leaves) < 2:
        return []
    arms: list[Arm] = []
    taken: set[int] = set()
    own_ends = 0
    kinds: list[OpKind] = []
    for leaf in leaves:
        exit_value, after = _peel_back(scope, leaf, peeled)
        whole = _core(scope, [exit_value], peeled | {entry})
        inner_entry, before = _arm_front(scope, entry, whole)
        core = [slot for slot in whole if slot not in before]
        if not core or taken & set(whole) or not is_bearing([scope.ops[slot] for slot in core]):
            return []
        taken.update(whole)
        own_ends += bool(before or after)
        arms.append(Arm(inner_entry, exit_value, core))
        kinds.append(_named_kind(scope, core) or classify(scope, core, inner_entry).kind)
    mixing = [kind for kind in kinds if kind not in (FEED_FORWARD, MOE, BRANCH)]
    plain = all(kind in (FEED_FORWARD, FUNCTION, OPAQUE) for kind in kinds)
    if (mixing and BRANCH not in kinds) or plain or own_ends == len(arms):
        return arms
    return []


def _named_kind(scope: Scope, core: Sequence[int]) -> OpKind | None:
    kinds = [scope.ops[slot].kind for slot in core if scope.ops[slot].kind in _NAMED]
    return kinds[0] if len(kinds) == 1 and len(core) == 1 else None


def _leaves(scope: Scope, value: Value, peeled: set[int]) -> list[Value]:
    leaves: list[Value] = []
    stack = [value]
    while stack:
        top = stack.pop()
        slot = scope.giver(top)
        if slot >= 0 and slot not in peeled and scope.ops[slot].kind is ADD and len(scope.ops[slot].reads) == 2:
            stack.extend(reversed(scope.ops[slot].reads))
        else:
            leaves.append(top)
    return leaves


def _arm_front(scope: Scope, entry: int, whole: Sequence[int]) -> tuple[int, set[int]]:
    """As `_peel_front`, for one arm: only the readers within it count."""
    inside = set(whole)
    peeled: set[int] = set()
    while True:
        found = [slot for slot in inside if entry in scope.givers(slot)]
        if len(found) != 1 or scope.ops[found[0]].kind not in PEELED or len(peeled) + 1 >= len(inside):
            return entry, peeled
        entry = found[0]
        peeled.add(entry)


def _fold_core(scope: Scope, arm: Arm) -> None:
    core = arm.core
    if not core:
        return
    ops = [scope.ops[slot] for slot in core]
    computing = [op for op in ops if op.kind not in VIEWS and op.kind not in (PARAMETER, CONSTANT)]
    if any(op.kind in SUBLAYERS or op.kind is FUNCTION for op in computing):
        return  # a claim that names what it computes
    if (len(ops) == 1 and ops[0].kind is OPAQUE) or not is_bearing(ops):
        return
    if scope.giver(arm.exit) not in core:
        return
    found = classify(scope, core, arm.entry)
    first = [value for slot in core for value in scope.ops[slot].reads if scope.giver(value) == arm.entry]
    scope.fold(core, found.kind, core_attrs(found), value=arm.exit, first=first[:1])
