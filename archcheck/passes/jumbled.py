"""Reshapes that stand where a transpose is needed: `keys.reshape(batch, d, n)` of keys whose last axis holds the d,
`x.reshape(length, batch, d)` of what has its batch in front."""

from __future__ import annotations

from archcheck.ir.graph import AttrValue, Op, Size, Value
from archcheck.passes.kinds import ACTIVATIONS, NORMS, VIEWS, named
from archcheck.passes.scope import Scope

_RESHAPE = named("reshape", "identity")
_LINEAR = named("linear")
_KEEPING = (ACTIVATIONS | NORMS | named("linear", "identity", "dropout", "scale")) - named("glu")  # the axes in front


def is_jumbled(scope: Scope, value: Value) -> bool:
    """Whether a value has the features of a linear map, which are on its last axis, on the axis before by a reshape
    alone, so that each of its rows holds parts of several tokens."""
    shape: AttrValue = None
    slot = scope.giver(value)
    while slot >= 0 and scope.ops[slot].kind in _RESHAPE and len(scope.ops[slot].reads) == 1:
        op = scope.ops[slot]
        if op.kind.name == "reshape":
            if shape is not None or op.states("form") or not op.states("shape"):
                return False
            shape = op.attr("shape")
        slot = scope.giver(op.reads[0])
    if slot < 0 or scope.ops[slot].kind not in _LINEAR or not isinstance(shape, tuple) or len(shape) < 2:
        return False
    made = scope.ops[slot]
    if any(inner.kind.name == "conv" and inner.attr("channels_last") is not True for inner in made.body):
        return False  # its features are not on the last axis
    features = made.attr("out_features")
    if type(features) is not int or features < 2 or shape[-1] == 1 or shape[-1] == features:
        return False
    product = 1
    for size in reversed(shape[:-1]):
        if type(size) is not int:
            return False
        product *= size
        if product >= features:
            break
    return product == features


def is_exchanged(scope: Scope, value: Value) -> bool:
    """Whether a value had its first two axes exchanged by a reshape alone: each row of the batch then holds tokens of
    several, and no row all of its own."""
    slot = scope.giver(value)
    while slot >= 0 and scope.ops[slot].kind in VIEWS and len(scope.ops[slot].reads) == 1:
        op = scope.ops[slot]
        if op.kind.name == "reshape" and not op.states("form") and _exchanges(scope, op):
            return True
        slot = scope.giver(op.reads[0])
    return False


def _exchanges(scope: Scope, reshape: Op) -> bool:
    shape = reshape.attr("shape")
    if not isinstance(shape, tuple) or len(shape) < 3:
        return False
    sources, features = {reshape.reads[0]}, None  # values with the same two axes in front
    slot = scope.giver(reshape.reads[0])
    while slot >= 0 and scope.ops[slot].kind in _KEEPING and scope.ops[slot].reads:
        op = scope.ops[slot]
        if op.kind in _LINEAR and features is None:
            features = op.attr("out_features")
        sources.add(op.reads[0])
        slot = scope.giver(op.reads[0])
    first, second = (
        next((axis for axis in (0, 1) if isinstance(size, Size) and _is_axis(size, axis, sources)), None)
        for size in shape[:2]
    )
    if (first, second) == (1, 0):
        return True
    if (first, second, shape[1]) != (1, None, -1) and (first, shape[0], second) != (None, -1, 0):
        return False
    product = 1  # what is not told is the other axis where the rest are the features
    for size in shape[2:]:
        product *= size if type(size) is int else 0
    return type(features) is int and product == features


def _is_axis(size: Size, axis: int, sources: set[Value]) -> bool:
    return size.power == 1 and size.of in sources and axis in size.axes


__all__ = ["is_exchanged", "is_jumbled"]
