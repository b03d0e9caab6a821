"""Ops of the graph that no recorded call accounts for, told by the public functions that give them.

`x + y`, `x[:, 0]` and whatever a library's insides do come here. What is known without running anything is told as the
number that it is: sizes, axes, constants. An op that is not listed is told by its own name, which no dialect lists.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy
import tensorflow as tf

from archcheck.frontends.dialects.tensorflow_raw import DISTRIBUTIONS, SHARED
from archcheck.frontends.trace.tensorflow_child.encoding import MOST_HELD, plain

if TYPE_CHECKING:
    from archcheck.frontends.trace.tensorflow_child.recorder import Recorder

Told = tuple[str, list[Any], dict[str, Any]]  # a function, its arguments and those by name
_ALIASES = frozenset(
    {"Identity", "IdentityN", "StopGradient", "PreventGradient", "CheckNumerics", "EnsureShape", "Snapshot", "Cast"}
)
_OF_SIZES = frozenset({"Shape", "ShapeN", "Size", "Rank"})

# Ops whose inputs are the arguments of a function, in order, where `_OTHERS` says nothing else.
_SAME = {op: name for name, ops in SHARED.items() for op in ops} | {
    "Equal": "equal", "NotEqual": "not_equal", "Pad": "pad", "Slice": "slice", "LinSpace": "linspace",
}  # fmt: skip
_REDUCES = {
    "Mean": "mean", "Sum": "sum", "Max": "max", "Min": "min", "Prod": "prod", "All": "all", "Any": "any",
    "EuclideanNorm": "euclidean_norm",
}  # fmt: skip
_RANDOM = {op: name for op, name in DISTRIBUTIONS.items() if name in ("uniform", "normal", "truncated_normal")}


def _word(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def _whole(values: Any) -> Any:
    return ("l", *[int(one) for one in values])


def _reduced(op: Any, given: list[Any]) -> Told:
    keywords = {"axis": given[1], "keepdims": bool(op.get_attr("keep_dims"))}
    return f"tensorflow.reduce_{_REDUCES[op.type]}", [given[0]], keywords


def _product(op: Any, given: list[Any]) -> Told:
    first, second = ("transpose_a", "transpose_b") if op.type == "MatMul" else ("adj_x", "adj_y")
    turned = {"transpose_a": bool(op.get_attr(first)), "transpose_b": bool(op.get_attr(second))}
    return "tensorflow.matmul", given, {key: value for key, value in turned.items() if value}


def _windows(name: str) -> Callable[[Any, list[Any]], Told]:
    def told(op: Any, given: list[Any]) -> Told:
        keywords = {"ksize": _whole(op.get_attr("ksize"))} if name.endswith("pool2d") else {}
        keywords |= {"strides": _whole(op.get_attr("strides")), "padding": _word(op.get_attr("padding"))}
        keywords["data_format"] = _word(op.get_attr("data_format"))
        if "pool" not in name:
            keywords["dilations"] = _whole(op.get_attr("dilations"))
        return f"tensorflow.nn.{name}", given, keywords

    return told


def _indexed(op: Any, given: list[Any]) -> Told | None:
    """`x[...]`: a strided slice, whose bits say what was written."""
    parts = given[1:4]
    if not all(isinstance(one, tuple) and one[0] == "l" and all(type(at) is int for at in one[1:]) for one in parts):
        return None
    begin, end, strides = (one[1:] for one in parts)
    masks = {
        name: op.get_attr(name + "_mask") for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    }  # fmt: skip
    index: list[Any] = []
    for at, (first, last, step) in enumerate(zip(begin, end, strides, strict=True)):
        bit = 1 << at
        if masks["ellipsis"] & bit:
            index.append(("e",))
        elif masks["new_axis"] & bit:
            index.append(None)
        elif masks["shrink_axis"] & bit:
            index.append(first)
        else:
            start = None if masks["begin"] & bit else first
            stop = None if masks["end"] & bit else last
            index.append(("s", start, stop, None if step == 1 else step))
    return "tensorflow.Tensor.__getitem__", [given[0], ("u", *index) if len(index) != 1 else index[0]], {}


_OTHERS: dict[str, Callable[[Any, list[Any]], Told | None]] = {
    **dict.fromkeys(_REDUCES, _reduced),
    **dict.fromkeys(("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"), _product),
    "StridedSlice": _indexed,
    "Einsum": lambda op, given: ("tensorflow.einsum", [_word(op.get_attr("equation")), *given], {}),
    "BiasAdd": lambda op, given: (
        "tensorflow.nn.bias_add", given, {"data_format": _word(op.get_attr("data_format"))}
    ),
    "BiasAddV1": lambda op, given: ("tensorflow.nn.bias_add", given, {}),
    "LeakyRelu": lambda op, given: ("tensorflow.nn.leaky_relu", given, {"alpha": op.get_attr("alpha")}),
    "Squeeze": lambda op, given: (
        "tensorflow.squeeze", given, {"axis": _whole(dims) if (dims := op.get_attr("squeeze_dims")) else None}
    ),
    "ConcatV2": lambda op, given: ("tensorflow.concat", [("l", *given[:-1]), given[-1]], {}),
    "Pack": lambda op, given: ("tensorflow.stack", [("l", *given)], {"axis": op.get_attr("axis")}),
    "Unpack": lambda op, given: (
        "tensorflow.unstack", given, {"num": op.get_attr("num"), "axis": op.get_attr("axis")}
    ),
    "Split": lambda op, given: ("tensorflow.split", [given[1], op.get_attr("num_split")], {"axis": given[0]}),
    "SplitV": lambda op, given: ("tensorflow.split", given[:2], {"axis": given[2]}),
    "GatherV2": lambda op, given: (
        "tensorflow.gather", given[:2], {"axis": given[2], "batch_dims": op.get_attr("batch_dims")}
    ),
    "ResourceGather": lambda op, given: ("tensorflow.nn.embedding_lookup", given, {}),
    "GatherNd": lambda op, given: ("tensorflow.gather_nd", given, {}),
    "PadV2": lambda op, given: ("tensorflow.pad", given[:2], {"constant_values": given[2]}),
    "MirrorPad": lambda op, given: ("tensorflow.pad", given, {"mode": _word(op.get_attr("mode"))}),
    "AddN": lambda op, given: ("tensorflow.add_n", [("l", *given)], {}),
    "Cumsum": lambda op, given: (
        "tensorflow.cumsum", given, {"exclusive": op.get_attr("exclusive"), "reverse": op.get_attr("reverse")}
    ),
    "TopKV2": lambda op, given: ("tensorflow.nn.top_k", given, {}),
    "ArgMax": lambda op, given: ("tensorflow.argmax", given, {}),
    "ArgMin": lambda op, given: ("tensorflow.argmin", given, {}),
    "OneHot": lambda op, given: ("tensorflow.one_hot", given[:2], {"axis": op.get_attr("axis")}),
    "MatrixBandPart": lambda op, given: ("tensorflow.linalg.band_part", given, {}),
    "Conv2D": _windows("conv2d"),
    "DepthwiseConv2dNative": _windows("depthwise_conv2d"),
    "MaxPool": _windows("max_pool2d"),
    "AvgPool": _windows("avg_pool2d"),
    **{
        op: lambda op, given: (f"tensorflow.random.{_RANDOM[op.type]}", given[:1], {}) for op in _RANDOM
    },
}  # fmt: skip

_FOLDED: dict[str, Callable[..., Any]] = {
    "Sqrt": numpy.sqrt, "Square": numpy.square, "Mul": numpy.multiply, "Add": numpy.add, "AddV2": numpy.add,
    "Sub": numpy.subtract, "RealDiv": numpy.true_divide, "FloorDiv": numpy.floor_divide, "FloorMod": numpy.mod,
    "Pow": numpy.power, "Neg": numpy.negative, "Maximum": numpy.maximum, "Minimum": numpy.minimum, "Log": numpy.log,
    "Exp": numpy.exp, "Rsqrt": lambda x: 1 / numpy.sqrt(x), "Reciprocal": lambda x: 1 / x, "Abs": numpy.abs,
    "Floor": numpy.floor, "Ceil": numpy.ceil, "Equal": numpy.equal, "NotEqual": numpy.not_equal, "Less": numpy.less,
    "LessEqual": numpy.less_equal, "Greater": numpy.greater, "GreaterEqual": numpy.greater_equal,
    "LogicalAnd": numpy.logical_and, "LogicalOr": numpy.logical_or, "LogicalNot": numpy.logical_not,
}  # fmt: skip


def _reduction(function: Callable[..., Any]) -> Callable[..., Any]:
    def folded(op: Any, given: Any, axis: Any) -> Any:
        return function(given, axis=tuple(axis.ravel().tolist()), keepdims=bool(op.get_attr("keep_dims")))

    return folded


def _sliced(op: Any, given: Any, *parts: Any) -> Any:
    told = _indexed(op, [None, *[("l", *one.tolist()) for one in parts]])
    assert told is not None
    index = told[1][1]
    items = index[1:] if type(index) is tuple and index[0] == "u" else (index,)
    return given[tuple((slice(*one[1:]) if one[0] == "s" else ...) if type(one) is tuple else one for one in items)]


_FOLDED_BY_OP: dict[str, Callable[..., Any]] = {
    "StridedSlice": _sliced,
    "Prod": _reduction(numpy.prod),
    "Sum": _reduction(numpy.sum),
    "Max": _reduction(numpy.max),
    "Min": _reduction(numpy.min),
    "Cast": lambda op, given: given.astype(op.get_attr("DstT").as_numpy_dtype)
    if not op.get_attr("DstT").is_floating else given.astype(numpy.float64),
    "Pack": lambda op, *given: numpy.stack(given, axis=op.get_attr("axis")),
    "ConcatV2": lambda op, *given: numpy.concatenate(given[:-1], axis=int(given[-1])),
    "GatherV2": lambda op, given, at, axis: numpy.take(given, at, axis=int(axis)),
    "ExpandDims": lambda op, given, axis: numpy.expand_dims(given, int(axis)),
    "Squeeze": lambda op, given: numpy.squeeze(given, axis=tuple(op.get_attr("squeeze_dims")) or None),
    "Reshape": lambda op, given, shape: given.reshape(shape.tolist()),
    "Identity": lambda op, given: given,
}  # fmt: skip


class Raw:
    """Tells ops of the graph.

    Args:
        recorder: that is told.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self._static: dict[int, Any] = {}
        self._kept: list[Any] = []
        self._captures: dict[int, Any] = {}
        self._seen: dict[int, int] = {}  # graph, by identity -> how many of its captures are known
        self._variables: dict[int, Any] = {}  # handle, by identity -> variable

    def knows(self, variable: Any) -> None:
        """A variable of the model, by its handle."""
        self._variables[id(variable.handle)] = variable
        self._kept.append(variable)

    def explain(self, tensor: Any) -> Any:
        """How a tensor is told that no recorded call gave; the calls that it comes from are recorded."""
        found = self._source(tensor)
        if type(found) is not _Of:
            return found
        for op in self._needed(found.tensor.op):
            self._emit(op)
        return ("t", self.recorder.values.number(found.tensor))

    def static(self, tensor: Any, depth: int = 24) -> Any:
        """What a tensor holds, if that follows without running anything; else None."""
        key = id(tensor)
        if key not in self._static:
            self._kept.append(tensor)
            self._static[key] = self._evaluated(tensor, depth)
        return self._static[key]

    def _evaluated(self, tensor: Any, depth: int) -> Any:
        if tensor.dtype in (tf.resource, tf.variant, tf.string) or not depth:
            return None
        try:
            value = tf.get_static_value(tensor)
        except (TypeError, ValueError, AttributeError, NotImplementedError):
            value = None
        if value is not None or not hasattr(tensor, "op"):
            return None if value is None else _precise(numpy.asarray(value))
        kind = tensor.op.type
        function = _FOLDED.get(kind)
        if (function is None and kind not in _FOLDED_BY_OP) or (tensor.shape.num_elements() or MOST_HELD) > MOST_HELD:
            return None
        given = [self.static(one, depth - 1) for one in tensor.op.inputs]
        if any(one is None for one in given):
            return None
        try:
            with numpy.errstate(all="ignore"):
                return numpy.asarray(
                    function(*given) if function is not None else _FOLDED_BY_OP[kind](tensor.op, *given)
                )
        except (TypeError, ValueError, IndexError):
            return None

    def derived(self, tensor: Any) -> bool:
        """Whether what a tensor holds was worked out from what a recorded call gave, and not from its sizes alone."""
        waiting, seen = [tensor], set()
        while waiting:
            one = waiting.pop()
            if id(one) in self.recorder.values.numbers:
                return True
            if id(one) in seen or not hasattr(one, "op"):
                continue
            seen.add(id(one))
            outer = self._captured(one)
            waiting += [outer] if outer is not None else [] if one.op.type in _OF_SIZES else list(one.op.inputs)
        return False

    def _source(self, tensor: Any) -> Any:
        """A value, encoded; or the tensor that this one is but for its name."""
        values = self.recorder.values
        while True:
            if id(tensor) in values.numbers:
                return ("t", values.numbers[id(tensor)])
            held = self.static(tensor)
            if held is not None and held.ndim and self.derived(tensor):
                held = None
            if held is not None and held.size <= MOST_HELD and held.dtype.kind in "biuf":
                return plain(held)
            if not hasattr(tensor, "op"):  # an eager tensor
                variable = self._variables.get(id(tensor))
                return ("t", values.number(variable)) if variable is not None else self._constant(tensor)
            if tensor.dtype == tf.resource and id(tensor) in self._variables:
                return ("t", values.number(self._variables[id(tensor)]))
            op = tensor.op
            outer = self._captured(tensor)
            if outer is not None:
                tensor = outer
            elif op.type == "ReadVariableOp":
                tensor = op.inputs[0]
            elif op.type in _ALIASES:
                tensor = op.inputs[tensor.value_index if len(op.outputs) > 1 else 0]
            elif op.type == "Const":
                return self._constant(tensor)
            else:
                return _Of(tensor)

    def _captured(self, tensor: Any) -> Any:
        """What a placeholder stands for that was captured from outside; None for any other tensor."""
        graph = tensor.graph
        captures = getattr(graph, "captures", None)
        if captures is not None and self._seen.get(id(graph), -1) != len(captures):
            self._seen[id(graph)] = len(captures)
            for outer, inner in captures:
                self._captures[id(inner)] = outer
                self._kept.append(inner)
        return self._captures.get(id(tensor))

    def _constant(self, tensor: Any) -> Any:
        """A constant with too many entries to be told."""
        shape = tuple(tensor.shape.as_list()) if tensor.shape.rank is not None else None
        given = self.recorder.values.encode_result(tensor)
        encoded = None if shape is None else ("u", *shape)
        self.recorder.add("tensorflow.constant", [None], {"shape": encoded}, given, place=0, site=-1, building=True)
        return given

    def _needed(self, op: Any) -> list[Any]:
        """The ops that have to be told before, and this one, in order."""
        order: list[Any] = []
        seen: set[int] = set()
        waiting: list[tuple[Any, bool]] = [(op, False)]
        while waiting:
            one, ready = waiting.pop()
            if ready:
                order.append(one)
            elif id(one) not in seen:
                seen.add(id(one))
                waiting.append((one, True))
                for tensor in one.inputs:
                    source = self._source(tensor)
                    if type(source) is _Of:
                        waiting.append((source.tensor.op, False))
        return order

    def _emit(self, op: Any) -> None:
        recorder = self.recorder
        if not op.outputs or id(op.outputs[0]) in recorder.values.numbers:
            return
        given = [self._input(one) for one in op.inputs]
        place, site = recorder.made.get(id(op), (0, -1))
        told: Told | None = None
        if op.type in _OTHERS:
            told = _OTHERS[op.type](op, given)
        elif op.type in _SAME:
            told = f"tensorflow.{_SAME[op.type]}", given, {}
        if told is None:
            told = f"tensorflow.raw_ops.{op.type}", given, _settings(op)
        if op.type == "Placeholder":
            return  # nothing says what it stands for: it stays a tensor that slipped by
        outs = [recorder.values.encode_result(one) for one in op.outputs]
        result = outs[0] if len(outs) == 1 and op.type not in ("Unpack", "Split", "SplitV") else ("l", *outs)
        building = recorder.graph is not None and op.graph is not recorder.graph
        recorder.add(*told, result, place=place, site=site, building=building)

    def _input(self, tensor: Any) -> Any:
        source = self._source(tensor)
        if type(source) is _Of:
            return ("t", self.recorder.values.number(source.tensor))
        return source


_BESIDE = frozenset({"N", "seed", "seed2", "use_locking", "validate_indices", "out_type", "shape", "container"})


def _settings(op: Any) -> dict[str, Any]:
    """The attributes of an op that say what it computes: no types, and nothing for the machinery."""
    found: dict[str, Any] = {}
    for name, value in op.node_def.attr.items():
        kind = value.WhichOneof("value")
        if name.startswith("_") or name in _BESIDE:
            continue
        if kind in ("i", "f", "b"):
            number = getattr(value, kind)
            found[name] = float(str(numpy.float32(number))) if kind == "f" else number
        elif kind == "s":
            found[name] = value.s.decode("utf-8", "replace")
        elif kind == "list" and value.list.i:
            found[name] = _whole(value.list.i)
    return found


def _precise(array: Any) -> Any:
    """Numbers of single precision as one would write them, so that what follows from them is what code would say."""
    if array.dtype.kind != "f" or array.dtype.itemsize == 8 or array.size > MOST_HELD:
        return array
    return numpy.array([float(str(one)) for one in array.ravel()], numpy.float64).reshape(array.shape)


class _Of:
    """A tensor that an op of the graph gives."""

    __slots__ = ("tensor",)

    def __init__(self, tensor: Any) -> None:
        self.tensor = tensor
