"""Brings learned maps to one form: a layer object, a functional call with weights, a product with a learned matrix."""

from __future__ import annotations

from archcheck.ir.graph import AttrValue, Op, Unknown, Value, attrs
from archcheck.passes.base import Scope, ScopePass
from archcheck.passes.kinds import CONVS, LINEAR, NORMS, VIEWS, named

_WITH_WEIGHTS = NORMS | CONVS | named("linear", "bilinear", "embedding", "prelu", "lstm", "gru", "rnn")
_PRODUCT = named("matmul", "einsum")
_PRODUCT_AND_SUM = named("matmul_add")
_MAPS = _WITH_WEIGHTS | _PRODUCT | _PRODUCT_AND_SUM
_ADD = named("add")


class RaiseLinears(ScopePass):
    """Fold learned tensors into the layers that use them, and products with a learned matrix into `linear`.

    before                                  after
      %x = input                              input
      %w = parameter name="weight"            linear bias=True:
      %b = parameter name="bias"                parameter name="weight"
      %y = matmul %x, %w                        parameter name="bias"
      add %y, %b                                ...

    A tensor that something else reads too (tied weights) stays outside and is read. A norm that is called with `1 + w`
    for its scale states the 1 as `offset`, as one that is spelled out does.
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
                if len(op.reads) == 2 and _learned(scope, op.reads[1]) and _computed(scope, op.reads[0]):
                    _fold_product(scope, slot, op.reads[0], op.reads[1:])
            elif len(op.reads) == 3:
                bias, left, right = op.reads
                if _learned(scope, right) and _learned(scope, bias) and _computed(scope, left):
                    _fold(scope, slot, {slot}, left, (right, bias), bias=True)


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
    elif (op.kind is LINEAR or op.kind in CONVS) and not isinstance(op.attr("bias"), Unknown):
        stated["bias"] = len(weights) > 1
    _fold(scope, slot, {slot}, main, weights, **stated)


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
    _fold(scope, last, group, main, weights, bias=bias)


def _fold(
    scope: Scope, last: int, group: set[int], main: Value, weights: tuple[Value, ...], **stated: AttrValue
) -> None:
    op = scope.ops[last]
    kind = op.kind if op.kind in _WITH_WEIGHTS else LINEAR
    own = learned_ops(scope, weights, group)
    if not own and kind is op.kind:
        return
    if kind is LINEAR:
        stated.update(_features(scope, op, weights))
    held = {attr.name: attr.value for attr in op.attrs} if kind is op.kind else {}
    scope.fold(group | own, kind, attrs(**{**stated, **held}), value=Value(op.path), first=(main,))


def _features(scope: Scope, op: Op, weights: tuple[Value, ...]) -> dict[str, AttrValue]:
    """Sizes of a map, where its matrix tells them."""
    slot = scope.giver(weights[0])
    shape = scope.ops[slot].attr("shape") if slot >= 0 else None
    if not isinstance(shape, tuple) or len(shape) != 2 or op.kind.name == "einsum":
        return {}
    given, read = (shape[0], shape[1]) if op.kind is LINEAR or op.attr("transpose_b") is True else (shape[1], shape[0])
    return {"in_features": read, "out_features": given}
