"""Raises attention that code spells out: scores of two tensors, a softmax over keys, and the values they weigh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from archcheck.ir.graph import AttrValue, Op, Unknown, Value, attrs
from archcheck.passes.base import RESULT, Scope, ScopePass
from archcheck.passes.heads import heads_of
from archcheck.passes.kinds import ATTENTION, VIEWS, named
from archcheck.passes.raise_scales import factor_of

_PRODUCTS = named("matmul", "einsum")
_PRODUCT_AND_SUM = named("matmul_add")
_SOFTMAX = named("softmax")
_SUMS = named("add", "sub")
_MASKS = named("masked_fill", "where")
_BETWEEN = VIEWS | named("clamp", "concat", "dropout", "select", "pad", "update")
_AFTER = VIEWS | named("dropout", "select", "masked_fill", "where", "mul", "scale", "div", "gather")
_DEEPEST = 16
_MASK_STEPS = 64


@dataclass(slots=True)
class _Scores:
    """What was met between the softmax and the product of queries and keys."""

    product: int  # slot of the product
    group: set[int] = field(default_factory=set)
    factor: AttrValue = 1
    softcap: AttrValue = None
    beside: list[Value] = field(default_factory=list)  # masks, biases


class RaiseAttention(ScopePass):
    """Raise `softmax(q k^T * scale + bias) v`, in any spelling, to `attention`.

    before                              after
      %q = input                          input
      %k = input                          input
      %v = input                          input
      %t = permute %k axes=...            attention %0, %1, %2 scale=0.125:
      %s = matmul %q, %t                    ...
      scale by=0.125
      %p = softmax axis=-1
      matmul %p, %v

    A softmax whose axis is not that of the keys is still raised, and says so by `axis`.
    """

    name = "raise_attention"

    def rewrite(self, scope: Scope, holder: Op | None) -> None:
        """Fold around each softmax between two products."""
        for slot in scope.slots():
            op = scope.ops[slot]
            if op.kind in _SOFTMAX and op.reads:
                _raise(scope, slot)
            elif op.kind is ATTENTION:
                _complete(scope, slot)


def _raise(scope: Scope, softmax: int) -> None:
    scores = _scores(scope, scope.ops[softmax].reads[0], 0)
    if scores is None:
        return
    weighing = _weighing(scope, softmax, 0)
    if weighing is None:
        return
    path, product = weighing
    probabilities = path[-1] if path else softmax
    values = [value for value in scope.ops[product].reads if scope.giver(value) != probabilities]
    if len(values) != 1:
        return
    group = scores.group | {softmax, *path, product}
    query, key = _operands(scope, scores, softmax)
    told = heads_of(scope, Op("", ATTENTION, (query, key, values[0])))
    query, scale = _scaled(scope, query, scores.product, group)
    key, key_scale = _scaled(scope, key, scores.product, group)
    stated: dict[str, AttrValue] = {**told, "scale": _times(_times(scores.factor, scale), key_scale)}
    key = _transposed(scope, key, scores.product, group)
    if scores.softcap is not None:
        stated["softcap"] = scores.softcap
    axis = scope.ops[softmax].attr("axis")
    if isinstance(axis, int) and axis not in (-1, 2, 3):
        stated["axis"] = axis
    for slot in path:
        if scope.ops[slot].kind.name == "dropout" and scope.ops[slot].states("p"):
            stated["dropout"] = scope.ops[slot].attr("p")
    if _is_causal(scope, scores.beside):
        stated["causal"] = True
    if scope.is_knot(group):
        return
    scope.fold(
        group,
        ATTENTION,
        attrs(**stated),
        value=Value(scope.ops[product].path),
        first=(query, key, values[0]),
    )


def _operands(scope: Scope, scores: _Scores, softmax: int) -> tuple[Value, Value]:
    """Queries and keys: where a product names its axes, the keys have that over which the weights sum to 1."""
    product = scope.ops[scores.product]
    first, second = product.reads[-2:]
    equation, axis = product.attr("equation"), scope.ops[softmax].attr("axis")
    moved = any(scope.ops[slot].kind.name == "permute" for slot in scores.group)
    if not isinstance(equation, str) or not isinstance(axis, int) or moved:
        return first, second
    operands, _, result = equation.replace(" ", "").partition("->")
    one, _, other = operands.partition(",")
    if "." in equation or not -len(result) <= axis < len(result):
        return first, second
    over = result[axis]
    return (second, first) if over in one and over not in other else (first, second)


def _is_product(scope: Scope, op: Op) -> bool:
    """Whether an op multiplies two tensors that are both computed."""
    if op.kind in _PRODUCTS and len(op.reads) == 2:
        return True
    return op.kind in _PRODUCT_AND_SUM and len(op.reads) == 3


def _scores(scope: Scope, value: Value, depth: int) -> _Scores | None:
    """What leads from a product of two tensors to `value`, the operand of a softmax."""
    slot = scope.giver(value)
    if slot < 0 or depth > _DEEPEST:
        return None
    op = scope.ops[slot]
    if _is_product(scope, op):
        found = _Scores(slot, {slot})
        if op.kind in _PRODUCT_AND_SUM:
            found.beside.append(op.reads[0])
            found.factor = op.attr("alpha", 1)
        return found
    mains: tuple[Value, ...]
    if op.kind in _SUMS:
        mains = op.reads
    elif op.kind.name in ("mul", "div") and len(op.reads) == 2:
        mains = op.reads if op.kind.name == "mul" else op.reads[:1]
    elif op.kind in _MASKS:
        mains = op.reads[:1] if op.kind.name == "masked_fill" else op.reads[1:]
    elif op.kind in _BETWEEN or op.kind.name == "tanh" or factor_of(op) is not None:
        mains = op.reads[:1]
    else:
        return None
    for main in mains:
        found_scores = _scores(scope, main, depth + 1)
        if found_scores is None:
            continue
        found_scores.group.add(slot)
        found_scores.beside += [other for other in op.reads if other != main]
        factor = factor_of(op)
        if op.kind.name == "tanh":
            found_scores.softcap = 1
        elif factor is not None:
            if found_scores.softcap is not None:
                found_scores.softcap = _times(found_scores.softcap, factor)
            found_scores.factor = _times(found_scores.factor, factor)
        elif op.kind.name in ("mul", "div"):
            found_scores.factor = Unknown("the scores are multiplied by a tensor", op.span)
        return found_scores
    return None


def _times(first: AttrValue, second: AttrValue) -> AttrValue:
    if isinstance(first, Unknown):
        return first
    if isinstance(second, Unknown):
        return second
    if isinstance(first, int | float) and isinstance(second, int | float):
        return first * second
    return Unknown("a factor on the scores is no number")


def _weighing(scope: Scope, slot: int, depth: int) -> tuple[list[int], int] | None:
    """The ops from a softmax to the product with the values, and that product."""
    if depth > _DEEPEST:
        return None
    for reader in scope.readers(slot):
        if reader == RESULT:
            continue
        op = scope.ops[reader]
        if op.kind in _PRODUCTS and len(op.reads) == 2:
            return [], reader
        if op.kind in _AFTER:
            found = _weighing(scope, reader, depth + 1)
            if found is not None:
                return [reader, *found[0]], found[1]
    return None


def _scaled(scope: Scope, value: Value, product: int, group: set[int]) -> tuple[Value, AttrValue]:
    """Take a factor on queries or keys into the group: the operand before it, and the factor."""
    passed: list[int] = []
    slot, reader = scope.giver(value), product
    while slot >= 0 and scope.only_reader(slot) == reader:
        op = scope.ops[slot]
        factor = factor_of(op)
        passed.append(slot)
        if factor is not None:
            group.update(passed)
            return op.reads[0], factor
        if op.kind not in VIEWS or not op.reads:
            break
        slot, reader = scope.giver(op.reads[0]), slot
    return value, 1


def _transposed(scope: Scope, value: Value, product: int, group: set[int]) -> Value:
    """Take the transpose of the keys into the group: the keys before it."""
    slot = scope.giver(value)
    if slot < 0 or scope.ops[product].kind.name == "einsum" or slot in group:
        return value
    op = scope.ops[slot]
    if op.kind.name == "permute" and scope.only_reader(slot) == product:
        group.add(slot)
        return op.reads[0]
    return value


def _is_causal(scope: Scope, beside: Sequence[Value]) -> bool:
    """Whether what is added to the scores is shown to hide later keys: a triangle is part of it.

    That no mask was seen shows nothing: it may be an argument that this caller did not give.
    """
    seen: set[int] = set()
    stack = [scope.source(value) for value in beside]
    while stack and len(seen) < _MASK_STEPS:
        slot = stack.pop()
        if slot < 0 or slot in seen:
            continue
        seen.add(slot)
        if scope.ops[slot].kind.name == "triangle":
            return True
        stack.extend(scope.sources(slot))
    return False


def _complete(scope: Scope, slot: int) -> None:
    """State of an attention that a kernel computes what reshapes and masks around it tell, and no more."""
    op = scope.ops[slot]
    held = {attr.name: attr.value for attr in op.attrs}
    told = {name: value for name, value in heads_of(scope, op).items() if name not in held}
    if held.get("causal") is not True and len(op.reads) > 3 and _is_causal(scope, op.reads[3:]):
        told["causal"] = True
    elif held.get("causal") is False and not op.claim:  # a kernel's flag: a mask may be given instead
        del held["causal"]
    size = told.get("head_dim", held.get("head_dim"))
    if "layout" in held and "scale" not in held and isinstance(size, int) and size > 0:
        told["scale"] = size**-0.5  # what kernels do that are given no scale; vaswani2017, Equation 1
    stated = attrs(**{**held, **told})
    if stated != op.attrs:
        scope.replace(slot, replace(op, attrs=stated))
