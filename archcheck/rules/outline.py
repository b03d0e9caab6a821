"""A graph as papers write it: sublayers in a row, and around each what stands before and behind it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

from archcheck.align.edits import Edit
from archcheck.ir.graph import Op, OpGraph
from archcheck.passes.kinds import BEARING, RESIDUAL, SOURCES, SUBLAYERS, VIEWS
from archcheck.rules.view import SUBLAYER, View
from archcheck.rules.words import called, token

_HIDDEN = SOURCES | VIEWS  # what no sequence shows
_CORES = SUBLAYERS | frozenset(kind for kind in BEARING if kind.name in ("function", "opaque"))
_MOST_CELLS = 40_000  # of the table that lays two sequences side by side
_MOST_TOKENS = 48  # that a finding shows


class Slot(Enum):
    """Where an op stands relative to its sublayer."""

    AHEAD = "ahead of the first sublayer"
    BEFORE = "before the sublayer"
    OUTPUT = "between the sublayer and the residual add"
    AFTER = "after the residual add"
    BEHIND = "behind the sublayer"  # of a sublayer without a residual
    INSIDE = "inside the sublayer"
    SKIP = "on the residual"
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True, slots=True)
class Step:
    """One op of an outline. A residual stands where its add is computed."""

    op: Op
    slot: Slot
    unit: int  # number of its sublayer; -1 ahead of the first

    @property
    def on_stream(self) -> bool:
        return self.slot in (Slot.AHEAD, Slot.AFTER)


@dataclass
class Unit:
    """A sublayer with its residual, if it has one."""

    number: int
    cores: tuple[Op, ...]
    residual: Op | None = None
    steps: list[Step] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What the sublayer is called: "self-attention"."""
        return " + ".join(called(core) for core in self.cores)


class Outline:
    """The sublayers of a graph in program order; `steps` holds every op outside of them, and they themselves."""

    def __init__(self, graph: OpGraph) -> None:
        self.units: list[Unit] = []
        self.steps: list[Step] = []
        self.at: dict[str, Step] = {}
        self._skips = {op.reads[0].op for op in graph.walk() if op.kind is RESIDUAL and op.reads}
        self._scope(graph.ops)

    def unit(self, op: Op) -> Unit | None:
        """The sublayer to which an op outside of sublayers belongs."""
        step = self.at.get(op.path)
        return self.units[step.unit] if step is not None and step.unit >= 0 else None

    def _scope(self, ops: Sequence[Op]) -> None:
        for op in ops:
            if op.kind in _HIDDEN:
                continue
            if op.kind.name == "repeat":
                self._scope(op.body)
            elif op.kind is RESIDUAL:
                self._residual(op)
            elif op.kind.family == SUBLAYER:
                self.units.append(Unit(len(self.units), (op,)))
                self._put(op, Slot.BEHIND)
            else:
                self._stream(op)

    def _stream(self, op: Op) -> None:
        if op.kind.name == "scale" and op.path in self._skips:
            self._put(op, Slot.SKIP, len(self.units))
        elif not self.units:
            self._put(op, Slot.AHEAD)
        else:
            self._put(op, Slot.AFTER if self.units[-1].residual is not None else Slot.BEHIND)

    def _residual(self, op: Op) -> None:
        if any(inner.kind is RESIDUAL or inner.kind.name == "repeat" for inner in op.body):
            self._scope(op.body)  # streams within a stream
            self._put(op, Slot.ELSEWHERE)
            return
        shown = [inner for inner in op.body if inner.kind not in _HIDDEN]
        cores = tuple(inner for inner in shown if inner.kind in _CORES)
        if not cores:
            cores = tuple(inner for inner in shown if inner.kind in BEARING)
        unit = Unit(len(self.units), cores, op)
        self.units.append(unit)
        ahead = bool(cores)
        for inner in shown:
            ahead = ahead and inner not in cores
            self._put(inner, Slot.BEFORE if ahead else Slot.OUTPUT)
        self._put(op, Slot.OUTPUT)

    def _put(self, op: Op, slot: Slot, unit: int | None = None) -> None:
        step = Step(op, slot, len(self.units) - 1 if unit is None else unit)
        self.steps.append(step)
        self.at[op.path] = step
        if 0 <= step.unit < len(self.units):
            self.units[step.unit].steps.append(step)


def body_steps(op: Op) -> list[Step]:
    """What a sublayer holds, in program order."""
    return [Step(inner, Slot.INSIDE, 0) for inner in op.body if inner.kind not in _HIDDEN]


def columns(
    view: View, expected: Sequence[Step], actual: Sequence[Step], *, exact: bool = False
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Two sequences token by token, counterparts under each other, "" for gaps.

    Args:
        exact: name norms by their kind.
    """
    if len(expected) * len(actual) > _MOST_CELLS:
        return (), ()
    rows, cols = len(expected), len(actual)
    best = [[0.0] * (cols + 1) for _ in range(rows + 1)]
    gain = [[_worth(view, one, other) for other in actual] for one in expected]
    for i in range(rows - 1, -1, -1):
        for j in range(cols - 1, -1, -1):
            best[i][j] = max(best[i + 1][j], best[i][j + 1])
            if gain[i][j]:
                best[i][j] = max(best[i][j], gain[i][j] + best[i + 1][j + 1])
    left: list[str] = []
    right: list[str] = []
    i = j = 0
    while i < rows or j < cols:
        one = token(expected[i].op, exact=exact) if i < rows else ""
        other = token(actual[j].op, exact=exact) if j < cols else ""
        if i < rows and j < cols and gain[i][j] and best[i][j] == gain[i][j] + best[i + 1][j + 1]:
            i, j = i + 1, j + 1
        elif (
            i < rows and best[i][j] == best[i + 1][j] and not (j < cols and _closes(expected[i], actual[j], best, i, j))
        ):
            i, other = i + 1, ""
        else:
            j, one = j + 1, ""
        left.append(one)
        right.append(other)
    return tuple(left), tuple(right)


def _closes(one: Step, other: Step, best: Sequence[Sequence[float]], i: int, j: int) -> bool:
    """Whether the code's step still belongs to the sublayer before, and the claim's to the next: it comes first."""
    return other.on_stream and not one.on_stream and best[i][j] == best[i][j + 1]


def _worth(view: View, one: Step, other: Step) -> float:
    """How much it says to put two steps under each other; 0: they must not be."""
    twins = view.are_twins(one.op, other.op)
    settled = twins and one.op.path not in view.moved
    if one.on_stream != other.on_stream and one.op.kind.family == "norm" and not settled:
        return 0.0
    solid = one.op.kind in BEARING or one.op.kind is RESIDUAL
    if twins:
        return 8.0 if solid else 2.0 if settled or one.slot is other.slot else 0.5
    if one.op.path in view.twin or other.op.path in view.back:
        return 0.0
    return (4.0 if solid else 0.5) if token(one.op) == token(other.op) else 0.0


def shown(view: View, expected_ops: Collection[Op], actual_ops: Collection[Op]) -> tuple[list[Step], list[Step]]:
    """The part of both outlines in which the given ops stand: the inside of one sublayer, or whole sublayers."""
    holder = _one(view.expected.inside(op) for op in expected_ops)
    other = _one(view.actual.inside(op) for op in actual_ops)
    if holder is not None and other is None and not actual_ops:
        other = view.twin.get(holder.path)
    if other is not None and holder is None and not expected_ops:
        holder = view.back.get(other.path)
    if holder is not None and other is not None and view.are_twins(holder, other) and holder.body and other.body:
        return body_steps(holder), body_steps(other)
    left, right = view.expected_outline, view.actual_outline
    ours = {step.unit for op in expected_ops if (step := _step(view, left, op, True))}
    theirs = {step.unit for op in actual_ops if (step := _step(view, right, op, False))}
    _complete(view, ours, theirs)
    if not ours or not theirs:  # a sublayer that only one side has is shown beside its neighbours
        ours |= {number + step for number in ours for step in (-1, 1)}
        theirs |= {number + step for number in theirs for step in (-1, 1)}
        _complete(view, ours, theirs)
    one, two = _of_units(left, ours), _of_units(right, theirs)
    twins = {twin.path for step in one if (twin := view.twin.get(step.op.path)) is not None}
    twins_too = {twin.path for step in two if (twin := view.back.get(step.op.path)) is not None}
    return _with(left, one, twins_too), _with(right, two, twins)


def _complete(view: View, ours: set[int], theirs: set[int]) -> None:
    """Add the counterparts of what stands in one of the sets to the other."""
    for unit, other in twin_units(view):
        if unit.number in ours or other.number in theirs:
            ours.add(unit.number)
            theirs.add(other.number)


def _with(outline: Outline, steps: list[Step], more: Collection[str]) -> list[Step]:
    """`steps` with those at the paths `more`: counterparts of what the other side shows are shown."""
    own = {step.op.path for step in steps}
    return [step for step in outline.steps if step.op.path in own or step.op.path in more]


def _step(view: View, outline: Outline, op: Op, expected: bool) -> Step | None:
    if op.path in outline.at:
        return outline.at[op.path]
    index = view.expected if expected else view.actual
    return next((outline.at[holder.path] for holder in index.holders(op) if holder.path in outline.at), None)


def _of_units(outline: Outline, units: set[int]) -> list[Step]:
    if not outline.units:
        return outline.steps if len(outline.steps) <= _MOST_TOKENS else []
    steps: list[Step] = []
    for number in sorted(units):
        own = [step for step in outline.steps if step.unit == number]
        if steps and len(steps) + len(own) > _MOST_TOKENS:
            break  # further layers show the same
        steps += own
    return steps


def _one(ops: Iterable[Op | None]) -> Op | None:
    found = {None if op is None else op.path: op for op in ops}
    return next(iter(found.values())) if len(found) == 1 else None


def twin_units(view: View) -> Iterator[tuple[Unit, Unit]]:
    """The sublayers of the claim with their counterparts."""
    for unit in view.expected_outline.units:
        for core in unit.cores:
            twin = view.twin.get(core.path)
            other = view.actual_outline.unit(twin) if twin is not None else None
            if other is not None:
                yield unit, other
                break


def homes(view: View, edit: Edit) -> Iterator[tuple[str, str]]:
    """The sublayers in or around which an edit stands, path and name, one for each of its places."""
    for one, other in ((edit.expected, edit.actual), *edit.also):
        index, outline, op = (
            (view.actual, view.actual_outline, other)
            if other is not None
            else (view.expected, view.expected_outline, one)
        )
        if op is None:
            continue
        inside = op if op.kind.family == SUBLAYER else index.inside(op)
        unit = outline.unit(op)
        if inside is None and unit is not None and unit.cores:
            yield unit.cores[0].path, unit_name(view, unit, of_code=other is not None)
        elif inside is not None:
            yield inside.path, called(inside)


def unit_name(view: View, unit: Unit, *, of_code: bool) -> str:
    """What a sublayer is called; one of the code without a name of its own is called as the claim's."""
    known = view.back if of_code else view.twin
    nameless = (core.kind.name in ("opaque", "branch") for core in unit.cores)
    twins = [known.get(core.path, core) if none else core for core, none in zip(unit.cores, nameless, strict=True)]
    return " + ".join(called(core) for core in twins)
