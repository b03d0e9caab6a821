"""Finds residual streams: a sum of a value and a branch computed from that value becomes one `residual` op."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import ClassVar

from archcheck.ir.graph import Op, OpGraph, Value
from archcheck.ir.ops import OpKind
from archcheck.passes.base import ScopePass
from archcheck.passes.kinds import (
    ACTIVATIONS,
    ADD,
    ATTENTIONS,
    BEARING,
    CONVS,
    INPUT,
    LINEAR,
    MUL,
    PEELED,
    REPEAT,
    RESIDUAL,
    SCALE,
    SUBLAYERS,
    VIEWS,
    named,
)
from archcheck.passes.scope import RESULT, Scope

# What may stand between the stream and a sum's skip operand: DeepNorm's factor, a change of axes.
_ON_SKIP = VIEWS | {SCALE}
# A shortcut around a change of width: one learned map, normalised, pooled or laid out anew.
_SHORTCUT = PEELED | VIEWS | named("pool", "pad", "select")
_MAP = CONVS | {LINEAR}
_SUMS_AND_RESIDUALS = frozenset({ADD, RESIDUAL})
# A value that is only ever added to others, or decides where others are kept, is a mask or a bias and no stream.
_MASKING = named("add", "masked_fill", "where")
_NONLINEAR = ACTIVATIONS | ATTENTIONS | SUBLAYERS | named("softmax", "glu", "opaque", "function")
# Residuals within residuals, as in a U-shaped network. Deeper nests stay flat sums.
_DEEPEST = 24
# A sum of more terms than this, none of them a stream for all the others, is not searched for streams within.
_MOST_TERMS = 12
# Walks in vain are paid for: when they have come to this many times the size of the graph, only short branches are
# looked for. What is not found stays a sum, so that a hostile graph costs no more than a large one.
_PATIENCE = 8
_SHORT = 64
# What was folded may be the branch of a sum that was passed over: one graph in a few thousand needs another round.
_ROUNDS = 4


@dataclass(slots=True)
class _Branch:
    """What a sum adds to its skip: the ops between, and whether they really start there."""

    slots: set[int]  # the ops that go into the body
    from_skip: bool  # some of them depend on the skip, directly or along its stream


@dataclass(frozen=True, slots=True)
class _Skip:
    """The way from an operand of a sum back to a stream."""

    chain: list[int]  # sources of the values passed, the stream's last
    stream: int  # giver of the stream


class FoldResidual(ScopePass):
    """Fold sums of a stream and a branch, in program order, so that inner streams come before outer ones.

    before                          after
      %x = input                      input
      %a = attention %x heads=8       residual:
      add %x, %a                        attention heads=8

    The skip of a sum is the operand from which all the others are computed. A branch holds what lies between, as far
    as nothing else needs it, and does not reach back over its own stream: `a = x + f(x); y = x + g(a)` gives two
    residuals, the second with skip x and a body that reads a. A sum whose branch learns nothing and mixes nothing
    (a mask, a position) is left alone, and so is one whose branch feeds another sum (two streams).
    """

    name = "fold_residual"
    enters: ClassVar[frozenset[OpKind]] = frozenset({REPEAT})
    makes: ClassVar[frozenset[OpKind]] = frozenset({RESIDUAL})

    def run(self, graph: OpGraph) -> OpGraph:
        """The graph after this pass; the same object where nothing changed."""
        for _ in range(_ROUNDS):
            found = super().run(graph)
            if found is graph:
                break
            graph = found
        return graph

    def rewrite(self, scope: Scope, holder: Op | None) -> None:
        """Fold each maximal tree of sums, or else the sums within it."""
        _Streams(scope).fold_all()


class _Streams:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.stream: dict[int, int] = {}  # slot of a residual -> where its stream begins
        self.depth: dict[int, int] = {}  # slot of a residual -> how deep residuals are nested in it
        self.masks: dict[int, bool] = {}
        self.walked = 0  # ops walked over in the last search for a branch
        self.patience = _PATIENCE * len(scope.ops) + 1000  # ops that may still be walked over in vain

    def fold_all(self) -> None:
        for slot in self.scope.of_kinds(_SUMS_AND_RESIDUALS):
            op = self.scope.ops[slot]
            if op.kind is RESIDUAL:
                self.stream[slot] = self.start(op.reads[0])
                self.depth[slot] = sum(1 for inner in op.walk() if inner.kind is RESIDUAL)
            elif _is_sum(op):
                reader = self.scope.only_reader(slot)
                if reader is None or not _is_sum(self.scope.ops[reader]):
                    self.fold_tree(slot)
                    self.note_flat(slot)

    def note_flat(self, slot: int) -> None:
        """Remember a sum of two values of one stream as a later place of it."""
        op = self.scope.ops[slot]
        if _is_sum(op):
            first, second = (self.start(value) for value in op.reads)
            if first == second:
                self.stream[slot] = first

    def fold_tree(self, root: int) -> None:
        """Fold the sum at `root` with all of its terms, or without those of inner sums, or these alone."""
        leaves, sums = self.terms(root)
        if len(sums) > 1:
            if self.fold_sum(root, leaves, sums) or len(sums) > _MOST_TERMS:
                return
            for inner in sorted(sums):
                self.fold_sum(inner, list(self.scope.ops[inner].reads), [inner])
        else:
            self.fold_sum(root, leaves, sums)

    def terms(self, root: int) -> tuple[list[Value], list[int]]:
        """The operands of nested sums that nothing else reads, in order, and these sums."""
        leaves: list[Value] = []
        sums: list[int] = []
        stack = [Value(self.scope.ops[root].path)]
        while stack:
            value = stack.pop()
            slot = self.scope.giver(value)
            inner = slot >= 0 and (
                slot == root or (_is_sum(self.scope.ops[slot]) and self.scope.only_reader(slot) is not None)
            )
            if inner:
                sums.append(slot)
                stack.extend(reversed(self.scope.ops[slot].reads))
            else:
                leaves.append(value)
        return leaves, sums

    # ---- the skip

    def skip_chain(self, value: Value) -> _Skip:
        """The sources from a skip operand back to the stream: itself first, then behind views and factors."""
        chain = [self.scope.source(value)]
        while chain[-1] >= 0:
            op = self.scope.ops[chain[-1]]
            if op.kind not in _ON_SKIP or not op.reads:
                break
            value = op.reads[0]
            chain.append(self.scope.source(value))
        return _Skip(chain, self.scope.giver(value))

    def shortcut_chain(self, value: Value) -> _Skip | None:
        """The sources from a projection shortcut back to the stream, or None where `value` is none."""
        chain = [self.scope.source(value)]
        maps = 0
        while chain[-1] >= 0:
            op = self.scope.ops[chain[-1]]
            if op.kind in _MAP and not maps and len(op.reads) == 1:
                maps += 1
            elif op.kind not in _SHORTCUT or not op.reads:
                break
            value = op.reads[0]
            chain.append(self.scope.source(value))
        return _Skip(chain, self.scope.giver(value)) if maps else None

    def start(self, value: Value) -> int:
        """The slot at which the stream of `value` begins: what a chain of residuals, norms and factors starts from."""
        walked: list[int] = []
        slot = self.scope.giver(value)
        while slot >= 0:
            known = self.stream.get(slot)
            if known is not None:
                slot = known
                break
            op = self.scope.ops[slot]
            if (op.kind not in PEELED and op.kind not in VIEWS) or not op.reads:
                break
            walked.append(slot)
            slot = self.scope.giver(op.reads[0])
        self.stream.update(dict.fromkeys(walked, slot))
        return slot

    def is_mask(self, slot: int) -> bool:
        """Whether a value is only added to others or decides where they are kept."""
        known = self.masks.get(slot)
        if known is None:
            known = self.masks[slot] = self._is_mask(slot)
        return known

    def _is_mask(self, slot: int) -> bool:
        seen = {slot}
        stack = [slot]
        while stack:
            for reader in self.scope.readers(stack.pop()):
                if reader == RESULT or reader in seen:
                    continue
                kind = self.scope.ops[reader].kind
                if kind in VIEWS:
                    seen.add(reader)
                    stack.append(reader)
                elif kind not in _MASKING:
                    return False
        return True

    # ---- the branch

    def fold_sum(self, root: int, leaves: list[Value], sums: list[int]) -> bool:
        """Fold one sum if one of its terms is the stream from which the others are computed."""
        if self.scope.ops[root].kind is RESIDUAL:
            return True
        chains = [self.skip_chain(leaf) for leaf in leaves]
        order = sorted(range(len(leaves)), key=lambda number: chains[number].stream)
        first, second = order[0], order[1]
        apart = chains[first].chain[-1] != chains[second].chain[-1]
        if apart and self.fold_branch(root, leaves, sums, first, chains[first]):
            return True
        if len(leaves) != 2:
            return False
        shortcuts = [(number, self.shortcut_chain(leaf)) for number, leaf in enumerate(leaves)]
        found = sorted((len(skip.chain), number, skip) for number, skip in shortcuts if skip is not None)
        return any(self.fold_branch(root, leaves, sums, number, skip, shortcut=True) for _, number, skip in found)

    def fold_branch(
        self, root: int, leaves: list[Value], sums: list[int], number: int, skip: _Skip, *, shortcut: bool = False
    ) -> bool:
        stream = skip.stream
        if stream >= 0 and (not self.scope.origins(stream) or self.is_mask(stream)):  # a constant carries nothing on
            return False
        others = [leaf for place, leaf in enumerate(leaves) if place != number]
        branch = self.branch(others, skip, sums)
        if branch is None or not self.is_branch(others, sums, skip, branch, shortcut):
            self.patience -= self.walked
            return False
        start = self.start(leaves[number])
        slot = self.scope.fold(
            branch.slots,
            RESIDUAL,
            value=others[0],
            first=(leaves[number],),
            instead_of=sums,
            then=self.rest_of_sum(others, sums, root),
            named=root,
        )
        self.stream[slot] = start
        self.depth[slot] = self.nesting(branch)
        return True

    def is_branch(
        self, others: Sequence[Value], sums: Sequence[int], skip: _Skip, branch: _Branch, shortcut: bool
    ) -> bool:
        """Whether ops between a skip and a sum are what papers draw as a branch."""
        if not branch.from_skip:
            return False
        if len(others) > 1 and self.feed_each_other(others, branch.slots, sums):
            return False
        if shortcut and (self.is_shared(branch.slots, sums) or self.is_gate(branch.slots, {skip.stream})):
            return False
        kinds = [self.scope.ops[slot].kind for slot in branch.slots]
        bearing = sum(kind in BEARING for kind in kinds)
        if not bearing:
            return False
        if shortcut and (bearing < 2 or not any(kind in _NONLINEAR for kind in kinds)):
            return False
        return self.nesting(branch) <= _DEEPEST

    def nesting(self, branch: _Branch) -> int:
        return 1 + max((self.depth.get(slot, 0) for slot in branch.slots), default=0)

    def feed_each_other(self, others: Sequence[Value], branch: set[int], sums: Sequence[int]) -> bool:
        """Whether a term of a sum is computed from another: then the two are a stream and its branch."""
        return any(
            reader in branch and reader not in sums
            for value in others
            for reader in self.scope.readers(self.scope.giver(value))
        )

    def is_shared(self, branch: set[int], sums: Sequence[int]) -> bool:
        """Whether anything besides the sum reads an op of a branch. A projection is a shortcut around nothing else."""
        inside = branch | set(sums)
        return any(self.scope.readers_beside(slot, inside) for slot in branch)

    def is_gate(self, branch: set[int], stops: set[int]) -> bool:
        """Whether a branch multiplies another value of the outside: then it is a gate on that value (GRU)."""
        scope = self.scope
        for slot in branch:
            op = scope.ops[slot]
            if op.kind is MUL and len(op.reads) == 2:
                givers = scope.givers(slot)
                away = [giver for giver in givers if giver not in branch and giver not in stops]
                if any(giver < 0 or scope.origins(giver) & scope.ON_INPUT for giver in away):
                    return True
        return False

    def rest_of_sum(self, others: Sequence[Value], sums: Sequence[int], root: int) -> list[Op]:
        """The sums that are left when the skip is taken out: one less than there were."""
        places = [slot for slot in sorted(sums) if slot != root]
        ops: list[Op] = []
        left = others[0]
        for right, slot in zip(others[1:], places, strict=True):
            old = self.scope.ops[slot]
            reads = (self.scope.resolve(left), self.scope.resolve(right))
            ops.append(Op(old.path, ADD, reads, claim=old.claim, span=old.span, because=old.because))
            left = Value(old.path)
        return ops

    def branch(self, others: Sequence[Value], skip: _Skip, sums: Sequence[int]) -> _Branch | None:
        """The ops between the skip and the sum, or None where they do not form a branch of their own."""
        scope = self.scope
        stops = set(skip.chain)
        stream = skip.stream
        start = self.stream.get(stream, stream)
        region: set[int] = set()
        self.walked = 0
        met: set[int] = set()  # later places on the stream itself
        stack = list(others)
        if any(scope.source(value) in stops for value in stack):
            return None
        while stack:
            value = stack.pop()
            slot = scope.giver(value)
            if slot in region or slot in met or slot <= max(stream, -1) or scope.source(value) in stops:
                continue
            op = scope.ops[slot]
            if op.kind is INPUT:
                continue
            if (op.kind is RESIDUAL or op.kind is ADD) and self.stream.get(slot) == start:
                met.add(slot)
                continue
            region.add(slot)
            self.walked = len(region)
            if self.walked > _SHORT and self.patience < 0:
                return None
            stack.extend(op.reads)
        ordered = sorted(region)
        live: set[int] = set()  # those that depend on the skip
        for slot in ordered:
            for value in scope.ops[slot].reads:
                giver = scope.giver(value)
                if giver in live or giver in met or scope.source(value) in stops:
                    live.add(slot)
                    break
        if any(scope.giver(value) not in live for value in others):
            return None
        tails = self.tails(others, region)
        inside = self.own(ordered, live, tails, set(sums), bool(met))
        return None if inside is None else _Branch(inside, bool(live & inside))

    def joins_another(self, slot: int, live: set[int]) -> bool:
        """Whether an op within a branch adds what the branch has computed to another stream (gomez2017, equation 7)."""
        if not _is_sum(self.scope.ops[slot]):
            return False
        away = [giver for giver in self.scope.givers(slot) if giver not in live]
        return any(giver >= 0 and self.scope.origins(giver) & self.scope.ON_INPUT for giver in away)

    def tails(self, others: Sequence[Value], region: Container[int]) -> set[int]:
        """The ops whose value is the branch's value, but for dropout, a norm, a factor or a view on the way."""
        tails: set[int] = set()
        for value in others:
            slot = self.scope.giver(value)
            while slot in region:
                tails.add(slot)
                op = self.scope.ops[slot]
                if (op.kind not in PEELED and op.kind not in VIEWS) or not op.reads:
                    break
                slot = self.scope.giver(op.reads[0])
        return tails

    def own(
        self, ordered: Sequence[int], live: set[int], tails: set[int], sums: set[int], met: bool
    ) -> set[int] | None:
        """The ops of a region that belong to this branch alone.

        What does not depend on the skip and is needed elsewhere too (a mask that all layers share) stays outside.
        What depends on it and is needed elsewhere (keys kept for later) is given to the outside, unless it is the
        branch's value: then there are two streams. With `met`, part of the stream lies between, and giving values to
        it would tie a knot.
        """
        inside = set(sums)
        for slot in reversed(ordered):
            outside = self.scope.readers_beside(slot, inside)
            if not outside:
                inside.add(slot)
            elif slot in live:
                if any(reader != RESULT for reader in outside) and (slot in tails or met):
                    return None
                if self.joins_another(slot, live):
                    return None
                inside.add(slot)
        return inside - sums


def _is_sum(op: Op) -> bool:
    return op.kind is ADD and len(op.reads) == 2 and op.reads[0] != op.reads[1]
