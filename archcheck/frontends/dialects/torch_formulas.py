"""What no single row of torch can say, spelled in Python: overloads, compositions, factors on operands."""

from __future__ import annotations

from archcheck.frontends.dialects.table import Formula

_VARIANCE = (
    # torch keeps the overloads of 1.x: a boolean in the place of `dim`, or behind it, is `unbiased`
    "lambda input, dim=None, unbiased=None, keepdim=False, *, correction=1: op.{kind}(input, "
    "axis=None if dim is True or dim is False else dim, keepdim=keepdim, "
    "correction=int(dim) if dim is True or dim is False else correction if unbiased is None else int(unbiased))"
)
_VARIANCE_MEAN = (
    "lambda input, dim=None, unbiased=None, keepdim=False, *, correction=1: "
    "(torch.{kind}(input, dim, unbiased, keepdim, correction=correction), torch.mean(input, dim, keepdim))"
)
_EXTREME = (
    "lambda input, dim=None, keepdim=False, *, other=None: torch.{pair}(input, other) if other is not None "
    "else torch.a{which}(input) if dim is None "
    "else torch.{pair}(input, dim) if isinstance(dim, torch.Tensor) "
    "else named(values=torch.a{which}(input, dim, keepdim), indices=torch.arg{which}(input, dim, keepdim))"
)
_RANGE = "lambda start, end=None, step=1: op.constant(value='{name}', start=0 if end is None else start, end=start if end is None else end, step=step)"
_AS_TENSOR = "lambda data, copy=None: op.identity(data) if isinstance(data, torch.Tensor) else torch.tensor(data)"

# functions of torch and, but for the name of the first parameter, methods of torch.Tensor
_UNIQUE = "lambda input, {params}: (lambda parts: parts if len(parts) > 1 else parts[0])((op.tensor_function(input, function='unique'), *((op.tensor_function(input, function='unique_inverse'),) if return_inverse else ()), *((op.tensor_function(input, function='unique_counts'),) if return_counts else ())))"
SHARED: dict[str, str] = {
    "median": "lambda input: op.tensor_function(input, function='median')",
    "nanmedian": "lambda input: op.tensor_function(input, function='nanmedian')",
    "unique": _UNIQUE.format(params="sorted=True, return_inverse=False, return_counts=False, dim=None"),
    "unique_consecutive": _UNIQUE.format(params="return_inverse=False, return_counts=False, dim=None"),
    "add": "lambda input, other, *, alpha=1: input + alpha * other",
    "sub": "lambda input, other, *, alpha=1: input - alpha * other",
    "subtract": "lambda input, other, *, alpha=1: input - alpha * other",
    "rsub": "lambda input, other, *, alpha=1: other - input if alpha == 1 else other - alpha * input",
    "addcmul": "lambda input, tensor1, tensor2, *, value=1: input + tensor1 * tensor2 if value == 1 else input + value * (tensor1 * tensor2)",
    "addcdiv": "lambda input, tensor1, tensor2, *, value=1: input + tensor1 / tensor2 if value == 1 else input + value * (tensor1 / tensor2)",
    "addr": "lambda input, vec1, vec2, *, beta=1, alpha=1: beta * input + alpha * torch.outer(vec1, vec2)",
    "addbmm": "lambda input, batch1, batch2, *, beta=1, alpha=1: beta * input + alpha * torch.bmm(batch1, batch2).sum(0)",
    "vdot": "lambda input, other: torch.dot(input, other)",  # of real tensors
    "max": _EXTREME.format(which="max", pair="maximum"),
    "min": _EXTREME.format(which="min", pair="minimum"),
    "aminmax": "lambda input, *, dim=None, keepdim=False: named(min=torch.amin(input, dim, keepdim), max=torch.amax(input, dim, keepdim))",
    "argsort": "lambda input, dim=-1, descending=False, *, stable=False: torch.sort(input, dim, descending)[1]",
    "msort": "lambda input: torch.sort(input, 0)[0]",
    "kthvalue": "lambda input, k, dim=-1, keepdim=False: tuple(torch.narrow(part, dim, k - 1, 1) if keepdim else torch.select(part, dim, k - 1) for part in torch.sort(input, dim))",
    "var": _VARIANCE.format(kind="var"),
    "std": _VARIANCE.format(kind="std"),
    "where": "lambda condition: op.nonzero(condition)",  # with three arguments it is a row
    "count_nonzero": "lambda input, dim=None: torch.sum(input != 0, dim)",
    "diff": (
        "lambda input, n=1, dim=-1, prepend=None, append=None: torch.diff(torch.cat([part for part in "
        "(prepend, input, append) if part is not None], dim), n, dim) if prepend is not None or append is not None "
        "else torch.narrow(input, dim, 1, input.shape[dim] - 1) - torch.narrow(input, dim, 0, input.shape[dim] - 1) if n == 1 "
        "else torch.diff(torch.diff(input, n - 1, dim), 1, dim)"
    ),
    "trace": "lambda input: torch.sum(torch.diagonal(input))",
    "dist": "lambda input, other, p=2: torch.norm(input - other, p)",
    "hsplit": "lambda input, sections: torch.tensor_split(input, sections, 1)",
    "vsplit": "lambda input, sections: torch.tensor_split(input, sections, 0)",
    "dsplit": "lambda input, sections: torch.tensor_split(input, sections, 2)",
    "slice_scatter": "lambda input, src, dim=0, start=None, end=None, step=1: op.update(input, src, axis=dim, index=(start, end, step))",
}

_TORCH: dict[str, str] = {
    "var_mean": _VARIANCE_MEAN.format(kind="var"),
    "std_mean": _VARIANCE_MEAN.format(kind="std"),
    # the function of one entry, called once; what it gives is stacked (see libraries.py for `vmap` itself)
    "vmap.entry": "lambda input, axis: op.select(input, axis=axis, index=unknown('each entry'))",
    "vmap.stacked": "lambda input, axis: op.stack(input, axis=axis)",
    "equal": "lambda input, other: unknown('whether two tensors are equal')",
    "allclose": "lambda input, other, rtol=1e-05, atol=1e-08, equal_nan=False: unknown('whether two tensors are close')",
    **{f"atleast_{n}d": "lambda tensors: op.identity(tensors) if isinstance(tensors, torch.Tensor) else tuple(op.identity(one) for one in tensors)" for n in (1, 2, 3)},
    "arange": _RANGE.format(name="arange"),
    "range": _RANGE.format(name="range"),  # its end is part of it
    "as_tensor": _AS_TENSOR,
    "asarray": _AS_TENSOR,
    "from_numpy": _AS_TENSOR,
    "hstack": "lambda tensors: op.concat(*tensors, axis=1)",
    "column_stack": "lambda tensors: op.concat(*tensors, axis=1)",
    "vstack": "lambda tensors: op.concat(*tensors, axis=0)",
    "row_stack": "lambda tensors: op.concat(*tensors, axis=0)",
    "dstack": "lambda tensors: op.concat(*tensors, axis=2)",
    "cdist": "lambda x1, x2, p=2.0, compute_mode=None: op.vector_norm(x1.unsqueeze(-2) - x2.unsqueeze(-3), axis=-1, p=p)",
    "isin": "lambda elements, test_elements: op.compare(elements, test_elements, relation='isin')",
    "numel": "lambda input: input.numel()",
    "is_tensor": "lambda obj: isinstance(obj, torch.Tensor)",
    "overrides.is_tensor_like": "lambda inp: isinstance(inp, torch.Tensor)",
    "is_floating_point": "lambda input: input.is_floating_point()",
    "is_complex": "lambda input: input.is_complex()",
    "Size": "lambda sizes=(): tuple(sizes)",
    "broadcast_shapes": "lambda *shapes: tuple([max([1, *[shape[at] for shape in shapes if len(shape) >= -at]]) for at in range(-max([0, *[len(shape) for shape in shapes]]), 0)])",
    "special.multigammaln": "lambda input, p: op.elementwise(input, function='multigammaln', by=p)",
    "linalg.multi_dot": "lambda tensors: tensors[0] if len(tensors) == 1 else torch.matmul(torch.linalg.multi_dot(tensors[:-1]), tensors[-1])",
    "fft.fftshift": "lambda input, dim=None: op.roll(input, shift='half', axis=dim)",
    "fft.ifftshift": "lambda input, dim=None: op.roll(input, shift='half back', axis=dim)",
    "fft.fftfreq": "lambda n, d=1.0: op.constant(value='fftfreq', steps=n, step=d)",
    "fft.rfftfreq": "lambda n, d=1.0: op.constant(value='rfftfreq', steps=n, step=d)",
}

_DECORATOR = "lambda function=None, *args, **kwargs: (lambda found: found) if function is None else function"
_FALSE = "lambda *args, **kwargs: False"
# what stands around a computation and leaves it as it is; a reader is in no compiler and in no autocast region
_AROUND: dict[str, str] = {
    **dict.fromkeys(("no_grad", "enable_grad", "inference_mode", "compile", "compiler.disable", "compiler.allow_in_graph", "compiler.assume_constant_result", "_dynamo.disable", "_dynamo.allow_in_graph", "fx.wrap", "jit.export", "jit.ignore", "jit.unused", "jit.script", "jit.script_method", "jit.script_if_tracing", "jit.interface"), _DECORATOR),
    **dict.fromkeys(("set_grad_enabled", "autocast", "amp.autocast", "cuda.amp.autocast", "cpu.amp.autocast"), "lambda *args, **kwargs: (lambda found: found)"),
    **dict.fromkeys(("cuda.amp.custom_fwd", "cuda.amp.custom_bwd", "autograd.once_differentiable"), _DECORATOR),
    **dict.fromkeys(("amp.custom_fwd", "amp.custom_bwd"), "lambda *args, **kwargs: (lambda found: found)"),
    **dict.fromkeys(("jit.is_scripting", "jit.is_tracing", "_C._get_tracing_state", "compiler.is_compiling", "compiler.is_dynamo_compiling", "compiler.is_exporting", "_dynamo.is_compiling", "onnx.is_in_onnx_export", "overrides.has_torch_function", "overrides.has_torch_function_unary", "overrides.has_torch_function_variadic", "is_autocast_enabled", "is_autocast_cpu_enabled", "is_inference_mode_enabled", "fx._symbolic_trace.is_fx_tracing", "cuda.is_current_stream_capturing", "xpu.is_current_stream_capturing", "cuda.graphs.is_current_stream_capturing"), _FALSE),
    "nn.utils.skip_init": "lambda module_cls, *args, **kwargs: module_cls(*args, **kwargs)",
    # the weight as a direction and a length (salimans2016): another way to learn the same map
    "nn.utils.weight_norm": "lambda module, name='weight', dim=0: module",
    "nn.utils.parametrizations.weight_norm": "lambda module, name='weight', dim=0: module",
    "nn.utils.spectral_norm": "lambda module, name='weight', n_power_iterations=1, eps=1e-12, dim=None: module",
    "nn.utils.parametrizations.spectral_norm": "lambda module, name='weight', n_power_iterations=1, eps=1e-12, dim=None: module",
    "nn.utils.remove_spectral_norm": "lambda module, name='weight': module",
    "nn.utils.remove_weight_norm": "lambda module, name='weight': module",
    # sequences of several lengths in one tensor: another layout of the same numbers
    "nn.utils.rnn.pack_padded_sequence": "lambda input, lengths, batch_first=False, enforce_sorted=True: op.identity(input)",
    "nn.utils.rnn.pad_packed_sequence": "lambda sequence, batch_first=False, padding_value=0.0, total_length=None: (op.identity(sequence), unknown('the lengths of sequences'))",
    "nn.utils.rnn.pad_sequence": "lambda sequences, batch_first=False, padding_value=0.0, padding_side='right': op.identity(sequences) if isinstance(sequences, torch.Tensor) else torch.stack(sequences, 0 if batch_first else 1)",
    "nn.utils.rnn.pack_sequence": "lambda sequences, enforce_sorted=True: torch.stack(sequences, 1)",
    "jit.annotate": "lambda the_type, the_value: the_value",
    "jit.isinstance": "lambda obj, target_type: False if isinstance(obj, torch.Tensor) else unknown('whether a value is of a type')",
    "is_grad_enabled": "lambda: True",
    **dict.fromkeys(("load", "hub.load_state_dict_from_url", "utils.model_zoo.load_url"), "lambda *args, **kwargs: weights()"),
}
_FILLS = "lambda tensor, *args, **kwargs: tensor"  # what a tensor starts from is no part of what is computed with it
_INIT: dict[str, str] = {
    f"nn.init.{name}{suffix}": _FILLS
    for name in ("uniform", "normal", "trunc_normal", "constant", "ones", "zeros", "eye", "dirac", "xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal", "orthogonal", "sparse")
    for suffix in ("_", "")
} | {
    "nn.init._calculate_fan_in_and_fan_out": "lambda tensor: (unknown('from how many a tensor maps'), unknown('to how many a tensor maps'))",
    "nn.init._calculate_correct_fan": "lambda tensor, mode: unknown('between how many a tensor maps')",
    "nn.init.calculate_gain": "lambda nonlinearity, param=None: unknown('how much values are scaled before training')",
}

# in torch.nn.functional and, for those that torch has too, in torch
_FUNCTIONAL: dict[str, str] = {
    "softmin": "lambda input, dim=None, _stacklevel=3: torch.softmax(-input, dim)",
    "tanhshrink": "lambda input: input - torch.tanh(input)",
    "softshrink": "lambda input, lambd=0.5: torch.sign(input) * torch.relu(torch.abs(input) - lambd)",
    "threshold": "lambda input, threshold, value, inplace=False: torch.where(input > threshold, input, value)",
    "cosine_similarity": "lambda x1, x2, dim=1, eps=1e-08: torch.sum(op.l2_norm(x1, axis=dim, eps=eps) * op.l2_norm(x2, axis=dim, eps=eps), dim)",
    "pairwise_distance": "lambda x1, x2, p=2.0, eps=1e-06, keepdim=False: op.vector_norm(x1 - x2 + eps, axis=-1, p=p)",
    "adaptive_max_pool1d": "lambda input, output_size, return_indices=False: torch.nn.functional.adaptive_max_pool1d_with_indices(input, output_size)",
    "adaptive_max_pool2d": "lambda input, output_size, return_indices=False: torch.nn.functional.adaptive_max_pool2d_with_indices(input, output_size)",
    "adaptive_max_pool3d": "lambda input, output_size, return_indices=False: torch.nn.functional.adaptive_max_pool3d_with_indices(input, output_size)",
    **{
        f"max_pool{n}d": f"lambda input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False: torch.nn.functional.max_pool{n}d_with_indices(input, kernel_size, stride, padding, dilation)"
        for n in (1, 2, 3)
    },
}

# classes that are one formula: constructing gives what a call runs
_CLASSES: dict[str, str] = {
    "nn.Softmin": "lambda dim=None: (lambda input: torch.softmax(-input, dim))",
    "nn.Tanhshrink": "lambda: (lambda input: input - torch.tanh(input))",
    "nn.Softshrink": "lambda lambd=0.5: (lambda input: torch.nn.functional.softshrink(input, lambd))",
    "nn.Hardshrink": "lambda lambd=0.5: (lambda input: torch.hardshrink(input, lambd))",
    "nn.Threshold": "lambda threshold, value, inplace=False: (lambda input: torch.nn.functional.threshold(input, threshold, value))",
    "nn.CosineSimilarity": "lambda dim=1, eps=1e-08: (lambda x1, x2: torch.nn.functional.cosine_similarity(x1, x2, dim, eps))",
    "nn.PairwiseDistance": "lambda p=2.0, eps=1e-06, keepdim=False: (lambda x1, x2: torch.nn.functional.pairwise_distance(x1, x2, p, eps, keepdim))",
}

# sizes and axes that rows take one by one, given as one tuple under their name
_NAMED: dict[str, str] = {name: f"lambda *, size: torch.{name}(size)" for name in ("zeros", "ones", "empty", "rand", "randn")}
_NAMED |= {"flip": "lambda input, *, dims: torch.flip(input, dims)", "tile": "lambda input, *, dims: torch.tile(input, dims)", "randint": "lambda low=0, high=None, size=None: op.random(distribution='integers', shape=size)"}
_NAMED_METHODS: dict[str, str] = {
    name: f"lambda self, *, {word}: self.{name}({word})"
    for name, word in (("view", "size"), ("reshape", "shape"), ("expand", "size"), ("permute", "dims"), ("repeat", "repeats"), ("flip", "dims"), ("tile", "dims"), ("squeeze", "dim"), ("new_zeros", "size"), ("new_ones", "size"), ("new_empty", "size"))
}

_METHODS: dict[str, str] = {
    "where": "lambda self, condition, other: torch.where(condition, self, other)",
    "new": "lambda self, *size: op.constant(value='uninitialised', shape=size)",
}
_INPLACE = ("add", "sub", "subtract", "addcmul", "addcdiv", "addr", "addbmm")

FORMULAS: dict[str, Formula] = {
    **{"torch." + name: Formula(source) for name, source in {**_FUNCTIONAL, **SHARED, **_TORCH, **_AROUND, **_INIT, **_CLASSES, **_NAMED}.items()},
    **{"torch.nn.functional." + name: Formula(source) for name, source in _FUNCTIONAL.items()},
    **{package + "threshold_": Formula(_FUNCTIONAL["threshold"], inplace=True) for package in ("torch.", "torch.nn.functional.")},
}
METHOD_FORMULAS: dict[str, Formula] = {
    **{name: Formula(source) for name, source in {**SHARED, **_METHODS, **_NAMED_METHODS}.items()},
    **{name + "_": Formula(SHARED[name], inplace=True) for name in _INPLACE},
}
