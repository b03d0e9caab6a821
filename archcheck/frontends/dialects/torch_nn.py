"""torch.nn's layer classes. Constructor parameter lists are those of torch 2.13.0 and are tested against its source.

Classes that are better read from their own source stay out: containers' subclasses, the Transformer family, distances,
shrink functions; so do losses, which are no part of an architecture.
"""

from __future__ import annotations

from archcheck.frontends.dialects.table import LayerRow
from archcheck.ir.graph import AttrValue

_FACTORY = "device=None, dtype=None"


def _layer(kind: str, init: str = "", attrs: dict[str, str] | None = None, **const: AttrValue) -> LayerRow:
    return LayerRow(kind, init, attrs=attrs or {}, const=const)


# ---- learned maps

_LAYERS: dict[str, LayerRow] = {
    "Identity": LayerRow("identity", "*args, **kwargs"),
    "Linear": LayerRow("linear", f"in_features, out_features, bias=True, {_FACTORY}", attrs={"in_features": "in_features", "out_features": "out_features", "bias": "bias"}, weights=("weight", "bias")),
    "LazyLinear": LayerRow("linear", f"out_features, bias=True, {_FACTORY}", attrs={"out_features": "out_features", "bias": "bias"}, weights=("weight", "bias")),
    "Bilinear": LayerRow("bilinear", f"in1_features, in2_features, out_features, bias=True, {_FACTORY}", "input1!, input2!", {"in_features": "in1_features", "other_features": "in2_features", "out_features": "out_features", "bias": "bias"}, weights=("weight", "bias")),
    "Embedding": LayerRow("embedding", f"num_embeddings, embedding_dim, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False, _weight=None, _freeze=False, {_FACTORY}", attrs={"rows": "num_embeddings", "dim": "embedding_dim", "padding": "padding_idx", "frozen": "_freeze"}, weights=("weight",), plain=("max_norm",)),
    "EmbeddingBag": LayerRow("embedding", f"num_embeddings, embedding_dim, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, mode='mean', sparse=False, _weight=None, include_last_offset=False, padding_idx=None, {_FACTORY}", "input!, offsets=None!, per_sample_weights=None!", {"rows": "num_embeddings", "dim": "embedding_dim", "combine": "mode", "padding": "padding_idx"}, weights=("weight",), plain=("max_norm",)),
}

_CONV = "kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True, padding_mode='zeros', " + _FACTORY
_CONV_TRANSPOSE = "kernel_size, stride=1, padding=0, output_padding=0, groups=1, bias=True, dilation=1, padding_mode='zeros', " + _FACTORY
_CONV_ATTRS = {"kernel": "kernel_size", "stride": "stride", "padding": "padding", "dilation": "dilation", "groups": "groups", "bias": "bias", "padding_mode": "padding_mode", "out_features": "out_channels"}
for _n in (1, 2, 3):
    for _lazy, _channels, _in in (("", "in_channels, out_channels, ", {"in_features": "in_channels"}), ("Lazy", "out_channels, ", {})):
        _LAYERS[f"{_lazy}Conv{_n}d"] = LayerRow("conv", _channels + _CONV, attrs=_CONV_ATTRS | _in, const={"axes": _n}, weights=("weight", "bias"))
        _LAYERS[f"{_lazy}ConvTranspose{_n}d"] = LayerRow("conv_transpose", _channels + _CONV_TRANSPOSE, "input!, output_size=None", _CONV_ATTRS | _in, {"axes": _n}, ("weight", "bias"))

# ---- norms

_LAYERS["LayerNorm"] = LayerRow("layer_norm", f"normalized_shape, eps=1e-05, elementwise_affine=True, bias=True, {_FACTORY}", attrs={"dim": "normalized_shape", "eps": "eps", "elementwise_affine": "elementwise_affine", "bias": "bias if elementwise_affine"}, weights=("weight", "bias"))
_LAYERS["RMSNorm"] = LayerRow("rms_norm", f"normalized_shape, eps=None, elementwise_affine=True, {_FACTORY}", "x!", {"dim": "normalized_shape", "eps": "eps", "elementwise_affine": "elementwise_affine"}, weights=("weight",))
_LAYERS["GroupNorm"] = LayerRow("group_norm", f"num_groups, num_channels, eps=1e-05, affine=True, {_FACTORY}, *, bias=True", attrs={"groups": "num_groups", "dim": "num_channels", "eps": "eps", "elementwise_affine": "affine", "bias": "bias if affine"}, weights=("weight", "bias"))
_LAYERS["LocalResponseNorm"] = _LAYERS["CrossMapLRN2d"] = _layer("local_response_norm", "size, alpha=0.0001, beta=0.75, k=1.0", {"size": "size", "alpha": "alpha", "beta": "beta", "k": "k"})
_BATCH = f"eps=1e-05, momentum=0.1, affine=True, track_running_stats=True, {_FACTORY}, *, bias=True"
_BATCH_ATTRS = {"eps": "eps", "momentum": "momentum", "elementwise_affine": "affine", "bias": "bias if affine"}
_INSTANCE = f"num_features, eps=1e-05, momentum=0.1, affine=False, track_running_stats=False, {_FACTORY}, *, bias=True"
_INSTANCE_ATTRS = {"eps": "eps", "elementwise_affine": "affine", "bias": "bias if affine"}
_COUNTED = ("running_mean", "running_var", "num_batches_tracked")
_NORM_WEIGHTS = ("weight", "bias", *_COUNTED)
for _n in (1, 2, 3):
    _LAYERS[f"BatchNorm{_n}d"] = LayerRow("batch_norm", "num_features, " + _BATCH, attrs=_BATCH_ATTRS | {"dim": "num_features"}, weights=_NORM_WEIGHTS, counted=_COUNTED)
    _LAYERS[f"LazyBatchNorm{_n}d"] = LayerRow("batch_norm", _BATCH, attrs=_BATCH_ATTRS, weights=_NORM_WEIGHTS, counted=_COUNTED)
    _LAYERS[f"InstanceNorm{_n}d"] = LayerRow("instance_norm", _INSTANCE, attrs=_INSTANCE_ATTRS | {"dim": "num_features"}, weights=_NORM_WEIGHTS, counted=_COUNTED)
    # the lazy classes take _LazyNormBase's list, whose defaults are batch norm's
    _LAYERS[f"LazyInstanceNorm{_n}d"] = LayerRow("instance_norm", _BATCH, attrs=_INSTANCE_ATTRS, weights=_NORM_WEIGHTS, counted=_COUNTED)
for _base in ("Batch", "Instance"):  # of which code derives layers of its own
    _LAYERS[f"_{_base}Norm"] = _LAYERS[f"{_base}Norm1d"]
_LAYERS["SyncBatchNorm"] = LayerRow("batch_norm", f"num_features, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True, process_group=None, {_FACTORY}, *, bias=True", attrs=_BATCH_ATTRS | {"dim": "num_features"}, weights=_NORM_WEIGHTS, counted=_COUNTED)

# ---- activations

_INPLACE = "inplace=False"
_LAYERS |= {
    "ReLU": _layer("relu", _INPLACE),
    "ReLU6": _layer("relu6", _INPLACE),
    "RReLU": _layer("rrelu", "lower=0.125, upper=0.3333333333333333, inplace=False", {"lower": "lower", "upper": "upper"}),
    "LeakyReLU": _layer("leaky_relu", "negative_slope=0.01, inplace=False", {"slope": "negative_slope"}),
    "PReLU": LayerRow("prelu", f"num_parameters=1, init=0.25, {_FACTORY}", attrs={"dim": "num_parameters", "init": "init"}, weights=("weight",)),
    "ELU": _layer("elu", "alpha=1.0, inplace=False", {"alpha": "alpha"}),
    "CELU": _layer("celu", "alpha=1.0, inplace=False", {"alpha": "alpha"}),
    "SELU": _layer("selu", _INPLACE),
    "GELU": _layer("gelu", "approximate='none'", {"approximate": "approximate"}),
    "SiLU": _layer("silu", _INPLACE),
    "Mish": _layer("mish", _INPLACE),
    "Sigmoid": _layer("sigmoid"),
    "LogSigmoid": _layer("log_sigmoid"),
    "Hardsigmoid": _layer("hard_sigmoid", _INPLACE),
    "Hardswish": _layer("hard_swish", _INPLACE),
    "Hardtanh": LayerRow("clamp", "min_val=-1.0, max_val=1.0, inplace=False, min_value=None, max_value=None", attrs={"min": "min_val", "max": "max_val"}, plain=("min_value", "max_value")),
    "Tanh": _layer("tanh"),
    "Softplus": _layer("softplus", "beta=1.0, threshold=20.0", {"beta": "beta"}),
    "Softsign": _layer("softsign"),
    "GLU": _layer("glu", "dim=-1", {"axis": "dim"}, activation="sigmoid"),
    "Softmax": _layer("softmax", "dim=None", {"axis": "dim"}),
    "Softmax2d": _layer("softmax", axis=-3),
    "LogSoftmax": _layer("log_softmax", "dim=None", {"axis": "dim"}),
    "MultiheadAttention": LayerRow(
        "attention",
        f"embed_dim, num_heads, dropout=0.0, bias=True, add_bias_kv=False, add_zero_attn=False, kdim=None, vdim=None, batch_first=False, {_FACTORY}",
        "query!, key!, value!, key_padding_mask=None!, need_weights=True, attn_mask=None!, average_attn_weights=True, is_causal=False",
        {"heads": "num_heads", "dropout": "dropout", "batch_first": "batch_first", "causal": "is_causal", "out_features": "embed_dim", "key_features": "kdim", "value_features": "vdim", "projection_bias": "bias"},
        {"projected": True, "hides": True},
        ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight", "in_proj_bias", "bias_k", "bias_v"),
        outputs=2,
        plain=("add_bias_kv", "add_zero_attn"),
    ),
}

# ---- regularisers

_P = {"p": "p"}
_LAYERS |= {
    "Dropout": _layer("dropout", "p=0.5, inplace=False", _P),
    "Dropout1d": _layer("dropout", "p=0.5, inplace=False", _P, axes=(-1,)),
    "Dropout2d": _layer("dropout", "p=0.5, inplace=False", _P, axes=(-2, -1)),
    "Dropout3d": _layer("dropout", "p=0.5, inplace=False", _P, axes=(-3, -2, -1)),
    "AlphaDropout": _layer("dropout", "p=0.5, inplace=False", _P, alpha=True),
    # whole channels: all axes behind [batch, channels], however many there are
    "FeatureAlphaDropout": _layer("dropout", "p=0.5, inplace=False", _P, alpha=True, axes="spatial"),
}

# ---- pooling

_POOL: dict[str, str] = {"kernel": "kernel_size", "stride": "stride", "padding": "padding"}
_MAX_POOL = "kernel_size, stride=None, padding=0, dilation=1, return_indices=False, ceil_mode=False"
for _n in (1, 2, 3):
    _divisor = "" if _n == 1 else ", divisor_override=None"
    _LAYERS[f"MaxPool{_n}d"] = LayerRow("pool", _MAX_POOL, attrs=_POOL | {"dilation": "dilation"}, const={"mode": "max", "axes": _n}, plain=("return_indices",))
    _LAYERS[f"MaxUnpool{_n}d"] = LayerRow("unpool", "kernel_size, stride=None, padding=0", "input!, indices!, output_size=None", _POOL, {"axes": _n})
    _LAYERS[f"AvgPool{_n}d"] = LayerRow("pool", f"kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True{_divisor}", attrs=_POOL, const={"mode": "mean", "axes": _n}, plain=() if _n == 1 else ("divisor_override",))
    _LAYERS[f"LPPool{_n}d"] = LayerRow("pool", "norm_type, kernel_size, stride=None, ceil_mode=False", attrs={"p": "norm_type", "kernel": "kernel_size", "stride": "stride"}, const={"mode": "lp", "axes": _n})
    _LAYERS[f"AdaptiveMaxPool{_n}d"] = LayerRow("pool", "output_size, return_indices=False", attrs={"size": "output_size"}, const={"mode": "max", "axes": _n}, plain=("return_indices",))
    _LAYERS[f"AdaptiveAvgPool{_n}d"] = LayerRow("pool", "output_size", attrs={"size": "output_size"}, const={"mode": "mean", "axes": _n})

# ---- shape and place

_LAYERS |= {
    "Flatten": _layer("reshape", "start_dim=1, end_dim=-1", {"axis": "start_dim", "end": "end_dim"}, form="flatten"),
    "Unflatten": _layer("reshape", "dim, unflattened_size", {"axis": "dim", "shape": "unflattened_size"}, form="unflatten"),
    "Fold": _layer("fold", "output_size, kernel_size, dilation=1, padding=0, stride=1", {"size": "output_size", "kernel": "kernel_size", "stride": "stride", "dilation": "dilation", "padding": "padding"}),
    "Unfold": _layer("unfold", "kernel_size, dilation=1, padding=0, stride=1", {"kernel": "kernel_size", "stride": "stride", "dilation": "dilation", "padding": "padding"}),
    "PixelShuffle": _layer("pixel_shuffle", "upscale_factor", {"factor": "upscale_factor"}, inverse=False),
    "PixelUnshuffle": _layer("pixel_shuffle", "downscale_factor", {"factor": "downscale_factor"}, inverse=True),
    "ChannelShuffle": _layer("channel_shuffle", "groups", {"groups": "groups"}),
    "Upsample": _layer("interpolate", "size=None, scale_factor=None, mode='nearest', align_corners=None, recompute_scale_factor=None", {"size": "size", "scale": "scale_factor", "mode": "mode", "align_corners": "align_corners"}),
    "UpsamplingNearest2d": _layer("interpolate", "size=None, scale_factor=None", {"size": "size", "scale": "scale_factor"}, mode="nearest"),
    "UpsamplingBilinear2d": _layer("interpolate", "size=None, scale_factor=None", {"size": "size", "scale": "scale_factor"}, mode="bilinear", align_corners=True),
}
for _n in (1, 2, 3):
    _LAYERS[f"ConstantPad{_n}d"] = _layer("pad", "padding, value", {"amount": "padding", "by": "value"}, mode="constant")
    _LAYERS[f"ZeroPad{_n}d"] = _layer("pad", "padding", {"amount": "padding"}, mode="constant", by=0.0)
    _LAYERS[f"ReflectionPad{_n}d"] = _layer("pad", "padding", {"amount": "padding"}, mode="reflect")
    _LAYERS[f"ReplicationPad{_n}d"] = _layer("pad", "padding", {"amount": "padding"}, mode="replicate")
    _LAYERS[f"CircularPad{_n}d"] = _layer("pad", "padding", {"amount": "padding"}, mode="circular")

# ---- recurrence: all tensors it gives after the first are one nested value, the state

_RNN_WEIGHTS = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
_CELL_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
_SEQUENCE_ATTRS = {"in_features": "input_size", "units": "hidden_size", "layers": "num_layers", "bias": "bias", "batch_first": "batch_first", "dropout": "dropout", "bidirectional": "bidirectional"}
_CELL_ATTRS = {"in_features": "input_size", "units": "hidden_size", "bias": "bias"}
_SEQUENCE = f"batch_first=False, dropout=0.0, bidirectional=False, {_FACTORY}"
_LAYERS |= {
    "RNN": LayerRow("rnn", f"input_size, hidden_size, num_layers=1, nonlinearity='tanh', bias=True, {_SEQUENCE}", "input!, hx=None!", _SEQUENCE_ATTRS | {"activation": "nonlinearity"}, weights=_RNN_WEIGHTS, outputs=2),
    "LSTM": LayerRow("lstm", f"input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False, proj_size=0, {_FACTORY}", "input!, hx=None!", _SEQUENCE_ATTRS, weights=_RNN_WEIGHTS, outputs=2, plain=("proj_size",)),
    "GRU": LayerRow("gru", f"input_size, hidden_size, num_layers=1, bias=True, {_SEQUENCE}", "input!, hx=None!", _SEQUENCE_ATTRS, weights=_RNN_WEIGHTS, outputs=2),
    "RNNCell": LayerRow("rnn", f"input_size, hidden_size, bias=True, nonlinearity='tanh', {_FACTORY}", "input!, hx=None!", _CELL_ATTRS | {"activation": "nonlinearity"}, {"cell": True}, _CELL_WEIGHTS),
    "LSTMCell": LayerRow("lstm", f"input_size, hidden_size, bias=True, {_FACTORY}", "input!, hx=None!", _CELL_ATTRS, {"cell": True}, _CELL_WEIGHTS, outputs=2),
    "GRUCell": LayerRow("gru", f"input_size, hidden_size, bias=True, {_FACTORY}", "input!, hx=None!", _CELL_ATTRS, {"cell": True}, _CELL_WEIGHTS),
}

LAYERS: dict[str, LayerRow] = {"torch.nn." + name: row for name, row in _LAYERS.items()}
