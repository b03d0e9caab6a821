"""Folds layers that repeat: equal ops in equal wiring, one after the other, become one `repeat` with a count."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from archcheck.ir.graph import Attr, AttrValue, Op, OpGraph, Unknown, Value, attrs
from archcheck.ir.verify import free_values
from archcheck.passes.kinds import ATTENTIONS, FUNCTION, PARAMETER, RECURRENT, REPEAT, RESIDUAL, STRUCTURE, SUBLAYERS
from archcheck.passes.scope import Paths
from archcheck.passes.values import rename

# How many later occurrences of an op are tried as the start of the second round. More than the ops of one layer that
# look alike (the feed-forwards of MobileBERT).
_CANDIDATES = 8
# What makes ops a layer: without one of these, likeness is that of small change (two linears in a row).
_LAYERS = SUBLAYERS | ATTENTIONS | RECURRENT | {RESIDUAL, REPEAT, FUNCTION}
_NUMBER = re.compile(r"\d+")


class FoldRepeats:
    """Fold tandem repeats, the longest first, and repeats within them.

    before                              after
      %x = input                          input
      residual:                           repeat count=2:
        self_attention                      residual:
      residual:                               self_attention
        self_attention

    A round is fed with what the one before gave; what all rounds read alike (a mask) is read from outside. Where a
    norm stands before the layers and after each of them, the rounds could begin at either: places in the module tree
    decide. Layers that differ split a run.
    """

    name = "fold_repeats"

    def run(self, graph: OpGraph) -> OpGraph:
        """The graph after this pass; the same object where nothing repeats."""
        if not graph.ops:
            return graph
        stated = graph.results or (Value(graph.ops[-1].path),)
        ops, results = _fold_scope(graph.ops, stated, Paths(graph), _Labels())
        if ops is graph.ops:
            return graph
        if not graph.results and results == (Value(ops[-1].path),):
            results = ()
        return OpGraph(ops, results, graph.origin)


def _fold_scope(
    ops: tuple[Op, ...], results: tuple[Value, ...], paths: Paths, labels: _Labels
) -> tuple[tuple[Op, ...], tuple[Value, ...]]:
    inner = tuple(_fold_inner(op, paths, labels) if op.kind in (REPEAT, RESIDUAL) and op.body else op for op in ops)
    ops = ops if all(new is old for new, old in zip(inner, ops, strict=True)) else inner
    if sum(op.kind in _LAYERS for op in ops) < 2:
        return ops, results
    while True:
        folded = _Finder(ops, results, paths, labels).fold()
        if folded is None:
            return ops, results
        ops, results = folded
        ops = tuple(_fold_inner(op, paths, labels) if op.kind is REPEAT else op for op in ops)


def _fold_inner(op: Op, paths: Paths, labels: _Labels) -> Op:
    body, gives = _fold_scope(op.body, op.results, paths, labels)
    if body is op.body:
        return op
    if gives == (Value(body[-1].path),):
        gives = ()
    return Op(op.path, op.kind, op.reads, op.attrs, body, gives, op.claim, op.span, op.because)


class _Labels:
    """A number for each op that is equal for ops that compute the same from their operands."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._known: dict[int, tuple[Op, int]] = {}  # by identity; the op is held so that its id stays its own

    def of(self, op: Op) -> int:
        known = self._known.get(id(op))
        if known is None:
            known = self._known[id(op)] = op, self._numbers.setdefault(self._key(op), len(self._numbers))
        return known[1]

    def _key(self, op: Op) -> Hashable:
        stated = tuple([(attr.name, _plain(attr.value)) for attr in op.attrs if _tells(op, attr)])
        if op.kind not in STRUCTURE or not op.body:
            # What a layer op holds is how it is spelled; what it is, its kind and attributes say.
            return op.kind.name, stated, len(op.reads)
        at: dict[Value, Hashable] = {value: -1 - place for place, value in enumerate(op.reads)}
        rows: list[Hashable] = []
        own: dict[str, int] = {}
        for place, inner in enumerate(op.body):
            rows.append((self.of(inner), tuple([_wire(value, own, at) for value in inner.reads])))
            own[inner.path] = place
        gives = tuple([_wire(value, own, at) for value in op.results])
        return op.kind.name, stated, len(op.reads), tuple(rows), gives


def _wire(value: Value, own: dict[str, int], outer: dict[Value, Hashable]) -> Hashable:
    place = own.get(value.op)
    return outer.get(value, value) if place is None else (place, value.index)


def _tells(op: Op, attr: Attr) -> bool:
    return not (op.kind is PARAMETER and attr.name == "name")


def _plain(value: AttrValue) -> Hashable:
    if isinstance(value, tuple):
        return tuple([_plain(item) for item in value])
    if isinstance(value, Unknown):
        return "unknown", value.why
    return type(value), value


@dataclass(frozen=True, slots=True)
class _Run:
    start: int
    period: int
    rounds: int
    carried: tuple[tuple[int, int, Value], ...]  # place in the round, output, and what the first round has instead


class _Finder:
    """Looks for runs in one list of ops."""

    def __init__(self, ops: tuple[Op, ...], results: tuple[Value, ...], paths: Paths, labels: _Labels) -> None:
        self.ops = ops
        self.results = results
        self.paths = paths
        self.labels = [labels.of(op) for op in ops]
        self.at = {op.path: place for place, op in enumerate(ops)}
        self.readers: list[list[int]] = [[] for _ in ops]
        for place, op in enumerate(ops):
            for value in op.reads:
                giver = self.at.get(value.op)
                if giver is not None:
                    self.readers[giver].append(place)
        self.modules = [_module(op) for op in ops]
        self.told: dict[tuple[str, str], tuple[str, int, int] | None] = {}
        self.tried: dict[tuple[int, int], _Run | None] = {}  # by start and period
        self.equal: dict[int, tuple[int, int]] = {}  # period -> a stretch in which labels equal those a period later

    def fold(self) -> tuple[tuple[Op, ...], tuple[Value, ...]] | None:
        """The ops with every run folded, or None where there is none."""
        following = self.following()
        runs: list[_Run] = []
        place = 0
        while place < len(self.ops):
            run = self.best(place, following[place]) if following[place] else None
            if run is None:
                place += 1
                continue
            runs.append(run)
            place = run.start + run.rounds * run.period
        return self.rebuilt(runs) if runs else None

    def following(self) -> list[list[int]]:
        """For each place the next places with the same label."""
        later: dict[int, list[int]] = {}
        found: list[list[int]] = [[] for _ in self.ops]
        for place in range(len(self.ops) - 1, -1, -1):
            label = self.labels[place]
            found[place] = later.get(label, [])
            later[label] = [place, *found[place][: _CANDIDATES - 1]]
        return found

    def stretch(self, place: int, period: int) -> int:
        """How many labels from `place` on equal those a period later."""
        known = self.equal.get(period)
        if known is not None and known[0] <= place < known[1]:
            return known[1] - place
        end = place
        while end + period < len(self.labels) and self.labels[end] == self.labels[end + period]:
            end += 1
        self.equal[period] = (place, end)
        return end - place

    def best(self, place: int, later: Iterable[int]) -> _Run | None:
        """The run that covers most, beginning at `place` or less than a round later."""
        found: list[tuple[int, int]] = []
        for other in later:
            period = other - place
            length = self.stretch(place, period)
            if length >= period:
                found.append((-(length // period + 1) * period, period))
        for _, period in sorted(found):
            run = self.in_phase(place, period, self.stretch(place, period))
            if run is not None:
                return run
        return None

    def in_phase(self, place: int, period: int, length: int) -> _Run | None:
        """The run with this period whose rounds begin where the module tree says, if any is wired alike."""
        rounds = length // period + 1
        starts = range(place, place + length % period + 1)
        first, last = (self.coherence(begin, period, len(starts)) for begin in (place, place + (rounds - 2) * period))
        # Where the module tree does not decide, a layer begins with its residual: a norm stands behind it (post-norm).
        ranked = sorted(
            starts,
            key=lambda start: (
                -first[start - place] - last[start - place],
                self.ops[start].kind is not RESIDUAL,
                start,
            ),
        )
        best: _Run | None = None
        for start in ranked[:4]:
            if (start, period) not in self.tried:  # as many rounds as there are from it, wherever the search began
                self.tried[start, period] = self.wired(start, period, rounds)
            run = self.tried[start, period]
            if run is not None and (best is None or run.rounds > best.rounds):
                best = run
        return best

    def coherence(self, begin: int, period: int, count: int) -> list[int]:
        """For each of `count` rounds that begin at `begin` and the places behind it: how many of its ops stand at one
        index of the module tree, and in the next round at another."""
        inside: dict[tuple[str, int, int], int] = {}
        found: list[int] = []
        for place in range(begin, begin + period + count - 1):
            if (pair := self.indices(place, period)) is not None:
                inside[pair] = inside.get(pair, 0) + 1
            gone = place - period
            if gone >= begin and (pair := self.indices(gone, period)) is not None:
                inside[pair] -= 1
                if not inside[pair]:
                    del inside[pair]
            if place >= begin + period - 1:
                found.append(max(inside.values(), default=0))
        return found

    def indices(self, place: int, period: int) -> tuple[str, int, int] | None:
        """In which index of the module tree the op at `place` and the one a period later differ."""
        key = (self.modules[place], self.modules[place + period])
        if key not in self.told:
            self.told[key] = _index(*key)
        return self.told[key]

    # ---- wiring

    def wired(self, start: int, period: int, rounds: int) -> _Run | None:
        """As many rounds from `start` on as are wired alike and read only by the next one, or None."""
        if not any(self.ops[start + place].kind in _LAYERS for place in range(period)):
            return None
        carried: dict[tuple[int, int], Value] = {}
        count = 1
        while count < rounds and self.next_round(start, period, count, carried) and carried:
            count += 1
        while count > 1 and not self.closed(start, period, count):
            count -= 1
        if count < 2 or not carried:
            return None
        last = period - 1
        order = sorted(carried, key=lambda key: (key[0] != last, key))
        return _Run(start, period, count, tuple((place, index, carried[place, index]) for place, index in order))

    def next_round(self, start: int, period: int, count: int, carried: dict[tuple[int, int], Value]) -> bool:
        """Whether round `count` (the first is 0) reads as the one before does; what it is fed with joins `carried`."""
        new: dict[tuple[int, int], Value] = {}
        here = start + count * period
        before = here - period
        for number in range(period):
            reads, earlier = self.ops[here + number].reads, self.ops[before + number].reads
            if len(reads) != len(earlier):
                return False
            for value, old in zip(reads, earlier, strict=True):
                giver, old_giver = self.at.get(value.op, -1), self.at.get(old.op, -1)
                if giver >= here:
                    if giver - here != old_giver - before or value.index != old.index:
                        return False
                elif giver >= before:
                    key = (giver - before, value.index)
                    first = carried.get(key, new.get(key))
                    if count == 1:
                        if old_giver >= start or (first is not None and first != old):
                            return False
                        new[key] = old
                    elif first is None or old_giver != giver - period or old.index != value.index:
                        return False
                elif value != old or giver >= start:
                    return False
        carried.update(new)
        return True

    def closed(self, start: int, period: int, count: int) -> bool:
        """Whether nothing behind the run reads what rounds before the last one give."""
        end = start + count * period
        return all(reader < end for place in range(start, end - period) for reader in self.readers[place])

    # ---- rewriting

    def rebuilt(self, runs: Sequence[_Run]) -> tuple[tuple[Op, ...], tuple[Value, ...]]:
        names: dict[Value, Value] = {}
        ops: list[Op] = []
        place = 0
        for run in runs:
            ops.extend(self.ops[place : run.start])
            ops.append(self.folded(run, names))
            place = run.start + run.rounds * run.period
        ops.extend(self.ops[place:])
        results = tuple(dict.fromkeys(names.get(value, value) for value in self.results))
        return tuple(rename(op, names) for op in ops), results

    def folded(self, run: _Run, names: dict[Value, Value]) -> Op:
        """The repeat that stands for a run; `names` learns what the values of its rounds are called now."""
        end = run.start + run.rounds * run.period
        body = self.ops[run.start : run.start + run.period]
        gives = {(place, index): None for place, index, _ in run.carried}
        wanted = {value for place in range(end - run.period, end) for value in self.read_behind(place, end)}
        wanted |= {value for value in self.results if run.start <= self.at.get(value.op, -1) < end}
        for value in sorted(wanted, key=lambda value: (self.at[value.op], value.index)):
            gives[(self.at[value.op] - run.start) % run.period, value.index] = None
        path = self.paths.fresh(body[-1].path, REPEAT)
        order = list(gives)
        for value in wanted:
            key = ((self.at[value.op] - run.start) % run.period, value.index)
            names[value] = Value(path, order.index(key))
        given = tuple(Value(body[place].path, index) for place, index in order)
        reads = dict.fromkeys([first for _, _, first in run.carried])
        reads.update(dict.fromkeys(free_values(body, given)))
        return Op(
            path,
            REPEAT,
            tuple(reads),
            attrs(count=run.rounds),
            body,
            () if given == (Value(body[-1].path),) else given,
            claim=body[0].claim,
            span=body[0].span,
        )

    def read_behind(self, place: int, end: int) -> set[Value]:
        """The values of the op at `place` that ops from `end` on read."""
        path = self.ops[place].path
        return {
            value
            for reader in self.readers[place]
            if reader >= end
            for value in self.ops[reader].reads
            if value.op == path
        }


def _module(op: Op) -> str:
    """Where an op stands in the module tree; a learned tensor is where its name says, wherever it was made."""
    name = op.attr("name") if op.kind is PARAMETER else None
    return name.rpartition(".")[0] if isinstance(name, str) and name else op.path.rpartition("/")[0]


def _index(module: str, other: str) -> tuple[str, int, int] | None:
    """Where two places in the module tree differ in one index: the place before it, and both indices."""
    if _NUMBER.sub("#", module) != _NUMBER.sub("#", other):
        return None
    for mine, its in zip(_NUMBER.finditer(module), _NUMBER.finditer(other), strict=True):
        if mine[0] != its[0]:
            return module[: mine.start()], int(mine[0]), int(its[0])
    return None
