"""Where an op stands: what leads to it and what it leads to, in terms of the ops of the code that are matched."""

from __future__ import annotations

from archcheck.align.anchors import Matcher
from archcheck.align.flat import TOP, Side
from archcheck.align.wiring import Wiring
from archcheck.ir.graph import Op
from archcheck.ir.ops import Tier

Key = tuple[object, ...]

_FAR = 64  # unmatched ops in a row beyond which a neighbour is no neighbour


class Neighbours:
    """Finds the places of ops, matched or not, on either side."""

    def __init__(self, match: Matcher, wiring: Wiring) -> None:
        self.match = match
        self.wiring = wiring
        self.expected: Side = match.expected
        self.actual: Side = match.actual
        self._readers: tuple[dict[int, list[int]], dict[int, list[int]]] | None = None

    def forget(self) -> None:
        """Look for readers anew, after more ops have lost their counterparts."""
        self._readers = None

    def place(self, node: int, actual: bool) -> Key | None:
        behind, before = self.behind(node, actual), self.before(node, actual)
        return (*behind, *before) if behind and before else None

    def behind(self, node: int, actual: bool) -> Key | None:
        """What leads to `node`, in ops of the code."""
        reached: set[int] = set()
        side = self.actual if actual else self.expected
        for read in side.operands[node]:
            for solid in self.wiring.reached(int(actual), read):
                twin = solid if actual else self.match.to[solid]
                if not actual or self.match.back[solid] >= 0:
                    reached.add(twin)
        reached.discard(-1)
        return (self._home(node, actual), tuple(sorted(reached))) if reached else None

    def before(self, node: int, actual: bool) -> Key | None:
        """The first matched op of the code that `node` leads to, and as which operand; None where it leads nowhere."""
        side, counterpart = (self.actual, self.match.back) if actual else (self.expected, self.match.to)
        readers = self._open_readers(actual)
        found: list[tuple[int, int]] = []
        seen = {node}
        stack = [node]
        while stack and len(seen) < _FAR:
            at = stack.pop()
            for reader in readers.get(at, ()):
                if counterpart[reader] >= 0:
                    reads = side.operands[reader]
                    place = reads.index(at) if at in reads and not side.ops[reader].kind.commutes else -1
                    found.append((reader if actual else counterpart[reader], place))
                elif reader not in seen:
                    seen.add(reader)
                    stack.append(reader)
        if not found and len(seen) < _FAR and not any(at in side.results.get(side.scope[at], ()) for at in seen):
            return None
        return (self._home(node, actual), *min(found, default=(TOP, TOP)))

    def _open_readers(self, actual: bool) -> dict[int, list[int]]:
        """Readers of the ops that are, or were, without counterpart."""
        if self._readers is None:
            self._readers = (_readers(self.expected, self.match.to), _readers(self.actual, self.match.back))
        return self._readers[int(actual)]

    def _home(self, node: int, actual: bool) -> int:
        side = self.actual if actual else self.expected
        home = side.home(node)
        return home if actual or home == TOP else self.match.to[home]

    def where(self, node: int) -> tuple[Op | None, Op | None]:
        """The ops of the code between which an op of the claim would have to stand."""
        before = None
        for read in self.expected.operands[node]:
            solid = [self.match.to[near] for near in self.wiring.reached(0, read) if self.match.to[near] >= 0]
            if solid:
                before = self.actual.ops[solid[0]]
                break
        at, after = node, None
        for _ in range(_FAR):
            at = self.expected.user[at]
            if at < 0:
                break
            if self.match.to[at] >= 0:
                after = self.actual.ops[self.match.to[at]]
                break
        if after is None and self.expected.home(node) != TOP:  # the last of a body: what it gives goes to its holder
            home = self.match.to[self.expected.home(node)]
            after = self.actual.ops[home] if home >= 0 else None
        return before, after

    def around(self, node: int) -> tuple[Op | None, Op | None]:
        """The matched ops around an op of the code."""
        before = None
        for read in self.actual.operands[node]:
            solid = [near for near in self.wiring.reached(1, read) if self.match.back[near] >= 0]
            if solid:
                before = self.actual.ops[solid[0]]
                break
        at, after = node, None
        for _ in range(_FAR):
            at = self.actual.user[at]
            if at < 0:
                break
            if self.match.back[at] >= 0:
                after = self.actual.ops[at]
                break
        if after is None and self.actual.home(node) != TOP:
            after = self.actual.ops[self.actual.home(node)]
        return before, after

    def anchors(self, node: int, actual: bool) -> tuple[int, int]:
        """The residuals or sublayers, of the code, that `node` stands in or behind, and before; TOP for none."""
        side, counterpart = (self.actual, self.match.back) if actual else (self.expected, self.match.to)
        found = [TOP, TOP]
        scope = side.scope[node]
        if scope != TOP and side.ops[scope].kind.name == "residual":
            found[0] = scope
        for way in (0, 1):
            at = node
            for _ in range(_FAR if found[way] == TOP else 0):
                at = (side.operands[at][0] if side.operands[at] else -1) if way == 0 else side.user[at]
                if at < 0:
                    break
                if side.ops[at].kind.tier is Tier.STRUCTURE and counterpart[at] >= 0:
                    found[way] = at
                    break
        if not actual:
            found = [self.match.to[at] if at != TOP else TOP for at in found]
        return found[0], found[1]


def _readers(side: Side, counterpart: list[int]) -> dict[int, list[int]]:
    readers: dict[int, list[int]] = {}
    for node, reads in enumerate(side.operands):
        for read in reads:
            if counterpart[read] < 0:
                readers.setdefault(read, []).append(node)
    return readers
