"""Joint folding: layers that repeat in both graphs alike are left out before matching, and put back after it.

Folding each graph alone loses track as soon as one layer differs. Here the two are laid side by side first, by kinds
in program order, and what repeats is looked for in the *pairs*: a stretch in which the same ops of the claim stand
beside the same ops of the code, layer after layer, with the same attributes and the same wiring. Of such a stretch a
few layers are matched, and the others get what was found for one of them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field

from archcheck.align.agree import opens
from archcheck.align.sequence import Run, common
from archcheck.errors import GraphError
from archcheck.ir.graph import Op, OpGraph
from archcheck.ir.ops import OpKind

SMALLEST = 100  # ops outside of bodies, below which matching everything is as fast
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
    top: bytearray = field(default_factory=bytearray)  # whether the op stands in no body
    last: list[int] = field(default_factory=list)  # last reader of each op; -1: none


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
    ops, coarse, fine, top, last = result.ops, result.coarse, result.fine, result.top, result.last
    at: dict[str, int] = {}
    frames: list[tuple[Iterator[Op], int]] = [(iter(graph.ops), -1)]
    while frames:
        body, holder = frames[-1]
        depth = len(frames) - 1
        for op in body:
            number = len(ops)
            kind = op.kind
            token = kinds.setdefault(kind, len(kinds)) * 64 + min(depth, 63)
            reads, attrs = op.reads, op.attrs
            if len(reads) == 1:
                value = reads[0]
                read = at[value.op]
                distance = number - read if number - read < _NEAR else -read
                last[read] = number
                wiring: Hashable = (distance, value.index) if value.index else distance
            else:
                distances = []
                for value in reads:
                    read = at[value.op]
                    last[read] = number
                    distances.append(number - read if number - read < _NEAR else -read)
                    if value.index:
                        distances.append(~value.index << 32)
                wiring = tuple(distances)
            if len(attrs) == 1:
                key: Hashable = (token, wiring, attrs[0].name, attrs[0].value)
            elif attrs:
                key = (token, wiring, *[(attr.name, attr.value) for attr in attrs])
            else:
                key = (token, wiring)
            at[op.path] = number
            ops.append(op)
            coarse.append(token)
            fine.append(fine_numbers.setdefault(key, len(fine_numbers)))
            top.append(depth == 0)
            last.append(-1)
            if op.body and opens(kind):
                frames.append((iter(op.body), number))
                break
        else:
            frames.pop()
            if holder >= 0:
                given = tuple([(at[value.op] - holder, value.index) for value in ops[holder].results])
                fine[holder] = fine_numbers.setdefault((fine[holder], given), len(fine_numbers))
    for value in graph.results:
        last[at[value.op]] = len(ops)
    return result


def repeated(one: Survey, other: Survey) -> list[Stretch]:
    """The layers that may be left out, in order."""
    columns, left, right = _side_by_side(one, other, common(one.coarse, other.coarse))
    following = _next_alike(columns)
    stretches: list[Stretch] = []
    at = 0
    while at < len(columns):
        period, length = _period(columns, following, at)
        if not period:
            at += 1
            continue
        stretch = _cut(one, other, left, right, at, period, length)
        if stretch:
            stretches.append(stretch)
        at += max(length - period, 1)
    return stretches


def _side_by_side(one: Survey, other: Survey, runs: list[Run]) -> tuple[list[int], list[int], list[int]]:
    """Columns of the two surveys, and for each column where the two stand before it."""
    columns: list[int] = []
    left: list[int] = []
    right: list[int] = []
    fine, other_fine = one.fine, other.fine
    i = j = 0
    for begin, begin_too, length in [*runs, (len(fine), len(other_fine), 0)]:
        columns.extend([-2 - 2 * token for token in fine[i:begin]])
        left.extend(range(i, begin))
        right.extend([j] * (begin - i))
        columns.extend([-3 - 2 * token for token in other_fine[j:begin_too]])
        left.extend([begin] * (begin_too - j))
        right.extend(range(j, begin_too))
        i, j = begin + length, begin_too + length
        columns.extend(
            [a << 32 | b for a, b in zip(fine[begin:i], other_fine[begin_too:j], strict=True)],
        )
        left.extend(range(begin, i))
        right.extend(range(begin_too, j))
    return columns, left, right


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


def _cut(
    one: Survey, other: Survey, left: list[int], right: list[int], at: int, period: int, length: int
) -> Stretch | None:
    """Where the layers in the middle of a stretch of columns can be taken out of both graphs."""
    left_end, right_end = len(one.ops), len(other.ops)
    for shift in range(period):
        begin = at + shift
        if begin >= len(left) or not (left[begin] < left_end and right[begin] < right_end):
            continue
        if not (one.top[left[begin]] and other.top[right[begin]]):
            continue
        count = (length - shift) // period
        layer = (left[begin + period] - left[begin], right[begin + period] - right[begin])
        if count < _LEAST or not all(layer):
            return None
        start = (left[begin] + _FRONT * layer[0], right[begin] + _FRONT * layer[1])
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
        ops = [side.ops[at] for at in self.whole[which] if side.top[at]]
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
            step = stretch.layer
            where = tuple(
                self._side_of(number, stretch, which) for which, number in enumerate((one, other)) if number >= 0
            )
            if "model" not in where or "far" in where:
                continue
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

    @staticmethod
    def _side_of(number: int, stretch: Stretch, which: int) -> str:
        start, layer, end = stretch.start[which], stretch.layer[which], stretch.end(which)
        if start - layer <= number < start:
            return "model"  # the layer that those left out are like
        return "behind" if end <= number < end + layer else "far"
