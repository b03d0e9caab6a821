"""ONNX operators (opsets up to 24) and the certain ones of com.microsoft: what each means in archcheck's vocabulary.

Operators stand under `onnx.`, those of com.microsoft under `onnx.microsoft.`: `onnx.Add`. Inputs come in the
operator's order, attributes by name; an input
that is left out is None. An operator that meant something else up to opset 12 has a second row under
`onnx.until12.`. The reader makes numbers of what tells axes, shapes and pads, and turns windows as it turns them for
every framework, before it asks the tables (`onnx_model/calls.py`).
"""

from __future__ import annotations

from archcheck.frontends.dialects.table import Dialect, Formula, Row
from archcheck.ir.graph import AttrValue

DOMAIN, MICROSOFT = "onnx.", "onnx.microsoft."
# operator -> the last opset in which it meant something else, which has a row of its own
OLDER = {"Softmax": 12, "LogSoftmax": 12, "Hardmax": 12, "Dropout": 11, "GroupNormalization": 20}


def _row(kind: str, params: str = "X!", attrs: dict[str, str] | None = None, outputs: int = 1, **const: AttrValue) -> Row:
    return Row(kind, params, attrs or {}, const, outputs)


_UNARY: dict[str, Row] = {
    **{name: _row(kind) for name, kind in {
        "Abs": "abs", "Exp": "exp", "Log": "log", "Sqrt": "sqrt", "Neg": "neg", "Erf": "erf", "Sin": "sin", "Cos": "cos", "Sign": "sign",
        "Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "HardSwish": "hard_swish", "Mish": "mish", "Softplus": "softplus", "Softsign": "softsign", "Identity": "identity",
    }.items()},
    **{name: _row("elementwise", function=function) for name, function in {
        "Tan": "tan", "Asin": "asin", "Acos": "acos", "Atan": "atan", "Sinh": "sinh", "Cosh": "cosh", "Asinh": "asinh", "Acosh": "acosh", "Atanh": "atanh", "IsNaN": "isnan", "BitwiseNot": "bitwise_not",
    }.items()},
    "IsInf": _row("elementwise", "X!, detect_negative=1, detect_positive=1", function="isinf"),
    "Reciprocal": _row("pow", exponent=-1),
    "Floor": _row("round", mode="floor"),
    "Ceil": _row("round", mode="ceil"),
    "Round": _row("round", mode="nearest"),
    "Not": _row("logical", operator="not"),
    "Cast": _row("identity", "input!, to=None, saturate=1, round_mode='up'"),
    "CastLike": _row("identity", "input!, target_type, saturate=1, round_mode='up'"),
    "LeakyRelu": _row("leaky_relu", "X!, alpha=0.01", {"slope": "alpha"}),
    "Elu": _row("elu", "X!, alpha=1.0", {"alpha": "alpha"}),
    "Celu": _row("celu", "X!, alpha=1.0", {"alpha": "alpha"}),
    "Gelu": _row("gelu", "X!, approximate='none'", {"approximate": "approximate"}),
    "Swish": _row("silu", "X!, alpha=1.0", {"beta": "alpha"}),
    "PRelu": _row("prelu", "X!, slope!"),
    "Shrink": Row("elementwise", "input!, lambd=0.5, bias=0.0", {"by": "lambd"}, {"function": "hardshrink"}, plain=("bias",)),
}  # fmt: skip

_PAIR = "A!, B!"
_BINARY: dict[str, Row] = {
    **{name: _row("compare", _PAIR, {"by": "B"}, relation=relation) for name, relation in {"Equal": "eq", "Less": "lt", "LessOrEqual": "le", "Greater": "gt", "GreaterOrEqual": "ge"}.items()},
    **{name: _row("logical", _PAIR, operator=operator) for name, operator in {"And": "and", "Or": "or", "Xor": "xor", "BitwiseAnd": "and", "BitwiseOr": "or", "BitwiseXor": "xor"}.items()},
    "BitShift": Row("elementwise", "X!, Y!, direction='LEFT'", const={"function": "bitwise_left_shift"}, plain=("direction",)),
    "Where": _row("where", "condition!, X!, Y!", {"yes": "X", "no": "Y"}),
}  # fmt: skip

_TENSORS: dict[str, Row] = {
    "MatMul": _row("matmul", _PAIR),
    "Einsum": _row("einsum", "*Inputs!, equation", {"equation": "equation"}),
    "Concat": _row("concat", "*inputs!, axis=1", {"axis": "axis"}),
    "Transpose": _row("permute", "data!, perm", {"axes": "perm"}),
    "GatherElements": _row("gather", "data!, indices!, axis=0", {"axis": "axis"}),
    "GatherND": _row("gather", "data!, indices!, batch_dims=0", {"batch_axes": "batch_dims"}, coordinates=True),
    "GridSample": _row("grid_sample", "X!, grid!, mode='bilinear', padding_mode='zeros', align_corners=0", {"mode": "mode", "padding_mode": "padding_mode"}),
    "TopK": Row("topk", "X!, K, axis=-1, largest=1, sorted=1, k=None", {"k": "K", "axis": "axis"}, outputs=2),
    "Det": _row("tensor_function", function="det"),
    "LRN": _row("local_response_norm", "X!, size, alpha=0.0001, beta=0.75, bias=1.0", {"size": "size", "alpha": "alpha", "beta": "beta", "k": "bias"}),
    "EyeLike": _row("constant", "input, dtype=None, k=0", value="identity"),
    **{name: _row("random", "*given, **settings", distribution=kind) for name, kind in {"RandomNormal": "normal", "RandomNormalLike": "normal", "RandomUniform": "uniform", "RandomUniformLike": "uniform"}.items()},
    "Bernoulli": _row("random", "input!, dtype=None, seed=None", distribution="bernoulli"),
    "Multinomial": _row("random", "input!, dtype=None, sample_size=1, seed=None", {"shape": "sample_size"}, distribution="multinomial"),
    "HannWindow": _row("constant", "size, output_datatype=1, periodic=1", {"steps": "size"}, value="hann"),
    "HammingWindow": _row("constant", "size, output_datatype=1, periodic=1", {"steps": "size"}, value="hamming"),
    "BlackmanWindow": _row("constant", "size, output_datatype=1, periodic=1", {"steps": "size"}, value="blackman"),
    "STFT": _row("tensor_function", "signal!, frame_step, window=None!, frame_length=None, onesided=1", function="stft"),
    "Unique": Row("tensor_function", "X!, axis=None, sorted=1", {"axis": "axis"}, {"function": "unique"}, plain=()),
    "NonMaxSuppression": _row("tensor_function", "boxes!, scores!, max_output_boxes_per_class=None, iou_threshold=None, score_threshold=None, center_point_box=0", function="non_max_suppression"),
}  # fmt: skip

# keepdims is 1 where it is left out; axes come as numbers, None where all are meant
_REDUCED = "lambda data, axes=None, keepdims=1, noop_with_empty_axes=0: op.{kind}({data}, axis=axes, keepdim=bool(keepdims){more})"
_ARG = "lambda data, axis=0, keepdims=1, select_last_index=0: op.{kind}(data, axis=axis, keepdim=bool(keepdims))"


def _reduce(kind: str, data: str = "data", more: str = "") -> str:
    return _REDUCED.format(kind=kind, data=data, more=more)


_FORMULAS: dict[str, str] = {
    "Add": "lambda A, B: A + B",
    "Sub": "lambda A, B: A - B",
    "Mul": "lambda A, B: A * B",
    "Div": "lambda A, B: A / B",
    "Pow": "lambda X, Y: X ** Y",
    "Mod": "lambda A, B, fmod=0: op.elementwise(A, B, function='fmod' if fmod else 'remainder') if isinstance(B, torch.Tensor) else op.elementwise(A, function='fmod' if fmod else 'remainder', by=B)",
    "Max": "lambda A, B: torch.maximum(A, B) if isinstance(A, torch.Tensor) and isinstance(B, torch.Tensor) else op.maximum(A, by=B) if isinstance(A, torch.Tensor) else op.maximum(B, by=A)",
    "Min": "lambda A, B: torch.minimum(A, B) if isinstance(A, torch.Tensor) and isinstance(B, torch.Tensor) else op.minimum(A, by=B) if isinstance(A, torch.Tensor) else op.minimum(B, by=A)",
    "Clip": "lambda input, min=None, max=None: op.clamp(input, *(one for one in (min, max) if isinstance(one, torch.Tensor)), min=None if isinstance(min, torch.Tensor) else min, max=None if isinstance(max, torch.Tensor) else max)",
    "Selu": "lambda X, alpha=1.6732632, gamma=1.0507009: op.selu(X) if 1.67326 < alpha < 1.67327 and 1.0507 < gamma < 1.05071 else gamma * op.elu(X, alpha=alpha)",
    "HardSigmoid": "lambda X, alpha=0.2, beta=0.5: op.hard_sigmoid(X) if 0.16666 < alpha < 0.16667 and beta == 0.5 else op.clamp(alpha * X + beta, min=0.0, max=1.0)",
    "ThresholdedRelu": "lambda X, alpha=1.0: torch.where(X > alpha, X, 0.0)",
    # ---- reductions
    "ReduceSum": _reduce("sum"), "ReduceMean": _reduce("mean"), "ReduceProd": _reduce("prod"), "ReduceMax": _reduce("reduce_max"), "ReduceMin": _reduce("reduce_min"),
    "ReduceLogSumExp": _reduce("logsumexp"), "ReduceL1": _reduce("vector_norm", more=", p=1"), "ReduceL2": _reduce("vector_norm", more=", p=2"),
    "ReduceSumSquare": _reduce("sum", "data ** 2"), "ReduceLogSum": "lambda data, axes=None, keepdims=1, noop_with_empty_axes=0: torch.log(op.sum(data, axis=axes, keepdim=bool(keepdims)))",
    "ArgMax": _ARG.format(kind="argmax"), "ArgMin": _ARG.format(kind="argmin"),
    "CumSum": "lambda x, axis, exclusive=0, reverse=0: op.cumsum(x, axis=axis, exclusive=True if exclusive else None, reverse=True if reverse else None)",
    "CumProd": "lambda x, axis, exclusive=0, reverse=0: op.cumprod(x, axis=axis, exclusive=True if exclusive else None, reverse=True if reverse else None)",
    # ---- products
    "Gemm": (
        "lambda A, B, C=None, alpha=1.0, beta=1.0, transA=0, transB=0: (lambda left, right, bias: "
        "torch.nn.functional.linear(left, B, bias) if transB and alpha == 1 and beta == 1 else "
        "torch.matmul(left, right) + bias if bias is not None and alpha == 1 and beta == 1 else "
        "torch.matmul(left, right) if bias is None and alpha == 1 else "
        "alpha * torch.matmul(left, right) if bias is None else torch.addmm(bias, left, right, beta=beta, alpha=alpha))"
        "(torch.transpose(A, 0, 1) if transA else A, torch.transpose(B, 0, 1) if transB and not (alpha == 1 and beta == 1) else B, C)"
    ),
    # ---- layout
    "Flatten": "lambda input, axis=1: torch.flatten(input, axis) if axis == 1 else op.reshape(input, shape=(unknown('sizes joined by Flatten'), -1))",
    "Expand": "lambda input, shape: op.expand(input, shape=shape)",
    "Tile": "lambda input, repeats: op.expand(input, repeats=repeats)",
    "Trilu": "lambda input, k=0, upper=1: op.triangle(input, diagonal=k, upper=bool(upper))",
    "OneHot": "lambda indices, depth, values, axis=-1: op.one_hot(indices, classes=depth, axis=None if axis == -1 else axis)",
    "NonZero": "lambda X: torch.transpose(torch.nonzero(X), 0, 1)",
    "ConstantOfShape": "lambda input, value=0.0: op.constant(shape=input, value=value)",
    "Range": "lambda start, limit, delta: op.constant(value='arange', start=start, end=limit, step=delta)",
    "ReverseSequence": "lambda input, sequence_lens, batch_axis=1, time_axis=0: op.tensor_function(input, sequence_lens, function='reverse_sequence', axis=time_axis)",
    "ScatterElements": "lambda data, indices, updates, axis=0, reduction='none': op.scatter(data, indices, updates, axis=axis, reduce=None if reduction == 'none' else reduction)",
    "ScatterND": "lambda data, indices, updates, reduction='none': op.scatter(data, indices, updates, coordinates=True, reduce=None if reduction == 'none' else reduction)",
    "DepthToSpace": (
        "lambda input, blocksize, mode='DCR': op.pixel_shuffle(input, factor=blocksize, inverse=False) if mode == 'CRD' else "
        "op.rearrange(input, pattern='b (i j c) h w -> b c (h i) (w j)', sizes=(('i', blocksize), ('j', blocksize)))"
    ),
    "SpaceToDepth": "lambda input, blocksize: op.rearrange(input, pattern='b c (h i) (w j) -> b (i j c) h w', sizes=(('i', blocksize), ('j', blocksize)))",
    # ---- norms: they read their weights; how many entries they normalise is told by the shape of the scale
    "LayerNormalization": "lambda X, Scale, B=None, axis=-1, epsilon=1e-05, stash_type=1: torch.nn.functional.layer_norm(X, tuple(Scale.shape), Scale, B, epsilon)",
    "RMSNormalization": "lambda X, scale, axis=-1, epsilon=1e-05, stash_type=1: torch.rms_norm(X, tuple(scale.shape), scale, epsilon)",
    "SimplifiedLayerNormalization": "lambda X, scale, axis=-1, epsilon=1e-05, stash_type=1: torch.rms_norm(X, tuple(scale.shape), scale, epsilon)",
    "InstanceNormalization": "lambda input, scale, B, epsilon=1e-05: torch.nn.functional.instance_norm(input, None, None, scale, B, True, 0.1, epsilon)",
    "GroupNormalization": "lambda X, scale, bias, num_groups, epsilon=1e-05, stash_type=1: torch.nn.functional.group_norm(X, num_groups, scale, bias, epsilon)",
    # scale and bias are one for each group, not for each channel
    "until20.GroupNormalization": "lambda X, scale, bias, num_groups, epsilon=1e-05, stash_type=1: unknown('its scale is one for each group')",
    "LpNormalization": "lambda input, axis=-1, p=2: op.l2_norm(input, axis=axis, p=None if p == 2 else p)",
    "MeanVarianceNormalization": "lambda X, axes=(0, 2, 3): (X - torch.mean(X, axes, True)) / (torch.sqrt(torch.var(X, axes, correction=0, keepdim=True)) + 1e-09)",
    # ---- softmax: up to opset 12 all axes from `axis` on are one
    **{name: f"lambda input, axis=-1: op.{kind}(input, axis=axis)" for name, kind in {"Softmax": "softmax", "LogSoftmax": "log_softmax"}.items()},
    **{f"until12.{name}": (
        f"lambda input, axis=1: op.{kind}(input, axis=axis) if axis == -1 else (lambda rank: "
        f"op.{kind}(input, axis=unknown('all axes from ' + str(axis) + ' on are one, and how many there are is not known')) if not isinstance(rank, int) "
        f"else op.{kind}(input, axis=-1) if axis % rank == rank - 1 else op.{kind}(input, axis=tuple(range(axis % rank, rank))))(input.dim())"
    ) for name, kind in {"Softmax": "softmax", "LogSoftmax": "log_softmax"}.items()},
    # ---- regularisers: in inference form they leave what they are given as it is
    "Dropout": "lambda data, ratio=0.5, training_mode=False, seed=None: (torch.nn.functional.dropout(data, ratio, True), torch.ones_like(data)) if training_mode is True else (op.identity(data), torch.ones_like(data))",
    "until11.Dropout": "lambda data, ratio=0.5, is_test=0: (op.identity(data), torch.ones_like(data))",
    # ---- attention, positions
    "Attention": (
        "lambda Q, K, V, attn_mask=None, past_key=None, past_value=None, nonpad_kv_seqlen=None, is_causal=0, kv_num_heads=None, q_num_heads=None, qk_matmul_output_mode=0, scale=None, softcap=0.0, softmax_precision=None: "
        "(lambda split, joined, extra: (lambda q, k, v: (joined(op.attention(q, k, v, *extra, layout='b h s d', causal=bool(is_causal), scale=scale, softcap=softcap if softcap else None)), k, v, unknown('the scores of an attention')))"
        "(split(Q, q_num_heads), split(K, kv_num_heads) if past_key is None else torch.cat((past_key, split(K, kv_num_heads)), 2), split(V, kv_num_heads) if past_value is None else torch.cat((past_value, split(V, kv_num_heads)), 2)))"
        "((lambda x, heads: x if heads is None else torch.transpose(torch.unflatten(x, 2, (heads, -1)), 1, 2)), (lambda x: x if q_num_heads is None else torch.flatten(torch.transpose(x, 1, 2), 2)), [one for one in (attn_mask, nonpad_kv_seqlen) if one is not None])"
    ),
    "RotaryEmbedding": (
        "lambda X, cos_cache, sin_cache, position_ids=None, interleaved=0, num_heads=0, rotary_embedding_dim=0: "
        "unknown('it turns a part of the features only') if rotary_embedding_dim else op.rope(X, cos_cache, sin_cache, *([] if position_ids is None else [position_ids]), interleaved=bool(interleaved))"
    ),
    # ---- recurrences: what comes out has an axis for the directions, behind the sequence
    **{name: (
        f"lambda X, W, R, B=None, sequence_lens=None, initial_h=None, initial_c=None, P=None, hidden_size=None, direction='forward', layout=0, activations=None, activation_alpha=None, activation_beta=None, clip=None, input_forget=0, linear_before_reset=0: "
        f"unknown('it has peepholes, bounds or activations of its own') if P is not None or clip is not None or input_forget or activations is not None else "
        f"(lambda found: (torch.unsqueeze(found, 2 if layout else 1), op.select(found, index='last state'), op.select(found, index='last cell')))"
        f"(op.{kind}(X, W, R, *([] if B is None else [B]), *([] if initial_h is None else [initial_h]), *([] if initial_c is None else [initial_c]), units=hidden_size, bidirectional=direction == 'bidirectional', bias=B is not None, batch_first=bool(layout){more}))"
    ) for name, kind, more in (("LSTM", "lstm", ""), ("GRU", "gru", ""), ("RNN", "rnn", ", activation='tanh'"))},
}  # fmt: skip

_MICROSOFT: dict[str, str] = {
    "Gelu": "lambda X: op.gelu(X, approximate='none')",
    "BiasGelu": "lambda A, B: op.gelu(A + B, approximate='none')",
    "FastGelu": "lambda X, bias=None: op.gelu(X if bias is None else X + bias, approximate='tanh')",
    "QuickGelu": "lambda X, alpha=1.702: op.quick_gelu(X) if 1.7019 < alpha < 1.7021 else op.silu(X, beta=alpha)",
    "SkipLayerNormalization": (
        "lambda input, skip, gamma, beta=None, bias=None, epsilon=1e-12: (lambda total: (torch.nn.functional.layer_norm(total, tuple(gamma.shape), gamma, beta, epsilon), "
        "unknown('the mean'), unknown('the deviation'), total))(input + skip if bias is None else input + skip + bias)"
    ),
    "SkipSimplifiedLayerNormalization": (
        "lambda input, skip, gamma, bias=None, epsilon=1e-12: (lambda total: (torch.rms_norm(total, tuple(gamma.shape), gamma, epsilon), "
        "unknown('the mean'), unknown('the deviation'), total))(input + skip if bias is None else input + skip + bias)"
    ),
    "FusedMatMul": (
        "lambda A, B, alpha=1.0, transA=0, transB=0, transBatchA=0, transBatchB=0: unknown('batches change places') if transBatchA or transBatchB else "
        "(lambda found: found if alpha == 1 else alpha * found)(torch.matmul(torch.transpose(A, -2, -1) if transA else A, torch.transpose(B, -2, -1) if transB else B))"
    ),
}  # fmt: skip

_QUANTISED = "it computes with rounded numbers, of which no paper's equation speaks"
# why an operator that is known has no meaning here
REASONS: dict[str, str] = {
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"), _QUANTISED),
    **dict.fromkeys(("SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert", "SequenceLength", "SequenceMap", "SplitToSequence", "ConcatFromSequence"), "it works on lists of tensors, which are not followed"),
    **dict.fromkeys(("StringNormalizer", "StringConcat", "StringSplit", "RegexFullMatch", "TfIdfVectorizer", "LabelEncoder"), "it works on texts"),
    "If": "it runs one of two graphs, by what a tensor holds",
    "Loop": "it runs a graph over and over, and how often is not known",
    "Scan": "it runs a graph once for each entry of a sequence",
}  # fmt: skip

ONNX = Dialect(
    name="onnx",
    functions={DOMAIN + name: row for name, row in {**_UNARY, **_BINARY, **_TENSORS}.items()},
    formulas={
        **{DOMAIN + name: Formula(source) for name, source in _FORMULAS.items()},
        **{MICROSOFT + name: Formula(source) for name, source in _MICROSOFT.items()},
    },
)
