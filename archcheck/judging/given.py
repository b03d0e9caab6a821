"""What code has in the place of a claim's inputs that are no inputs of its own: numbers, and what is learned.

An equation says `x + beta * f(x)` where code has 0.2 or a learned vector, `sqrt(v + eps)` where it has 1e-5, and
`(A h) W` where W is a weight. It is said of whatever stands there: with that in it, it may take another canonical form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice, product

from archcheck.ir.graph import Attr, Op, OpGraph, Unknown, Value, attrs
from archcheck.ir.ops import kind
from archcheck.judging.cuts import cut_inputs

ADD, CONSTANT, DIV, INPUT, LINEAR, MATMUL, MUL, PARAMETER, SCALE, SQRT, SUB = map(
    kind, ("add", "constant", "div", "input", "linear", "matmul", "mul", "parameter", "scale", "sqrt", "sub")
)
LEARNED = "learned"
MOST_NUMBERS = 3  # of the code that are tried for a name
MOST_NAMES = 5
MOST_WAYS = 96  # to give all names something
_SUMS, _FACTORS = frozenset({ADD, SUB}), frozenset({MUL, DIV, SCALE})

Number = int | float | Unknown
Met = tuple[tuple[str, Number | str], ...]  # name of an input -> the number that the code has there, or LEARNED


def ways(claim: OpGraph, code: OpGraph) -> Iterator[Met]:
    """What the code may have for inputs of a claim, those first that give the fewest names something.

    Args:
        claim: as it is stated, before any pass.
        code: what it is held against.
    """
    inputs = {str(op.attr("name")): op for op in claim.ops if op.kind is INPUT and op.attr("name")}
    called = {op.attr("name") for op in code.walk() if op.kind is INPUT}
    options = {name: _options(claim, op, code) for name, op in inputs.items() if name not in called}
    names = [name for name, found in options.items() if found][:MOST_NAMES]
    every = [dict(zip(names, one, strict=True)) for one in product(*((None, *options[name]) for name in names))]
    found = [tuple((name, value) for name, value in one.items() if value is not None) for one in every]
    cut = cut_inputs(code)  # each part of which is one of the claim's, as each input is
    count = sum(op.kind is INPUT for op in code.ops) + sum(map(len, cut.values())) - len(cut)
    kept = [one for one in found if one and len(inputs) - len(one) == count]
    yield from islice(sorted(kept, key=len), MOST_WAYS)


def _options(claim: OpGraph, given: Op, code: OpGraph) -> list[Number | str]:
    """What may stand for one input: none where it is read by anything but sums, products and roots."""
    path = given.path
    readers = [op for op in claim.walk() if any(read.op == path for read in op.reads)]
    if not readers or any(value.op == path for value in claim.results):
        return []
    rooted = all(op.kind is SQRT for op in readers)
    if not rooted and any(op.kind not in (*_SUMS, MUL, DIV, MATMUL) for op in readers):
        return []
    numbers: dict[object, Number] = {}
    if readers[0].kind is not MATMUL and all(
        op.kind is readers[0].kind and len(op.reads) == 2 - rooted for op in readers
    ):
        kinds = _SUMS if readers[0].kind in _SUMS else _FACTORS
        for op in code.walk():
            by = op.attr("by") if op.kind in kinds else op.attr("value" if op.kind is CONSTANT else "scale")
            if isinstance(by, Unknown):
                numbers.setdefault("unknown", by)
            elif isinstance(by, int | float) and not isinstance(by, bool) and by:
                for number in _stated(by, readers[0].kind, rooted):
                    numbers.setdefault(number, number)
    found: list[Number | str] = [number for number in numbers.values() if not isinstance(number, Unknown)]
    found = found[:MOST_NUMBERS]
    learned = any(op.kind in (PARAMETER, LINEAR) or op.attr("by") == LEARNED for op in code.walk())
    found += [LEARNED] if learned and not rooted else []
    return [*found, *(number for number in numbers.values() if isinstance(number, Unknown))]


def _stated(by: int | float, reader: object, rooted: bool) -> Iterator[int | float]:
    """The numbers for which a claim has the factor, or the summand, that code has."""
    if rooted:
        yield round(by**-2, 9)
        yield by**2
    elif reader is DIV:
        yield 1 / by
    else:
        yield by


def applied(claim: OpGraph, met: Met) -> OpGraph:
    """`claim` with these in the place of its inputs."""
    known = dict(met)
    values: dict[str, Number] = {}
    ops: list[Op] = []
    for op in claim.ops:
        name = op.attr("name") if op.kind is INPUT else None
        value = known.get(name) if isinstance(name, str) else None
        if value is None:
            ops.append(_with_numbers(op, values))
        elif isinstance(value, str):
            ops.append(replace(op, kind=PARAMETER, attrs=attrs(name=name)))
        else:
            values[op.path] = value
        if op.kind is SQRT and op.reads[0].op in values:
            under = values[op.reads[0].op]
            values[op.path] = under if isinstance(under, Unknown) else under**0.5
            ops.pop()
    return OpGraph(tuple(ops), claim.results, claim.origin)


def _with_numbers(op: Op, values: Mapping[str, Number]) -> Op:
    """An op with a number in the place of one of its two operands."""
    at = next((at for at, read in enumerate(op.reads) if read.op in values), None)
    if at is None or op.kind is SQRT or len(op.reads) != 2:
        return op
    reads: tuple[Value, ...] = (op.reads[1 - at],)
    stated = [*op.attrs, Attr("by", values[op.reads[at].op])]
    if at == 0 and op.kind in (SUB, DIV):
        stated.append(Attr("reverse", True))
    return replace(op, reads=reads, attrs=tuple(sorted(stated, key=lambda one: one.name)))


def shown(met: Met) -> Iterator[str]:
    """What was given to the names, in words."""
    for name, value in met:
        if not isinstance(value, Unknown):
            yield f"{name} is learned" if isinstance(value, str) else f"{name} = {value:.6g}, the code's"


__all__ = ["LEARNED", "Met", "applied", "shown", "ways"]
