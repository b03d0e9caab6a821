"""Equations that multiply and sum, as functions do: maps, products of several axes, windows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from archcheck.frontends.trace.jax_child.equations import Equation, Value, is_number

if TYPE_CHECKING:
    from archcheck.frontends.trace.jax_child.telling import Teller, Told


_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def map_of(one: Equation, teller: Teller) -> tuple[int, tuple[int, ...]] | None:
    """Of a map from the last axes of a value to several by a learned tensor: how many they are, and what it gives."""
    (left, right), (batch, _) = one.params["dimension_numbers"]
    x, w = one.reads
    count = len(left)
    if batch or w not in teller.learned or tuple(right) != tuple(range(count)) or not isinstance(x, Value):
        return None
    if tuple(left) != tuple(range(len(x.shape) - count, len(x.shape))):
        return None
    outside = tuple(w.shape[count:])
    return (count, outside) if (count > 1 or len(outside) > 1) and outside else None


def general(one: Equation, teller: Teller, shift: Value | None) -> Told:
    parts = map_of(one, teller)
    assert parts is not None
    inside, outside = parts
    sizes = {"in_features": math.prod(one.reads[1].shape[:inside]), "out_features": math.prod(outside)}
    args = [*one.reads, *([] if shift is None else [shift])]
    return "jax.nn.general", args, {"inside": inside, "outside": outside, **sizes}


def dot(teller: Teller, one: Equation) -> Told:
    if map_of(one, teller) is not None:
        return general(one, teller, None)
    (left, right), (left_batch, right_batch) = one.params["dimension_numbers"]
    x, w = one.reads
    rank, other = len(x.shape), len(w.shape)
    if not left_batch and tuple(left) == (rank - 1,) and tuple(right) == (0,) and other == 2:
        return "jax.numpy.matmul", [x, w], {}
    many = tuple(range(len(left_batch)))
    stacked = tuple(left_batch) == many == tuple(right_batch) and rank == other == len(many) + 2
    if stacked and tuple(left) == (rank - 1,) and tuple(right) == (rank - 2,):
        return "jax.numpy.matmul", [x, w], {}
    equation, *operands = einsum(one)
    return "jax.numpy.einsum", [equation, *operands], {}


def einsum(one: Equation) -> tuple[str, Any, Any]:
    """The equation of a product, and what it multiplies."""
    (left, right), (left_batch, right_batch) = one.params["dimension_numbers"]
    x, w = one.reads
    rank, other = len(x.shape), len(w.shape)
    letters = iter(_LETTERS)
    names: list[list[str]] = [[""] * rank, [""] * other]
    for pairs in ((left_batch, right_batch), (left, right)):
        for at, to in zip(*pairs, strict=True):
            names[0][at] = names[1][to] = next(letters)
    for own in names:
        own[:] = [name or next(letters) for name in own]
    batch = [names[0][at] for at in left_batch]
    free = [name for at, name in enumerate(names[0]) if at not in (*left_batch, *left)]
    free += [name for at, name in enumerate(names[1]) if at not in (*right_batch, *right)]
    return f"{''.join(names[0])},{''.join(names[1])}->{''.join([*batch, *free])}", x, w


def conv(teller: Teller, one: Equation) -> Told | None:
    params = one.params
    numbers = params["dimension_numbers"]
    rank = len(numbers.lhs_spec)
    last = numbers.lhs_spec == (0, rank - 1, *range(1, rank - 1)) and numbers.rhs_spec == (
        rank - 1,
        rank - 2,
        *range(rank - 2),
    )
    if not last or params["batch_group_count"] != 1:
        return None
    grown = tuple(params["lhs_dilation"])
    if any(step != 1 for step in grown):
        return _conv_transpose(one, grown)
    weight, groups = one.reads[1].shape, params["feature_group_count"]
    told = {
        "kernel": tuple(weight[:-2]), "stride": tuple(params["window_strides"]),
        "dilation": tuple(params["rhs_dilation"]),
        "padding": tuple(tuple(one) for one in params["padding"]), "groups": groups, "in_features": weight[-2] * groups,
        "out_features": weight[-1],
    }  # fmt: skip
    return "jax.nn.windows", [one.reads[0], one.reads[1]], told


def _conv_transpose(one: Equation, grown: tuple[int, ...]) -> Told | None:
    """A convolution over what is spread out: what is cut off of its result follows from what is added before."""
    params, weight = one.params, one.reads[1].shape
    if (
        any(step != 1 for step in (*params["window_strides"], *params["rhs_dilation"]))
        or params["feature_group_count"] != 1
    ):
        return None
    kernel = tuple(weight[:-2])
    cut = [
        (size - 1 - before, size - 1 - after) for size, (before, after) in zip(kernel, params["padding"], strict=True)
    ]
    told = {
        "kernel": kernel, "stride": grown, "in_features": weight[-2], "out_features": weight[-1],
        "padding": tuple(before for before, _ in cut) if all(before == after >= 0 for before, after in cut) else None,
    }  # fmt: skip
    return "jax.nn.windows_transposed", [one.reads[0], one.reads[1]], told


def pool(teller: Teller, one: Equation) -> Told | None:
    parts = _window(one)
    return None if parts is None else ("flax.linen.max_pool", [one.reads[0], parts[0]], parts[1])


def mean_pool(one: Equation) -> Told | None:
    """A sum over windows that is divided by how many entries each has; None for any other quotient."""
    total, count = one.reads
    maker = total.maker if isinstance(total, Value) else None
    if maker is None or maker.name != "reduce_window_sum" or not is_number(count):
        return None
    parts = _window(maker)
    if parts is None or float(count.reshape(-1)[0]) != math.prod(parts[0]):
        return None
    return "flax.linen.avg_pool", [maker.reads[0], parts[0]], parts[1]


def _window(one: Equation) -> tuple[tuple[int, ...], dict[str, Any]] | None:
    """The window over axes of space, with how it moves; None where it is over other axes, or has holes."""
    params = one.params
    window, steps = tuple(params["window_dimensions"]), tuple(params["window_strides"])
    if window[0] != 1 or window[-1] != 1 or steps[0] != 1 or steps[-1] != 1 or len(window) < 3:
        return None
    if any(step != 1 for step in (*params["base_dilation"], *params["window_dilation"])):
        return None
    sides = tuple(tuple(one) for one in params["padding"])[1:-1]
    return window[1:-1], {"strides": steps[1:-1], "padding": sides}
