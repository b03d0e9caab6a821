"""What no single row of JAX can say, spelled in Python: transforms of functions, einsums, convolutions with dimension numbers."""

from __future__ import annotations

from archcheck.frontends.dialects.table import Formula

# of a function, or of the settings behind which a function comes
_AROUND = "lambda fun=None, *args, **kwargs: (lambda found: found) if fun is None else fun"
_ARANGE = "lambda start, stop=None, step=1: op.constant(value='arange', start=0 if stop is None else start, end=start if stop is None else stop, step=step)"
_PERMUTE = "lambda a, *axes: op.permute(a, axes='reversed' if not axes or axes[0] is None else tuple(axes[0]) if isinstance(axes[0], (tuple, list)) else axes)"
_TRIL = "lambda N, M=None, k=0: op.triangle(op.constant(value=1, shape=(N, N if M is None else M)), upper=False, diagonal=k)"

# softmax over keys of scores [..., h, q, k], for query and key [..., length, h, d]
_WEIGHTS = (
    "(lambda scores: jax.nn.dropout(jax.nn.softmax(scores if mask is None else jax.numpy.where(mask, scores, -1e10)), dropout_rate, deterministic))"
    "((lambda found: found if bias is None else found + bias)(jax.numpy.einsum('...qhd,...khd->...hqk', query / math.sqrt(query.shape[-1]), key)))"
)
_ATTENTION = "bias=None, mask=None, broadcast_dropout=True, dropout_rng=None, dropout_rate=0.0, deterministic=False, dtype=None, precision=None, module=None, **kwargs"

_SPELLED: dict[str, str] = {
    # ---- jax
    **dict.fromkeys(("jit", "checkpoint", "remat", "named_call", "custom_vjp", "custom_jvp", "pmap", "ad_checkpoint.checkpoint", "experimental.pjit.pjit"), _AROUND),
    "named_scope": "lambda name: None",
    "eval_shape": "lambda fun, *args, **kwargs: fun(*args, **kwargs)",
    "device_put": "lambda x, *args, **kwargs: x",
    "ad_checkpoint.checkpoint_name": "lambda x, name=None: x",
    "default_backend": "lambda: unknown('the machine')",
    # ---- jax.numpy
    "numpy.einsum": "lambda subscripts, *operands, precision=None, preferred_element_type=None, optimize=None, **kwargs: op.einsum(*operands, equation=subscripts.replace(' ', '') if isinstance(subscripts, str) else subscripts)",
    "numpy.arange": _ARANGE,
    **dict.fromkeys(("numpy.array", "numpy.asarray"), "lambda a=None, dtype=None, copy=True, *, object=None, **kwargs: jax.of_data(object if a is None else a)"),
    "of_data": "lambda data: op.identity(data) if isinstance(data, jax.Array) else data if isinstance(data, (int, float)) else op.constant(value=data)",
    "numpy.float32": "lambda x=0: x", "numpy.bfloat16": "lambda x=0: x", "numpy.int32": "lambda x=0: x",
    "numpy.shape": "lambda a: a.shape",
    "numpy.ndim": "lambda a: a.ndim",
    "numpy.transpose": "lambda a, axes=None: op.permute(a, axes='reversed' if axes is None else tuple(axes))",
    "numpy.matrix_transpose": "lambda x: op.permute(x, axis=-2, other_axis=-1)",
    "numpy.rollaxis": "lambda a, axis, start=0: op.permute(a, source=axis, destination=start)",
    "numpy.atleast_1d": "lambda x: x",
    "numpy.atleast_2d": "lambda x: x",  # of what a model computes with
    "numpy.hstack": "lambda tup: op.concat(*tup, axis=1)",
    "numpy.vstack": "lambda tup: op.concat(*tup, axis=0)",
    "numpy.tri": _TRIL,
    "numpy.clip": "lambda a=None, a_min=None, a_max=None, **kwargs: op.clamp(a, min=a_min, max=a_max)",
    "numpy.array_split": "lambda ary, indices_or_sections, axis=0: jax.numpy.split(ary, indices_or_sections, axis)",
    "numpy.identity": "lambda n, dtype=None: jax.numpy.eye(n)",
    "numpy.vectorize": "lambda pyfunc, **kwargs: (lambda *args: op.opaque(*args, name='jax.numpy.vectorize'))",
    "numpy.var": "lambda a, *args, **kwargs: op.opaque(a, name='jax.numpy.var')",
    "numpy.finfo": "lambda dtype: named(min=-3.4028235e38, max=3.4028235e38, eps=1.1920929e-07, tiny=1.1754944e-38)",
    "numpy.iinfo": "lambda dtype: named(min=-2147483648, max=2147483647)",
    "numpy.issubdtype": "lambda *args: unknown('a dtype')",
    "numpy.promote_types": "lambda *args: None",
    "numpy.result_type": "lambda *args: None",
    "numpy.dtype": "lambda *args: None",
    # ---- jax.nn
    "nn.dropout": "lambda x, rate, deterministic: x if deterministic is True else op.dropout(x, p=rate)",  # of a formula here
    # what equations say that several public functions give (trace/jax_child/telling.py)
    "nn.dropped": "lambda x, rate, axes=None: op.dropout(x, p=rate, axes=axes)",
    "nn.rows": "lambda table, ids: op.embedding(table, ids)",
    "nn.windows": "lambda x, weight, **told: op.conv(x, weight, axes=len(told['kernel']), channels_last=True, kernel=flax.one(told['kernel']), stride=flax.one(told['stride']), dilation=flax.one(told['dilation']), padding=flax.padding(told['padding']), groups=told['groups'], in_features=told['in_features'], out_features=told['out_features'])",
    "nn.windows_transposed": "lambda x, weight, **told: op.conv_transpose(x, weight, axes=len(told['kernel']), channels_last=True, kernel=flax.one(told['kernel']), stride=flax.one(told['stride']), dilation=1, groups=1, padding=unknown('its sides are cut differently') if told['padding'] is None else flax.one(told['padding']), in_features=told['in_features'], out_features=told['out_features'])",
    "nn.general": (
        "lambda x, w, b=None, inside=1, outside=(), in_features=None, out_features=None: "
        "(lambda found: found if len(outside) == 1 else op.reshape(found, shape=(*found.shape[:-1], *outside)))"
        "(op.linear(x if inside == 1 else op.reshape(x, form='flatten', axis=-inside, end=-1), w, *([] if b is None else [b]), in_features=in_features, out_features=out_features, bias=b is not None))"
    ),
    "nn.batch_norm": "lambda x, *learned, eps, scaled, shifted, dim: op.batch_norm(x, *learned, eps=eps, elementwise_affine=scaled, bias=shifted, axis=-1, dim=dim, momentum=unknown('the equations do not tell how fast its statistics run'))",
    "nn.upper": "lambda rows, columns, k=0: op.triangle(op.constant(value=1, shape=(rows, columns)), upper=True, diagonal=k)",
    "constant": "lambda: op.constant(value=unknown('it is a constant of many numbers'))",
    "nn.standardize": "lambda x, axis=-1, mean=None, variance=None, epsilon=1e-05, where=None: (lambda mean, variance: (x - mean) * jax.lax.rsqrt(variance + epsilon))(op.mean(x, axis=axis, keepdim=True) if mean is None else mean, op.var(x, axis=axis, correction=0, keepdim=True) if variance is None else variance)",
    "nn.squareplus": "lambda x, b=4: (x + jax.numpy.sqrt(jax.numpy.square(x) + b)) / 2",
    "nn.sparse_plus": "lambda x: op.opaque(x, name='jax.nn.sparse_plus')",
    "nn.dot_product_attention": "lambda query, key, value, bias=None, mask=None, *, scale=None, is_causal=False, query_seq_lengths=None, key_value_seq_lengths=None, local_window_size=None, implementation=None, return_residual=False: op.attention(query, key, value, *[part for part in (bias, mask) if part is not None], scale=scale, causal=is_causal, window=local_window_size if isinstance(local_window_size, int) else None, layout='b s h d')",
    # ---- jax.lax
    "lax.reduce_mean": "lambda x, axes: op.mean(x, axis=axes)",
    "lax.iota": "lambda dtype, size: op.constant(value='arange', start=0, end=size)",
    "lax.dynamic_update_slice_in_dim": "lambda operand, update, start_index, axis: op.update(operand, update, axis=axis)",
    "lax.dynamic_index_in_dim": "lambda operand, index, axis=0, keepdims=True: op.select(operand, axis=axis, index=index)",
    "lax.slice_in_dim": "lambda operand, start_index, limit_index, stride=1, axis=0: op.select(operand, axis=axis, index=slice(start_index, limit_index, stride))",
    "lax.switch": "lambda index, branches, *operands, **kwargs: branches[index](*operands)",
    "lax.dot": "lambda lhs, rhs, **kwargs: op.matmul(lhs, rhs)",
    "lax.associative_scan": "lambda fn, elems, *args, **kwargs: op.opaque(elems, name='jax.lax.associative_scan')",
    "lax.conv_general_dilated": "lambda lhs, rhs, window_strides, padding, lhs_dilation=None, rhs_dilation=None, dimension_numbers=None, feature_group_count=1, batch_group_count=1, precision=None, preferred_element_type=None: op.conv(lhs, rhs, axes=len(window_strides), stride=window_strides, padding=flax.padding(padding), dilation=rhs_dilation, groups=feature_group_count, channels_last=dimension_numbers is not None and dimension_numbers[0][-1] == 'C') if lhs_dilation is None and (dimension_numbers is None or isinstance(dimension_numbers, (tuple, list))) else op.opaque(lhs, rhs, name='jax.lax.conv_general_dilated')",
    "lax.conv": "lambda lhs, rhs, window_strides, padding, **kwargs: op.conv(lhs, rhs, axes=len(window_strides), stride=window_strides, padding=padding.lower() if isinstance(padding, str) else padding, channels_last=False)",
    "lax.reduce_window": "lambda operand, *args, **kwargs: op.opaque(operand, name='jax.lax.reduce_window')",
    # ---- jax.random
    **{f"random.{name}": "lambda *args, **kwargs: unknown('a random key')" for name in ("PRNGKey", "key", "split", "fold_in", "clone")},
    # ---- attention of flax
    "flax.attention_weights": f"lambda query, key, {_ATTENTION}: {_WEIGHTS}",
    "flax.attention": f"lambda query, key, value, {_ATTENTION}: jax.numpy.einsum('...hqk,...khd->...qhd', {_WEIGHTS}, value)",
    # ---- trees
    **{f"tree.{name}": "lambda f, tree, *rest, **kwargs: f(tree, *rest) if not isinstance(tree, (dict, list, tuple)) else type(tree)(f(part) for part in tree) if type(tree) in (list, tuple) else type(tree)(*[f(part) for part in tree]) if isinstance(tree, (list, tuple)) else {key: f(part) for key, part in tree.items()}" for name in ("map",)},
}

FORMULAS: dict[str, Formula] = {"jax." + name: Formula(source) for name, source in _SPELLED.items()}
METHOD_FORMULAS: dict[str, Formula] = {
    "transpose": Formula(_PERMUTE),
    "split": Formula("lambda a, indices_or_sections, axis=0: jax.numpy.split(a, indices_or_sections, axis)"),
    "reshape": Formula("lambda a, *shape, order='C': op.opaque(a, name='reshape')"),
}
