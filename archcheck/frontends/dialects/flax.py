"""Flax: linen and nnx; parameter lists are those of flax 0.12, and older spellings where models still use them.

Features are the last axis everywhere. An axis or a width that Flax takes from its input is not stated.
"""

from __future__ import annotations

from archcheck.frontends.dialects.flax_classes import CLASSES
from archcheck.frontends.dialects.jax_functions import ACTIVATIONS
from archcheck.frontends.dialects.table import Dialect, Formula, LayerRow
from archcheck.ir.graph import AttrValue


def _linen(kind: str, init: str = "", attrs: dict[str, str] | None = None, call: str = "x!", weights: tuple[str, ...] = (), plain: tuple[str, ...] = (), order: tuple[str, ...] = (), methods: dict[str, str] | None = None, active: str = "", **const: AttrValue) -> LayerRow:
    return LayerRow(kind, f"{init}, **kwargs" if init else "**kwargs", call, attrs or {}, const, weights, plain=plain, order=order, active=active, methods=methods or {})


_TYPES = "dtype=None, param_dtype=None"
_KERNEL = ("kernel", "bias")
_NORM = ("scale", "bias")
_AFFINE = {"eps": "epsilon", "bias": "use_bias", "elementwise_affine": "use_scale"}
_SCALED = {"eps": "epsilon", "elementwise_affine": "use_scale"}
_AXES = ("reduction_axes", "feature_axes")
_STILL = "inputs!, deterministic=None, rng=None"
_ATTEND = {"attend": "lambda self, query: jax.numpy.dot(query, self.embedding.T)"}
# `dense.apply({"params": {"kernel": table.T}}, x)`: with weights that stand elsewhere
_APPLY = {"apply": "lambda self, variables, inputs, **kwargs: (lambda given: jax.numpy.dot(inputs, given['kernel']) + given['bias'] if 'bias' in given else jax.numpy.dot(inputs, given['kernel']))(variables['params'])"}
_NORMS = "use_bias=True, use_scale=True, bias_init=None, scale_init=None"
_STATISTICS = _AFFINE | {"momentum": "1 - momentum"}
_HEADS = {"heads": "num_heads", "dropout": "dropout_rate", "projection_bias": "use_bias", "out_features": "out_features"}
_OWN = ("normalize_qk", "attention_fn", "qkv_features")
_KEYS = ("inputs_q", "inputs_k|inputs_kv|inputs_q", "inputs_v|inputs_k|inputs_kv|inputs_q", "mask")
_LINEN_HEADS = f"num_heads, {_TYPES}, qkv_features=None, out_features=None, broadcast_dropout=True, dropout_rate=0.0, deterministic=None, precision=None, kernel_init=None, out_kernel_init=None, bias_init=None, out_bias_init=None, use_bias=True, attention_fn=None, decode=False, normalize_qk=False"

_LINEN: dict[str, LayerRow] = {
    "Dense": _linen("linear", f"features, use_bias=True, {_TYPES}", {"out_features": "features", "bias": "use_bias"}, "inputs!", _KERNEL, methods=_APPLY),
    "Embed": _linen("embedding", "num_embeddings, features", {"rows": "num_embeddings", "dim": "features"}, "inputs!", ("embedding",), methods=_ATTEND),
    "LayerNorm": _linen("layer_norm", f"epsilon=1e-06, {_TYPES}, {_NORMS}, reduction_axes=-1, feature_axes=-1", _AFFINE, "x!, *, mask=None", _NORM, (*_AXES, "mask")),
    "RMSNorm": _linen("rms_norm", f"epsilon=1e-06, {_TYPES}, use_scale=True, scale_init=None, reduction_axes=-1, feature_axes=-1", _SCALED, "x!, *, mask=None", ("scale",), (*_AXES, "mask")),
    "GroupNorm": _linen("group_norm", f"num_groups=32, group_size=None, epsilon=1e-06, {_TYPES}, {_NORMS}", _AFFINE | {"groups": "num_groups"}, "x!, *, mask=None", _NORM, ("group_size",)),
    "InstanceNorm": _linen("instance_norm", f"feature_axes=-1, epsilon=1e-06, {_TYPES}, {_NORMS}", _AFFINE, "x!, *, mask=None", _NORM, ("feature_axes",)),
    "BatchNorm": _linen("batch_norm", f"use_running_average=None, axis=-1, momentum=0.99, epsilon=1e-05, {_TYPES}, {_NORMS}", _STATISTICS, "x!, use_running_average=None, *, mask=None", _NORM, ("axis", "mask")),
    "Dropout": _linen("dropout", "rate, broadcast_dims=(), deterministic=None", {"p": "rate", "axes": "broadcast_dims"}, _STILL, active="not deterministic"),
    "PReLU": _linen("prelu", "param_dtype=None, negative_slope_init=0.01", {"init": "negative_slope_init"}, "inputs!"),
    "MultiHeadDotProductAttention": _linen("attention", _LINEN_HEADS, _HEADS, "inputs_q!, inputs_k=None!, inputs_v=None!, *, inputs_kv=None!, mask=None!, deterministic=None, dropout_rng=None, sow_weights=False", plain=_OWN, order=_KEYS, projected=True, batch_first=True),
    "SelfAttention": _linen("attention", _LINEN_HEADS, _HEADS, "inputs_q!, mask=None!, deterministic=None, dropout_rng=None, sow_weights=False", plain=_OWN, order=("inputs_q", "inputs_q", "inputs_q", "mask"), projected=True, batch_first=True),
}  # fmt: skip
_LINEN["MultiHeadAttention"] = _LINEN["MultiHeadDotProductAttention"]

_MORE = f"*, {_TYPES}"
_NNX: dict[str, LayerRow] = {
    "Linear": _linen("linear", f"in_features, out_features, {_MORE}, use_bias=True", {"in_features": "in_features", "out_features": "out_features", "bias": "use_bias"}, "inputs!", _KERNEL),
    "Embed": _linen("embedding", "num_embeddings, features", {"rows": "num_embeddings", "dim": "features"}, "inputs!", ("embedding",), methods=_ATTEND),
    "LayerNorm": _linen("layer_norm", f"num_features, *, epsilon=1e-06, {_NORMS}, reduction_axes=-1, feature_axes=-1", _AFFINE | {"dim": "num_features"}, "x!, *, mask=None", _NORM, (*_AXES, "mask")),
    "RMSNorm": _linen("rms_norm", "num_features, *, epsilon=1e-06, use_scale=True, scale_init=None, reduction_axes=-1, feature_axes=-1", _SCALED | {"dim": "num_features"}, "x!, mask=None", ("scale",), (*_AXES, "mask")),
    "GroupNorm": _linen("group_norm", f"num_features, num_groups=32, group_size=None, *, epsilon=1e-06, {_NORMS}", _AFFINE | {"groups": "num_groups", "dim": "num_features"}, "x!, *, mask=None", _NORM, ("group_size",)),
    "InstanceNorm": _linen("instance_norm", f"num_features, *, feature_axes=-1, epsilon=1e-06, {_NORMS}", _AFFINE | {"dim": "num_features"}, "x!, *, mask=None", _NORM, ("feature_axes",)),
    "BatchNorm": _linen("batch_norm", f"num_features, *, use_running_average=False, axis=-1, momentum=0.99, epsilon=1e-05, {_NORMS}", _STATISTICS | {"dim": "num_features"}, "x!, use_running_average=None, *, mask=None", (*_NORM, "mean", "var"), ("axis", "mask")),
    "Dropout": _linen("dropout", "rate, *, broadcast_dims=(), deterministic=None", {"p": "rate", "axes": "broadcast_dims"}, "inputs!, *, deterministic=None, rngs=None", active="not deterministic"),
    "PReLU": _linen("prelu", "negative_slope_init=0.01", {"init": "negative_slope_init"}, "inputs!"),
}  # fmt: skip

# One spelling of a padding: what 'SAME' adds follows from the kernel where the step is 1, or the kernel; pairs of equal
# numbers are one, and so are equal numbers for all axes. Where 'SAME' adds how much depends on the size, it stays.
_PADDING = (
    "lambda padding, kernel=None, stride=1, dilation=1: "
    "flax.one(0) if padding == 'VALID' "
    "else flax.same(flax.axes(kernel, kernel), flax.axes(stride, kernel), flax.axes(dilation, kernel)) if padding == 'SAME' and isinstance(kernel, (tuple, list)) "
    "else padding.lower() if isinstance(padding, str) else padding if isinstance(padding, int) "
    "else flax.one([part[0] if isinstance(part, (tuple, list)) and part[0] == part[1] else part for part in padding])"
)
_SAME = "lambda kernel, stride, dilation: flax.one([(k - 1) * d // 2 for k, d in zip(kernel, dilation)]) if all([k == 1 or (s == 1 and (k - 1) * d % 2 == 0) for k, s, d in zip(kernel, stride, dilation)]) else 'same'"
_ONE = "lambda sizes: sizes if isinstance(sizes, int) else sizes[0] if all([size == sizes[0] for size in sizes]) else tuple(sizes)"
_POOL = (
    "lambda inputs, window_shape, strides=None, padding='VALID', **kwargs: op.pool(inputs, mode='{mode}', kernel=tuple(window_shape), "
    "stride=1 if strides is None else tuple(strides), padding=flax.padding(padding, tuple(window_shape), strides), dilation=1, axes=len(window_shape), channels_last=True)"
)
_AROUND = "lambda target=None, *args, **kwargs: (lambda found: found) if target is None else target"
_FIRST = "lambda value, *args, **kwargs: value"
_MERGED = "lambda name, a, b: b if a is None else a"
_SCAN = (
    "lambda target=None, variable_axes=None, variable_broadcast=False, variable_carry=False, split_rngs=None, in_axes=0, out_axes=0, length=None, **kwargs: "
    "(lambda *args, **more: flax.linen.Layers(target, length, 'params' in (variable_axes or ()) or True in (variable_axes or ()), in_axes, out_axes, args, more)) if target is not None "
    "else (lambda target: flax.linen.scan(target, variable_axes, variable_broadcast, variable_carry, split_rngs, in_axes, out_axes, length))"
)
_FORMULAS: dict[str, str] = {
    "padding": _PADDING,
    "same": _SAME,
    "one": _ONE,
    "axes": "lambda value, kernel: tuple(value) if isinstance(value, (tuple, list)) else (1 if value is None else value,) * len(kernel)",
    "grown": "lambda padding, kernel, stride: 0 if padding == 'VALID' or (padding == 'SAME' and tuple(kernel) == flax.axes(stride, kernel)) else padding.lower() if isinstance(padding, str) else flax.one(flax.axes(padding, kernel))",
    "kernel": "lambda size: (size,) if isinstance(size, int) else tuple(size)",
    "entry": "lambda value, axis, at: value if value is None or not isinstance(axis, int) else value[at] if isinstance(value, (list, tuple)) else op.select(value, axis=axis, index=at)",
    # ---- linen
    "linen.max_pool": _POOL.format(mode="max"),
    "linen.avg_pool": _POOL.format(mode="mean"),
    "linen.dot_product_attention_weights": "lambda *args, **kwargs: jax.flax.attention_weights(*args, **kwargs)",
    "linen.dot_product_attention": "lambda *args, **kwargs: jax.flax.attention(*args, **kwargs)",
    "linen.make_attention_mask": "lambda query_input, key_input, pairwise_fn=jax.numpy.multiply, extra_batch_dims=0, dtype=None: op.reshape(pairwise_fn(op.reshape(query_input, form='unsqueeze', axis=-1), op.reshape(key_input, form='unsqueeze', axis=-2)), form='unsqueeze', axis=-3)",
    "linen.make_causal_mask": "lambda x, extra_batch_dims=0, dtype=None: op.triangle(op.constant(value=True), upper=False, diagonal=0)",
    "linen.combine_masks": "lambda *masks, dtype=None: (lambda given: None if not given else given[0] if len(given) == 1 else op.logical(*given, operator='and'))([mask for mask in masks if mask is not None])",
    "linen.merge_param": _MERGED,
    "linen.param_with_axes": "lambda name, init_fn=None, *args, axes=None, module=None, **kwargs: flax.learned(module, name, args[0] if args else None)",
    "linen.scan_with_axes": "lambda target, *args, axis_name=None, axes_collections=None, **kwargs: flax.linen.scan(target, *args, **kwargs)",
    "linen.vmap_with_axes": "lambda target, *args, **kwargs: flax.linen.vmap(target)",
    "linen.scan": _SCAN,
    "linen.vmap": "lambda target, *args, **kwargs: (lambda *inner, **more: flax.linen.Mapped(target, inner, more))",
    **{f"linen.{name}": _AROUND for name in ("remat", "checkpoint", "jit", "named_call", "add_metadata_axis", "remat_scan.plain")},
    **{f"linen.{name}": _FIRST for name in ("with_partitioning", "with_logical_partitioning", "with_logical_constraint", "with_sharding_constraint", "unbox", "meta.unbox")},
    "linen.Einsum": "lambda shape, einsum_str=None, use_bias=True, **kwargs: (lambda inputs, equation=None: op.opaque(inputs, name='flax.linen.Einsum'))",
    # ---- nnx
    "nnx.Param": "lambda value=None, **kwargs: flax.parameter(value)",
    **{f"nnx.{name}": _FIRST for name in ("BatchStat", "Cache", "Variable", "Intermediate", "data", "static", "with_partitioning", "with_metadata", "to_flat_state")},
    "nnx.Rngs": "lambda *args, **kwargs: unknown('random keys')",
    "nnx.RngStream": "lambda *args, **kwargs: unknown('random keys')",
    "nnx.split_rngs": "lambda *args, **kwargs: (lambda found: found)",
    **{f"nnx.{name}": _AROUND for name in ("jit", "remat", "checkpoint", "named_scope")},
    "nnx.dot_product_attention": "lambda *args, **kwargs: jax.flax.attention(*args, **kwargs)",
    "nnx.make_causal_mask": "lambda x, **kwargs: flax.linen.make_causal_mask(x)",
    "nnx.make_attention_mask": "lambda *args, **kwargs: flax.linen.make_attention_mask(*args, **kwargs)",
    "nnx.combine_masks": "lambda *masks, dtype=None: flax.linen.combine_masks(*masks)",
    "nnx.max_pool": _POOL.format(mode="max"),
    "nnx.avg_pool": _POOL.format(mode="mean"),
    "nnx.first_from": "lambda *args, error_msg=None: next((arg for arg in args if arg is not None), None)",
    # ---- the library's own
    "struct.field": "lambda pytree_node=True, default=None, **kwargs: default",
    "core.freeze": _FIRST,
    "core.unfreeze": _FIRST,
    "core.FrozenDict": "lambda *args, **kwargs: dict(*args, **kwargs)",
    "traverse_util.flatten_dict": _FIRST,
    "traverse_util.unflatten_dict": _FIRST,
}  # fmt: skip

_FOLDERS = ("module", "linear", "attention", "normalization", "stochastic", "combinators", "activation", "transforms", "recurrent", "pooling", "partitioning", "spmd")
_OF_JAX = (*ACTIVATIONS, "softmax", "log_softmax", "one_hot", "logsumexp", "standardize")
FLAX = Dialect(
    name="flax",
    transparent=("flax.linen.compact", "flax.linen.nowrap", "flax.linen.jit", "flax.linen.remat", "flax.linen.checkpoint", "flax.linen.named_call", "flax.struct.dataclass", "flax.nnx.jit", "flax.nnx.remat", "flax.nnx.dataclass", "flax.nnx.split_rngs"),
    layers={**{f"flax.linen.{name}": row for name, row in _LINEN.items()}, **{f"flax.nnx.{name}": row for name, row in _NNX.items()}},
    classes=CLASSES,
    formulas={"flax." + name: Formula(source) for name, source in _FORMULAS.items()},
    aliases={
        "flax.nn.": "flax.linen.",
        **{f"flax.linen.{folder}.": "flax.linen." for folder in _FOLDERS},
        **{f"flax.nnx.nn.{folder}.": "flax.nnx." for folder in ("linear", "attention", "normalization", "stochastic", "activations", "dtypes", "lora", "recurrent")},
        **{f"flax.nnx.{folder}.": "flax.nnx." for folder in ("module", "rnglib", "helpers", "variablelib", "statelib", "graph")},
        **{f"flax.{where}.{name}": f"jax.nn.{name}" for where in ("linen", "nnx") for name in _OF_JAX},
        "flax.experimental.nnx.": "flax.nnx.",
        "flax.core.frozen_dict.": "flax.core.",
        "flax.linen.initializers.": "jax.nn.initializers.",
        "flax.nnx.initializers.": "jax.nn.initializers.",
        "flax.core.lift.": "flax.linen.",
        "flax.core.nn.": "flax.linen.",
    },
    bases=dict.fromkeys(("flax.linen.Module", "flax.linen.ModuleBase", "flax.nnx.Module", "flax.nnx.ModuleBase"), ("__call__",)),
    containers={"flax.linen.Sequential": "sequential", "flax.nnx.Sequential": "sequential", "flax.nnx.List": "sequence", "flax.nnx.Dict": "mapping"},
    numbered=True,
    late=("setup",),
    trains={"train": True, "training": True, "is_training": True, "enable_dropout": True, "deterministic": False, "use_running_average": False},
    ignored=("flax.logging.", "flax.config."),
    module_metadata=frozenset({"dtype", "param_dtype", "precision", "scope", "variables", "path"}),
    readable=(),
)  # fmt: skip
