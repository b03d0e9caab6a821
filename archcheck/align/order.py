"""A canonical order of the ops in each scope, which depends on their wiring and not on how the program lists them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from zlib import crc32

from archcheck.align.agree import DEFAULT_FREE
from archcheck.align.flat import TOP, Numbers, Side
from archcheck.ir.ops import OpKind, Tier

_NEAR = 3  # ops behind each other that are near
_MOST_CORE = 16  # classes kept of a body's core; more would not tell bodies apart better


def arrange(side: Side, numbers: Numbers) -> None:
    """Fill in the canonical order, contents and cores of all scopes of `side`, and the token of each op.

    The order is that of a depth-first walk from what comes out, operand by operand, with the operands of commuting ops
    sorted by a hash of all that leads to them. Two bodies of equal `content` are equal op by op in this order, up to
    attributes. The core of a body is what stays when norms and the like are moved about: its sublayers if it has any.
    """
    ranks = _Ranks(side)
    hashes, special = ranks.hashes, ranks.special
    done = bytearray(len(side))
    side.token = list(side.classes)
    for scope in reversed(list(side.inside)):
        _hash(side, scope, hashes, special)
        order = side.order[scope] = _walk(side, scope, ranks, done)
        if scope == TOP:
            continue
        place = {node: index for index, node in enumerate(order)}
        side.content[scope] = numbers(("content", *_tokens(side, scope, order, place, special)))
        core = side.core[scope] = _core(side, order)
        if _names_nothing(side.ops[scope].kind):
            side.token[scope] = numbers((side.classes[scope], core))


def _tokens(
    side: Side, scope: int, order: list[int], place: dict[int, int], special: bytearray
) -> Iterator[tuple[int, ...]]:
    """What a body holds, op by op, with operands as distances; 0 for a value from outside."""
    for index, node in enumerate(order):
        distances = [index - place.get(read, index) for read in side.operands[node]]
        if special[node]:
            head = 1 if special[node] == _HOLDS else 0
            distances[head:] = sorted(distances[head:])
        yield side.content.get(node, -1 - side.classes[node]), *distances
    yield tuple(place.get(node, -1) for node in side.results[scope])


def _names_nothing(kind: OpKind) -> bool:
    """Whether ops of `kind` are told apart by what they hold: a residual, a repeat."""
    return kind.tier is Tier.STRUCTURE and not kind.family


_COMMUTES, _HOLDS = 1, 2


class _Ranks:
    """Sorts ops whose order no operand decides by what leads to them: kinds, near ones first, so that a difference far
    before a sum does not turn its terms round; then attributes and outer values.

    A claim states few attributes, and where it states none its order must not hang on those of the code.
    """

    def __init__(self, side: Side) -> None:
        self.side = side
        self.special = _special(side)
        self.hashes = [0] * len(side)  # 0 until a scope is reached: inner scopes come first, outer values look alike
        self._fine: list[int] | None = None
        self._near: dict[tuple[int, int], int] = {}

    def sort(self, nodes: Iterable[int]) -> list[int]:
        """`nodes` in canonical order."""
        hashes = self.hashes
        keys = {node: (self._nearby(node, _NEAR), hashes[node]) for node in nodes}
        ranked = sorted(keys, key=keys.__getitem__)
        if any(keys[one] == keys[other] for one, other in pairwise(ranked)):
            fine = self._with_attributes()
            ranked.sort(key=lambda node: (keys[node], fine[node]))
        return ranked

    def _nearby(self, node: int, depth: int) -> int:
        """A hash of the kinds of the ops that lead to `node`, as far as `depth`, without those that are mostly free and
        sources, which stand inside of a layer or, where layers share them, outside."""
        side = self.side
        while side.ops[node].kind.name in DEFAULT_FREE and len(side.operands[node]) == 1:
            node = side.operands[node][0]
        known = self._near.get((node, depth))
        if known is None:
            reads = side.operands[node] if depth else ()
            parts = [self._nearby(read, depth - 1) for read in reads if not side.source[read]]
            if self.special[node]:
                parts.sort()
            known = self._near[node, depth] = hash((side.classes[node], side.content.get(node, 0), *parts))
        return known

    def _with_attributes(self) -> list[int]:
        if self._fine is None:
            side = self.side
            self._fine = fine = [0] * len(side)
            for scope in reversed(list(side.inside)):
                outside = {} if scope == TOP else {read: -1 - at for at, read in enumerate(side.operands[scope])}
                for node in side.inside[scope]:
                    parts = [outside.get(read, fine[read]) for read in side.operands[node]]
                    if self.special[node]:
                        parts.sort()
                    given = [fine[result] for result in side.results.get(node, ())]
                    indices = side.indices.get(node, ())
                    stated = crc32(repr(side.ops[node].attrs).encode())  # unlike hash, the same in every run
                    fine[node] = hash((side.classes[node], indices, stated, *given, *parts))
        return self._fine


def _special(side: Side) -> bytearray:
    """Which ops have operands without an order of their own."""
    marks = bytearray(len(side))
    for number, op in enumerate(side.ops):
        if op.kind.commutes:
            marks[number] = _COMMUTES
    for scope in side.inside:
        if scope != TOP:
            marks[scope] = _HOLDS
    return marks


def _hash(side: Side, scope: int, hashes: list[int], special: bytearray) -> None:
    operands, classes, indices = side.operands, side.classes, side.indices
    for node in side.inside[scope]:
        reads = operands[node]
        if special[node]:
            parts = sorted([hashes[read] for read in reads])
            hashes[node] = hash((classes[node], side.content.get(node, 0), *parts))
        elif len(reads) == 1 and node not in indices:
            hashes[node] = hash((classes[node], hashes[reads[0]]))
        else:
            hashes[node] = hash((classes[node], indices.get(node, ()), *[hashes[read] for read in reads]))


def _walk(side: Side, scope: int, ranks: _Ranks, done: bytearray) -> list[int]:
    # an op of this scope has a greater number than the op that holds it, a value from outside a lesser one
    operands, source, special = side.operands, side.source, ranks.special
    order: list[int] = []
    stack = [node for node in reversed(side.results[scope]) if node > scope and not source[node]]
    rest: list[int] | None = None
    while True:
        while stack:
            node = stack.pop()
            if node < 0:
                order.append(~node)
                continue
            if done[node]:
                continue
            done[node] = 1
            reads = operands[node]
            if len(reads) == 1:
                read = reads[0]
                if read <= scope or done[read] or source[read]:
                    order.append(node)
                else:
                    stack.append(~node)
                    stack.append(read)
                continue
            stack.append(~node)
            if special[node]:
                head = reads[:1] if special[node] == _HOLDS else ()
                reads = (*head, *ranks.sort(reads[len(head) :]))
            stack.extend([read for read in reversed(reads) if read > scope and not done[read] and not source[read]])
        if rest is None:  # what leads to no result
            rest = [node for node in side.inside[scope] if not source[node] and not done[node]]
            if rest:
                read_here = {read for node in rest for read in operands[node]}
                stack = ranks.sort(node for node in rest if node not in read_here)
                stack.reverse()
                continue
        return order


def _core(side: Side, order: list[int]) -> tuple[int, ...]:
    sublayers: list[int] = []
    others: set[int] = set()
    for node in order:
        kind = side.ops[node].kind
        if kind.family == "sublayer" or kind.name == "function":
            sublayers.append(side.classes[node])
        elif node in side.core:
            inner = side.core[node]
            if inner and inner[0] == -1:
                others.update(inner[1:])
            else:
                sublayers.extend(inner)
        elif kind.tier is Tier.LAYER and kind.family not in ("norm", "dropout"):
            others.add(side.classes[node])
    return tuple(sublayers[:_MOST_CORE]) if sublayers else (-1, *sorted(others)[:_MOST_CORE])
