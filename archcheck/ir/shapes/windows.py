"""Shapes of what slides windows over axes of space: convolution, pooling, unfolding, resampling.

Tensors are [batch, channels, *space], or [batch, *space, channels] where features are last; torch also takes them
without the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import floor

from archcheck.ir.shapes.dims import (
    Dims,
    Given,
    NotKnown,
    each,
    replaced,
    size,
    times,
    total,
    truth,
)


@dataclass(frozen=True, slots=True)
class _Field:
    """A tensor's axes by what they stand for."""

    batch: Dims  # empty where there is none
    channels: int | None
    space: Dims
    last: bool

    def dims(self, channels: int | None, space: Dims) -> Dims:
        """Such a tensor of other sizes."""
        return (*self.batch, *space, channels) if self.last else (*self.batch, channels, *space)


def _last(given: Given) -> bool:
    """Whether features are the last axis; a layout that the call names counts, where the arguments are told."""
    if given.takes("data_format"):
        named = given.argument("data_format")
        if isinstance(named, str):
            return named.lower() not in ("channels_first", "ncw", "nchw", "ncdhw")
        if named is not None:
            raise NotKnown
    return given.flag("channels_last")


def _field(given: Given) -> _Field:
    dims = given.operand()
    axes = size(given.get("axes"))
    if axes is None or not axes + 1 <= len(dims) <= axes + 2:
        raise NotKnown
    last = _last(given)
    if last and len(dims) == axes + 1:
        raise NotKnown
    batch = dims[: len(dims) - axes - 1]
    return _Field(batch, dims[-1] if last else dims[-axes - 1], dims[-axes - 1 : -1] if last else dims[-axes:], last)


def _window(
    length: int | None,
    kernel: int | None,
    stride: int | None,
    dilation: int | None,
    padding: int | None,
    up: bool = False,
) -> int | None:
    """How many windows there are along an axis; `up`: one that is not full counts too, if it begins inside."""
    if length is None or kernel is None or stride is None or dilation is None or padding is None:
        return None
    room = length + 2 * padding - dilation * (kernel - 1) - 1
    if stride <= 0 or room < 0:
        raise NotKnown
    count = room // stride + 1
    if up and room % stride and count * stride < length + padding:
        count += 1
    return count


def _shorter(length: int | None, stride: int | None) -> int | None:
    """An axis padded so that each step has its window."""
    if length is None or stride is None:
        return None
    if stride <= 0:
        raise NotKnown
    return -(-length // stride)


def _slid(given: Given, space: Dims, kernel: Dims, stride: Dims, up: bool = False) -> Dims:
    """The axes of space that windows leave."""
    count = len(space)
    padding = given.attrs.get("padding", 0)
    if padding in ("same", "causal"):
        return tuple(_shorter(*pair) for pair in zip(space, stride, strict=True))
    amounts = each(0 if padding == "valid" else padding, count)
    dilation = each(given.attrs.get("dilation", 1), count)
    return tuple(_window(*sides, up=up) for sides in zip(space, kernel, stride, dilation, amounts, strict=True))


# ---- convolution


def _conv(given: Given) -> Dims:
    if _is_tbc(given):
        return _conv_tbc(given)
    field = _field(given)
    axes = len(field.space)
    weight = given.operands[1] if len(given.operands) > 1 else None
    kernel: Dims = (None,) * axes
    features: int | None = None
    if len(given.operands) == 1:
        features = size(given.get("out_features"))
    elif weight is not None:
        features, kernel = _of_weight(given, weight, axes)
    if "kernel" in given.attrs:
        kernel = each(given.attrs["kernel"], axes)
    space = _slid(given, field.space, kernel, each(given.attrs.get("stride", 1), axes))
    return field.dims(features, space)


def _of_weight(given: Given, weight: Dims, axes: int) -> tuple[int | None, Dims]:
    """Channels given and kernel of a weight [out, in, *kernel], or [*kernel, in, out] in TensorFlow's way."""
    if "channels_last" in given.attrs:
        if len(weight) != axes + 2:
            raise NotKnown
        stated, groups = given.get("out_features"), given.attrs.get("groups", 1)
        if type(stated) is int:
            return stated, weight[:axes]
        each_apart = groups != 1 and (
            type(groups) is not int or groups == weight[-2]
        )  # [*kernel, in, for each of them]
        return times(*weight[-2:]) if each_apart else weight[-1], weight[:axes]
    if len(weight) != axes + 2 and not (given.get("padding") == "causal" and len(weight) == axes + 1):
        raise NotKnown
    return weight[0], weight[-axes:]


def _is_tbc(given: Given) -> bool:
    """Whether it is torch.conv_tbc, which alone states no stride: all of [time, batch, channels]."""
    stated = "stride" in given.attrs or "kernel" in given.attrs or given.get("padding") == "causal"
    return len(given.operands) > 1 and not stated


def _conv_tbc(given: Given) -> Dims:
    dims, weight = given.operand(), given.operand(1)
    if len(dims) != 3 or len(weight) != 3 or "padding" not in given.attrs:
        raise NotKnown
    return _window(dims[0], weight[0], 1, 1, size(given.get("padding"))), dims[1], weight[2]


def _conv_transpose(given: Given) -> Dims:
    field = _field(given)
    axes = len(field.space)
    features: int | None = None
    kernel: Dims = (None,) * axes
    if len(given.operands) == 1:
        features = size(given.get("out_features"))
    elif "channels_last" not in given.attrs and given.operands[1] is not None:  # [in, out of a group, *kernel]
        weight = given.operand(1)
        if len(weight) != axes + 2:
            raise NotKnown
        features, kernel = times(weight[1], size(given.attrs.get("groups", 1))), weight[2:]
    if "kernel" in given.attrs:
        kernel = each(given.attrs["kernel"], axes)
    try:
        more = _output_padding(given, axes)
    except NotKnown:
        return field.dims(features, (None,) * axes)
    stride, dilation = (each(given.attrs.get(name, 1), axes) for name in ("stride", "dilation"))
    padding = given.attrs.get("padding", 0)
    if isinstance(padding, str):
        return field.dims(features, _widened(field.space, kernel, stride, padding, given))
    amounts = each(padding, axes)
    space: list[int | None] = []
    for length, k, step, apart, amount, extra in zip(field.space, kernel, stride, dilation, amounts, more, strict=True):
        if length is None or k is None or step is None or apart is None or amount is None or extra is None:
            space.append(None)
        else:
            space.append((length - 1) * step - 2 * amount + apart * (k - 1) + extra + 1)
    return field.dims(features, tuple(space))


def _output_padding(given: Given, axes: int) -> Dims:
    """What the call adds behind the last entry, which is no attribute."""
    if given.takes("output_size") and given.argument("output_size") is not None:
        raise NotKnown
    stated = given.argument("output_padding")
    return (0,) * axes if stated is None else each(stated, axes)


def _widened(space: Dims, kernel: Dims, stride: Dims, padding: str, given: Given) -> Dims:
    """The transpose of a convolution in Keras' way."""
    if given.argument("output_padding") is not None or given.attrs.get("dilation", 1) not in (1, (1,) * len(space)):
        return (None,) * len(space)
    found: list[int | None] = []
    for length, k, step in zip(space, kernel, stride, strict=True):
        if length is None or k is None or step is None or padding not in ("same", "valid"):
            found.append(None)
        else:
            found.append(length * step + (max(k - step, 0) if padding == "valid" else 0))
    return tuple(found)


# ---- pooling


def _pool(given: Given) -> tuple[Dims, ...]:
    field = _field(given)
    axes = len(field.space)
    if given.get("scope") == "global":
        stays = truth(given.argument("keepdims"))
        found = field.dims(field.channels, (1,) * axes) if stays else (*field.batch, field.channels)
    elif "size" in given.attrs:  # adaptive
        found = field.dims(field.channels, each(given.attrs["size"], axes))
    else:
        kernel = each(given.get("kernel"), axes)
        step = given.get("stride")
        stride = kernel if step is None or step == () else each(step, axes)
        found = field.dims(field.channels, _pooled(given, field.space, kernel, stride))
    return (found,) * given.outputs


def _pooled(given: Given, space: Dims, kernel: Dims, stride: Dims) -> Dims:
    """Whether a window that is not full counts is no attribute: without the arguments both ways are followed."""
    if given.takes("ceil_mode"):
        return _slid(given, space, kernel, stride, truth(given.argument("ceil_mode")))
    down = _slid(given, space, kernel, stride)
    if given.takes("data_format"):
        return down
    up = _slid(given, space, kernel, stride, up=True)
    return tuple(one if one == other else None for one, other in zip(down, up, strict=True))


def _unpool(given: Given) -> Dims:
    field = _field(given)
    axes = len(field.space)
    if given.argument("output_size") is not None:
        raise NotKnown
    kernel = each(given.get("kernel"), axes)
    stride = each(given.attrs["stride"], axes) if "stride" in given.attrs else kernel
    padding = each(given.attrs.get("padding", 0), axes)
    space: list[int | None] = []
    for length, k, step, amount in zip(field.space, kernel, stride, padding, strict=True):
        if length is None or k is None or step is None or amount is None:
            space.append(None)
        else:
            space.append((length - 1) * step - 2 * amount + k)
    return field.dims(field.channels, tuple(space))


# ---- windows laid out


def _unfold(given: Given) -> Dims:
    dims = given.operand()
    if "axis" in given.attrs:  # `x.unfold(axis, size, step)`
        axis = given.axis(len(dims))
        kernel = size(given.get("kernel"))
        return (*replaced(dims, axis, _window(dims[axis], kernel, size(given.get("stride")), 1, 0)), kernel)
    if len(dims) not in (3, 4):
        raise NotKnown
    kernel2 = each(given.get("kernel"), 2)
    windows = _slid(given, dims[-2:], kernel2, each(given.attrs.get("stride", 1), 2))
    return (*dims[:-3], times(dims[-3], *kernel2), total(windows))


def _fold(given: Given) -> Dims:
    dims = given.operand()
    if len(dims) not in (2, 3):
        raise NotKnown
    taps = total(each(given.get("kernel"), 2))
    columns = dims[-2]
    channels = None
    if columns is not None and taps:
        if columns % taps:
            raise NotKnown
        channels = columns // taps
    return (*dims[:-2], channels, *each(given.get("size"), 2))


# ---- resampling


def _interpolate(given: Given) -> Dims:
    """Where features are is no attribute: torch has them second, Keras and TensorFlow last unless they say so."""
    dims = given.operand()
    if len(dims) < 3:
        raise NotKnown
    if given.takes("scale_factor"):
        last = False
    elif given.takes("images"):
        last = True
    elif given.takes("data_format"):
        last = given.argument("data_format") in (None, "channels_last")
    else:
        return (None,) * len(dims)
    space = dims[1:-1] if last else dims[2:]
    sized = _resampled(given, space)
    return (dims[0], *sized, dims[-1]) if last else (*dims[:2], *sized)


def _resampled(given: Given, space: Dims) -> Dims:
    if given.takes("preserve_aspect_ratio") and given.argument("preserve_aspect_ratio") is not False:
        return (None,) * len(space)
    if "size" in given.attrs:
        return each(given.attrs["size"], len(space))
    scale = given.get("scale")
    factors = scale if isinstance(scale, (tuple, list)) else (scale,) * len(space)
    if len(factors) != len(space):
        raise NotKnown
    return tuple(
        floor(float(length * factor))
        if length is not None and isinstance(factor, (int, float)) and not isinstance(factor, bool)
        else None
        for length, factor in zip(space, factors, strict=True)
    )


def _grid_sample(given: Given) -> Dims:
    dims, grid = given.operand(), given.operand(1)
    if len(dims) != len(grid) or len(dims) < 4:
        raise NotKnown
    return (*dims[:2], *grid[1:-1])


ONE: dict[str, Callable[[Given], Dims]] = {
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "unpool": _unpool,
    "unfold": _unfold,
    "fold": _fold,
    "interpolate": _interpolate,
    "grid_sample": _grid_sample,
}
SEVERAL: dict[str, Callable[[Given], tuple[Dims | None, ...]]] = {"pool": _pool}
