"""Ops of TensorFlow's graphs, as `tf.raw_ops` calls them: `tensorflow.raw_ops.AddV2`.

Inputs come in the op's order, attributes by name. Most are what a public function is, and share its row; what tells axes,
shapes and windows is made numbers by whoever reads a graph (`tensorflow_graph/calls.py`) before it asks here. An op that
is known and has no meaning here has a reason in `REASONS`.
"""

from __future__ import annotations

from archcheck.frontends.dialects.table import Formula, Row
from archcheck.ir.graph import AttrValue

PREFIX = "tensorflow.raw_ops."
TRANSFORMED: dict[str, AttrValue] = {"": -1, "2D": (-2, -1), "3D": (-3, -2, -1)}  # axes of a Fourier transform, by the op's ending


def _row(kind: str, params: str = "x!", attrs: dict[str, str] | None = None, **const: AttrValue) -> Row:
    return Row(kind, params, attrs or {}, const)


# public function -> the ops that take the same arguments in the same order
SHARED: dict[str, tuple[str, ...]] = {
    "add": ("Add", "AddV2"), "subtract": ("Sub",), "multiply": ("Mul",), "divide": ("RealDiv", "Div"), "floordiv": ("FloorDiv",),
    "floormod": ("FloorMod",), "pow": ("Pow",), "maximum": ("Maximum",), "minimum": ("Minimum",), "negative": ("Neg",),
    "square": ("Square",), "sqrt": ("Sqrt",), "rsqrt": ("Rsqrt",), "exp": ("Exp",), "log": ("Log",), "log1p": ("Log1p",),
    "expm1": ("Expm1",), "abs": ("Abs", "ComplexAbs"), "sign": ("Sign",), "sin": ("Sin",), "cos": ("Cos",), "tan": ("Tan",),
    "asin": ("Asin",), "acos": ("Acos",), "atan": ("Atan",), "sinh": ("Sinh",), "cosh": ("Cosh",), "asinh": ("Asinh",),
    "acosh": ("Acosh",), "atanh": ("Atanh",), "atan2": ("Atan2",), "tanh": ("Tanh",), "sigmoid": ("Sigmoid",), "erf": ("Erf",),
    "erfc": ("Erfc",), "erfinv": ("Erfinv",), "lgamma": ("Lgamma",), "digamma": ("Digamma",), "floor": ("Floor",), "ceil": ("Ceil",),
    "round": ("Round",), "rint": ("Rint",), "reciprocal": ("Reciprocal", "Inv"), "is_nan": ("IsNan",), "is_inf": ("IsInf",),
    "is_finite": ("IsFinite",), "real": ("Real",), "imag": ("Imag",), "conj": ("Conj",), "angle": ("Angle",), "complex": ("Complex",),
    "squared_difference": ("SquaredDifference",), "less": ("Less",), "less_equal": ("LessEqual",), "greater": ("Greater",),
    "greater_equal": ("GreaterEqual",), "logical_and": ("LogicalAnd",), "logical_or": ("LogicalOr",), "logical_not": ("LogicalNot",),
    "where": ("Select", "SelectV2"), "clip_by_value": ("ClipByValue",), "nn.relu": ("Relu",), "nn.relu6": ("Relu6",),
    "nn.elu": ("Elu",), "nn.selu": ("Selu",), "nn.softplus": ("Softplus",), "nn.softsign": ("Softsign",), "nn.softmax": ("Softmax",),
    "nn.log_softmax": ("LogSoftmax",), "cast": ("Cast",), "bitcast": ("Bitcast",), "identity": ("Identity", "Snapshot", "PlaceholderWithDefault"),
    "stop_gradient": ("StopGradient", "PreventGradient"), "check_numerics": ("CheckNumerics",), "ensure_shape": ("EnsureShape",),
    "reshape": ("Reshape",), "expand_dims": ("ExpandDims",), "transpose": ("Transpose",), "tile": ("Tile",), "broadcast_to": ("BroadcastTo",),
    "roll": ("Roll",), "reverse": ("ReverseV2",), "zeros_like": ("ZerosLike",), "ones_like": ("OnesLike",), "range": ("Range",),
    "fill": ("Fill",), "gather_nd": ("GatherNd",), "tensor_scatter_nd_update": ("TensorScatterUpdate",), "tensor_scatter_nd_add": ("TensorScatterAdd",),
    "scatter_nd": ("ScatterNd",), "argmax": ("ArgMax",), "argmin": ("ArgMin",), "matrix_band_part": ("MatrixBandPart",), "nn.l2_loss": ("L2Loss",),
    "reduce_mean": ("Mean",), "reduce_sum": ("Sum",), "reduce_max": ("Max",), "reduce_min": ("Min",), "reduce_prod": ("Prod",),
    "reduce_all": ("All",), "reduce_any": ("Any",), "reduce_euclidean_norm": ("EuclideanNorm",), "matrix_diag_part": ("MatrixDiagPart",),
}  # fmt: skip

DISTRIBUTIONS = {
    "RandomUniform": "uniform", "RandomUniformInt": "uniform", "RandomStandardNormal": "normal", "TruncatedNormal": "truncated_normal",
    "ParameterizedTruncatedNormal": "truncated_normal", "RandomGamma": "gamma", "Multinomial": "multinomial", "RandomShuffle": "permutation",
    "StatelessRandomUniform": "uniform", "StatelessRandomUniformV2": "uniform", "StatelessRandomNormal": "normal",
    "StatelessRandomNormalV2": "normal", "StatelessTruncatedNormal": "truncated_normal", "StatelessTruncatedNormalV2": "truncated_normal",
    "StatelessRandomUniformInt": "uniform", "StatelessRandomUniformIntV2": "uniform", "StatelessMultinomial": "multinomial",
    "StatefulUniform": "uniform", "StatefulStandardNormalV2": "normal", "StatefulTruncatedNormal": "truncated_normal", "StatelessShuffle": "permutation",
}  # fmt: skip
RANDOM = frozenset(DISTRIBUTIONS)

_ALIGNED = "align_corners=False, half_pixel_centers=False"
_OWN: dict[str, Row] = {
    **{op: _row("elementwise", "x!, y!", {"by": "y"}, function=name) for op, name in {"Mod": "fmod", "TruncateMod": "fmod", "NextAfter": "nextafter", "Igamma": "igamma", "Xlogy": "xlogy", "Xdivy": "xdivy", "Zeta": "zeta"}.items()},
    "DivNoNan": _row("elementwise", "x!, y!", {"by": "y"}, function="divide_no_nan"),
    "MulNoNan": _row("elementwise", "x!, y!", {"by": "y"}, function="multiply_no_nan"),
    "TruncateDiv": _row("div", "x!, y!", {"by": "y"}, rounding="trunc"),
    "Ndtri": _row("elementwise", function="ndtri"),
    "LogicalXor": _row("logical", "x!, y!", operator="xor"),
    **{f"Bitwise{op}": _row("logical", "x!, y!", operator=op.lower()) for op in ("And", "Or", "Xor")},
    "LeftShift": _row("elementwise", "x!, y!", {"by": "y"}, function="bitwise_left_shift"),
    "RightShift": _row("elementwise", "x!, y!", {"by": "y"}, function="bitwise_right_shift"),
    "Invert": _row("elementwise", function="bitwise_not"),
    "LeakyRelu": _row("leaky_relu", "features!, alpha=0.2", {"slope": "alpha"}),
    "Equal": Row("compare", "x!, y!, incompatible_shape_error=True", {"by": "y"}, {"relation": "eq"}, plain=("incompatible_shape_error",)),
    "NotEqual": Row("compare", "x!, y!, incompatible_shape_error=True", {"by": "y"}, {"relation": "ne"}, plain=("incompatible_shape_error",)),
    "Cumsum": _row("cumsum", "x!, axis, exclusive=False, reverse=False", {"axis": "axis", "exclusive": "exclusive", "reverse": "reverse"}),
    "Cumprod": _row("cumprod", "x!, axis, exclusive=False, reverse=False", {"axis": "axis", "exclusive": "exclusive", "reverse": "reverse"}),
    "TopKV2": Row("topk", "input!, k, sorted=True", {"k": "k"}, {"axis": -1, "largest": True}, outputs=2, fields=("values", "indices")),
    "TopK": Row("topk", "input!, k, sorted=True", {"k": "k"}, {"axis": -1, "largest": True}, outputs=2, fields=("values", "indices")),
    "Einsum": _row("einsum", "*inputs!, equation", {"equation": "equation"}),
    "Where": _row("nonzero"),
    "Diag": _row("tensor_function", "diagonal!", function="diag"),
    "DiagPart": _row("select", "input!", index="diagonal"),
    **{op: _row("tensor_function", "input!, **settings", function=name) for op, name in {
        "MatrixInverse": "inverse", "MatrixDeterminant": "det", "Cholesky": "cholesky", "MatrixSquareRoot": "sqrtm", "MatrixExponential": "matrix_exp", "Svd": "svd", "Qr": "qr", "SelfAdjointEigV2": "eigh", "MatrixDiag": "diag_embed",
    }.items()},
    "MatrixSolve": _row("tensor_function", "matrix!, rhs!, adjoint=False", function="solve"),
    "MatrixTriangularSolve": _row("tensor_function", "matrix!, rhs!, lower=True, adjoint=False", function="triangular_solve"),
    "Bincount": _row("tensor_function", "arr!, size, weights!", function="bincount"),
    "ReverseSequence": _row("tensor_function", "input!, seq_lengths!, seq_dim, batch_dim=0", {"axis": "seq_dim"}, function="reverse_sequence"),
    **{op: _row("tensor_function", "data!, segment_ids!, num_segments=None", function=name) for op, name in {
        "SegmentSum": "segment_sum", "SegmentMean": "segment_mean", "SegmentMax": "segment_max", "SegmentMin": "segment_min",
        "UnsortedSegmentSum": "segment_sum", "UnsortedSegmentMax": "segment_max", "UnsortedSegmentMin": "segment_min", "UnsortedSegmentProd": "segment_prod",
    }.items()},
    "ResizeBilinear": _row("interpolate", f"images!, size, {_ALIGNED}", {"size": "size", "align_corners": "align_corners"}, mode="bilinear"),
    "ResizeBicubic": _row("interpolate", f"images!, size, {_ALIGNED}", {"size": "size", "align_corners": "align_corners"}, mode="bicubic"),
    "ResizeNearestNeighbor": _row("interpolate", f"images!, size, {_ALIGNED}", {"size": "size"}, mode="nearest"),
    "ResizeArea": _row("interpolate", "images!, size, align_corners=False", {"size": "size", "align_corners": "align_corners"}, mode="area"),
    "LRN": _row("local_response_norm", "input!, depth_radius=5, bias=1.0, alpha=1.0, beta=0.5", {"size": "depth_radius", "k": "bias", "alpha": "alpha", "beta": "beta"}),
    **{f"{inverse}FFT{axes}": _row("fft", "input!", axis=axis, inverse=inverse == "I", real=False) for inverse in ("", "I") for axes, axis in TRANSFORMED.items()},
    **{f"{inverse}RFFT{axes}": _row("fft", "input!, fft_length", {"length": "fft_length"}, axis=axis, inverse=inverse == "I", real=True) for inverse in ("", "I") for axes, axis in TRANSFORMED.items()},
    "LinSpace": _row("constant", "start, stop, num", {"start": "start", "end": "stop", "steps": "num"}, value="linspace"),
    "OneHot": _row("one_hot", "indices!, depth, on_value=None, off_value=None, axis=-1", {"classes": "depth", "axis": "axis"}),
    "Bucketize": _row("tensor_function", "input!, boundaries", function="bucketize"),
    "CropAndResize": _row("tensor_function", "image!, boxes!, box_ind!, crop_size, method='bilinear', extrapolation_value=0.0", function="crop_and_resize"),
    **{op: _row("tensor_function", "boxes!, scores!, *settings, **more", function="non_max_suppression") for op in ("NonMaxSuppressionV3", "NonMaxSuppressionV4", "NonMaxSuppressionV5", "CombinedNonMaxSuppression")},
    "ExtractImagePatches": Row("unfold", "images!, ksizes, strides, rates, padding", {"kernel": "ksizes", "stride": "strides", "dilation": "rates", "padding": "padding"}),
    **{op: _row("random", "*given, **settings", distribution=name) for op, name in DISTRIBUTIONS.items()},
}  # fmt: skip

_SPELLED: dict[str, str] = {
    "MatMul": "lambda a, b, transpose_a=False, transpose_b=False: op.matmul(a, b, transpose_a=True if transpose_a else None, transpose_b=True if transpose_b else None)",
    **{f"BatchMatMul{version}": "lambda x, y, adj_x=False, adj_y=False: op.matmul(x, y, transpose_a=True if adj_x else None, transpose_b=True if adj_y else None)" for version in ("", "V2", "V3")},
    "AddN": "lambda inputs: sum(inputs[1:], inputs[0])",
    "BiasAdd": "lambda value, bias, data_format='NHWC': value + bias if data_format[-1] == 'C' else value + op.reshape(bias, shape=(-1, 1, 1))",
    "BiasAddV1": "lambda value, bias: value + bias",
    "ConcatV2": "lambda values, axis: tensorflow.concat(values, axis)",
    "Pack": "lambda values, axis=0: tensorflow.stack(values, axis)",
    "DepthToSpace": "lambda input, block_size, data_format='NHWC': op.pixel_shuffle(input, factor=block_size, inverse=False, channels_last=data_format[-1] == 'C')",
    "SpaceToDepth": "lambda input, block_size, data_format='NHWC': op.pixel_shuffle(input, factor=block_size, inverse=True, channels_last=data_format[-1] == 'C')",
}  # fmt: skip

_ROUNDED = "it computes with rounded numbers, of which no paper's equation speaks"
_TEXTS = "it works on texts"
_LISTS = "it works on a list of tensors, as a loop over a sequence does"
# why an op that is known has no meaning here
REASONS: dict[str, str] = {
    **dict.fromkeys(("If", "StatelessIf", "Case", "StatelessCase"), "it runs one of several graphs, by what a tensor holds"),
    **dict.fromkeys(("While", "StatelessWhile"), "it is a loop whose rounds a tensor decides, or that goes over a sequence"),
    **dict.fromkeys(("Switch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond", "RefSwitch", "RefMerge"), "it is a part of a branch or a loop of TensorFlow 1"),
    **dict.fromkeys(("QuantizeV2", "Dequantize", "QuantizedConv2D", "QuantizedMatMul", "FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxArgs", "FakeQuantWithMinMaxVarsPerChannel", "QuantizeAndDequantizeV2"), _ROUNDED),
    **dict.fromkeys(("StringJoin", "StringSplit", "StringLower", "RegexReplace", "AsString", "StringToNumber", "StringToHashBucketFast", "DecodeRaw"), _TEXTS),
    **dict.fromkeys(("TensorListReserve", "TensorListStack", "TensorListSetItem", "TensorListGetItem", "TensorListFromTensor", "EmptyTensorList", "TensorListPushBack", "TensorListPopBack", "TensorListLength", "TensorArrayV3", "TensorArrayReadV3", "TensorArrayWriteV3", "TensorArrayGatherV3", "TensorArrayScatterV3", "TensorArraySizeV3"), _LISTS),
    **dict.fromkeys(("PyFunc", "EagerPyFunc", "PyFuncStateless"), "it runs Python code, which the file does not hold"),
    **dict.fromkeys(("XlaCallModule", "TPUPartitionedCall"), "it holds a program in another form"),
    **dict.fromkeys(("LookupTableFindV2", "HashTableV2", "LookupTableFind"), "it looks up what a table holds"),
    **dict.fromkeys(("CudnnRNN", "CudnnRNNV2", "CudnnRNNV3", "BlockLSTM", "BlockLSTMV2", "LSTMBlockCell", "GRUBlockCell"), "it is a recurrence whose weights lie in one tensor"),
}  # fmt: skip


def rows(public: dict[str, Row]) -> dict[str, Row]:
    """The rows of ops by qualified name, those of public functions among them."""
    shared = {op: public["tensorflow." + name] for name, ops in SHARED.items() for op in ops if "tensorflow." + name in public}
    return {PREFIX + op: row for op, row in {**shared, **_OWN}.items()}


def formulas(public: dict[str, Formula]) -> dict[str, Formula]:
    """The formulas of ops by qualified name, those of public functions among them."""
    shared = {op: public["tensorflow." + name] for name, ops in SHARED.items() for op in ops if "tensorflow." + name in public}
    return {PREFIX + op: one for op, one in {**shared, **{op: Formula(source) for op, source in _SPELLED.items()}}.items()}
