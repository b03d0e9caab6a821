"""Names of ATen's ops → names and argument orders that the dialect tables list; PyTorch's own schema says what is what.

Most names are those of functions or methods of torch. Where an op takes its arguments in another order, or computes a
part of what a function does, its row here says how it is called in Python.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from archcheck.frontends import dialects
from archcheck.frontends.trace.wire import Encoded

_ATEN = "torch.ops.aten."


@dataclass(frozen=True, slots=True)
class Called:
    """A call as Python would write it; `first` where only the first of several results is the call's."""

    name: str
    args: list[Encoded]
    kwargs: dict[str, Encoded]
    first: bool = False


def base_of(target: str) -> str:
    """The name of an ATen op without namespace and overload; "" for ops of others."""
    return target[len(_ATEN) :].partition(".")[0] if target.startswith(_ATEN) else ""


def is_check(target: str) -> bool:
    """Whether an op checks something, and computes nothing."""
    return base_of(target).startswith(("_assert", "sym_constrain", "_functional_assert", "_functional_sym"))


def is_inplace(target: str) -> bool:
    """Whether an op writes into its first argument."""
    base = base_of(target)
    return base.endswith("_") and not base.endswith("__") and base != "detach_"


_VIEWS = frozenset({"view", "_unsafe_view", "transpose", "permute", "t", "slice", "select", "unsqueeze", "squeeze"})
_VIEWS |= {"expand", "expand_as", "view_as", "unflatten", "split", "split_with_sizes", "chunk", "unbind", "narrow"}
_VIEWS |= {"diagonal", "detach", "detach_", "alias", "swapaxes", "swapdims", "movedim", "moveaxis", "unfold"}
_VIEWS |= {"numpy_T", "mT", "adjoint", "tensor_split", "lift_fresh"}
_VIEWS_OF_CONTIGUOUS = frozenset({"reshape", "flatten", "contiguous", "ravel"})


def is_view(target: str, contiguous: bool) -> bool:
    """Whether what an op gives looks at the memory of its first argument, which may be contiguous."""
    base = base_of(target)
    return base in _VIEWS or (contiguous and base in _VIEWS_OF_CONTIGUOUS)


_MADE = frozenset({"zeros", "ones", "empty", "full", "arange", "rand", "randn", "randint", "randperm", "eye", "normal"})
_MADE |= {"linspace", "logspace", "tensor", "scalar_tensor", "tril_indices", "triu_indices", "range", "empty_strided"}
_SECOND = frozenset({"einsum", "pow"})  # the first argument of these may be a text, or a number


def takes(base: str, args: Sequence[Encoded]) -> bool:
    """Whether the argument that an op works on is a tensor, or a list of tensors."""
    if base in _MADE or base.endswith("_window"):
        return True
    return any(_is_tensor(one) for one in args[: 2 if base in _SECOND else 1])


def _is_tensor(value: Encoded) -> bool:
    if type(value) is not list:
        return False
    if value[0] in ("l", "u"):
        return len(value) > 1 and all(one is None or _is_tensor(one) for one in value[1:])
    return bool(value[0] == "t")


def called(target: str, args: Sequence[Encoded], kwargs: dict[str, Encoded], ranks: Callable[[Encoded], int]) -> Called:
    """The call of torch that an op stands for; an op that no table lists keeps its name.

    Args:
        target: the op.
        args: positional arguments, in the order of its schema.
        kwargs: by keyword.
        ranks: gives how many axes a tensor has.
    """
    base = base_of(target)
    if not base:
        return Called(_other(target), list(args), kwargs)
    if base in _CALLS:
        padded = [*args, *([None] * 12)]
        found = _CALLS[base](padded, kwargs, ranks)
        while found.args and found.args[-1] is None:
            found.args.pop()
        return found
    return Called(_NAMES.get(base) or _listed(base, target), list(args), kwargs)


def _other(target: str) -> str:
    """The name of an op that is not ATen's, which no table lists."""
    return target.removeprefix("torch.ops.").removesuffix(".default")


def _listed(base: str, target: str) -> str:
    for package in ("torch.linalg.", "torch.special.", "torch.fft."):
        prefix = package[len("torch.") : -1] + "_"
        if base.startswith(prefix) and dialects.known(package + base[len(prefix) :]):
            return package + base[len(prefix) :]
    for name in (f"torch.{base}", f"torch.nn.functional.{base}", f"torch.Tensor.{base}"):
        if dialects.function(name) is not None or dialects.formula(name) is not None:
            return name
    if dialects.method(base) is not None or dialects.method_formula(base) is not None:
        return f"torch.Tensor.{base}"
    return f"aten.{target[len(_ATEN) :]}".removesuffix(".default")


_Kwargs = dict[str, Any]
_Ranks = Callable[[Encoded], int]
_Rule = Callable[[list[Any], _Kwargs, _Ranks], Called]
_FUNCTIONAL = "torch.nn.functional."
_PAD = f"{_FUNCTIONAL}pad"


def _to(name: str, *chosen: int, first: bool = False, **fixed: Encoded) -> _Rule:
    """A call of `name` with some of the positional arguments, in this order."""
    return lambda args, kwargs, ranks: Called(name, [args[at] for at in chosen], {**fixed}, first)


def _convolution(args: list[Any], kwargs: _Kwargs, ranks: _Ranks) -> Called:
    axes = max(1, min(3, ranks(args[1]) - 2))
    if args[6]:
        return Called(f"{_FUNCTIONAL}conv_transpose{axes}d", [*args[:5], args[7], args[8], args[5]], {})
    return Called(f"{_FUNCTIONAL}conv{axes}d", [*args[:6], args[8]], {})


def _without_statistics(order: Sequence[int]) -> _Rule:
    """A batch norm without what it has counted so far, which is no operand of the layer."""

    def rule(args: list[Any], kwargs: _Kwargs, ranks: _Ranks) -> Called:
        taken = [args[at] if at >= 0 else True for at in order]
        return Called("torch.batch_norm", [*args[:3], None, None, *taken, True], {}, first=True)

    return rule


def _interpolate(mode: str, *, aligned: bool) -> _Rule:
    def rule(args: list[Any], kwargs: _Kwargs, ranks: _Ranks) -> Called:
        scale = args[3] if aligned else args[2]
        given = {"size": args[1], "scale_factor": scale, "mode": mode}
        return Called(f"{_FUNCTIONAL}interpolate", [args[0]], given | ({"align_corners": args[2]} if aligned else {}))

    return rule


def _attention(mask: int, causal: int, dropout: int) -> _Rule:
    """A kernel of scaled dot-product attention."""

    def rule(args: list[Any], kwargs: _Kwargs, ranks: _Ranks) -> Called:
        given = {"attn_mask": kwargs.get("attn_mask", args[mask] if mask else None), "scale": kwargs.get("scale")}
        given |= {"dropout_p": args[dropout] or 0.0, "is_causal": bool(args[causal])}
        return Called(f"{_FUNCTIONAL}scaled_dot_product_attention", args[:3], given, first=True)

    return rule


def _loss(name: str) -> _Rule:
    def rule(args: list[Any], kwargs: _Kwargs, ranks: _Ranks) -> Called:
        return Called(_FUNCTIONAL + name, args[:2], {})

    return rule


def _embedding(args: list[Any], kwargs: _Kwargs, ranks: _Ranks) -> Called:
    return Called(f"{_FUNCTIONAL}embedding", [args[1], args[0], args[2] if args[2] != -1 else None], {})


_NAMES: dict[str, str] = {
    "_unsafe_view": "torch.Tensor.view",
    "_to_copy": "torch.Tensor.to",
    "_adaptive_avg_pool2d": "torch.nn.functional.adaptive_avg_pool2d",
    "_adaptive_avg_pool3d": "torch.nn.functional.adaptive_avg_pool3d",
    "log_sigmoid": "torch.nn.functional.logsigmoid",
    "unfold": "torch.Tensor.unfold",
    "pad": "torch.nn.functional.pad",
    "numpy_T": "property.T",
    "mT": "property.mT",
    "alias": "torch.detach",
    "lift_fresh": "torch.detach",
    "lift_fresh_copy": "torch.clone",
    "detach_": "torch.detach",
    "view": "torch.Tensor.view",
    "reshape": "torch.Tensor.reshape",
    "permute": "torch.Tensor.permute",
    "expand": "torch.Tensor.expand",
    "clone": "torch.clone",
    "copy": "torch.Tensor.expand_as",
    "bitwise_not": "torch.Tensor.__invert__",
    "__and__": "torch.Tensor.__and__",
    "__or__": "torch.Tensor.__or__",
    "__xor__": "torch.Tensor.__xor__",
    "bitwise_and": "torch.Tensor.__and__",
    "bitwise_or": "torch.Tensor.__or__",
    "bitwise_xor": "torch.Tensor.__xor__",
}
_CALLS: dict[str, _Rule] = {
    "softmax": _to("torch.softmax", 0, 1),
    "_softmax": _to("torch.softmax", 0, 1),
    "_safe_softmax": _to("torch.softmax", 0, 1),
    "log_softmax": _to("torch.log_softmax", 0, 1),
    "_log_softmax": _to("torch.log_softmax", 0, 1),
    "elu": _to(f"{_FUNCTIONAL}elu", 0, 1),
    "embedding": _embedding,
    "convolution": _convolution,
    "_convolution": _convolution,
    "native_dropout": _to("torch.dropout", 0, 1, 2, first=True),
    "native_layer_norm": _to("torch.layer_norm", 0, 1, 2, 3, 4, first=True),
    "native_group_norm": _to("torch.group_norm", 0, 6, 1, 2, 7, first=True),
    "batch_norm": _without_statistics((5, 6, 7)),
    "native_batch_norm": _without_statistics((5, 6, 7)),
    "_native_batch_norm_legit": _without_statistics((5, 6, 7)),
    "_native_batch_norm_legit_functional": _without_statistics((5, 6, 7)),
    "_native_batch_norm_legit_no_training": lambda args, kwargs, ranks: Called(
        "torch.batch_norm", [*args[:3], None, None, False, args[5], args[6], True], {}, first=True
    ),
    "im2col": _to(f"{_FUNCTIONAL}unfold", 0, 1, 2, 3, 4),
    "col2im": _to(f"{_FUNCTIONAL}fold", 0, 1, 2, 3, 4, 5),
    "constant_pad_nd": lambda args, kwargs, ranks: Called(_PAD, [args[0], args[1], "constant", args[2]], {}),
    **{f"reflection_pad{n}d": _to(_PAD, 0, 1, mode="reflect") for n in (1, 2, 3)},
    **{f"replication_pad{n}d": _to(_PAD, 0, 1, mode="replicate") for n in (1, 2, 3)},
    "upsample_nearest1d": _interpolate("nearest", aligned=False),
    "upsample_nearest2d": _interpolate("nearest", aligned=False),
    "upsample_nearest3d": _interpolate("nearest", aligned=False),
    "upsample_linear1d": _interpolate("linear", aligned=True),
    "upsample_bilinear2d": _interpolate("bilinear", aligned=True),
    "upsample_bicubic2d": _interpolate("bicubic", aligned=True),
    "upsample_trilinear3d": _interpolate("trilinear", aligned=True),
    "_scaled_dot_product_flash_attention_for_cpu": _attention(0, 4, 3),
    "_scaled_dot_product_flash_attention": _attention(0, 4, 3),
    "_scaled_dot_product_efficient_attention": _attention(3, 6, 5),
    "_scaled_dot_product_cudnn_attention": _attention(3, 6, 5),
    "cross_entropy_loss": _loss("cross_entropy"),
    "nll_loss_nd": _loss("nll_loss"),
    "mse_loss": _loss("mse_loss"),
    "l1_loss": _loss("l1_loss"),
    "smooth_l1_loss": _loss("smooth_l1_loss"),
}  # fmt: skip
