"""Shapes of functions of whole tensors that have no kind of their own, and of Fourier transforms."""

from __future__ import annotations

from collections.abc import Callable

from archcheck.ir.shapes.dims import (
    Dims,
    Given,
    NotKnown,
    added,
    axis_of,
    broadcast,
    each,
    replaced,
    sizes,
    times,
    words,
)
from archcheck.ir.shapes.reductions import reduced

_SAME = frozenset(
    words(
        "logcumsumexp cummax cummin renorm matrix_exp matrix_power inverse inv cholesky cholesky_inverse isreal "
        "bucketize index_reduce diagonal_scatter"
    )
)
_REDUCED = frozenset(words("nansum nanmean median nanmedian mode"))
_LOSSES = frozenset(
    words(
        "mse_loss l1_loss soft_margin_loss multilabel_margin_loss smooth_l1_loss huber_loss kl_div nll_loss "
        "cross_entropy binary_cross_entropy binary_cross_entropy_with_logits"
    )
)


def _function(given: Given) -> tuple[Dims | None, ...]:
    function = given.get("function")
    if not isinstance(function, str):
        raise NotKnown
    if function in _SAME:
        return (given.operand(),) * given.outputs
    if function in _REDUCED:
        return (_reduced(given),) * given.outputs
    if function in _LOSSES:
        return (_loss(given),)
    rule = _FUNCTIONS.get(function)
    if rule is None:
        raise NotKnown
    return (rule(given),) * given.outputs


def _reduced(given: Given) -> Dims:
    if "axis" not in given.attrs and not given.takes("dim"):
        return ()  # torch.median of all
    return reduced(given)


def _loss(given: Given) -> Dims:
    if given.argument("reduction") not in ("mean", "sum"):
        raise NotKnown
    if any(given.takes(old) and given.argument(old) is not None for old in ("size_average", "reduce")):
        raise NotKnown
    return ()


def _index_of(given: Given) -> Dims:
    return given.operand(1)


def _nothing(given: Given) -> Dims:
    return ()


def _determinant(given: Given) -> Dims:
    dims = given.operand()
    if len(dims) < 2:
        raise NotKnown
    return dims[:-2]


def _cross(given: Given) -> Dims:
    return broadcast(given.operand(), given.operand(1))


def _kron(given: Given) -> Dims:
    one, other = given.operand(), given.operand(1)
    rank = max(len(one), len(other))
    one, other = ((1,) * (rank - len(each_)) + each_ for each_ in (one, other))
    return tuple(times(*pair) for pair in zip(one, other, strict=True))


def _solved(given: Given) -> Dims:
    """The solution of a system for each column of the right side, [..., rows, columns]."""
    left, right = given.operand(), given.operand(1)
    if len(left) < 2 or len(right) < 2 or given.argument("left") is not True:
        raise NotKnown
    return (*broadcast(left[:-2], right[:-2]), *right[-2:])


def _strided(given: Given) -> Dims:
    return sizes(given.argument("size"))


_FUNCTIONS: dict[str, Callable[[Given], Dims]] = {
    "take": _index_of,
    "searchsorted": _index_of,
    "dist": _nothing,
    "det": _determinant,
    "logdet": _determinant,
    "slogdet": _determinant,
    "cross": _cross,
    "kron": _kron,
    "as_strided": _strided,
    "solve_triangular": _solved,
}

# ---- Fourier transforms


def _fft(given: Given) -> Dims:
    """The last of the axes holds half of the frequencies where the numbers are real."""
    dims = given.operand()
    if "axes" in given.attrs:
        raise NotKnown
    length = given.get("length")
    axes = _transformed(given, len(dims))
    lengths: Dims = (None,) * len(axes) if length is None else each(length, len(axes))
    asked = length is not None
    found = dims
    for axis, wanted in zip(axes, lengths, strict=True):
        found = replaced(found, axis, wanted if asked and wanted != -1 else found[axis])
    if not given.flag("real") or not axes:
        return found
    last = axes[-1]
    if not given.flag("inverse"):
        there = found[last]
        return replaced(found, last, None if there is None else there // 2 + 1)
    if asked and lengths[-1] != -1:
        return found
    there = dims[last]
    return replaced(found, last, added(times(2, there), -2))


def _transformed(given: Given, rank: int) -> tuple[int, ...]:
    axis = given.get("axis")
    if axis is None:
        length = given.get("length")
        if length is None:
            return tuple(range(rank))
        if not isinstance(length, (tuple, list)) or len(length) > rank:
            raise NotKnown
        return tuple(range(rank - len(length), rank))
    listed = axis if isinstance(axis, (tuple, list)) else (axis,)
    found = tuple(axis_of(one, rank) for one in listed)
    if len(set(found)) < len(found):
        raise NotKnown
    return found


ONE: dict[str, Callable[[Given], Dims]] = {"fft": _fft}
SEVERAL: dict[str, Callable[[Given], tuple[Dims | None, ...]]] = {"tensor_function": _function}
