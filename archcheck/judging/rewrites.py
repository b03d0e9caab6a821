"""Other spellings of what code computes, for a claim that is written in one of them.

A paper writes `W x + U h` where code has one map, or one convolution, of `[x; h]`; it leaves out the small number that
keeps a quotient or a root finite. Code is held against a claim in these spellings only where it is not the same in its
own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import permutations

from archcheck.ir.equivalences import (
    BIAS,
    BORDERS,
    COMPLEMENT,
    EPSILON,
    FUSED,
    GIVEN,
    JOINED,
    OUTPUTS,
    OUTWARD,
    unstated,
)
from archcheck.ir.graph import Op, OpGraph, Value, attrs
from archcheck.ir.ops import kind
from archcheck.judging.complements import complements
from archcheck.judging.cuts import with_parts_as_inputs, without_heads
from archcheck.judging.features import MAPS, convolution, is_of_features
from archcheck.judging.outward import through
from archcheck.judging.pieces import in_parts
from archcheck.judging.windows import without_borders
from archcheck.passes.values import rename

ADD, CONCAT, CONSTANT, INPUT, PARAMETER, SELECT, SPLIT = map(
    kind, ("add", "concat", "constant", "input", "parameter", "select", "split")
)
LARGEST_EPSILON = 1e-3
MOST_PARTS = 8
MOST_CALLED = 4  # inputs of which every order is tried
_FINITE = frozenset({"sqrt", "rsqrt", "log"})  # what is given a small number to stay finite


@dataclass(frozen=True, slots=True)
class Rewritten:
    """Code in another spelling, and what has to be taken as equal for it.

    Attributes:
        unsure: concatenations of which it is not known that a map reads the axis along which they join.
    """

    graph: OpGraph
    used: frozenset[str]
    unsure: tuple[Op, ...] = ()


def rewritten(stated: OpGraph, actual: OpGraph) -> Iterator[Rewritten]:
    """`actual` without what `stated` leaves out, and with its sums; both graphs laid out without sublayers."""
    found = _with_inputs(stated, _unpacked(_of_results(stated, Rewritten(actual, frozenset()))))
    found = _named(found, with_parts_as_inputs(stated, found.graph), GIVEN)
    if not any(op.kind is SPLIT for op in stated.walk()):
        found = _in_parts(_with_biases(found))  # the bias of a map that is then cut is cut with it
    found = _named(found, without_heads(stated, found.graph), unstated("reshape"))
    found = _named(found, without_borders(stated, found.graph), BORDERS)
    found = _named(found, through(stated, found.graph), OUTWARD)
    found = _with_biases(found)
    if not any(op.kind is ADD and op.states("by") for op in stated.walk()):
        found = _without_offsets(found)
    if not any(_is_epsilon(op) for op in stated.walk()):
        found = _without_epsilons(found)
    if _adds_maps(stated):
        found = _unjoined(found)
    if found.used:
        yield found
    for other in complements(found.graph):
        yield replace(found, graph=other, used=found.used | {COMPLEMENT})


def _named(code: Rewritten, graph: OpGraph, name: str) -> Rewritten:
    """`code` as `graph`, by the equivalence of this name, where that is another one."""
    return code if graph is code.graph else replace(code, graph=graph, used=code.used | {name})


def called(stated: OpGraph, code: OpGraph) -> Iterator[OpGraph]:
    """`code`, and where a claim calls its inputs otherwise, with each way to take these for the claim's."""
    yield code
    names = [op.attr("name") for op in stated.ops if op.kind is INPUT]
    inputs = [op for op in code.ops if op.kind is INPUT]
    own = {op.attr("name") for op in inputs}
    if not 1 < len(inputs) == len(set(names)) <= MOST_CALLED or own & set(names):
        return
    for order in permutations(names):
        given = {op.path: name for op, name in zip(inputs, order, strict=True)}
        ops = tuple(replace(op, attrs=attrs(name=given[op.path])) if op.path in given else op for op in code.ops)
        yield OpGraph(ops, code.results, code.origin)


def _of_results(stated: OpGraph, code: Rewritten) -> Rewritten:
    """Of code that gives more than a claim states, what comes first."""
    graph, count = code.graph, len(stated.results)
    if len(graph.results) <= count:
        return code
    results = graph.results[:count]
    needed = {value.op for value in results}
    for op in reversed(graph.ops):
        if op.path in needed:
            needed |= {read.op for read in op.reads}
    kept = tuple(op for op in graph.ops if op.path in needed or op.kind is INPUT)
    return replace(code, graph=OpGraph(kept, results, graph.origin), used=code.used | {OUTPUTS})


def _unpacked(code: Rewritten) -> Rewritten:
    """With each entry of a tuple that is given as an input of its own, where nothing else of the tuple is read."""
    graph = code.graph
    readers: dict[str, list[Op]] = {}
    for op in graph.ops:
        for path in {read.op for read in op.reads}:
            readers.setdefault(path, []).append(op)
    given = {value.op for value in graph.results}
    names: dict[Value, Value] = {}
    entries: dict[str, list[Op]] = {}
    for op in graph.ops:
        taken = readers.get(op.path, []) if op.kind is INPUT and op.path not in given else []
        places = [one.attr("index") if one.kind is SELECT and not one.states("axis") else None for one in taken]
        if not taken or not all(type(place) is int and place >= 0 for place in places):
            continue
        first = dict(reversed(list(zip(places, taken, strict=True))))
        names |= {Value(one.path): Value(first[place].path) for place, one in zip(places, taken, strict=True)}
        entries[op.path] = [Op(one.path, INPUT, span=op.span, because=op.because) for one in first.values()]
    if not entries:
        return code
    names = {one: other for one, other in names.items() if one != other}
    inside = {op.path for made in entries.values() for op in made} | {value.op for value in names}
    ops = [one for op in graph.ops if op.path not in inside for one in entries.get(op.path, (rename(op, names),))]
    results = tuple(names.get(value, value) for value in graph.results)
    return replace(code, graph=OpGraph(tuple(ops), results, graph.origin))


def _in_parts(code: Rewritten) -> Rewritten:
    """With a map for each part into which what maps give is cut."""
    graph, unsure = in_parts(code.graph)
    if graph is code.graph:
        return code
    return Rewritten(graph, code.used | {FUSED}, (*code.unsure, *unsure))


def _with_inputs(stated: OpGraph, code: Rewritten) -> Rewritten:
    """With constant tensors as inputs, where a claim has more of these: whatever is given there, it holds of them."""
    graph = code.graph
    lacking = sum(op.kind is INPUT for op in stated.ops) - sum(op.kind is INPUT for op in graph.ops)
    fixed = [op for op in graph.ops if op.kind is CONSTANT and op.attr("shape")]
    if lacking <= 0 or len(fixed) != lacking:
        return code
    ops = tuple(Op(op.path, INPUT, span=op.span, because=op.because) if op in fixed else op for op in graph.ops)
    return replace(code, graph=OpGraph(ops, graph.results, graph.origin), used=code.used | {GIVEN})


def _with_biases(code: Rewritten) -> Rewritten:
    """With a learned vector that is added to a sum as the bias of a map in it: `(a + W x) + b = a + (W x + b)`.

    It is one where it has an entry for each feature of the map, and these are on the last axis.
    """
    graph = _unrepeated(code.graph)
    made = {op.path: op for op in graph.ops}
    reads = Counter([read.op for op in graph.ops for read in op.reads] + [value.op for value in graph.results])
    names: dict[Value, Value] = {}
    biased: dict[str, Op] = {}
    for op in graph.ops:
        sides = [made.get(read.op) for read in op.reads] if op.kind is ADD and len(op.reads) == 2 else []
        vector = next((one for one in sides if one is not None and _is_vector(one) and reads[one.path] == 1), None)
        if vector is None:
            continue
        rest = next(read for read in op.reads if read.op != vector.path)
        taker = _unbiased(made, reads, rest.op, biased, vector)
        if taker is not None:
            told = (one for one in taker.attrs if one.name != "bias")
            given = sorted((*told, *attrs(bias=True)), key=lambda one: one.name)
            biased[taker.path] = replace(taker, attrs=tuple(given), body=())
            names[Value(op.path)] = names.get(rest, rest)
    if not biased:
        return code
    left = [rename(biased.get(op.path, op), names) for op in graph.ops if Value(op.path) not in names]
    results = tuple(names.get(value, value) for value in graph.results)
    used = {read.op for op in left for read in op.reads} | {value.op for value in results}
    kept = tuple(op for op in left if op.kind is not PARAMETER or op.path in used)
    return replace(code, graph=OpGraph(kept, results, graph.origin), used=code.used | {BIAS})


def _without_offsets(code: Rewritten) -> Rewritten:
    """Without the numbers that are added to what a map with a bias gives: its bias is learned, and takes them in."""
    graph = code.graph
    made = {op.path: op for op in graph.ops}
    reads = Counter([read.op for op in graph.ops for read in op.reads] + [value.op for value in graph.results])
    names: dict[Value, Value] = {}
    for op in graph.ops:
        by = op.attr("by") if op.kind is ADD and len(op.reads) == 1 else None
        of = made.get(op.reads[0].op) if isinstance(by, int | float) else None
        if of is not None and of.kind in MAPS and of.attr("bias") is True and reads[of.path] == 1:
            names[Value(op.path)] = op.reads[0]
    if not names:
        return code
    kept = tuple(rename(op, names) for op in graph.ops if Value(op.path) not in names)
    results = tuple(names.get(value, value) for value in graph.results)
    return replace(code, graph=OpGraph(kept, results, graph.origin), used=code.used | {BIAS})


def _unrepeated(graph: OpGraph) -> OpGraph:
    """Without the repetition of vectors for a sum, in which they are repeated anyhow."""
    made = {op.path: op for op in graph.ops}
    elsewhere = {read for op in graph.ops if op.kind is not ADD for read in op.reads} | set(graph.results)
    names = {
        Value(op.path): op.reads[0]
        for op in graph.ops
        if op.kind.name == "expand" and _is_vector(made.get(op.reads[0].op, op)) and Value(op.path) not in elsewhere
    }
    kept = tuple(rename(op, names) for op in graph.ops if Value(op.path) not in names)
    return OpGraph(kept, graph.results, graph.origin) if names else graph


def _is_vector(op: Op) -> bool:
    shape = op.attr("shape")
    return op.kind is PARAMETER and isinstance(shape, tuple) and len(shape) == 1


def _unbiased(
    made: Mapping[str, Op], reads: Mapping[str, int], path: str, taken: Collection[str], vector: Op
) -> Op | None:
    """A map to which a vector may be the bias, among the terms of a sum of which nothing else is made."""
    waiting = [path]
    while waiting:
        op = made.get(waiting.pop())
        if op is None or reads[op.path] > 1:
            continue
        if op.kind is ADD:
            waiting += [read.op for read in op.reads]
        elif op.kind in MAPS and op.attr("bias") is False and op.path not in taken:
            conv, width = convolution(op), _width(op)
            if (
                type(width) is int
                and vector.attr("shape") == (width,)
                and (conv is None or conv.attr("channels_last") is True)
            ):
                return op
    return None


def _width(op: Op) -> object:
    """How many features a map gives: as it states, or as the matrix has where channels stand last in it too."""
    conv = convolution(op)
    if op.states("out_features") or conv is None or conv.attr("channels_last") is not True:
        return op.attr("out_features")
    shapes = [inner.attr("shape") for inner in op.body if inner.kind is PARAMETER]
    (shape,) = shapes if len(shapes) == 1 else (None,)
    return shape[-1] if isinstance(shape, tuple) and len(shape) > 1 else None


def _without_epsilons(code: Rewritten) -> Rewritten:
    """Without the small numbers that are added before a root, a logarithm or a division."""
    graph = code.graph
    readers: dict[str, list[tuple[Op, int]]] = {}
    for op in graph.ops:
        for at, read in enumerate(op.reads):
            readers.setdefault(read.op, []).append((op, at))
    results = {value.op for value in graph.results}
    names: dict[Value, Value] = {}
    ops: list[Op] = []
    for op in graph.ops:
        users = readers.get(op.path, [])
        finite = bool(users) and op.path not in results and all(_keeps_finite(*user) for user in users)
        if finite and _is_epsilon(op):
            names[Value(op.path)] = names.get(op.reads[0], op.reads[0])
        else:
            ops.append(rename(op, names))
    if not names:
        return code
    return replace(code, graph=OpGraph(tuple(ops), graph.results, graph.origin), used=code.used | {EPSILON})


def _is_epsilon(op: Op) -> bool:
    by = op.attr("by") if op.kind is ADD and len(op.reads) == 1 else None
    return isinstance(by, float) and 0 < by <= LARGEST_EPSILON


def _keeps_finite(op: Op, at: int) -> bool:
    """Whether an op is not finite, or has no finite slope, at 0 in the place of its operand `at`."""
    if op.kind.name == "div":
        return at == 1 or op.attr("reverse") is True
    if op.kind.name == "pow":
        exponent = op.attr("exponent")
        return at == 0 and isinstance(exponent, int | float) and exponent < 1
    return op.kind.name in _FINITE


def _adds_maps(stated: OpGraph) -> bool:
    """Whether a claim adds a learned map to something."""
    ops = {op.path: op for op in stated.walk()}
    return any(
        op.kind is ADD and any(read.op in ops and ops[read.op].kind in MAPS for read in op.reads) for op in ops.values()
    )


def _unjoined(code: Rewritten) -> Rewritten:
    """With each linear map of joined values as the sum of a map of each: `W [x; h] = U x + V h`.

    A convolution of all channels in one group is such a map too.
    """
    graph = code.graph
    made = {op.path: op for op in graph.ops}
    ops: list[Op] = []
    unsure: list[Op] = []
    for op in graph.ops:
        joined = made.get(op.reads[0].op) if op.kind in MAPS and len(op.reads) == 1 else None
        if joined is None or joined.kind is not CONCAT or not 1 < len(joined.reads) <= MOST_PARTS:
            ops.append(op)
            continue
        fits = is_of_features(joined, op)
        if fits is False or op.attr("groups", 1) != 1:
            ops.append(op)
            continue
        unsure += [joined] if fits is None and joined not in unsure else []
        kept = tuple(attr for attr in op.attrs if attr.name not in ("in_features", "bias"))
        parts = [
            replace(op, path=f"{op.path}'{at}", reads=(read,), attrs=kept, body=(), gives=())
            for at, read in enumerate(joined.reads)
        ]
        ops += parts
        total = Value(parts[0].path)
        for at, part in enumerate(parts[1:], 1):
            path = op.path if at == len(parts) - 1 else f"{op.path}'sum{at}"
            ops.append(Op(path, ADD, (total, Value(part.path)), span=op.span, because=op.because))
            total = Value(path)
    if len(ops) == len(graph.ops):
        return code
    used = {read.op for op in ops for read in op.reads} | {value.op for value in graph.results}
    left = tuple(op for op in ops if op.kind is not CONCAT or op.path in used)
    return Rewritten(OpGraph(left, graph.results, graph.origin), code.used | {JOINED}, (*code.unsure, *unsure))


__all__ = ["Rewritten", "called", "rewritten"]
