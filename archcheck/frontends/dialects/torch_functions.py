"""Functions of torch, torch.nn.functional, torch.special, torch.fft and torch.linalg (torch 2.13.0).

Rows stand under their name without a package (`softmax`); `FUNCTIONS` lists each under every package that has it.
"""

from __future__ import annotations

from archcheck.frontends.dialects.table import Row
from archcheck.ir.graph import AttrValue


def _row(kind: str, params: str = "input!", attrs: dict[str, str] | None = None, **const: AttrValue) -> Row:
    return Row(kind, params, attrs or {}, const)


_AXIS = {"axis": "dim"}
_BY = {"by": "other"}

# ---- element by element: all of them are methods too

UNARY: dict[str, Row] = {name: _row(name) for name in ("abs", "exp", "log", "sqrt", "rsqrt", "neg", "erf", "sin", "cos", "sign", "sigmoid", "tanh", "relu", "real", "imag")}
UNARY |= {"absolute": UNARY["abs"], "negative": UNARY["neg"], "sgn": UNARY["sign"]}
UNARY |= {
    name: _row("elementwise", function=function)
    for name, function in {
        **{name: name for name in ["tan", "sinh", "cosh", "asin", "acos", "atan", "asinh", "acosh", "atanh", "log2", "log10", "log1p", "expm1", "exp2", "erfc", "erfinv", "lgamma", "digamma", "sinc", "frac", "isnan", "isinf", "isfinite", "isposinf", "isneginf", "angle", "deg2rad", "rad2deg", "signbit", "i0", "conj", "conj_physical", "bitwise_not"]},
        **{"arc" + name: "a" + name for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    }.items()
}
UNARY |= {
    "logit": _row("elementwise", "input!, eps=None", {"by": "eps"}, function="logit"),
    "nan_to_num": _row("elementwise", "input!, nan=0.0, posinf=None, neginf=None", {"by": "nan"}, function="nan_to_num"),
    "square": _row("pow", exponent=2),
    "reciprocal": _row("pow", exponent=-1),
    "floor": _row("round", mode="floor"),
    "ceil": _row("round", mode="ceil"),
    "trunc": _row("round", mode="trunc"),
    "fix": _row("round", mode="trunc"),
    "round": Row("round", "input!, *, decimals=0", const={"mode": "nearest"}, plain=("decimals",)),
    "logical_not": _row("logical", operator="not"),
    "clamp": _row("clamp", "input!, min=None!, max=None!", {"min": "min", "max": "max"}),
    "clip": _row("clamp", "input!, min=None!, max=None!", {"min": "min", "max": "max"}),
    "clamp_min": _row("clamp", "input!, min!", {"min": "min"}),
    "clamp_max": _row("clamp", "input!, max!", {"max": "max"}),
    "softmax": _row("softmax", "input!, dim=None, _stacklevel=3", _AXIS),
    "log_softmax": _row("log_softmax", "input!, dim=None, _stacklevel=3", _AXIS),
    "tril": _row("triangle", "input!, diagonal=0", {"diagonal": "diagonal"}, upper=False),
    "triu": _row("triangle", "input!, diagonal=0", {"diagonal": "diagonal"}, upper=True),
    "cumsum": _row("cumsum", "input!, dim", _AXIS),
    "cumprod": _row("cumprod", "input!, dim", _AXIS),
}

_PAIR = "input!, other!"
BINARY: dict[str, Row] = {
    "add": Row("add", "input!, other!, *, alpha=1", _BY, plain=("alpha",)),
    "sub": Row("sub", "input!, other!, *, alpha=1", _BY, plain=("alpha",)),
    "mul": _row("mul", _PAIR, _BY),
    "div": _row("div", "input!, other!, *, rounding_mode=None", {"by": "other", "rounding": "rounding_mode"}),
    "true_divide": _row("div", _PAIR, _BY),
    "floor_divide": _row("div", _PAIR, _BY, rounding="floor"),
    "pow": _row("pow", "input!, exponent!", {"base": "input", "exponent": "exponent"}),
    "float_power": _row("pow", "input!, exponent!", {"base": "input", "exponent": "exponent"}),
    "lerp": _row("lerp", "input!, end!, weight!", {"weight": "weight"}),
    "masked_fill": _row("masked_fill", "input!, mask!, value!", {"by": "value"}),
    **{name: _row("compare", _PAIR, _BY, relation=name) for name in ("eq", "ne", "lt", "le", "gt", "ge")},
    **{"logical_" + name: _row("logical", _PAIR, operator=name) for name in ("and", "or", "xor")},
    **{"bitwise_" + name: _row("logical", _PAIR, operator=name) for name in ("and", "or", "xor")},
    **{name: _row("elementwise", _PAIR, _BY, function=name) for name in ("remainder", "fmod", "atan2", "hypot", "copysign", "xlogy", "igamma", "igammac", "gcd", "lcm", "ldexp", "heaviside", "nextafter", "bitwise_left_shift", "bitwise_right_shift")},
}
BINARY |= {"subtract": BINARY["sub"], "multiply": BINARY["mul"], "divide": BINARY["div"], "arctan2": BINARY["atan2"], "less": BINARY["lt"], "less_equal": BINARY["le"], "greater": BINARY["gt"], "greater_equal": BINARY["ge"], "not_equal": BINARY["ne"]}

_ADDMM = {"alpha": "alpha", "beta": "beta"}
_TRANSPOSE = {"axis": "dim0", "other_axis": "dim1"}
_MOVE = "input!, source, destination"

# ---- functions of torch that are methods of a tensor too, under the same parameter list

SHARED: dict[str, Row] = {
    "maximum": _row("maximum", _PAIR),
    "minimum": _row("minimum", _PAIR),
    "fmax": _row("maximum", _PAIR),
    "fmin": _row("minimum", _PAIR),
    "logaddexp": _row("elementwise", _PAIR, function="logaddexp"),
    "logaddexp2": _row("elementwise", _PAIR, function="logaddexp2"),
    "isclose": _row("compare", "input!, other!, rtol=1e-05, atol=1e-08, equal_nan=False", relation="isclose"),
    # matrix products
    "matmul": _row("matmul", _PAIR),
    "mm": _row("matmul", "input!, mat2!"),
    "spmm": _row("matmul", "input!, mat2!"),
    "bmm": _row("matmul", "input!, mat2!"),
    "mv": _row("matmul", "input!, vec!"),
    "dot": _row("matmul", "input!, tensor!"),
    "inner": _row("matmul", _PAIR, transpose_b=True),
    "outer": _row("outer", "input!, vec2!"),
    "ger": _row("outer", "input!, vec2!"),
    "addmm": _row("matmul_add", "input!, mat1!, mat2!, *, beta=1, alpha=1", _ADDMM),
    "baddbmm": _row("matmul_add", "input!, batch1!, batch2!, *, beta=1, alpha=1", _ADDMM),
    "addmv": _row("matmul_add", "input!, mat!, vec!, *, beta=1, alpha=1", _ADDMM),
    # reductions
    "sum": _row("sum", "input!, dim=None, keepdim=False", _AXIS),
    "mean": _row("mean", "input!, dim=None, keepdim=False", _AXIS),
    "prod": _row("prod", "input!, dim=None, keepdim=False", _AXIS),
    "amax": _row("reduce_max", "input!, dim=None, keepdim=False", _AXIS),
    "amin": _row("reduce_min", "input!, dim=None, keepdim=False", _AXIS),
    "argmax": _row("argmax", "input!, dim=None, keepdim=False", _AXIS),
    "argmin": _row("argmin", "input!, dim=None, keepdim=False", _AXIS),
    "all": _row("reduce_logical", "input!, dim=None, keepdim=False", _AXIS, operator="all"),
    "any": _row("reduce_logical", "input!, dim=None, keepdim=False", _AXIS, operator="any"),
    "_is_all_true": _row("reduce_logical", "input!", operator="all"),
    "_is_any_true": _row("reduce_logical", "input!", operator="any"),
    "logsumexp": _row("logsumexp", "input!, dim, keepdim=False", _AXIS),
    "norm": _row("vector_norm", "input!, p=2, dim=None, keepdim=False", {"axis": "dim", "p": "p"}),
    "topk": Row("topk", "input!, k, dim=-1, largest=True, sorted=True", {"k": "k", "axis": "dim", "largest": "largest"}, outputs=2, fields=("values", "indices")),
    "sort": Row("sort", "input!, dim=-1, descending=False, *, stable=False", {"axis": "dim", "descending": "descending"}, outputs=2, fields=("values", "indices")),
    # shape and place
    "reshape": _row("reshape", "input!, shape", {"shape": "shape"}),
    "flatten": _row("reshape", "input!, start_dim=0, end_dim=-1", {"axis": "start_dim", "end": "end_dim"}, form="flatten"),
    "ravel": _row("reshape", form="flatten", axis=0, end=-1),
    "unflatten": _row("reshape", "input!, dim, sizes", {"axis": "dim", "shape": "sizes"}, form="unflatten"),
    "squeeze": _row("reshape", "input!, dim=None", _AXIS, form="squeeze"),
    "unsqueeze": _row("reshape", "input!, dim", _AXIS, form="unsqueeze"),
    "permute": _row("permute", "input!, dims", {"axes": "dims"}),
    "transpose": _row("permute", "input!, dim0, dim1", _TRANSPOSE),
    "swapdims": _row("permute", "input!, dim0, dim1", _TRANSPOSE),
    "swapaxes": _row("permute", "input!, axis0, axis1", {"axis": "axis0", "other_axis": "axis1"}),
    "t": _row("permute", axis=0, other_axis=1),
    "adjoint": _row("permute", axis=-2, other_axis=-1),  # of real tensors
    "movedim": _row("permute", _MOVE, {"source": "source", "destination": "destination"}),
    "moveaxis": _row("permute", _MOVE, {"source": "source", "destination": "destination"}),
    "broadcast_to": _row("expand", "input!, shape", {"shape": "shape"}),
    "tile": _row("expand", "input!, *dims", {"repeats": "dims"}),
    "repeat_interleave": _row("expand", "input!, repeats!, dim=None, *, output_size=None", {"repeats": "repeats", "axis": "dim"}, interleaved=True),
    "narrow": _row("select", "input!, dim, start, length", {"axis": "dim", "start": "start", "length": "length"}),
    "select": _row("select", "input!, dim, index", {"axis": "dim", "index": "index"}),
    "diagonal": _row("select", "input!, offset=0, dim1=0, dim2=1", {"offset": "offset"}, index="diagonal"),
    "index_select": _row("gather", "input!, dim, index!", _AXIS, whole=True),
    "gather": _row("gather", "input!, dim, index!, *, sparse_grad=False", _AXIS),
    "take_along_dim": _row("gather", "input!, indices!, dim=None", _AXIS),
    "masked_select": _row("select", "input!, mask!", index="mask"),
    "scatter": _row("scatter", "input!, dim, index!, src!, *, reduce=None", {"axis": "dim", "by": "src", "reduce": "reduce"}),
    "scatter_add": _row("scatter", "input!, dim, index!, src!", _AXIS, reduce="sum"),
    "scatter_reduce": _row("scatter", "input!, dim, index!, src!, reduce, *, include_self=True", {"axis": "dim", "reduce": "reduce"}),
    "index_add": Row("scatter", "input!, dim, index!, source!, *, alpha=1", _AXIS, {"reduce": "sum", "whole": True}, plain=("alpha",)),
    "index_copy": _row("scatter", "input!, dim, index!, source!", _AXIS, whole=True),
    "index_fill": _row("scatter", "input!, dim, index!, value!", {"axis": "dim", "by": "value"}, whole=True),
    "masked_scatter": _row("update", "input!, mask!, source!", index="mask"),
    "select_scatter": _row("update", "input!, src!, dim, index", {"axis": "dim", "index": "index"}),
    "split": Row("split", "input!, split_size_or_sections, dim=0", {"size": "split_size_or_sections", "axis": "dim"}, outputs=0),
    "split_with_sizes": Row("split", "input!, split_sizes, dim=0", {"size": "split_sizes", "axis": "dim"}, outputs=0),
    "tensor_split": Row("split", "input!, indices_or_sections, dim=0", {"sections": "indices_or_sections", "axis": "dim"}, outputs=0),
    "chunk": Row("split", "input!, chunks, dim=0", {"sections": "chunks", "axis": "dim"}, outputs=0),
    "unbind": Row("split", "input!, dim=0", _AXIS, {"unbind": True}, outputs=0),
    "roll": _row("roll", "input!, shifts, dims=None", {"shift": "shifts", "axis": "dims"}),
    "flip": _row("flip", "input!, *dims", {"axis": "dims"}),
    "fliplr": _row("flip", axis=1),
    "flipud": _row("flip", axis=0),
    "clone": Row("identity", "input!", fresh=True),
    "detach": _row("identity"),
    "positive": _row("identity"),
    "resolve_conj": _row("identity"),
    "resolve_neg": _row("identity"),
    "bernoulli": _row("random", distribution="bernoulli"),
    "multinomial": _row("random", "input!, num_samples, replacement=False", {"shape": "num_samples"}, distribution="multinomial"),
    "view_as_real": _row("as_real"),
    "view_as_complex": _row("as_real", inverse=True),
    "hardshrink": _row("elementwise", "input!, lambd=0.5", {"by": "lambd"}, function="hardshrink"),
    "prelu": _row("prelu", "input!, weight!"),
}

# ---- functions of whole tensors that have no kind of their own: statistics, matrices, losses


def _whole(function: str, params: str, outputs: int = 1, fields: tuple[str, ...] = ()) -> Row:
    attrs = _AXIS if "dim" in {name.split("=")[0].strip() for name in params.split(",")} else {}
    return Row("tensor_function", params, attrs, {"function": function}, outputs=outputs, fields=fields)


_REDUCED = "input!, dim=None, keepdim=False"
_BOTH = ("values", "indices")
WHOLE: dict[str, Row] = {
    name: _whole(name, params)
    for name, params in {
        **dict.fromkeys(("nansum", "nanmean"), _REDUCED),
        **dict.fromkeys(("quantile", "nanquantile"), "input!, q!, dim=None, keepdim=False, *, interpolation='linear'"),
        "cov": "input!, *, correction=1, fweights=None!, aweights=None!",
        "corrcoef": "input!",
        "bincount": "input!, weights=None!, minlength=0",
        "histc": "input!, bins=100, min=0, max=0",
        "cross": "input!, other!, dim=None",
        "logcumsumexp": "input!, dim",
        "dist": "input!, other!, p=2",
        "kron": "input!, other!",
        "renorm": "input!, p, dim, maxnorm",
        "diag": "input!, diagonal=0",
        "diagflat": "input!, offset=0",
        "diag_embed": "input!, offset=0, dim1=-2, dim2=-1",
        "diagonal_scatter": "input!, src!, offset=0, dim1=0, dim2=1",
        "rot90": "input!, k=1, dims=(0, 1)",
        "take": "input!, index!",
        "index_reduce": "input!, dim, index!, source!, reduce, *, include_self=True",
        "as_strided": "input!, size, stride, storage_offset=None",
        **dict.fromkeys(("det", "logdet", "inverse", "isreal"), "input!"),
        "matrix_exp": "A!",
        "pinverse": "input!, rcond=1e-15",
        "matrix_power": "input!, n",
        "cholesky": "input!, upper=False",
        "cholesky_inverse": "L!, upper=False",
        "cholesky_solve": "B!, L!, upper=False",
    }.items()
} | {
    name: _whole(name, params, 2, _BOTH)
    for name, params in {**dict.fromkeys(("cummax", "cummin"), "input!, dim"), **dict.fromkeys(("median", "nanmedian", "mode"), "input!, dim, keepdim=False")}.items()
} | {
    "slogdet": _whole("slogdet", "input!", 2, ("sign", "logabsdet")),
    "svd": _whole("svd", "input!, some=True, compute_uv=True", 3, ("U", "S", "V")),
    "qr": _whole("qr", "input!, some=True", 2, ("Q", "R")),
    "stft": _whole("stft", "input!, n_fft, hop_length=None, win_length=None, window=None!, center=True, pad_mode='reflect', normalized=False, onesided=None, return_complex=None, align_to_window=None"),
    "istft": _whole("istft", "input!, n_fft, hop_length=None, win_length=None, window=None!, center=True, normalized=False, onesided=None, length=None, return_complex=False"),
}
_MEAN = "size_average=None, reduce=None, reduction='mean'"
_LOSSES: dict[str, str] = {
    **dict.fromkeys(("mse_loss", "l1_loss"), f"input!, target!, {_MEAN}, weight=None!"),
    **dict.fromkeys(("soft_margin_loss", "multilabel_margin_loss"), f"input!, target!, {_MEAN}"),
    "smooth_l1_loss": f"input!, target!, {_MEAN}, beta=1.0",
    "huber_loss": "input!, target!, reduction='mean', delta=1.0, weight=None!",
    "kl_div": f"input!, target!, {_MEAN}, log_target=False",
    "nll_loss": "input!, target!, weight=None!, size_average=None, ignore_index=-100, reduce=None, reduction='mean'",
    "cross_entropy": "input!, target!, weight=None!, size_average=None, ignore_index=-100, reduce=None, reduction='mean', label_smoothing=0.0",
    "binary_cross_entropy": f"input!, target!, weight=None!, {_MEAN}",
    "binary_cross_entropy_with_logits": f"input!, target!, weight=None!, {_MEAN}, pos_weight=None!",
}

# ---- functions of torch that are no methods

_N = "*size"
_FILL = {"shape": "size"}
ONLY: dict[str, Row] = {
    "zeros": _row("constant", _N, _FILL, value=0),
    "ones": _row("constant", _N, _FILL, value=1),
    "empty": _row("constant", _N, _FILL, value="uninitialised"),
    "full": _row("constant", "size, fill_value", {"shape": "size", "value": "fill_value"}),
    "zeros_like": _row("constant", "input", value=0),
    "ones_like": _row("constant", "input", value=1),
    "empty_like": _row("constant", "input", value="uninitialised"),
    "full_like": _row("constant", "input, fill_value", {"value": "fill_value"}),
    "eye": _row("constant", "n, m=None", {"start": "n", "end": "m"}, value="identity"),
    "linspace": _row("constant", "start, end, steps", {"start": "start", "end": "end", "steps": "steps"}, value="linspace"),
    "logspace": _row("constant", "start, end, steps, base=10.0", {"start": "start", "end": "end", "steps": "steps", "step": "base"}, value="logspace"),
    "tensor": _row("constant", "data", {"value": "data"}),
    "scalar_tensor": _row("constant", "s", {"value": "s"}),
    "triu_indices": _row("constant", "row, col, offset=0", {"start": "row", "end": "col", "step": "offset"}, value="triu_indices"),
    "tril_indices": _row("constant", "row, col, offset=0", {"start": "row", "end": "col", "step": "offset"}, value="tril_indices"),
    **{f"{name}_window": _row("constant", "window_length, periodic=True", {"steps": "window_length"}, value=name) for name in ("hann", "hamming", "bartlett", "blackman")},
    "kaiser_window": _row("constant", "window_length, periodic=True, beta=12.0", {"steps": "window_length"}, value="kaiser"),
    "rand": _row("random", _N, _FILL, distribution="uniform"),
    "randn": _row("random", _N, _FILL, distribution="normal"),
    "rand_like": _row("random", "input", distribution="uniform"),
    "randn_like": _row("random", "input", distribution="normal"),
    "randint": _row("random", "*bounds_and_size", distribution="integers"),
    "randint_like": _row("random", "input, *bounds", distribution="integers"),
    "randperm": _row("random", "n", {"shape": "n"}, distribution="permutation"),
    "normal": _row("random", "mean=0.0!, std=1.0!, size=None", {"shape": "size"}, distribution="normal"),
    "poisson": _row("random", distribution="poisson"),
    "meshgrid": Row("meshgrid", "*tensors!, indexing='ij'", {"indexing": "indexing"}, outputs=0),
    "cat": _row("concat", "tensors!, dim=0", _AXIS),
    "stack": _row("stack", "tensors!, dim=0", _AXIS),
    "einsum": _row("einsum", "equation, *operands!", {"equation": "equation"}),
    "tensordot": _row("tensordot", "a!, b!, dims=2", {"axes": "dims"}),
    "nonzero": _row("nonzero", "input!, *, as_tuple=False"),
    "argwhere": _row("nonzero", "input!"),
    "where": _row("where", "condition!, input!, other!", {"yes": "input", "no": "other"}),
    "searchsorted": _whole("searchsorted", "sorted_sequence!, values!, *, out_int32=False, right=False, side=None, sorter=None"),
    "bucketize": _whole("bucketize", "input!, boundaries!, *, out_int32=False, right=False"),
    "block_diag": _whole("block_diag", "*tensors!"),
    "cartesian_prod": _whole("cartesian_prod", "*tensors!"),
    "broadcast_tensors": Row("expand", "*tensors!", outputs=0),
    **dict.fromkeys(("trapz", "trapezoid"), _whole("trapezoid", "y!, x=None!, *, dx=None, dim=-1")),
    "polar": _row("complex", "abs!, angle!", polar=True),
    "complex": _row("complex", "real!, imag!"),
    "bilinear": _row("bilinear", "input1!, input2!, weight!, bias=None!"),
    "rms_norm": _row("rms_norm", "input!, normalized_shape, weight=None!, eps=None", {"dim": "normalized_shape", "eps": "eps"}),
    "native_layer_norm": Row("layer_norm", "input!, normalized_shape, weight!, bias!, eps", {"dim": "normalized_shape", "eps": "eps"}, outputs=3),
    "lstm_cell": Row("lstm", "input!, hx!, w_ih!, w_hh!, b_ih=None!, b_hh=None!", const={"cell": True}, outputs=2),
    "gru_cell": _row("gru", "input!, hx!, w_ih!, w_hh!, b_ih=None!, b_hh=None!", cell=True),
    "rnn_tanh_cell": _row("rnn", "input!, hx!, w_ih!, w_hh!, b_ih=None!, b_hh=None!", cell=True, activation="tanh"),
    "rnn_relu_cell": _row("rnn", "input!, hx!, w_ih!, w_hh!, b_ih=None!, b_hh=None!", cell=True, activation="relu"),
}
ONLY |= {"concat": ONLY["cat"], "concatenate": _row("concat", "tensors!, axis=0", {"axis": "axis"})}

# ---- torch.nn.functional

_IN = "input!, inplace=False"
_LR = {"slope": "negative_slope"}
_SIZES = {"size": "size", "scale": "scale_factor"}
_CONV = {"stride": "stride", "padding": "padding", "dilation": "dilation", "groups": "groups"}
_POOL = {"kernel": "kernel_size", "stride": "stride", "padding": "padding"}
_WINDOW = {"kernel": "kernel_size", "stride": "stride", "dilation": "dilation", "padding": "padding"}
FUNCTIONAL: dict[str, Row] = {
    "relu": _row("relu", _IN),
    "relu6": _row("relu6", _IN),
    "rrelu": _row("rrelu", "input!, lower=0.125, upper=0.3333333333333333, training=False, inplace=False", {"lower": "lower", "upper": "upper"}),
    "leaky_relu": _row("leaky_relu", "input!, negative_slope=0.01, inplace=False", _LR),
    "elu": _row("elu", "input!, alpha=1.0, inplace=False", {"alpha": "alpha"}),
    "celu": _row("celu", "input!, alpha=1.0, inplace=False", {"alpha": "alpha"}),
    "selu": _row("selu", _IN),
    "gelu": _row("gelu", "input!, *, approximate='none'", {"approximate": "approximate"}),
    "silu": _row("silu", _IN),
    "mish": _row("mish", _IN),
    "sigmoid": _row("sigmoid"),
    "tanh": _row("tanh"),
    "logsigmoid": _row("log_sigmoid"),
    "log_sigmoid": _row("log_sigmoid"),  # as torch calls it inside
    "hardsigmoid": _row("hard_sigmoid", _IN),
    "hardswish": _row("hard_swish", _IN),
    "hardtanh": _row("clamp", "input!, min_val=-1.0, max_val=1.0, inplace=False", {"min": "min_val", "max": "max_val"}),
    "softplus": _row("softplus", "input!, beta=1, threshold=20", {"beta": "beta"}),
    "softsign": _row("softsign"),
    "glu": _row("glu", "input!, dim=-1", _AXIS, activation="sigmoid"),
    "softmax": UNARY["softmax"],
    "log_softmax": UNARY["log_softmax"],
    "gumbel_softmax": _row("gumbel_softmax", "logits!, tau=1, hard=False, eps=1e-10, dim=-1", {"axis": "dim", "temperature": "tau", "hard": "hard"}),
    "linear": _row("linear", "input!, weight!, bias=None!"),
    "bilinear": ONLY["bilinear"],
    "embedding": Row("embedding", "input!, weight!, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False", {"padding": "padding_idx"}, plain=("max_norm",)),
    "embedding_bag": Row("embedding", "input!, weight!, offsets=None!, max_norm=None, norm_type=2, scale_grad_by_freq=False, mode='mean', sparse=False, per_sample_weights=None!, include_last_offset=False, padding_idx=None", {"combine": "mode", "padding": "padding_idx"}, plain=("max_norm",)),
    "one_hot": _row("one_hot", "tensor!, num_classes=-1", {"classes": "num_classes"}),
    "batch_norm": _row("batch_norm", "input!, running_mean~, running_var~, weight=None!, bias=None!, training=False, momentum=0.1, eps=1e-05", {"eps": "eps", "momentum": "momentum"}),
    "instance_norm": _row("instance_norm", "input!, running_mean=None~, running_var=None~, weight=None!, bias=None!, use_input_stats=True, momentum=0.1, eps=1e-05", {"eps": "eps"}),
    "layer_norm": _row("layer_norm", "input!, normalized_shape, weight=None!, bias=None!, eps=1e-05", {"dim": "normalized_shape", "eps": "eps"}),
    "rms_norm": ONLY["rms_norm"],
    "group_norm": _row("group_norm", "input!, num_groups, weight=None!, bias=None!, eps=1e-05", {"groups": "num_groups", "eps": "eps"}),
    "local_response_norm": _row("local_response_norm", "input!, size, alpha=0.0001, beta=0.75, k=1.0", {"size": "size", "alpha": "alpha", "beta": "beta", "k": "k"}),
    "normalize": _row("l2_norm", "input!, p=2.0, dim=1, eps=1e-12", {"axis": "dim", "eps": "eps", "p": "p"}),
    "dropout": Row("dropout", "input!, p=0.5, training=True, inplace=False", {"p": "p"}, active="training"),
    "dropout1d": Row("dropout", "input!, p=0.5, training=True, inplace=False", {"p": "p"}, {"axes": (-1,)}, active="training"),
    "dropout2d": Row("dropout", "input!, p=0.5, training=True, inplace=False", {"p": "p"}, {"axes": (-2, -1)}, active="training"),
    "dropout3d": Row("dropout", "input!, p=0.5, training=True, inplace=False", {"p": "p"}, {"axes": (-3, -2, -1)}, active="training"),
    "alpha_dropout": Row("dropout", "input!, p=0.5, training=False, inplace=False", {"p": "p"}, {"alpha": True}, active="training"),
    "feature_alpha_dropout": Row("dropout", "input!, p=0.5, training=False, inplace=False", {"p": "p"}, {"alpha": True, "axes": "spatial"}, active="training"),
    "interpolate": _row("interpolate", "input!, size=None, scale_factor=None, mode='nearest', align_corners=None, recompute_scale_factor=None, antialias=False", _SIZES | {"mode": "mode", "align_corners": "align_corners"}),
    "upsample": _row("interpolate", "input!, size=None, scale_factor=None, mode='nearest', align_corners=None", _SIZES | {"mode": "mode", "align_corners": "align_corners"}),
    "upsample_nearest": _row("interpolate", "input!, size=None, scale_factor=None", _SIZES, mode="nearest"),
    "upsample_bilinear": _row("interpolate", "input!, size=None, scale_factor=None", _SIZES, mode="bilinear", align_corners=True),
    "grid_sample": _row("grid_sample", "input!, grid!, mode='bilinear', padding_mode='zeros', align_corners=None", {"mode": "mode", "padding_mode": "padding_mode", "align_corners": "align_corners"}),
    "pad": _row("pad", "input!, pad, mode='constant', value=None", {"amount": "pad", "mode": "mode", "by": "value"}),
    "unfold": _row("unfold", "input!, kernel_size, dilation=1, padding=0, stride=1", _WINDOW),
    "fold": _row("fold", "input!, output_size, kernel_size, dilation=1, padding=0, stride=1", _WINDOW | {"size": "output_size"}),
    "pixel_shuffle": _row("pixel_shuffle", "input!, upscale_factor", {"factor": "upscale_factor"}, inverse=False),
    "pixel_unshuffle": _row("pixel_shuffle", "input!, downscale_factor", {"factor": "downscale_factor"}, inverse=True),
    "channel_shuffle": _row("channel_shuffle", "input!, groups", {"groups": "groups"}),
    "native_channel_shuffle": _row("channel_shuffle", "input!, groups", {"groups": "groups"}),
    "prelu": SHARED["prelu"],
    "hardshrink": SHARED["hardshrink"],
    "scaled_dot_product_attention": _row("attention", "query!, key!, value!, attn_mask=None!, dropout_p=0.0, is_causal=False, *, scale=None, enable_gqa=False", {"dropout": "dropout_p", "causal": "is_causal", "scale": "scale"}, layout="b h s d"),
    "multi_head_attention_forward": Row(
        "attention",
        "query!, key!, value!, embed_dim_to_check, num_heads, in_proj_weight!, in_proj_bias!, bias_k!, bias_v!, add_zero_attn, dropout_p, out_proj_weight!, out_proj_bias!, training=True, key_padding_mask=None!, need_weights=True, attn_mask=None!, use_separate_proj_weight=False, q_proj_weight=None!, k_proj_weight=None!, v_proj_weight=None!, static_k=None!, static_v=None!, average_attn_weights=True, is_causal=False",
        {"heads": "num_heads", "dropout": "dropout_p", "causal": "is_causal", "out_features": "embed_dim_to_check"},
        {"projected": True, "batch_first": False},
        outputs=2,
    ),
    "adaptive_avg_pool1d": _row("pool", "input!, output_size", {"size": "output_size"}, mode="mean", axes=1),
    "adaptive_avg_pool2d": _row("pool", "input!, output_size", {"size": "output_size"}, mode="mean", axes=2),
    "adaptive_avg_pool3d": _row("pool", "input!, output_size", {"size": "output_size"}, mode="mean", axes=3),
    **{name: _whole(name, params) for name, params in _LOSSES.items()},
    "pdist": _whole("pdist", "input!, p=2.0"),
    "conv_tbc": _row("conv", "input!, weight!, bias!, pad=0", {"padding": "pad"}, axes=1),
}
for _n in (1, 2, 3):
    _divisor = "" if _n == 1 else ", divisor_override=None"
    FUNCTIONAL[f"conv{_n}d"] = _row("conv", "input!, weight!, bias=None!, stride=1, padding=0, dilation=1, groups=1", _CONV, axes=_n)
    FUNCTIONAL[f"conv_transpose{_n}d"] = _row("conv_transpose", "input!, weight!, bias=None!, stride=1, padding=0, output_padding=0, groups=1, dilation=1", _CONV, axes=_n)
    FUNCTIONAL[f"max_pool{_n}d"] = Row("pool", "input!, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False", _POOL | {"dilation": "dilation"}, {"mode": "max", "axes": _n}, plain=("return_indices",))
    FUNCTIONAL[f"max_pool{_n}d_with_indices"] = Row("pool", "input!, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False", _POOL | {"dilation": "dilation"}, {"mode": "max", "axes": _n}, outputs=2)
    FUNCTIONAL[f"adaptive_max_pool{_n}d"] = Row("pool", "input!, output_size, return_indices=False", {"size": "output_size"}, {"mode": "max", "axes": _n}, plain=("return_indices",))
    FUNCTIONAL[f"adaptive_max_pool{_n}d_with_indices"] = Row("pool", "input!, output_size, return_indices=False", {"size": "output_size"}, {"mode": "max", "axes": _n}, outputs=2)
    FUNCTIONAL[f"avg_pool{_n}d"] = Row("pool", f"input!, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True{_divisor}", _POOL, {"mode": "mean", "axes": _n}, plain=() if _n == 1 else ("divisor_override",))
    FUNCTIONAL[f"lp_pool{_n}d"] = _row("pool", "input!, norm_type, kernel_size, stride=None, ceil_mode=False", {"p": "norm_type", "kernel": "kernel_size", "stride": "stride"}, mode="lp", axes=_n)
    FUNCTIONAL[f"max_unpool{_n}d"] = _row("unpool", "input!, indices!, kernel_size, stride=None, padding=0, output_size=None", _POOL, axes=_n)

# in torch itself these differ from torch.nn.functional's of the same name
_TORCH_OWN = {
    "layer_norm": _row("layer_norm", "input!, normalized_shape, weight=None!, bias=None!, eps=1e-05, cudnn_enable=True", {"dim": "normalized_shape", "eps": "eps"}),
    "group_norm": _row("group_norm", "input!, num_groups, weight=None!, bias=None!, eps=1e-05, cudnn_enabled=True", {"groups": "num_groups", "eps": "eps"}),
    "batch_norm": _row("batch_norm", "input!, weight!, bias!, running_mean~, running_var~, training, momentum, eps, cudnn_enabled", {"eps": "eps", "momentum": "momentum"}),
    "instance_norm": _row("instance_norm", "input!, weight!, bias!, running_mean~, running_var~, use_input_stats, momentum, eps, cudnn_enabled", {"eps": "eps"}),
    "embedding": _row("embedding", "weight!, indices!, padding_idx=-1, scale_grad_by_freq=False, sparse=False"),
    "dropout": Row("dropout", "input!, p, train", {"p": "p"}, active="train"),
    "feature_dropout": Row("dropout", "input!, p, train", {"p": "p"}, {"axes": "spatial"}, active="train"),
    "alpha_dropout": Row("dropout", "input!, p, train", {"p": "p"}, {"alpha": True}, active="train"),
    "feature_alpha_dropout": Row("dropout", "input!, p, train", {"p": "p"}, {"alpha": True, "axes": "spatial"}, active="train"),
    "rrelu": _row("rrelu", "input!, lower=0.125, upper=0.3333333333333333, training=False", {"lower": "lower", "upper": "upper"}),
}
# in-place forms that are functions: torch.relu_, torch.nn.functional.elu_
INPLACE_FUNCTIONS = ("relu", "elu", "celu", "selu", "leaky_relu", "hardtanh", "rrelu", "threshold", "sigmoid", "tanh", "dropout", "alpha_dropout", "feature_dropout", "feature_alpha_dropout", "clamp", "exp", "sqrt", "rsqrt", "abs", "neg", "floor", "ceil", "round", "trunc", "sin", "cos", "log", "reciprocal", "square", "detach", "embedding_renorm")

# ---- torch.special, torch.fft, torch.linalg

_SPECIAL = {"expit": _row("sigmoid"), "softmax": UNARY["softmax"], "log_softmax": UNARY["log_softmax"], "logsumexp": SHARED["logsumexp"], "gammaln": UNARY["lgamma"], "psi": UNARY["digamma"], **{name: UNARY[name] for name in ("erf", "erfc", "erfinv", "exp2", "expm1", "log1p", "logit", "sinc", "round", "i0", "digamma")}, "xlogy": BINARY["xlogy"], **{name: _row("elementwise", function=name) for name in ("entr", "ndtr", "ndtri", "log_ndtr", "i0e", "i1", "i1e", "bessel_j0", "bessel_j1", "erfcx")}}
_FFT_ONE = {"length": "n", "axis": "dim"}
_FFT_MANY = {"length": "s", "axis": "dim"}


def _fft() -> dict[str, Row]:
    rows: dict[str, Row] = {}
    for prefix in ("", "i"):
        for real in ("", "r"):
            const: dict[str, AttrValue] = {"inverse": bool(prefix), "real": bool(real)}
            rows[f"{prefix}{real}fft"] = _row("fft", "input!, n=None, dim=-1, norm=None", _FFT_ONE, **const)
            rows[f"{prefix}{real}fft2"] = _row("fft", "input!, s=None, dim=(-2, -1), norm=None", _FFT_MANY, **const)
            rows[f"{prefix}{real}fftn"] = _row("fft", "input!, s=None, dim=None, norm=None", _FFT_MANY, **const)
    return rows


_LINALG = {
    **{name: _whole(name, "A!") for name in ("det", "inv", "eigvals", "matrix_exp", "svdvals")},
    **{name: _whole(name, "A!, UPLO='L'", 2 if name == "eigh" else 1) for name in ("eigh", "eigvalsh")},
    "cross": _whole("cross", "input!, other!, *, dim=-1"),
    "solve": _whole("solve", "A!, B!, *, left=True"),
    "solve_triangular": _whole("solve_triangular", "A!, B!, *, upper, left=True, unitriangular=False"),
    "cholesky": _whole("cholesky", "A!, *, upper=False"),
    "pinv": _whole("pinv", "A!, *, atol=None, rtol=None, hermitian=False"),
    "matrix_power": _whole("matrix_power", "A!, n"),
    "eig": _whole("eig", "A!", 2, ("eigenvalues", "eigenvectors")),
    "slogdet": _whole("slogdet", "A!", 2, ("sign", "logabsdet")),
    "svd": _whole("svd", "A!, full_matrices=True, *, driver=None", 3, ("U", "S", "Vh")),
    "qr": _whole("qr", "A!, mode='reduced'", 2, ("Q", "R")),
    "norm": _row("vector_norm", "input!, ord=None, dim=None, keepdim=False", {"axis": "dim", "p": "ord"}),
    "vector_norm": _row("vector_norm", "x!, ord=2, dim=None, keepdim=False", {"axis": "dim", "p": "ord"}),
    "matmul": SHARED["matmul"],
    "vecdot": Row("einsum", "x!, y!, *, dim=-1", const={"equation": "...i,...i->..."}, plain=("dim",)),
    "diagonal": _row("select", "input!, *, offset=0, dim1=-2, dim2=-1", {"offset": "offset"}, index="diagonal"),
}
_FLEX = Row("attention", "query!, key!, value!, score_mod=None, block_mask=None!, scale=None, enable_gqa=False, return_lse=False, kernel_options=None, *, return_aux=None", {"scale": "scale"}, {"layout": "b h s d"}, plain=("score_mod", "return_lse", "return_aux"))


def _functions() -> dict[str, Row]:
    own: dict[str, Row] = {**FUNCTIONAL, **UNARY, **BINARY, **SHARED, **WHOLE, **ONLY, **_TORCH_OWN}
    found: dict[str, Row] = {"torch." + name: row for name, row in own.items()}
    found |= {"torch.nn.functional." + name: row for name, row in FUNCTIONAL.items()}
    for name in INPLACE_FUNCTIONS:
        for package in ("torch.", "torch.nn.functional."):
            if row := found.get(package + name):
                found[package + name + "_"] = Row(row.kind, row.params, row.attrs, row.const, row.outputs, True, row.plain, row.active)
    found |= {"torch.special." + name: row for name, row in _SPECIAL.items()}
    found |= {"torch.fft." + name: row for name, row in _fft().items()}
    found |= {"torch.linalg." + name: row for name, row in _LINALG.items()}
    found["torch.nn.attention.flex_attention.flex_attention"] = _FLEX
    found["torch.autograd.Variable"] = Row("identity", "data!, requires_grad=False, volatile=False")  # before 0.4
    return found


FUNCTIONS: dict[str, Row] = _functions()
