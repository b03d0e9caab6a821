"""How many axes values have, where the ops that make and read them tell it: an axis counted from the end is then known
from the front.

Most ops fix the number of axes of what they give against that of what they read: the same, one more, two fewer. Some
say a number: a permutation lists all axes, a pattern names them, code that unpacks a shape counts them. All of it is
put together, forwards and backwards, as differences within classes of values. What contradicts itself tells nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from archcheck.ir.graph import Attr, Op, OpGraph, Size, Unknown, Value
from archcheck.ir.ops import FAMILIES

REDUCTIONS = frozenset(
    {"sum", "mean", "var", "std", "vector_norm", "reduce_max", "reduce_min", "prod", "logsumexp", "reduce_logical"}
    | {"argmax", "argmin"}
)
RANK = "rank"  # an attribute that tells of how many axes `axis` speaks
_SAME = frozenset(
    {kind.name for family in ("norm", "activation", "dropout", "softmax") for kind in FAMILIES[family]}
    | {
        "identity",
        "neg",
        "clamp",
        "cumsum",
        "cumprod",
        "exp",
        "log",
        "sqrt",
        "rsqrt",
        "pow",
        "abs",
        "triangle",
        "scale",
    }
    | {"masked_fill", "linear", "roll", "flip", "sort", "topk", "sin", "cos", "erf", "round", "sign", "split"}
)
_TOGETHER = frozenset(["add", "sub", "mul", "div", "maximum", "minimum", "where", "compare", "residual", "logical"])
_ALIKE = frozenset({"split", "topk", "sort"})  # all that they give has as many axes
_PLANES = frozenset({"conv", "conv_transpose", "pool"})
_ROUNDS = 4  # of what depends on numbers that were found in the round before
_NUMBERS = Value("", -1)  # stands for 0


@dataclass(frozen=True)
class Ranks:
    """What a reader knows of the axes of the values of a graph.

    Args:
        graph: as it was read.
        kept: reductions, by path -> whether the axes that they reduce stay.
        told: values of which code counts the axes.
    """

    graph: OpGraph
    kept: Mapping[str, bool] = field(default_factory=dict)
    told: Mapping[Value, int] = field(default_factory=dict)

    @cached_property
    def known(self) -> dict[Value, int]:
        """The number of axes of each value for which it follows."""
        classes = _Classes()
        for value, count in self.told.items():
            classes.join(value, _NUMBERS, count)
        alike = {op.path for op in self.graph.ops if op.kind.name in _ALIKE}
        ops = [
            replace(op, reads=tuple(Value(read.op) if read.op in alike else read for read in op.reads))
            if any(read.index and read.op in alike for read in op.reads)
            else op
            for op in self.graph.ops
        ]
        for _ in range(_ROUNDS):
            before = classes.joined
            for op in ops:
                self._constrain(op, classes)
            if classes.joined == before:
                break
        values = {Value(op.path) for op in self.graph.ops} | {read for op in self.graph.ops for read in op.reads}
        found = {value: classes.above(Value(value.op) if value.op in alike else value, _NUMBERS) for value in values}
        return {value: count for value, count in found.items() if count is not None and count >= 0}

    def counted(self, op: Op) -> int | None:
        """The number of axes among which an op's `axis` is one; None where that does not follow."""
        first = op.reads[0] if op.reads else None
        rank = None if first is None else self.known.get(first)
        new = op.kind.name == "stack" or op.attr("form") == "unsqueeze"
        return None if rank is None else rank + new

    def _constrain(self, op: Op, classes: _Classes) -> None:
        """What one op says."""
        name, here = op.kind.name, Value(op.path)
        shape = op.attr("shape")
        if not op.reads:
            if name in ("parameter", "constant", "random") and (count := _length(shape)) is not None:
                classes.join(here, _NUMBERS, count)
            return
        first = op.reads[0]
        if name in _TOGETHER:
            self._broadcast(op, here, classes)
        elif name == "matmul":
            self._product(op, here, classes)
        elif name in ("concat", "stack"):
            for other in op.reads[1:]:
                classes.join(other, first, 0)
            classes.join(here, first, name == "stack")
        elif name == "split" and op.attr("unbind") is True:
            classes.join(here, first, -1)
        elif name in _SAME:
            classes.join(here, first, 0)
        elif name == "embedding":
            classes.join(here, op.reads[-1], 1)
        elif name in _PLANES and isinstance(axes := op.attr("axes"), int):
            classes.join(first, _NUMBERS, axes + 2)
            classes.join(here, _NUMBERS, axes + 2)
        elif name in REDUCTIONS:
            self._reduced(op, here, classes)
        elif name == "permute":
            classes.join(here, first, 0)
            if isinstance(axes := op.attr("axes"), tuple) and op.attr("batch_apart") is not True:
                classes.join(here, _NUMBERS, len(axes))
        elif name == "reshape":
            self._reshaped(op, here, classes)
        elif name == "expand" and (count := _length(shape)) is not None:
            classes.join(here, _NUMBERS, count)
        elif name == "select":
            self._selected(op, here, classes)
        elif name in ("rearrange", "einsum"):
            _by_letters(op, here, classes)

    def _broadcast(self, op: Op, here: Value, classes: _Classes) -> None:
        """The most axes of any operand."""
        gaps = [classes.above(read, op.reads[0]) for read in op.reads]
        known = [gap for gap in gaps if gap is not None]
        if len(known) == len(gaps):
            classes.join(here, op.reads[0], max(known))
            return
        ranks = {read: classes.above(read, _NUMBERS) for read in op.reads}
        unknown = [read for read, rank in ranks.items() if rank is None]
        if len({classes.root(read) for read in unknown}) == 1 and max(rank or 0 for rank in ranks.values()) <= 1:
            classes.join(here, unknown[0], max(classes.above(read, unknown[0]) or 0 for read in unknown))

    def _product(self, op: Op, here: Value, classes: _Classes) -> None:
        """Of two matrices in the last axes, with the others broadcast."""
        if len(op.reads) != 2:
            return
        left, right = op.reads
        if classes.above(right, _NUMBERS) == 2 or ((gap := classes.above(left, right)) is not None and gap >= 0):
            classes.join(here, left, 0)

    def _reduced(self, op: Op, here: Value, classes: _Classes) -> None:
        stays, axis = self.kept.get(op.path), op.attr("axis")
        if stays is None:
            return
        if stays:
            classes.join(here, op.reads[0], 0)
        elif isinstance(axis, int) or (isinstance(axis, tuple) and axis and all(isinstance(at, int) for at in axis)):
            classes.join(here, op.reads[0], -1 if isinstance(axis, int) else -len(axis))
        elif not op.states("axis"):
            classes.join(here, _NUMBERS, 0)

    def _reshaped(self, op: Op, here: Value, classes: _Classes) -> None:
        form, axis, end, first = op.attr("form"), op.attr("axis"), op.attr("end"), op.reads[0]
        if op.attr("batch_apart") is True:
            return
        if form is None and (count := _length(op.attr("shape"))) is not None:
            classes.join(here, _NUMBERS, count)
        elif form == "unsqueeze" and isinstance(axis, int):
            classes.join(here, first, 1)
        elif form == "flatten" and isinstance(axis, int) and isinstance(end, int):
            if (axis < 0) == (end < 0):
                classes.join(here, first, axis - end)
            elif end == -1:
                classes.join(here, _NUMBERS, axis + 1)
        elif form == "unflatten" and (count := _length(op.attr("shape"))) is not None:
            classes.join(here, first, count - 1)

    def _selected(self, op: Op, here: Value, classes: _Classes) -> None:
        first, index = op.reads[0], op.attr("index")
        if op.states("start") or op.states("length"):
            classes.join(here, first, 0)
            return
        if not op.states("index") or len(op.reads) > 1 or op.states("offset") or here.index:
            return
        if op.states("axis"):
            if isinstance(index, int) and not isinstance(index, bool):
                classes.join(here, first, -1)
            return
        parts = index if isinstance(index, tuple) and index[:1] != ("slice",) else (index,)
        gap = 0
        for part in parts:
            if isinstance(part, bool) or not (part is None or part == "..." or isinstance(part, (int, tuple))):
                return
            if isinstance(part, tuple) and part[:1] != ("slice",):
                return
            gap += (part is None) - isinstance(part, int)
        classes.join(here, first, gap)


def _length(shape: object) -> int | None:
    """How many axes a stated shape has; one of its entries that is not known may stand for several."""
    if not isinstance(shape, tuple):
        return None
    whole = all(not isinstance(entry, Unknown) or isinstance(entry, Size) for entry in shape)
    return len(shape) if whole else None


def _by_letters(op: Op, here: Value, classes: _Classes) -> None:
    """What a pattern of einops, or the subscripts of a sum, name."""
    written = op.attr("pattern" if op.kind.name == "rearrange" else "equation")
    if not isinstance(written, str) or "..." in written or "->" not in written:
        return
    left, right = written.split("->")
    if op.kind.name == "rearrange":
        sides = [_axes(left), _axes(right)]
        operands = op.reads[:1]
    else:
        sides = [len("".join(term.split())) for term in (*left.split(","), right)]
        operands = op.reads
    if len(operands) == len(sides) - 1:
        for value, count in zip((*operands, here), sides, strict=True):
            classes.join(value, _NUMBERS, count)


def _axes(side: str) -> int:
    """How many axes one side of a pattern of einops has: what is in parentheses is one."""
    count, depth = 0, 0
    for token in side.replace("(", " ( ").replace(")", " ) ").split():
        count += depth == 0 and token != ")"
        depth += (token == "(") - (token == ")")
    return count


class _Classes:
    """Values in classes, within which the differences of their numbers of axes are known."""

    def __init__(self) -> None:
        self._parent: dict[Value, tuple[Value, int]] = {}  # value -> one of its class, and how many axes more it has
        self._broken: set[Value] = set()
        self.joined = 0

    def root(self, value: Value) -> Value:
        """The value by which a class is known."""
        return self._find(value)[0]

    def above(self, value: Value, other: Value) -> int | None:
        """How many axes more `value` has than `other`; None where that is not known."""
        (one, up), (two, down) = self._find(value), self._find(other)
        return up - down if one == two and one not in self._broken else None

    def join(self, value: Value, other: Value, gap: int) -> None:
        """`value` has `gap` axes more than `other`."""
        (one, up), (two, down) = self._find(value), self._find(other)
        if one != two:
            self._parent[one] = two, gap + down - up
            self.joined += 1
            if one in self._broken:
                self._broken.add(two)
        elif up - down != gap:
            self._broken.add(one)

    def _find(self, value: Value) -> tuple[Value, int]:
        path: list[tuple[Value, int]] = []
        while value in self._parent:
            parent, gap = self._parent[value]
            path.append((value, gap))
            value = parent
        above = 0
        for below, gap in reversed(path):
            above += gap
            self._parent[below] = value, above
        return value, above


def ranked(graph: OpGraph, ranks: Ranks) -> OpGraph:
    """`graph`, with the number of axes stated on ops that state one of them, where it is known."""
    at = {op.path: op for op in ranks.graph.ops}

    def told(ops: Iterable[Op]) -> tuple[Op, ...]:
        return tuple(map(one, ops))

    def one(op: Op) -> Op:
        body = told(op.body) if op.body else op.body
        read = at.get(op.path)
        count = ranks.counted(read) if read is not None and read.kind is op.kind and op.states("axis") else None
        if count is None:
            return op if body is op.body else replace(op, body=body)
        attrs = sorted((*op.attrs, Attr(RANK, count)), key=lambda attr: attr.name)
        return replace(op, body=body, attrs=tuple(attrs))

    return OpGraph(told(graph.ops), graph.results, graph.origin)
