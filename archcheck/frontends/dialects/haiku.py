"""Haiku: modules made inside of functions; parameter lists are those of dm-haiku 0.0.17."""

from __future__ import annotations

from archcheck.frontends.dialects.table import Dialect, Formula, LayerRow
from archcheck.ir.graph import AttrValue


def _layer(kind: str, init: str, attrs: dict[str, str], call: str = "inputs!", weights: tuple[str, ...] = (), plain: tuple[str, ...] = (), methods: dict[str, str] | None = None, **const: AttrValue) -> LayerRow:
    return LayerRow(kind, f"{init}, **kwargs", call, attrs, const, weights, plain=plain, methods=methods or {})


_STATED = {"eps": "eps", "bias": "create_offset", "elementwise_affine": "create_scale"}
_WEIGHTS = ("w", "b")
_LAYERS: dict[str, LayerRow] = {
    "Linear": _layer("linear", "output_size, with_bias=True, w_init=None, b_init=None, name=None", {"out_features": "output_size", "bias": "with_bias"}, "inputs!, *, precision=None", _WEIGHTS),
    "Embed": _layer("embedding", "vocab_size=None, embed_dim=None, embedding_matrix=None, w_init=None, lookup_style=None, name=None, precision=None", {"rows": "vocab_size", "dim": "embed_dim"}, "ids!", ("embeddings",), ("embedding_matrix",)),
    "LayerNorm": _layer("layer_norm", "axis, create_scale, create_offset, eps=1e-05, scale_init=None, offset_init=None, use_fast_variance=False, name=None, *, param_axis=None", _STATED | {"axis": "axis"}, "inputs!, scale=None!, offset=None!", ("scale", "offset")),
    "RMSNorm": _layer("rms_norm", "axis, eps=1e-05, scale_init=None, name=None, create_scale=True, *, param_axis=None", {"eps": "eps", "elementwise_affine": "create_scale", "axis": "axis"}, weights=("scale",)),
    "GroupNorm": _layer("group_norm", "groups, axis=None, create_scale=True, create_offset=True, eps=1e-05, scale_init=None, offset_init=None, data_format='channels_last', name=None", _STATED | {"groups": "groups"}, "x!, scale=None!, offset=None!", ("scale", "offset")),
    "InstanceNorm": _layer("instance_norm", "create_scale, create_offset, eps=1e-05, scale_init=None, offset_init=None, data_format='channels_last', name=None", _STATED, weights=("scale", "offset")),
    "BatchNorm": _layer("batch_norm", "create_scale, create_offset, decay_rate, eps=1e-05, scale_init=None, offset_init=None, axis=None, cross_replica_axis=None, cross_replica_axis_index_groups=None, data_format='channels_last', name=None", _STATED | {"momentum": "1 - decay_rate"}, "inputs!, is_training=None, test_local_stats=False, scale=None!, offset=None!", ("scale", "offset")),
    "MultiHeadAttention": LayerRow("attention", "num_heads, key_size, w_init_scale=None, *, w_init=None, with_bias=True, b_init=None, value_size=None, model_size=None, name=None", "query!, key!, value!, mask=None!", {"heads": "num_heads", "head_dim": "key_size", "projection_bias": "with_bias", "out_features": "model_size"}, {"projected": True, "batch_first": True}, plain=("value_size",)),
}  # fmt: skip

# output_channels, kernel_shape: padding is 'SAME', 'VALID', pairs, or a function of the kernel
_CONV = """
class Conv{n}D(haiku.Module):
    axes = {n}

    def __init__(self, output_channels, kernel_shape, stride=1, rate=1, padding="SAME", with_bias=True, w_init=None, b_init=None, data_format=None, mask=None, feature_group_count=1, name=None):
        super().__init__(name=name)
        self.given = dict(out_features=output_channels, kernel=kernel_shape, stride=stride, dilation=rate, bias=with_bias, groups=feature_group_count)
        self.padding, self.data_format, self.mask = padding, data_format, mask

    def __call__(self, inputs, *, precision=None):
        if self.mask is not None or callable(self.padding):
            return op.opaque(inputs, name="Conv", why="its kernel is masked, or its padding a function")
        return op.conv(inputs, padding=flax.padding(self.padding, flax.axes(self.given["kernel"], (1,) * {n}), self.given["stride"], self.given["dilation"]), padding_mode="zeros", axes={n}, channels_last=self.data_format is None or self.data_format[-1] == "C", **self.given)
"""
_MODULE = """
class Module(haiku.ModuleBase):
    def __init__(self, name=None):
        self.module_name = name
        self.name = name

    def params_dict(self):
        return {}
"""
_TRANSFORMED = """
class Transformed:
    def __init__(self, function, state):
        self.function, self.state = function, state

    def init(self, rng, *args, **kwargs):
        return ({}, {}) if self.state else {}

    def apply(self, params, *args, **kwargs):
        given = args[1 + self.state :] if len(args) > self.state else args
        found = self.function(*given, **kwargs)
        return (found, args[0]) if self.state else found
"""
_MLP = """
class MLP(haiku.Module):
    def __init__(self, output_sizes, w_init=None, b_init=None, with_bias=True, activation=jax.nn.relu, activate_final=False, name=None):
        super().__init__(name=name)
        self.layers = [haiku.Linear(size, with_bias=with_bias) for size in output_sizes]
        self.activation, self.activate_final = activation, activate_final

    def __call__(self, inputs, dropout_rate=None, rng=None):
        out = inputs
        for at, layer in enumerate(self.layers):
            out = layer(out)
            if at < len(self.layers) - 1 or self.activate_final:
                if dropout_rate is not None:
                    out = op.dropout(out, p=dropout_rate)
                out = self.activation(out)
        return out
"""
_CLASSES = {
    "haiku.Module": _MODULE,
    "haiku.Transformed": _TRANSFORMED,
    "haiku.nets.MLP": _MLP,
    **{f"haiku.Conv{n}D": _CONV.format(n=n) for n in (1, 2, 3)},
}
_SIZES = "(lambda size: size[1:-1] if isinstance(size, (tuple, list)) and len(size) == 4 else size)"
_POOL = f"lambda value, window_shape, strides, padding, channel_axis=-1: op.pool(value, mode='{{mode}}', kernel={_SIZES}(window_shape), stride={_SIZES}(strides), padding=flax.padding(padding), axes=2, channels_last=True)"
_POOLING = "lambda window_shape, strides, padding, channel_axis=-1, name=None: (lambda value: haiku.{name}(value, window_shape, strides, padding))"
_FUNCTION = "lambda fun=None, *args, **kwargs: (lambda found: found) if fun is None else fun"
_FORMULAS: dict[str, str] = {
    "transform": "lambda f, *args, **kwargs: haiku.Transformed(f, False)",
    "transform_with_state": "lambda f, *args, **kwargs: haiku.Transformed(f, True)",
    "without_apply_rng": "lambda f: f",
    "without_state": "lambda f: f",
    "get_parameter": "lambda name, shape=None, dtype=None, init=None: flax.learned(None, name, shape)",
    "get_state": "lambda name, shape=None, dtype=None, init=None: unknown('a state that is kept between calls')",
    "set_state": "lambda name, value: None",
    "next_rng_key": "lambda: unknown('a random key')",
    "maybe_next_rng_key": "lambda: unknown('a random key')",
    "reserve_rng_keys": "lambda *args: None",
    "dropout": "lambda rng, rate, x, broadcast_dims=(): op.dropout(x, p=rate, axes=broadcast_dims or None)",
    "max_pool": _POOL.format(mode="max"),
    "avg_pool": _POOL.format(mode="mean"),
    "MaxPool": _POOLING.format(name="max_pool"),
    "AvgPool": _POOLING.format(name="avg_pool"),
    "Flatten": "lambda preserve_dims=1, name=None: (lambda inputs: op.reshape(inputs, form='flatten', axis=preserve_dims, end=-1))",
    "Reshape": "lambda output_shape, preserve_dims=1, name=None: (lambda inputs: op.reshape(inputs, shape=(*inputs.shape[:preserve_dims], *output_shape)))",
    "one_hot": "lambda x, num_classes, dtype=None: jax.nn.one_hot(x, num_classes)",
    "lift": "lambda fun, name=None: fun",
    "to_module": "lambda f: (lambda name=None: f)",
    "layer_stack": "lambda num_layers, *args, **kwargs: (lambda function: (lambda *xs: haiku.stacked(function, num_layers, xs)))",
    "stacked": "lambda function, left, xs: (xs[0] if len(xs) == 1 else xs) if left == 0 else haiku.stacked(function, left - 1, (lambda found: found if isinstance(found, tuple) else (found,))(function(*xs)))",
    "cond": "lambda pred, true_fun, false_fun, *operands, **kwargs: jax.lax.cond(pred, true_fun, false_fun, *operands)",
    "running_init": "lambda: False",
    **dict.fromkeys(("remat", "jit", "named_call", "checkpoint", "eval_shape"), _FUNCTION),
}  # fmt: skip
_FOLDERS = ("module", "base", "basic", "conv", "attention", "layer_norm", "batch_norm", "group_norm", "rms_norm", "pool", "reshape", "embed", "transform", "stateful", "layer_stack", "lift", "depthwise_conv")
HAIKU = Dialect(
    name="haiku",
    transparent=("haiku.transparent", "haiku.name_like", "haiku.remat", "haiku.named_call", "haiku.jit"),
    layers={f"haiku.{name}": row for name, row in _LAYERS.items()},
    classes=_CLASSES,
    formulas={"haiku." + name: Formula(source) for name, source in _FORMULAS.items()},
    aliases={"haiku.initializers.": "jax.nn.initializers.", "haiku.experimental.": "haiku.", **{f"haiku._src.{folder}.": "haiku." for folder in _FOLDERS}},
    bases=dict.fromkeys(("haiku.Module", "haiku.ModuleBase"), ("__call__",)),
    containers={"haiku.Sequential": "sequential"},
    numbered=True,
    trains={"train": True, "training": True, "is_training": True},
    ignored=("haiku.set_state", "haiku.reserve_rng_keys"),
    module_metadata=frozenset({"module_name", "name_scope"}),
    readable=(),
)
