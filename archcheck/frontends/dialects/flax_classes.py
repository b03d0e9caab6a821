"""Flax's classes whose insides matter to code that extends, scans or looks into them, spelled in Python.

Names of fields and methods are those of flax 0.12. A `DenseGeneral` is a linear map of flattened axes: the same numbers.
"""

from __future__ import annotations

# what modules of linen have: learned tensors and parts go by their names, the same in every call
_MODULE = """
class Module(flax.linen.ModuleBase):
    name = None
    parent = None

    def param(self, name, init_fn=None, *init_args, unbox=True, **init_kwargs):
        return flax.learned(self, name, init_args[0] if init_args else init_kwargs.get("shape"))

    def variable(self, col, name, init_fn=None, *init_args, **init_kwargs):
        if col == "params":
            return flax.linen.Variable(self.param(name, init_fn, *init_args))
        return flax.linen.Variable(init_fn(*init_args, **init_kwargs) if init_fn is not None else unknown("a variable that is not learned"))

    def get_variable(self, col, name, default=None):
        return self.param(name) if col == "params" else unknown("a variable that is not learned")

    def put_variable(self, col, name, value):
        pass

    def has_variable(self, col, name):
        return False

    def has_rng(self, name):
        return True

    def make_rng(self, name="params"):
        return unknown("a random key")

    def is_initializing(self):
        return False

    def is_mutable_collection(self, col):
        return False

    def sow(self, col, name, value, *args, **kwargs):
        return False

    def perturb(self, name, value, collection="perturbations"):
        return value

    def bind(self, variables, *args, **kwargs):
        return self

    @property
    def variables(self):
        return flax.linen.Weights(self)

    def init(self, rngs, *args, method=None, **kwargs):
        return {"params": unknown("the learned tensors of a module")}

    def init_with_output(self, rngs, *args, method=None, **kwargs):
        return self.apply({}, *args, method=method, **kwargs), self.init(rngs)

    def apply(self, variables, *args, rngs=None, method=None, mutable=False, capture_intermediates=False, **kwargs):
        if method is None:
            found = self(*args, **kwargs)
        elif isinstance(method, str):
            found = getattr(self, method)(*args, **kwargs)
        else:
            found = method(self, *args, **kwargs)
        return (found, {}) if mutable else found
"""

_VARIABLE = """
class Variable:
    def __init__(self, value):
        self.value = value
"""

# `module.variables["params"]["embed"]["embedding"]`
_WEIGHTS = """
class Weights:
    def __init__(self, module):
        self.module = module

    def __getitem__(self, name):
        return self if name == "params" else flax.weight(self.module, name)
"""

_DENSE_GENERAL = """
class DenseGeneral(flax.linen.Module):
    features: Any
    axis: Any = -1
    batch_dims: Any = ()
    use_bias: bool = True
    dtype: Any = None
    param_dtype: Any = None
    kernel_init: Any = None
    bias_init: Any = None
    precision: Any = None
    promote_dtype: Any = None
    dot_general: Any = None
    dot_general_cls: Any = None

    def __call__(self, inputs):
        features = tuple(self.features) if isinstance(self.features, (tuple, list)) else (self.features,)
        axis = tuple(self.axis) if isinstance(self.axis, (tuple, list)) else (self.axis,)
        if self.batch_dims or axis != tuple(range(-len(axis), 0)):
            return op.opaque(inputs, name="DenseGeneral", why="it maps axes that are not the last, or keeps axes apart")
        x = inputs if len(axis) == 1 else op.reshape(inputs, form="flatten", axis=-len(axis), end=-1)
        x = op.linear(x, out_features=features[0] if len(features) == 1 else math.prod(features), bias=self.use_bias)
        return x if len(features) == 1 else x.reshape((*x.shape[:-1], *features))
"""

_CONV = """
class Conv(flax.linen.Module):
    features: int
    kernel_size: Any
    strides: Any = 1
    padding: Any = "SAME"
    input_dilation: Any = 1
    kernel_dilation: Any = 1
    feature_group_count: int = 1
    use_bias: bool = True
    mask: Any = None
    dtype: Any = None
    param_dtype: Any = None
    precision: Any = None
    kernel_init: Any = None
    bias_init: Any = None

    def __call__(self, inputs):
        if self.input_dilation != 1 or self.mask is not None:
            return op.opaque(inputs, name="Conv", why="its input is spread, or its kernel masked")
        kernel = flax.kernel(self.kernel_size)
        padding = flax.padding(self.padding, kernel, self.strides, self.kernel_dilation)
        return op.conv(inputs, out_features=self.features, kernel=kernel, stride=1 if self.strides is None else self.strides, padding=padding, padding_mode="circular" if padding == "circular" else "zeros", dilation=self.kernel_dilation, groups=self.feature_group_count, bias=self.use_bias, axes=len(kernel), channels_last=True)
"""

_CONV_TRANSPOSE = """
class ConvTranspose(flax.linen.Module):
    features: int
    kernel_size: Any
    strides: Any = None
    padding: Any = "SAME"
    kernel_dilation: Any = None
    use_bias: bool = True
    mask: Any = None
    dtype: Any = None
    param_dtype: Any = None
    precision: Any = None
    kernel_init: Any = None
    bias_init: Any = None
    transpose_kernel: bool = False

    def __call__(self, inputs):
        kernel = flax.kernel(self.kernel_size)
        return op.conv_transpose(inputs, out_features=self.features, kernel=kernel, stride=self.strides or 1, padding=flax.grown(self.padding, kernel, self.strides), padding_mode="zeros", dilation=self.kernel_dilation or 1, groups=1, bias=self.use_bias, axes=len(kernel), channels_last=True)
"""

# query [batch, q, h, d], key and value [batch, k, h, d]
_ATTENTION = """
class MultiHeadDotProductAttention(flax.linen.Module):
    num_heads: int
    dtype: Any = None
    param_dtype: Any = None
    qkv_features: Any = None
    out_features: Any = None
    broadcast_dropout: bool = True
    dropout_rate: float = 0.0
    deterministic: Any = None
    precision: Any = None
    kernel_init: Any = None
    out_kernel_init: Any = None
    bias_init: Any = None
    out_bias_init: Any = None
    use_bias: bool = True
    attention_fn: Any = None
    decode: bool = False
    normalize_qk: bool = False
    qkv_dot_general: Any = None
    out_dot_general: Any = None

    def __call__(self, inputs_q, inputs_k=None, inputs_v=None, *, inputs_kv=None, mask=None, deterministic=None, dropout_rng=None, sow_weights=False):
        key = inputs_kv if inputs_kv is not None else inputs_k if inputs_k is not None else inputs_q
        value = inputs_v if inputs_v is not None else key
        width = self.qkv_features or inputs_q.shape[-1]
        def projected(name):
            return flax.linen.DenseGeneral((self.num_heads, width // self.num_heads), use_bias=self.use_bias, name=name)
        q, k, v = projected("query")(inputs_q), projected("key")(key), projected("value")(value)
        if self.normalize_qk:
            q, k = flax.linen.LayerNorm(name="query_ln", use_bias=False)(q), flax.linen.LayerNorm(name="key_ln", use_bias=False)(k)
        still = self.deterministic if deterministic is None else deterministic
        attend = flax.linen.dot_product_attention if self.attention_fn is None else self.attention_fn
        x = attend(q, k, v, mask=mask, dropout_rate=self.dropout_rate, deterministic=still)
        return flax.linen.DenseGeneral(self.out_features or inputs_q.shape[-1], axis=(-2, -1), use_bias=self.use_bias, name="out")(x)
"""

# nn.scan over layers: as many modules, each with weights of its own, each fed with what the one before gave
_LAYERS = """
class Layers(flax.linen.Module):
    def __init__(self, target, length, split, in_axes, out_axes, args, kwargs):
        kwargs = {key: value for key, value in kwargs.items() if key != "name"}
        self.layers = [target(*args, **kwargs) for _ in range(length)] if split else [target(*args, **kwargs)] * 1
        self.split = split
        self.in_axes = in_axes

    def __call__(self, carry, *args, **kwargs):
        axes = self.in_axes if isinstance(self.in_axes, (tuple, list)) else (self.in_axes,) * len(args)
        if not self.split:
            return op.opaque(carry, *args, name="nn.scan", why="the same weights are used at each step of a sequence"), None
        given = []
        for at, layer in enumerate(self.layers):
            passed = [flax.entry(arg, axis, at) for arg, axis in zip(args, axes)]
            found = layer(carry, *passed, **kwargs)
            carry = found[0]
            given.append(found[1])
        return carry, given if any(one is not None for one in given) else None
"""

_MAPPED = """
class Mapped(flax.linen.Module):
    def __init__(self, target, args, kwargs):
        self.target = target

    def __call__(self, *args, **kwargs):
        return op.opaque(*args, name="nn.vmap", why="a module is mapped over an axis of its input")
"""

_NNX_LINEAR_GENERAL = """
class LinearGeneral(flax.nnx.Module):
    def __init__(self, in_features, out_features, *, axis=-1, batch_axis=None, use_bias=True, **kwargs):
        self.features = tuple(out_features) if isinstance(out_features, (tuple, list)) else (out_features,)
        self.read = tuple(in_features) if isinstance(in_features, (tuple, list)) else (in_features,)
        self.axis = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
        self.map = flax.nnx.Linear(math.prod(self.read), math.prod(self.features), use_bias=use_bias)
        self.batch_axis = batch_axis

    def __call__(self, inputs):
        if self.batch_axis or self.axis != tuple(range(-len(self.axis), 0)):
            return op.opaque(inputs, name="LinearGeneral", why="it maps axes that are not the last, or keeps axes apart")
        x = inputs if len(self.axis) == 1 else op.reshape(inputs, form="flatten", axis=-len(self.axis), end=-1)
        x = self.map(x)
        return x if len(self.features) == 1 else x.reshape((*x.shape[:-1], *self.features))
"""

_NNX_ATTENTION = """
class MultiHeadAttention(flax.nnx.Module):
    def __init__(self, num_heads, in_features, qkv_features=None, out_features=None, in_kv_features=None, *, broadcast_dropout=True, dropout_rate=0.0, deterministic=None, use_bias=True, attention_fn=None, normalize_qk=False, **kwargs):
        width = in_features if qkv_features is None else qkv_features
        heads = (num_heads, width // num_heads)
        keys = in_features if in_kv_features is None else in_kv_features
        self.query = flax.nnx.LinearGeneral(in_features, heads, use_bias=use_bias)
        self.key, self.value = flax.nnx.LinearGeneral(keys, heads, use_bias=use_bias), flax.nnx.LinearGeneral(keys, heads, use_bias=use_bias)
        self.out = flax.nnx.LinearGeneral(heads, in_features if out_features is None else out_features, axis=(-2, -1), use_bias=use_bias)
        self.query_ln = flax.nnx.LayerNorm(heads[1], use_bias=False) if normalize_qk else None
        self.key_ln = flax.nnx.LayerNorm(heads[1], use_bias=False) if normalize_qk else None
        self.attention_fn, self.dropout_rate, self.deterministic = attention_fn, dropout_rate, deterministic

    def __call__(self, inputs_q, inputs_k=None, inputs_v=None, *, mask=None, deterministic=None, rngs=None, sow_weights=False, decode=None):
        key = inputs_q if inputs_k is None else inputs_k
        value = key if inputs_v is None else inputs_v
        q, k, v = self.query(inputs_q), self.key(key), self.value(value)
        if self.query_ln is not None:
            q, k = self.query_ln(q), self.key_ln(k)
        still = self.deterministic if deterministic is None else deterministic
        attend = flax.nnx.dot_product_attention if self.attention_fn is None else self.attention_fn
        return self.out(attend(q, k, v, mask=mask, dropout_rate=self.dropout_rate, deterministic=still))
"""

_NNX_CONV = """
class Conv(flax.nnx.Module):
    def __init__(self, in_features, out_features, kernel_size, strides=1, *, padding="SAME", input_dilation=1, kernel_dilation=1, feature_group_count=1, use_bias=True, mask=None, **kwargs):
        self.in_features, self.out_features = in_features, out_features
        self.kernel_size = flax.kernel(kernel_size)
        self.strides, self.padding = strides, flax.padding(padding, flax.kernel(kernel_size), strides, kernel_dilation)
        self.kernel_dilation, self.feature_group_count, self.use_bias = kernel_dilation, feature_group_count, use_bias
        self.plain = input_dilation == 1 and mask is None

    def __call__(self, inputs):
        if not self.plain:
            return op.opaque(inputs, name="Conv", why="its input is spread, or its kernel masked")
        return op.conv(inputs, in_features=self.in_features, out_features=self.out_features, kernel=self.kernel_size, stride=1 if self.strides is None else self.strides, padding=self.padding, padding_mode="circular" if self.padding == "circular" else "zeros", dilation=self.kernel_dilation, groups=self.feature_group_count, bias=self.use_bias, axes=len(self.kernel_size), channels_last=True)
"""

_NNX_CONV_TRANSPOSE = """
class ConvTranspose(flax.nnx.Module):
    def __init__(self, in_features, out_features, kernel_size, strides=None, *, padding="SAME", kernel_dilation=None, use_bias=True, **kwargs):
        self.in_features, self.out_features = in_features, out_features
        self.kernel_size = flax.kernel(kernel_size)
        self.strides, self.padding, self.kernel_dilation, self.use_bias = strides or 1, flax.grown(padding, self.kernel_size, strides), kernel_dilation or 1, use_bias

    def __call__(self, inputs):
        return op.conv_transpose(inputs, in_features=self.in_features, out_features=self.out_features, kernel=self.kernel_size, stride=self.strides, padding=self.padding, padding_mode="zeros", dilation=self.kernel_dilation, groups=1, bias=self.use_bias, axes=len(self.kernel_size), channels_last=True)
"""

_NNX_MODULE = """
class Module(flax.nnx.ModuleBase):
    def sow(self, variable_type, name, value, *args, **kwargs):
        return False

    def perturb(self, name, value, *args, **kwargs):
        return value

    def iter_children(self):
        return ()
"""

CLASSES: dict[str, str] = {
    "flax.linen.Module": _MODULE,
    "flax.linen.Variable": _VARIABLE,
    "flax.linen.Weights": _WEIGHTS,
    "flax.linen.DenseGeneral": _DENSE_GENERAL,
    "flax.linen.Conv": _CONV,
    "flax.linen.ConvTranspose": _CONV_TRANSPOSE,
    "flax.linen.MultiHeadDotProductAttention": _ATTENTION,
    "flax.linen.Layers": _LAYERS,
    "flax.linen.Mapped": _MAPPED,
    "flax.nnx.Module": _NNX_MODULE,
    "flax.nnx.LinearGeneral": _NNX_LINEAR_GENERAL,
    "flax.nnx.MultiHeadAttention": _NNX_ATTENTION,
    "flax.nnx.Conv": _NNX_CONV,
    "flax.nnx.ConvTranspose": _NNX_CONV_TRANSPOSE,
}
