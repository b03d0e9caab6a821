"""Ops that slide windows over axes of space, normalise batches, or add to borders, as other frameworks tell them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from archcheck.frontends.static import sizes
from archcheck.frontends.static.values import Data, Tensor
from archcheck.frontends.tensorflow_graph import folded
from archcheck.frontends.tensorflow_graph.nodes import Held
from archcheck.ir.shapes import Dims

if TYPE_CHECKING:
    from archcheck.frontends.tensorflow_graph.calls import Call

_SPACE = {"NHWC": slice(1, 3), "NCHW": slice(2, 4), "NDHWC": slice(1, 4), "NCDHW": slice(2, 5)}


def _alike(values: Sequence[Any]) -> Data:
    """One number for each axis as one for all, where they are the same."""
    return values[0] if len(set(values)) == 1 else tuple(values)


def _format(call: Call, axes: int) -> str:
    return str(call.attrs.get("data_format") or ("NHWC" if axes == 2 else "NDHWC"))


def _of_space(call: Call, name: str, layout: str, default: int = 1) -> tuple[Any, ...]:
    """What an attribute says of the axes of space."""
    told = list(call.attrs.get(name) or [])
    part = _SPACE[layout]
    if len(told) == len(layout):
        if any(one != 1 for at, one in enumerate(told) if not part.start <= at < part.stop):
            raise ValueError(f"{name} over batch or channels")
        return tuple(told[part])
    if told:
        raise ValueError(f"{name} for other axes")
    return (default,) * (part.stop - part.start)


def _padding(call: Call, layout: str) -> Data:
    how = str(call.attrs.get("padding", "VALID"))
    if how == "VALID":
        return 0
    if how == "SAME":
        return "same"
    sides = list(call.attrs.get("explicit_paddings") or [])
    part = _SPACE[layout]
    pairs = [(sides[2 * at], sides[2 * at + 1]) for at in range(part.start, part.stop)]
    if any(one != two for one, two in pairs):
        return call.vm.open("its sides are padded differently", metadata=True)
    return _alike([one for one, _ in pairs])


def conv(call: Call) -> Data:
    """A convolution: the filter is [*kernel, in, out]; of a depthwise one [*kernel, in, multiplier]."""
    vm, axes = call.vm, 3 if call.node.op == "Conv3D" else 2
    layout = _format(call, axes)
    reads = [call.tensor(0), call.tensor(1)]
    told: dict[str, Data] = {
        "axes": axes,
        "padding": _padding(call, layout),
        "stride": _alike(_of_space(call, "strides", layout)),
        "dilation": _alike(_of_space(call, "dilations", layout)),
        "channels_last": layout[-1] == "C",
    }
    if call.builder.told.converted and told["padding"] == "same" and told["stride"] != 1:
        told["padding"] = vm.open("a padding before it may have become its own, as tools do that convert a graph")
    weight, given = sizes.known(vm, reads[1]), sizes.known(vm, reads[0])
    channels = given[layout.index("C")] if given is not None and len(given) == len(layout) else None
    unknown = vm.open("how many channels it reads is not known", metadata=True)
    told["groups"] = unknown
    if weight is not None and len(weight) == axes + 2 and None not in weight:
        told["kernel"] = _alike(weight[:axes])
        inside, outside = weight[-2:]
        assert inside is not None
        assert outside is not None
        if call.node.op == "DepthwiseConv2dNative":
            told |= {"in_features": inside, "out_features": inside * outside, "groups": inside}
        else:
            told |= {"out_features": outside, "in_features": unknown if channels is None else channels}
            told["groups"] = unknown if channels is None else channels // inside
    if folded.may_be_shift(call.builder, call.node):
        told["bias"] = vm.open(folded.WHY)
    return vm.emit("conv", reads, told)


def shifted_map(call: Call) -> Data:
    """A map of rows, with a shift. What a batch norm behind it does may have gone into both, unless the rows are tokens
    of sequences, of which a batch norm is taken to be over another axis."""
    vm, rows, matrix = call.vm, call.tensor(0), call.tensor(1)
    maker = vm.recorder.by_path[rows.value.op]
    before = sizes.known(vm, Tensor(maker.reads[0])) if maker.kind.name == "reshape" and maker.reads else ()
    if before is None or len(before) > 2:
        return call.does("tensorflow.add", call.does("tensorflow.matmul", rows, matrix), call.tensor(2))
    told: dict[str, Data] = {"bias": vm.open(folded.WHY)}
    shape = sizes.known(vm, matrix)
    if shape is not None and len(shape) == 2 and None not in shape:
        told["in_features"], told["out_features"] = shape
    found = vm.emit("linear", (rows, matrix, call.tensor(2)), told)
    made = vm.opaque("tensorflow.raw_ops.BiasAdd", [found], folded.WHY)
    call.builder.folded.add(made.value.op)
    return made


def conv_transpose(call: Call) -> Data:
    """The gradient of a convolution by its input: the filter is [*kernel, out, in]."""
    vm, axes = call.vm, 3 if call.node.op.startswith("Conv3D") else 2
    layout = _format(call, axes)
    reads = [call.tensor(2), call.tensor(1)]
    stride = _of_space(call, "strides", layout)
    told: dict[str, Data] = {
        "axes": axes,
        "stride": _alike(stride),
        "dilation": _alike(_of_space(call, "dilations", layout)),
        "padding": _padding(call, layout),
        "channels_last": layout[-1] == "C",
        "groups": 1,
    }
    weight = sizes.known(vm, reads[1])
    if weight is not None and len(weight) == axes + 2 and None not in weight:
        told |= {"kernel": _alike(weight[:axes]), "in_features": weight[-1], "out_features": weight[-2]}
        if told["padding"] == "same" and tuple(weight[:axes]) == tuple(stride):
            told["padding"] = 0  # nothing is cut off, and nothing added
    if folded.may_be_shift(call.builder, call.node):
        told["bias"] = vm.open(folded.WHY)
    found = vm.emit("conv_transpose", reads, told)
    asked = call.number(0)
    if isinstance(asked, list) and vm.sizes is not None:
        vm.sizes.know(found.value, tuple(one if type(one) is int else None for one in asked))
    return found


def pool(call: Call) -> Data:
    vm, axes = call.vm, 3 if call.node.op.endswith("3D") else 2
    layout = _format(call, axes)
    told: dict[str, Data] = {
        "mode": "max" if call.node.op.startswith("Max") else "mean",
        "axes": axes,
        "kernel": _alike(_of_space(call, "ksize", layout)),
        "stride": _alike(_of_space(call, "strides", layout)),
        "padding": _padding(call, layout),
        "channels_last": layout[-1] == "C",
    }
    return vm.emit("pool", (call.tensor(0),), told)


def batch_norm(call: Call) -> Data:
    """Its statistics are those of the batch, or running ones, which are neither learned nor computed from what it is
    given; how fast they run is not told beside it."""
    vm, builder = call.vm, call.builder
    tensor = call.tensor(0)
    trains = bool(call.attrs.get("is_training", True))
    if not trains and any(builder.is_fed(call.given[at]) for at in (3, 4)):
        return vm.opaque(call.name, [call.tensor(at) for at in range(5)], "its statistics are computed from an input")
    scale, shift = (call.given[at] for at in (1, 2))
    reads = [tensor, *(builder.tensor(one) for one in (scale, shift) if not isinstance(one, Held))]
    layout = str(call.attrs.get("data_format") or "NHWC")
    told: dict[str, Data] = {
        "eps": call.attrs.get("epsilon", 1e-4),
        "elementwise_affine": not isinstance(scale, Held),
        "bias": not isinstance(shift, Held),
        "axis": -1 if layout[-1] == "C" else 1,
        "momentum": vm.open("the graph does not tell how fast its statistics run", metadata=True),
    }
    for one, neutral in ((scale, 1), (shift, 0)):
        if isinstance(one, Held) and any(entry != neutral for entry in one.flat):
            return vm.opaque(call.name, [tensor], "its scale or its shift is a constant")
    given = sizes.known(vm, tensor)
    channels = given[layout.index("C")] if given is not None and len(given) == len(layout) else None
    if channels is not None:
        told["dim"] = channels
    found = vm.emit("batch_norm", reads, told)
    builder.trains = builder.trains or trains
    return found


def batch_norm_by_formula(call: Call) -> Data:
    """A batch norm that is spelled out, with the features last."""
    vm, builder = call.vm, call.builder
    tensor, trains = call.tensor(0), bool(call.attrs["is_training"])
    learned = [call.tensor(at) for at in range(3, len(call.given))]
    dims, statistics = sizes.known(vm, tensor), None if trains else sizes.known(vm, call.tensor(2))
    own = [sizes.known(vm, one) for one in learned] + ([] if trains else [statistics])
    if any(one is None or sum(size != 1 for size in one) > 1 or (len(one) > 1 and one[-1] == 1) for one in own):
        return vm.opaque(
            "tensorflow.raw_ops.FusedBatchNormV3", [tensor, *learned], "which axis it normalises is not known"
        )
    if trains and not _are_all_but_the_last(call.attrs["axes"], dims):
        return vm.opaque("tensorflow.raw_ops.FusedBatchNormV3", [tensor, *learned], "what it normalises is not known")
    builder.trains = builder.trains or trains
    told: dict[str, Data] = {
        "eps": call.attrs["eps"],
        "elementwise_affine": bool(call.attrs["scaled"]),
        "bias": bool(call.attrs["shifted"]),
        "axis": -1,
        "momentum": vm.open("the graph does not tell how fast its statistics run", metadata=True),
    }
    if dims is not None and dims[-1] is not None:
        told["dim"] = dims[-1]
    return vm.emit("batch_norm", [tensor, *learned], told)


def _are_all_but_the_last(axes: tuple[int, ...], dims: Dims | None) -> bool:
    return (
        bool(axes)
        and dims is not None
        and len(dims) > 1
        and sorted(one % len(dims) for one in axes) == list(range(len(dims) - 1))
    )


_KEEPING = frozenset({
    "batch_norm", "layer_norm", "group_norm", "add", "mul", "affine", "scale", "dropout", "identity", "maximum",
    "clamp", "relu", "relu6", "silu", "gelu", "elu", "selu", "leaky_relu", "hard_swish", "sigmoid", "tanh", "mish",
    "concat",
})  # fmt: skip
_MOST_STEPS = 64


def global_pool(call: Call, axes: Data) -> Data:
    """A mean over all axes of space of what convolutions give; None for any other mean."""
    dims = call.dims()
    if dims is None or len(dims) not in (4, 5) or not isinstance(axes, tuple):
        return None
    found = call.tensor(0)
    layout = _of_map(call, found)
    space = range(1, len(dims) - 1) if layout else range(2, len(dims))
    if layout is None or sorted(one % len(dims) for one in axes) != list(space):
        return None
    made = call.vm.emit(
        "pool", (found,), {"mode": "mean", "axes": len(space), "scope": "global", "channels_last": layout}
    )
    if call.vm.sizes is not None:
        keeps = bool(call.attrs.get("keep_dims", False))
        left = tuple(1 if at in space else size for at, size in enumerate(dims) if keeps or at not in space)
        call.vm.sizes.know(made.value, left)
    return made


def _of_map(call: Call, tensor: Any) -> bool | None:
    """Whether the features of what convolutions give are last; None where it is not known that they give it."""
    value = tensor.value
    for _ in range(_MOST_STEPS):
        op = call.vm.recorder.by_path[value.op]
        if op.kind.name in ("conv", "conv_transpose", "pool"):
            layout = op.attr("channels_last")
            return layout if isinstance(layout, bool) else None
        if (op.kind.name not in _KEEPING and op.path not in call.builder.folded) or not op.reads:
            return None
        value = op.reads[0]
    return None


def pad(call: Call) -> Data:
    """Borders: amounts come from the last axis on, two for each, as far as there are any."""
    tensor, sides = call.tensor(0), call.number(1)
    mode = str(call.attrs.get("mode") or "CONSTANT").lower()
    told: dict[str, Data] = {"mode": {"symmetric": "symmetric"}.get(mode, mode)}
    if mode == "constant":
        by = call.scalar(2) if len(call.given) > 2 else 0.0
        told["by"] = by
    if not isinstance(sides, list) or any(not isinstance(one, list) for one in sides):
        told["amount"] = call.vm.open("how much is added is not known", metadata=True)
        return call.vm.emit("pad", (tensor,), told)
    while len(sides) > 1 and sides[0] == [0, 0]:
        sides = sides[1:]
    told["amount"] = tuple(part for side in reversed(sides) for part in side)
    return call.vm.emit("pad", (tensor,), told)
