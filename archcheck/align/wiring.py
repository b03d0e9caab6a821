"""Whether matched ops read the same: operands compared across what was left out, added or moved between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from archcheck.align.anchors import Matcher
from archcheck.align.flat import TOP, Side
from archcheck.ir.equivalences import COMMUTED, OUTPUTS
from archcheck.ir.ops import Tier

Read = tuple[int, int]  # op, output index

_MOST_REACHED = 12  # ops that an operand is traced back to through unmatched ones; more say no more


class Mode(Enum):
    """How the operands of two matched ops are compared."""

    EACH = "each"  # one by one; the code may read further side values
    SOME = "some"  # the claim's, in order, among those of the code
    ANY = "any"  # as a multiset: the op commutes


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Operand `place` of a matched pair, or an output of a scope, that comes from another op."""

    one: int  # op or scope of the claim
    other: int
    place: int
    stated: Read | None
    found: Read | None
    output: bool = False


@dataclass
class Wiring:
    """Compares the wiring of the two sides of a match."""

    match: Matcher
    equivalences: set[str] = field(default_factory=set)
    _reached: tuple[dict[int, tuple[int, ...]], dict[int, tuple[int, ...]]] = field(default_factory=lambda: ({}, {}))
    _aside: bytearray | None = None

    def __post_init__(self) -> None:
        self.expected: Side = self.match.expected
        self.actual: Side = self.match.actual

    def compare(self) -> list[Mismatch]:
        """All that matched ops, the graph and the bodies that were compared take from elsewhere."""
        self.equivalences -= {COMMUTED, OUTPUTS}  # noted while matches were only tried
        found = [mismatch for suspect in self.suspects() for mismatch in self.mismatches(*suspect)]
        for scope, other in self.scopes():
            found.extend(self.outputs(scope, other))
        return found

    # ---- pairs

    def suspects(self) -> list[tuple[int, int]]:
        """Matched pairs whose operands are not one by one each other's counterparts."""
        to, actual_operands = self.match.to, self.actual.operands
        inside, indices, other_indices = self.expected.inside, self.expected.indices, self.actual.indices
        suspects: list[tuple[int, int]] = []
        for node, (other, reads) in enumerate(zip(to, self.expected.operands, strict=True)):
            if other < 0:
                continue
            other_reads = actual_operands[other]
            if node in inside and self.match.looks_inside(node, other):
                if not self._sums(self.expected, node):
                    continue
                reads = (*reads[:1], *self.expected.results[node][:1])  # noqa: PLW2901
                other_reads = (*other_reads[:1], *self.actual.results[other][:1])
            if len(reads) == 1 == len(other_reads):
                same = to[reads[0]] == other_reads[0]
            else:
                same = tuple([to[read] for read in reads]) == other_reads
            if not same or indices.get(node) != other_indices.get(other):
                suspects.append((node, other))
        return suspects

    def has_outputs(self, scope: int) -> bool:
        """Whether what comes out of a scope is compared by itself, not as an operand of a residual."""
        other = self.match.to[scope] if scope != TOP else TOP
        return scope == TOP or (
            other >= 0 and self.match.looks_inside(scope, other) and not self._sums(self.expected, scope)
        )

    def scopes(self) -> Iterator[tuple[int, int]]:
        """The graphs themselves, and bodies that were compared, but for residuals, whose outputs are operands."""
        for scope in self.expected.inside:
            if self.has_outputs(scope):
                yield scope, self.match.to[scope] if scope != TOP else TOP

    def wires(self, node: int, other: int) -> tuple[tuple[Read, ...], tuple[Read, ...], Mode]:
        """The operands by which two matched ops are compared, and how."""
        expected, actual = self.expected, self.actual
        op, twin = expected.ops[node], actual.ops[other]
        if self.match.looks_inside(node, other):
            if self._sums(expected, node) and self._sums(actual, other):
                return self._summed(expected, node), self._summed(actual, other), Mode.EACH
            return (), (), Mode.EACH  # what the body reads is compared where it reads it
        loose = node in expected.dissolved or other in actual.dissolved
        if loose:
            reads = self._summed(expected, node) if self._sums(expected, node) else expected.read(node)
            twins = self._summed(actual, other) if self._sums(actual, other) else actual.read(other)
            return reads, twins, Mode.ANY
        if op.kind.commutes and twin.kind.commutes:
            return expected.read(node), actual.read(other), Mode.ANY
        if op.kind.tier is Tier.STRUCTURE or op.kind.family == "attention":
            return expected.read(node), actual.read(other), Mode.SOME
        return expected.read(node), actual.read(other), Mode.EACH

    @staticmethod
    def _sums(side: Side, node: int) -> bool:
        return node in side.inside and side.ops[node].kind.name == "residual"

    @staticmethod
    def _summed(side: Side, node: int) -> tuple[Read, ...]:
        """A residual as the sum that it is: what it skips with, and what its body gives first.

        What else comes out of the body (weights of an attention that are looked at) is compared where it is read.
        """
        return (*side.read(node)[:1], *side.given(node)[:1])

    # ---- operands

    def same(self, stated: Read, found: Read) -> bool:
        """Whether two operands are the same value, but for ops between that were left out, added or moved."""
        to, back = self.match.to, self.match.back
        twin = to[stated[0]]
        if twin == found[0]:
            return stated[1] == found[1]
        if self._is_same_constant(stated[0], found[0]):
            return True
        if twin >= 0 and back[found[0]] >= 0:
            return False
        reached = self.reached(1, found[0])
        return any(to[node] in reached for node in self.reached(0, stated[0]) if to[node] >= 0)

    def _is_same_constant(self, node: int, other: int) -> bool:
        """Whether two ops give the same constant, wherever it was written."""
        one, two = self.expected.ops[node], self.actual.ops[other]
        if one.kind is not two.kind or one.kind.name != "constant" or not one.attrs:
            return False
        return one.attrs == two.attrs

    def _traceable(self, stated: Read) -> bool:
        """Whether anything of what leads to an operand has a counterpart; if not, what is missing says it all."""
        to = self.match.to
        return bool(self.expected.source[stated[0]]) or any(to[node] >= 0 for node in self.reached(0, stated[0]))

    def reached(self, which: int, node: int) -> tuple[int, ...]:
        """The matched ops and the sources that lead to `node` through unmatched ops only; a matched one itself."""
        side = self.actual if which else self.expected
        counterpart = self.match.back if which else self.match.to
        known = self._reached[which]
        if counterpart[node] >= 0 or side.source[node]:
            return (node,)
        stack = [node]
        while stack:
            top = stack[-1]
            if top in known:
                stack.pop()
                continue
            reads = side.operands[top]
            if top in side.dissolved:
                reads += side.results[top]
            open_reads = [
                read for read in reads if counterpart[read] < 0 and not side.source[read] and read not in known
            ]
            if open_reads:
                stack.extend(open_reads)
                continue
            found: dict[int, None] = {}
            for read in reads:
                solid = counterpart[read] >= 0 or side.source[read]
                found.update(dict.fromkeys((read,) if solid else known[read]))
            known[top] = tuple(found)[:_MOST_REACHED]
            stack.pop()
        return known[node]

    def aside(self, node: int) -> bool:
        """Whether a value of the code depends on none of the inputs that the claim speaks of: a mask, a weight."""
        if self._aside is None:
            actual, back = self.actual, self.match.back
            marks = self._aside = bytearray(len(actual))
            for number, reads in enumerate(actual.operands):
                if actual.source[number]:
                    marks[number] = back[number] < 0 or actual.ops[number].kind.name != "input"
                else:
                    marks[number] = all(marks[read] for read in reads)
        return bool(self._aside[node])

    def mismatches(self, node: int, other: int) -> list[Mismatch]:
        """What `node` reads and its counterpart reads from elsewhere."""
        stated, found, mode = self.wires(node, other)
        if mode is Mode.ANY:
            return self._multiset(node, other, stated, found)
        return self._sequence(node, other, stated, found, mode)

    def _multiset(self, node: int, other: int, stated: tuple[Read, ...], found: tuple[Read, ...]) -> list[Mismatch]:
        if len(stated) == len(found) and all(self.same(*pair) for pair in zip(stated, found, strict=True)):
            return []
        left = list(found)
        open_places: list[int] = []
        for exact in (True, False):  # counterparts first: an added op in between must not take another's place
            for place in range(len(stated)) if exact else open_places.copy():
                twin = next(
                    (
                        read
                        for read in left
                        if (self.match.to[stated[place][0]] == read[0] or not exact) and self.same(stated[place], read)
                    ),
                    None,
                )
                if twin is not None:
                    left.remove(twin)
                    if not exact:
                        open_places.remove(place)
                elif exact:
                    open_places.append(place)
        if not open_places and len(stated) > 1:
            self.equivalences.add(COMMUTED)
        extra = [read for read in left if not self.aside(read[0])] if len(found) > len(stated) else left
        result: list[Mismatch] = []
        for place in open_places:
            if not self._traceable(stated[place]):
                continue
            taken = extra.pop(0) if extra else (left[0] if left else None)
            result.append(Mismatch(node, other, place, stated[place], taken))
        if len(found) > len(stated):
            result.extend(Mismatch(node, other, len(stated) + n, None, read) for n, read in enumerate(extra))
        return result

    def _sequence(
        self, node: int, other: int, stated: tuple[Read, ...], found: tuple[Read, ...], mode: Mode
    ) -> list[Mismatch]:
        result: list[Mismatch] = []
        at = 0
        for place, read in enumerate(stated):
            ahead = at
            while ahead < len(found) and not self.same(read, found[ahead]):
                # only what is aside may be stepped over, unless the claim's op does not list all that it reads
                if mode is Mode.EACH and (len(found) <= len(stated) or not self.aside(found[ahead][0])):
                    ahead = len(found)
                else:
                    ahead += 1
            if ahead < len(found):
                at = ahead + 1
            elif not self._traceable(read):
                at += 1
            else:
                instead = next((found[n] for n in (at, place) if n < len(found)), None)
                result.append(Mismatch(node, other, place, read, instead))
                at += 1
        if mode is Mode.EACH and stated:  # an op stated without operands leaves them open
            rest = [(place, read) for place, read in enumerate(found) if place >= at and not self.aside(read[0])]
            result.extend(Mismatch(node, other, place, None, read) for place, read in rest)
        return result

    def outputs(self, scope: int, other: int) -> list[Mismatch]:
        """What comes out of a scope and comes from elsewhere in its counterpart."""
        stated, found = self.expected.given(scope), self.actual.given(other)
        result = self._sequence(scope, other, stated, found, Mode.SOME)
        if not result and len(found) > len(stated):
            self.equivalences.add(OUTPUTS)
        return [Mismatch(scope, other, each.place, each.stated, each.found, output=True) for each in result]

    def forget(self) -> None:
        """Work out anew what leads to what, after the match has changed."""
        self._reached[0].clear()
        self._reached[1].clear()
        self._aside = None
