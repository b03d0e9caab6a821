"""Joint folding: layers that repeat in both graphs alike are left out before matching, and put back after it.

Folding each graph alone loses track as soon as one layer differs. Here the two are laid side by side first, by kinds
in program order, and what repeats is looked for in the *pairs*: a stretch in which the same ops of the claim stand
beside the same ops of the code, layer after layer, with the same attributes and the same wiring. Of such a stretch a
few layers are matched, and the others get what was found for one of them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field

from archcheck.align.agree import opens
from archcheck.align.sequence import Run, common
from archcheck.errors import GraphError
from archcheck.ir.graph import Op, OpGraph
from archcheck.ir.ops import OpKind

SMALLEST = 100  # ops outside of bodies, below which matching everything is as fast
_DEEP = 64  # levels of bodies told apart
_NEAR = 512  # ops; a value read from farther away is one that all layers share
_FRONT, _BACK = 3, 2  # layers kept before and behind those that are left out
_LEAST = 8  # layers that repeat, from which on some are left out
_CANDIDATES = 4  # periods tried at one place


@dataclass
class Survey:
    """One graph in program order, outer before inner, as tokens that are equal where a layer repeats."""

    ops: list[Op] = field(default_factory=list)
    coarse: list[int] = field(default_factory=list)  # kind and depth
    fine: list[int] = field(default_factory=list)  # with attributes, and operands as distances
    last: list[int] = field(default_factory=list)  # last reader of each op; -1: none

    def top(self, number: int) -> bool:
        """Whether an op stands in no body."""
        return self.coarse[number] % _DEEP == 0


@dataclass(frozen=True, slots=True)
class Stretch:
    """Layers left out on both sides; positions count ops in program order, (claim, code)."""

    start: tuple[int, int]
    layer: tuple[int, int]  # ops in a layer
    count: int  # layers left out

    def end(self, side: int) -> int:
        """The first op behind what is left out."""
        return self.start[side] + self.layer[side] * self.count


def survey(graph: OpGraph, fine_numbers: dict[Hashable, int], kinds: dict[OpKind, int]) -> Survey:
    """Tokens of `graph`; the dictionaries are shared by the two graphs that are compared.

    Raises:
        GraphError: an op reads a value that is not given before it.
    """
    try:
        return _survey(graph, fine_numbers, kinds)
    except KeyError as error:
        raise GraphError(f"the graph reads {error.args[0]}, which is not given before") from None


def _survey(graph: OpGraph, fine_numbers: dict[Hashable, int], kinds: dict[OpKind, int]) -> Survey:
    result = Survey()
    ops, last = result.ops, result.last
    add_op, add_coarse, add_fine, add_last = ops.append, result.coarse.append, result.fine.append, last.append
    at: dict[str, int] = {}
    number = -1
    frames: list[tuple[Iterator[Op], int]] = [(iter(graph.ops), -1)]
    while frames:
        body, holder = frames[-1]
        depth = min(len(frames) - 1, _DEEP - 1)
        for op in body:
            number += 1
            kind, reads, attrs = op.kind, op.reads, op.attrs
            token = kinds.get(kind)
            if token is None:
                token = kinds[kind] = len(kinds) * _DEEP
            token += depth
            if len(reads) == 1:
                value = reads[0]
                read = at[value.op]
                last[read] = number
                wiring: Hashable = number - read if number - read < _NEAR else -read
                if value.index:
                    wiring = (wiring, value.index)
            else:
                distances = []
                for value in reads:
                    read = at[value.op]
                    last[read] = number
                    distances.append(number - read if number - read < _NEAR else -read)
                    if value.index:
                        distances.append(~value.index << 32)
                wiring = tuple(distances)
            if not attrs:
                key: Hashable = (token, wiring)
            elif len(attrs) == 1:
                attr = attrs[0]
                key = (token, wiring, attr.name, attr.value)
            else:
                key = (token, wiring, *[(attr.name, attr.value) for attr in attrs])
            at[op.path] = number
            add_op(op)
            add_coarse(token)
            add_fine(fine_numbers.setdefault(key, len(fine_numbers)))
            add_last(-1)
            if op.body and opens(kind):
                frames.append((iter(op.body), number))
                break
        else:
            frames.pop()
            if holder >= 0:
                given = tuple([(at[value.op] - holder, value.index) for value in ops[holder].results])
                result.fine[holder] = fine_numbers.setdefault((result.fine[holder], given), len(fine_numbers))
    for value in graph.results:
        last[at[value.op]] = len(ops)
    return result


def repeated(one: Survey, other: Survey) -> list[Stretch]:
    """The layers that may be left out, in order."""
    columns, spans = _side_by_side(one, other, common(one.coarse, other.coarse))
    following = _next_alike(columns)
    stretches: list[Stretch] = []
    at = 0
    while at < len(columns):
        period, length = _period(columns, following, at)
        if not period:
            at += 1
            continue
        stretch = _cut(one, other, spans, at, period, length)
        if stretch:
            stretches.append(stretch)
        at += max(length - period, 1)
    return stretches


@dataclass(frozen=True, slots=True)
class _Spans:
    """Where columns stand in the two surveys: columns from `begins[n]` on go from `starts[n]` in steps."""

    begins: list[int]
    starts: list[tuple[int, int]]
    steps: list[tuple[int, int]]

    def place(self, column: int) -> tuple[int, int]:
        """How many ops of each survey come before `column`."""
        at = bisect_right(self.begins, column) - 1
        (one, other), (step, other_step) = self.starts[at], self.steps[at]
        ahead = column - self.begins[at]
        return one + ahead * step, other + ahead * other_step


def _side_by_side(one: Survey, other: Survey, runs: list[Run]) -> tuple[list[int], _Spans]:
    """Two surveys as columns, equal where the same stands beside the same; what one alone has is a column too."""
    columns: list[int] = []
    spans = _Spans([], [], [])
    fine, other_fine = one.fine, other.fine
    i = j = 0
    for begin, begin_too, length in [*runs, (len(fine), len(other_fine), 0)]:
        if i < begin:
            _begin(spans, len(columns), (i, j), (1, 0))
            columns.extend([-2 - 2 * token for token in fine[i:begin]])
        if j < begin_too:
            _begin(spans, len(columns), (begin, j), (0, 1))
            columns.extend([-3 - 2 * token for token in other_fine[j:begin_too]])
        i, j = begin + length, begin_too + length
        _begin(spans, len(columns), (begin, begin_too), (1, 1))
        columns.extend([a << 32 | b for a, b in zip(fine[begin:i], other_fine[begin_too:j], strict=True)])
    return columns, spans


def _begin(spans: _Spans, column: int, start: tuple[int, int], step: tuple[int, int]) -> None:
    spans.begins.append(column)
    spans.starts.append(start)
    spans.steps.append(step)


def _next_alike(columns: list[int]) -> list[int]:
    following = [0] * len(columns)
    seen: dict[int, int] = {}
    for at in range(len(columns) - 1, -1, -1):
        column = columns[at]
        following[at] = seen.get(column, 0)
        seen[column] = at
    return following


def _period(columns: list[int], following: list[int], at: int) -> tuple[int, int]:
    """The shortest period with which the columns from `at` on repeat often enough, and for how many columns."""
    then = following[at]
    for _ in range(_CANDIDATES):
        period = then - at
        if not then or at + _LEAST * period > len(columns):
            break
        if columns[at:then] == columns[then : then + period]:
            length = 2 * period
            while columns[at:then] == columns[at + length : at + length + period]:
                length += period
            if length >= _LEAST * period:
                return period, length
        then = following[then]
    return 0, 0


def _cut(one: Survey, other: Survey, spans: _Spans, at: int, period: int, length: int) -> Stretch | None:
    """Where the layers in the middle of a stretch of columns can be taken out of both graphs."""
    for shift in range(period):
        left, right = spans.place(at + shift)
        if left >= len(one.ops) or right >= len(other.ops) or not (one.top(left) and other.top(right)):
            continue
        count = (length - shift) // period
        left_end, right_end = spans.place(at + shift + period)
        layer = (left_end - left, right_end - right)
        if count < _LEAST or not all(layer):
            return None
        start = (left + _FRONT * layer[0], right + _FRONT * layer[1])
        stretch = Stretch(start, layer, count - _FRONT - _BACK)
        if _closed(one, stretch, 0) and _closed(other, stretch, 1):
            return stretch
        return None
    return None


def _closed(side: Survey, stretch: Stretch, which: int) -> bool:
    """Whether nothing but the two layers behind reads from what is left out."""
    start, end, layer = stretch.start[which], stretch.end(which), stretch.layer[which]
    reach = end - 2 * layer
    if reach < start:
        return False
    return max(side.last[start:reach], default=-1) < end and max(side.last[reach:end]) < end + 2 * layer


class Places:
    """Numbers of the ops that were kept, and of those that were left out and stand for them."""

    def __init__(self, one: Survey, other: Survey, stretches: list[Stretch]) -> None:
        self.sides = (one, other)
        self.stretches = stretches
        self.whole: tuple[list[int], list[int]] = (self._whole(0), self._whole(1))

    def kept(self, which: int) -> tuple[list[Op], dict[str, list[str]]]:
        """The ops of a graph itself without what is left out, and who answers for values that are still read there.

        A layer behind reads from the last one left out; in its place it reads from the last one kept before.
        """
        side = self.sides[which]
        ops = [side.ops[at] for at in self.whole[which] if side.top(at)]
        answers: dict[str, list[str]] = {}
        for stretch in self.stretches:
            end = stretch.end(which)
            gap = end - stretch.start[which]
            for at in range(end - 2 * stretch.layer[which], end):
                answers.setdefault(side.ops[at - gap].path, []).append(side.ops[at].path)
        return ops, answers

    def _whole(self, which: int) -> list[int]:
        numbers: list[int] = []
        begin = 0
        for stretch in self.stretches:
            numbers.extend(range(begin, stretch.start[which]))
            begin = stretch.end(which)
        numbers.extend(range(begin, len(self.sides[which].ops)))
        return numbers

    def again(self, node: int, twin: int) -> list[tuple[int, int]]:
        """All places at which a pair of kept ops, or one alone (the other -1), stands in the whole graphs.

        Args:
            node: number in the claim as it was matched, or -1.
            twin: number in the code as it was matched, or -1.
        """
        one = self.whole[0][node] if node >= 0 else -1
        other = self.whole[1][twin] if twin >= 0 else -1
        for stretch in self.stretches:
            layers = self._layers(one, other, stretch)
            if 0 not in layers or not layers <= {0, 1}:
                continue
            step = stretch.layer
            # a pair may straddle two layers: one of its ops is then already the one behind what was left out
            back = (
                step[0] * stretch.count if one >= stretch.end(0) else 0,
                step[1] * stretch.count if other >= stretch.end(1) else 0,
            )
            return [
                (
                    one - back[0] + turn * step[0] if one >= 0 else -1,
                    other - back[1] + turn * step[1] if other >= 0 else -1,
                )
                for turn in range(stretch.count + 1)
            ]
        return [(one, other)]

    def hold(self, pairs: Iterable[tuple[int, int]]) -> bool:
        """Whether what was matched bears out that layers correspond: no op of one has its counterpart far away."""
        for node, twin in pairs:
            one, other = self.whole[0][node], self.whole[1][twin]
            for stretch in self.stretches:
                layers = self._layers(one, other, stretch)
                if 0 in layers and not layers <= {-1, 0, 1}:
                    return False
        return True

    @staticmethod
    def _layers(one: int, other: int, stretch: Stretch) -> set[int]:
        """In which layers ops stand: 0 is the last one kept before, which those left out are like; 1 the next kept."""
        layers = set()
        for which, number in enumerate((one, other)):
            if number >= 0:
                end = stretch.end(which)
                kept_number = number if number < end else number - stretch.layer[which] * stretch.count
                layers.add((kept_number - stretch.start[which]) // stretch.layer[which] + 1)
        return layers
