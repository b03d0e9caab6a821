"""Brings learned maps to one form: a layer object, a functional call with weights, a product with a learned matrix."""

from __future__ import annotations

from math import prod

from archcheck.ir.graph import AttrValue, Op, Unknown, Value, attrs
from archcheck.ir.ops import BY_NAME
from archcheck.passes.base import ScopePass
from archcheck.passes.heads import einsum_parts
from archcheck.passes.kinds import CONVS, LINEAR, NORMS, VIEWS, named
from archcheck.passes.scope import Scope

_WITH_WEIGHTS = NORMS | CONVS | named("linear", "bilinear", "embedding", "prelu", "lstm", "gru", "rnn")
_PRODUCT = named("matmul", "einsum", "tensordot")
_PRODUCT_AND_SUM = named("matmul_add")
_MAPS = _WITH_WEIGHTS | _PRODUCT | _PRODUCT_AND_SUM
_ADD = named("add")
_GATHER, EMBEDDING = named("gather"), BY_NAME["embedding"]


class RaiseLinears(ScopePass):
    """Fold learned tensors into the layers that use them, and products with a learned matrix into `linear`.

    before                                  after
      %x = input                              input
      %w = parameter name="weight"            linear bias=True:
      %b = parameter name="bias"                parameter name="weight"
      %y = matmul %x, %w                        parameter name="bias"
      add %y, %b                                ...

    The rows of a learned matrix that are chosen by what an input holds are an embedding, as are those of positions that
    are counted. A tensor that something else reads too (tied weights) stays outside and is read. A norm that is called
    with `1 + w` for its scale states the 1 as `offset`, as one that is spelled out does.
    """

    name = "raise_linears"

    def rewrite(self, scope: Scope, holder: Op | None) -> None:
        """Fold the layers with weights among their operands, then the products."""
        for slot in scope.of_kinds(_MAPS):
            op = scope.ops[slot]
            if op.kind in _WITH_WEIGHTS:
                if len(op.reads) > 1 and not op.body:
                    _fold_layer(scope, slot)
            elif op.kind in _PRODUCT:
                if op.kind.name == "tensordot" and not _is_of_features(scope, op):
                    continue
                if len(op.reads) == 2 and _learned(scope, op.reads[1]) and _computed(scope, op.reads[0]):
                    _fold_product(scope, slot, op.reads[0], op.reads[1:])
            elif len(op.reads) == 3:
                bias, left, right = op.reads
                if _learned(scope, right) and _learned(scope, bias) and _computed(scope, left):
                    _fold(scope, slot, {slot}, left, (right, bias), {"bias": True})
        for slot in scope.of_kinds(_GATHER):
            _look_up(scope, slot)


def _learned(scope: Scope, value: Value) -> bool:
    return scope.origins_of(value) == scope.ON_PARAMETER


def _computed(scope: Scope, value: Value) -> bool:
    return bool(scope.origins_of(value) & scope.ON_INPUT)


def learned_ops(scope: Scope, values: tuple[Value, ...], group: set[int]) -> set[int]:
    """The ops that compute learned `values` for `group` alone: their slots, with nothing that others read too."""
    found: set[int] = set()
    stack = [scope.giver(value) for value in values]
    while stack:
        slot = stack.pop()
        if slot >= 0 and slot not in found and not scope.origins(slot) & ~scope.ON_PARAMETER:
            found.add(slot)
            stack.extend(scope.givers(slot))
    own = set(group)
    for slot in sorted(found, reverse=True):
        if all(reader in own for reader in scope.readers(slot)):
            own.add(slot)
    return own - group


def offset_of(scope: Scope, slot: int) -> AttrValue:
    """What is added to a learned tensor to make the one that `slot` gives: 1 for `1 + w`, 0 where nothing is."""
    while slot >= 0 and scope.ops[slot].kind in VIEWS and scope.ops[slot].reads:
        slot = scope.giver(scope.ops[slot].reads[0])
    if slot < 0 or scope.ops[slot].kind not in _ADD or len(scope.ops[slot].reads) != 1:
        return 0
    by = scope.ops[slot].attr("by")
    return by if isinstance(by, int | float | Unknown) else 0


def _look_up(scope: Scope, slot: int) -> None:
    """Fold the choice of whole rows of a learned matrix, by what an input holds or by their number."""
    op = scope.ops[slot]
    plain = op.attr("whole") is True and op.attr("axis") == 0 and op.attr("batch_axes", 0) == 0
    if not plain or len(op.reads) != 2 or op.states("coordinates"):
        return
    table, index = op.reads
    shape = _shape_of(scope, table)
    if not _learned(scope, table) or not isinstance(shape, tuple) or len(shape) != 2:
        return
    counted = (maker := scope.maker(index)) is not None and maker.attr("value") == "arange"
    if counted or scope.origins_of(index) == scope.ON_INPUT:
        own = learned_ops(scope, (table,), {slot})
        if own:
            told = attrs(**_rows(scope, op, (table,)))
            scope.fold({slot} | own, EMBEDDING, told, value=Value(op.path), first=(index,))


def _is_of_features(scope: Scope, op: Op) -> bool:
    """Whether a product over stated axes is one of the last axis with the rows of a matrix."""
    axes = op.attr("axes")
    shape = _shape_of(scope, op.reads[1]) if len(op.reads) == 2 else None
    if not isinstance(shape, tuple) or len(shape) != 2:
        return False
    if axes == 1:  # the last axis of the one with the first of the other
        return True
    sides = axes if isinstance(axes, tuple) else ()
    pair = [one[0] if isinstance(one, tuple) and len(one) == 1 else one for one in sides]
    return len(pair) == 2 and pair[0] == -1 and pair[1] in (0, -2)


def _fold_layer(scope: Scope, slot: int) -> None:
    op = scope.ops[slot]
    weights = tuple(value for value in op.reads if _learned(scope, value))
    main = next((value for value in op.reads if _computed(scope, value)), None)
    if not weights or main is None:
        return
    stated: dict[str, AttrValue] = {}
    if op.kind in NORMS:
        stated["elementwise_affine"] = True
        if op.kind.name != "rms_norm":
            stated["bias"] = len(weights) > 1
        offset = offset_of(scope, scope.giver(weights[0]))
        if offset != 0 and any(declared.name == "offset" for declared in op.kind.attrs):
            stated["offset"] = offset
    elif op.kind.family == "embedding":
        stated.update(_rows(scope, op, weights))
    elif (op.kind is LINEAR or op.kind in CONVS) and not isinstance(op.attr("bias"), Unknown):
        stated["bias"] = len(weights) > 1
    if op.kind in CONVS and len(weights) == 1 and op.attr("bias") is None:
        shifted = _shift_behind(scope, slot)
        if shifted is not None:
            _fold_shifted(scope, slot, *shifted, main, weights)
            return
    _fold(scope, slot, {slot}, main, weights, stated)


def _rows(scope: Scope, op: Op, weights: tuple[Value, ...]) -> dict[str, AttrValue]:
    """Sizes of a table, where the tensor that it is tells them."""
    shape = _shape_of(scope, weights[0]) if len(weights) == 1 else None
    told = dict(zip(("rows", "dim"), shape, strict=True)) if isinstance(shape, tuple) and len(shape) == 2 else {}
    return {name: size for name, size in told.items() if isinstance(size, int) and not op.states(name)}


def _shift_behind(scope: Scope, slot: int) -> tuple[int, Value] | None:
    """The sum behind a convolution that adds one learned number for each of its channels, and these numbers."""
    op, reader = scope.ops[slot], scope.only_reader(slot)
    if reader is None or scope.ops[reader].kind not in _ADD or len(scope.ops[reader].reads) != 2:
        return None
    shifts = [value for value in scope.ops[reader].reads if _learned(scope, value)]
    shape = _shape_of(scope, shifts[0]) if len(shifts) == 1 else None
    axes = op.attr("axes")
    if not isinstance(shape, tuple) or not isinstance(axes, int):
        return None
    behind = 0 if op.attr("channels_last") is True else axes  # axes of space behind the channels
    if len(shape) <= behind or any(size != 1 for size in (*shape[: -behind - 1], *shape[len(shape) - behind :])):
        return None
    return reader, shifts[0]


def _shape_of(scope: Scope, value: Value) -> AttrValue:
    """The shape of a learned tensor, which may have been laid out anew."""
    maker, squeezed = scope.maker(value), 0
    while maker is not None and maker.kind.name == "reshape" and maker.attr("form") == "squeeze" and maker.reads:
        axes = maker.attr("axis")
        told = axes if isinstance(axes, tuple) else (axes,)
        if squeezed or told != tuple(range(len(told))):
            return None
        squeezed = len(told)
        maker = scope.maker(maker.reads[0])
    shape = maker.attr("shape") if maker is not None and maker.kind.name in ("parameter", "reshape") else None
    return shape[squeezed:] if isinstance(shape, tuple) else None


def _fold_shifted(scope: Scope, slot: int, last: int, shift: Value, main: Value, weights: tuple[Value, ...]) -> None:
    group = {slot, last}
    own = learned_ops(scope, (*weights, shift), group)
    if not own:
        return
    op = scope.ops[slot]
    told = {attr.name: attr.value for attr in op.attrs}
    scope.fold(group | own, op.kind, attrs(**{**told, "bias": True}), value=Value(scope.ops[last].path), first=(main,))


def _fold_product(scope: Scope, slot: int, main: Value, weights: tuple[Value, ...]) -> None:
    group = {slot}
    last = slot
    bias = False
    reader = scope.only_reader(slot)
    passed: list[int] = []
    while reader is not None and scope.ops[reader].kind in VIEWS:
        passed.append(reader)
        reader = scope.only_reader(reader)
    if reader is not None and scope.ops[reader].kind in _ADD and len(scope.ops[reader].reads) == 2:
        others = tuple(value for value in scope.ops[reader].reads if _learned(scope, value))
        if len(others) == 1:
            group |= {*passed, reader}
            last, weights, bias = reader, (*weights, *others), True
    _fold(scope, last, group, main, weights, {"bias": bias}, product=slot)


def _fold(
    scope: Scope,
    last: int,
    group: set[int],
    main: Value,
    weights: tuple[Value, ...],
    stated: dict[str, AttrValue],
    product: int | None = None,
) -> None:
    op = scope.ops[last]
    kind = op.kind if op.kind in _WITH_WEIGHTS else LINEAR
    own = learned_ops(scope, weights, group)
    if not own and kind is op.kind:
        return
    if kind is LINEAR:
        stated.update(_features(scope, op if product is None else scope.ops[product], weights))
    held = {attr.name: attr.value for attr in op.attrs} if kind is op.kind else {}
    scope.fold(group | own, kind, attrs(**{**stated, **held}), value=Value(op.path), first=(main,))


def _features(scope: Scope, op: Op, weights: tuple[Value, ...]) -> dict[str, AttrValue]:
    """Sizes of a map, where its matrix tells them, which may have been transposed before."""
    maker = scope.maker(weights[0])
    turned = maker is not None and maker.kind.name == "permute" and _turns(maker)
    if maker is not None and turned and maker.reads:
        maker = scope.maker(maker.reads[0])
    shape = maker.attr("shape") if maker is not None else None
    if not isinstance(shape, tuple):
        return {}
    if turned:
        shape = shape[::-1]
    if op.kind.name == "einsum":
        return _contracted(op.attr("equation"), shape)
    if len(shape) != 2:
        return {}
    given, read = (shape[0], shape[1]) if op.kind is LINEAR or op.attr("transpose_b") is True else (shape[1], shape[0])
    told = {"in_features": read, "out_features": given}
    return {name: size for name, size in told.items() if size is not None}  # None: code left it open


def _turns(permute: Op) -> bool:
    """Whether it transposes a matrix."""
    pair = {permute.attr("axis"), permute.attr("other_axis")}
    return permute.attr("axes") in ((1, 0), (-1, -2), "reversed") or pair in ({0, 1}, {-1, -2}, {0, -1}, {1, -2})


def _contracted(equation: AttrValue, shape: tuple[AttrValue, ...]) -> dict[str, AttrValue]:
    """Sizes of the map `btd,dnh->btnh`: of the axes over which it sums, and of those that it gives, each together."""
    parts = einsum_parts(equation)
    sizes = [size for size in shape if isinstance(size, int) and not isinstance(size, bool)]
    if parts is None or len(parts[1]) != len(shape) or len(sizes) != len(shape):
        return {}
    tensor, matrix, result = parts
    if any(axis in tensor and axis in result for axis in matrix):
        return {}  # a map of its own for each entry of that axis
    read = [size for axis, size in zip(matrix, sizes, strict=True) if axis in tensor]
    given = [size for axis, size in zip(matrix, sizes, strict=True) if axis in result]
    if not read or not given or len(read) + len(given) != len(shape):
        return {}
    return {"in_features": prod(read), "out_features": prod(given)}
