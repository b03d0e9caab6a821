"""Ops that are the whole of a layer of torch, told as calls of its class, with what its constructor was given.

An exported program keeps the class of each module; the sizes of a layer follow from those of its weights. What is not
plainly one layer with its own weights stays the function that the op is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from archcheck.frontends.torch_export.program import Tensor
from archcheck.frontends.trace.wire import Encoded

Built = tuple[list[Encoded], dict[str, Encoded]]  # the tensors that it is called with; its constructor's arguments
_Shapes = Callable[[Encoded], Tensor | None]


def whole_layer(cls: str, base: str, args: list[Any], shapes: _Shapes) -> Built | None:
    """How a layer of the class `cls` (`torch.nn.Linear`) is called and was built, if an op is all that it computes.

    Args:
        cls: the class, as the dialects list it.
        base: the ATen op.
        args: its positional arguments.
        shapes: gives what is told about a tensor; None for what is none.
    """
    build = _LAYERS.get((cls, base))
    if build is None:
        return None
    tensors = [shapes(one) for one in args]
    try:
        behind = [shapes(one) for one in args[2][1:3]] if base in _RECURRENT else []
        return build([*args, *([None] * 12)], [*tensors, *([None] * 12), *behind])
    except (AttributeError, IndexError, TypeError, ValueError):
        return None  # an op of this name with other arguments than the layer gives it


def weights_of(base: str, args: list[Encoded]) -> Mapping[str, Encoded]:
    """The arguments of an op that a layer of its own keeps, by their names there."""
    if base == "embedding":
        return {"weight": args[0]}
    if base in _RECURRENT:
        return {"weight_ih_l0": args[2][1]}
    after = {"layer_norm": 2, "rms_norm": 2, "group_norm": 2}.get(base, 1)
    return dict(zip(("weight", "bias"), args[after : after + 2], strict=False))


def _one(sizes: Any) -> Encoded:
    """A size for each axis as one number, where they are the same."""
    if isinstance(sizes, (list, tuple)):
        numbers = [one for one in sizes if one not in ("l", "u")]
        return numbers[0] if numbers and all(one == numbers[0] for one in numbers) else ["u", *numbers]
    return sizes


def _linear(args: list[Any], told: list[Any]) -> Built:
    out, given = told[1].shape
    return [args[0]], {"in_features": given, "out_features": out, "bias": args[2] is not None}


def _conv(args: list[Any], told: list[Any]) -> Built:
    out, given, *kernel = told[1].shape
    groups = args[6] or 1
    return [args[0]], {
        "in_channels": given * groups, "out_channels": out, "kernel_size": _one(kernel),
        "stride": _one(args[3]) or 1, "padding": _one(args[4]) or 0, "dilation": _one(args[5]) or 1,
        "groups": groups, "bias": args[2] is not None,
    }  # fmt: skip


def _conv_transpose(args: list[Any], told: list[Any]) -> Built:
    given, out, *kernel = told[1].shape
    groups = args[6] or 1
    return [args[0]], {
        "in_channels": given, "out_channels": out * groups, "kernel_size": _one(kernel),
        "stride": _one(args[3]) or 1, "padding": _one(args[4]) or 0, "output_padding": _one(args[5]) or 0,
        "groups": groups, "bias": args[2] is not None, "dilation": _one(args[7]) or 1,
    }  # fmt: skip


def _layer_norm(args: list[Any], told: list[Any]) -> Built:
    sizes = args[1]
    shape: Encoded = sizes[1] if len(sizes) == 2 else ["u", *sizes[1:]]
    return [args[0]], {
        "normalized_shape": shape, "eps": 1e-05 if args[4] is None else args[4],
        "elementwise_affine": args[2] is not None, "bias": args[3] is not None,
    }  # fmt: skip


def _rms_norm(args: list[Any], told: list[Any]) -> Built:
    sizes = args[1]
    shape: Encoded = sizes[1] if len(sizes) == 2 else ["u", *sizes[1:]]
    return [args[0]], {"normalized_shape": shape, "eps": args[3], "elementwise_affine": args[2] is not None}


def _group_norm(args: list[Any], told: list[Any]) -> Built:
    eps = 1e-05 if args[4] is None else args[4]
    built = {"num_groups": args[1], "num_channels": told[0].shape[1], "eps": eps, "affine": args[2] is not None}
    return [args[0]], built


def _batch_norm(args: list[Any], told: list[Any]) -> Built:
    return [args[0]], {
        "num_features": told[0].shape[1], "eps": args[7], "momentum": args[6],
        "affine": args[1] is not None, "track_running_stats": args[3] is not None,
    }  # fmt: skip


def _embedding(args: list[Any], told: list[Any]) -> Built:
    count, size = told[0].shape
    padding = args[2] if args[2] not in (-1, None) else None
    return [args[1]], {"num_embeddings": count, "embedding_dim": size, "padding_idx": padding}


def _recurrent(args: list[Any], told: list[Any]) -> Built:
    """A layer that steps along a sequence; `told` behind its arguments are its first two matrices."""
    first, second = told[-2:]
    built = {
        "input_size": first.shape[1], "hidden_size": second.shape[1], "num_layers": args[4], "bias": args[3],
        "batch_first": args[8], "dropout": args[5], "bidirectional": args[7],
    }  # fmt: skip
    return [args[0], args[1]], built


_RECURRENT = frozenset({"lstm", "gru", "rnn_tanh", "rnn_relu"})
_LAYERS: dict[tuple[str, str], Callable[[list[Any], list[Any]], Built]] = {
    ("torch.nn.Linear", "linear"): _linear,
    ("torch.nn.LayerNorm", "layer_norm"): _layer_norm,
    ("torch.nn.RMSNorm", "rms_norm"): _rms_norm,
    ("torch.nn.GroupNorm", "group_norm"): _group_norm,
    ("torch.nn.Embedding", "embedding"): _embedding,
    ("torch.nn.LSTM", "lstm"): _recurrent,
    ("torch.nn.GRU", "gru"): _recurrent,
    ("torch.nn.RNN", "rnn_tanh"): _recurrent,
    **{(f"torch.nn.Conv{n}d", f"conv{n}d"): _conv for n in (1, 2, 3)},
    **{(f"torch.nn.ConvTranspose{n}d", f"conv_transpose{n}d"): _conv_transpose for n in (1, 2, 3)},
    **{(f"torch.nn.BatchNorm{n}d", "batch_norm"): _batch_norm for n in (1, 2, 3)},
}
