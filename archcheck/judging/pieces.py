"""Maps whose result is cut into parts, as a map for each part: `i, f = split(W x + U h)` for `i = W_i x + U_i h`.

Papers write a matrix for each gate, code keeps the gates in one and cuts what it gives, perhaps behind sums and
activations, which act on each entry by itself. The parts of a matrix share no number, so that each is a matrix of its
own; where a part is cut off one of the weights, the same holds. What else reads the whole, or a cut that is not known
to be one of the features, leaves the map as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from archcheck.ir.graph import Attr, AttrValue, Op, OpGraph, Unknown, Value
from archcheck.ir.ops import FAMILIES, kind
from archcheck.judging.features import MAPS, is_of_features

SPLIT, LINEAR, PARAMETER = map(kind, ("split", "linear", "parameter"))
MOST_DEEP = 16  # ops between a cut and the maps whose sum is cut
MOST_PARTS = 16
_EACH = frozenset(
    {one.name for one in FAMILIES["activation"] if one.name not in ("glu", "maxout", "prelu")}
    | {"add", "sub", "mul", "neg", "identity", "dropout", "scale", "clamp"}
)  # ops that make each entry of what stands in its place


def in_parts(graph: OpGraph) -> tuple[OpGraph, tuple[Op, ...]]:
    """`graph`, laid out without sublayers, with a map for each part; and the cuts of which the axis is not known."""
    unsure: list[Op] = []
    left: set[str] = set()  # cuts that stay
    while True:
        found = _Cutting(graph)
        for op in graph.ops:
            if op.kind is SPLIT and op.path not in left and op.attr("unbind") is not True:
                cut = found.cut(op)
                if cut is not None:
                    graph, axis_known = _owning(cut[0]), cut[1]
                    unsure += [] if axis_known else [op]
                    break
                left.add(op.path)
        else:
            return graph, tuple(unsure)


def _owning(graph: OpGraph) -> OpGraph:
    """`graph` with the linear maps that read weights of their own as maps that own them."""
    found = _Cutting(graph)
    owns = {op.path for op in graph.ops if op.kind is LINEAR and len(op.reads) > 1 and found.owns(op)}
    if not owns:
        return graph
    ops = [_owner(op, found.made) if op.path in owns else op for op in graph.ops]
    return OpGraph(_read(ops, graph.results), graph.results, graph.origin)


def _owner(op: Op, made: Mapping[str, Op]) -> Op:
    """A linear map without the weights that it reads; how many features it gives is told by those of a product."""
    stated = op.attrs
    (*_, last) = (made[read.op] for read in op.reads[1:])
    if [inner.kind.name for inner in op.body] == ["matmul"] and _shape(last) and not op.states("out_features"):
        product = op.body[0]
        width = _shape(last)[-2 if product.attr("transpose_b") is True else -1] if len(_shape(last)) > 1 else None
        if product.reads[1].op == last.path and isinstance(width, int):
            stated = tuple(sorted((*stated, Attr("out_features", width)), key=lambda attr: attr.name))
    return replace(op, reads=op.reads[:1], attrs=stated, body=(), gives=())


def _read(ops: Sequence[Op], results: Iterable[Value]) -> tuple[Op, ...]:
    """Without the weights that nothing reads any more."""
    used = {read.op for op in ops for read in op.reads} | {value.op for value in results}
    return tuple(op for op in ops if op.kind is not PARAMETER or op.path in used)


@dataclass
class _Cutting:
    graph: OpGraph
    made: Mapping[str, Op] = field(init=False)
    reads: Counter[Value] = field(init=False)

    def __post_init__(self) -> None:
        self.made = {op.path: op for op in self.graph.ops}
        self.reads = Counter([read for op in self.graph.ops for read in op.reads] + list(self.graph.results))

    def cut(self, split: Op) -> tuple[OpGraph, bool] | None:
        """The graph with what is cut made in parts, and whether the axis is known to be that of the features."""
        parts = sorted(
            {read.index for op in self.graph.ops for read in op.reads if read.op == split.path}
            | {value.index for value in self.graph.results if value.op == split.path}
        )
        if not parts or parts[-1] >= MOST_PARTS or len(split.reads) != 1:
            return None
        whole = self._whole(split.reads[0])
        if whole is None or not _alike(whole):
            return None
        known = True
        for op in whole:
            fits = is_of_features(split, op) if op.kind in MAPS else True
            if fits is False or (op.kind in MAPS and op.attr("groups", 1) != 1):
                return None
            known = known and fits is True
        paths = {op.path for op in whole}
        names = {Value(split.path, part): Value(f"{split.reads[0].op}'{part}") for part in parts}
        ops: list[Op] = []
        for op in self.graph.ops:
            if op.path in paths:
                ops += [_part(op, part, paths, split) for part in parts]
            elif op.path != split.path:
                ops.append(replace(op, reads=tuple(names.get(read, read) for read in op.reads), body=_body(op, names)))
        results = tuple(names.get(value, value) for value in self.graph.results)
        return OpGraph(_read(ops, results), results, self.graph.origin), known

    def _whole(self, value: Value) -> list[Op] | None:
        """The ops that make what is cut, up to maps; None where something else reads one of them, or is cut too."""
        found: list[Op] = []
        waiting = [value]
        while waiting:
            read = waiting.pop()
            op = self.made.get(read.op)
            if op is None or read.index or self.reads[read] != 1 or len(found) >= MOST_DEEP:
                return None
            found.append(op)
            if op.kind in MAPS:
                if not self.owns(op):
                    return None
            elif op.reads and (op.kind.name in _EACH or self._repeats_a_vector(op)):
                waiting += op.reads
            elif op.kind is not PARAMETER or (len(found) > 1 and not _is_vector(op)):
                return None
        return found

    def _repeats_a_vector(self, op: Op) -> bool:
        return op.kind.name == "expand" and _is_vector(self.made.get(op.reads[0].op, op))

    def owns(self, op: Op) -> bool:
        """Whether what a map learns is not told, or is nothing else's."""
        return len(op.reads) < 2 or all(
            self.reads[read] == 1 and read.op in self.made and self.made[read.op].kind is PARAMETER
            for read in op.reads[1:]
        )


def _alike(whole: list[Op]) -> bool:
    """Whether all that is learned among what is cut is as wide: none of it is repeated along the axis of the cut."""
    widths = [op.attr("out_features") for op in whole if op.kind in MAPS]
    widths += [(_shape(op) or (None,))[-1] for op in whole if op.kind is PARAMETER]
    return len(widths) == 1 or (len(set(widths)) == 1 and type(widths[0]) is int)


def _is_vector(op: Op) -> bool:
    return op.kind is PARAMETER and len(_shape(op)) == 1


def _body(op: Op, names: Mapping[Value, Value]) -> tuple[Op, ...]:
    return tuple(
        replace(inner, reads=tuple(names.get(read, read) for read in inner.reads), body=_body(inner, names))
        for inner in op.body
    )


def _part(op: Op, part: int, whole: set[str], split: Op) -> Op:
    """What an op makes of one part."""
    path = f"{op.path}'{part}"
    if op.kind in MAPS:
        width = _width(op.attr("out_features"), part, split)
        kept = tuple(attr for attr in op.attrs if attr.name != "out_features")
        stated = sorted((*kept, Attr("out_features", width)), key=lambda attr: attr.name)
        return replace(op, path=path, reads=op.reads[:1], attrs=tuple(stated), body=(), gives=())
    if op.kind is PARAMETER:
        shape = _shape(op)
        axis = split.attr("axis")
        if isinstance(axis, int) and -len(shape) <= axis < len(shape):
            sizes = list(shape)
            sizes[axis] = _width(shape[axis], part, split)
            given = [attr if attr.name != "shape" else Attr("shape", tuple(sizes)) for attr in op.attrs]
        else:
            given = [attr for attr in op.attrs if attr.name != "shape"]
        return replace(op, path=path, attrs=tuple(given))
    reads = tuple(Value(f"{read.op}'{part}") if read.op in whole else read for read in op.reads)
    return replace(op, path=path, reads=reads, body=(), gives=())


def _shape(op: Op) -> tuple[AttrValue, ...]:
    shape = op.attr("shape")
    return shape if isinstance(shape, tuple) else ()


def _width(whole: AttrValue | None, part: int, split: Op) -> AttrValue:
    """How many features a part has."""
    widths = list(_widths(whole, split))
    return widths[part] if part < len(widths) else Unknown("the size of a part", split.span)


def _widths(whole: AttrValue | None, split: Op) -> Iterator[AttrValue]:
    size, sections = split.attr("size"), split.attr("sections")
    if isinstance(size, int) and size > 0 and isinstance(whole, int):
        yield from (min(size, whole - at) for at in range(0, whole, size))
    elif isinstance(size, tuple):
        yield from (one if type(one) is int else Unknown("the size of a part", split.span) for one in size)
    elif isinstance(sections, int) and sections > 0 and isinstance(whole, int) and whole % sections == 0:
        yield from [whole // sections] * sections
    elif isinstance(sections, tuple) and isinstance(whole, int):
        told = [one for one in sections if type(one) is int and 0 < one <= whole]
        ends = [*told, whole]
        rises = all(one < other for one, other in pairwise(ends))  # where to cut, as in NumPy
        if len(told) == len(sections) and (sum(told) == whole) != rises:
            yield from (end - start for start, end in pairwise([0, *ends])) if rises else told


__all__ = ["in_parts"]
