"""Operators that slide windows over axes of space, or add to them, as other frameworks tell them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from archcheck.frontends.onnx_model.model import Stored
from archcheck.frontends.static import sizes
from archcheck.frontends.static.values import Data, Tensor
from archcheck.ir.graph import Value

if TYPE_CHECKING:
    from archcheck.frontends.onnx_model.calls import Call
    from archcheck.frontends.static.machine import Machine

_FUNCTIONAL = "torch.nn.functional."
FOLDED = "a batch norm may have been folded into it, as exporters do where a graph is saved for inference"
_LINEARS = ("aten.linear", "aten.addmm")
_MOST_STEPS = 64
_EACH = frozenset({"add", "sub", "mul", "div", "pow", "erf", "tanh", "exp", "sqrt", "neg", "sigmoid", "relu", "gelu"})
_EACH |= {"silu", "identity", "clamp", "softmax", "layer_norm", "rms_norm"}
_NO_SPACE = "how many axes of space it has is not known"


def _window(call: Call, axes: int, reads: list[Tensor]) -> tuple[Data, Tensor]:
    """The padding of a window, and what it slides over: padded apart where its sides differ."""
    how = str(call.attributes.get("auto_pad", "NOTSET"))
    pads = list(call.attributes.get("pads", [0] * (2 * axes)))
    if how == "VALID":
        return 0, reads[0]
    if how.startswith("SAME"):
        return "same", reads[0]
    if len(pads) != 2 * axes:
        raise ValueError("pads for other axes")
    if pads[:axes] == pads[axes:]:
        return tuple(pads[:axes]), reads[0]
    amount = tuple(part for at in range(axes - 1, -1, -1) for part in (pads[at], pads[axes + at]))
    by = float("-inf") if call.node.op == "MaxPool" else 0.0
    padded = call.vm.emit("pad", (reads[0],), {"amount": amount, "mode": "constant", "by": by})
    return 0, padded


def _axes_of(call: Call) -> int | None:
    kernel = call.attributes.get("kernel_shape")
    if isinstance(kernel, list):
        return len(kernel)
    rank = call.rank(1) if len(call.given) > 1 and call.node.op.startswith("Conv") else call.rank(0)
    return None if rank is None or rank < 3 else rank - 2


def _alike(sizes_of: Sequence[Any]) -> Data:
    """One number for each axis as one for all, where they are the same."""
    return sizes_of[0] if len(set(sizes_of)) == 1 else tuple(sizes_of)


def conv(call: Call) -> Data:
    vm, axes, op = call.vm, _axes_of(call), call.node.op
    reads = [call.tensor(0), call.tensor(1), *([bias] if (bias := call.optional(2)) is not None else [])]
    if axes not in (1, 2, 3):
        return vm.opaque(f"onnx.{op}", reads, _NO_SPACE)
    group = call.attributes.get("group", 1)
    padding, reads[0] = _window(call, axes, reads)
    told: dict[str, Data] = {"axes": axes, "groups": group, "bias": bias is not None}
    told["padding"] = _alike(padding) if isinstance(padding, tuple) else padding
    for name, attribute in (("stride", "strides"), ("dilation", "dilations")):
        told[name] = _alike(call.attributes.get(attribute, [1] * axes))
    if op == "ConvTranspose":
        unknown = vm.open("its padding follows from the size of what it gives", metadata=True)
        untold = "output_shape" in call.attributes or isinstance(padding, str) or reads[0] is not call.tensor(0)
        told["padding"] = unknown if untold else told["padding"]
    weight = sizes.known(vm, reads[1])
    if weight is not None and len(weight) == axes + 2 and None not in weight:
        many = weight[1] * group if weight[1] is not None else None
        told["in_features"], told["out_features"] = (many, weight[0]) if op == "Conv" else (weight[0], many)
        told["kernel"] = _alike(weight[2:])
    kind = "conv" if op == "Conv" else "conv_transpose"
    if bias is None or not call.builder.may_be_folded(call.node):
        more = {"output_padding": call.attributes.get("output_padding", [0] * axes)}
        return Tensor(Value(vm.emit_path(kind, reads, told, more)))
    told["bias"] = vm.open(FOLDED)
    return vm.opaque(f"onnx.{op}", [Tensor(Value(vm.emit_path(kind, reads, told)))], FOLDED)


def gemm(call: Call) -> Data:
    """A map of rows, behind which a batch norm may be folded as it may behind a convolution."""
    told = call.attributes
    bias = call.given[2] if len(call.given) > 2 else None
    plain = told.get("alpha", 1) == 1 == told.get("beta", 1) and not told.get("transA", 0)
    if (
        not isinstance(bias, Stored)
        or not isinstance(call.given[1], Stored)
        or not call.builder.may_be_folded(call.node, _LINEARS)
    ):
        return call.does(call.name, *(call.operand(at) for at in range(len(call.given))), **told)
    if not plain:
        found = call.does(call.name, *(call.operand(at) for at in range(len(call.given))), **told)
        return call.vm.opaque("onnx.Gemm", [found], FOLDED)
    weight = call.tensor(1) if told.get("transB", 0) else call.does("torch.transpose", call.tensor(1), 0, 1)
    return _open_linear(call, call.tensor(0), weight, call.tensor(2))


def added(call: Call, found: Data) -> Data:
    """A sum as it stands; behind one that ends a map of rows, a batch norm may be folded as behind that of `gemm`."""
    vm = call.vm
    main = next((one for one in call.given if isinstance(one, Tensor)), None)
    bias = next((one for one in call.given if isinstance(one, Stored) and one.real and len(one.shape) == 1), None)
    op = None if main is None else vm.recorder.by_path[main.value.op]
    if main is None or bias is None or op is None or op.kind.name != "matmul" or op.attrs or len(op.reads) != 2:
        return found
    weight = vm.recorder.by_path[op.reads[1].op]
    # of tensors with more axes than two, a batch norm is over another one
    if (
        _has_more_axes(vm, main)
        or weight.kind.name != "parameter"
        or not call.builder.may_be_folded(call.node, _LINEARS)
    ):
        return found
    return vm.opaque("onnx.Add", [found] if isinstance(found, Tensor) else [main], FOLDED)


def _has_more_axes(vm: Machine, tensor: Tensor) -> bool:
    """Whether a tensor is known to have more axes than two, or is made, entry by entry, of one that has."""
    waiting, seen = [tensor.value], {tensor.value}
    while waiting and len(seen) < _MOST_STEPS:
        value = waiting.pop()
        shape = sizes.known(vm, Tensor(value))
        if shape is not None:
            if len(shape) > 2:
                return True
            continue
        op = vm.recorder.by_path[value.op]
        if op.kind.name == "matmul" or op.kind.name in _EACH:
            fresh = [one for one in op.reads[: 1 if op.kind.name == "matmul" else None] if one not in seen]
            waiting += fresh
            seen.update(fresh)
    return False


def _open_linear(call: Call, main: Tensor, weight: Data, bias: Tensor) -> Data:
    told: dict[str, Data] = {"bias": call.vm.open(FOLDED)}
    shape = sizes.known(call.vm, weight) if isinstance(weight, Tensor) else None
    if shape is not None and len(shape) == 2 and None not in shape:
        told["out_features"], told["in_features"] = shape
    reads = [main, weight, bias]
    linear = call.vm.emit("linear", [one for one in reads if isinstance(one, Tensor)], told)
    return call.vm.opaque(f"onnx.{call.node.op}", [linear], FOLDED)


def batch_norm(call: Call) -> Data:
    """Its running statistics are neither learned nor computed from what it is given, and are not read here."""
    reads = [call.tensor(at) for at in range(3)]
    told: dict[str, Data] = {"eps": call.attributes.get("epsilon", 1e-05), "elementwise_affine": True, "bias": True}
    told["momentum"] = round(1 - call.attributes.get("momentum", 0.9), 6)
    dims = sizes.known(call.vm, reads[1])
    if dims is not None and len(dims) == 1:
        told["dim"] = dims[0]
    found = call.vm.emit("batch_norm", reads, told)
    return (found, *call.given[3:5])  # what it has become of the statistics is theirs all the same


def pool(call: Call) -> Data:
    axes, op = _axes_of(call), call.node.op
    tensor = call.tensor(0)
    if op.startswith("Global"):
        mode = {"GlobalAveragePool": "avg", "GlobalMaxPool": "max"}.get(op)
        if mode is None or axes not in (1, 2, 3):
            word = {"avg": "mean", "max": "max", None: "lp"}[mode]
            return call.vm.emit("pool", (tensor,), {"mode": word, "scope": "global"})
        return call.does(f"{_FUNCTIONAL}adaptive_{mode}_pool{axes}d", tensor, 1)
    if axes not in (1, 2, 3):
        return call.vm.opaque(f"onnx.{op}", (tensor,), _NO_SPACE)
    padding, over = _window(call, axes, [tensor])
    kernel = _alike(call.attributes["kernel_shape"])
    stride = _alike(call.attributes.get("strides", [1] * axes))
    padding = _alike(padding) if isinstance(padding, tuple) else padding
    ceil = bool(call.attributes.get("ceil_mode", 0))
    dilation = _alike(call.attributes.get("dilations", [1] * axes))
    if op == "MaxPool":
        if len(call.node.outputs) > 1:
            return call.does(
                f"{_FUNCTIONAL}max_pool{axes}d_with_indices", over, kernel, stride, padding, dilation, ceil
            )
        return call.does(f"{_FUNCTIONAL}max_pool{axes}d", over, kernel, stride, padding, dilation, ceil)
    if dilation != 1:
        return call.vm.opaque(f"onnx.{op}", (tensor,), "its taps do not lie side by side")
    if op == "LpPool":
        plain = {"mode": "lp", "axes": axes, "kernel": kernel, "stride": stride, "p": call.attributes.get("p", 2)}
        return call.vm.emit(
            "pool", (over,), {**plain, "padding": padding} if padding not in (0, (0,) * axes) else plain
        )
    counted = bool(call.attributes.get("count_include_pad", 0))
    if over is not tensor and not counted:
        padding = call.vm.open("its sides are padded differently", metadata=True)
    return call.does(f"{_FUNCTIONAL}avg_pool{axes}d", over, kernel, stride, padding, ceil, counted)


def resize(call: Call) -> Data:
    old = call.node.op == "Upsample" or call.opset < 11
    scales, target = call.listed(1 if old else 2, "scales"), None if old else call.listed(3)
    mode = str(call.attributes.get("mode", "nearest"))
    axes = call.attributes.get("axes")
    told = target or scales
    spatial = 0
    if told is not None:
        leading = 0 if axes is not None else 2
        spatial = len(told) - leading
        if leading and scales and any(one != 1 for one in scales[:leading]):
            return call.vm.opaque(f"onnx.{call.node.op}", (call.tensor(0),), "it resamples more than the axes of space")
        told = told[leading:]
    word = {"linear": {1: "linear", 2: "bilinear", 3: "trilinear"}.get(spatial, "linear"), "cubic": "bicubic"}.get(
        mode, mode
    )
    how = call.attributes.get("coordinate_transformation_mode", "asymmetric" if old else "half_pixel")
    attributes: dict[str, Data] = {"mode": word}
    if word != "nearest":
        attributes["align_corners"] = how == "align_corners"
    if told is None:
        attributes["size"] = call.vm.open("the size that it gives is computed from a tensor", metadata=True)
    else:
        whole = [int(one) if float(one).is_integer() else one for one in told]
        attributes["size" if target else "scale"] = whole[0] if not target and len(set(whole)) == 1 else tuple(whole)
    return call.vm.emit("interpolate", (call.tensor(0),), attributes)


def pad(call: Call) -> Data:
    pads, axes = call.listed(1, "pads"), call.listed(3)
    attributes: dict[str, Data] = {
        "mode": {"edge": "replicate", "wrap": "circular"}.get(m := str(call.attributes.get("mode", "constant")), m)
    }
    if attributes["mode"] == "constant":
        by = call.scalar(2, "value")
        attributes["by"] = 0.0 if by is None else by
    rank = call.rank()
    if pads is None or (axes is not None and (rank is None or len(pads) != 2 * len(axes))):
        attributes["amount"] = call.vm.open("how much is added is not known", metadata=True)
        return call.vm.emit("pad", (call.tensor(0),), attributes)
    count = len(pads) // 2
    sides = [(int(pads[at]), int(pads[count + at])) for at in range(count)]
    if axes is not None and rank is not None:
        by_axis = {int(axis) % rank: side for axis, side in zip(axes, sides, strict=True)}
        sides = [by_axis.get(at, (0, 0)) for at in range(rank)]
    while len(sides) > 1 and sides[0] == (0, 0):
        sides = sides[1:]
    attributes["amount"] = tuple(part for side in reversed(sides) for part in side)
    return call.vm.emit("pad", (call.tensor(0),), attributes)
