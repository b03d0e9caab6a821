"""Random interpretation on small tensors: ops that move, join and add up entries mean what they do.

The sizes of axes that nothing tells are distinct primes, so that no two axes pass for one another. A map that is
learned is a random function of the vectors along the last axis; what acts entry by entry does as in
`interpretation`. How many axes an input has is known, or each number is tried at which the code runs. What has no
meaning here (a convolution, a mask) leaves the question open.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from archcheck.align.agree import DEFAULT_FREE, attributes, free_kinds
from archcheck.align.edits import Alignment
from archcheck.align.field import NoValueError
from archcheck.align.interpretation import World
from archcheck.align.meaning import inputs_of, seeds
from archcheck.align.moves import RULES, Frame, Made, drawn
from archcheck.align.sizes import NoShapeError, Size, Sizes
from archcheck.align.tensors import Tensor, TooLargeError
from archcheck.ir.equivalences import ERROR_BITS
from archcheck.ir.graph import Op, OpGraph, Value
from archcheck.ir.ranks import Ranks
from archcheck.passes.write_out import written_out

DRAWS = 3
MOST_OPS = 200
MOST_ENTRIES = 40_000  # of all that a side computes
RANKS = (2, 3, 4)  # that are tried of inputs of which it is not known

_OPEN = (NoShapeError, NoValueError, TooLargeError)


def same_on_tensors(expected: OpGraph, actual: OpGraph, alignment: Alignment, ranks: Ranks | None) -> bool:
    """Whether both compute one function of tensors, but for axes of one entry.

    Args:
        expected: a claim.
        actual: the code that was aligned with it.
        alignment: of the two; it tells which inputs and which learned maps are the same.
        ranks: what is known of the axes of the code's values, and whether its reductions keep them.
    """
    verdicts = _verdicts(expected, actual, alignment, ranks)
    return True in verdicts and False not in verdicts


def differ_on_tensors(expected: OpGraph, actual: OpGraph, alignment: Alignment, ranks: Ranks | None) -> bool:
    """Whether the code runs on tensors, and gives what the claim does not at any number of axes at which it runs.

    Which learned maps are the same is taken from the alignment: under other names they may agree.
    """
    verdicts = _verdicts(expected, actual, alignment, ranks)
    return False in verdicts and True not in verdicts


def _verdicts(expected: OpGraph, actual: OpGraph, alignment: Alignment, ranks: Ranks | None) -> list[bool | None]:
    claim, code = _needed(written_out(expected)), _needed(written_out(actual))
    if ranks is None or max(len(claim.ops), len(code.ops)) > MOST_OPS or len(claim.results) != len(code.results):
        return []
    pair = _Pair(claim, code, alignment, ranks)
    return [pair.agree(rank) for rank in (RANKS if pair.unknown else RANKS[:1])]


def _needed(graph: OpGraph) -> OpGraph:
    """A graph without what nothing comes out of."""
    needed = {value.op for value in graph.results}
    for op in reversed(graph.ops):
        if op.path in needed:
            needed |= {read.op for read in op.reads}
    return OpGraph(tuple(op for op in graph.ops if op.path in needed), graph.results, graph.origin)


@dataclass
class _Pair:
    claim: OpGraph
    code: OpGraph
    alignment: Alignment
    ranks: Ranks
    names: dict[str, str] = field(default_factory=dict)  # path in the code -> in the claim

    def __post_init__(self) -> None:
        inputs = inputs_of(self.claim, self.code, self.alignment)
        pairs = [(one, other) for one, other in self.alignment.pairs if one.kind.covers(other.kind)]
        met = {other.path: one.path for one, other in pairs if not any(True for _ in attributes(one, other))}
        self.names = met | {path: op.path for path, op in inputs.items()}
        self.axes = {one.path: other.attr("axis") for one, other in pairs if other.states("axis")}
        free = free_kinds([op.kind for op in self.claim.ops], DEFAULT_FREE, ())
        self.acting = {"dropout", "stochastic_depth"} - free  # of which the claim says that they stand there
        self.known: dict[str, int] = {}  # input, by its name in the claim -> its axes
        for op in self.code.ops:
            rank = self.ranks.known.get(Value(op.path))
            if op.kind.name == "input" and rank is not None:
                self.known[self.names.get(op.path, f"code {op.path}")] = rank
        every = [op.path for op in self.claim.ops if op.kind.name == "input"]
        every += [self.names.get(op.path, f"code {op.path}") for op in self.code.ops if op.kind.name == "input"]
        self.unknown = any(name not in self.known for name in every)

    def agree(self, rank: int) -> bool | None:
        """Whether the two are one where inputs have as many axes; None where the code does not run at all then, or its
        tensors are too large."""
        found: bool | None = None
        for kept in (True, False):  # a claim does not say whether axes that are added up stay
            sizes = Sizes()
            try:
                code = self._side(self.code, sizes, rank, self.ranks.kept, self.names)
            except _OPEN:
                return None
            try:
                claim = self._side(self.claim, sizes, rank, kept, {})
                found = self._equal(claim, code, sizes)
            except TooLargeError:
                return None
            except _OPEN:
                found = False
            if found:
                return True
        return found

    def _side(
        self, graph: OpGraph, sizes: Sizes, rank: int, kept: Mapping[str, bool] | bool, names: Mapping[str, str]
    ) -> _Side:
        side = _Side(graph, sizes, names, "code " if graph is self.code else "")
        for op in graph.ops:
            name = side.name(op)
            if op.kind.name == "input":
                count = self.known.get(name, rank)
                made = Made([sizes.letter(f"{name} {at}") for at in range(count)], drawn("input", name))
            else:
                stays = kept if isinstance(kept, bool) else kept.get(op.path)
                axis = op.attr("axis") if op.states("axis") else self.axes.get(op.path)
                frame = Frame(sizes, name, stays, axis, side.shapes)
                rule = RULES.get(op.kind.name) if op.kind.name not in self.acting else None
                if rule is None or any(read.index for read in op.reads):
                    raise NoShapeError(f"{op.kind.name} has no meaning on tensors")
                made = rule(frame, op, [side.shapes[read] for read in op.reads])
            side.shapes[Value(op.path)] = made.shape
            side.made[op.path] = made
        return side

    def _equal(self, claim: _Side, code: _Side, sizes: Sizes) -> bool:
        """Whether both give the same in each draw, and that is no chance."""
        numbers = sizes.numbers()
        chance = 1.0
        for seed in seeds(self.claim, self.code, DRAWS):
            world = World(seed)
            stated, found = claim.run(world, numbers), code.run(world, numbers)
            degree = 0
            for one, other in zip(stated, found, strict=True):
                one, other = one.plain(), other.plain()  # noqa: PLW2901
                if one.shape != other.shape:
                    return False
                for left, right in zip(one.entries, other.entries, strict=True):
                    if left.value != right.value:
                        return False
                    degree = max(degree, left.degree + right.degree)
            chance *= world.chance(degree)
        return chance < 2.0**-ERROR_BITS


@dataclass
class _Side:
    graph: OpGraph
    sizes: Sizes
    names: Mapping[str, str]
    prefix: str
    shapes: dict[Value, list[Size]] = field(default_factory=dict)
    made: dict[str, Made] = field(default_factory=dict)

    def name(self, op: Op) -> str:
        """What an op that is learned is known by on both sides."""
        return self.names.get(op.path, f"{self.prefix}{op.path}")

    def run(self, world: World, numbers: Callable[[Size], int]) -> list[Tensor]:
        """What the graph gives."""
        found: dict[Value, Tensor] = {}
        entries = 0
        for op in self.graph.ops:
            made = self.made[op.path]
            shape = tuple(map(numbers, made.shape))
            entries += math.prod(shape)
            if entries > MOST_ENTRIES:
                raise TooLargeError
            found[Value(op.path)] = made.compute(world, [found[read] for read in op.reads], shape)
        return [found[value] for value in self.graph.results]
