"""What no single row of TensorFlow can say, spelled in Python."""

from __future__ import annotations

from archcheck.frontends.dialects.table import Formula

_DECORATOR = "lambda func=None, *args, **kwargs: (lambda found: found) if func is None else func"
_DECORATOR_OF_TYPES = "lambda *types, **kwargs: (lambda found: found)"
_LOWER = "padding.lower() if isinstance(padding, str) else padding"
_LAST = "(data_format is None or data_format[-1] == 'C')"  # tf.nn: "NHWC" or "NCHW"
_FEATURES_LAST = "(data_format != 'channels_first')"  # tf.layers


def _of_space(name: str, axes: int) -> str:
    """Numbers for axes of space, among which there may be some for batch and channel."""
    return f"(({name}[1:-1] if {_LAST} else {name}[2:]) if isinstance({name}, (list, tuple)) and len({name}) == {axes + 2} else {name})"


def _conv(axes: int) -> str:
    """tf.nn.conv1d, conv2d, conv3d: the filter is a tensor [*kernel, in, out]; strides may hold batch and channel.

    Release 1 calls the operands `value` (conv1d) and `filter`; the older name is asked for first, as what is given
    under the other one may be a tensor that is not known.
    """
    step = "stride" if axes == 1 else "strides"
    return (
        f"lambda input=None, filters=None, {step}=None, padding=None, use_cudnn_on_gpu=None, data_format=None, dilations=None, name=None, *, value=None, filter=None: "
        f"op.conv(input if value is None else value, filters if filter is None else filter, axes={axes}, "
        f"stride={_of_space(step, axes)}, padding={_LOWER}, dilation={_of_space('dilations', axes)}, channels_last={_LAST})"
    )


def _pool(mode: str, axes: int) -> str:
    return (
        "lambda value=None, ksize=None, strides=None, padding=None, data_format=None, name=None, *, input=None: "
        f"op.pool(value if input is None else input, mode='{mode}', kernel={_of_space('ksize', axes)}, "
        f"stride={_of_space('strides', axes)}, padding={_LOWER}, axes={axes}, channels_last={_LAST})"
    )


_SEPARABLE = (
    "lambda inputs, filters, kernel_size, strides=1, padding='valid', data_format='channels_last', dilation_rate=1, depth_multiplier=1, activation=None, use_bias=True, **kwargs: "
    "(lambda found: found if activation is None else activation(found))("
    "op.conv(op.conv(inputs, kernel=kernel_size, stride=strides, padding=padding.lower(), dilation=dilation_rate, groups=inputs.shape[-1 if {last} else 1], bias=False, axes={axes}, channels_last={last}), "
    "kernel=1, out_features=filters, bias=use_bias, axes={axes}, channels_last={last}))"
)
_LOSSES = {  # tf.losses of release 1, by the names of their operands
    ("labels", "predictions"): "absolute_difference cosine_distance huber_loss log_loss mean_pairwise_squared_error mean_squared_error",
    ("labels", "logits"): "hinge_loss sparse_softmax_cross_entropy",
    ("onehot_labels", "logits"): "softmax_cross_entropy",
    ("multi_class_labels", "logits"): "sigmoid_cross_entropy",
}
_RANGE = "lambda start, limit=None, delta=1, dtype=None, name=None: op.constant(value='arange', start=0 if limit is None else start, end=start if limit is None else limit, step=delta)"
_BAND = (
    "lambda input, num_lower, num_upper, name=None: (lambda kept: kept if num_lower == -1 else op.triangle(kept, upper=True, diagonal=-num_lower))"
    "(input if num_upper == -1 else op.triangle(input, upper=False, diagonal=num_upper))"
)
# Release 1: tf.nn.dropout(x, keep_prob); release 2: tf.nn.dropout(x, rate). `tensorflow.nn.dropout` may be either.
_DROPOUT = (
    "lambda x, second=None, noise_shape=None, seed=None, name=None, *, keep_prob=None, rate=None: op.dropout(x, p=rate if rate is not None "
    "else round(1 - keep_prob, 9) if keep_prob is not None else {second})"
)

_SPELLED: dict[str, str] = {
    "add_n": "lambda inputs, name=None: sum(inputs[1:], inputs[0])",
    "accumulate_n": "lambda inputs, shape=None, tensor_dtype=None, name=None: sum(inputs[1:], inputs[0])",
    "squared_difference": "lambda x, y, name=None: tensorflow.square(x - y)",
    "transpose": "lambda a, perm=None, name=None, conjugate=False: op.permute(a, axes='reversed' if perm is None else perm)",
    "matrix_transpose": "lambda a, name=None: op.permute(a, axis=-2, other_axis=-1)",
    "range": _RANGE,
    "band_part": _BAND,
    "matrix_band_part": _BAND,
    "convert_to_tensor": "lambda value, dtype=None, name=None, preferred_dtype=None, as_ref=False: op.identity(value) if isinstance(value, tensorflow.Tensor) else tensorflow.constant(value)",
    "sequence_mask": "lambda lengths, maxlen=None, dtype=None, name=None: tensorflow.expand_dims(lengths, -1) > tensorflow.range(maxlen)",
    "cond": "lambda pred, true_fn=None, false_fn=None, strict=False, name=None, fn1=None, fn2=None: (true_fn or fn1)() if pred else (false_fn or fn2)()",
    "argsort": "lambda values, axis=-1, direction='ASCENDING', stable=False, name=None: op.opaque(values, name='tensorflow.argsort')",
    "shape": "lambda input, name=None, out_type=None: input.shape",
    "shape_n": "lambda input, out_type=None, name=None: [item.shape for item in input]",
    "rank": "lambda input, name=None: len(input.shape)",
    "size": "lambda input, name=None, out_type=None: input.numel()",
    "get_static_value": "lambda tensor, partial=False: tensor",
    "TensorShape": "lambda dims: dims",
    "tuple": "lambda tensors, name=None, control_inputs=None: tensors",
    "assign": "lambda ref, value, validate_shape=None, use_locking=None, name=None: value",
    "executing_eagerly": "lambda: False",
    "clip_by_norm": "lambda t, clip_norm, axes=None, name=None: op.opaque(t, name='tensorflow.clip_by_norm')",
    "vectorized_map": "lambda fn, elems: op.opaque(elems, name='tensorflow.vectorized_map')",
    "where": "lambda condition, x=None, y=None, name=None: op.nonzero(condition)",  # with three arguments it is a row
    # around a computation
    "function": _DECORATOR,
    "contrib.eager.defun": _DECORATOR,
    "recompute_grad": _DECORATOR,
    "contrib.layers.recompute_grad": _DECORATOR,
    "no_gradient": _DECORATOR,
    "python.framework.function.Defun": _DECORATOR_OF_TYPES,
    "RegisterGradient": _DECORATOR_OF_TYPES,
    "custom_gradient": "lambda f: lambda *args, **kwargs: f(*args, **kwargs)[0]",  # the second value is the gradient
    "make_template": "lambda name_, func_, create_scope_now_=False, unique_name_=None, custom_getter_=None, **kwargs: (lambda *args, **more: func_(*args, **kwargs, **more))",
    **{
        name: f"lambda input, block_size, name=None, data_format='NHWC': op.pixel_shuffle(input, factor=block_size, inverse={inverse}, channels_last={_LAST})"
        for folder in ("", "nn.")
        for name, inverse in ((folder + "depth_to_space", False), (folder + "space_to_depth", True))
    },
    # tf.nn
    "nn.dropout": _DROPOUT.format(second="unknown(\"tf.nn.dropout's second argument is keep_prob in TensorFlow 1 and rate in 2\") if second is not None else 0"),
    "compat.v1.nn.dropout": _DROPOUT.format(second="round(1 - second, 9)"),
    "compat.v2.nn.dropout": _DROPOUT.format(second="second"),
    "nn.gelu": "lambda features, approximate=False, name=None: op.gelu(features, approximate='tanh' if approximate else 'none')",
    "nn.crelu": "lambda features, name=None, axis=-1: tensorflow.nn.relu(tensorflow.concat([features, -features], axis))",
    "nn.moments": "lambda x, axes, shift=None, name=None, keepdims=False, keep_dims=False: (op.mean(x, axis=axes, keepdim=bool(keepdims or keep_dims)), op.var(x, axis=axes, correction=0, keepdim=bool(keepdims or keep_dims)))",
    "nn.bias_add": f"lambda value, bias, data_format=None, name=None: value + bias if {_LAST} else value + op.reshape(bias, shape=(-1, *[1] * (len(data_format) - 2)))",
    "nn.zero_fraction": "lambda value, name=None: tensorflow.reduce_mean(tensorflow.cast(tensorflow.equal(value, 0), None))",
    **{  # what is trained by: no part of an architecture
        f"losses.{name}": f"lambda {labels}, {given}, *args, **kwargs: op.tensor_function({labels}, {given}, function='{name}')"
        for (labels, given), names in _LOSSES.items()
        for name in names.split()
    },
    "nn.l2_loss": "lambda t, name=None: tensorflow.reduce_sum(tensorflow.square(t)) / 2",
    "nn.batch_normalization": "lambda x, mean, variance, offset, scale, variance_epsilon, name=None: (lambda found: found if offset is None else found + offset)((lambda found: found if scale is None else found * scale)((x - mean) * tensorflow.rsqrt(variance + variance_epsilon)))",
    "nn.xw_plus_b": "lambda x, weights, biases, name=None: tensorflow.matmul(x, weights) + biases",
    "nn.relu_layer": "lambda x, weights, biases, name=None: tensorflow.nn.relu(tensorflow.matmul(x, weights) + biases)",
    "nn.conv1d": _conv(1),
    "nn.conv2d": _conv(2),
    "nn.conv3d": _conv(3),
    "nn.convolution": f"lambda input, filters, padding='valid', strides=None, dilations=None, name=None, data_format=None: op.conv(input, filters, stride=strides, padding={_LOWER}, dilation=dilations)",
    "nn.depthwise_conv2d": f"lambda input, filters=None, strides=None, padding=None, rate=None, name=None, data_format=None, dilations=None, *, filter=None: op.conv(input, filter if filters is None else filters, axes=2, stride={_of_space('strides', 2)}, padding={_LOWER}, dilation=rate if dilations is None else dilations, groups=input.shape[-1 if {_LAST} else 1], channels_last={_LAST})",
    "nn.separable_conv2d": f"lambda input, depthwise_filter, pointwise_filter, strides, padding, rate=None, name=None, data_format=None, dilations=None: op.conv(op.conv(input, depthwise_filter, axes=2, stride={_of_space('strides', 2)}, padding={_LOWER}, dilation=rate if dilations is None else dilations, groups=input.shape[-1 if {_LAST} else 1], channels_last={_LAST}), pointwise_filter, axes=2, kernel=1, channels_last={_LAST})",
    "nn.max_pool": _pool("max", 2),
    "nn.avg_pool": _pool("mean", 2),
    **{f"nn.max_pool{axes}d": _pool("max", axes) for axes in (1, 2, 3)},
    **{f"nn.avg_pool{axes}d": _pool("mean", axes) for axes in (1, 2, 3)},
    "nn.pool": f"lambda input, window_shape, pooling_type, padding='VALID', dilation_rate=None, strides=None, name=None, data_format=None, dilations=None: op.pool(input, mode='max' if pooling_type == 'MAX' else 'mean', kernel=window_shape, stride=strides, padding={_LOWER}, channels_last={_LAST})",
    # tf.layers and tf.contrib.layers
    "layers.separable_conv1d": _SEPARABLE.format(axes=1, last=_FEATURES_LAST),
    "layers.separable_conv2d": _SEPARABLE.format(axes=2, last=_FEATURES_LAST),
    # all axes from begin_norm_axis on share their statistics; the variance's epsilon is fixed in contrib
    "contrib.layers.layer_norm": "lambda inputs, center=True, scale=True, activation_fn=None, reuse=None, variables_collections=None, outputs_collections=None, trainable=True, begin_norm_axis=1, begin_params_axis=-1, scope=None: (lambda found: found if activation_fn is None else activation_fn(found))(op.layer_norm(inputs, axis=-1 if begin_norm_axis == -1 else tuple(range(begin_norm_axis, len(inputs.shape))), eps=1e-12, elementwise_affine=scale, bias=center))",
    "contrib.layers.instance_norm": "lambda inputs, center=True, scale=True, epsilon=1e-06, activation_fn=None, **kwargs: (lambda found: found if activation_fn is None else activation_fn(found))(op.instance_norm(inputs, eps=epsilon, elementwise_affine=scale, bias=center))",
    "contrib.layers.group_norm": "lambda inputs, groups=32, channels_axis=-1, reduction_axes=(-3, -2), center=True, scale=True, epsilon=1e-06, activation_fn=None, **kwargs: (lambda found: found if activation_fn is None else activation_fn(found))(op.group_norm(inputs, groups=groups, axis=channels_axis, eps=epsilon, elementwise_affine=scale, bias=center))",
    "contrib.layers.batch_norm": "lambda inputs, decay=0.999, center=True, scale=False, epsilon=0.001, activation_fn=None, **kwargs: (lambda found: found if activation_fn is None else activation_fn(found))(op.batch_norm(inputs, momentum=1 - decay, eps=epsilon, elementwise_affine=scale, bias=center))",
    # its activation is relu unless the call says otherwise
    "contrib.layers.fully_connected": "lambda inputs, num_outputs, activation_fn=tensorflow.nn.relu, normalizer_fn=None, normalizer_params=None, weights_initializer=None, weights_regularizer=None, biases_initializer=0, **kwargs: (lambda found: found if activation_fn is None else activation_fn(found))((lambda found: found if normalizer_fn is None else normalizer_fn(found, **(normalizer_params or {})))(op.linear(inputs, out_features=num_outputs, bias=normalizer_fn is None and biases_initializer is not None)))",
    "contrib.layers.linear": "lambda inputs, num_outputs, **kwargs: op.linear(inputs, out_features=num_outputs, bias=True)",
    "contrib.layers.dropout": "lambda inputs, keep_prob=0.5, noise_shape=None, is_training=True, outputs_collections=None, scope=None, seed=None: op.dropout(inputs, p=1 - keep_prob) if is_training else inputs",
}

FORMULAS: dict[str, Formula] = {"tensorflow." + name: Formula(source) for name, source in _SPELLED.items()}
