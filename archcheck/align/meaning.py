"""Random interpretation: do two graphs that differ in structure compute the same function?

Both are evaluated at random points of a prime field. Sums, products and quotients stand for themselves. Everything
else stands for a random function of what it reads, that of the claim's op where one of the code fulfils it and reads
the same values: which weights are which is not known beforehand, and any way to name them will do, if none gets two
names. Equal results mean equal up to algebra, whatever those functions are: terms commuted, regrouped, factored out
(Gulwani and Necula 2003). A tensor is one number here, so nothing is told of an op that moves or joins entries: such
ops, like all that have an axis, are functions that only agree with their like.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from itertools import chain, islice, permutations, product

from archcheck.align.agree import DEFAULT_FREE, SOURCES, attributes, free_kinds, opens
from archcheck.align.edits import Alignment
from archcheck.align.field import Element, NoValueError
from archcheck.align.interpretation import World, arithmetic
from archcheck.ir.equivalences import ERROR_BITS
from archcheck.ir.graph import AttrValue, Op, OpGraph, Unknown, Value
from archcheck.ir.ops import FAMILIES
from archcheck.ir.ranks import RANK

DRAWS = 2
MOST_OPS = 20_000
MOST_NAMES = 64  # ways to name what is learned that are tried, beside the alignment's and that of the order

_Values = tuple[int, ...]
_Outputs = Callable[[int], Element]


def same_function(expected: OpGraph, actual: OpGraph, alignment: Alignment, *, closed: Collection[str] = ()) -> bool:
    """Whether both compute one function, up to algebra and to what a claim leaves open of each op.

    Args:
        expected: a claim.
        actual: the code that was aligned with it.
        alignment: of the two; it tells which inputs are the same, and which ops are tried first.
        closed: kinds and families that the code may not have unstated, as for `align`.
    """
    if len(expected.results) != len(actual.results) or max(len(expected), len(actual)) > MOST_OPS:
        return False
    free = free_kinds([op.kind for op in expected.walk()], DEFAULT_FREE, closed) - SOURCES
    twins = {other.path: one for one, other in alignment.pairs} | inputs_of(expected, actual, alignment)
    worlds = seeds(expected, actual, DRAWS)

    def drawn(draw: int, names: _Names) -> _Drawn | None:
        world = World(worlds[draw])
        claim = _Claim(world)
        code = _Code(world, claim=claim, twins=names, free=free)
        try:
            return _Drawn(claim.read(expected), code.read(actual), code)
        except NoValueError:
            return None

    by_order = drawn(0, plain := {path: op for path, op in twins.items() if op.kind.name in SOURCES})
    others = _other_names(by_order.code, plain) if by_order is not None else ()
    called = _called(expected, actual)
    named = (called, {path: op for path, op in twins.items() if op.kind.name not in SOURCES} | called)
    for tried, names in enumerate(chain((twins, plain), named if called else (), others), 1):
        first = drawn(0, names)
        if first is not None and first.is_same:
            rest = [drawn(draw, names) for draw in range(1, DRAWS)]
            chances = [one.chance if one is not None and one.is_same else 1.0 for one in (first, *rest)]
            return tried * math.prod(chances) < 2.0**-ERROR_BITS
    return False


def seeds(expected: OpGraph, actual: OpGraph, draws: int) -> list[bytes]:
    """A seed for each draw, the same ones for the same two graphs."""
    seed = blake2b(repr((expected, actual)).encode()).digest()
    return [blake2b(bytes([draw]) + seed).digest()[:32] for draw in range(draws)]


_Names = dict[str, Op]  # path in the code -> the claim's op that it is taken for, where it may be


@dataclass
class _Drawn:
    """What both sides give at one point."""

    stated: list[Element]
    found: list[Element]
    code: _Code

    @property
    def is_same(self) -> bool:
        return [one.value for one in self.stated] == [one.value for one in self.found]

    @property
    def chance(self) -> float:
        """A bound on the chance that they are the same for different functions."""
        degrees = [one.degree + other.degree for one, other in zip(self.stated, self.found, strict=True)]
        return self.code.world.chance(max(degrees, default=0))


def _other_names(code: _Code, names: _Names) -> Iterator[_Names]:
    """Other ways to name what is learned, where several ops of a kind read the same: as many as are tried.

    Args:
        code: read with what is learned named in order.
        names: of the rest.
    """
    groups = [group for group in code.alike() if len(group[0]) > 1]
    orders = (permutations(stated) for stated, _ in groups)
    for order in islice(product(*orders), 1, MOST_NAMES):
        pairs = (zip(found, stated, strict=True) for (_, found), stated in zip(groups, order, strict=True))
        yield names | dict(chain.from_iterable(pairs))


def inputs_of(expected: OpGraph, actual: OpGraph, alignment: Alignment) -> dict[str, Op]:
    """The claim's inputs that those of the code are, where the alignment has none: by name, then by place."""
    paired = {op.path for pair in alignment.pairs for op in pair if op.kind.name == "input"}
    left, right = (
        [op for op in graph.ops if op.kind.name == "input" and op.path not in paired] for graph in (expected, actual)
    )
    names = {one.attr("name"): one for one in left}
    found = {other.path: names[name] for other in right if (name := other.attr("name")) in names}
    rest = [one for one in left if one not in found.values()]
    others = [other for other in right if other.path not in found]
    return found | {other.path: one for one, other in zip(rest, others, strict=False)}


def _called(expected: OpGraph, actual: OpGraph) -> dict[str, Op]:
    """The claim's inputs that those of the code are by their names; empty where one is called otherwise."""
    stated, found = ([op for op in graph.ops if op.kind.name == "input"] for graph in (expected, actual))
    names = {one.attr("name"): one for one in stated}
    if None in names or not len(names) == len(stated) == len(found) or {op.attr("name") for op in found} != set(names):
        return {}
    return {op.path: names[op.attr("name")] for op in found}


@dataclass
class _Reading(ABC):
    """One side, evaluated in one world."""

    world: World
    known: dict[str, _Outputs] = field(default_factory=dict)

    def read(self, graph: OpGraph) -> list[Element]:
        """What the graph gives."""
        self.run(graph.ops)
        return [self.value(result) for result in graph.results]

    def run(self, ops: Iterable[Op]) -> None:
        """Evaluate ops in order."""
        for op in ops:
            reads = [self.value(read) for read in op.reads]
            if op.kind.name == "residual" and op.body:
                self.run(op.body)
                self.known[op.path] = _single(reads[0] + self.value(op.results[0]))
            else:
                self.known[op.path] = self.outputs(op, reads)

    def value(self, value: Value) -> Element:
        """What an op has given."""
        return self.known[value.op](value.index)

    @abstractmethod
    def outputs(self, op: Op, reads: list[Element]) -> _Outputs:
        """What an op gives that is no residual."""

    def within(self, op: Op) -> _Outputs:
        """What the body of an op gives."""
        self.run(op.body)
        inside = [self.value(result) for result in op.results]

        def output(index: int) -> Element:
            if index >= len(inside):
                raise NoValueError("a body gives less than is read")
            return inside[index]

        return output

    def round(self, op: Op, key: object) -> list[Element]:
        """What one round of a repeat gives when it is given random values."""
        results = op.results
        carried = [read.op for read in op.reads[: len(results)]]
        outside = {path: self.known[path] for path in carried}
        for place, path in enumerate(carried):
            self.known[path] = _single(self.world.number("carried", key, place))
        self.run(op.body)
        inside = [self.value(result) for result in results]
        self.known.update(outside)
        return inside

    def function(self, key: object, reads: Sequence[Element]) -> _Outputs:
        """A random function."""
        return lambda output: self.world.function(key, reads, output)


def _single(value: Element) -> _Outputs:
    def output(index: int) -> Element:
        if index:
            raise NoValueError("an op gives less than is read")
        return value

    return output


def _asked(op: Op, reads: Iterable[Element]) -> _Values:
    """What an op reads, in an order that says what it computes."""
    values = tuple(one.value for one in reads)
    return tuple(sorted(values)) if op.kind.commutes else values


@dataclass
class _Claim(_Reading):
    """A claim. Ops that are functions of their own wait for those of the code that fulfil them."""

    waiting: dict[_Values, list[Op]] = field(default_factory=dict)  # what is read -> ops, in order
    rounds: dict[str, list[Element]] = field(default_factory=dict)  # what one round gives, by the repeat's path

    def outputs(self, op: Op, reads: list[Element]) -> _Outputs:
        """As it is stated."""
        if op.kind.name == "repeat" and op.body:
            self.rounds[op.path] = self.round(op, op.path)
            self.waiting.setdefault(_asked(op, reads), []).append(op)
            return self.function(op.path, reads)
        if opens(op.kind) and op.body:
            if any(one.name not in _DERIVED for one in op.attrs):
                raise NoValueError("what is stated of a sublayer is no part of what its body computes")
            return self.within(op)
        if (found := arithmetic(self.world, op, reads)) is not None:
            return _single(found)
        self.waiting.setdefault(_asked(op, reads), []).append(op)
        return self.function(meaning(op) or op.path, _in_order(op, reads))


@dataclass
class _Code(_Reading):
    """Code that is read as a claim."""

    claim: _Claim = field(kw_only=True)
    twins: dict[str, Op] = field(kw_only=True)  # path in the code -> the claim's op
    free: frozenset[str] = field(kw_only=True)
    taken: set[str] = field(default_factory=set)  # paths in the claim
    named: dict[tuple[_Values, str], list[str]] = field(default_factory=dict)  # what is read, kind -> paths in the code

    def alike(self) -> Iterator[tuple[list[Op], list[str]]]:
        """Ops of the claim that are learned and read the same, with those of the code that may be either."""
        for (asked, kind), found in self.named.items():
            stated = [op for op in self.claim.waiting[asked] if op.kind.name == kind]
            if len(stated) == len(found):
                yield stated, found

    def outputs(self, op: Op, reads: list[Element]) -> _Outputs:
        """What the claim's op gives that it fulfils, or what it does by itself."""
        if (stated := self._fulfilled(op, reads)) is not None:
            return self.claim.known[stated.path]
        if (found := arithmetic(self.world, self._rounded(op), reads)) is not None:
            return _single(found)
        if op.kind.name in self.free and reads:
            return _single(reads[0])
        if (key := meaning(op)) is not None:
            return self.function(key, _in_order(op, reads))
        if op.body and op.kind.name != "repeat":
            return self.within(op)
        return self.function(("code", op.path), reads)

    def _fulfilled(self, op: Op, reads: list[Element]) -> Op | None:
        """The op of the claim that this one is: its twin, if that reads the same, or else the first that does."""
        candidates = [one for one in self.claim.waiting.get(_asked(op, reads), ()) if self._is_met(one, op)]
        twin = self.twins.get(op.path)
        found = twin if twin in candidates else None
        if found is None and op.kind.name not in _BY_ROLE:
            found = next(iter(candidates), None)
        if (
            found is not None and meaning(found) is None and op.kind.name not in _BY_ROLE
        ):  # what is learned or drawn is that of one op
            self.taken.add(found.path)
            self.named.setdefault((_asked(op, reads), found.kind.name), []).append(op.path)
        return found

    def _rounded(self, op: Op) -> Op:
        """With the claim's constants, where those of the code are the same but for their last digits."""
        twin = self.twins.get(op.path)
        agrees = twin is not None and twin.kind is op.kind and not any(True for _ in attributes(twin, op))
        return replace(op, attrs=twin.attrs) if twin is not None and agrees and len(twin.attrs) == len(op.attrs) else op

    def _is_met(self, stated: Op, op: Op) -> bool:
        if stated.path in self.taken or not stated.kind.covers(op.kind):
            return False
        if any(True for _ in attributes(stated, op)):
            return False
        if op.kind.name != "repeat":
            return True
        one, other = self.claim.rounds[stated.path], self.round(op, stated.path) if op.body else []
        return [value.value for value in one] == [value.value for value in other]


def _in_order(op: Op, reads: list[Element]) -> list[Element]:
    return sorted(reads, key=lambda one: one.value) if op.kind.commutes else reads


_BY_ROLE = frozenset({"input", "constant"})  # that nothing but their place in the whole tells apart
_DERIVED = frozenset({"activation", "gated"})  # of a sublayer: the canonical form tells them from its body


# Kinds whose function their attributes say, when all are known: nothing in them is learned or drawn.
_TOLD = frozenset(
    {
        "sqrt", "log", "abs", "erf", "sin", "cos", "clamp", "maximum", "minimum", "elementwise", "sign", "round",
        "matmul", "outer", "sum", "mean", "var", "std", "vector_norm", "reduce_max", "reduce_min", "prod", "logsumexp",
        "cumsum", "concat", "stack", "reshape", "permute", "select", "compare", "logical", "where", "masked_fill",
        "softmax", "log_softmax", "glu",
    }
    | {one.name for one in FAMILIES["activation"] if one.name not in ("activation", "prelu", "rrelu")}
)  # fmt: skip


def meaning(op: Op) -> tuple[object, ...] | None:
    """What names the function of an op by itself; None where weights, chance or something unknown decide."""
    if op.kind.name not in _TOLD or any(_is_unknown(one.value) for one in op.attrs):
        return None
    return op.kind.name, tuple((one.name, repr(one.value)) for one in op.attrs if one.name != RANK)


def _is_unknown(value: AttrValue) -> bool:
    if isinstance(value, tuple):
        return any(_is_unknown(one) for one in value)
    return isinstance(value, Unknown)


__all__ = ["inputs_of", "meaning", "same_function", "seeds"]
