"""Which inputs, parameters and constants of the code play the claim's: told by who reads them, and where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from archcheck.align.flat import TOP
from archcheck.align.wiring import Mode, Read, Wiring

_Wires = tuple[tuple[Read, ...], tuple[Read, ...], Mode]
_Candidates = Callable[[int, int], Iterable[int]]


def bind_sources(wiring: Wiring, pairs: list[tuple[int, int]]) -> None:
    """Match the sources of the claim with values of the code, by a vote of the ops that read them.

    A source is first looked for among those of the code that its readers read, past ops that are free; then, but for
    the input that the claim begins with, among values that the code makes for itself (a table of positions); at last
    past any op that has no counterpart.

    Args:
        pairs: matched ops of (claim, code) whose operands are to vote.
    """
    binding = _Binding(wiring)
    binding.same_names()
    wires: list[_Wires] = [wiring.wires(*pair) for pair in pairs]
    wires += [(wiring.expected.given(one), wiring.actual.given(other), Mode.EACH) for one, other in wiring.scopes()]
    wires = [wire for wire in wires if any(True for _ in binding.open_sources(wire))]
    for candidates in (binding.past_free, binding.made_aside, binding.past_any):
        if wires:
            binding.elect(wires, candidates)
            wires = [wire for wire in wires if any(True for _ in binding.open_sources(wire))]


class _Binding:
    def __init__(self, wiring: Wiring) -> None:
        self.wiring = wiring
        self.match = wiring.match
        self.expected = wiring.expected
        self.actual = wiring.actual
        inputs = (node for node in self.expected.inside[TOP] if self.expected.ops[node].kind.name == "input")
        self.stream = next(inputs, -1)

    def same_names(self) -> None:
        """Where both sides have inputs of just the same names, as two revisions of one model have, these say it all."""
        named = [
            {side.ops[node].attr("name"): node for node in side.inside[TOP] if side.ops[node].kind.name == "input"}
            for side in (self.expected, self.actual)
        ]
        if named[0].keys() == named[1].keys() and None not in named[0]:
            for name, source in named[0].items():
                if self.match.to[source] < 0 and self.match.back[named[1][name]] < 0:
                    self.match.join(source, named[1][name])

    def open_sources(self, wire: _Wires) -> Iterator[tuple[int, int, bool]]:
        """Sources of the claim without counterpart, with the operand that they lead to and whether they are it."""
        for place, (read, _) in enumerate(wire[0]):
            for source in self.wiring.reached(0, read):
                if self.expected.source[source] and self.match.to[source] < 0:
                    yield source, place, source == read

    def elect(self, wires: list[_Wires], candidates: _Candidates) -> None:
        """Bind each source to the candidate that most of its readers read, best agreement first."""
        votes: Counter[tuple[int, int]] = Counter()
        for wire in wires:
            _, found, mode = wire
            for source, place, itself in self.open_sources(wire):
                for other_place, (other, _) in enumerate(found):
                    # the same operand counts for more than another one: arguments have their places
                    loose = mode is not Mode.EACH or len(found) != len(wire[0])
                    worth = 2 if place == other_place else int(loose)
                    for node in candidates(source, other) if worth else ():
                        votes[source, node] += worth * (2 if itself else 1)
        for (source, node), _ in sorted(
            votes.items(), key=lambda item: (-item[1], not self._one_name(*item[0]), item[0])
        ):
            if self.match.to[source] < 0 and self.match.back[node] < 0:
                self.match.join(source, node)
        self.wiring.forget()

    def _one_name(self, source: int, node: int) -> bool:
        return self.expected.ops[source].attr("name", "") == self.actual.ops[node].attr("name", "-")

    def _open(self, source: int, node: int) -> bool:
        same = self.actual.ops[node].kind is self.expected.ops[source].kind
        return bool(self.actual.source[node]) and self.match.back[node] < 0 and same

    def _past_free_ops(self, node: int) -> int:
        actual = self.actual
        while (
            self.match.back[node] < 0
            and actual.classes[node] in self.match.free
            and not actual.source[node]
            and len(actual.operands[node]) == 1
        ):
            node = actual.operands[node][0]
        return node

    def past_free(self, source: int, node: int) -> list[int]:
        """The source that an operand is, but for free ops."""
        node = self._past_free_ops(node)
        return [node] if self._open(source, node) else []

    def made_aside(self, source: int, node: int) -> list[int]:
        """A value that the code makes for itself where the claim is given it."""
        if source == self.stream or self.expected.ops[source].kind.name != "input":
            return []
        node = self._past_free_ops(node)
        if self.match.back[node] >= 0 or not self.wiring.aside(node):
            return []
        fed = any(self.actual.ops[read].kind.name == "input" for read in self.wiring.reached(1, node))
        table = self.actual.ops[node].kind.family in ("embedding", "position")
        return [node] if table or not fed else []

    def past_any(self, source: int, node: int) -> list[int]:
        """The sources that lead to an operand through ops without counterpart."""
        return [read for read in self.wiring.reached(1, node) if self._open(source, read)]
