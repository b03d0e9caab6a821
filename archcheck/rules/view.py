"""Two aligned graphs as rules ask about them: who gives, who holds, who is whose counterpart."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from archcheck.align.edits import Alignment, Edit, EditKind
from archcheck.ir.graph import Op, OpGraph, Value
from archcheck.ir.span import Setting
from archcheck.passes.kinds import VIEWS

if TYPE_CHECKING:
    from archcheck.rules.outline import Outline

SUBLAYER = "sublayer"  # family


@dataclass
class Index:
    """One graph by paths."""

    graph: OpGraph
    at: dict[str, Op] = field(default_factory=dict)
    holder: dict[str, Op] = field(default_factory=dict)  # path -> op in whose body it stands
    place: dict[str, int] = field(default_factory=dict)  # path -> number in program order

    def __post_init__(self) -> None:
        for op in self.graph.walk():
            self.place[op.path] = len(self.at)
            self.at[op.path] = op
            for inner in op.body:
                self.holder[inner.path] = op

    def holders(self, op: Op) -> Iterator[Op]:
        """The ops in whose bodies `op` stands, innermost first."""
        at = self.holder.get(op.path)
        while at is not None:
            yield at
            at = self.holder.get(at.path)

    def inside(self, op: Op) -> Op | None:
        """The innermost sublayer in whose body `op` stands."""
        return next((holder for holder in self.holders(op) if holder.kind.family == SUBLAYER), None)

    def residual(self, op: Op) -> Op | None:
        """The innermost residual in whose body `op` stands."""
        return next((holder for holder in self.holders(op) if holder.kind.name == "residual"), None)

    def giver(self, value: Value) -> Op | None:
        """The op that gives `value`; of a structure other than a residual or a repeat, the structure itself."""
        return self.at.get(value.op)

    def behind(self, value: Value, skipped: Collection[str]) -> tuple[Op | None, int]:
        """The op that gives `value`, and which of its outputs, where the ops at `skipped` are seen through.

        A residual whose sublayer is skipped too is seen through to its stream, one whose sublayer stays to what its
        branch gives, any other op to its first operand. A change of axes is never seen: it moves no data to another op.
        """
        while (op := self.at.get(value.op)) is not None and (op.path in skipped or (op.kind in VIEWS and op.reads)):
            emptied = any(inner.path in skipped for inner in op.body if inner.kind.family == SUBLAYER)
            branch = op.kind.name == "residual" and not emptied
            through = op.results[:1] if branch else op.reads[:1]
            if not through:
                break
            value = through[0]
        return self.at.get(value.op), value.index

    @cached_property
    def shared(self) -> frozenset[Setting]:
        """The settings that decided every op of the graph: they tell none from another."""
        common: set[Setting] | None = None
        for op in self.graph.walk():
            if op.kind.name in ("input", "parameter", "constant") or op.body:
                continue
            common = set(op.because) if common is None else common & set(op.because)
            if not common:
                return frozenset()
        return frozenset(common or ())

    @cached_property
    def readers(self) -> dict[str, list[Op]]:
        """path -> ops of the same scope, or of scopes inside it, that read its value."""
        found: dict[str, list[Op]] = {}
        for op in self.graph.walk():
            for value in op.reads:
                found.setdefault(value.op, []).append(op)
        return found


@dataclass
class View:
    """Both sides of a case, and which op of the one is which of the other."""

    expected_graph: OpGraph
    actual_graph: OpGraph
    alignment: Alignment

    @cached_property
    def expected(self) -> Index:
        return Index(self.expected_graph)

    @cached_property
    def actual(self) -> Index:
        return Index(self.actual_graph)

    @cached_property
    def expected_outline(self) -> Outline:
        return _outline(self.expected_graph)

    @cached_property
    def actual_outline(self) -> Outline:
        return _outline(self.actual_graph)

    @cached_property
    def twin(self) -> dict[str, Op]:
        """Path of an op of the claim -> the op of the code that it is, or that stands in its place."""
        found = {one.path: other for one, other in self.alignment.pairs}
        for one, other in self._edited():
            found.setdefault(one.path, other)
        return found

    @cached_property
    def back(self) -> dict[str, Op]:
        """Path of an op of the code -> the op of the claim that it is, or in whose place it stands."""
        found = {other.path: one for one, other in self.alignment.pairs}
        for one, other in self._edited():
            found.setdefault(other.path, one)
        return found

    def _edited(self) -> Iterator[tuple[Op, Op]]:
        for edit in self.alignment.edits:
            if edit.kind in (EditKind.CHANGED, EditKind.UNKNOWN) and not edit.aspect.startswith("gives"):
                for one, other in ((edit.expected, edit.actual), *edit.also):
                    if one is not None and other is not None:
                        yield one, other

    @cached_property
    def moved(self) -> frozenset[str]:
        """Paths of the ops of the claim that the code has in another place."""
        moved = (edit for edit in self.alignment.edits if edit.kind is EditKind.MOVED)
        return frozenset(one.path for edit in moved for one, _ in ((edit.expected, None), *edit.also) if one)

    def are_twins(self, one: Op | None, other: Op | None) -> bool:
        """Whether the two are counterparts, or neither comes from an op."""
        if one is None or other is None:
            return one is other
        if one.kind.name == other.kind.name == "input" and one.path not in self.twin and other.path not in self.back:
            return True  # what is fed in has no name of its own
        found = self.twin.get(one.path)
        return found is not None and found.path == other.path

    def follows(self, edit: Edit, expected: Collection[str], actual: Collection[str]) -> bool:
        """Whether `edit` of wiring only says again that the ops at `expected` and `actual` are not counterparts.

        Seen through these ops, what is read or given must be the same on both sides.
        """
        if edit.kind is not EditKind.CHANGED or edit.expected is None or edit.actual is None:
            return False
        aspect, _, operand = edit.aspect.partition(":")
        if aspect == "gives":
            return self._same(Value(edit.expected.path), Value(edit.actual.path), expected, actual)
        if aspect != "reads":
            return False
        if operand.isdigit():
            place = int(operand)
            if max(place + 1, 0) > min(len(edit.expected.reads), len(edit.actual.reads)):
                return False
            return self._same(edit.expected.reads[place], edit.actual.reads[place], expected, actual)
        if len(edit.expected.reads) != len(edit.actual.reads):
            return False
        pairs = zip(edit.expected.reads, edit.actual.reads, strict=True)
        return all(self._same(one, other, expected, actual) for one, other in pairs)

    def _same(self, one: Value, other: Value, expected: Collection[str], actual: Collection[str]) -> bool:
        giver, index = self.expected.behind(one, expected)
        other_giver, other_index = self.actual.behind(other, actual)
        return index == other_index and self.are_twins(giver, other_giver)


def _outline(graph: OpGraph) -> Outline:
    from archcheck.rules.outline import Outline  # it asks this module about counterparts

    return Outline(graph)


def sides(edits: Collection[Edit]) -> tuple[tuple[Op, ...], tuple[Op, ...]]:
    """The ops of the claim and of the code that `edits` name, with those of other layers, each once."""
    expected: dict[str, Op] = {}
    actual: dict[str, Op] = {}
    for edit in edits:
        for one, other in ((edit.expected, edit.actual), *edit.also):
            if one is not None:
                expected.setdefault(one.path, one)
            if other is not None:
                actual.setdefault(other.path, other)
    return tuple(expected.values()), tuple(actual.values())


def places_of(edit: Edit) -> int:
    """In how many places an edit stands."""
    return 1 + len(edit.also)


def subject(edit: Edit) -> Op:
    """The op that an edit is about: the code's where there is one, else the claim's."""
    op = edit.actual or edit.expected
    if op is None:
        raise ValueError("an edit without an op explains nothing")
    return op


def of(edits: Collection[Edit], *kinds: EditKind, where: Callable[[Op], bool]) -> tuple[Edit, ...]:
    """Those of `edits` that are of one of `kinds`, and every op of which fulfils `where`."""
    return tuple(
        edit
        for edit in edits
        if edit.kind in kinds and all(where(op) for op in (edit.expected, edit.actual) if op is not None)
    )
