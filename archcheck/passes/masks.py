"""What a mask that code computes from constants holds: for keys up to the query, and for those after it.

A mask of the scores is worked out on two numbers, one for each side of the diagonal. What is not the same all over a
side has no such pair, and what is made from an input has none either.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from archcheck.ir.graph import AttrValue, Op, Value
from archcheck.passes.kinds import CONSTANT, named
from archcheck.passes.scope import Scope

HIDDEN = -1e3  # a score below it has no weight
_STEPS = 64  # ops of a mask that are looked at
_SAME = named("identity", "expand")
_LAST = named("reshape", "select")


class Makes(Protocol):
    """Where values are looked up: a scope of a pass, or a whole graph."""

    def maker(self, value: Value) -> Op | None:
        """The op that gives `value`, or None where it comes from outside."""

    def resolve(self, value: Value) -> Value:
        """What `value` is called now."""


@dataclass(frozen=True, slots=True)
class Score:
    """`share` times the score, plus a number: a mask is a number alone."""

    number: float | bool
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class Halves:
    """What stands at keys up to the query, and at those after it."""

    kept: Score
    hidden: Score


@dataclass(frozen=True, slots=True)
class Line:
    """The numbers 0, 1, 2 ... along an axis, behind which there are as many axes of one entry."""

    behind: int
    rank: int


Held = Halves | Line
_COMPARED: dict[str, tuple[bool, bool]] = {"ge": (True, False), "lt": (False, True)}  # a query with a key


def hides_later(scope: Makes, op: Op) -> bool:
    """Whether the masks of an attention are shown to hide all keys after the query, and to do nothing else."""
    reading = _Reading(scope)
    if op.body:
        return _is_causal(reading.scores(op))
    masks = [reading.value(value) for value in op.reads[3:]]
    return len(masks) == 1 and _causal_mask(masks[0], hides=op.attr("hides") is True) is True


def share_of(scope: Makes, value: Value) -> float | None:
    """By what a mask multiplies the scores of keys up to the query; None where that is not known."""
    found = _Reading(scope).value(value)
    if not isinstance(found, Halves) or found.kept.share or isinstance(found.kept.number, bool):
        return None
    return found.kept.number


def is_otherwise(scope: Scope, attention: int) -> bool:
    """Whether the one mask that a kernel is given is shown to be another than that of keys after the query."""
    op = scope.ops[attention]
    if len(op.reads) != 4:
        return False
    return _causal_mask(_Reading(scope).value(op.reads[3]), hides=op.attr("hides") is True) is False


def shows_later(scope: Scope, beside: Sequence[Value], slots: Sequence[int], product: int, softmax: int) -> bool:
    """Whether the masks of scores are shown not to hide the keys after the query, and those alone.

    Args:
        scope: where they stand.
        beside: what is put to the scores; nothing is shown where there is none.
        slots: the ops from the product to the softmax.
        product, softmax: these two.
    """
    if not beside:
        return False
    reading = _Reading(scope)
    reading.known[Value(scope.ops[product].path)] = Halves(Score(0.0, 1.0), Score(0.0, 1.0))
    for slot in sorted(slots):
        if slot not in (product, softmax):
            reading.op(scope.ops[slot])
    found = reading.value(scope.ops[softmax].reads[0])
    return isinstance(found, Halves) and not _is_causal(found)


def _is_causal(scores: Held | None) -> bool:
    """Whether scores are as they were up to the query, but for a factor, and far below zero behind it."""
    if not isinstance(scores, Halves):
        return False
    kept, hidden = scores.kept, scores.hidden
    return kept.number == 0 and kept.share != 0 and not isinstance(hidden.number, bool) and hidden.number <= HIDDEN


def _causal_mask(mask: Held | None, *, hides: bool) -> bool | None:
    """Whether a mask that a kernel takes hides what comes after the query, and no more; None where that is not known.

    Args:
        mask: it holds truths, or what is added to the scores.
        hides: whether keys are hidden where it is true, and not seen.
    """
    if not isinstance(mask, Halves):
        return None
    kept, hidden = mask.kept.number, mask.hidden.number
    if isinstance(kept, bool) and isinstance(hidden, bool):
        return (kept, hidden) == (not hides, hides)
    return True if kept == 0 and hidden <= HIDDEN else None  # other numbers are truths to some kernels


class _Reading:
    """Works out what values hold, each once."""

    def __init__(self, scope: Makes) -> None:
        self.scope = scope
        self.known: dict[Value, Held | None] = {}
        self._left = _STEPS

    def value(self, value: Value) -> Held | None:
        """What `value` holds."""
        value = self.scope.resolve(value)
        if value not in self.known:
            self.known[value] = None  # until it is worked out
            maker = self.scope.maker(value)
            self._left -= 1
            if maker is not None and not value.index and self._left > 0:
                self.op(maker)
                self.known[value] = self.known.get(Value(maker.path))
        return self.known[value]

    def scores(self, attention: Op) -> Held | None:
        """What the softmax in the body of an attention reads, of scores that are known but for the masks."""
        product: Op | None = None
        for op in attention.body:
            if op.kind.name == "softmax":
                return self.known.get(op.reads[0]) if op.reads else None
            if op.kind.name in ("matmul", "einsum") and product is None:
                product = op
                self.known[Value(op.path)] = Halves(Score(0.0, 1.0), Score(0.0, 1.0))
            else:
                self.op(op)
        return None

    def op(self, op: Op) -> None:
        """Work out what an op gives."""
        self.known[Value(op.path)] = self._given(op)

    def _given(self, op: Op) -> Held | None:
        name = op.kind.name
        if op.kind is CONSTANT:
            return _constant(op)
        reads = [self.known[value] if value in self.known else self.value(value) for value in op.reads]
        first = reads[0] if reads else None
        if op.kind in _SAME:
            return first
        if name == "dropout":
            return None
        if op.kind in _LAST:
            return _viewed(op, first)
        if name == "triangle":
            return _triangle(op, first) if isinstance(first, Halves) else None
        if name == "compare":
            return _compared(op, reads)
        if name in ("where", "masked_fill"):
            return _chosen(op, reads)
        if name == "logical":
            return _logical(op, reads)
        return _computed(op, reads)


def _both(found: Halves | None, how: Callable[[Score], Score | None]) -> Halves | None:
    kept, hidden = (how(found.kept), how(found.hidden)) if found is not None else (None, None)
    return Halves(kept, hidden) if kept is not None and hidden is not None else None


def _plain(value: AttrValue) -> Halves | None:
    if isinstance(value, bool | int | float) and not (isinstance(value, float) and math.isnan(value)):
        return Halves(Score(value), Score(value))
    return None


def _constant(op: Op) -> Held | None:
    if op.attr("value") == "arange":
        return Line(0, 1) if op.attr("start", 0) == 0 and op.attr("step", 1) == 1 else None
    return _plain(op.attr("value"))


def _viewed(op: Op, held: Held | None) -> Held | None:
    """Behind a view, or what cuts a square off: axes of one entry are added, the last two stay."""
    if op.kind.name == "reshape":
        if isinstance(held, Halves):
            form, shape = op.attr("form"), op.attr("shape")
            if form in ("unsqueeze", "squeeze"):
                return held if op.attr("axis") in (0, 1, (0,), (0, 1)) else None
            leading = shape[:-2] if isinstance(shape, tuple) and form is None else (0,)
            return held if all(size == 1 for size in leading) else None
        axis = op.attr("axis")
        if isinstance(held, Line) and op.attr("form") == "unsqueeze" and isinstance(axis, int):
            at = axis % (held.rank + 1)
            return Line(held.behind + (at > held.rank - 1 - held.behind), held.rank + 1)
        return None
    index = op.attr("index")
    rows = index if isinstance(index, tuple) and index[:1] != ("slice",) else (index,)
    if op.states("axis") or op.states("start"):
        return None
    new = [row is None for row in rows]
    if any(row is not None and not _is_from_the_start(row) for row in rows):
        return None
    if isinstance(held, Line):
        if held.rank != 1 or new.count(False) != 1:
            return None
        return Line(len(rows) - 1 - new.index(False), len(rows))
    return held if not any(new[-2:]) or all(new) else None


def _is_from_the_start(row: AttrValue) -> bool:
    return row == "..." or (isinstance(row, tuple) and row[:2] == ("slice", None) and row[3:] in ((None,), (1,)))


def _triangle(op: Op, held: Halves) -> Halves | None:
    """The lower triangle has the keys up to the query, the upper one from 1 on those behind."""
    upper, diagonal = op.attr("upper"), op.attr("diagonal", 0)
    nothing = Score(False if isinstance(held.kept.number, bool) else 0)
    if held.kept.share or held.hidden.share or isinstance(diagonal, bool):
        return None
    if upper is False and diagonal == 0:
        return Halves(held.kept, nothing)
    return Halves(nothing, held.hidden) if upper is True and diagonal == 1 else None


def _compared(op: Op, reads: Sequence[Held | None]) -> Halves | None:
    relation = str(op.attr("relation"))
    if len(reads) == 1:
        by = op.attr("by")
        if not isinstance(reads[0], Halves) or not isinstance(by, bool | int | float):
            return None
        return _both(reads[0], lambda score: _related(score, relation, by))
    one, other = (*reads, None, None)[:2]
    if not (isinstance(one, Line) and isinstance(other, Line)) or {one.behind, other.behind} != {0, 1}:
        return None
    if one.behind == 0:
        relation = {"ge": "le", "le": "ge", "gt": "lt", "lt": "gt"}.get(relation, "")  # of the query with the key
    found = _COMPARED.get(relation)
    return Halves(Score(found[0]), Score(found[1])) if found is not None else None


_RELATIONS: Mapping[str, Callable[[float, float], bool]] = {
    "eq": lambda one, other: one == other,
    "ne": lambda one, other: one != other,
    "lt": lambda one, other: one < other,
    "le": lambda one, other: one <= other,
    "gt": lambda one, other: one > other,
    "ge": lambda one, other: one >= other,
}


def _related(score: Score, relation: str, by: float) -> Score | None:
    if score.share or relation not in _RELATIONS:
        return None
    return Score(_RELATIONS[relation](score.number, by))


def _chosen(op: Op, reads: Sequence[Held | None]) -> Halves | None:
    """The one or the other, by a truth."""
    yes: Held | None
    no: Held | None
    if op.kind.name == "masked_fill":
        no, truth = (*reads, None, None)[:2]
        yes = _plain(op.attr("by"))
    else:
        behind = iter(reads)
        truth = next(behind, None)
        yes, no = (_plain(op.attr(name)) if op.states(name) else next(behind, None) for name in ("yes", "no"))
    if not (isinstance(truth, Halves) and isinstance(yes, Halves) and isinstance(no, Halves)):
        return None
    if truth.kept.share or truth.hidden.share:
        return None
    return Halves(
        yes.kept if truth.kept.number else no.kept,
        yes.hidden if truth.hidden.number else no.hidden,
    )


def _logical(op: Op, reads: Sequence[Held | None]) -> Halves | None:
    found = [one for one in reads if isinstance(one, Halves)]
    if len(found) < len(reads) or any(one.kept.share or one.hidden.share for one in found):
        return None
    operator = op.attr("operator")
    if operator == "not" and len(found) == 1:
        return _both(found[0], lambda score: Score(not score.number))
    if operator not in ("and", "or") or len(found) != 2:
        return None
    all_of = all if operator == "and" else any
    one, other = found
    return Halves(
        Score(all_of((one.kept.number, other.kept.number))), Score(all_of((one.hidden.number, other.hidden.number)))
    )


def _computed(op: Op, reads: Sequence[Held | None]) -> Halves | None:
    """Sums, differences, products and quotients, of which one may be a constant."""
    name = "mul" if op.kind.name == "scale" else op.kind.name
    halves = [one for one in reads if isinstance(one, Halves)]
    if len(halves) < len(reads) or not halves:
        return None
    if name == "neg":
        halves, name = [halves[0], Halves(Score(-1), Score(-1))], "mul"
    elif len(halves) == 1:
        constant = _plain(op.attr("by"))
        if constant is None:
            return None
        halves.append(constant)
    if len(halves) != 2 or name not in ("add", "sub", "mul", "div"):
        return None
    one, other = reversed(halves) if op.attr("reverse") is True else halves
    kept, hidden = _of_two(name, one.kept, other.kept), _of_two(name, one.hidden, other.hidden)
    return Halves(kept, hidden) if kept is not None and hidden is not None else None


def _of_two(name: str, one: Score, other: Score) -> Score | None:
    if name in ("add", "sub"):
        sign = 1 if name == "add" else -1
        found = Score(one.number + sign * other.number, one.share + sign * other.share)
    elif name == "mul" and not (one.share and other.share):
        if other.share:
            one, other = other, one
        found = Score(one.number * other.number, one.share * other.number)
    elif name == "div" and not other.share and other.number:
        found = Score(one.number / other.number, one.share / other.number)
    else:
        return None
    return None if math.isnan(found.number) or math.isnan(found.share) else found


__all__ = ["HIDDEN", "hides_later", "is_otherwise", "share_of", "shows_later"]
