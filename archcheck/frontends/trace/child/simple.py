"""What a linear map and a norm over features give, told from shapes alone.

On the meta device torch takes a layer norm apart into two dozen calls of its own, in Python, each of which works out
shapes, strides and types: a millisecond or two for every shape that a model has. That the result is as its input, or
as its input with other features, needs none of that. Whatever is not plain is left to torch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from archcheck.frontends.trace.child.kept import META

_TYPES = frozenset({torch.float16, torch.bfloat16, torch.float32, torch.float64})


def told(forward: Callable[..., Any], module: torch.nn.Module, args: tuple[Any, ...], kwargs: Any) -> Tensor | None:
    """What `forward` of `module` gives; None where torch has to be asked, and where the call fails.

    Args:
        forward: of the layer's class, as torch defines it.
        module: the layer.
        args, kwargs: what it is called with.
    """
    rule = _RULES.get(forward)
    if rule is None or kwargs or len(args) != 1 or type(module) is not rule[0]:
        return None
    value = args[0]
    if type(value) is not Tensor or not value.is_meta or value.dtype not in _TYPES or not value.numel():
        return None
    for held in module._parameters.values():
        plain = type(held) is torch.nn.Parameter and held.is_meta and held.dtype is value.dtype
        if held is not None and not plain:
            return None
    return rule[1](module, value)


def _linear(module: Any, value: Tensor) -> Tensor | None:
    weight, bias = module._parameters.get("weight"), module._parameters.get("bias")
    if weight is None or weight.dim() != 2 or not value.dim() or value.shape[-1] != weight.shape[1]:
        return None
    if not value.is_contiguous() or (bias is not None and bias.shape != weight.shape[:1]):
        return None
    return torch.empty((*value.shape[:-1], weight.shape[0]), dtype=value.dtype, device=META)


def _layer_norm(module: Any, value: Tensor) -> Tensor | None:
    shape = tuple(module.normalized_shape)
    if not shape or tuple(value.shape[-len(shape) :]) != shape:
        return None
    if any(held is not None and tuple(held.shape) != shape for held in module._parameters.values()):
        return None
    out = torch.empty(value.shape, dtype=value.dtype, device=META)
    return out if out.stride() == value.stride() else None


_RULES = {
    torch.nn.Linear.forward: (torch.nn.Linear, _linear),
    torch.nn.LayerNorm.forward: (torch.nn.LayerNorm, _layer_norm),
}
