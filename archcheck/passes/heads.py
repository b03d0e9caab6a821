"""Reads counts and sizes of attention heads off the reshapes behind the projections."""

from __future__ import annotations

from collections.abc import Collection

from archcheck.ir.graph import AttrValue, Op, Unknown, Value
from archcheck.passes.kinds import LINEAR, NORMS, PARTS, VIEWS, named
from archcheck.passes.scope import Scope

_THROUGH = VIEWS | PARTS | NORMS | named("rope", "concat", "scale", "mul", "dropout", "update", "add")
_STEPS = 32


def heads_of(scope: Scope, op: Op, inside: Collection[int] | None = None) -> dict[str, AttrValue]:
    """`heads`, `kv_heads` and `head_dim` of an attention, as far as reshapes tell them.

    Args:
        scope: where the attention stands.
        op: it, or an op with the same first two operands.
        inside: the slots to look at; all of them if None.
    """
    found: dict[str, AttrValue] = {}
    if len(op.reads) < 3 or op.attr("projected") is True:
        return found
    query = split_heads(scope, op.reads[0], inside)
    key = split_heads(scope, op.reads[1], inside)
    if query is not None:
        found["heads"], found["head_dim"] = query
    if key is not None and (query is None or key[1] == query[1]):
        found["kv_heads"] = key[0]
    return found


def is_of_one_head(scores: Op, weighed: Op) -> bool:
    """Whether keys and values lack the axis of heads that queries have: `bhid,bjd->bhij`, `bhij,bjd->bhid`."""
    sides = []
    for op in (scores, weighed):
        equation = op.attr("equation")
        if not isinstance(equation, str) or "." in equation:
            return False
        operands, _, result = equation.replace(" ", "").partition("->")
        sides.append((*operands.split(","), result))
    if any(len(side) != 3 for side in sides):
        return False
    (query, key, one), (probabilities, value, other) = sides
    four = all(len(letters) == 4 for letters in (query, one, probabilities, other))
    return four and len(key) == len(value) == 3 and query[:2] == one[:2] and len({*key} & {*query}) == 2


def split_heads(scope: Scope, value: Value, inside: Collection[int] | None) -> tuple[int, int] | None:
    """(count, size in elements) of the heads into which the projection behind `value` is cut, or None."""
    slot = scope.giver(value)
    parts = 1
    shape: tuple[AttrValue, ...] = ()
    taken: AttrValue = None  # which heads of that shape a selection right behind it takes
    selected: AttrValue = None  # the same, of the reshape that is to come
    for _ in range(_STEPS):
        if slot < 0 or (inside is not None and slot not in inside):
            return None
        op = scope.ops[slot]
        if op.kind is LINEAR:
            if not shape and parts == 1 and taken is None and selected is None:
                return _laid_out(op)
            width = op.attr("out_features")
            return _taken(_counts(shape, width // parts if isinstance(width, int) else None), taken)
        if op.kind.name == "reshape" and isinstance(stated := op.attr("shape"), tuple) and len(stated) > 2:
            shape, taken, selected = stated, selected, None
        elif op.kind.name == "split" and not shape:
            return None
        elif op.kind.name == "select" and (chosen := _of_heads(op.attr("index"))) is not None:
            selected = chosen
        elif op.kind.name == "split":
            sections = op.attr("sections")
            if not isinstance(sections, int) or sections < 1:
                part = _size_of_part(op, value.index)
                counts = _counts(shape, part)
                # what is cut off an axis is as wide as its heads together, or the axis is not that of the features
                exact = counts is None or part is None or counts[0] * counts[1] == part
                return _taken(counts, taken) if exact else None
            parts *= sections
        moved = selected is not None and op.kind.name == "permute"  # the selection is of another axis
        if op.kind not in _THROUGH or not op.reads or moved:
            return None
        value = op.reads[-1] if op.kind.name in ("concat", "update") else op.reads[0]
        slot = scope.giver(value)
    return None


def _laid_out(op: Op) -> tuple[int, int] | None:
    """(count, size) of the heads in which a map by a matrix of more axes gives its features, the last axis of which is
    then the size of one: `btd,dnh->btnh`, `btd,dnh->bnth`."""
    for product in op.body:
        parts = einsum_parts(product.attr("equation")) if product.kind.name == "einsum" else None
        matrix = next((one for one in op.body if one.path == product.reads[-1].op), None) if parts else None
        shape = matrix.attr("shape") if matrix is not None else None
        if parts is None or not isinstance(shape, tuple) or len(shape) != len(parts[1]):
            continue
        tensor, axes, result = parts
        given = {axis: size for axis, size in zip(axes, shape, strict=True) if axis not in tensor and axis in result}
        if len(given) == 2 and result[-1] in given:
            size = given.pop(result[-1])
            heads = next(iter(given.values()))
            return (heads, size) if isinstance(heads, int) and isinstance(size, int) else None
    return None


def einsum_parts(equation: AttrValue) -> tuple[str, str, str] | None:
    """The axes of the first operand, the second and the result of an einsum of two; None for any other."""
    if not isinstance(equation, str):
        return None
    operands, arrow, result = equation.replace(" ", "").partition("->")
    first, _, second = operands.partition(",")
    if not arrow or "," in second or not second or "." in second or len(set(second)) != len(second):
        return None
    return first.replace("...", ""), second, result.replace("...", "")


def _size_of_part(op: Op, index: int) -> int | None:
    """How wide the output `index` of a split is, in elements of the axis that is cut; None where it is not stated."""
    size = op.attr("size")
    if isinstance(size, tuple):
        size = size[index] if index < len(size) else None
    return size if isinstance(size, int) else None


WHOLE = ("slice", None, None, None)


def _of_heads(index: AttrValue) -> AttrValue:
    """What a selection takes of the last but one axis, `x[..., :-2, :]`; None where it takes all of it."""
    if not isinstance(index, tuple) or len(index) < 2 or index[-1] != WHOLE or index[-2] == WHOLE:
        return None
    return index[-2]


def _taken(counts: tuple[int, int] | None, chosen: AttrValue) -> tuple[int, int] | None:
    """(count, size) of the heads that a selection takes; None where that is not known."""
    if counts is None or chosen is None:
        return counts
    if not isinstance(chosen, tuple):
        return None
    heads, size = counts
    numbers = [one for one in chosen if isinstance(one, int)]
    if chosen[:1] == ("slice",):
        ends = [one if isinstance(one, int) else None for one in chosen[1:]]
        known = all(one is None or isinstance(one, int) for one in chosen[1:])
        return (len(range(heads)[slice(*ends)]), size) if known else None
    return (len(numbers), size) if len(numbers) == len(chosen) else None


def _counts(shape: tuple[AttrValue, ...], width: int | None) -> tuple[int, int] | None:
    if len(shape) < 3:
        return None
    heads, size = shape[-2], shape[-1]
    if isinstance(size, Unknown) and all(isinstance(one, Unknown) for one in shape[:-2]):
        size = -1  # computed as `width // heads`: the only size that is left for it
    if not isinstance(heads, int) or not isinstance(size, int):
        return None
    if heads > 0 and size > 0:  # a projection of several in one is as wide as all of them; no other number of heads is
        if width is None or width % (heads * size) == 0:
            return heads, size
        together = width % size == 0 and heads % (width // size) == 0  # `view(length, batch * heads, size)`
        return (width // size, size) if together else None
    if heads == -1 and size > 0 and width is not None and width % size == 0:
        return width // size, size
    if size == -1 and heads > 0 and width is not None and width % heads == 0:
        return heads, width // heads
    return None
