"""Equations that lay values out under other axes, take parts of them or put them together, as functions do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from archcheck.frontends.trace.jax_child.equations import Equation, Value, is_number

if TYPE_CHECKING:
    from archcheck.frontends.trace.jax_child.telling import Teller, Told


def broadcast(teller: Teller, one: Equation) -> Told | Value:
    value, shape = one.reads[0], tuple(one.params["shape"])
    if not isinstance(value, Value):
        return "jax.numpy.full", [shape, value.reshape(-1)[0].item() if value.size == 1 else value], {}
    dims = tuple(one.params["broadcast_dimensions"])
    rank, own = len(shape), value.shape
    if (
        dims == tuple(range(rank - len(own), rank))
        and all(size == 1 for size in shape[: rank - len(own)])
        and own == shape[rank - len(own) :]
    ):
        return value  # axes of one entry before the others, which are there anyway
    added = [at for at in range(rank) if at not in dims]
    if all(shape[at] == size for at, size in zip(dims, own, strict=True)) and all(shape[at] == 1 for at in added):
        index = tuple(None if at in added else slice(None) for at in range(rank))
        while len(index) > 1 and index[-1] == slice(None):
            index = index[:-1]
        return "jax.Array.__getitem__", [value, index if len(index) > 1 else index[0]], {}
    if dims == tuple(range(rank - len(own), rank)):
        return "jax.numpy.broadcast_to", [value, shape], {}
    return "jax.lax.broadcast_in_dim", [value, shape, dims], {}


def reshape(teller: Teller, one: Equation) -> Told | Value:
    value, shape = one.reads[0], tuple(one.gives[0].shape)
    if not isinstance(value, Value):
        return "jax.numpy.reshape", [value, shape], {}
    own = value.shape
    if own == shape or (
        shape[len(shape) - len(own) :] == own and all(size == 1 for size in shape[: len(shape) - len(own)])
    ):
        return value
    kept = tuple(at for at, size in enumerate(own) if size != 1)
    axes = tuple(at for at in range(len(own)) if at not in kept)
    if axes and tuple(own[at] for at in kept) == shape and (picked := _entry(teller, value, axes)) is not None:
        return picked
    return "jax.numpy.reshape", [value, shape], {}


def part(teller: Teller, one: Equation) -> Told:
    starts, ends = one.params["start_indices"], one.params["limit_indices"]
    steps = one.params["strides"] or (1,) * len(starts)
    index: list[Any] = []
    for start, end, step, size in zip(starts, ends, steps, one.reads[0].shape, strict=True):
        index.append(slice(start or None, None if end == size else end, None if step == 1 else step))
    while len(index) > 1 and index[-1] == slice(None):
        index.pop()
    return "jax.Array.__getitem__", [one.reads[0], tuple(index) if len(index) > 1 else index[0]], {}


def dynamic_slice(teller: Teller, one: Equation) -> Told | None:
    starts, sizes = one.reads[1:], one.params["slice_sizes"]
    if not all(is_number(start) for start in starts):
        return None
    index = tuple(slice(int(start) or None, int(start) + size) for start, size in zip(starts, sizes, strict=True))
    return "jax.Array.__getitem__", [one.reads[0], index if len(index) > 1 else index[0]], {}


def squeeze(teller: Teller, one: Equation) -> Told:
    axes = tuple(one.params["dimensions"])
    picked = _entry(teller, one.reads[0], axes)
    if picked is not None:
        return picked
    return "jax.numpy.squeeze", [one.reads[0], axes[0] if len(axes) == 1 else axes], {}


def _entry(teller: Teller, value: Any, axes: tuple[int, ...]) -> Told | None:
    """One entry of axes, `x[:, 0]`: a part of one entry, of which these axes are taken off; None for any other."""
    maker = value.maker if isinstance(value, Value) else None
    if maker is None or len(teller.readers.get(value, ())) != 1:
        return None
    if maker.name == "slice" and not any(step != 1 for step in maker.params["strides"] or ()):
        starts = list(maker.params["start_indices"])
    elif maker.name == "dynamic_slice" and all(is_number(start) for start in maker.reads[1:]):
        starts = [int(start) for start in maker.reads[1:]]
    else:
        return None
    index: list[Any] = []
    for at, (start, size, whole) in enumerate(zip(starts, value.shape, maker.reads[0].shape, strict=True)):
        if at in axes:
            index.append(start)
        else:
            index.append(slice(start or None, None if start + size == whole else start + size))
    while len(index) > 1 and index[-1] == slice(None):
        index.pop()
    return "jax.Array.__getitem__", [maker.reads[0], tuple(index) if len(index) > 1 else index[0]], {}


def transpose(teller: Teller, one: Equation) -> Told:
    axes = tuple(one.params["permutation"])
    moved = [at for at, axis in enumerate(axes) if at != axis]
    if len(moved) == 2:
        return "jax.numpy.swapaxes", [one.reads[0], *moved], {}
    return "jax.numpy.transpose", [one.reads[0], axes], {}


def pad(teller: Teller, one: Equation) -> Told | None:
    sides = one.params["padding_config"]
    if any(inner or before < 0 or after < 0 for before, after, inner in sides) or not is_number(one.reads[1]):
        return None
    amounts = tuple((before, after) for before, after, _ in sides)
    return "jax.numpy.pad", [one.reads[0], amounts], {"constant_values": one.reads[1]}


def split(teller: Teller, one: Equation) -> Told:
    sizes = tuple(one.params["sizes"])
    cuts: Any = len(sizes) if len(set(sizes)) == 1 else tuple(int(at) for at in np.cumsum(sizes)[:-1])
    return "jax.numpy.split", [one.reads[0], cuts], {"axis": one.params["axis"]}


def row(teller: Teller, one: Equation) -> Told:
    return "jax.Array.__getitem__", [one.reads[0], one.params["index"]], {}
