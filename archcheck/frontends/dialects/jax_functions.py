"""jax.numpy, jax.nn, jax.lax and jax.random: functions of arrays; parameter lists are those of jax 0.8."""

from __future__ import annotations

from archcheck.frontends.dialects.table import Row
from archcheck.ir.graph import AttrValue


def _row(kind: str, params: str = "x!", attrs: dict[str, str] | None = None, **const: AttrValue) -> Row:
    return Row(kind, params, attrs or {}, const)


_AXIS = {"axis": "axis"}
_PAIR = "x1!, x2!"
_BY = {"by": "x2"}
_REDUCE = "a!, axis=None, dtype=None, keepdims=False, initial=None, where=None"
_SHAPE = {"shape": "shape"}

# ---- jax.nn
ACTIVATIONS: dict[str, Row] = {
    **{name: _row(name) for name in ("relu", "relu6", "selu", "silu", "mish", "sigmoid", "tanh", "softplus", "log_sigmoid", "hard_sigmoid")},
    "soft_sign": _row("softsign"),
    "swish": _row("silu"),
    "hard_silu": _row("hard_swish"),
    "hard_swish": _row("hard_swish"),
    "identity": _row("identity"),
    "elu": _row("elu", "x!, alpha=1.0", {"alpha": "alpha"}),
    "celu": _row("celu", "x!, alpha=1.0", {"alpha": "alpha"}),
    "leaky_relu": _row("leaky_relu", "x!, negative_slope=0.01", {"slope": "negative_slope"}),
    "gelu": _row("gelu", "x!, approximate=True", {"approximate": "approximate"}),
    "glu": _row("glu", "x!, axis=-1", _AXIS, activation="sigmoid"),
    "hard_tanh": _row("clamp", min=-1.0, max=1.0),
}
_NN: dict[str, Row] = {
    **ACTIVATIONS,
    "softmax": Row("softmax", "x!, axis=-1, where=None, initial=None", _AXIS, plain=("where",)),
    "log_softmax": Row("log_softmax", "x!, axis=-1, where=None, initial=None", _AXIS, plain=("where",)),
    "logsumexp": Row("logsumexp", "a!, axis=None, b=None, keepdims=False, return_sign=False, where=None", _AXIS, plain=("b", "return_sign", "where")),
    "one_hot": _row("one_hot", "x!, num_classes, dtype=None, axis=-1", _AXIS | {"classes": "num_classes"}),
}

# ---- jax.numpy
UNARY: dict[str, Row] = {
    **{name: _row(name) for name in ("abs", "exp", "log", "sqrt", "sin", "cos", "tanh", "sign", "real", "imag")},
    "absolute": _row("abs"),
    "negative": _row("neg"),
    "square": _row("pow", exponent=2),
    "reciprocal": _row("pow", exponent=-1),
    **{name: _row("elementwise", function=name) for name in ("tan", "sinh", "cosh", "log2", "log10", "log1p", "expm1", "exp2", "isnan", "isinf", "isfinite", "conj", "angle")},
    **{"arc" + name: _row("elementwise", function="a" + name) for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    "floor": _row("round", mode="floor"),
    "ceil": _row("round", mode="ceil"),
    "trunc": _row("round", mode="trunc"),
    "round": Row("round", "a!, decimals=0", const={"mode": "nearest"}, plain=("decimals",)),
    "logical_not": _row("logical", operator="not"),
}
BINARY: dict[str, Row] = {
    "add": _row("add", _PAIR, _BY),
    "subtract": _row("sub", _PAIR, _BY),
    "multiply": _row("mul", _PAIR, _BY),
    "divide": _row("div", _PAIR, _BY),
    "true_divide": _row("div", _PAIR, _BY),
    "floor_divide": _row("div", _PAIR, _BY, rounding="floor"),
    "mod": _row("elementwise", _PAIR, _BY, function="remainder"),
    "remainder": _row("elementwise", _PAIR, _BY, function="remainder"),
    "arctan2": _row("elementwise", _PAIR, _BY, function="atan2"),
    "power": _row("pow", _PAIR, {"base": "x1", "exponent": "x2"}),
    "float_power": _row("pow", _PAIR, {"base": "x1", "exponent": "x2"}),
    "maximum": _row("maximum", _PAIR, _BY),
    "minimum": _row("minimum", _PAIR, _BY),
    **{name: _row("compare", _PAIR, _BY, relation=relation) for name, relation in (("equal", "eq"), ("not_equal", "ne"), ("less", "lt"), ("less_equal", "le"), ("greater", "gt"), ("greater_equal", "ge"))},
    **{f"logical_{name}": _row("logical", _PAIR, operator=name) for name in ("and", "or", "xor")},
    **{f"bitwise_{name}": _row("logical", _PAIR, operator=name) for name in ("and", "or", "xor")},
    "matmul": _row("matmul", "a!, b!, *, precision=None, preferred_element_type=None"),
    "dot": _row("matmul", "a!, b!, *, precision=None, preferred_element_type=None"),
    "outer": _row("outer", "a!, b!"),
    "tensordot": _row("tensordot", "a!, b!, axes=2, *, precision=None, preferred_element_type=None", {"axes": "axes"}),
}
# what arrays have as methods too; `where=` and `initial=` say that not every entry counts
_PARTIAL = ("where", "initial")
REDUCTIONS: dict[str, Row] = {
    **{name: Row(kind, _REDUCE, _AXIS, plain=_PARTIAL) for name, kind in (("sum", "sum"), ("mean", "mean"), ("prod", "prod"), ("max", "reduce_max"), ("min", "reduce_min"))},
    "var": Row("var", "a!, axis=None, dtype=None, out=None, ddof=0, keepdims=False, where=None", _AXIS | {"correction": "ddof"}, plain=("where",)),
    "std": Row("std", "a!, axis=None, dtype=None, out=None, ddof=0, keepdims=False, where=None", _AXIS | {"correction": "ddof"}, plain=("where",)),
    "all": Row("reduce_logical", "a!, axis=None, keepdims=False", _AXIS, {"operator": "all"}),
    "any": Row("reduce_logical", "a!, axis=None, keepdims=False", _AXIS, {"operator": "any"}),
    "argmax": _row("argmax", "a!, axis=None, out=None, keepdims=None", _AXIS),
    "argmin": _row("argmin", "a!, axis=None, out=None, keepdims=None", _AXIS),
    "cumsum": _row("cumsum", "a!, axis=None", _AXIS),
    "cumprod": _row("cumprod", "a!, axis=None", _AXIS),
}
LAYOUTS: dict[str, Row] = {
    "reshape": _row("reshape", "a!, shape, order='C'", _SHAPE),
    "ravel": _row("reshape", "a!, order='C'", form="flatten", axis=0, end=-1),
    "squeeze": _row("reshape", "a!, axis=None", _AXIS, form="squeeze"),
    "swapaxes": _row("permute", "a!, axis1, axis2", {"axis": "axis1", "other_axis": "axis2"}),
    "clip": _row("clamp", "a!, min=None, max=None", {"min": "min", "max": "max"}),
    "repeat": _row("expand", "a!, repeats, axis=None, *, total_repeat_length=None", {"repeats": "repeats", "axis": "axis"}, interleaved=True),
    "take": _row("gather", "a!, indices!, axis=None, out=None, mode=None", _AXIS, whole=True),
    "diagonal": _row("select", "a!, offset=0, axis1=0, axis2=1", {"offset": "offset"}, index="diagonal"),
    "sort": _row("sort", "a!, axis=-1", _AXIS, descending=False),
}
_NUMPY: dict[str, Row] = {
    **UNARY, **BINARY, **REDUCTIONS, **LAYOUTS,
    "amax": REDUCTIONS["max"],
    "amin": REDUCTIONS["min"],
    "clip": _row("clamp", "arr!, min=None, max=None, *, a_min=None, a_max=None", {"min": "min", "max": "max"}),
    "where": _row("where", "condition!, x!, y!", {"yes": "x", "no": "y"}),
    "expand_dims": _row("reshape", "a!, axis", _AXIS, form="unsqueeze"),
    "moveaxis": _row("permute", "a!, source, destination", {"source": "source", "destination": "destination"}),
    "broadcast_to": _row("expand", "array!, shape", _SHAPE),
    "tile": _row("expand", "A!, reps", {"repeats": "reps"}),
    "concatenate": _row("concat", "arrays!, axis=0", _AXIS),
    "stack": _row("stack", "arrays!, axis=0", _AXIS),
    "split": Row("split", "ary!, indices_or_sections, axis=0", _AXIS | {"sections": "indices_or_sections"}, outputs=0),
    "meshgrid": Row("meshgrid", "*xi!, indexing='xy', copy=True, sparse=False", {"indexing": "indexing"}, outputs=0),
    "take_along_axis": _row("gather", "arr!, indices!, axis=-1, mode=None", _AXIS),
    "pad": _row("pad", "array!, pad_width, mode='constant', constant_values=0", {"amount": "pad_width", "mode": "mode", "by": "constant_values"}),
    "roll": _row("roll", "a!, shift, axis=None", _AXIS | {"shift": "shift"}),
    "flip": _row("flip", "m!, axis=None", _AXIS),
    "tril": _row("triangle", "m!, k=0", {"diagonal": "k"}, upper=False),
    "triu": _row("triangle", "m!, k=0", {"diagonal": "k"}, upper=True),
    "argsort": _row("opaque", "a!, axis=-1, **kwargs", name="jax.numpy.argsort"),
    "nan_to_num": _row("elementwise", "x!, copy=True, nan=0.0, posinf=None, neginf=None", function="nan_to_num"),
    "linalg.norm": _row("vector_norm", "x!, ord=None, axis=None, keepdims=False", _AXIS | {"p": "ord"}),
    **{name: _row("identity", "x!, *args, **kwargs") for name in ("copy", "astype")},
    "zeros": _row("constant", "shape", _SHAPE, value=0),
    "ones": _row("constant", "shape", _SHAPE, value=1),
    "empty": _row("constant", "shape", _SHAPE, value=0),
    "full": _row("constant", "shape, fill_value", _SHAPE | {"value": "fill_value"}),
    "zeros_like": _row("constant", "a, shape=None", value=0),
    "ones_like": _row("constant", "a, shape=None", value=1),
    "full_like": _row("constant", "a, fill_value, shape=None", {"value": "fill_value"}),
    "eye": _row("constant", "N, M=None, k=0", {"start": "N", "end": "M"}, value="identity"),
    "linspace": _row("constant", "start, stop, num=50, endpoint=True", {"start": "start", "end": "stop", "steps": "num"}, value="linspace"),
    "fft.fft": _row("fft", "a!, n=None, axis=-1, norm=None", _AXIS),
    "fft.fft2": _row("fft", "a!, s=None, axes=(-2, -1), norm=None", _AXIS | {"axis": "axes"}),
    "fft.rfft": _row("fft", "a!, n=None, axis=-1, norm=None", _AXIS, real=True),
    "fft.ifft": _row("fft", "a!, n=None, axis=-1, norm=None", _AXIS, inverse=True),
    "fft.irfft": _row("fft", "a!, n=None, axis=-1, norm=None", _AXIS | {"length": "n"}, inverse=True, real=True),
}

# ---- jax.lax
_LAX: dict[str, Row] = {
    **{name: UNARY[name] for name in ("abs", "exp", "log", "sqrt", "sin", "cos", "tanh", "sign", "floor", "ceil", "round")},
    "neg": UNARY["negative"],
    "square": UNARY["square"],
    "rsqrt": _row("rsqrt"),
    "erf": _row("erf"),
    "erfc": _row("elementwise", function="erfc"),
    "logistic": _row("sigmoid"),
    "integer_pow": _row("pow", "x!, y", {"exponent": "y"}),
    "pow": BINARY["power"],
    "add": BINARY["add"],
    "sub": BINARY["subtract"],
    "mul": BINARY["multiply"],
    "div": BINARY["divide"],
    "max": BINARY["maximum"],
    "min": BINARY["minimum"],
    **{short: BINARY[name] for short, name in (("eq", "equal"), ("ne", "not_equal"), ("lt", "less"), ("le", "less_equal"), ("gt", "greater"), ("ge", "greater_equal"))},
    "select": _row("where", "pred!, on_true!, on_false!", {"yes": "on_true", "no": "on_false"}),
    "clamp": _row("clamp", "min, x!, max", {"min": "min", "max": "max"}),
    "batch_matmul": _row("matmul", "lhs!, rhs!, precision=None"),
    "reshape": _row("reshape", "operand!, new_sizes, dimensions=None", {"shape": "new_sizes"}),
    "expand_dims": _row("reshape", "array!, dimensions", {"axis": "dimensions"}, form="unsqueeze"),
    "squeeze": _row("reshape", "array!, dimensions", {"axis": "dimensions"}, form="squeeze"),
    "transpose": _row("permute", "operand!, permutation", {"axes": "permutation"}),
    "broadcast": _row("expand", "operand!, sizes"),
    "broadcast_in_dim": _row("expand", "operand!, shape, broadcast_dimensions", _SHAPE),
    "concatenate": _row("concat", "operands!, dimension", {"axis": "dimension"}),
    "dynamic_update_slice": _row("update", "operand!, update!, start_indices"),
    "dynamic_slice": _row("select", "operand!, start_indices, slice_sizes", {"length": "slice_sizes"}),
    "dynamic_slice_in_dim": _row("select", "operand!, start_index, slice_size, axis=0", _AXIS | {"start": "start_index", "length": "slice_size"}),
    "cumsum": _row("cumsum", "operand!, axis=0, reverse=False", _AXIS),
    "top_k": Row("topk", "operand!, k, *, axis=-1", {"k": "k", "axis": "axis"}, {"largest": True}, outputs=2),
    "rev": _row("flip", "operand!, dimensions", {"axis": "dimensions"}),
    **{name: _row("identity", "x!, *args, **kwargs") for name in ("stop_gradient", "convert_element_type", "with_sharding_constraint", "optimization_barrier", "pmean", "psum_scatter")},
}

# ---- jax.random: the first argument is a key, which is no tensor of the model
_RANDOM: dict[str, Row] = {
    name: _row("random", f"key, shape=(), {more}dtype=None, *args, **kwargs", _SHAPE, distribution=name)
    for name, more in (("normal", ""), ("uniform", ""), ("gumbel", ""), ("exponential", ""), ("laplace", ""), ("rademacher", ""))
}
_RANDOM |= {
    "bernoulli": _row("random", "key, p=0.5, shape=None", _SHAPE, distribution="bernoulli"),
    "truncated_normal": _row("random", "key, lower, upper, shape=None", _SHAPE, distribution="truncated_normal"),
    "randint": _row("random", "key, shape, minval, maxval", _SHAPE, distribution="integers"),
    "permutation": _row("random", "key, x, axis=0", distribution="permutation"),
    "categorical": _row("opaque", "key, logits!, axis=-1, shape=None", name="jax.random.categorical"),
}

FUNCTIONS: dict[str, Row] = {
    **{"jax.nn." + name: row for name, row in _NN.items()},
    **{"jax.numpy." + name: row for name, row in _NUMPY.items()},
    **{"jax.lax." + name: row for name, row in _LAX.items()},
    **{"jax.random." + name: row for name, row in _RANDOM.items()},
    "jax.image.resize": Row("interpolate", "image!, shape, method, antialias=True, precision=None", {"mode": "method"}),
}  # fmt: skip

METHODS: dict[str, Row] = {
    **{name: row for name, row in {**REDUCTIONS, **LAYOUTS}.items() if name not in ("reshape",)},
    "reshape": _row("reshape", "self!, *shape, order='C'", _SHAPE),
    "flatten": LAYOUTS["ravel"],
    "round": UNARY["round"],
    "conj": UNARY["conj"],
    "dot": BINARY["dot"],
    **{name: _row("identity", "self!, *args, **kwargs") for name in ("astype", "copy", "block_until_ready", "view", "get_value", "get_raw_value", "item")},
}
