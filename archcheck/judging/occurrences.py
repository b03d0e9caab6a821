"""Where the code computes an equation that no user has bound to a part of it.

An equation speaks of a few values among all that a model computes. Its ops are looked for along the data flow, from
what it gives back to what it reads, whatever sublayers and layers the code has around them: an op in the place of
another, one too many and one too few cost 1 each, as in the distance of two trees (Zhang and Shasha 1989), so that a
place where the code nearly computes it is found as well. What lies between the ends of such a place is then held
against the equation as a graph of its own. Where more than one place is meant, nothing is taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import permutations

from archcheck.align.agree import DEFAULT_FREE, SOURCES, compatible, free_kinds
from archcheck.ir.graph import Op, OpGraph, Value, attrs
from archcheck.ir.ops import kind
from archcheck.ir.verify import free_values
from archcheck.judging.emptied import is_zeros
from archcheck.passes import canonicalise
from archcheck.passes.write_out import written_out

INPUT = kind("input")
EXACT = 0.0
ATTRIBUTE = 0.5  # what an attribute that differs costs
EXCHANGED = 1.01  # what an op in the place of another costs: a bit more than one too many, where either may be told
NEAR = 0.4  # of the ops of an equation: what may cost as much is looked at
SMALLEST = 3  # ops; of fewer, two that are alike are no sign that the equation is meant
MOST_OPS = 20_000
MOST_SKIPPED = 2  # ops of the code in a row that an equation does not have
MOST_BETWEEN = 4  # ops between two values that stand for one input
MOST_ORDERED = 4  # operands of which all orders are tried
MOST_SHOWN = 3
MOST_BESIDE = 2  # ops of a part beside twice those of the equation that it is about


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A place where the code computes an equation, or nearly does."""

    cost: float
    root: Op
    alike: int  # ops of the equation in the place of which one of their kind stands
    ops: frozenset[str]  # paths of the ops that stand for one of the equation
    ends: Mapping[Value, str]  # what stands for its inputs -> the input's name


@dataclass(frozen=True, slots=True)
class Search:
    """What was found: the places that an equation is about, or why that is not known."""

    graphs: tuple[OpGraph, ...] = ()
    exact: bool = False
    why: str = ""
    about: tuple[Op, ...] = ()  # what `why` speaks of


def search(equation: OpGraph, code: OpGraph, others: Sequence[Occurrence] = ()) -> Search:
    """The places of `code` that `equation` is about, each as a graph of its own in canonical form.

    Args:
        equation: in canonical form.
        code: in canonical form too.
        others: where the paper's other equations are computed, or nearly: a place that one of them fits better is none
            of this one.
    """
    claim, flat = written_out(equation), written_out(code)
    size = sum(op.kind.name not in SOURCES for op in claim.ops)
    exact, near = _exact_and_near(claim, flat)
    near = [place for place in near if not _explained(place, others, strictly=not exact)]
    if exact and near:
        return Search(why="it is computed at one place, and nearly at another", about=_roots(exact[:1], near))
    exact = _without_first_rounds(exact, flat)
    if exact:
        behind = _behind(flat, exact)
        if len(exact) == 1 and behind and is_most(equation, code):
            return Search(why="it is computed, and more is done with it before it comes out", about=behind[:1])
        return Search(tuple(_graph(flat, place) for place in exact), exact=True)
    if not near or size < SMALLEST:
        return Search()
    close = [place for place in near if place.cost < near[0].cost + 1]
    if len({place.root.span for place in close}) > 1 or close[0].cost != close[-1].cost:
        return Search(why="it is nearly computed at more than one place", about=_roots(near))
    graphs = tuple(_graph(flat, place) for place in close)  # one line of code, which several layers share
    return Search(graphs, about=(close[0].root,))


def places(equation: OpGraph, code: OpGraph) -> tuple[Occurrence, ...]:
    """Where `code` computes `equation`, or nearly."""
    exact, near = _exact_and_near(written_out(equation), written_out(code))
    return (*exact, *near)


def _exact_and_near(claim: OpGraph, code: OpGraph) -> tuple[list[Occurrence], list[Occurrence]]:
    """The places, of which none shares an op with another, that cost nothing and those that cost little; from the
    cheapest."""
    size = sum(op.kind.name not in SOURCES for op in claim.ops)
    if size < 2 or len(claim.results) != 1 or len(code.ops) > MOST_OPS:
        return [], []
    found = list(_apart(_Matching(claim, code).occurrences()))
    exact = [place for place in found if place.cost == EXACT]
    return exact, [place for place in found if EXACT < place.cost <= max(EXCHANGED, NEAR * size + EXCHANGED - 1)]


def _explained(place: Occurrence, others: Sequence[Occurrence], strictly: bool) -> bool:
    """Whether most of a place is what other equations state, or nearly: at less cost than this one, or at the same by
    more ops.

    Args:
        strictly: whether another one that fits as well does not count: it does where this one is computed elsewhere.
    """
    own = (place.cost, -len(place.ops))
    explained: set[str] = set()
    for other in others:
        cost = (other.cost, -len(other.ops))
        if cost < own or (cost == own and not strictly):
            explained |= other.ops & place.ops
    return 2 * len(explained) > len(place.ops)


def is_most(equation: OpGraph, code: OpGraph) -> bool:
    """Whether at least half of the ops of `code` are as many as those of `equation`."""
    stated, found = (sum(map(_counts, written_out(graph).ops)) for graph in (equation, code))
    return 2 * stated >= found


def covers_most(equation: OpGraph, code: OpGraph) -> bool:
    """Whether `code` is about as large as `equation`, and has at least half of its ops: whether it may be what the
    equation is about as a whole."""
    stated, found = (Counter(op.kind for op in written_out(graph).ops if _counts(op)) for graph in (equation, code))
    shared = sum(min(count, sum(found[other] for other in found if one.covers(other))) for one, count in stated.items())
    return 2 * shared >= stated.total() > 0 and found.total() <= 2 * stated.total() + MOST_BESIDE


def _roots(*places: Sequence[Occurrence]) -> tuple[Op, ...]:
    return tuple(place.root for group in places for place in group)[:MOST_SHOWN]


def _without_first_rounds(places: list[Occurrence], code: OpGraph) -> list[Occurrence]:
    """Of one line of code that is run several times, first with a state of zeros: the later ones."""
    zeros = {op.path for op in code.ops if is_zeros(op)}
    later = {place.root.span for place in places if not any(value.op in zeros for value in place.ends)}
    return [
        place for place in places if place.root.span not in later or not any(value.op in zeros for value in place.ends)
    ]


# ---- the distance


@dataclass(frozen=True, slots=True)
class _Found:
    """The cheapest way to take a value of the code for one of the equation."""

    cost: float
    pairs: tuple[tuple[str, Value], ...] = ()  # op of the equation -> value of the code, of this step alone
    parts: tuple[_Found, ...] = ()

    def every(self) -> Iterator[tuple[str, Value]]:
        waiting = [self]
        while waiting:
            found = waiting.pop()
            yield from found.pairs
            waiting += found.parts


@dataclass
class _Matching:
    claim: OpGraph
    code: OpGraph
    known: dict[tuple[Value, Value, int], _Found] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.stated = {op.path: op for op in self.claim.ops}
        self.ops = {op.path: op for op in self.code.ops}
        self.free = free_kinds([op.kind for op in self.claim.ops], DEFAULT_FREE, ()) - SOURCES
        self.sizes: dict[str, int] = {}
        for op in self.claim.ops:  # how many ops lead to each, itself among them
            self.sizes[op.path] = (op.kind.name not in SOURCES) + sum(self.sizes[read.op] for read in op.reads)

    def occurrences(self) -> list[Occurrence]:
        """Where the equation may end, from the cheapest."""
        found: list[Occurrence] = []
        for op in self.code.ops:
            if op.kind.name in SOURCES or op.kind.name in self.free:
                continue
            way = self.way(self.claim.results[0], Value(op.path), MOST_SKIPPED)
            pairs = list(way.every())
            ops = frozenset(value.op for path, value in pairs if self.stated[path].kind.name not in SOURCES)
            ends = {(path, self._plain(value)) for path, value in pairs if self.stated[path].kind is INPUT}
            cost = way.cost + len(ends) - len({path for path, _ in ends})  # one input is one value
            alike = sum(_covers(self.stated[path], self.ops[value.op]) for path, value in pairs)
            if op.path in ops:
                found.append(Occurrence(cost, op, alike, ops, self._each_one(ends)))
        return sorted(found, key=lambda one: (one.cost, -one.alike, -len(one.ops)))

    def _each_one(self, ends: set[tuple[str, Value]]) -> dict[Value, str]:
        """The values that stand for inputs with the inputs' names, if each stands for one, and else without names."""
        found = dict(self._first(ends))
        stated = sum(op.kind is INPUT for op in self.claim.ops)
        return found if len(found) == len(set(found.values())) == stated else dict.fromkeys(found, "")

    def _first(self, ends: set[tuple[str, Value]]) -> Iterator[tuple[Value, str]]:
        """The values that stand for inputs, with their names, but those that are made of another one that does."""
        for path, value in ends:
            others = {other for name, other in ends if name == path} - {value}
            behind, layer = set[Value](), {value}
            for _ in range(MOST_BETWEEN if others else 0):
                layer = {read for one in layer for read in self.ops[one.op].reads}
                behind |= layer
            if not behind & others:
                yield value, str(self.stated[path].attr("name"))

    def _plain(self, value: Value) -> Value:
        """A value behind ops that an equation does not write down."""
        while self.ops[value.op].kind.name in self.free and self.ops[value.op].reads:
            value = self.ops[value.op].reads[0]
        return value

    def way(self, stated: Value, value: Value, skipped: int = 0) -> _Found:
        """The cheapest way to take `value` for what the equation states, behind as many ops that it does not have."""
        key = (stated, value, skipped)
        known = self.known.get(key)
        if known is None:
            known = self.known[key] = min(self._ways(stated, value, skipped), key=lambda found: found.cost)
        return known

    def _ways(self, stated: Value, value: Value, skipped: int) -> Iterator[_Found]:
        op, other = self.stated[stated.op], self.ops[value.op]
        if op.kind is INPUT:
            yield _Found(EXACT, ((op.path, value),))
            return
        if not op.reads:
            same = op.kind is other.kind and compatible(op, other)
            yield _Found(EXACT if same else ATTRIBUTE if other.kind.name in SOURCES else 1.0, ((op.path, value),))
            return
        if other.kind.name in self.free and other.reads:
            yield self.way(stated, other.reads[0], skipped)
        if other.reads and stated.index == value.index:
            yield self._same(op, other, value)
        if op.kind.name == "sum" and other.kind.name in ("matmul", "einsum") and len(other.reads) == 2:
            yield self._product(op, other, value)
        if skipped < MOST_SKIPPED:
            for read in other.reads:
                behind = self.way(stated, read, skipped + 1)
                yield _Found(behind.cost + 1, (), (behind,))
        for read in op.reads:
            if self.stated[read.op].reads:
                ahead = self.way(read, value, MOST_SKIPPED)
                yield _Found(ahead.cost + 1 + self._left(op, read), (), (ahead,))
        yield _Found(float(self.sizes[op.path]))

    def _left(self, op: Op, kept: Value) -> int:
        """How many ops an equation loses with all that `op` reads but `kept`."""
        return sum(self.sizes[read.op] for read in op.reads) - self.sizes[kept.op]

    def _product(self, op: Op, other: Op, value: Value) -> _Found:
        """A product of matrices in the place of a sum of products."""
        of = self.stated[op.reads[0].op]
        if of.kind.name != "mul" or len(of.reads) != 2:
            return _Found(float(self.sizes[op.path]))
        ways = []
        for order in permutations(other.reads):
            parts = tuple(self.way(*pair) for pair in zip(of.reads, order, strict=True))
            cost = ATTRIBUTE + sum(part.cost for part in parts)
            ways.append(_Found(cost, ((op.path, value), (of.path, value)), parts))
        return min(ways, key=lambda way: way.cost)

    def _same(self, op: Op, other: Op, value: Value) -> _Found:
        """The op of the code in the place of the equation's."""
        here = (EXACT if compatible(op, other) else ATTRIBUTE) if _covers(op, other) else EXCHANGED
        stated, found = op.reads, other.reads
        orders: Iterator[tuple[Value, ...]] = iter((found,))
        if op.kind.commutes and other.kind.commutes and len(found) <= MOST_ORDERED:
            orders = permutations(found)
        ways = []
        for order in orders:
            parts = tuple(self.way(*pair) for pair in zip(stated, order, strict=False))
            lost = sum(self.sizes[read.op] for read in stated[len(order) :])
            more = sum(self.ops[read.op].kind.name not in SOURCES for read in order[len(stated) :])
            ways.append(_Found(here + sum(part.cost for part in parts) + lost + more, ((op.path, value),), parts))
        return min(ways, key=lambda way: way.cost)


def _covers(op: Op, other: Op) -> bool:
    if op.kind.name == "function":
        return other.kind is op.kind and other.attr("name") == op.attr("name")
    return op.kind.covers(other.kind)


# ---- the places


def _apart(found: Sequence[Occurrence]) -> Iterator[Occurrence]:
    """Those of which none shares an op with a cheaper one."""
    taken: set[str] = set()
    for place in found:
        if not place.ops & taken:
            yield place
        taken |= place.ops


def _counts(op: Op) -> bool:
    return op.kind.name not in DEFAULT_FREE


def _behind(graph: OpGraph, places: Sequence[Occurrence]) -> tuple[Op, ...]:
    """The ops that are made of what the equation gives, and of which what the code gives is made."""
    ahead = {place.root.path for place in places}
    for op in graph.ops:
        if any(read.op in ahead for read in op.reads):
            ahead.add(op.path)
    needed = {value.op for value in graph.results}
    for op in reversed(graph.ops):
        if op.path in needed:
            needed |= {read.op for read in op.reads}
    own = {place.root.path for place in places}
    return tuple(op for op in graph.ops if op.path in ahead & needed - own and _counts(op))


def _graph(graph: OpGraph, place: Occurrence) -> OpGraph:
    """What lies between the ends of a place: the ops that lead to its last one, from those that stand for others."""
    ops = {op.path: op for op in graph.ops}
    ends = place.ends
    inside = {place.root.path}
    waiting = [place.root]
    leads: dict[str, bool] = {}

    def led(path: str) -> bool:
        """Whether an op of the equation leads to this one."""
        stack = [path]
        while stack:
            top = stack[-1]
            if top in leads:
                stack.pop()
                continue
            if top in place.ops:
                leads[top] = True
                continue
            left = [read.op for read in ops[top].reads if read.op not in leads and read not in ends]
            if left:
                stack += left
                continue
            leads[top] = any(read in ends or leads.get(read.op, False) for read in ops[top].reads)
        return leads[path]

    while waiting:
        for read in waiting.pop().reads:
            if read.op in inside or (read in ends and read.op not in place.ops):
                continue
            source = ops[read.op].kind.name in SOURCES and ops[read.op].kind is not INPUT
            if source or led(read.op):
                inside.add(read.op)
                waiting.append(ops[read.op])
    kept = tuple(op for op in graph.ops if op.path in inside)
    results = (Value(place.root.path),)
    inputs: dict[str, Op] = {}
    for value in free_values(kept, results):
        known = ops[value.op]
        if known.kind is not INPUT and not is_zeros(known):  # that these are no input is told later
            known = Op(value.op, INPUT)
        name = ends.get(value)
        if place.cost == EXACT and name and known.kind is INPUT:
            known = replace(known, attrs=attrs(name=name))  # which input it is has been found: nothing has to guess
        inputs.setdefault(value.op, known)
    return canonicalise(OpGraph((*inputs.values(), *kept), results, graph.origin))
