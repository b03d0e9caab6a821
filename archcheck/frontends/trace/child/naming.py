"""What a function that torch's modes are told of is called in the dialects: `torch.Tensor.view`, `torch.softmax`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

_PACKAGES = {
    "torch._C._nn": "torch.nn.functional",
    "torch._C._fft": "torch.fft",
    "torch._C._linalg": "torch.linalg",
    "torch._C._special": "torch.special",
    "torch._C._sparse": "torch.sparse",
}
_PREFIXED = {"torch.fft": "fft_", "torch.linalg": "linalg_", "torch.special": "special_", "torch.sparse": "sparse_"}
_REAL_PROPERTIES = frozenset({"T", "mT", "H", "mH", "real", "imag", "data"})  # that give a tensor
_IN_PLACE_OPERATORS = frozenset(
    {"__iadd__", "__isub__", "__imul__", "__idiv__", "__itruediv__", "__ifloordiv__", "__imod__", "__ipow__",
     "__iand__", "__ior__", "__ixor__", "__ilshift__", "__irshift__", "__setitem__"}
)  # fmt: skip
# Methods that tell about a tensor; `item` and its like are asked of a value, and are answered elsewhere.
_TELLING = frozenset(
    {"size", "dim", "ndimension", "stride", "numel", "nelement", "is_floating_point", "is_complex", "is_contiguous",
     "is_signed", "storage_offset", "element_size", "get_device", "data_ptr", "untyped_storage", "storage", "has_names",
     "is_inference", "is_conj", "is_neg", "is_pinned", "is_shared", "is_set_to", "is_same_size", "register_hook",
     "__len__", "__hash__", "__repr__", "__str__", "__dir__", "__reduce_ex__", "__deepcopy__",
     "__array__", "_is_view", "_has_symbolic_sizes_strides", "requires_grad_", "retain_grad", "backward", "is_tensor",
     "result_type", "promote_types", "can_cast", "broadcast_shapes", "broadcast_tensors_shape",
     "_set_grad_enabled", "set_grad_enabled", "_is_zerotensor", "is_storage", "typename", "dim_order",
     "_assert_async", "_assert_scalar", "_functional_assert_async", "_check", "get_default_dtype",
     "set_default_device", "get_default_device", "_shape_as_tensor_", "align_to_", "sym_size", "is_nonzero_"}
)  # fmt: skip
ASKING = frozenset(
    {"__bool__", "__int__", "__float__", "__index__", "__complex__", "__contains__", "item", "tolist", "equal",
     "allclose", "is_nonzero", "numpy", "__format__"}
)  # fmt: skip


@dataclass(slots=True)
class Known:
    """A function: its name for the dialects, and how it is treated."""

    name: str
    short: str
    tells: bool = False  # about a tensor; it gives none
    asks: bool = False  # for a tensor's content
    inplace: bool = False  # it gives the tensor that it changes, or nothing
    makes: bool = False  # it may give a tensor without being given one


def learn(func: Any) -> Known:
    """What there is to know of a function that torch hands to a mode."""
    short = getattr(func, "__name__", "") or str(func)
    owner = getattr(func, "__self__", None)
    if short in ("__get__", "__set__", "__delete__"):
        field = getattr(owner, "__name__", "")
        if short == "__get__":
            return Known(f"property.{field}", field, tells=field not in _REAL_PROPERTIES)
        return Known(f"setting.{field}", f"set_{field}", inplace=field == "data", tells=field != "data")
    name = _qualified(func, short)
    inplace = short in _IN_PLACE_OPERATORS or (short.endswith("_") and not short.endswith("__"))
    return Known(name, short, short in _TELLING, short in ASKING, inplace, not name.startswith("torch.Tensor."))


def _qualified(func: Any, short: str) -> str:
    package = getattr(func, "__module__", None) or ""
    qualname = getattr(func, "__qualname__", "")
    if isinstance(func, (torch._ops.OpOverload, torch._ops.OpOverloadPacket, torch._ops.HigherOrderOperator)):
        return f"torch.ops.{func}"
    if package in _PACKAGES:
        package = _PACKAGES[package]
        prefix = _PREFIXED.get(package, "")
        return f"{package}.{short.removeprefix(prefix)}"
    if qualname.startswith(("TensorBase.", "Tensor.")) or package == "torch._tensor":
        return f"torch.Tensor.{short}"
    if package == "torch.functional":
        return f"torch.{short}"
    if package == "torch.nn.functional" and getattr(torch.nn.functional, short.lstrip("_"), None) is func:
        short = short.lstrip("_")  # `threshold` is another name of `_threshold`
    return f"{package or 'torch'}.{short}"
