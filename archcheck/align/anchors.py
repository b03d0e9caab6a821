"""Which op of the code is which op of the claim: scope by scope, anchors first, then what stands around them."""

from __future__ import annotations

from dataclasses import dataclass, field

from archcheck.align.agree import compatible
from archcheck.align.flat import TOP, Numbers, Side
from archcheck.align.sequence import Run, common, heaviest
from archcheck.ir.ops import BY_NAME, OpKind, Tier

_MARGIN = 2  # matched ops on each side of a gap that are matched anew together with it
_MOST_CELLS = 4096  # of a gap's table; a wider gap keeps what its longest common subsequence matched
_WIDEST = 48  # ops of a region of gaps that lie close together
_ROUNDS = 4  # how many levels of bodies may be laid out in one scope

Pairs = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class _Plan:
    """How two scopes match, in places of their orders, so that it serves all scopes of equal content."""

    opened: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]  # round by round: bodies laid out, in each order
    pairs: tuple[tuple[int, int], ...]


@dataclass
class Matcher:
    """Matches two arranged sides; `to` and `back` hold the result, -1 where an op has no counterpart.

    Layers that repeat are worked out once: plans of scopes, windows of sequences and gaps are kept in dictionaries
    that both sides share, keyed by content, so that the time grows with the number of *distinct* differences.
    """

    expected: Side
    actual: Side
    free: frozenset[int]  # classes of the code that the claim leaves open
    numbers: Numbers
    to: list[int] = field(init=False)
    back: list[int] = field(init=False)
    _plans: dict[tuple[int, int], _Plan] = field(default_factory=dict)
    _windows: dict[object, list[Run]] = field(default_factory=dict)
    _gaps: dict[object, Pairs] = field(default_factory=dict)
    _labels: tuple[dict[int, int], dict[int, int]] = field(default_factory=lambda: ({}, {}))
    _gains: dict[tuple[int, int], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.to = [-1] * len(self.expected)
        self.back = [-1] * len(self.actual)
        self._weights: dict[int, float] = {}
        self._add = self.numbers((BY_NAME["add"], None))
        self._holds = {self.numbers((BY_NAME["residual"], None))}

    def run(self) -> None:
        """Match all scopes, from the outside in, then grow what was matched along the wiring."""
        waiting: Pairs = [(TOP, TOP)]
        while waiting:
            for one, other in self._match(*waiting.pop()):
                if self.looks_inside(one, other):
                    waiting.append((one, other))
        self._grow()

    def looks_inside(self, one: int, other: int) -> bool:
        """Whether the bodies of two matched ops are compared: both have one, and they are of one class."""
        return (
            one in self.expected.inside
            and other in self.actual.inside
            and one not in self.expected.dissolved
            and other not in self.actual.dissolved
            and self.expected.classes[one] == self.actual.classes[other]
        )

    def join(self, one: int, other: int) -> None:
        """Make two ops counterparts."""
        self.to[one] = other
        self.back[other] = one

    def part(self, one: int) -> None:
        """Make two ops counterparts no more."""
        self.back[self.to[one]] = -1
        self.to[one] = -1

    # ---- scopes

    def _match(self, one: int, other: int) -> Pairs:
        left = self.expected.order[one]
        right = [node for node in self.actual.order[other] if self.actual.classes[node] not in self.free]
        if one != TOP and self.expected.content[one] == self.actual.content[other] and len(left) == len(right):
            pairs = list(zip(left, right, strict=True))
        else:
            key = None if one == TOP else (self.expected.content[one], self.actual.content[other])
            plan = self._plans.get(key) if key else None
            if plan is None:
                plan = self._plan(left, right)
                if key:
                    self._plans[key] = plan
            for opened, opened_too in plan.opened:
                left = _open(self.expected, left, opened, frozenset(), mark=True)
                right = _open(self.actual, right, opened_too, self.free, mark=True)
            pairs = [(left[i], right[j]) for i, j in plan.pairs]
        for i, j in pairs:
            self.to[i] = j
            self.back[j] = i
        return pairs

    def _plan(self, left: list[int], right: list[int]) -> _Plan:
        """Match two orders; where that leaves a body and loose ops over, try again with the body laid out."""
        pairs, bare = self._align(left, right, (set(), set())), (set[int](), set[int]())
        rounds: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
        for _ in range(_ROUNDS):
            places = (
                self._worth_opening(self.expected, left, {i for i, _ in pairs}, bare[0]),
                self._worth_opening(self.actual, right, {j for _, j in pairs}, bare[1]),
            )
            better = self._opened(left, right, bare, places, self._cost(left, right, pairs, bare))
            if better is None:
                break
            places, left, right, pairs, bare = better
            rounds.append(places)
        return _Plan(tuple(rounds), tuple(pairs))

    def _opened(
        self,
        left: list[int],
        right: list[int],
        bare: tuple[set[int], set[int]],
        places: tuple[tuple[int, ...], tuple[int, ...]],
        cost: float,
    ) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], list[int], list[int], Pairs, tuple[set[int], set[int]]] | None:
        while places[0] or places[1]:
            wide = (
                _open(self.expected, left, places[0], frozenset()),
                _open(self.actual, right, places[1], self.free),
            )
            now_bare = (
                bare[0] | {left[place] for place in places[0]},
                bare[1] | {right[place] for place in places[1]},
            )
            pairs = self._align(*wide, now_bare)
            matched = ({wide[0][i] for i, _ in pairs}, {wide[1][j] for _, j in pairs})
            useful = (
                tuple(p for p in places[0] if self._half(self.expected, left[p], matched[0], frozenset())),
                tuple(p for p in places[1] if self._half(self.actual, right[p], matched[1], self.free)),
            )
            if useful == places:
                better = self._cost(*wide, pairs, now_bare) < cost
                return (places, *wide, pairs, now_bare) if better else None
            places = useful
        return None

    def _worth_opening(self, side: Side, order: list[int], matched: set[int], bare: set[int]) -> tuple[int, ...]:
        return tuple(
            place
            for place, node in enumerate(order)
            if place not in matched and node in side.inside and node not in bare
        )

    def _half(self, side: Side, node: int, matched: set[int], free: frozenset[int]) -> bool:
        """Whether at least half of what the body of `node` holds was matched."""
        held = [inner for inner in side.order[node] if side.classes[inner] not in free]
        return 2 * sum(1 for inner in held if inner in matched) >= len(held) > 0

    def _cost(self, left: list[int], right: list[int], pairs: Pairs, bare: tuple[set[int], set[int]]) -> int:
        cost = 0
        matched = ({i for i, _ in pairs}, {j for _, j in pairs})
        for side, order, done, open_here in zip(
            (self.expected, self.actual), (left, right), matched, bare, strict=True
        ):
            for place, node in enumerate(order):
                if place not in done:
                    cost += 1
                    if node not in open_here:
                        cost += sum(1 for inner in side.below(node) if side.classes[inner] not in self.free)
        return cost

    # ---- sequences and gaps

    def _align(self, left: list[int], right: list[int], bare: tuple[set[int], set[int]]) -> Pairs:
        """Match two orders. The result holds places of the two, ascending."""
        first = self._tokens(self.expected, left, bare[0])
        second = self._tokens(self.actual, right, bare[1])
        runs = common(first, second, self._windows)
        if len(runs) == 1 and runs[0][2] == len(first) == len(second):
            return [(place, place) for place in range(len(first))]
        pairs: Pairs = []
        for (begin, begin_too), (end, end_too), kept in _regions(runs, len(first), len(second)):
            if kept:
                pairs.extend(zip(range(begin, end), range(begin_too, end_too), strict=True))
            else:
                pairs.extend(self._gap(left, right, first, second, (begin, end), (begin_too, end_too)))
        return pairs

    def _tokens(self, side: Side, order: list[int], bare: set[int]) -> list[int]:
        token = side.token
        if not bare:
            return [token[node] for node in order]
        return [
            (self._add if side.classes[node] in self._holds else side.classes[node]) if node in bare else token[node]
            for node in order
        ]

    def _gap(
        self,
        left: list[int],
        right: list[int],
        first: list[int],
        second: list[int],
        rows: tuple[int, int],
        columns: tuple[int, int],
    ) -> Pairs:
        begin, end = rows
        begin_too, end_too = columns
        if (end - begin) * (end_too - begin_too) > _MOST_CELLS:
            inner = common(first[begin:end], second[begin_too:end_too], self._windows)
            return [(begin + i + n, begin_too + j + n) for i, j, length in inner for n in range(length)]
        one = [self._label(0, left[i], first[i]) for i in range(begin, end)]
        other = [self._label(1, right[j], second[j]) for j in range(begin_too, end_too)]
        key = (tuple(one), tuple(other))
        pairs = self._gaps.get(key)
        if pairs is None:
            nodes = (left[begin:end], right[begin_too:end_too])
            pairs = self._gaps[key] = heaviest(
                len(one), len(other), lambda i, j: self._gain(one[i], other[j], nodes[0][i], nodes[1][j])
            )
        return [(begin + i, begin_too + j) for i, j in pairs]

    def _label(self, which: int, node: int, token: int) -> int:
        """An op with what it reads and its first reader: what a gap is matched by."""
        side = self.actual if which else self.expected
        labels = self._labels[which]
        own = token == side.token[node]
        label = labels.get(node) if own else None
        if label is None:
            tokens, user, reads = side.token, side.user[node], side.operands[node]
            use: object = -1
            if user >= 0 and node in side.operands[user]:
                use = (tokens[user], side.operands[user].index(node))
            key = (
                "label",
                token,
                side.classes[node],
                tuple([tokens[read] for read in reads]),
                use,
                side.ops[node].attrs,
            )
            label = self.numbers(key)
            if own:
                labels[node] = label
        return label

    def _gain(self, one: int, other: int, node: int, twin: int) -> float:
        gain = self._gains.get((one, other))
        if gain is None:
            gain = self._gains[one, other] = self._weigh(one, other, node, twin)
        return gain

    def _weigh(self, one: int, other: int, node: int, twin: int) -> float:
        """How much it is worth to match two ops: more for what a reader would take for granted to be the same."""
        expected, actual = self.numbers.keys[one], self.numbers.keys[other]
        assert isinstance(expected, tuple)
        assert isinstance(actual, tuple)
        _, token, class_number, operands, user, _ = expected
        _, other_token, other_class, other_operands, other_user, _ = actual
        op, other_op = self.expected.ops[node], self.actual.ops[twin]
        if token == other_token:
            gain = weight(op.kind)
        elif class_number == other_class and node in self.expected.inside and twin in self.actual.inside:
            core, other_core = set(self.expected.core[node]) - {-1}, set(self.actual.core[twin]) - {-1}
            shared = len(core & other_core) / max(1, len(core | other_core))
            return weight(op.kind) * (0.2 + 0.8 * shared)
        elif op.kind.family == "sublayer" == other_op.kind.family:
            return 1.0  # another sublayer in its place, or one that was not recognised
        else:
            return 0.0
        if operands == other_operands:
            gain += 0.35  # in doubt, the later of two is missing
        if user == other_user:
            gain += 0.25
        if not compatible(op, other_op):
            gain -= 0.4
        return gain

    # ---- along the wiring

    def _grow(self) -> None:
        """Match ops that stand in another order on the two sides, by what reads them and what they read."""
        waiting = [node for node, twin in enumerate(self.to) if twin < 0 and not self.expected.source[node]]
        waiting.reverse()
        while waiting:
            node = waiting.pop()
            if self.to[node] >= 0:
                continue
            twin = self._by_reader(node)
            if twin < 0:
                twin = self._by_operand(node)
            if twin >= 0:
                self.join(node, twin)
                waiting.extend(read for read in self.expected.operands[node] if self.to[read] < 0)
                user = self.expected.user[node]
                if user >= 0 and self.to[user] < 0:
                    waiting.append(user)

    def _by_reader(self, node: int) -> int:
        user = self.expected.user[node]
        if user < 0 or self.to[user] < 0:
            return -1
        reads, other_reads = self.expected.operands[user], self.actual.operands[self.to[user]]
        if node not in reads:
            return -1
        place = reads.index(node)
        if self.expected.ops[user].kind.commutes:
            found = [read for read in other_reads if self._could_match(node, read)]
            return found[0] if len(found) == 1 else -1
        if place < len(other_reads) and self._could_match(node, other_reads[place]):
            return other_reads[place]
        return -1

    def _by_operand(self, node: int) -> int:
        for place, read in enumerate(self.expected.operands[node]):
            twin = self.to[read]
            if twin < 0:
                continue
            user = self.actual.user[twin]
            if user >= 0 and self._could_match(node, user):
                reads = self.actual.operands[user]
                if place < len(reads) and reads[place] == twin:
                    return user
        return -1

    def _could_match(self, node: int, twin: int) -> bool:
        if self.back[twin] >= 0 or self.actual.source[twin] or self.expected.token[node] != self.actual.token[twin]:
            return False
        return self.same_home(node, twin) and not (node in self.expected.inside or twin in self.actual.inside)

    def same_home(self, node: int, twin: int) -> bool:
        """Whether two ops stand in scopes that were matched with each other."""
        home, other = self.expected.home(node), self.actual.home(twin)
        if TOP in (home, other):
            return home == other
        return self.to[home] == other and self.looks_inside(home, other)


def weight(kind: OpKind) -> float:
    """How unlikely it is that an op of `kind` was moved: sublayers and sums hold a block together, norms wander."""
    if kind.tier is Tier.STRUCTURE:
        return 6.0 if kind.family else 4.0
    if kind.family in ("linear", "conv", "embedding", "attention", "recurrent", "ssm", "moe"):
        return 3.0
    if kind.commutes or kind.name in ("matmul", "concat", "einsum", "where"):
        return 2.5
    if kind.family == "dropout" or kind.name in ("identity", "reshape", "permute", "expand"):
        return 1.0
    return 1.5


def _open(
    side: Side, order: list[int], places: tuple[int, ...], free: frozenset[int], *, mark: bool = False
) -> list[int]:
    """`order` with the bodies at `places` laid out before the ops that hold them."""
    if not places:
        return order
    chosen = set(places)
    wide: list[int] = []
    for place, node in enumerate(order):
        if place in chosen:
            wide.extend(inner for inner in side.order[node] if side.classes[inner] not in free)
            if mark:
                side.dissolved.add(node)
        wide.append(node)
    return wide


def _regions(runs: list[Run], rows: int, columns: int) -> list[tuple[tuple[int, int], tuple[int, int], bool]]:
    """Cut two sequences, as (begin, end, kept), into what stays matched and what is matched anew.

    The latter are the gaps between runs with a margin of matched ops on each side; gaps that lie close together are
    one region, up to a width at which its table would grow too large.
    """
    regions: list[tuple[tuple[int, int], tuple[int, int], bool]] = []
    begin = (0, 0)
    solid = _merged(runs)
    for number, (i, j, length) in enumerate(solid):
        before = number > 0 or (i, j) != (0, 0)
        after = number < len(solid) - 1 or (i + length, j + length) != (rows, columns)
        head, tail = _MARGIN * before, _MARGIN * after
        if head + tail >= length:
            if max(i + length - begin[0], j + length - begin[1]) < _WIDEST:
                continue
            head, tail = length - length // 2, length // 2
        if before:
            regions.append((begin, (i + head, j + head), False))
        begin = (i + length - tail, j + length - tail)
        if begin != (i + head, j + head):
            regions.append(((i + head, j + head), begin, True))
    if begin != (rows, columns):
        regions.append((begin, (rows, columns), False))
    return regions


def _merged(runs: list[Run]) -> list[Run]:
    solid: list[Run] = []
    for i, j, length in runs:
        if solid and (i, j) == (solid[-1][0] + solid[-1][2], solid[-1][1] + solid[-1][2]):
            solid[-1] = (*solid[-1][:2], solid[-1][2] + length)
        else:
            solid.append((i, j, length))
    return solid
