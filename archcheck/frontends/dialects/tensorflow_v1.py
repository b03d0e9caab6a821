"""TensorFlow, the names of releases 1 and 2 under one prefix: `tf.math.add`, `tf.compat.v1.add` and `tf.add` are one row.

`tf.get_variable`, `tf.Variable` and the loops (`while_loop`, `scan`, `map_fn`, `foldl`) stay out: the evaluator knows
variables by their scope, and a loop's body is code to be read. Keras is a dialect of its own.
"""

from __future__ import annotations

from archcheck.frontends.dialects import tensorflow_raw
from archcheck.frontends.dialects.table import Dialect, LayerRow, Row
from archcheck.frontends.dialects.tensorflow_formulas import FORMULAS
from archcheck.ir.graph import AttrValue


def _row(kind: str, params: str = "x!", attrs: dict[str, str] | None = None, **const: AttrValue) -> Row:
    return Row(kind, params, attrs or {}, const)


_AXIS = {"axis": "axis"}
_BY = {"by": "y"}
_PAIR = "x!, y!, name=None"
_NAMED = "x!, name=None"
_CAST = "x!, *args, **kwargs"

# ---- element by element

_ELEMENTS: dict[str, Row] = {
    **{name: _row(name, _NAMED) for name in ("abs", "exp", "log", "sqrt", "rsqrt", "erf", "sin", "cos", "sign", "sigmoid", "tanh", "real", "imag")},
    **{name: _row("elementwise", _NAMED, function=name) for name in ("tan", "sinh", "cosh", "asin", "acos", "atan", "asinh", "acosh", "atanh", "log1p", "expm1", "erfc", "erfinv", "lgamma", "digamma", "angle", "conj")},
    "is_nan": _row("elementwise", _NAMED, function="isnan"),
    "is_inf": _row("elementwise", _NAMED, function="isinf"),
    "is_finite": _row("elementwise", _NAMED, function="isfinite"),
    "neg": _row("neg", _NAMED),
    "negative": _row("neg", _NAMED),
    "square": _row("pow", _NAMED, exponent=2),
    "reciprocal": _row("pow", _NAMED, exponent=-1),
    "floor": _row("round", _NAMED, mode="floor"),
    "ceil": _row("round", _NAMED, mode="ceil"),
    "round": _row("round", _NAMED, mode="nearest"),
    "rint": _row("round", _NAMED, mode="nearest"),
    "logical_not": _row("logical", _NAMED, operator="not"),
    "add": _row("add", _PAIR, _BY),
    "add_v2": _row("add", _PAIR, _BY),
    "subtract": _row("sub", _PAIR, _BY),
    "sub": _row("sub", _PAIR, _BY),
    "multiply": _row("mul", _PAIR, _BY),
    "mul": _row("mul", _PAIR, _BY),
    "scalar_mul": _row("mul", "scalar!, x!, name=None", {"by": "scalar"}),
    "divide": _row("div", _PAIR, _BY),
    "div": _row("div", _PAIR, _BY),
    "realdiv": _row("div", _PAIR, _BY),
    "truediv": _row("div", _PAIR, _BY),
    "floordiv": _row("div", _PAIR, _BY, rounding="floor"),
    "floor_div": _row("div", _PAIR, _BY, rounding="floor"),
    "mod": _row("elementwise", _PAIR, _BY, function="remainder"),
    "floormod": _row("elementwise", _PAIR, _BY, function="remainder"),
    "atan2": _row("elementwise", _PAIR, _BY, function="atan2"),
    "pow": _row("pow", _PAIR, {"base": "x", "exponent": "y"}),
    "maximum": _row("maximum", _PAIR, _BY),
    "minimum": _row("minimum", _PAIR, _BY),
    "equal": _row("compare", _PAIR, _BY, relation="eq"),
    "not_equal": _row("compare", _PAIR, _BY, relation="ne"),
    "less": _row("compare", _PAIR, _BY, relation="lt"),
    "less_equal": _row("compare", _PAIR, _BY, relation="le"),
    "greater": _row("compare", _PAIR, _BY, relation="gt"),
    "greater_equal": _row("compare", _PAIR, _BY, relation="ge"),
    "logical_and": _row("logical", _PAIR, operator="and"),
    "logical_or": _row("logical", _PAIR, operator="or"),
    "logical_xor": _row("logical", _PAIR, operator="xor"),
    "clip_by_value": _row("clamp", "t!, clip_value_min, clip_value_max, name=None", {"min": "clip_value_min", "max": "clip_value_max"}),
    "where": _row("where", "condition!, x!, y!, name=None", {"yes": "x", "no": "y"}),
    "where_v2": _row("where", "condition!, x!, y!, name=None", {"yes": "x", "no": "y"}),
    "cumsum": _row("cumsum", "x!, axis=0, exclusive=False, reverse=False, name=None", _AXIS | {"exclusive": "exclusive", "reverse": "reverse"}),
    "cumprod": _row("cumprod", "x!, axis=0, exclusive=False, reverse=False, name=None", _AXIS | {"exclusive": "exclusive", "reverse": "reverse"}),
}

# ---- casts and marks: the value itself

_SAME: dict[str, Row] = {
    name: _row("identity", _CAST)
    for name in (
        "cast", "saturate_cast", "bitcast", "to_float", "to_double", "to_int32", "to_int64", "to_bfloat16", "identity", "stop_gradient",
        "prevent_gradient", "check_numerics", "debugging.check_numerics", "ensure_shape", "Print", "convert_to_tensor_or_sparse_tensor", "quantization.fake_quant_with_min_max_args", "grad_pass_through",
    )
}  # fmt: skip

# ---- products, reductions, order

_REDUCE = "input_tensor!, axis=None, keepdims=False, name=None"
_PRODUCTS: dict[str, Row] = {
    "matmul": _row("matmul", "a!, b!, transpose_a=False, transpose_b=False, adjoint_a=False, adjoint_b=False, a_is_sparse=False, b_is_sparse=False, name=None", {"transpose_a": "transpose_a", "transpose_b": "transpose_b"}),
    "matvec": _row("einsum", "a!, b!, transpose_a=False, adjoint_a=False, a_is_sparse=False, b_is_sparse=False, name=None", equation="...ij,...j->...i"),
    "einsum": _row("einsum", "equation, *inputs!, **kwargs", {"equation": "equation"}),
    "tensordot": _row("tensordot", "a!, b!, axes, name=None", {"axes": "axes"}),
    "reduce_sum": _row("sum", _REDUCE, _AXIS),
    "reduce_mean": _row("mean", _REDUCE, _AXIS),
    "reduce_max": _row("reduce_max", _REDUCE, _AXIS),
    "reduce_min": _row("reduce_min", _REDUCE, _AXIS),
    "reduce_prod": _row("prod", _REDUCE, _AXIS),
    "reduce_all": _row("reduce_logical", _REDUCE, _AXIS, operator="all"),
    "reduce_any": _row("reduce_logical", _REDUCE, _AXIS, operator="any"),
    "reduce_logsumexp": _row("logsumexp", _REDUCE, _AXIS),
    "reduce_variance": _row("var", _REDUCE, _AXIS, correction=0),
    "reduce_std": _row("std", _REDUCE, _AXIS, correction=0),
    "reduce_euclidean_norm": _row("vector_norm", _REDUCE, _AXIS, p=2),
    "norm": _row("vector_norm", "tensor!, ord='euclidean', axis=None, keepdims=None, name=None", _AXIS | {"p": "ord"}),
    "argmax": _row("argmax", "input!, axis=0, name=None, output_type=None", _AXIS),
    "argmin": _row("argmin", "input!, axis=0, name=None, output_type=None", _AXIS),
    "sort": _row("sort", "values!, axis=-1, direction='ASCENDING', name=None", _AXIS),
}
_TOP_K = Row("topk", "input!, k=1, sorted=True, name=None", {"k": "k"}, {"axis": -1, "largest": True}, outputs=2, fields=("values", "indices"))

# ---- shape and place

_SHAPES: dict[str, Row] = {
    "reshape": _row("reshape", "tensor!, shape, name=None", {"shape": "shape"}),
    "expand_dims": _row("reshape", "input!, axis=None, name=None", _AXIS, form="unsqueeze"),
    "squeeze": _row("reshape", "input!, axis=None, name=None", _AXIS, form="squeeze"),
    "transpose": _row("permute", "a!, perm, name=None", {"axes": "perm"}),
    "tile": _row("expand", "input!, multiples, name=None", {"repeats": "multiples"}),
    "repeat": _row("expand", "input!, repeats, axis=None, name=None", {"repeats": "repeats", "axis": "axis"}, interleaved=True),
    "broadcast_to": _row("expand", "input!, shape, name=None", {"shape": "shape"}),
    "concat": _row("concat", "values!, axis, name=None", _AXIS),
    "stack": _row("stack", "values!, axis=0, name=None", _AXIS),
    "split": Row("split", "value!, num_or_size_splits, axis=0, num=None, name=None", _AXIS | {"sections": "num_or_size_splits"}, outputs=0),
    "unstack": Row("split", "value!, num=None, axis=0, name=None", _AXIS, {"unbind": True}, outputs=0),
    "meshgrid": Row("meshgrid", "*args!, indexing='xy'", {"indexing": "indexing"}, outputs=0),
    "slice": _row("select", "input_!, begin, size, name=None", {"start": "begin", "length": "size"}),
    "strided_slice": _row("select", "input_!, begin, end, strides=None, **kwargs", {"start": "begin"}),
    "boolean_mask": _row("select", "tensor!, mask!, axis=None, name=None", _AXIS, index="mask"),
    "gather": _row("gather", "params!, indices!, validate_indices=None, name=None, axis=0, batch_dims=0", _AXIS | {"batch_axes": "batch_dims"}, whole=True),
    "batch_gather": _row("gather", "params!, indices!, name=None", axis=-1),
    "gather_nd": _row("gather", "params!, indices!, name=None, batch_dims=0", {"batch_axes": "batch_dims"}, coordinates=True),
    "scatter_nd": _row("scatter", "indices!, updates!, shape, name=None", coordinates=True, reduce="sum"),
    "tensor_scatter_nd_update": _row("scatter", "tensor!, indices!, updates!, name=None", coordinates=True),
    "tensor_scatter_nd_add": _row("scatter", "tensor!, indices!, updates!, name=None", coordinates=True, reduce="sum"),
    "pad": _row("pad", "tensor!, paddings, mode='CONSTANT', name=None, constant_values=0", {"amount": "paddings", "mode": "mode", "by": "constant_values"}),
    "roll": _row("roll", "input!, shift, axis, name=None", _AXIS | {"shift": "shift"}),
    "reverse": _row("flip", "tensor!, axis, name=None", _AXIS),
    "reverse_v2": _row("flip", "tensor!, axis, name=None", _AXIS),
    "one_hot": _row("one_hot", "indices!, depth, on_value=None, off_value=None, axis=-1, dtype=None, name=None", _AXIS | {"classes": "depth"}),
    "diag_part": _row("select", "input!, name=None", index="diagonal"),
    "matrix_diag_part": _row("select", "input!, name=None", index="diagonal"),
    "complex": _row("complex", "real!, imag!, name=None"),
    "image.resize_bilinear": _row("interpolate", "images!, size, align_corners=False, name=None, half_pixel_centers=False", {"size": "size", "align_corners": "align_corners"}, mode="bilinear"),
    "image.resize_nearest_neighbor": _row("interpolate", "images!, size, align_corners=False, name=None, half_pixel_centers=False", {"size": "size", "align_corners": "align_corners"}, mode="nearest"),
    "image.resize_bicubic": _row("interpolate", "images!, size, align_corners=False, name=None, half_pixel_centers=False", {"size": "size", "align_corners": "align_corners"}, mode="bicubic"),
    "image.resize": _row("interpolate", "images!, size, method='bilinear', preserve_aspect_ratio=False, antialias=False, name=None", {"size": "size", "mode": "method"}),
    "image.resize_images": _row("interpolate", "images!, size, method='bilinear', align_corners=False, preserve_aspect_ratio=False, name=None", {"size": "size", "mode": "method", "align_corners": "align_corners"}),
}

# ---- where values come from

_SHAPED = {"shape": "shape"}
_SOURCES: dict[str, Row] = {
    "zeros": _row("constant", "shape, dtype=None, name=None", _SHAPED, value=0),
    "ones": _row("constant", "shape, dtype=None, name=None", _SHAPED, value=1),
    "fill": _row("constant", "dims, value, name=None", {"shape": "dims", "value": "value"}),
    "zeros_like": _row("constant", "tensor, dtype=None, name=None, optimize=True", value=0),
    "ones_like": _row("constant", "tensor, dtype=None, name=None, optimize=True", value=1),
    "constant": _row("constant", "value, dtype=None, shape=None, name='Const', verify_shape=False", {"value": "value", "shape": "shape"}),
    "eye": _row("constant", "num_rows, num_columns=None, batch_shape=None, dtype=None, name=None", {"start": "num_rows", "end": "num_columns"}, value="identity"),
    "linspace": _row("constant", "start, stop, num, name=None", {"start": "start", "end": "stop", "steps": "num"}, value="linspace"),
    "lin_space": _row("constant", "start, stop, num, name=None", {"start": "start", "end": "stop", "steps": "num"}, value="linspace"),
    **{f"{prefix}uniform": _row("random", "shape, minval=0, maxval=None, dtype=None, seed=None, name=None", _SHAPED, distribution="uniform") for prefix in ("random_", "random.")},
    **{f"{prefix}normal": _row("random", "shape, mean=0.0, stddev=1.0, dtype=None, seed=None, name=None", _SHAPED, distribution="normal") for prefix in ("random_", "random.")},
    **{f"{prefix}truncated_normal": _row("random", "shape, mean=0.0, stddev=1.0, dtype=None, seed=None, name=None", _SHAPED, distribution="truncated_normal") for prefix in ("", "random.")},
    "random_gamma": _row("random", "shape, alpha, beta=None, dtype=None, seed=None, name=None", _SHAPED, distribution="gamma"),
    **{name: _row("random", "logits!, num_samples, seed=None, name=None, output_dtype=None", distribution="multinomial") for name in ("multinomial", "random.multinomial", "random.categorical")},
    "random_shuffle": _row("random", "value!, seed=None, name=None", distribution="permutation"),
}

# ---- tf.nn

_FEATURES = "features!, name=None"
_NN: dict[str, Row] = {
    **{name: _row(name, _FEATURES) for name in ("relu", "relu6", "elu", "selu", "softplus", "softsign", "sigmoid", "tanh")},
    "log_sigmoid": _row("log_sigmoid", _FEATURES),
    "leaky_relu": _row("leaky_relu", "features!, alpha=0.2, name=None", {"slope": "alpha"}),
    "silu": _row("silu", "features!, beta=1.0", {"beta": "beta"}),
    "swish": _row("silu", "features!, beta=1.0", {"beta": "beta"}),
    "softmax": _row("softmax", "logits!, axis=-1, name=None", _AXIS),
    "log_softmax": _row("log_softmax", "logits!, axis=-1, name=None", _AXIS),
    "l2_normalize": _row("l2_norm", "x!, axis=None, epsilon=1e-12, name=None", _AXIS | {"eps": "epsilon"}),
    "embedding_lookup": _row("embedding", "params!, ids!, partition_strategy='mod', name=None, validate_indices=True, max_norm=None"),
    "top_k": _TOP_K,
    "local_response_normalization": _row("local_response_norm", "input!, depth_radius=5, bias=1, alpha=1, beta=0.5, name=None", {"size": "depth_radius", "k": "bias", "alpha": "alpha", "beta": "beta"}),
    "lrn": _row("local_response_norm", "input!, depth_radius=5, bias=1, alpha=1, beta=0.5, name=None", {"size": "depth_radius", "k": "bias", "alpha": "alpha", "beta": "beta"}),
}

# ---- tf.layers: functions that make their own weights

_KEPT = "kernel_initializer=None, bias_initializer=None, kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None, kernel_constraint=None, bias_constraint=None, trainable=True, name=None, reuse=None"
_LAYERS: dict[str, Row] = {
    "dense": _row("linear", f"inputs!, units, activation=None, use_bias=True, {_KEPT}", {"out_features": "units", "bias": "use_bias", "activation": "activation"}),
    "flatten": _row("reshape", "inputs!, name=None, data_format='channels_last'", form="flatten", axis=1, end=-1),
    "dropout": Row("dropout", "inputs!, rate=0.5, noise_shape=None, seed=None, training=False, name=None", {"p": "rate"}, active="training"),
    "batch_normalization": _row("batch_norm", "inputs!, axis=-1, momentum=0.99, epsilon=0.001, center=True, scale=True, beta_initializer=None, gamma_initializer=None, moving_mean_initializer=None, moving_variance_initializer=None, beta_regularizer=None, gamma_regularizer=None, beta_constraint=None, gamma_constraint=None, training=False, trainable=True, name=None, reuse=None, renorm=False, renorm_clipping=None, renorm_momentum=0.99, fused=None, virtual_batch_size=None, adjustment=None", {"eps": "epsilon", "momentum": "1 - momentum", "axis": "axis", "bias": "center", "elementwise_affine": "scale"}),
}
for _n in (1, 2, 3):
    _strides = "1" if _n == 1 else str((1,) * _n)
    _conv = {"out_features": "filters", "kernel": "kernel_size", "stride": "strides", "padding": "padding", "bias": "use_bias", "activation": "activation", "channels_last": "data_format"}
    _LAYERS[f"conv{_n}d"] = _row("conv", f"inputs!, filters, kernel_size, strides={_strides}, padding='valid', data_format='channels_last', dilation_rate={_strides}, activation=None, use_bias=True, {_KEPT}", _conv | {"dilation": "dilation_rate"}, axes=_n)
    _LAYERS[f"conv{_n}d_transpose"] = _row("conv_transpose", f"inputs!, filters, kernel_size, strides={_strides}, padding='valid', data_format='channels_last', activation=None, use_bias=True, {_KEPT}", _conv, axes=_n)
    for _name, _mode in (("max", "max"), ("average", "mean")):
        _LAYERS[f"{_name}_pooling{_n}d"] = _row("pool", "inputs!, pool_size, strides, padding='valid', data_format='channels_last', name=None", {"kernel": "pool_size", "stride": "strides", "padding": "padding", "channels_last": "data_format"}, mode=_mode, axes=_n)

# ---- cells: one step, from inputs and state to output and state

_CELL = {"units": "num_units"}
_STEP = "inputs!, state!, scope=None"
CELLS: dict[str, LayerRow] = {
    "BasicRNNCell": LayerRow("rnn", "num_units, activation=None, reuse=None, name=None, dtype=None, **kwargs", _STEP, _CELL, {"cell": True}, outputs=2),
    "GRUCell": LayerRow("gru", "num_units, activation=None, reuse=None, kernel_initializer=None, bias_initializer=None, name=None, dtype=None, **kwargs", _STEP, _CELL, {"cell": True}, outputs=2),
    "BasicLSTMCell": LayerRow("lstm", "num_units, forget_bias=1.0, state_is_tuple=True, activation=None, reuse=None, name=None, dtype=None, **kwargs", _STEP, _CELL, {"cell": True}, outputs=2),
    "LSTMCell": LayerRow("lstm", "num_units, use_peepholes=False, cell_clip=None, initializer=None, num_proj=None, proj_clip=None, num_unit_shards=None, num_proj_shards=None, forget_bias=1.0, state_is_tuple=True, activation=None, reuse=None, name=None, dtype=None, **kwargs", _STEP, _CELL, {"cell": True}, outputs=2, plain=("use_peepholes", "num_proj")),
}

# ---- joined

FUNCTIONS: dict[str, Row] = {
    "tensorflow." + name: row
    for table in (
        {name: row for name, row in _NN.items() if name not in _SHAPES},  # tf.math has some of tf.nn's
        _ELEMENTS,
        _SAME,
        _PRODUCTS,
        _SHAPES,
        _SOURCES,
        {"nn." + name: row for name, row in _NN.items()},
        {"layers." + name: row for name, row in _LAYERS.items()},
        {"contrib.layers.flatten": _LAYERS["flatten"], "contrib.nn.alpha_dropout": Row("dropout", "x!, keep_prob, noise_shape=None, seed=None, name=None", const={"alpha": True})},
        {f"{kind}{axes.lower()}": _row("fft", "input!, fft_length=None, name=None", {"length": "fft_length"}, axis=axis, inverse=kind.startswith("i"), real="rfft" in kind) for kind in ("fft", "ifft", "rfft", "irfft") for axes, axis in tensorflow_raw.TRANSFORMED.items()},
    )
    for name, row in table.items()
}

METHODS: dict[str, Row] = {"eval": _row("identity", "self!, *args, **kwargs"), "read_value": _row("identity", "self!"), "value": _row("identity", "self!")}

# Names that only TensorFlow 1 has under `tensorflow.`: a file that uses one is written for release 1, and its names mean
# what `tensorflow.compat.v1.` says (`tf.nn.dropout`'s second argument is `keep_prob` there and `rate` in release 2).
# Those that end in a dot are prefixes, the others whole names.
ONLY_V1: tuple[str, ...] = (
    "contrib.", "layers.", "placeholder", "get_variable", "variable_scope", "get_variable_scope", "Session", "to_float", "to_int32",
    "to_int64", "log", "div", "mod", "random_uniform", "random_normal", "truncated_normal", "random_normal_initializer", "matrix_band_part", "reduce_logsumexp",
    "flags.", "app.run", "logging.", "gfile.", "global_variables", "trainable_variables", "add_to_collection", "get_collection", "nn.dynamic_rnn", "nn.rnn_cell.",
    "train.get_global_step", "train.AdamOptimizer", "rsqrt", "ceil", "floordiv", "floormod", "multinomial", "is_nan", "set_random_seed", "depth_to_space", "assign",
)  # fmt: skip

TENSORFLOW = Dialect(
    name="tensorflow",
    functions={**FUNCTIONS, **tensorflow_raw.rows(FUNCTIONS)},
    methods=METHODS,
    layers={"tensorflow.nn.rnn_cell." + name: row for name, row in CELLS.items()},
    aliases={
        "tensorflow.compat.v1.": "tensorflow.",
        "tensorflow.compat.v2.": "tensorflow.",
        # release 1 and 2 differ in what the second argument is: kept apart
        "tensorflow.compat.v1.nn.dropout": "tensorflow.compat.v1.nn.dropout",
        "tensorflow.compat.v2.nn.dropout": "tensorflow.compat.v2.nn.dropout",
        "tensorflow.compat.v1.keras.": "keras.",
        "tensorflow.compat.v2.keras.": "keras.",
        "tensorflow.keras.": "keras.",
        "tensorflow.python.keras.": "keras.",
        "tensorflow.layers.Layer": "keras.layers.Layer",
        **{f"tensorflow.layers.{name}": f"keras.layers.{name}" for name in ("Dense", "Dropout", "Flatten", "BatchNormalization", "Conv1D", "Conv2D", "Conv3D")},
        "tensorflow.math.": "tensorflow.",
        "tensorflow.linalg.": "tensorflow.",
        "tensorflow.signal.": "tensorflow.",
        "tensorflow.spectral.": "tensorflow.",
        "tensorflow.manip.": "tensorflow.",
        "tensorflow.python.ops.math_ops.": "tensorflow.",
        "tensorflow.python.ops.array_ops.": "tensorflow.",
        "tensorflow.python.ops.nn_ops.": "tensorflow.nn.",
        "tensorflow.python.ops.nn.": "tensorflow.nn.",
        "tensorflow.python.ops.variable_scope.": "tensorflow.",
        "tensorflow.python.framework.ops.": "tensorflow.",
        "tensorflow.contrib.rnn.": "tensorflow.nn.rnn_cell.",
        "tensorflow.contrib.nn.": "tensorflow.contrib.nn.",
    },
    bases={"tensorflow.Module": ("__call__",)},
    ignored=(
        "tensorflow.Assert", "tensorflow.add_check_numerics_ops", "tensorflow.add_to_collection", "tensorflow.assert_", "tensorflow.autograph.",
        "tensorflow.control_dependencies", "tensorflow.debugging.assert", "tensorflow.debugging.enable", "tensorflow.device", "tensorflow.get_variable_scope", "tensorflow.colocate_with",
        "tensorflow.group", "tensorflow.logging.", "tensorflow.name_scope", "tensorflow.no_op", "tensorflow.print", "tensorflow.profiler.",
        "tensorflow.register_tensor_conversion_function", "tensorflow.set_random_seed", "tensorflow.random.set_seed", "tensorflow.summary.", "tensorflow.variable_scope",
        "tensorflow.variable_op_scope", "tensorflow.contrib.summary.", "tensorflow.init_scope", "tensorflow.train.Saver",
        *(f"tensorflow.train.{name}Optimizer" for name in ("Adadelta", "Adagrad", "AdagradDA", "Adam", "Ftrl", "GradientDescent", "Momentum", "ProximalAdagrad", "ProximalGradientDescent", "RMSProp", "SyncReplicas")),
    ),
    module_metadata=frozenset({"name_scope", "name", "submodules"}),
    readable=(),  # what is in no table leads into the machinery of graphs and of its compiled core
    metadata=frozenset({"get_shape", "shape", "dtype", "rank", "graph", "op", "consumers", "name", "device", "ndims", "as_list", "num_elements", "is_fully_defined", "with_rank", "assert_has_rank", "dims"}),
    transparent=("gin.", "tensorflow.function", "tensorflow.contrib.framework.add_arg_scope", "tensorflow.contrib.eager.", "tensorflow.Module.with_name_scope", "tensorflow.autograph.", "tensorflow.python.framework.", "tensorflow.RegisterGradient", "tensorflow.custom_gradient", "tensorflow.recompute_grad", "tensorflow.__internal__."),
    formulas={**FORMULAS, **tensorflow_raw.formulas(FORMULAS)},
    keywords={
        "keep_dims": "keepdims", "reduction_indices": "axis", "dim": "axis", "dimension": "axis", "squeeze_dims": "axis", "split_dim": "axis", "concat_dim": "axis",
    },
)  # fmt: skip
