"""Methods and properties of torch.Tensor. Those that a function of the same name has are taken from there."""

from __future__ import annotations

from archcheck.frontends.dialects.table import Row
from archcheck.frontends.dialects.torch_functions import BINARY, FUNCTIONAL, SHARED, UNARY, WHOLE
from archcheck.ir.graph import AttrValue


def _row(kind: str, params: str = "self!", attrs: dict[str, str] | None = None, **const: AttrValue) -> Row:
    return Row(kind, params, attrs or {}, const)


_SHAPE = {"shape": "shape"}
_SIZE = {"shape": "size"}

# casts and moves; `other` tells a dtype or a device, never a value
_CASTS = "to type type_as float half double bfloat16 int long short byte bool char cfloat cdouble cpu cuda npu xpu mtia numpy contiguous pin_memory detach detach_ requires_grad_ retain_grad as_subclass coalesce to_dense to_sparse to_sparse_coo to_sparse_csr chalf dequantize tolist item"

_OWN: dict[str, Row] = {
    **{name: _row("identity", "self!, *args, **kwargs") for name in _CASTS.split()},
    "view": _row("reshape", "self!, *shape", _SHAPE),
    "reshape": _row("reshape", "self!, *shape", _SHAPE),
    "view_as": _row("reshape", "self!, other"),
    "reshape_as": _row("reshape", "self!, other"),
    "unflatten": _row("reshape", "self!, dim, sizes", {"axis": "dim", "shape": "sizes"}, form="unflatten"),
    "permute": _row("permute", "self!, *dims", {"axes": "dims"}),
    "expand": _row("expand", "self!, *size, implicit=False", _SIZE),
    "expand_as": _row("expand", "self!, other"),
    "repeat": _row("expand", "self!, *repeats", {"repeats": "repeats"}),
    "split": Row("split", "self!, split_size, dim=0", {"size": "split_size", "axis": "dim"}, outputs=0),
    "squeeze": _row("reshape", "self!, *dim", {"axis": "dim"}, form="squeeze"),
    "unfold": _row("unfold", "self!, dimension, size, step", {"axis": "dimension", "kernel": "size", "stride": "step"}),
    "masked_fill": _row("masked_fill", "self!, mask!, value!", {"by": "value"}),
    "new_tensor": _row("constant", "self, data", {"value": "data"}),
    "new_zeros": _row("constant", "self, *size", _SIZE, value=0),
    "new_ones": _row("constant", "self, *size", _SIZE, value=1),
    "new_empty": _row("constant", "self, *size", _SIZE, value="uninitialised"),
    "new_full": _row("constant", "self, size, fill_value", {"shape": "size", "value": "fill_value"}),
    "clip": UNARY["clamp"],
    "relu": UNARY["relu"],
    "square": UNARY["square"],
    "sum_to_size": _row("sum", "self!, *size"),
}

# in-place methods without a plain form: the tensor is filled, its old value is gone
_FILLS: dict[str, Row] = {
    "zero_": Row("constant", "self", const={"value": 0}, inplace=True),
    "fill_": Row("constant", "self, value", {"value": "value"}, inplace=True),
    "copy_": Row("identity", "self, src!, non_blocking=False", inplace=True),
    "uniform_": Row("random", "self, low=0, high=1", const={"distribution": "uniform"}, inplace=True),
    "normal_": Row("random", "self, mean=0, std=1", const={"distribution": "normal"}, inplace=True),
    "random_": Row("random", "self, *bounds", const={"distribution": "integers"}, inplace=True),
    "bernoulli_": Row("random", "self, p=0.5!", const={"distribution": "bernoulli"}, inplace=True),
    "exponential_": Row("random", "self, lambd=1", const={"distribution": "exponential"}, inplace=True),
    "cauchy_": Row("random", "self, median=0, sigma=1", const={"distribution": "cauchy"}, inplace=True),
    "log_normal_": Row("random", "self, mean=1, std=2", const={"distribution": "log_normal"}, inplace=True),
    "geometric_": Row("random", "self, p", const={"distribution": "geometric"}, inplace=True),
    "fill_diagonal_": Row("update", "self!, fill_value!, wrap=False", const={"index": "diagonal"}, inplace=True),
    "index_put_": Row("update", "self!, indices!, values!, accumulate=False", inplace=True, plain=("accumulate",)),
    "index_put": Row("update", "self!, indices!, values!, accumulate=False", plain=("accumulate",)),
    "nonzero": Row("nonzero", "self!, *, as_tuple=False"),
    "argwhere": Row("nonzero", "self!"),
}

# every plain method that torch also has under a trailing underscore
_INPLACE = (
    *UNARY,
    *BINARY,
    *["addmm", "baddbmm", "addmv", "masked_fill", "masked_scatter", "scatter", "scatter_add", "scatter_reduce", "index_add", "index_copy", "index_fill", "squeeze", "unsqueeze", "transpose", "swapdims", "swapaxes", "t", "relu", "clip", "square", "celu", "elu"],
)

_ATTRIBUTES: dict[str, Row] = {
    "T": _row("permute", axes="reversed"),
    "mT": _row("permute", axis=-2, other_axis=-1),
    "H": _row("permute", axis=-2, other_axis=-1),  # of real tensors
    "mH": _row("permute", axis=-2, other_axis=-1),
    "data": _row("identity"),
    "real": UNARY["real"],
    "imag": UNARY["imag"],
}


def _methods() -> dict[str, Row]:
    plain: dict[str, Row] = {**UNARY, **BINARY, **SHARED, **WHOLE, **_OWN}
    filled = {
        name + "_": Row(row.kind, row.params, row.attrs, row.const, row.outputs, True, row.plain, row.active)
        for name in _INPLACE
        if (row := plain.get(name) or FUNCTIONAL.get(name))
    }
    return {**filled, **plain, **_FILLS}


METHODS: dict[str, Row] = _methods()
PROPERTIES: dict[str, Row] = _ATTRIBUTES

# what tells about a tensor and computes nothing from it
METADATA: frozenset[str] = frozenset(
    ["shape", "size", "equal", "allclose", "is_nonzero", "is_same_size", "dim", "ndim", "ndimension", "dtype", "device", "numel", "nelement", "stride", "storage_offset", "is_contiguous", "layout", "itemsize", "nbytes", "element_size", "get_device", "data_ptr", "untyped_storage", "storage", "is_cuda", "is_cpu", "is_mps", "is_meta", "is_xla", "is_xpu", "is_quantized", "is_sparse", "is_leaf", "is_nested", "is_floating_point", "is_complex", "is_signed", "is_inference", "is_conj", "is_neg", "is_pinned", "is_shared", "is_set_to", "requires_grad", "grad", "grad_fn", "retains_grad", "names", "has_names", "dense_dim", "sparse_dim", "qscheme", "register_hook", "_version"]
)
