"""keras.ops, keras.activations and what keras.backend had before them."""

from __future__ import annotations

from archcheck.frontends.dialects.table import Formula, Row
from archcheck.ir.graph import AttrValue


def _row(kind: str, params: str = "x!", attrs: dict[str, str] | None = None, **const: AttrValue) -> Row:
    return Row(kind, params, attrs or {}, const)


_AXIS = {"axis": "axis"}
_BY = {"by": "x2"}
_PAIR = "x1!, x2!"
_REDUCE = "x!, axis=None, keepdims=False"

ACTIVATIONS: dict[str, Row] = {
    **{name: _row(name) for name in ("relu6", "selu", "silu", "mish", "sigmoid", "tanh", "softplus", "softsign", "log_sigmoid", "hard_sigmoid")},
    "swish": _row("silu"),
    "hard_silu": _row("hard_swish"),
    "hard_swish": _row("hard_swish"),
    "linear": _row("identity"),
    "exponential": _row("exp"),
    "elu": _row("elu", "x!, alpha=1.0", {"alpha": "alpha"}),
    "celu": _row("celu", "x!, alpha=1.0", {"alpha": "alpha"}),
    "leaky_relu": _row("leaky_relu", "x!, negative_slope=0.2", {"slope": "negative_slope"}),
    "gelu": _row("gelu", "x!, approximate=False", {"approximate": "approximate"}),
    "glu": _row("glu", "x!, axis=-1", _AXIS, activation="sigmoid"),
    "hard_tanh": _row("clamp", min=-1.0, max=1.0),
    "softmax": _row("softmax", "x!, axis=-1", _AXIS),
    "log_softmax": _row("log_softmax", "x!, axis=-1", _AXIS),
    "hard_shrink": _row("elementwise", "x!, threshold=0.5", {"by": "threshold"}, function="hardshrink"),
}

_OPS: dict[str, Row] = {
    **ACTIVATIONS,
    "relu": _row("relu"),
    "gelu": _row("gelu", "x!, approximate=True", {"approximate": "approximate"}),  # not the default of keras.activations
    # element by element
    **{name: _row(name) for name in ("abs", "exp", "log", "sqrt", "rsqrt", "erf", "sin", "cos", "sign", "real", "imag")},
    "absolute": _row("abs"),
    "negative": _row("neg"),
    "square": _row("pow", exponent=2),
    "reciprocal": _row("pow", exponent=-1),
    **{name: _row("elementwise", function=name) for name in ("tan", "sinh", "cosh", "log2", "log10", "log1p", "expm1", "exp2", "erfc", "erfinv", "isnan", "isinf", "isfinite", "conj", "angle", "bitwise_not")},
    **{"arc" + name: _row("elementwise", function="a" + name) for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    "floor": _row("round", mode="floor"),
    "ceil": _row("round", mode="ceil"),
    "trunc": _row("round", mode="trunc"),
    "round": Row("round", "x!, decimals=0", const={"mode": "nearest"}, plain=("decimals",)),
    "clip": _row("clamp", "x!, x_min, x_max", {"min": "x_min", "max": "x_max"}),
    "logical_not": _row("logical", operator="not"),
    "add": _row("add", _PAIR, _BY),
    "subtract": _row("sub", _PAIR, _BY),
    "multiply": _row("mul", _PAIR, _BY),
    "divide": _row("div", _PAIR, _BY),
    "true_divide": _row("div", _PAIR, _BY),
    "floor_divide": _row("div", _PAIR, _BY, rounding="floor"),
    "mod": _row("elementwise", _PAIR, _BY, function="remainder"),
    "arctan2": _row("elementwise", _PAIR, _BY, function="atan2"),
    "power": _row("pow", _PAIR, {"base": "x1", "exponent": "x2"}),
    "pow": _row("pow", "x1!, x2!", {"base": "x1", "exponent": "x2"}),
    "maximum": _row("maximum", _PAIR, _BY),
    "minimum": _row("minimum", _PAIR, _BY),
    **{name: _row("compare", _PAIR, _BY, relation=relation) for name, relation in (("equal", "eq"), ("not_equal", "ne"), ("less", "lt"), ("less_equal", "le"), ("greater", "gt"), ("greater_equal", "ge"))},
    **{f"logical_{name}": _row("logical", _PAIR, operator=name) for name in ("and", "or", "xor")},
    **{f"bitwise_{name}": _row("logical", "x!, y!", operator=name) for name in ("and", "or", "xor")},
    "where": _row("where", "condition!, x1!, x2!", {"yes": "x1", "no": "x2"}),
    # products and reductions
    "matmul": _row("matmul", _PAIR),
    "outer": _row("outer", _PAIR),
    "einsum": _row("einsum", "subscripts, *operands!, **kwargs", {"equation": "subscripts"}),
    "tensordot": _row("tensordot", "x1!, x2!, axes=2", {"axes": "axes"}),
    "sum": _row("sum", _REDUCE, _AXIS),
    "mean": _row("mean", _REDUCE, _AXIS),
    "prod": _row("prod", _REDUCE, _AXIS),
    "var": _row("var", _REDUCE, _AXIS, correction=0),
    "std": _row("std", _REDUCE, _AXIS, correction=0),
    "max": _row("reduce_max", "x!, axis=None, keepdims=False, initial=None", _AXIS),
    "amax": _row("reduce_max", _REDUCE, _AXIS),
    "min": _row("reduce_min", "x!, axis=None, keepdims=False, initial=None", _AXIS),
    "amin": _row("reduce_min", _REDUCE, _AXIS),
    "argmax": _row("argmax", _REDUCE, _AXIS),
    "argmin": _row("argmin", _REDUCE, _AXIS),
    "all": _row("reduce_logical", _REDUCE, _AXIS, operator="all"),
    "any": _row("reduce_logical", _REDUCE, _AXIS, operator="any"),
    "logsumexp": _row("logsumexp", _REDUCE, _AXIS),
    "cumsum": _row("cumsum", "x!, axis=None, dtype=None", _AXIS),
    "cumprod": _row("cumprod", "x!, axis=None, dtype=None", _AXIS),
    "top_k": Row("topk", "x!, k, sorted=True", {"k": "k"}, {"axis": -1, "largest": True}, outputs=2, fields=("values", "indices")),
    "norm": _row("vector_norm", "x!, ord=None, axis=None, keepdims=False", _AXIS | {"p": "ord"}),
    # shape and place
    **{name: _row("identity", "x!, *args, **kwargs") for name in ("cast", "saturate_cast", "stop_gradient", "copy", "convert_to_numpy", "identity")},
    "reshape": _row("reshape", "x!, newshape", {"shape": "newshape"}),
    "ravel": _row("reshape", form="flatten", axis=0, end=-1),
    "expand_dims": _row("reshape", "x!, axis", _AXIS, form="unsqueeze"),
    "squeeze": _row("reshape", "x!, axis=None", _AXIS, form="squeeze"),
    "transpose": _row("permute", "x!, axes", {"axes": "axes"}),
    "permute_dimensions": _row("permute", "x!, pattern", {"axes": "pattern"}),
    "swapaxes": _row("permute", "x!, axis1, axis2", {"axis": "axis1", "other_axis": "axis2"}),
    "moveaxis": _row("permute", "x!, source, destination", {"source": "source", "destination": "destination"}),
    "broadcast_to": _row("expand", "x!, shape", {"shape": "shape"}),
    "tile": _row("expand", "x!, repeats", {"repeats": "repeats"}),
    "repeat": _row("expand", "x!, repeats, axis=None", {"repeats": "repeats", "axis": "axis"}, interleaved=True),
    "concatenate": _row("concat", "xs!, axis=0", _AXIS),
    "stack": _row("stack", "x!, axis=0", _AXIS),
    "split": Row("split", "x!, indices_or_sections, axis=0", _AXIS | {"sections": "indices_or_sections"}, outputs=0),
    "unstack": Row("split", "x!, num=None, axis=0", _AXIS, {"unbind": True}, outputs=0),
    "meshgrid": Row("meshgrid", "*x!, indexing='xy'", {"indexing": "indexing"}, outputs=0),
    "take": _row("gather", "x!, indices!, axis=None", _AXIS, whole=True),
    "take_along_axis": _row("gather", "x!, indices!, axis=None", _AXIS),
    "slice": _row("select", "inputs!, start_indices, shape", {"start": "start_indices", "length": "shape"}),
    "slice_update": _row("update", "inputs!, start_indices, updates!", {"index": "start_indices"}),
    "scatter": _row("scatter", "indices!, values!, shape", coordinates=True, reduce="sum"),
    "scatter_update": _row("scatter", "inputs!, indices!, updates!", coordinates=True),
    "pad": _row("pad", "x!, pad_width, mode='constant', constant_values=None", {"amount": "pad_width", "mode": "mode", "by": "constant_values"}),
    "roll": _row("roll", "x!, shift, axis=None", _AXIS | {"shift": "shift"}),
    "flip": _row("flip", "x!, axis=None", _AXIS),
    "tril": _row("triangle", "x!, k=0", {"diagonal": "k"}, upper=False),
    "triu": _row("triangle", "x!, k=0", {"diagonal": "k"}, upper=True),
    "diagonal": _row("select", "x!, offset=0, axis1=0, axis2=1", {"offset": "offset"}, index="diagonal"),
    "one_hot": _row("one_hot", "x!, num_classes, axis=-1, dtype=None, sparse=False", _AXIS | {"classes": "num_classes"}),
    "sort": _row("sort", "x!, axis=-1", _AXIS, descending=False),
    # layers
    "normalize": _row("l2_norm", "x!, axis=-1, order=2, epsilon=None", _AXIS | {"p": "order", "eps": "epsilon"}),
    "rms_normalization": _row("rms_norm", "x!, scale=None!, axis=-1, epsilon=None", _AXIS | {"eps": "epsilon"}),
    "layer_normalization": _row("layer_norm", "x!, gamma=None!, beta=None!, axis=-1, epsilon=None, **kwargs", _AXIS | {"eps": "epsilon"}),
    "dot_product_attention": _row("attention", "query!, key!, value!, bias=None!, mask=None!, scale=None, is_causal=False, flash_attention=None, attn_logits_soft_cap=None", {"scale": "scale", "causal": "is_causal", "softcap": "attn_logits_soft_cap"}, layout="b s h d"),
    "conv": _row("conv", "inputs!, kernel!, strides=1, padding='valid', data_format=None, dilation_rate=1", {"stride": "strides", "padding": "padding", "dilation": "dilation_rate"}),
    "conv_transpose": _row("conv_transpose", "inputs!, kernel!, strides=1, padding='valid', output_padding=None, data_format=None, dilation_rate=1", {"stride": "strides", "padding": "padding", "dilation": "dilation_rate"}),
    "max_pool": _row("pool", "inputs!, pool_size, strides=None, padding='valid', data_format=None", {"kernel": "pool_size", "stride": "strides", "padding": "padding"}, mode="max"),
    "average_pool": _row("pool", "inputs!, pool_size, strides=None, padding='valid', data_format=None", {"kernel": "pool_size", "stride": "strides", "padding": "padding"}, mode="mean"),
    # where values come from
    "zeros": _row("constant", "shape, dtype=None", {"shape": "shape"}, value=0),
    "ones": _row("constant", "shape, dtype=None", {"shape": "shape"}, value=1),
    "full": _row("constant", "shape, fill_value, dtype=None", {"shape": "shape", "value": "fill_value"}),
    "zeros_like": _row("constant", "x, dtype=None", value=0),
    "ones_like": _row("constant", "x, dtype=None", value=1),
    "full_like": _row("constant", "x, fill_value, dtype=None", {"value": "fill_value"}),
    "eye": _row("constant", "N, M=None, k=0, dtype=None", {"start": "N", "end": "M"}, value="identity"),
    "linspace": _row("constant", "start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0", {"start": "start", "end": "stop", "steps": "num"}, value="linspace"),
}

FUNCTIONS: dict[str, Row] = {
    **{"keras.ops." + name: row for name, row in _OPS.items()},
    **{"keras.activations." + name: row for name, row in ACTIVATIONS.items()},
    **{f"keras.random.{name}": _row("random", "shape, *args, **kwargs", {"shape": "shape"}, distribution=name) for name in ("normal", "uniform", "truncated_normal", "gamma")},
    "keras.random.dropout": _row("dropout", "inputs!, rate, noise_shape=None, seed=None", {"p": "rate"}),
}  # fmt: skip

_BY_NAME = "{" + ", ".join(f"{name!r}: keras.activations.{name}" for name in ACTIVATIONS) + "}"
_RELU = "lambda x, negative_slope=0.0, max_value=None, threshold=0.0: op.relu(x) if negative_slope == 0 and max_value is None and threshold == 0 else op.relu6(x) if negative_slope == 0 and max_value == 6 and threshold == 0 else op.leaky_relu(x, slope=negative_slope) if max_value is None and threshold == 0 else op.opaque(x, name='keras.activations.relu')"
_ROW_ARANGE = "lambda start, stop=None, step=1, dtype=None: op.constant(value='arange', start=0 if stop is None else start, end=start if stop is None else stop, step=step)"
_CHANNELS = "inputs.shape[1 if data_format == 'channels_first' else -1]"
_SEPARABLE = (
    "lambda filters, kernel_size, strides=1, padding='valid', data_format=None, dilation_rate=1, depth_multiplier=1, activation=None, use_bias=True, **kwargs: "
    "(lambda inputs, training=None: keras.layers.Activation(activation or 'linear')(op.conv(op.conv(inputs, kernel=kernel_size, stride=strides, padding=padding, dilation=dilation_rate, groups={channels}, out_features={channels} * depth_multiplier, bias=False, axes={axes}, channels_last=data_format != 'channels_first'), kernel=1, out_features=filters, bias=use_bias, axes={axes}, channels_last=data_format != 'channels_first')))"
)
_DEPTHWISE = (
    "lambda kernel_size, strides=1, padding='valid', depth_multiplier=1, data_format=None, dilation_rate=1, activation=None, use_bias=True, **kwargs: "
    "(lambda inputs, training=None: keras.layers.Activation(activation or 'linear')(op.conv(inputs, kernel=kernel_size, stride=strides, padding=padding, dilation=dilation_rate, groups={channels}, out_features={channels} * depth_multiplier, bias=use_bias, axes={axes}, channels_last=data_format != 'channels_first')))"
)
_PAIR_OF = "(lambda found: (op.real(found), op.imag(found)))"
_SPELLED: dict[str, str] = {
    "activations.relu": _RELU,
    "activations.get": f"lambda identifier=None: keras.activations.linear if identifier is None else {_BY_NAME}[identifier] if identifier in {tuple(ACTIVATIONS)} else (lambda x: keras.layers.Activation(identifier)(x)) if isinstance(identifier, str) else identifier",
    "activations.tanh_shrink": "lambda x: x - op.tanh(x)",
    "activations.soft_shrink": "lambda x, threshold=0.5: op.sign(x) * op.relu(op.abs(x) - threshold)",
    "layers.ReLU": "lambda max_value=None, negative_slope=0.0, threshold=0.0, **kwargs: (lambda inputs, training=None: keras.activations.relu(inputs, negative_slope, max_value, threshold))",
    "layers.Lambda": "lambda function, output_shape=None, mask=None, arguments=None, **kwargs: (lambda inputs, training=None, **more: function(inputs, **(arguments or {})))",
    "layers.TimeDistributed": "lambda layer, **kwargs: layer",
    "layers.Normalization": "lambda axis=-1, mean=None, variance=None, invert=False, **kwargs: (lambda inputs, training=None: op.opaque(inputs, name='keras.layers.Normalization', why='its mean and variance are taken from data'))",
    "layers.Cropping1D": "lambda cropping=(1, 1), **kwargs: (lambda amount: (lambda inputs, training=None: inputs[:, amount[0]:-amount[1] or None]))((cropping, cropping) if isinstance(cropping, int) else cropping)",
    "layers.Cropping2D": "lambda cropping=((0, 0), (0, 0)), data_format=None, **kwargs: (lambda amount: (lambda inputs, training=None: op.opaque(inputs, name='keras.layers.Cropping2D', why='it crops axes that its data format decides') if data_format == 'channels_first' else inputs[:, amount[0][0]:-amount[0][1] or None, amount[1][0]:-amount[1][1] or None]))(((cropping, cropping), (cropping, cropping)) if isinstance(cropping, int) else tuple((one, one) if isinstance(one, int) else one for one in cropping))",
    "layers.Average": "lambda **kwargs: (lambda inputs, training=None: sum(inputs[1:], inputs[0]) / len(inputs))",
    "layers.Rescaling": "lambda scale, offset=0.0, **kwargs: (lambda inputs, training=None: inputs * scale + offset)",
    **{f"layers.SeparableConv{axes}D": _SEPARABLE.format(axes=axes, channels=_CHANNELS) for axes in (1, 2)},
    **{f"layers.DepthwiseConv{axes}D": _DEPTHWISE.format(axes=axes, channels=_CHANNELS) for axes in (1, 2)},
    "layers.add": "lambda inputs, **kwargs: sum(inputs[1:], inputs[0])",
    "layers.concatenate": "lambda inputs, axis=-1, **kwargs: op.concat(*inputs, axis=axis)",
    "layers.multiply": "lambda inputs, **kwargs: op.mul(*inputs)",
    "ops.transpose": "lambda x, axes=None: op.permute(x, axes='reversed' if axes is None else axes)",
    "ops.arange": _ROW_ARANGE,
    "ops.array": "lambda x, dtype=None: op.identity(x) if isinstance(x, keras.KerasTensor) else op.constant(value=x)",
    "ops.convert_to_tensor": "lambda x, dtype=None, sparse=None, ragged=None: op.identity(x) if isinstance(x, keras.KerasTensor) else op.constant(value=x)",
    "ops.hstack": "lambda xs: op.concat(*xs, axis=1)",
    "ops.vstack": "lambda xs: op.concat(*xs, axis=0)",
    "ops.moments": "lambda x, axes, keepdims=False, synchronized=False: (op.mean(x, axis=axes, keepdim=keepdims), op.var(x, axis=axes, correction=0, keepdim=keepdims))",
    "ops.batch_normalization": "lambda x, mean, variance, axis, offset=None, scale=None, epsilon=0.001: (lambda found: found if offset is None else found + offset)((lambda found: found if scale is None else found * scale)((x - mean) * op.rsqrt(variance + epsilon)))",
    "ops.fft": f"lambda x: {_PAIR_OF}(op.fft(op.complex(*x), axis=-1, inverse=False, real=False))",
    "ops.fft2": f"lambda x: {_PAIR_OF}(op.fft(op.complex(*x), axis=(-2, -1), inverse=False, real=False))",
    "ops.ifft2": f"lambda x: {_PAIR_OF}(op.fft(op.complex(*x), axis=(-2, -1), inverse=True, real=False))",
    "ops.rfft": f"lambda x, fft_length=None: {_PAIR_OF}(op.fft(x, axis=-1, inverse=False, real=True, length=fft_length))",
    "ops.irfft": "lambda x, fft_length=None: op.fft(op.complex(*x), axis=-1, inverse=True, real=True, length=fft_length)",
    "ops.cond": "lambda pred, true_fn, false_fn: true_fn() if pred else false_fn()",
    "ops.custom_gradient": "lambda f: lambda *args, **kwargs: f(*args, **kwargs)[0]",
    "ops.shape": "lambda x: x.shape",
    "ops.dtype": "lambda x: x.dtype",
    "ops.depthwise_conv": "lambda inputs, kernel, strides=1, padding='valid', data_format=None, dilation_rate=1: op.opaque(inputs, kernel, name='keras.ops.depthwise_conv', why='the axis of its channels is another') if data_format == 'channels_first' else op.conv(inputs, kernel, stride=strides, padding=padding, dilation=dilation_rate, groups=inputs.shape[-1], channels_last=True)",
    "initializers.Constant": "lambda value=0.0: unknown('what a weight starts from')",
    "ops.int_shape": "lambda x: x.shape",
    "ops.ndim": "lambda x: len(x.shape)",
    "ops.size": "lambda x: x.numel()",
    "ops.image_data_format": "lambda: 'channels_last'",
    "config.image_data_format": "lambda: 'channels_last'",
    "config.epsilon": "lambda: 1e-07",
    "ops.epsilon": "lambda: 1e-07",
    "ops.get_keras_mask": "lambda x: None",
    "ops.is_tensor": "lambda x: isinstance(x, keras.KerasTensor)",
}
FORMULAS: dict[str, Formula] = {"keras." + name: Formula(source) for name, source in _SPELLED.items()}
