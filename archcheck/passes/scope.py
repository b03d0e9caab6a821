"""A scope of ops, the graph or a body, that can be rewritten in linear time."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from typing import ClassVar

from archcheck.ir.graph import Attr, Op, OpGraph, Value
from archcheck.ir.ops import OpKind
from archcheck.ir.span import Setting
from archcheck.ir.verify import free_values
from archcheck.passes.kinds import CONSTANT, OPAQUE, PARAMETER, RANDOM, SOURCES
from archcheck.passes.values import in_order, rename

RESULT = -1  # stands among the readers of an op whose value is given to the outside


_LEARNING = frozenset({"linear", "embedding", "conv"})  # families


class Paths:
    """Unused paths for new ops, made from the path of the op whose value they take over."""

    def __init__(self, graph: OpGraph) -> None:
        self._graph = graph
        self._taken: set[str] = set()

    def fresh(self, path: str, kind: OpKind) -> str:
        """`path` with its kind replaced: "layers.0/7.add" becomes "layers.0/7.residual"."""
        if not self._taken:
            bodies = [self._graph.ops]
            while bodies:
                ops = bodies.pop()
                self._taken.update([op.path for op in ops])
                bodies += [op.body for op in ops if op.body]
        module, slash, last = path.rpartition("/")
        stem = last.partition(".")[0] or last
        fresh = f"{module}{slash}{stem}.{kind.name}"
        while fresh in self._taken:
            stem += "'"
            fresh = f"{module}{slash}{stem}.{kind.name}"
        self._taken.add(fresh)
        return fresh


class Scope:
    """The ops of one body (or of a whole graph) while a pass rewrites them.

    Ops are known by their slot, the position in which they stood. Folding puts the new op into the slot of the last
    op that it takes in; readers of the old values find the new op by asking for the giver, and get its name when the
    scope is rebuilt. Every operation costs in proportion to the ops that it touches.
    """

    def __init__(self, ops: Sequence[Op], results: tuple[Value, ...], paths: Paths) -> None:
        self.ops = list(ops)
        self.results = results
        self.changed = False
        self._paths = paths
        self._at = {op.path: slot for slot, op in enumerate(ops)}
        self._home = list(range(len(ops)))
        self._gone = [False] * len(ops)
        self._kinds = {op.kind for op in ops}  # of all ops that have stood here
        self._forward: dict[int, Value] = {}
        self._renamed: dict[Value, Value] = {}
        self._parts = False  # whether a value was renamed to another output than the first of an op
        self._stale = bytearray(len(ops))  # slots whose op may read a value under a name that it no longer has
        self._disordered = False  # whether an op may read a value that is given behind it
        self._readers: list[list[int]] = [[] for _ in ops]
        at, readers = self._at, self._readers
        for slot, op in enumerate(ops):
            for value in op.reads:
                giver = at.get(value.op)
                if giver is not None:
                    readers[giver].append(slot)
                    if giver >= slot:
                        self._disordered = True
        for value in results:
            if value.op in self._at:
                self._readers[self._at[value.op]].append(RESULT)
        self._origins: list[int] | None = None
        self._outside: dict[str, int] = {}

    # ---- asking

    def slots(self) -> Iterator[int]:
        """The slots that hold an op, in program order; safe while folding."""
        for slot in range(len(self.ops)):
            if not self._gone[slot]:
                yield slot

    def has(self, kinds: Collection[OpKind]) -> bool:
        """Whether the scope holds an op of one of `kinds`."""
        return next(self.of_kinds(kinds), None) is not None

    def of_kinds(self, kinds: Collection[OpKind]) -> Iterator[int]:
        """The slots that hold an op of one of `kinds`, as `slots` gives them; where there are none, at no cost."""
        if self._kinds.isdisjoint(kinds):
            return
        ops, gone = self.ops, self._gone
        for slot in range(len(ops)):
            if ops[slot].kind in kinds and not gone[slot]:
                yield slot

    def _find(self, slot: int) -> int:
        home = self._home
        while home[slot] != slot:
            home[slot] = home[home[slot]]
            slot = home[slot]
        return slot

    def giver(self, value: Value) -> int:
        """The slot of the op that gives `value`; a number below -1, one for each op, where it comes from outside."""
        home = self._home
        while True:
            slot = self._at.get(value.op, -1)
            if slot < 0:
                return self._outside.setdefault(value.op, -2 - len(self._outside))
            if home[slot] != slot:
                slot = self._find(slot)
            if not self._gone[slot]:
                return slot
            value = self._forward[slot]

    def givers(self, slot: int) -> list[int]:
        """For each operand of an op the slot that gives it, as `giver` says it."""
        at, home, gone = self._at, self._home, self._gone
        found: list[int] = []
        for value in self.ops[slot].reads:
            giver = at.get(value.op, -1)
            if giver < 0 or home[giver] != giver or gone[giver]:
                giver = self.giver(value)
            found.append(giver)
        return found

    def sources(self, slot: int) -> list[int]:
        """For each operand of an op a number of its own: as `givers`, but parts of one op differ."""
        if self._parts:
            return [self.source(value) for value in self.ops[slot].reads]
        at, home, gone = self._at, self._home, self._gone
        found: list[int] = []
        for value in self.ops[slot].reads:
            giver = at.get(value.op, -1)
            if giver < 0 or value.index or home[giver] != giver or gone[giver]:
                giver = self.source(value)
            found.append(giver)
        return found

    def source(self, value: Value) -> int:
        """The slot of the op whose first value this is; otherwise a number below -1 that stands for the value."""
        slot = self.giver(value)
        if not value.index and not self._parts:
            return slot
        now = self.resolve(value)
        return self._outside.setdefault(f"{now.op} {now.index}", -2 - len(self._outside)) if now.index else slot

    def maker(self, value: Value) -> Op | None:
        """The op that gives `value`, or None where it comes from outside."""
        slot = self.giver(value)
        return None if slot < 0 else self.ops[slot]

    def readers(self, slot: int) -> list[int]:
        """The slots that read an op, each once, in program order; RESULT first where it is given to the outside."""
        found = self._readers[slot]
        home = self._home
        if len(found) < 2:  # most have one
            if not found or found[0] == RESULT:
                return found
            only = found[0] if home[found[0]] == found[0] else self._find(found[0])
            return [] if only == slot else [only]
        now = {old if old == RESULT or home[old] == old else self._find(old) for old in found}
        now.discard(slot)
        return sorted(now)

    def readers_beside(self, slot: int, inside: Container[int]) -> list[int]:
        """The readers of an op that are not `inside`, some perhaps twice."""
        home = self._home
        found: list[int] = []
        for old in self._readers[slot]:
            reader = old if old == RESULT or home[old] == old else self._find(old)
            if reader not in inside and reader != slot:
                found.append(reader)
        return found

    def only_reader(self, slot: int) -> int | None:
        """The one op that reads `slot`, or None where there are none, several, or the outside reads it too."""
        if len(self._readers[slot]) == 1:
            only = self._readers[slot][0]
            return None if only == RESULT else self._find(only)
        readers = self.readers(slot)
        return readers[0] if len(readers) == 1 and readers[0] != RESULT else None

    def is_knot(self, group: set[int]) -> bool:
        """Whether a path leaves `group` and comes back: then it cannot become one op."""
        seen: set[int] = set()
        last = max(group)
        stack = [reader for slot in group for reader in self.readers_beside(slot, group) if 0 <= reader < last]
        while stack:
            slot = stack.pop()
            if slot in seen:
                continue
            seen.add(slot)
            for reader in self.readers(slot):
                if reader in group:
                    return True
                if 0 <= reader < last:
                    stack.append(reader)
        return False

    def resolve(self, value: Value) -> Value:
        """What `value` is called now."""
        while value in self._renamed:
            value = self._renamed[value]
        return value

    # What an op's value depends on, as bits.
    ON_INPUT, ON_PARAMETER, ON_RANDOM = 1, 2, 4
    _OF_SOURCES: ClassVar[dict[OpKind, int]] = {PARAMETER: ON_PARAMETER, RANDOM: ON_RANDOM, CONSTANT: 0}

    def origins(self, slot: int) -> int:
        """What the value of an op depends on: bits ON_INPUT, ON_PARAMETER, ON_RANDOM; 0 for a constant."""
        if self._origins is None:
            self._origins = self._find_origins()
        return self._origins[slot]

    def origins_of(self, value: Value) -> int:
        """What `value` depends on; a value from outside counts as depending on the input."""
        slot = self.giver(value)
        return self.ON_INPUT if slot < 0 else self.origins(slot)

    def _find_origins(self) -> list[int]:
        origins = [0] * len(self.ops)
        for slot in self.slots():
            op = self.ops[slot]
            if op.kind in SOURCES:
                origins[slot] = self._OF_SOURCES.get(op.kind, self.ON_INPUT)
                continue
            bits = self.ON_INPUT if op.kind is OPAQUE else self.ON_PARAMETER if op.kind.family in _LEARNING else 0
            for giver in self.givers(slot):
                bits |= self.ON_INPUT if giver < 0 else origins[giver]
            origins[slot] = bits
        return origins

    # ---- rewriting

    def fold(
        self,
        group: Iterable[int],
        kind: OpKind,
        attrs: tuple[Attr, ...] = (),
        *,
        value: Value | None = None,
        first: Sequence[Value] = (),
        instead_of: Sequence[int] = (),
        then: Sequence[Op] = (),
        named: int | None = None,
    ) -> int:
        """Put the ops of `group` into the body of one new op and return its slot.

        Args:
            group: slots that go into the body, in any order.
            kind, attrs: of the new op.
            value: what of the group the new op gives first; the value of the last one if absent.
            first: operands that the new op lists before the other free values of its body.
            instead_of: slots that vanish (a residual takes the place of its add).
            then: ops that are added at the end of the body; the last one's value is then given first.
            named: the slot whose value readers get from the new op, of the group or of `instead_of`; that of
                `value` if absent.
        """
        members = sorted(group)
        value = Value(self.ops[members[-1]].path) if value is None else value
        named = self.giver(value) if named is None else named
        old = Value(self.ops[named].path) if instead_of else self.resolve(value)
        inside = set(members) | set(instead_of)
        # An op that took in others stands where the last of them stood: what reads it may stand before it.
        body = (*self._in_order([self._now(slot) for slot in members]), *then)
        given = Value(then[-1].path) if then else self.resolve(value)
        extras = [other for other in self._read_outside(inside) if other != old]
        gives = (given, *extras)
        model = self.ops[named]
        path = self._paths.fresh(model.path, kind)
        outer = [self.resolve(other) for other in first if self.giver(other) not in inside]
        reads = dict.fromkeys([*outer, *free_values(body, gives)])
        op = Op(
            path,
            kind,
            tuple(reads),
            attrs,
            body,
            () if gives == (Value(body[-1].path),) else gives,
            claim=model.claim,
            span=model.span,
            because=model.because if instead_of else _shared(body, model),
        )
        self._renamed[old] = Value(path)
        for number, extra in enumerate(extras, start=1):
            self._renamed[extra] = Value(path, number)
        self._parts = self._parts or bool(extras)
        slot = max(inside)
        self._take_over(slot, inside, op)
        return slot

    def _take_over(self, slot: int, inside: set[int], op: Op) -> None:
        origins = self.origins(slot) if self._origins is not None else 0
        readers: list[int] = []
        for member in inside:
            for reader in self._readers[member]:
                if reader == RESULT:
                    readers.append(reader)
                elif (now := self._find(reader)) not in inside:
                    readers.append(reader)
                    self._stale[now] = True
                    if now < slot:
                        self._disordered = True
        for member in inside:
            self._home[member] = slot
            if self._origins is not None:
                origins |= self._origins[member]
        self._readers[slot] = readers
        self.ops[slot] = op
        self._kinds.add(op.kind)
        self._stale[slot] = False
        self._at[op.path] = slot
        if self._origins is not None:
            self._origins[slot] = origins
        for member in inside:
            if member != slot:
                self._gone[member] = True
        self.changed = True

    def _read_outside(self, inside: set[int]) -> list[Value]:
        """The values of the ops `inside` that something else reads, in program order."""
        wanted: dict[Value, None] = {}
        for member in sorted(inside):
            for reader in self._readers[member]:
                if reader == RESULT:
                    values: Iterable[Value] = self.results
                elif self._find(reader) in inside:
                    continue
                else:
                    values = self.ops[self._find(reader)].reads
                for value in values:
                    if self.giver(value) == member:
                        wanted[self.resolve(value)] = None
        return list(wanted)

    def replace(self, slot: int, op: Op) -> None:
        """Put `op` where another stood; it gives the same values and reads some of the same operands."""
        old = self.ops[slot]
        kept = {self.giver(value) for value in op.reads}
        self._forget(slot, [giver for giver in self.givers(slot) if giver not in kept])
        if op.path != old.path:
            self._at[op.path] = slot
            self._renamed[Value(old.path)] = Value(op.path)
            self._mark(self._readers[slot])
        self._kinds.add(op.kind)
        self.ops[slot] = op
        self.changed = True

    def path(self, slot: int, kind: OpKind) -> str:
        """An unused path for an op of `kind` that takes the place of the one in `slot`."""
        return self._paths.fresh(self.ops[slot].path, kind)

    def drop(self, slot: int, forward: Value) -> None:
        """Take an op out; whoever read its value reads `forward`."""
        giver = self.giver(forward)
        readers = [reader for reader in self._readers[slot] if reader == RESULT or self._find(reader) != slot]
        self._forget(slot, self.givers(slot))
        if giver >= 0:
            self._readers[giver] += readers
        self._renamed[Value(self.ops[slot].path)] = forward
        self._parts = self._parts or forward.index > 0
        self._forward[slot] = forward
        self._mark(readers)
        self._gone[slot] = True
        self.changed = True

    def _forget(self, slot: int, givers: Iterable[int]) -> None:
        for giver in set(givers):
            if giver >= 0:
                self._readers[giver] = [
                    reader for reader in self._readers[giver] if reader == RESULT or self._find(reader) != slot
                ]

    def discard(self, slot: int) -> None:
        """Take out an op that nothing reads."""
        self._forget(slot, self.givers(slot))
        self._gone[slot] = True
        self.changed = True

    def _mark(self, readers: Iterable[int]) -> None:
        """Something that `readers` read has another name now."""
        for reader in readers:
            if reader != RESULT:
                self._stale[self._find(reader)] = True

    def _now(self, slot: int) -> Op:
        return rename(self.ops[slot], self._renamed) if self._stale[slot] else self.ops[slot]

    def _in_order(self, ops: Sequence[Op]) -> tuple[Op, ...]:
        return in_order(ops) if self._disordered else tuple(ops)

    def rebuild(self) -> tuple[tuple[Op, ...], tuple[Value, ...]]:
        """The ops that are left, in program order, and what they give."""
        ops = [self._now(slot) for slot in self.slots()]
        return self._in_order(ops), tuple(self.resolve(value) for value in self.results)


def _shared(body: Sequence[Op], model: Op) -> tuple[Setting, ...]:
    """The settings that decided about every op of the body, those of `model` at most."""
    shared = model.because
    for op in body:
        if not shared:
            break
        if op.because != shared:
            shared = tuple(setting for setting in shared if setting in op.because)
    return shared
