"""Raises attention that code spells out: scores of two tensors, a softmax over keys, and the values they weigh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from archcheck.ir.graph import AttrValue, Op, Size, Unknown, Value, attrs
from archcheck.passes.base import ScopePass
from archcheck.passes.heads import heads_of, is_of_one_head
from archcheck.passes.jumbled import is_exchanged, is_jumbled
from archcheck.passes.kinds import ACTIVATIONS, ATTENTION, NORMS, VIEWS, named
from archcheck.passes.masks import HIDDEN, is_otherwise, share_of, shows_later
from archcheck.passes.raise_scales import factor_of
from archcheck.passes.scope import RESULT, Scope

_PRODUCTS = named("matmul", "einsum")
_PRODUCT_AND_SUM = named("matmul_add")
_SOFTMAX = named("softmax")
_STARTS = _SOFTMAX | {ATTENTION}
_SUMS = named("add", "sub")
_MASKS = named("masked_fill", "where")
_BETWEEN = VIEWS | named("clamp", "concat", "dropout", "select", "pad", "update")
_AFTER = VIEWS | named("dropout", "select", "masked_fill", "where", "mul", "scale", "div", "gather")
_SAME_AXES = (
    named("identity", "permute", "dropout", "scale", "softmax", "masked_fill", "clamp", "rope", "linear") | NORMS
)
_SAME_AXES |= ACTIVATIONS | named("neg", "update", "concat", "expand", "roll", "pad")
_DEEPEST = 16
_FEWEST = 3  # axes of scores: batch, queries, keys
_MASK_STEPS = 64


@dataclass(slots=True)
class _Scores:
    """What was met between the softmax and the product of queries and keys."""

    product: int  # slot of the product
    group: set[int] = field(default_factory=set)
    factor: AttrValue = 1
    softcap: AttrValue = None
    beside: list[Value] = field(default_factory=list)  # masks, biases
    joined: list[str] = field(default_factory=list)  # 'before' or 'behind': where more scores were put along the keys
    parted: bool = False  # some of those are products too: the scores of other keys


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

    A softmax whose axis is not that of the keys, along which the values are weighed, is still raised, and says so by
    `axis`. Scores that are joined to those of the keys before the softmax and cut off behind it lead nowhere: `sink`
    (xiao2023, section 3).
    """

    name = "raise_attention"

    def rewrite(self, scope: Scope, holder: Op | None) -> None:
        """Fold around each softmax between two products."""
        for slot in scope.of_kinds(_STARTS):
            op = scope.ops[slot]
            if op.kind is ATTENTION:
                _complete(scope, slot)
            elif op.reads:
                _raise(scope, slot)


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
    weighed = _weighed(scope, path, product, probabilities)
    query, key = _operands(scope, scores, softmax, weighed)
    if any(is_exchanged(scope, read) for read in (query, key, values[0])):
        return  # what one token looks at are no tokens of its own row
    told = heads_of(scope, Op("", ATTENTION, (query, key, values[0])))
    if "kv_heads" not in told and is_of_one_head(scope.ops[scores.product], scope.ops[product]):
        told["kv_heads"] = 1
    query, scale = _scaled(scope, query, scores.product, group)
    key, key_scale = _scaled(scope, key, scores.product, group)
    stated: dict[str, AttrValue] = {**told, "scale": _times(_times(scores.factor, scale), key_scale)}
    second = scope.ops[scores.product]
    if second.kind.name == "matmul" and second.attr("transpose_b") is not True and is_jumbled(scope, second.reads[-1]):
        return  # what is multiplied with the queries are no keys
    key = _transposed(scope, key, scores.product, group)
    if scores.softcap is not None:
        stated["softcap"] = scores.softcap
    axis = _axis(scope, softmax, weighed)
    if axis is not None:
        stated["axis"] = axis
    if any(_cut_off(scope.ops[slot], scores.joined) for slot in path):
        parted = Unknown(
            "scores of other keys are joined to these, and their weights are cut off", scope.ops[softmax].span
        )
        stated["sink"] = parted if scores.parted else True
    for slot in path:
        if scope.ops[slot].kind.name == "dropout" and scope.ops[slot].states("p"):
            stated["dropout"] = scope.ops[slot].attr("p")
    if _is_causal(scope, scores.beside):
        stated["causal"] = not shows_later(scope, scores.beside, sorted(scores.group), scores.product, softmax)
    if scope.is_knot(group):
        return
    scope.fold(
        group,
        ATTENTION,
        attrs(**stated),
        value=Value(scope.ops[product].path),
        first=(query, key, values[0]),
    )


def _operands(scope: Scope, scores: _Scores, softmax: int, weighed: int | None) -> tuple[Value, Value]:
    """Queries and keys, of which the keys have the axis along which the values are weighed.

    Args:
        scope, scores, softmax: where they stand.
        weighed: that axis; where it is not known, the weights are taken to sum to 1 along it.
    """
    product = scope.ops[scores.product]
    first, second = product.reads[-2:]
    equation, axis = product.attr("equation"), scope.ops[softmax].attr("axis") if weighed is None else weighed
    moved = any(scope.ops[slot].kind.name == "permute" for slot in scores.group)
    if product.kind.name == "matmul" and weighed == -2 and not moved:
        return second, first
    if not isinstance(equation, str) or not isinstance(axis, int) or moved:
        return first, second
    operands, _, result = equation.replace(" ", "").partition("->")
    one, _, other = operands.partition(",")
    if "." in equation or not -len(result) <= axis < len(result):
        return first, second
    over = result[axis]
    return (second, first) if over in one and over not in other else (first, second)


# ---- the axis of the softmax


def _weighed(scope: Scope, path: Sequence[int], product: int, probabilities: int) -> int | None:
    """Along which axis of the softmax the values are weighed, counted from the end; None where that is not known."""
    op = scope.ops[product]
    at = next((at for at, value in enumerate(op.reads) if scope.giver(value) == probabilities), 0)
    axis: int | None
    if op.kind.name == "matmul":
        axis = (-1, -2)[(at == 1) != (op.attr(("transpose_a", "transpose_b")[at]) is True)]
    else:
        axis = _contracted(op.attr("equation"), at)
    for slot in reversed(path):
        axis = None if axis is None else _axis_before(scope.ops[slot], axis)
    return axis


def _contracted(equation: AttrValue, at: int) -> int | None:
    """The one axis, from the end, of operand `at` over which a product of two sums; None where it is not one."""
    if not isinstance(equation, str):
        return None
    operands, _, result = equation.replace(" ", "").partition("->")
    names = operands.split(",")
    if len(names) != 2 or "." in names[at].lstrip("."):
        return None
    letters = names[at].lstrip(".")
    gone = [place for place, letter in enumerate(letters) if letter not in result and letter in names[1 - at]]
    return gone[0] - len(letters) if len(gone) == 1 else None


def _axis_before(op: Op, axis: int) -> int | None:
    """The axis of what an op reads that is `axis` of what it gives, both from the end; None where it is not known."""
    name = op.kind.name
    if name == "permute":
        axes, one, other = op.attr("axes"), op.attr("axis"), op.attr("other_axis")
        if isinstance(axes, tuple) and len(axes) >= -axis:
            found = axes[axis]
            return found - (len(axes) if found >= 0 else 0) if isinstance(found, int) else None
        if isinstance(one, int) and isinstance(other, int) and one < 0 and other < 0:
            return {one: other, other: one}.get(axis, axis)
        return None
    if name == "reshape":
        return axis if axis == -1 and not op.states("form") else None
    if name == "select":
        index = op.attr("index")
        rows = index if isinstance(index, tuple) and index[:1] != ("slice",) else (index,)
        keeps = all(row == "..." or (isinstance(row, tuple) and row[:1] == ("slice",)) for row in rows)
        return axis if keeps or op.states("length") else None
    return axis if name != "gather" else None


def _axis(scope: Scope, softmax: int, weighed: int | None) -> AttrValue:
    """The axis of a softmax as attention states it: None where it is that of the keys.

    An axis counted from the front is that of the keys or another one, by how many axes there are: 2 are the keys of
    three and the queries of four. Unknown where nothing tells their number.
    """
    op = scope.ops[softmax]
    axis = op.attr("axis")
    if isinstance(axis, tuple) and len(axis) == 1:
        axis = axis[0]
    if not isinstance(axis, int):
        return axis if isinstance(axis, Unknown) else None
    keys = -1 if weighed is None else weighed
    if axis < 0:
        return None if axis == keys else axis
    count = _rank(scope, op.reads[0], _DEEPEST)
    if count is not None:
        return None if axis - count == keys else axis
    if axis < _FEWEST - 1:  # with as few as three axes it is not the last; two of them would have no batch
        return axis
    return Unknown(f"axis {axis} of the softmax is that of the keys or not, by how many axes there are", op.span)


def _rank(scope: Scope, value: Value, depth: int) -> int | None:
    """How many axes a value has, where a view or a product that it comes from tells."""
    op = scope.maker(value)
    if op is None or depth < 0 or not op.reads:
        return None
    name = op.kind.name
    if name == "einsum":
        result = str(op.attr("equation")).replace(" ", "").partition("->")[2]
        return len(result) if result and "." not in result else None
    if name in ("matmul", "matmul_add"):
        counts = [_rank(scope, one, depth - 1) for one in op.reads[-2:]]
        known = [count for count in counts if count is not None]
        return max(known) if known else None
    if name == "permute" and isinstance(axes := op.attr("axes"), tuple):
        return len(axes)
    if name == "reshape":
        return _reshaped(scope, op, depth)
    if name == "select":
        return _selected(scope, op, depth)
    if op.kind in _SUMS or name in ("mul", "div", "where", "maximum", "minimum"):
        counts = [_rank(scope, one, depth - 1) for one in op.reads[name == "where" :]]
        known = [count for count in counts if count is not None]
        return max(known) if known else None
    through = op.kind in _SAME_AXES or (name == "split" and op.attr("unbind") is not True)
    return _rank(scope, op.reads[0], depth - 1) if through else None


def _reshaped(scope: Scope, op: Op, depth: int) -> int | None:
    shape, form = op.attr("shape"), op.attr("form")
    if form is None and isinstance(shape, tuple):
        # one size that is not known may stand for several, as `*x.shape[:-1]` does
        told = all(isinstance(size, int) or (isinstance(size, Size) and len(size.axes) == 1) for size in shape)
        return len(shape) if told else None
    before = _rank(scope, op.reads[0], depth - 1)
    if before is None or form not in ("unsqueeze", "squeeze") or not isinstance(op.attr("axis"), int):
        return None
    return before + (1 if form == "unsqueeze" else -1)


def _selected(scope: Scope, op: Op, depth: int) -> int | None:
    before = _rank(scope, op.reads[0], depth - 1)
    index = op.attr("index")
    rows = index if isinstance(index, tuple) and index[:1] != ("slice",) else (index,)
    if before is None or any(isinstance(row, Unknown) for row in rows):
        return None
    if op.states("start") and op.states("length"):
        return before
    if op.states("axis"):
        return before - 1 if isinstance(index, int) else None
    if not all(row is None or row == "..." or isinstance(row, (int, tuple)) for row in rows):
        return None
    return before + sum(row is None for row in rows) - sum(isinstance(row, int) for row in rows)


# ---- scores


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
        if op.kind.name in ("concat", "pad"):
            found_scores.joined += _joined(op)
            others = [other for other in op.reads if other != main]
            found_scores.parted |= any(_scores(scope, other, depth + 1) is not None for other in others)
        factor = factor_of(op)
        if op.kind.name == "tanh":
            found_scores.softcap = 1
        elif factor is not None:
            if found_scores.softcap is not None:
                found_scores.softcap = _times(found_scores.softcap, factor)
            found_scores.factor = _times(found_scores.factor, factor)
        elif op.kind.name == "sub" and (op.attr("reverse") is True or main != op.reads[0]):
            found_scores.factor = _times(found_scores.factor, -1)
        elif op.kind.name in ("mul", "div"):
            share = share_of(scope, found_scores.beside[-1]) if op.kind.name == "mul" else None
            open_ = Unknown("the scores are multiplied by a tensor", op.span)
            found_scores.factor = _times(found_scores.factor, share) if share else open_
        return found_scores
    return None


def _joined(op: Op) -> list[str]:
    """Where an op puts more scores along the last axis: 'before' or 'behind' those that come first among its operands.

    A sum of scores looks for those of the keys in its first operand, and so does a concatenation.
    """
    if op.kind.name == "concat":
        return ["behind"] if op.attr("axis") in (-1, 3) and len(op.reads) > 1 else []
    by = op.attr("by")
    if isinstance(by, int | float) and by < HIDDEN:
        return []  # weighs nothing
    amount = op.attr("amount")
    sides = amount if isinstance(amount, tuple) and len(amount) > 1 else ()
    while sides and isinstance(sides[-1], tuple):  # one pair for each axis, the last axis last
        sides = sides[-1]
    return [side for side, count in zip(("before", "behind"), sides, strict=False) if isinstance(count, int) and count]


def _cut_off(op: Op, joined: Sequence[str]) -> bool:
    """Whether an op behind the softmax takes off weights of scores that were put along the last axis."""
    if op.kind.name != "select" or not joined:
        return False
    index = op.attr("index")
    if op.states("axis"):
        narrowed = op.states("length") or (isinstance(index, tuple) and index[:1] == ("slice",))
        return op.attr("axis") in (-1, 3) and narrowed
    last = index[-1] if isinstance(index, tuple) and index[:1] != ("slice",) and index else None
    if not isinstance(last, tuple) or last[:1] != ("slice",):
        return False
    _, start, end, _ = last
    return ("behind" in joined and end is not None) or ("before" in joined and start is not None)


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
    """Take the transpose of the keys into the group: the keys before it.

    A permute that moves other axes too, as `axes=(0, 2, 3, 1)` lays out heads and turns them at once, stays outside
    with what it does beside the turn, and the product turns the keys.
    """
    slot = scope.giver(value)
    if slot < 0 or scope.ops[product].kind.name == "einsum" or slot in group:
        return value
    op = scope.ops[slot]
    if op.kind.name != "permute" or scope.only_reader(slot) != product:
        return value
    axes, into = op.attr("axes"), scope.ops[product]
    rest = _besides_a_turn(axes) if isinstance(axes, tuple) else []
    if not rest:
        group.add(slot)
        return op.reads[0]
    second = into.kind.name == "matmul" and scope.giver(into.reads[1]) == slot != scope.giver(into.reads[0])
    if not second or op.attr("batch_apart") is True:
        return value
    moved = [at for at, axis in enumerate(rest) if at != axis]
    kept = {attr.name: attr.value for attr in op.attrs if attr.name != "axes"}
    layout: dict[str, AttrValue] = {"axes": tuple(rest)}
    if len(moved) == 2:
        layout = {"axis": moved[0], "other_axis": moved[1]}
    scope.replace(slot, replace(op, attrs=attrs(**kept, **layout)))
    turned = {attr.name: attr.value for attr in into.attrs if attr.name != "transpose_b"}
    if into.attr("transpose_b") is not True:
        turned["transpose_b"] = True
    scope.replace(product, replace(into, attrs=attrs(**turned)))
    return value


def _besides_a_turn(axes: tuple[AttrValue, ...]) -> list[int]:
    """A permutation without the turn of the last two axes that ends it; empty if it is no more than that turn."""
    count = len(axes)
    known = [axis % count for axis in axes if isinstance(axis, int)]
    if count < _FEWEST or sorted(known) != list(range(count)):
        return []
    before = [*known[:-2], known[-1], known[-2]]
    return [] if before == list(range(count)) else before


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
    if op.body:
        pass  # its masks were looked at when it was raised
    elif held.get("causal") is not True and len(op.reads) > 3 and _is_causal(scope, op.reads[3:]):
        told["causal"] = not is_otherwise(scope, slot)
    elif held.get("causal") is False and not op.claim:  # a kernel's flag: a mask may be given instead
        del held["causal"]
    size = told.get("head_dim", held.get("head_dim"))
    if "layout" in held and "scale" not in held and isinstance(size, int) and size > 0:
        told["scale"] = size**-0.5  # what kernels do that are given no scale; vaswani2017, Equation 1
    stated = attrs(**{**held, **told})
    if stated != op.attrs:
        scope.replace(slot, replace(op, attrs=stated))
