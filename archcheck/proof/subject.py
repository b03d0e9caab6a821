"""A body that is to be proved, with what stands around it: the op that states what it is, and where its values come
from."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from archcheck.ir.graph import Attr, AttrValue, Op, Size, Unknown, Value
from archcheck.ir.verify import free_values
from archcheck.proof.evaluate import REDUCING

_VIEWS = frozenset({"identity", "reshape", "permute", "expand"})
_MOVES = _VIEWS | {"select", "split"}
_FARTHEST = 12  # ops between two operands one of which is a view of the other
_MOST_REDUCTIONS = 5
_LARGE = 1e3
_KEEPING = frozenset({"identity", "dropout", "rope"})  # the count of features
_PER_TOKEN = frozenset({"linear", "norm", "activation", "dropout", "scale"})


@dataclass(frozen=True, slots=True)
class Subject:
    """Ops that are said to be a formula.

    Args:
        kind: the name of what they are said to be.
        ops: in program order, learned tensors and constants among them.
        result: the value that the formula gives.
        reads: the values that they read from outside, in the order in which the op lists them.
        attrs: what the op states.
        shapes: recorded sizes of values, where a trace knows them.
        width: count of entries of the last axis of the first value read, where what gives it tells.
        alike: value outside -> value read, of the same sizes but for the last axis: a token's features were mapped.
        penalties: values read that are a large number times a mask, which hides what it marks by being subtracted.
    """

    kind: str
    ops: tuple[Op, ...]
    result: Value
    reads: tuple[Value, ...]
    attrs: tuple[Attr, ...] = ()
    shapes: Mapping[Value, tuple[int, ...]] = field(default_factory=dict)
    width: int | None = None
    alike: Mapping[Value, Value] = field(default_factory=dict)
    penalties: frozenset[Value] = frozenset()

    def stated(self, name: str, default: AttrValue = None) -> AttrValue:
        """The value of an attribute, `default` where it is not stated."""
        return next((attr.value for attr in self.attrs if attr.name == name), default)

    @property
    def learned(self) -> tuple[Op, ...]:
        """The learned tensors."""
        return tuple(op for op in self.ops if op.kind.name == "parameter")

    @property
    def computing(self) -> tuple[Op, ...]:
        """The ops that are no learned tensors."""
        return tuple(op for op in self.ops if op.kind.name != "parameter")

    def depending_on(self, values: Sequence[Value]) -> frozenset[str]:
        """The paths of the ops whose value depends on one of `values`."""
        found: set[str] = set()
        wanted = set(values)
        for op in self.ops:
            if any(value in wanted or value.op in found for value in op.reads):
                found.add(op.path)
        return frozenset(found)

    def dropped(self) -> Iterator[frozenset[str]]:
        """The sets of reductions whose axes may go: none first, since that is how formulas are written."""
        paths = [op.path for op in self.ops if op.kind.name in REDUCING]
        if len(paths) > _MOST_REDUCTIONS:
            yield frozenset()
            yield frozenset(paths)
            return
        for count in range(len(paths) + 1):
            yield from (frozenset(chosen) for chosen in combinations(paths, count))

    def key(self) -> Hashable:
        """Equal for subjects that compute the same and state the same; only paths and places may differ."""
        numbers: dict[Value, int] = {}
        opens: dict[Unknown, int] = {}
        paths: dict[str, int] = {}

        def value(one: Value) -> int:
            return numbers.setdefault(one, len(numbers))

        def attr(one: AttrValue) -> Hashable:
            if isinstance(one, Size):
                return "size", one.axes, one.power, None if one.of is None else value(one.of)
            if isinstance(one, Unknown):
                return "open", opens.setdefault(one, len(opens)), one.why
            if isinstance(one, tuple):
                return tuple(attr(row) for row in one)
            return type(one).__name__, one

        def row(op: Op) -> Hashable:
            reads = tuple(value(one) for one in op.reads)
            stated = tuple((one.name, attr(one.value)) for one in op.attrs if one.name != "name")
            inner = tuple(row(one) for one in op.body)
            paths[op.path] = len(paths)
            numbers[Value(op.path)] = len(numbers)
            return op.kind.name, reads, stated, inner, tuple(value(one) for one in op.gives)

        reads = tuple(value(one) for one in self.reads)
        rows = tuple(row(op) for op in self.ops)
        stated = tuple((one.name, attr(one.value)) for one in self.attrs)
        shapes = tuple((numbers[one], shape) for one, shape in self.shapes.items() if one in numbers)
        alike = tuple((numbers[one], numbers.get(other)) for one, other in self.alike.items() if one in numbers)
        penalties = frozenset(numbers[one] for one in self.penalties if one in numbers)
        return self.kind, reads, rows, stated, value(self.result), shapes, self.width, alike, penalties


def subject_of(op: Op, givers: Mapping[str, Op], shapes: Mapping[Value, tuple[int, ...]]) -> Subject:
    """The body of a raised op, as a subject.

    Learned tensors and constants that it reads from outside join it, and so do the views by which one of its operands
    was made from another: `x.reshape(..., -1, 2)`, of which a rotation reads the parts.

    Args:
        op: of the layer tier, with a body.
        givers: the ops of the graph by path.
        shapes: recorded sizes.
    """
    joined: list[Op] = []
    reads = list(op.reads)
    for value in op.reads:
        chain = _chain(value, givers, set(reads) - {value})
        if chain:
            joined += [one for one in chain if one not in joined]
            reads.remove(value)
    inside = {one.path for one in op.body}
    known = {value: shapes[value] for value in (*reads, *_asked(op.body)) if value in shapes and value.op not in inside}
    alike = {of: one for of in _asked(op.body) for one in reads if of not in reads and _is_mapped(one, of, givers)}
    width = _width(reads[0], givers) if reads else None
    ops = (*joined, *op.body)
    penalties = frozenset(one for one in reads if _is_penalty(givers.get(one.op)))
    return Subject(op.kind.name, ops, op.results[0], tuple(reads), op.attrs, known, width, alike, penalties)


def _is_penalty(op: Op | None) -> bool:
    by = op.attr("by") if op is not None and op.kind.name in ("mul", "scale") else None
    return isinstance(by, (int, float)) and by >= _LARGE


def _is_mapped(value: Value, of: Value, givers: Mapping[str, Op]) -> bool:
    """Whether `value` was made from `of` by ops that act on the features of each token alone."""
    for _ in range(_FARTHEST):
        if value == of:
            return True
        op = givers.get(value.op)
        if op is None or not op.reads or value.index or op.kind.family not in _PER_TOKEN or op.states("axis"):
            return False
        value = op.reads[0]
    return False


def _width(value: Value, givers: Mapping[str, Op]) -> int | None:
    """How many entries the last axis of `value` has, where a reshape or a linear map tells."""
    for _ in range(_FARTHEST):
        op = givers.get(value.op)
        if op is None or not op.reads or value.index:
            return None
        shape = op.attr("shape")
        told = op.attr("out_features") if op.kind.name == "linear" else None
        if op.kind.name == "reshape" and not op.states("form") and isinstance(shape, tuple) and shape:
            told = shape[-1]
        if told is not None:
            return told if isinstance(told, int) and told > 1 else None
        moved = (op.attr("axis"), op.attr("other_axis"))
        if op.kind.name not in _KEEPING and op.kind.family != "norm" and moved not in ((1, 2), (2, 1)):
            return None
        value = op.reads[0]
    return None


def _asked(ops: Sequence[Op]) -> Iterator[Value]:
    """The values whose sizes attributes ask for."""
    stack: list[AttrValue] = [attr.value for op in ops for inner in op.walk() for attr in inner.attrs]
    while stack:
        one = stack.pop()
        if isinstance(one, tuple):
            stack.extend(one)
        elif isinstance(one, Size) and one.of is not None:
            yield one.of


def _chain(value: Value, givers: Mapping[str, Op], others: set[Value]) -> tuple[Op, ...]:
    """The ops that make `value` from one of `others`, or from nothing that is given; () where they do not."""
    chain: list[Op] = []
    at = value
    for _ in range(_FARTHEST):
        op = givers.get(at.op)
        if op is None or op.body:
            return ()
        chain.append(op)
        if op.kind.name in ("parameter", "constant") and not op.reads:
            return tuple(reversed(chain))
        if op.kind.name not in _MOVES or len(op.reads) != 1:
            return ()
        at = op.reads[0]
        if at in others:
            return tuple(reversed(chain))
    return ()


def chain_of(ops: Sequence[Op], reads: Sequence[Value], result: Value, kind: str = "") -> Subject:
    """A chain of ops that nobody raised, as a subject; what it reads besides `reads` comes behind them."""
    more = [value for value in free_values(tuple(ops), (result,)) if value not in reads]
    return Subject(kind, tuple(ops), result, (*reads, *more))


def numbers_in(ops: Sequence[Op]) -> Iterator[tuple[Op, str, float]]:
    """Every number that an op states as an operand, a bound or an epsilon: op, attribute, number."""
    for op in ops:
        for attr in op.attrs:
            plain = isinstance(attr.value, (int, float)) and not isinstance(attr.value, bool)
            if plain and attr.name in ("by", "min", "max", "eps", "value", "exponent", "alpha", "beta", "yes", "no"):
                yield op, attr.name, float(attr.value)  # type: ignore[arg-type]


def opens_in(ops: Sequence[Op], number: Unknown) -> list[tuple[str, str]]:
    """Where ops state the open number `number`: paths and attributes."""
    return [
        (op.path, attr.name)
        for op in ops
        for attr in op.attrs
        if isinstance(attr.value, Unknown) and attr.value == number
    ]


def rounded(ops: Sequence[Op], exact: Sequence[float]) -> dict[tuple[str, str], float]:
    """Numbers that are one of `exact` in single precision, which models compute in: (path, attribute) -> exact one.

    0.79788456 is sqrt(2 / pi) to all digits that a float32 has; 0.7978 is not.
    """
    import numpy as np

    found: dict[tuple[str, str], float] = {}
    for op, name, number in numbers_in(ops):
        for one in exact:
            if number != one and math.isfinite(number) and np.float32(number) == np.float32(one):
                found[op.path, name] = one
    return found
