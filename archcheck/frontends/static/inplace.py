"""What a call changes that is told to work in place: `relu(x, inplace=True)`, `nn.ReLU(inplace=True)(x)`.

The tensor that it is given holds the result afterwards, under every name that it has: a residual that is taken after
such a call, or by a name from before it, is that of the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archcheck.frontends.static.values import Data, Tensor, Tensors

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine


def settled(vm: Machine, told: Mapping[str, Data], reads: Sequence[Tensor | Tensors], result: Data) -> Data:
    """`result`; where a call works in place, its first operand, which then holds that.

    Args:
        told: what the call, or the layer that is called, is given.
        reads: its operands.
    """
    from archcheck.frontends.static.statements import write

    first = reads[0] if reads else None
    if told.get("inplace") is not True or not isinstance(first, Tensor) or not isinstance(result, Tensor):
        return result
    write(vm, first, result)
    return first


__all__ = ["settled"]
