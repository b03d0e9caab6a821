"""Operators of TensorFlow Lite whose inputs or options are laid out otherwise than those of TensorFlow's ops."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from archcheck.frontends.dialects.tflite import PREFIX, SAME
from archcheck.frontends.tensorflow_graph.nodes import Called
from archcheck.frontends.tensorflow_graph.patterns import SHIFTED_MAP
from archcheck.frontends.tensorflow_graph.wire import Type
from archcheck.frontends.tflite_model import schema
from archcheck.frontends.tflite_model.model import Operator

if TYPE_CHECKING:
    from archcheck.frontends.tflite_model.turning import Turner

NOT_TOLD = "its options are not told"


def called(number: int) -> str:
    """The name of a graph that others call."""
    return f"graph {number}"


# ---- windows

OPTIONAL = frozenset({"RESHAPE", "DEQUANTIZE", "SQUEEZE"})  # whose options have been left out by some that write files


def _window(operator: Operator, axes: str = "hw") -> dict[str, Any]:
    options = operator.options or {}
    found: dict[str, Any] = {"strides": [1, *(options[f"stride_{axis}"] for axis in axes), 1]}
    if f"dilation_{axes[0]}" in options:
        found["dilations"] = [1, *(options[f"dilation_{axis}"] for axis in axes), 1]
    padding = options["padding"]
    assert isinstance(padding, int)
    if not 0 <= padding < len(schema.PADDINGS):
        raise ValueError("a padding that is not known")
    return {**found, "padding": schema.PADDINGS[padding]}


def _conv(turner: Turner, operator: Operator) -> str:
    given, weight = operator.inputs[:2]
    found = turner.add("Conv2D", (turner.find(given), turner.filter(weight, (1, 2, 3, 0))), _window(operator))
    return turner.shifted(operator, found, 2)


def _depthwise(turner: Turner, operator: Operator) -> str:
    """The filter is [1, height, width, channels * multiplier]."""
    given, weight = operator.inputs[:2]
    channels = (turner.info(given).shape or ())[-1]
    shape = turner.info(weight).shape or ()
    if not turner.holds(weight) or len(shape) != 4 or shape[0] != 1 or channels <= 0 or shape[3] % channels:
        return turner.opaque(operator, "how many filters each channel has is not known")
    laid = turner.laid_out(weight, (), (*shape[1:3], channels, shape[3] // channels))
    found = turner.add("DepthwiseConv2dNative", (turner.find(given), laid), _window(operator))
    return turner.shifted(operator, found, 2)


def _conv_transpose(turner: Turner, operator: Operator) -> str:
    size, weight, given = operator.inputs[:3]
    inputs = (turner.find(size), turner.filter(weight, (1, 2, 0, 3)), turner.find(given))
    return turner.shifted(operator, turner.add("Conv2DBackpropInput", inputs, _window(operator)), 3)


def _conv_3d(turner: Turner, operator: Operator) -> str:
    inputs = tuple(turner.find(at) for at in operator.inputs[:2])
    return turner.shifted(operator, turner.add("Conv3D", inputs, _window(operator, "dhw")), 2)


def _conv_3d_transpose(turner: Turner, operator: Operator) -> str:
    inputs = tuple(turner.find(at) for at in operator.inputs[:3])
    return turner.shifted(operator, turner.add("Conv3DBackpropInputV2", inputs, _window(operator, "dhw")), 3)


def _pool(turner: Turner, operator: Operator) -> str:
    options = operator.options or {}
    size = [1, options["filter_h"], options["filter_w"], 1]
    op = {"AVERAGE_POOL_2D": "AvgPool", "MAX_POOL_2D": "MaxPool"}[operator.code]
    return turner.add(op, (turner.find(operator.inputs[0]),), {"ksize": size, **_window(operator)})


# ---- maps


def _fully_connected(turner: Turner, operator: Operator) -> str:
    """A map of rows: the weights are [outputs, features]; what has more axes is laid out as rows, or keeps them."""
    options = operator.options or {}
    given, weight = operator.inputs[:2]
    if options["format"] or turner.rank(weight) != 2:
        return turner.opaque(operator, "its weights lie in a form that is not read")
    rank, features = turner.rank(given), (turner.info(weight).shape or ())[-1]
    main = turner.find(given)
    if rank is None or (rank > 2 and not options["keep_dims"]) or rank < 2:
        main = turner.add("Reshape", (main, turner.number([-1, features])))
        rank = 2
    laid = turner.filter(weight, (1, 0))
    if rank == 2 and len(operator.inputs) > 2 and operator.inputs[2] >= 0:
        return turner.add(SHIFTED_MAP, (main, laid, turner.find(operator.inputs[2])))
    return turner.shifted(operator, turner.add("MatMul" if rank == 2 else "BatchMatMulV2", (main, laid)), 2)


# ---- the rest


def _concat(turner: Turner, operator: Operator) -> str:
    axis = turner.number((operator.options or {})["axis"])
    inputs = [turner.find(at) for at in operator.inputs]
    return turner.add("ConcatV2", (*inputs, axis), N=len(inputs))


def _gather(turner: Turner, operator: Operator) -> str:
    options = operator.options or {}
    inputs = (turner.find(operator.inputs[0]), turner.find(operator.inputs[1]), turner.number(options["axis"]))
    return turner.add("GatherV2", inputs, batch_dims=options["batch_dims"])


def _looked_up(turner: Turner, operator: Operator) -> str:
    rows, table = operator.inputs[:2]
    return turner.add("GatherV2", (turner.find(table), turner.find(rows), turner.number(0)))


def _reshape(turner: Turner, operator: Operator) -> str:
    given = turner.find(operator.inputs[0])
    if len(operator.inputs) > 1 and operator.inputs[1] >= 0:
        return turner.add("Reshape", (given, turner.find(operator.inputs[1])))
    if operator.options is None:
        return turner.opaque(operator, NOT_TOLD)
    return turner.add("Reshape", (given, turner.number(operator.options["shape"])))


def _squeeze(turner: Turner, operator: Operator) -> str:
    axes = (operator.options or {}).get("axes", [])
    return turner.add("Squeeze", (turner.find(operator.inputs[0]),), squeeze_dims=axes)


def _softmax(turner: Turner, operator: Operator) -> str:
    beta, given = (operator.options or {})["beta"], turner.find(operator.inputs[0])
    return turner.add("Softmax", (given if beta == 1 else turner.add("Mul", (given, turner.number(beta, real=True))),))


def _cast(turner: Turner, operator: Operator) -> str:
    return turner.add("Cast", (turner.find(operator.inputs[0]),), DstT=Type(turner.info(operator.outputs[0]).type))


def _mirror_pad(turner: Turner, operator: Operator) -> str:
    mode = (operator.options or {})["mode"]
    assert isinstance(mode, int)
    if not 0 <= mode < len(schema.MIRRORS):
        raise ValueError("a mode that is not known")
    return turner.add("MirrorPad", tuple(turner.find(at) for at in operator.inputs), mode=schema.MIRRORS[mode])


def _strided(turner: Turner, operator: Operator) -> str:
    options = operator.options or {}
    if options["offset"]:
        return turner.opaque(operator, "its ends are counted from its starts")
    attrs = {name: options[option] for name, option in SAME[operator.code].options.items()}
    return turner.add("StridedSlice", tuple(turner.find(at) for at in operator.inputs), attrs)


def _gelu(turner: Turner, operator: Operator) -> str:
    approximate = (operator.options or {})["approximate"]
    return turner.add(PREFIX + "GELU", (turner.find(operator.inputs[0]),), approximate=approximate)


def _branch(turner: Turner, operator: Operator) -> str:
    options = operator.options or {}
    sides = {"then_branch": _of(options["then"]), "else_branch": _of(options["otherwise"])}
    return turner.add("If", tuple(turner.find(at) for at in operator.inputs), sides)


def _loop(turner: Turner, operator: Operator) -> str:
    options = operator.options or {}
    parts = {"cond": _of(options["test"]), "body": _of(options["body"])}
    return turner.add("While", tuple(turner.find(at) for at in operator.inputs), parts)


def _call(turner: Turner, operator: Operator) -> str:
    function = _of((operator.options or {})["graph"])
    return turner.add("PartitionedCall", tuple(turner.find(at) for at in operator.inputs), f=function)


def _of(number: Any) -> Called:
    return Called(called(number))


def _lstm(turner: Turner, operator: Operator) -> str:
    """Input, four maps of it, four of the state, three peepholes, four shifts, a projection, two states, four norms."""
    given, options = [*operator.inputs, *[-1] * 24][:24], operator.options or {}
    maps, shifts = given[1:9], given[12:16]
    plain = min(*maps, *shifts) >= 0 and max(*given[9:12], *given[16:18], *given[20:]) < 0 and not options["diagonal"]
    if not plain or options["activation"] != schema.ACTIVATIONS.index("TANH"):
        return turner.opaque(operator, "it has peepholes, a projection, norms or activations of its own")
    if options["cell_clip"] or options["projection_clip"]:
        return turner.opaque(operator, "its state is bounded")
    if any(not turner.info(at).kept for at in given[18:20] if at >= 0):
        return turner.opaque(operator, "it starts from a state that is computed")
    units = (turner.info(maps[0]).shape or ())[0]
    inputs = tuple(turner.find(at) for at in (given[0], *maps, *shifts))
    name = PREFIX + "UNIDIRECTIONAL_SEQUENCE_LSTM"
    return turner.add(name, inputs, units=units, time_major=options["time_major"])


OWN: dict[str, Callable[[Turner, Operator], str]] = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "TRANSPOSE_CONV": _conv_transpose,
    "CONV_3D": _conv_3d,
    "CONV_3D_TRANSPOSE": _conv_3d_transpose,
    "AVERAGE_POOL_2D": _pool,
    "MAX_POOL_2D": _pool,
    "FULLY_CONNECTED": _fully_connected,
    "CONCATENATION": _concat,
    "GATHER": _gather,
    "EMBEDDING_LOOKUP": _looked_up,
    "RESHAPE": _reshape,
    "SQUEEZE": _squeeze,
    "SOFTMAX": _softmax,
    "CAST": _cast,
    "MIRROR_PAD": _mirror_pad,
    "STRIDED_SLICE": _strided,
    "GELU": _gelu,
    "IF": _branch,
    "WHILE": _loop,
    "CALL": _call,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm,
}
