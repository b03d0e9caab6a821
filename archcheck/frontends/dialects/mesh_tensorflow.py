"""mesh-tensorflow: tensors whose axes have names. An op finds its axes by name, and each is told here by its number.

A dimension is a pair of a name and a size. A tensor of mesh-tensorflow is an object around a tensor of TensorFlow; an axis of
that one which a reduction has left with one entry has no name, and stands where it stood, as `keepdims` would leave it.
Names are those of mesh-tensorflow 0.1.21.
"""

from __future__ import annotations

from archcheck.frontends.dialects.table import Dialect, Formula

_SHAPE = """
class Shape:
    def __init__(self, dims):
        self.dims = [mesh_tensorflow.dimension(one) for one in dims]

    @property
    def ndims(self):
        return len(self.dims)

    @property
    def to_integer_list(self):
        return [one.size for one in self.dims]

    @property
    def size(self):
        found = 1
        for one in self.dims:
            found = found * one.size
        return found

    @property
    def dimension_names(self):
        return [one.name for one in self.dims]

    def __len__(self):
        return len(self.dims)

    def __iter__(self):
        return iter(self.dims)

    def __getitem__(self, key):
        return self.dims[key]

    def __contains__(self, one):
        return one in self.dims

    def __eq__(self, other):
        return self.dims == mesh_tensorflow.dims(other)

    def __ne__(self, other):
        return self.dims != mesh_tensorflow.dims(other)

    def __add__(self, other):
        return mesh_tensorflow.Shape(self.dims + mesh_tensorflow.dims(other))

    def __sub__(self, other):
        if other is None:
            return self
        left_out = mesh_tensorflow.dims(other)
        return mesh_tensorflow.Shape([one for one in self.dims if one not in left_out])

    def rename_dimension(self, old_name, new_name):
        return mesh_tensorflow.Shape([mesh_tensorflow.Dimension(new_name if one.name == old_name else one.name, one.size) for one in self.dims])

    def resize_dimension(self, name, new_size):
        return mesh_tensorflow.Shape([mesh_tensorflow.Dimension(name, new_size) if one.name == name else one for one in self.dims])

    def get_dim_by_name(self, name):
        for one in self.dims:
            if one.name == name:
                return one
        raise ValueError("Dimension " + name + " not found")
"""

# `axes` has a dimension or None for each axis of `value`.
_TENSOR = """
class Tensor:
    def __init__(self, value, axes, dtype=None):
        self.value, self.axes, self.dtype = value, axes, dtype
        self.mesh = None
        self.shape = mesh_tensorflow.Shape([one for one in axes if one is not None])

    def at(self, dim):
        return self.axes.index(dim)

    def like(self, value):
        return mesh_tensorflow.Tensor(value, self.axes, self.dtype)

    def plain(self):
        left = [at for at, one in enumerate(self.axes) if one is None]
        if not left:
            return self
        return mesh_tensorflow.Tensor(tensorflow.squeeze(self.value, left), self.shape.dims, self.dtype)

    def ordered(self, dims):
        # the axes in this order; a new one behind the first of its own has one entry, and those before are left out
        inner = self.plain()
        kept = [one for one in dims if one in inner.axes]
        value = inner.value
        if kept != inner.axes:
            value = tensorflow.transpose(value, [inner.at(one) for one in kept])
        axes = dims[dims.index(kept[0]) :] if kept else []
        for at, one in enumerate(axes):
            if one not in kept:
                value = tensorflow.expand_dims(value, at)
        return mesh_tensorflow.Tensor(value, [one if one in kept else None for one in axes], self.dtype)

    def beside(self, other, output_shape=None):
        # both with axes that broadcast as TensorFlow's do, and the axes of what is computed from them
        if output_shape is None and len(self.axes) == len(other.axes) and all(one == two or one is None or two is None for one, two in zip(self.axes, other.axes)):
            return self, other, [two if one is None else one for one, two in zip(self.axes, other.axes)]
        own, others = self.shape.dims, other.shape.dims
        if output_shape is not None:
            dims = mesh_tensorflow.dims(output_shape)
        elif [one for one in others if one in own] == own:
            dims = others
        elif [one for one in own if one in others] == others:
            dims = own
        else:
            dims = own + [one for one in others if one not in own]
        if dims == own and self.axes[len(self.axes) - len(others) :] == others:
            return self, other.plain(), self.axes
        if dims == others and other.axes[len(other.axes) - len(own) :] == own:
            return self.plain(), other, other.axes
        return self.ordered(dims), other.ordered(dims), dims

    def by(self, function, other, output_shape=None):
        if isinstance(other, mesh_tensorflow.Tensor):
            one, two, axes = self.beside(other, output_shape)
            return mesh_tensorflow.Tensor(function(one.value, two.value), axes, self.dtype)
        return self.like(function(self.value, other))

    def reduced(self, function, reduced_dim, output_shape):
        if reduced_dim is None and output_shape is None:
            return mesh_tensorflow.Tensor(function(self.value), [], self.dtype)
        left = [reduced_dim] if output_shape is None else [one for one in self.shape.dims if one not in mesh_tensorflow.dims(output_shape)]
        if not left:
            return self
        found = mesh_tensorflow.Tensor(function(self.value, axis=tuple(self.at(one) - len(self.axes) for one in left) if len(left) > 1 else self.at(left[0]) - len(self.axes), keepdims=True), [None if one in left else one for one in self.axes], self.dtype)
        return found if output_shape is None or found.shape.dims == mesh_tensorflow.dims(output_shape) else found.ordered(mesh_tensorflow.dims(output_shape))

    def renamed(self, dims):
        # the same entries under other axes, in the order in which they stand
        inner = self.plain()
        if inner.axes == dims:
            return inner
        sizes = [one.size for one in dims]
        if [one.size for one in inner.axes] == sizes:
            return mesh_tensorflow.Tensor(inner.value, dims, self.dtype)
        return mesh_tensorflow.Tensor(tensorflow.reshape(inner.value, sizes), dims, self.dtype)

    def part(self, begin, size, name):
        inner = self.plain()
        (axis,) = [at for at, one in enumerate(inner.axes) if one.name == name]
        dims = [mesh_tensorflow.Dimension(name, size) if one.name == name else one for one in inner.axes]
        if dims == inner.axes:
            return inner
        return mesh_tensorflow.Tensor(op.select(inner.value, axis=axis, start=begin, length=size), dims, self.dtype)

    def picked(self, indices, dim, output_shape):
        # rows of a table, its axis `dim` taken by the indices
        table, rows = self.plain(), indices.plain()
        at = table.at(dim)
        shared = [one for one in table.axes if one in rows.axes]
        if shared:
            return mesh_tensorflow.einsum([mesh_tensorflow.one_hot(indices, dim), self], output_shape=output_shape, reduced_dims=[dim])
        chosen = tensorflow.gather(table.value, rows.value, axis=at) if at or len(table.axes) != 2 else tensorflow.nn.embedding_lookup(table.value, rows.value)
        found = mesh_tensorflow.Tensor(chosen, table.axes[:at] + rows.axes + table.axes[at + 1 :], self.dtype)
        rest = [one for one in table.axes if one != dim]
        wanted = rows.axes + rest if output_shape is None else mesh_tensorflow.dims(output_shape)
        return found if found.axes == wanted else found.ordered(wanted)

    def __add__(self, other):
        if not isinstance(other, mesh_tensorflow.Tensor):
            return self.like(self.value + other)
        one, two, axes = self.beside(other)
        return mesh_tensorflow.Tensor(one.value + two.value, axes, self.dtype)

    def __radd__(self, other):
        return self.like(other + self.value)

    def __sub__(self, other):
        if not isinstance(other, mesh_tensorflow.Tensor):
            return self.like(self.value - other)
        one, two, axes = self.beside(other)
        return mesh_tensorflow.Tensor(one.value - two.value, axes, self.dtype)

    def __rsub__(self, other):
        return self.like(other - self.value)

    def __mul__(self, other):
        if not isinstance(other, mesh_tensorflow.Tensor):
            return self.like(self.value * other)
        one, two, axes = self.beside(other)
        return mesh_tensorflow.Tensor(one.value * two.value, axes, self.dtype)

    def __rmul__(self, other):
        return self.like(other * self.value)

    def __truediv__(self, other):
        if not isinstance(other, mesh_tensorflow.Tensor):
            return self.like(self.value / other)
        one, two, axes = self.beside(other)
        return mesh_tensorflow.Tensor(one.value / two.value, axes, self.dtype)

    def __rtruediv__(self, other):
        return self.like(other / self.value)

    def __floordiv__(self, other):
        if not isinstance(other, mesh_tensorflow.Tensor):
            return self.like(self.value // other)
        one, two, axes = self.beside(other)
        return mesh_tensorflow.Tensor(one.value // two.value, axes, self.dtype)

    def __mod__(self, other):
        if not isinstance(other, mesh_tensorflow.Tensor):
            return self.like(self.value % other)
        one, two, axes = self.beside(other)
        return mesh_tensorflow.Tensor(one.value % two.value, axes, self.dtype)

    def __neg__(self):
        return self.like(-self.value)
"""

# Functions that take several statements; an instance has nothing in it.
_NAMED = """
class Named:
    def __init__(self):
        pass

    def einsum(self, xs, output_shape, reduced_dims):
        xs = [one.plain() for one in xs]
        met = []
        for one in xs:
            met = met + [dim for dim in one.axes if dim not in met]
        if output_shape is not None:
            dims = mesh_tensorflow.dims(output_shape)
        else:
            if reduced_dims is None:
                reduced_dims = [dim for dim in met if len([one for one in xs if dim in one.axes]) > 1]
            dims = [dim for dim in met if dim not in reduced_dims]
        letters = "abcdefghijklmnopqrstuvwxyz"
        spelled = [("".join([letters[met.index(dim)] for dim in one.axes])) for one in xs]
        equation = ",".join(spelled) + "->" + "".join([letters[met.index(dim)] for dim in dims])
        if len(xs) == 1 and dims == xs[0].axes:
            return xs[0]
        if len(xs) == 1 and len(dims) == len(met):
            return xs[0].ordered(dims)
        return mesh_tensorflow.Tensor(tensorflow.einsum(equation, *[one.value for one in xs]), dims, xs[0].dtype)

    def dropout(self, x, is_training, keep_prob, rate, noise_shape):
        rate = round(1.0 - keep_prob, 12) if rate is None else rate
        if rate == 0 or not is_training:
            return x
        x = x.plain()
        shared = () if noise_shape is None else tuple([at - len(x.axes) for at, one in enumerate(x.axes) if one not in mesh_tensorflow.dims(noise_shape)])
        return x.like(op.dropout(x.value, p=rate, axes=shared or None))

    def replaced(self, given, old, new):
        old = old if isinstance(old, list) else [old]
        new = new if isinstance(new, list) else [new]
        dims = mesh_tensorflow.dims(given.shape if isinstance(given, mesh_tensorflow.Tensor) else given)
        at = dims.index(old[0])
        if dims[at : at + len(old)] != old:
            raise ValueError("old_dim_or_dims must be a subsequence of the input's dimensions")
        dims = dims[:at] + new + dims[at + len(old) :]
        return given.renamed(dims) if isinstance(given, mesh_tensorflow.Tensor) else mesh_tensorflow.Shape(dims)

    def shift(self, x, offset, dim, wrap):
        x = x.plain()
        axis = x.at(dim)
        if wrap:
            return x.like(tensorflow.roll(x.value, offset, axis))
        kept = op.select(x.value, axis=axis, start=max(-offset, 0), length=dim.size - abs(offset))
        return x.like(tensorflow.pad(kept, [[max(offset, 0), max(-offset, 0)] if at == axis else [0, 0] for at in range(len(x.axes))]))

    def split(self, x, split_dim, sections):
        x = x.plain()
        if isinstance(sections, int):
            sections = [split_dim.size // sections] * sections
        parts = tensorflow.split(x.value, sections, axis=x.at(split_dim))
        return [mesh_tensorflow.Tensor(part, [mesh_tensorflow.Dimension(split_dim.name, size) if one == split_dim else one for one in x.axes], x.dtype) for part, size in zip(parts, sections)]

    def concat(self, xs, name):
        xs = [one.plain() for one in xs]
        first = xs[0].axes
        (axis,) = [at for at, one in enumerate(first) if one.name == name]
        size = sum([one.axes[axis].size for one in xs])
        dims = [mesh_tensorflow.Dimension(name, size) if one.name == name else one for one in first]
        return mesh_tensorflow.Tensor(tensorflow.concat([one.value for one in xs], axis=axis), dims, xs[0].dtype)

    def stack(self, xs, name, axis):
        xs = [one.plain() for one in xs]
        dims = xs[0].axes[:axis] + [mesh_tensorflow.Dimension(name, len(xs))] + xs[0].axes[axis:]
        return mesh_tensorflow.Tensor(tensorflow.stack([one.value for one in xs], axis=axis), dims, xs[0].dtype)

    def add_n(self, xs):
        found = xs[0]
        for one in xs[1:]:
            found = found + one
        return found
"""

_UNARY = {
    **{name: f"tensorflow.{name}" for name in ("sin", "cos", "square", "sqrt", "rsqrt", "exp", "sigmoid", "tanh", "sign", "abs", "negative", "logical_not", "reciprocal", "stop_gradient")},
    **{name: f"tensorflow.nn.{name}" for name in ("relu", "elu", "selu", "softplus", "swish")},
    "log": "tensorflow.math.log",
    "mtf_abs": "tensorflow.abs",
}  # fmt: skip
_BINARY = {
    **{name: f"tensorflow.{name}" for name in ("less", "greater", "less_equal", "greater_equal", "equal", "not_equal", "logical_and", "logical_or", "floordiv", "mod", "minimum", "maximum", "add", "multiply", "divide", "pow")},
    "sub": "tensorflow.subtract",
    "mtf_pow": "tensorflow.pow",
}  # fmt: skip
_REDUCED = ("reduce_sum", "reduce_mean", "reduce_max", "reduce_min", "reduce_all", "reduce_any")

_FUNCTIONS = {
    **{name: f"lambda x, name=None: x.like({function}(x.value))" for name, function in _UNARY.items()},
    **{name: f"lambda x1, x2, output_shape=None, name=None: (x1 if isinstance(x1, mesh_tensorflow.Tensor) else mesh_tensorflow.constant(None, x1)).by({function}, x2, output_shape)" for name, function in _BINARY.items()},
    **{name: f"lambda x, disable_positional_args=None, output_shape=None, reduced_dim=None, name=None: x.reduced(tensorflow.{name}, reduced_dim, output_shape)" for name in _REDUCED},
    # with the tanh, ops.py
    "gelu": "lambda x: x.like(op.gelu(x.value, approximate='tanh'))",
    "squared_relu": "lambda x: x.like(tensorflow.square(tensorflow.nn.relu(x.value)))",
    "leaky_relu": "lambda x, alpha=0.2, name=None: x.like(tensorflow.nn.leaky_relu(x.value, alpha))",
    "identity": "lambda x, name=None: x",
    "cast": "lambda x, dtype, name=None: mesh_tensorflow.Tensor(tensorflow.cast(x.value, dtype), x.axes, dtype)",
    **{name: f"lambda x, name=None: mesh_tensorflow.Tensor(tensorflow.cast(x.value, tensorflow.{dtype}), x.axes, tensorflow.{dtype})" for name, dtype in (("to_float", "float32"), ("to_bfloat16", "bfloat16"), ("to_int32", "int32"))},
    "dimension": "lambda given: given if given is None or hasattr(given, 'size') else mesh_tensorflow.Dimension(given[0], given[1])",
    "dims": "lambda given: given.dims if isinstance(given, mesh_tensorflow.Shape) else [] if given is None else [given] if hasattr(given, 'size') else [mesh_tensorflow.dimension(one) for one in given]",
    "Dimension": "lambda name, size: named(name=name, size=size)",
    "convert_to_dimension": "lambda d: mesh_tensorflow.dimension(d)",
    "convert_to_shape": "lambda x: x if x is None or isinstance(x, mesh_tensorflow.Shape) else mesh_tensorflow.Shape(x)",
    "VariableDType": "lambda master_dtype=None, slice_dtype=None, activation_dtype=None: named(master_dtype=master_dtype, slice_dtype=slice_dtype, activation_dtype=activation_dtype or master_dtype)",
    "get_variable": "lambda mesh, name, shape, dtype=None, *args, **kwargs: mesh_tensorflow.Tensor(mesh_tensorflow.variable(name, [one.size for one in mesh_tensorflow.dims(shape)]), mesh_tensorflow.dims(shape))",
    "einsum": "lambda xs, output_shape=None, reduced_dims=None, name=None: mesh_tensorflow.Named().einsum(xs, output_shape, reduced_dims)",
    "matmul": "lambda a, b, output_shape=None, reduced_dims=None, name=None: mesh_tensorflow.Named().einsum([a, b], output_shape, reduced_dims)",
    "softmax": "lambda x, reduced_dim, extra_logit=None, name=None: x.like(tensorflow.nn.softmax(x.value, axis=x.at(reduced_dim) - len(x.axes))) if extra_logit is None else x.like(op.opaque(x.value, name='mesh_tensorflow.softmax', why='a logit more is in its sum'))",
    "log_softmax": "lambda x, reduced_dim, extra_logit=None, name=None: x.like(tensorflow.nn.log_softmax(x.value, axis=x.at(reduced_dim) - len(x.axes))) if extra_logit is None else x.like(op.opaque(x.value, name='mesh_tensorflow.log_softmax', why='a logit more is in its sum'))",
    "dropout": "lambda x, is_training, keep_prob=None, rate=None, noise_shape=None, name=None: mesh_tensorflow.Named().dropout(x, is_training, keep_prob, rate, noise_shape)",
    "reshape": "lambda x, new_shape, name=None: x.renamed(mesh_tensorflow.dims(new_shape))",
    "transpose": "lambda x, new_shape, name=None: x.ordered(mesh_tensorflow.dims(new_shape))",
    "rename_dimension": "lambda x, old_name, new_name: x.renamed(x.shape.rename_dimension(old_name, new_name).dims)",
    "replace_dimensions": "lambda tensor_or_shape, old_dim_or_dims, new_dim_or_dims: mesh_tensorflow.Named().replaced(tensor_or_shape, old_dim_or_dims, new_dim_or_dims)",
    **dict.fromkeys(("slice", "mtf_slice"), "lambda x, begin, size, slice_dim_name, name=None: x.part(begin, size, slice_dim_name)"),
    **dict.fromkeys(("range", "mtf_range"), "lambda mesh, dim, dtype=None, name=None: mesh_tensorflow.Tensor(tensorflow.range(dim.size), [dim], dtype)"),
    "gather": "lambda weights, indices, dim, output_shape=None: weights.picked(indices if isinstance(indices, mesh_tensorflow.Tensor) else mesh_tensorflow.constant(None, indices), dim, output_shape)",
    "one_hot": "lambda indices, output_dim, on_value=1.0, off_value=0.0, dtype=None, name=None: mesh_tensorflow.Tensor(tensorflow.one_hot(indices.plain().value, output_dim.size, on_value, off_value), indices.plain().axes + [output_dim], dtype)",
    "constant": "lambda mesh, value, shape=None, dtype=None: mesh_tensorflow.Tensor(tensorflow.fill([one.size for one in mesh_tensorflow.dims(shape)], value), mesh_tensorflow.dims(shape), dtype)",
    "zeros": "lambda mesh, shape, dtype=None: mesh_tensorflow.constant(mesh, 0, shape, dtype)",
    "ones": "lambda mesh, shape, dtype=None: mesh_tensorflow.constant(mesh, 1, shape, dtype)",
    "where": "lambda condition, if_true, if_false, output_shape=None: mesh_tensorflow.chosen(condition, if_true, if_false) if output_shape is None else op.opaque(condition.value, name='mesh_tensorflow.where', why='its output shape is given')",
    "chosen": "lambda condition, yes, no: condition.like(tensorflow.where(condition.value, mesh_tensorflow.entries(condition, yes), mesh_tensorflow.entries(condition, no)))",
    "entries": "lambda beside, given: given if not isinstance(given, mesh_tensorflow.Tensor) else given.value if given.axes == beside.axes else op.opaque(given.value, name='mesh_tensorflow.where', why='its axes are others')",
    "broadcast": "lambda x, new_shape: mesh_tensorflow.zeros(None, new_shape).by(tensorflow.add, x)",
    "split": "lambda x, split_dim, num_or_size_splits, name=None: mesh_tensorflow.Named().split(x, split_dim, num_or_size_splits)",
    "shift": "lambda x, offset, dim, wrap, name=None: mesh_tensorflow.Named().shift(x, offset, dim, wrap)",
    "concat": "lambda xs, concat_dim_name, name=None: mesh_tensorflow.Named().concat(xs, concat_dim_name)",
    "stack": "lambda xs, dim_name, axis=0, name=None: mesh_tensorflow.Named().stack(xs, dim_name, axis)",
    "cumsum": "lambda x, dim, exclusive=False: x.like(tensorflow.cumsum(x.value, axis=x.at(dim), exclusive=exclusive))",
    "add_n": "lambda xs: mesh_tensorflow.Named().add_n(xs)",
    "recompute_grad": "lambda fn, explicit_inputs, control_dependencies=True: fn(*explicit_inputs)",
    "import_tf_tensor": "lambda mesh, tf_tensor, shape=None, name=None: mesh_tensorflow.Tensor(tf_tensor, mesh_tensorflow.dims(shape))",
    # what an input of a whole model is: ids of tokens
    "given": "lambda value: mesh_tensorflow.Tensor(value, [mesh_tensorflow.Dimension('batch', 3), mesh_tensorflow.Dimension('length', 17)])",
}  # fmt: skip

_MODELS = "mesh_tensorflow.transformer.transformer."
MESH_TENSORFLOW = Dialect(
    name="mesh_tensorflow",
    aliases={"mesh_tensorflow.ops.": "mesh_tensorflow.", "mesh_tensorflow.ops_with_redefined_builtins.": "mesh_tensorflow."},
    formulas={f"mesh_tensorflow.{name}": Formula(source) for name, source in _FUNCTIONS.items()},
    classes={"mesh_tensorflow.Shape": _SHAPE, "mesh_tensorflow.Tensor": _TENSOR, "mesh_tensorflow.Named": _NAMED},
    ignored=("mesh_tensorflow.scalar_summary", "mesh_tensorflow.Print"),
    models={f"{_MODELS}{name}": "call_simple" for name in ("Unitransformer", "Bitransformer")},
    model_arguments={"compute_loss": False},
    model_modes={"mode": ("tensorflow.estimator.ModeKeys.EVAL", "tensorflow.estimator.ModeKeys.TRAIN")},
    given="mesh_tensorflow.given",
    given_as="a model is given ids of tokens with the axes batch=3 and length=17",
)
