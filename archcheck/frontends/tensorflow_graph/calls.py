"""Ops as calls that the dialect tables list: what tells axes and shapes becomes numbers, windows are laid out as other
frameworks lay them out (`windows.py`), and lists of tensors are lists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archcheck.frontends.dialects.tensorflow_raw import PREFIX, RANDOM
from archcheck.frontends.static import rows, sizes
from archcheck.frontends.static.opens import Open
from archcheck.frontends.static.values import Data, Tensor
from archcheck.frontends.tensorflow_graph import layouts, patterns, spelled, windows
from archcheck.frontends.tensorflow_graph.nodes import Called, Held, Node, Stored
from archcheck.frontends.tensorflow_graph.wire import Type

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine
    from archcheck.frontends.tensorflow_graph.building import Builder

_REDUCTIONS = ("Mean", "Sum", "Max", "Min", "Prod", "All", "Any", "EuclideanNorm")
# inputs that are numbers, by their place
_NUMBERS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(
        ("ExpandDims", "Tile", "BroadcastTo", "TopKV2", "TopK", "ArgMax", "ArgMin", "Cumsum", "Cumprod"), (1,)
    ),
    **dict.fromkeys(("ResizeBilinear", "ResizeBicubic", "ResizeNearestNeighbor", "ResizeArea", "ReverseV2"), (1,)),
    **dict.fromkeys(("RFFT", "IRFFT", "Bincount"), (1,)),
    **dict.fromkeys(("Roll", "MatrixBandPart"), (1, 2)),
    **dict.fromkeys(("LinSpace", "Range"), (0, 1, 2)),
    **dict.fromkeys(("UnsortedSegmentSum", "UnsortedSegmentMax", "UnsortedSegmentMin", "UnsortedSegmentProd"), (2,)),
    "OneHot": (1, 2, 3),
    "Fill": (0, 1),
    "CropAndResize": (3,),
    "ScatterNd": (2,),
}
# attributes that never decide what is computed
_BESIDE = frozenset({
    "N", "seed", "seed2", "use_cudnn_on_gpu", "use_locking", "validate_indices", "validate_shape", "container", "Tlen",
    "shared_name", "grad_x", "grad_y", "grad_a", "grad_b", "message", "parallel_iterations", "out_type", "shape",
    "num", "num_split", "index_type", "Truncate", "output_type", "Tshape", "exponential_avg_factor",
    "bad_indices_policy",
})  # fmt: skip


def qualified(op: str) -> str:
    """The name of an op in the tables: TensorFlow's own have one without dots."""
    return op if "." in op else PREFIX + op


@dataclass(frozen=True, slots=True)
class Call:
    """An op with what it is given.

    Args:
        builder: gives tensors.
        node: as the file tells it.
        given: its inputs.
    """

    builder: Builder
    node: Node
    given: Sequence[Any]

    @property
    def name(self) -> str:
        """Under which the tables list it."""
        return qualified(self.node.op)

    @property
    def attrs(self) -> Mapping[str, Any]:
        return self.node.attrs

    @property
    def vm(self) -> Machine:
        return self.builder.vm

    def operand(self, at: int) -> Data:
        """An input as the tables take it: a tensor, or a number."""
        one = self.given[at]
        if isinstance(one, Held) and one.single and len(one.shape) <= 1:
            return one.only()
        return self.builder.tensor(one)

    def tensor(self, at: int) -> Tensor:
        """An input that is a tensor."""
        return self.builder.tensor(self.given[at])

    def number(self, at: int) -> Data:
        """An input that is numbers, as lists; open where it is computed from a tensor."""
        one = self.given[at] if at < len(self.given) else None
        if isinstance(one, Stored) and one.numbers is not None:
            one = one.numbers
        if isinstance(one, Held):
            return one.plain()
        if isinstance(one, Open):
            return one
        return self.vm.open("it is computed from a tensor", metadata=True)

    def scalar(self, at: int) -> Data:
        """An input that is one number, or a list of one."""
        found = self.number(at)
        while isinstance(found, list) and len(found) == 1:
            found = found[0]
        return found

    def dims(self, at: int = 0) -> tuple[int | None, ...] | None:
        """The shape of an input; None where the number of its axes is not known."""
        one = self.given[at]
        if isinstance(one, (Stored, Held)):
            return one.shape
        return sizes.known(self.vm, one) if isinstance(one, Tensor) else None

    def does(self, name: str, *args: Data, **kwargs: Data) -> Data:
        """What a call of a listed function gives."""
        return rows.call_function(self.vm, name, list(args), kwargs)


def computed(call: Call) -> Data:
    """What an op gives, or several; `UNLISTED` where no table speaks of it."""
    op = call.node.op
    own = _OWN.get(op)
    if own is not None:
        return own(call)
    numbers = _NUMBERS.get(op, ())
    args = [_plain(call, at) if at in numbers else call.operand(at) for at in range(len(call.given))]
    if args and 0 not in numbers and not any(isinstance(one, Tensor) for one in args):
        args[0] = call.tensor(0)
    return rows.call_function(call.vm, call.name, args, settings(call.attrs))


def _plain(call: Call, at: int) -> Data:
    """Numbers as a call states them: one as such, several as a tuple."""
    found = call.scalar(at)
    return tuple(found) if isinstance(found, list) else found


def settings(attrs: Mapping[str, Any]) -> dict[str, Data]:
    """The attributes that say what is computed."""
    found: dict[str, Data] = {}
    for name in attrs:
        if name.startswith("_") or name in _BESIDE:
            continue
        value = attrs[name]
        of_types = isinstance(value, list) and bool(value) and all(isinstance(one, Type) for one in value)
        if not isinstance(value, (Type, Called, Stored)) and not of_types and value != []:
            found[name] = tuple(value) if isinstance(value, list) else value
    return found


# ---- statistics, products


def _reduction(call: Call) -> Data:
    axes = _plain(call, 1)
    if axes == () and call.node.op in ("Mean", "Sum", "Max", "Min", "Prod"):
        return call.does("tensorflow.identity", call.tensor(0))
    rank = call.dims()
    if call.node.op == "Mean" and (pooled := windows.global_pool(call, axes)) is not None:
        return pooled
    if rank is not None and isinstance(axes, tuple) and {one % len(rank) for one in axes} == set(range(len(rank))):
        axes = None
    if rank is not None and axes == len(rank) - 1 and len(rank) > 2:
        axes = -1  # as one writes it
    return rows.call_function(
        call.vm, call.name, [call.tensor(0), axes], {"keepdims": bool(call.attrs.get("keep_dims", False))}
    )


def _einsum(call: Call) -> Data:
    return call.does(
        "tensorflow.einsum", str(call.attrs.get("equation")), *[call.tensor(at) for at in range(len(call.given))]
    )


def _bias(call: Call) -> Data:
    if str(call.attrs.get("data_format") or "NHWC")[-1] == "C":
        return call.does("tensorflow.add", call.tensor(0), call.tensor(1))
    rank = call.dims()
    shift = call.does("tensorflow.reshape", call.tensor(1), (-1, *[1] * (2 if rank is None else len(rank) - 2)))
    return call.does("tensorflow.add", call.tensor(0), shift)


def _listed(call: Call) -> Data:
    """An op whose inputs are one list."""
    return call.does(call.name, [call.tensor(at) for at in range(len(call.given))])


def _one_hot(call: Call) -> Data:
    if (call.scalar(2), call.scalar(3)) not in ((1, 0), (1.0, 0.0), (True, False)):
        return rows.UNLISTED
    axis = int(call.attrs.get("axis", -1))
    return call.vm.emit(
        "one_hot", (call.tensor(0),), {"classes": call.scalar(1)} | ({} if axis == -1 else {"axis": axis})
    )


def _clip(call: Call) -> Data:
    return call.vm.emit("clamp", (call.tensor(0),), {"min": call.scalar(1), "max": call.scalar(2)})


def _random(call: Call) -> Data:
    given = call.number(0)
    made = rows.call_function(call.vm, call.name, [], {})
    if isinstance(made, Tensor) and isinstance(given, list) and call.vm.sizes is not None:
        call.vm.sizes.know(made.value, tuple(one if type(one) is int else None for one in given))
    call.builder.trains = call.builder.trains or call.node.op in RANDOM
    return made


def _arg(call: Call) -> Data:
    return call.does(call.name, call.tensor(0), call.scalar(1))


_OWN: dict[str, Callable[[Call], Data]] = {
    **dict.fromkeys(_REDUCTIONS, _reduction),
    **dict.fromkeys(("Conv2D", "Conv3D", "DepthwiseConv2dNative"), windows.conv),
    **dict.fromkeys(("Conv2DBackpropInput", "Conv3DBackpropInputV2"), windows.conv_transpose),
    **dict.fromkeys(("MaxPool", "AvgPool", "MaxPool3D", "AvgPool3D"), windows.pool),
    **dict.fromkeys(patterns.NORMS, windows.batch_norm),
    **dict.fromkeys(("Pad", "PadV2", "MirrorPad"), windows.pad),
    **dict.fromkeys(("ArgMax", "ArgMin"), _arg),
    **dict.fromkeys(RANDOM - {"RandomShuffle", "StatelessShuffle", "Multinomial", "StatelessMultinomial"}, _random),
    **dict.fromkeys(("Gather", "GatherV2"), layouts.gather),
    "ResourceGather": layouts.looked_up,
    "Einsum": _einsum,
    "AddN": _listed,
    "BiasAdd": _bias,
    "BiasAddV1": _bias,
    "Pack": layouts.stack,
    "ConcatV2": layouts.concat,
    "Unpack": layouts.unstack,
    "Split": layouts.split,
    "SplitV": layouts.split,
    "StridedSlice": layouts.strided,
    "Slice": layouts.part,
    "Reshape": layouts.reshape,
    "Transpose": layouts.transpose,
    "Squeeze": layouts.squeeze,
    "OneHot": _one_hot,
    "ClipByValue": _clip,
    patterns.FACTOR: spelled.factor,
    patterns.LOST_SCALE: spelled.lost,
    patterns.LOST_SHIFT: spelled.lost,
    patterns.SHIFTED_MAP: windows.shifted_map,
    patterns.DROPOUT: spelled.dropout,
    patterns.LAYER_NORM: spelled.layer_norm,
    patterns.BATCH_NORM: windows.batch_norm_by_formula,
    patterns.FLAT_MAP: spelled.flat_map,
}
