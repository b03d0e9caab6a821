"""Keras 3's layers; parameter lists are those of keras 3.15. `tf.keras` and `keras.src` are aliases of it.

A layer's `activation` is computed from the op's result. Preprocessing layers, Bidirectional, RNN over a cell, the
convolutional LSTMs and the single-head Attention layers, which take one list [query, value, key], have no row.
"""

from __future__ import annotations

from archcheck.frontends.dialects.keras_classes import CLASSES
from archcheck.frontends.dialects.keras_ops import FORMULAS, FUNCTIONS
from archcheck.frontends.dialects.table import Dialect, LayerRow
from archcheck.ir.graph import AttrValue


def _layer(kind: str, init: str, attrs: dict[str, str] | None = None, call: str = "inputs!", **const: AttrValue) -> LayerRow:
    return LayerRow(kind, f"{init}, **kwargs" if init else "**kwargs", call, attrs or {}, const)


_TAIL = "kernel_initializer='glorot_uniform', bias_initializer='zeros', kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None, kernel_constraint=None, bias_constraint=None"
_ONES = {1: "1", 2: "(1, 1)", 3: "(1, 1, 1)"}
_KERNEL = ("kernel", "bias")

_LAYERS: dict[str, LayerRow] = {
    "Identity": _layer("identity", ""),
    "Masking": _layer("identity", "mask_value=0.0"),
    "ActivityRegularization": _layer("identity", "l1=0.0, l2=0.0"),
    "Activation": _layer("identity", "activation", {"activation": "activation"}),
    "Dense": LayerRow("linear", f"units, activation=None, use_bias=True, {_TAIL}, lora_rank=None, lora_alpha=None, quantization_config=None, **kwargs", "inputs!, training=None", {"out_features": "units", "bias": "use_bias", "activation": "activation"}, weights=_KERNEL),
    "Embedding": LayerRow("embedding", "input_dim, output_dim, embeddings_initializer='uniform', embeddings_regularizer=None, embeddings_constraint=None, mask_zero=False, weights=None, lora_rank=None, lora_alpha=None, quantization_config=None, **kwargs", "inputs!", {"rows": "input_dim", "dim": "output_dim"}, weights=("embeddings",)),
    # ---- norms
    "LayerNormalization": LayerRow("layer_norm", "axis=-1, epsilon=0.001, center=True, scale=True, beta_initializer='zeros', gamma_initializer='ones', beta_regularizer=None, gamma_regularizer=None, beta_constraint=None, gamma_constraint=None, **kwargs", "inputs!", {"axis": "axis", "eps": "epsilon", "bias": "center", "elementwise_affine": "scale"}, weights=("gamma", "beta")),
    "RMSNormalization": LayerRow("rms_norm", "axis=-1, epsilon=1e-06, **kwargs", "x!", {"axis": "axis", "eps": "epsilon"}, weights=("scale",)),
    "BatchNormalization": LayerRow("batch_norm", "axis=-1, momentum=0.99, epsilon=0.001, center=True, scale=True, beta_initializer='zeros', gamma_initializer='ones', moving_mean_initializer='zeros', moving_variance_initializer='ones', beta_regularizer=None, gamma_regularizer=None, beta_constraint=None, gamma_constraint=None, renorm=False, renorm_clipping=None, renorm_momentum=0.99, synchronized=False, **kwargs", "inputs!, training=None, mask=None", {"axis": "axis", "eps": "epsilon", "momentum": "1 - momentum", "bias": "center", "elementwise_affine": "scale"}, weights=("gamma", "beta", "moving_mean", "moving_variance"), plain=("renorm",)),
    "GroupNormalization": LayerRow("group_norm", "groups=32, axis=-1, epsilon=0.001, center=True, scale=True, beta_initializer='zeros', gamma_initializer='ones', beta_regularizer=None, gamma_regularizer=None, beta_constraint=None, gamma_constraint=None, **kwargs", "inputs!", {"groups": "groups", "axis": "axis", "eps": "epsilon", "bias": "center", "elementwise_affine": "scale"}, weights=("gamma", "beta")),
    "UnitNormalization": _layer("l2_norm", "axis=-1", {"axis": "axis"}),
    # ---- activations
    "ELU": _layer("elu", "alpha=1.0", {"alpha": "alpha"}),
    "LeakyReLU": _layer("leaky_relu", "negative_slope=0.3", {"slope": "negative_slope"}),
    "PReLU": LayerRow("prelu", "alpha_initializer='Zeros', alpha_regularizer=None, alpha_constraint=None, shared_axes=None, **kwargs", "inputs!", weights=("alpha",)),
    "Softmax": _layer("softmax", "axis=-1", {"axis": "axis"}, "inputs!, mask=None"),
    # ---- regularisers: `training` is taken from the context where the call leaves it open
    "Dropout": LayerRow("dropout", "rate, noise_shape=None, seed=None, **kwargs", "inputs!, training=None", {"p": "rate"}, active="training"),
    "AlphaDropout": LayerRow("dropout", "rate, noise_shape=None, seed=None, **kwargs", "inputs!, training=None", {"p": "rate"}, {"alpha": True}, active="training"),
    "SpatialDropout1D": LayerRow("dropout", "rate, seed=None, name=None, dtype=None", "inputs!, training=None", {"p": "rate"}, {"axes": (-2,)}, active="training"),
    "SpatialDropout2D": LayerRow("dropout", "rate, data_format=None, seed=None, name=None, dtype=None", "inputs!, training=None", {"p": "rate"}, {"axes": (-3, -2)}, active="training"),
    "SpatialDropout3D": LayerRow("dropout", "rate, data_format=None, seed=None, name=None, dtype=None", "inputs!, training=None", {"p": "rate"}, {"axes": (-4, -3, -2)}, active="training"),
    # ---- several tensors, in one list
    "Add": _layer("add", ""),
    "Subtract": _layer("sub", ""),
    "Multiply": _layer("mul", ""),
    "Maximum": _layer("maximum", ""),
    "Minimum": _layer("minimum", ""),
    "Concatenate": _layer("concat", "axis=-1", {"axis": "axis"}),
    # ---- shape and place
    "Flatten": _layer("reshape", "data_format=None", form="flatten", axis=1, end=-1),
    "Reshape": _layer("reshape", "target_shape", {"shape": "target_shape"}, batch_apart=True),
    "Permute": _layer("permute", "dims", {"axes": "dims"}, batch_apart=True),
    "RepeatVector": _layer("expand", "n", {"repeats": "n"}, axis=1),
    "UpSampling1D": _layer("interpolate", "size=2", {"scale": "size"}, mode="nearest"),
    "UpSampling2D": _layer("interpolate", "size=(2, 2), data_format=None, interpolation='nearest'", {"scale": "size", "mode": "interpolation"}),
    "UpSampling3D": _layer("interpolate", "size=(2, 2, 2), data_format=None", {"scale": "size"}, mode="nearest"),
    "ZeroPadding1D": _layer("pad", "padding=1, data_format=None", {"amount": "padding"}, mode="constant", by=0),
    "ZeroPadding2D": _layer("pad", "padding=(1, 1), data_format=None", {"amount": "padding"}, mode="constant", by=0),
    "ZeroPadding3D": _layer("pad", "padding=((1, 1), (1, 1), (1, 1)), data_format=None", {"amount": "padding"}, mode="constant", by=0),
    # ---- attention: keras orders its arguments query, value, key; a missing key is the value
    "MultiHeadAttention": LayerRow(
        "attention",
        f"num_heads, key_dim, value_dim=None, dropout=0.0, use_bias=True, output_shape=None, attention_axes=None, sliding_window=None, flash_attention=None, {_TAIL}, use_gate=False, seed=None, **kwargs",
        "query!, value!, key=None!, query_mask=None, value_mask=None, key_mask=None, attention_mask=None!, return_attention_scores=False, training=None, use_causal_mask=False",
        {"heads": "num_heads", "head_dim": "key_dim", "dropout": "dropout", "window": "sliding_window", "causal": "use_causal_mask", "projection_bias": "use_bias"},
        {"projected": True, "batch_first": True},
        plain=("return_attention_scores", "attention_axes", "use_gate"),
        order=("query", "key|value", "value", "attention_mask"),
    ),
    "GroupedQueryAttention": LayerRow(
        "attention",
        f"head_dim, num_query_heads, num_key_value_heads, dropout=0.0, use_bias=True, sliding_window=None, flash_attention=None, {_TAIL}, use_gate=False, seed=None, **kwargs",
        "query!, value!, key=None!, query_mask=None, value_mask=None, key_mask=None, attention_mask=None!, return_attention_scores=False, training=None, use_causal_mask=False",
        {"heads": "num_query_heads", "kv_heads": "num_key_value_heads", "head_dim": "head_dim", "dropout": "dropout", "window": "sliding_window", "causal": "use_causal_mask", "projection_bias": "use_bias"},
        {"projected": True, "batch_first": True},
        plain=("return_attention_scores", "use_gate"),
        order=("query", "key|value", "value", "attention_mask"),
    ),
}  # fmt: skip

# ---- convolutions and pooling; the default data format has the features last

_LAYOUT = {"channels_last": "data_format"}  # where it is left out, the features are last
_CONV = _LAYOUT | {"kernel": "kernel_size", "stride": "strides", "padding": "padding", "dilation": "dilation_rate", "bias": "use_bias", "activation": "activation"}
_OUT = {"out_features": "filters"}
for _n in (1, 2, 3):
    _one = _ONES[_n]
    _LAYERS[f"Conv{_n}D"] = LayerRow("conv", f"filters, kernel_size, strides={_one}, padding='valid', data_format=None, dilation_rate={_one}, groups=1, activation=None, use_bias=True, {_TAIL}, **kwargs", "inputs!", _CONV | _OUT | {"groups": "groups"}, {"axes": _n, "channels_last": True}, _KERNEL)
    _middle = "data_format=None, output_padding=None" if _n == 3 else "output_padding=None, data_format=None"
    _LAYERS[f"Conv{_n}DTranspose"] = LayerRow("conv_transpose", f"filters, kernel_size, strides={_one}, padding='valid', {_middle}, dilation_rate={_one}, activation=None, use_bias=True, {_TAIL}, **kwargs", "inputs!", _CONV | _OUT, {"axes": _n, "channels_last": True}, _KERNEL)
    _sizes = {1: "2", 2: "(2, 2)", 3: "(2, 2, 2)"}[_n]
    _pool = _LAYOUT | {"kernel": "pool_size", "stride": "strides", "padding": "padding"}
    _LAYERS[f"MaxPooling{_n}D"] = LayerRow("pool", f"pool_size={_sizes}, strides=None, padding='valid', data_format=None, name=None, **kwargs", "inputs!", _pool, {"mode": "max", "axes": _n, "channels_last": True})
    _LAYERS[f"AveragePooling{_n}D"] = LayerRow("pool", "pool_size, strides=None, padding='valid', data_format=None, name=None, **kwargs", "inputs!", _pool, {"mode": "mean", "axes": _n, "channels_last": True})
    for _name, _mode in (("Max", "max"), ("Average", "mean")):
        _LAYERS[f"Global{_name}Pooling{_n}D"] = LayerRow("pool", "data_format=None, keepdims=False, **kwargs", "inputs!, mask=None", _LAYOUT, {"mode": _mode, "axes": _n, "scope": "global", "channels_last": True})
        _LAYERS[f"Adaptive{_name}Pooling{_n}D"] = LayerRow("pool", "output_size, data_format=None, **kwargs", "inputs!", _LAYOUT | {"size": "output_size"}, {"mode": _mode, "axes": _n, "channels_last": True})

# ---- recurrence

_START = "kernel_initializer='glorot_uniform', recurrent_initializer='orthogonal', bias_initializer='zeros'"
_LIMITS = "kernel_regularizer=None, recurrent_regularizer=None, bias_regularizer=None, activity_regularizer=None, kernel_constraint=None, recurrent_constraint=None, bias_constraint=None, dropout=0.0, recurrent_dropout=0.0"
_RUN = "return_sequences=False, return_state=False, go_backwards=False, stateful=False, unroll=False"
_SEQUENCE = "sequences!, initial_state=None!, mask=None, training=None"
_UNITS = {"units": "units", "bias": "use_bias", "dropout": "dropout"}
_RECURRENT = ("return_state", "go_backwards")
_LAYERS |= {
    "LSTM": LayerRow("lstm", f"units, activation='tanh', recurrent_activation='sigmoid', use_bias=True, {_START}, unit_forget_bias=True, {_LIMITS}, seed=None, {_RUN}, use_cudnn='auto', **kwargs", _SEQUENCE, _UNITS, {"batch_first": True}, plain=(*_RECURRENT, "activation", "recurrent_activation")),
    "GRU": LayerRow("gru", f"units, activation='tanh', recurrent_activation='sigmoid', use_bias=True, {_START}, {_LIMITS}, seed=None, {_RUN}, reset_after=True, use_cudnn='auto', **kwargs", _SEQUENCE, _UNITS, {"batch_first": True}, plain=(*_RECURRENT, "activation", "recurrent_activation")),
    "SimpleRNN": LayerRow("rnn", f"units, activation='tanh', use_bias=True, {_START}, {_LIMITS}, {_RUN}, seed=None, **kwargs", _SEQUENCE, _UNITS | {"activation": "activation"}, {"batch_first": True}, plain=_RECURRENT),
}
_OLD_NAMES = {"Convolution1D": "Conv1D", "Convolution2D": "Conv2D", "Convolution3D": "Conv3D", "Deconvolution2D": "Conv2DTranspose", "MaxPool1D": "MaxPooling1D", "MaxPool2D": "MaxPooling2D", "MaxPool3D": "MaxPooling3D", "AvgPool1D": "AveragePooling1D", "AvgPool2D": "AveragePooling2D", "AvgPool3D": "AveragePooling3D", "GlobalMaxPool1D": "GlobalMaxPooling1D", "GlobalMaxPool2D": "GlobalMaxPooling2D", "GlobalAvgPool1D": "GlobalAveragePooling1D", "GlobalAvgPool2D": "GlobalAveragePooling2D"}
_LAYERS |= {old: _LAYERS[new] for old, new in _OLD_NAMES.items()}

LAYERS: dict[str, LayerRow] = {"keras.layers." + name: row for name, row in _LAYERS.items()}

_FOLDERS = ("activations", "attention", "convolutional", "core", "merging", "normalization", "pooling", "regularization", "reshaping", "rnn", "merge", "embeddings", "recurrent", "wrappers", "noise", "advanced_activations", "local")
KERAS = Dialect(
    name="keras",
    transparent=("keras.saving.", "keras.utils.register_keras_serializable", "keras.export.", "keras.src.api_export.", "keras.api_export.", "keras.utils.generic_utils."),
    functions=FUNCTIONS,
    layers=LAYERS,
    classes=CLASSES,
    aliases={
        "tf_keras.": "keras.",
        "keras_core.": "keras.",
        "keras.src.": "keras.",
        "keras.api.": "keras.",
        "keras._tf_keras.keras.": "keras.",
        "keras.backend.": "keras.ops.",
        "keras.ops.numpy.": "keras.ops.",
        "keras.ops.nn.": "keras.ops.",
        "keras.layers.experimental.": "keras.layers.",
        "keras.models.Sequential": "keras.Sequential",
        "keras.models.Model": "keras.Model",
        "keras.models.Functional": "keras.Model",
        "keras.layers.Input": "keras.Input",
        "keras.engine.": "keras.",
        "keras.layers.layer.": "keras.layers.",
        "keras.layers.Layer": "keras.Layer",
        "keras.engine.base_layer.Layer": "keras.Layer",
        **{f"keras.layers.{folder}.": "keras.layers." for folder in _FOLDERS},
    },
    prepares=("build",),
    modes=("training",),
    bases={"keras.Layer": ("call",), "keras.Model": ("call",), "keras.Sequential": ("call",), "keras.layers.Wrapper": ("call",)},
    containers={"keras.Sequential": "sequential"},
    ignored=("keras.config.", "keras.utils.set_random_seed", "keras.mixed_precision.", "keras.ops.clear_session", "keras.name_scope", "keras.ops.name_scope", "keras.utils.register_keras_serializable", "keras.saving.register_keras_serializable"),
    metadata=frozenset({"shape", "dtype", "ndim"}),
    module_metadata=frozenset({"dtype", "dtype_policy", "compute_dtype", "variable_dtype", "input_dtype", "autocast", "name", "path", "built", "trainable", "supports_masking", "input_spec", "losses", "metrics", "quantization_mode", "activity_regularizer", "_activity_regularizer", "_name", "_dtype", "_trainable"}),
    formulas=FORMULAS,
    keywords={"dim": "axis", "x": "x1", "y": "x2", "alpha": "negative_slope"},
)
