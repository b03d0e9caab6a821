"""Reshapes that stand where a transpose is needed: `keys.reshape(batch, d, n)` of keys whose last axis holds the d."""

from __future__ import annotations

from archcheck.ir.graph import AttrValue, Value
from archcheck.passes.kinds import named
from archcheck.passes.scope import Scope

_RESHAPE = named("reshape", "identity")
_LINEAR = named("linear")


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


__all__ = ["is_jumbled"]
