"""Operators of TensorFlow Lite: most are an op of TensorFlow's graphs, under which `tensorflow_raw.py` lists them.

A `Same` names that op, and which options of the operator are its attributes; inputs come in the operator's order. An
operator that TensorFlow spells in several ops, or has none for, has a row under `tflite.`; one whose inputs have to be
laid out anew is turned by whoever reads the file (`tflite_model/turning.py`). One that is known and has no meaning
here has a reason in `REASONS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from archcheck.frontends.dialects.table import Dialect, Formula, Row
from archcheck.ir.graph import AttrValue

PREFIX = "tflite."


@dataclass(frozen=True, slots=True)
class Same:
    """An operator that is an op of TensorFlow.

    Args:
        op: as TensorFlow calls it.
        options: of the operator, by the names of the op's attributes.
        order: of its inputs as the op takes them, by number; () where it is the same.
    """

    op: str
    options: Mapping[str, str] = field(default_factory=dict)
    order: tuple[int, ...] = ()


_KEEP = {"keep_dims": "keep_dims"}
_RESIZED = {"align_corners": "align_corners", "half_pixel_centers": "half_pixel_centers"}
_MASKS = {f"{name}_mask": name for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")}

SAME: dict[str, Same] = {
    **{code: Same(op) for code, op in {
        "ADD": "AddV2", "SUB": "Sub", "MUL": "Mul", "DIV": "RealDiv", "POW": "Pow", "MAXIMUM": "Maximum", "MINIMUM": "Minimum",
        "SQUARED_DIFFERENCE": "SquaredDifference", "FLOOR_DIV": "FloorDiv", "FLOOR_MOD": "FloorMod", "ATAN2": "Atan2", "ADD_N": "AddN",
        "EXP": "Exp", "LOG": "Log", "SQRT": "Sqrt", "RSQRT": "Rsqrt", "NEG": "Neg", "ABS": "Abs", "SIN": "Sin", "COS": "Cos", "SQUARE": "Square",
        "FLOOR": "Floor", "CEIL": "Ceil", "ROUND": "Round", "SIGN": "Sign", "RELU": "Relu", "RELU6": "Relu6", "TANH": "Tanh", "LOGISTIC": "Sigmoid",
        "ELU": "Elu", "LOG_SOFTMAX": "LogSoftmax", "LESS": "Less", "LESS_EQUAL": "LessEqual", "GREATER": "Greater", "GREATER_EQUAL": "GreaterEqual",
        "EQUAL": "Equal", "NOT_EQUAL": "NotEqual", "LOGICAL_AND": "LogicalAnd", "LOGICAL_OR": "LogicalOr", "LOGICAL_NOT": "LogicalNot",
        "SELECT": "Select", "SELECT_V2": "SelectV2", "TRANSPOSE": "Transpose", "EXPAND_DIMS": "ExpandDims", "SLICE": "Slice", "GATHER_ND": "GatherNd",
        "TILE": "Tile", "BROADCAST_TO": "BroadcastTo", "PAD": "Pad", "PADV2": "PadV2", "ARG_MAX": "ArgMax", "ARG_MIN": "ArgMin", "TOPK_V2": "TopKV2",
        "FILL": "Fill", "RANGE": "Range", "SHAPE": "Shape", "RANK": "Rank", "ZEROS_LIKE": "ZerosLike", "REVERSE_V2": "ReverseV2", "WHERE": "Where",
        "SCATTER_ND": "ScatterNd", "MATRIX_DIAG": "MatrixDiag", "SEGMENT_SUM": "SegmentSum", "UNSORTED_SEGMENT_SUM": "UnsortedSegmentSum",
        "UNSORTED_SEGMENT_MAX": "UnsortedSegmentMax", "UNSORTED_SEGMENT_MIN": "UnsortedSegmentMin", "UNSORTED_SEGMENT_PROD": "UnsortedSegmentProd",
        "COMPLEX_ABS": "ComplexAbs", "REAL": "Real", "IMAG": "Imag", "BITWISE_XOR": "BitwiseXor", "RIGHT_SHIFT": "RightShift",
        "RANDOM_UNIFORM": "RandomUniform", "RANDOM_STANDARD_NORMAL": "RandomStandardNormal", "MULTINOMIAL": "Multinomial", "UNIQUE": "Unique",
    }.items()},
    **{code: Same(op, _KEEP) for code, op in {
        "MEAN": "Mean", "SUM": "Sum", "REDUCE_MAX": "Max", "REDUCE_MIN": "Min", "REDUCE_PROD": "Prod", "REDUCE_ANY": "Any", "REDUCE_ALL": "All",
    }.items()},
    "BATCH_MATMUL": Same("BatchMatMulV2", {"adj_x": "adj_x", "adj_y": "adj_y"}),
    "SQUEEZE": Same("Squeeze", {"squeeze_dims": "axes"}),
    "PACK": Same("Pack", {"axis": "axis"}),
    "UNPACK": Same("Unpack", {"axis": "axis", "num": "count"}),
    "SPLIT": Same("Split", {"num_split": "count"}),
    "SPLIT_V": Same("SplitV", {"num_split": "count"}),
    "STRIDED_SLICE": Same("StridedSlice", _MASKS),
    "ONE_HOT": Same("OneHot", {"axis": "axis"}),
    "CUMSUM": Same("Cumsum", {"exclusive": "exclusive", "reverse": "reverse"}),
    "LEAKY_RELU": Same("LeakyRelu", {"alpha": "alpha"}),
    "RESIZE_BILINEAR": Same("ResizeBilinear", _RESIZED),
    "RESIZE_NEAREST_NEIGHBOR": Same("ResizeNearestNeighbor", _RESIZED),
    "DEPTH_TO_SPACE": Same("DepthToSpace", {"block_size": "block"}),
    "SPACE_TO_DEPTH": Same("SpaceToDepth", {"block_size": "block"}),
    "REVERSE_SEQUENCE": Same("ReverseSequence", {"seq_dim": "axis", "batch_dim": "batch"}),
    "LOCAL_RESPONSE_NORMALIZATION": Same("LRN", {"depth_radius": "radius", "bias": "bias", "alpha": "alpha", "beta": "beta"}),
}  # fmt: skip

# what an operator computes from its result, by the name of the activation
FUSED: dict[str, str] = {"RELU": "Relu", "RELU6": "Relu6", "TANH": "Tanh", "RELU_N1_TO_1": PREFIX + "RELU_N1_TO_1"}

_ROUNDED = "it computes with rounded numbers, of which no paper's equation speaks"
_LISTS = "it works on a list of tensors, as a loop over a sequence does"
_VARIABLES = "it keeps a tensor from one run to the next, and the file does not tell whether it is learned"
REASONS: dict[str, str] = {
    **dict.fromkeys(("QUANTIZE", "DEQUANTIZE", "FAKE_QUANT"), _ROUNDED),
    **dict.fromkeys(("VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"), _VARIABLES),
    **dict.fromkeys(("HASHTABLE", "HASHTABLE_FIND", "HASHTABLE_IMPORT", "HASHTABLE_SIZE", "HASHTABLE_LOOKUP"), "it looks up what a table holds"),
    **dict.fromkeys(("RNN", "UNIDIRECTIONAL_SEQUENCE_RNN", "BIDIRECTIONAL_SEQUENCE_RNN", "BIDIRECTIONAL_SEQUENCE_LSTM", "LSTM", "SVDF"), "it is a recurrence in a form that is not read"),
    **{f"FlexTensorList{what}": _LISTS for what in ("Reserve", "Stack", "SetItem", "GetItem", "FromTensor", "PushBack", "PopBack", "Length")},
    **dict.fromkeys(("SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"), "it lays out parts of space as a batch, as a convolution with holes does"),
    "DELEGATE": "it holds a program in another form",
}  # fmt: skip


def _row(kind: str, params: str = "input!", attrs: dict[str, str] | None = None, **const: AttrValue) -> Row:
    return Row(kind, params, attrs or {}, const)


TFLITE = Dialect(
    name="tflite",
    functions={PREFIX + code: row for code, row in {
        "RELU_N1_TO_1": _row("clamp", min=-1.0, max=1.0),
        "RELU_0_TO_1": _row("clamp", min=0.0, max=1.0),
        "HARD_SWISH": _row("hard_swish"),
        "PRELU": _row("prelu", "input!, alpha!"),
        "L2_NORMALIZATION": _row("l2_norm", axis=-1),
    }.items()},
    formulas={PREFIX + code: Formula(source) for code, source in {
        "GELU": "lambda input, approximate=False: op.gelu(input, approximate='tanh' if approximate else 'none')",
        "UNIDIRECTIONAL_SEQUENCE_LSTM": "lambda *given, units=None, time_major=False: op.lstm(*given, units=units, bias=True, batch_first=not time_major)",
    }.items()},
)  # fmt: skip
