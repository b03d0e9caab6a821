"""A match that the order of ops suggested, changed where the wiring tells better."""

from __future__ import annotations

from collections.abc import Iterable

from archcheck.align.agree import attributes, compatible
from archcheck.align.flat import TOP, Side
from archcheck.align.sources import bind_sources
from archcheck.align.wiring import Mismatch, Wiring

_FRUITLESS = 256  # attempts at repairing a match, in a row, after which what is left is taken as it is
_ROUNDS = 4
_GRAPH = -2  # the graph itself, as a reader of what comes out of it
_NEAR = 8  # readers of one value that are tried
_LONGEST = 64  # ops of two equal branches that are exchanged at once


def settle(wiring: Wiring) -> bool:
    """Bind the claim's inputs, and change the match where that explains more of the wiring; whether it did."""
    bind_sources(wiring, wiring.suspects())
    changed = False
    for _ in range(_ROUNDS):  # what one exchange leaves over another may explain
        found = wiring.compare()
        if not found or not _Mending(wiring).run(found):
            break
        changed = True
        wiring.forget()
    if _Mending(wiring).tell_apart():
        changed = True
        wiring.forget()
    return changed


class _Mending:
    def __init__(self, wiring: Wiring) -> None:
        self.wiring = wiring
        self.match = wiring.match
        self.expected: Side = wiring.expected
        self.actual: Side = wiring.actual
        self._readers = (_readers(self.expected), _readers(self.actual))
        self._spare = (_spare(self.expected, self.match.to), _spare(self.actual, self.match.back))

    def run(self, found: list[Mismatch]) -> bool:
        """Exchange or undo matches where that explains more of the wiring; whether anything was changed."""
        changed = False
        fruitless = 0
        for mismatch in found:
            if fruitless > _FRUITLESS:
                break
            if any(way(mismatch) for way in (self._exchange, self._cross, self._slide, self._undo)):
                changed, fruitless = True, 0
            else:
                fruitless += 1
        return changed

    def tell_apart(self) -> bool:
        """Exchange branches of one sum that are alike but for what their ops state, where that says which is which."""
        changed = False
        fruitless = 0
        for node, twin in enumerate(self.match.to):
            if twin < 0 or compatible(self.expected.ops[node], self.actual.ops[twin]):
                continue
            if fruitless > _FRUITLESS:
                break
            if self._tell(node):
                changed, fruitless = True, 0
            else:
                fruitless += 1
        return changed

    def _tell(self, node: int) -> bool:
        """Exchange the branch that an op stands in with another one that is summed with it; whether that helped."""
        to = self.match.to
        at = node
        for _ in range(_LONGEST):
            reader = self.expected.user[at]
            if reader < 0 or to[reader] < 0 or to[at] < 0:
                return False
            if self.expected.ops[reader].kind.commutes:
                reads = set(self.actual.operands[to[reader]])
                for rival in self.expected.operands[reader]:
                    if rival != at and to[rival] >= 0 and to[at] != to[rival] and {to[at], to[rival]} <= reads:
                        joins = self._with_operands(at, rival)
                        if joins and self._try(joins, stated=True):
                            return True
            at = reader
        return False

    def _with_operands(self, one: int, other: int) -> list[tuple[int, int]]:
        """Two ops crosswise, with what they read crosswise too, back to what both branches read."""
        to = self.match.to
        if not (self._alike(one, to[other]) and self._alike(other, to[one])):
            return []
        grown: list[tuple[int, int]] = []
        seen = {one, other}
        waiting = [(one, other)]
        while waiting and len(grown) < _LONGEST:
            node, rival = waiting.pop()
            grown += [(node, to[rival]), (rival, to[node])]
            for read, read_too in zip(self.expected.operands[node], self.expected.operands[rival], strict=False):
                if read == read_too or {read, read_too} & seen or to[read] < 0 or to[read_too] < 0:
                    continue
                if self._alike(read, to[read_too]) and self._alike(read_too, to[read]):
                    seen |= {read, read_too}
                    waiting.append((read, read_too))
        return grown

    def _disagreements(self, nodes: Iterable[int]) -> int:
        """How many attributes of these ops differ from those of their counterparts."""
        to, expected, actual = self.match.to, self.expected.ops, self.actual.ops
        return sum(1 for node in nodes if to[node] >= 0 for _ in attributes(expected[node], actual[to[node]]))

    def _exchange(self, mismatch: Mismatch) -> bool:
        """Two ops of one class that were matched crosswise: the first of two equal branches with the second."""
        to, back = self.match.to, self.match.back
        if mismatch.stated is None or mismatch.found is None:
            return False
        node, twin = mismatch.stated[0], mismatch.found[0]
        rival, rivals_twin = back[twin], to[node]
        if to[node] == twin or self.expected.source[node] or self.actual.source[twin]:
            return False
        if rival >= 0 and rivals_twin >= 0:
            pairs = [(node, twin), (rival, rivals_twin)]
            alike = sum(self._alike(*pair) for pair in pairs)
            # one of the two may be matched with another kind, as long as it was so before
            enough = alike == 2 or (alike == 1 and self._alike(rival, twin) + self._alike(node, rivals_twin) < 2)
            if not enough or not all(self._may(*pair) for pair in pairs):
                return False
            return self._try(pairs) or (alike == 2 and self._try(self._with_readers(pairs)))
        return (rival >= 0 or rivals_twin >= 0) and self._alike(node, twin) and self._try([(node, twin)])

    def _with_readers(self, pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Two crosswise pairs, with what reads them crosswise too: the whole of two equal branches."""
        to = self.match.to
        grown = list(pairs)
        seen = {node for node, _ in pairs}
        waiting = [(*pairs[0], *pairs[1])]
        while waiting and len(grown) < _LONGEST:
            node, twin, rival, rivals_twin = waiting.pop()
            for reader in self._read_by(0, node)[:_NEAR]:
                if reader < 0 or reader in seen or to[reader] not in self._read_by(1, rivals_twin):
                    continue
                for other in self._read_by(0, rival)[:_NEAR]:
                    if other < 0 or other in seen or other == reader or to[other] not in self._read_by(1, twin):
                        continue
                    if self._alike(reader, to[other]) and self._alike(other, to[reader]):
                        grown += [(reader, to[other]), (other, to[reader])]
                        seen |= {reader, other}
                        waiting.append((reader, to[other], other, to[reader]))
                        break
        return grown

    def _cross(self, mismatch: Mismatch) -> bool:
        """Two readers of one class that were matched crosswise, seen from what they read."""
        to, back = self.match.to, self.match.back
        node, twin = mismatch.one, mismatch.other
        if mismatch.output or mismatch.found is None or to[node] != twin or back[mismatch.found[0]] < 0:
            return False
        for rival in self._readers[0].get(back[mismatch.found[0]], [])[:_NEAR]:
            if rival != node and self._alike(rival, twin):
                joins = [(rival, twin)]
                if to[rival] >= 0:
                    if not self._alike(node, to[rival]):
                        continue
                    joins.append((node, to[rival]))
                if self._try(joins):
                    return True
        return False

    def _slide(self, mismatch: Mismatch) -> bool:
        """Of two like ops, one of which is new or gone, the other one was matched."""
        if mismatch.stated is None or mismatch.found is None:
            return False
        to, back = self.match.to, self.match.back
        node, twin = mismatch.stated[0], mismatch.found[0]
        if to[node] >= 0:
            for other in self._lone(0, node):
                if to[other] < 0 and self._alike(other, to[node]) and self._try([(other, to[node])]):
                    return True
        if back[twin] >= 0:
            for other in self._lone(1, twin):
                if back[other] < 0 and self._alike(back[twin], other) and self._try([(back[twin], other)]):
                    return True
        return False

    def _undo(self, mismatch: Mismatch) -> bool:
        """An op that reads from elsewhere and is read from elsewhere was not rewired: it was moved."""
        node, twin = mismatch.one, mismatch.other
        if mismatch.output or self.match.to[node] != twin or node in self.expected.inside:
            return False
        if len(self.expected.operands[node]) != 1 or len(self.actual.operands[twin]) != 1:
            return False
        return self._try([], (node,), explains_all=True)

    def _alike(self, node: int, twin: int) -> bool:
        return self.expected.token[node] == self.actual.token[twin] and self._may(node, twin)

    def _may(self, node: int, twin: int) -> bool:
        expected, actual = self.expected, self.actual
        if expected.source[node] or actual.source[twin] or node in expected.inside or twin in actual.inside:
            return False
        return self.match.same_home(node, twin)

    def _try(
        self,
        joins: list[tuple[int, int]],
        loose: tuple[int, ...] = (),
        *,
        explains_all: bool = False,
        stated: bool = False,
    ) -> bool:
        """Match these ops with each other instead; undone where it does not explain more of the wiring, or, `stated`,
        no less of it and more of what the ops state."""
        to, back = self.match.to, self.match.back
        nodes = {*loose, *(node for node, _ in joins), *(back[twin] for _, twin in joins)} - {-1}
        twins = {*(twin for _, twin in joins), *(to[node] for node in nodes)} - {-1}
        old = [(node, to[node]) for node in nodes if to[node] >= 0]
        differ = self._disagreements(nodes) if stated else 0
        before = self._count(nodes, twins)
        if explains_all and before < 2:
            return False
        for node, _ in old:
            self.match.part(node)
        for node, twin in joins:
            self.match.join(node, twin)
        self.wiring.forget()
        after = self._count(nodes, twins)
        if stated:
            better = after <= before and self._disagreements(nodes) < differ
        else:
            better = after == 0 if explains_all else after < before
        if better:
            return True
        for node, _ in joins:
            self.match.part(node)
        for node, twin in old:
            self.match.join(node, twin)
        self.wiring.forget()
        return False

    def _read_by(self, which: int, node: int) -> list[int]:
        return self._readers[which].get(node, [])

    def _lone(self, which: int, node: int) -> tuple[int, ...]:
        """Ops without counterpart that might take the place of a like one: those next to it, then any."""
        side = self.actual if which else self.expected
        near = (*side.operands[node], *(reader for reader in self._read_by(which, node) if reader >= 0))
        return (*near, *self._spare[which].get(side.token[node], ())[:_NEAR])

    def _count(self, nodes: Iterable[int], twins: Iterable[int]) -> int:
        """How many operands mismatch at these ops and at all that read them."""
        back, to = self.match.back, self.match.to
        near: dict[int, None] = {}
        for node in nodes:
            near.update((reader if reader != TOP else _GRAPH, None) for reader in (node, *self._read_by(0, node)))
        for twin in twins:
            near.update((back[reader] if reader != TOP else _GRAPH, None) for reader in (twin, *self._read_by(1, twin)))
        count = 0
        for node in near:
            scope = TOP if node == _GRAPH else node
            if node >= 0 and to[node] >= 0:
                count += len(self.wiring.mismatches(node, to[node]))
            elif node != _GRAPH:
                continue
            if (scope == TOP or scope in self.expected.inside) and self.wiring.has_outputs(scope):
                count += len(self.wiring.outputs(scope, to[scope] if scope != TOP else TOP))
        return count


def _readers(side: Side) -> dict[int, list[int]]:
    readers: dict[int, list[int]] = {}
    for node, reads in enumerate(side.operands):
        for read in dict.fromkeys(reads):
            readers.setdefault(read, []).append(node)
    for scope, results in side.results.items():
        for read in results:
            readers.setdefault(read, []).append(scope)
    return readers


def _spare(side: Side, counterpart: list[int]) -> dict[int, list[int]]:
    """Ops without counterpart by their tokens."""
    spare: dict[int, list[int]] = {}
    for node, twin in enumerate(counterpart):
        if twin < 0 and not side.source[node]:
            spare.setdefault(side.token[node], []).append(node)
    return spare
