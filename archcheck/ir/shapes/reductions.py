"""Shapes of statistics along axes.

Whether the axes stay, with one entry each, is no attribute: it changes nothing that a paper would say. It is told by
the arguments of the call; without them the number of axes of what comes out is not known.
"""

from __future__ import annotations

from collections.abc import Callable

from archcheck.ir.shapes.dims import Dims, Given, NotKnown, axes_of, axis_of, replaced, size, sizes, truth, words

REDUCTIONS = words("sum mean var std vector_norm reduce_max reduce_min prod logsumexp reduce_logical argmax argmin")


def keeps(given: Given) -> bool:
    """Whether the axes that are reduced stay, with one entry each.

    Raises:
        NotKnown: the arguments of the call do not tell.
    """
    if given.takes("output_type"):  # tf.argmax has no such argument
        return False
    value = given.argument("keepdim", "keepdims")
    return False if value is None else truth(value)


def reduced(given: Given) -> Dims:
    """The first operand without the axes that the op states, or without all."""
    dims = given.operand()
    if given.takes("size"):  # `x.sum_to_size(3, 1)`
        return sizes(given.argument("size"))
    stays = keeps(given)
    if "axis" not in given.attrs:
        if any(given.takes(name) and given.argument(name) is not None for name in ("dim", "axis")):
            raise NotKnown
        return (1,) * len(dims) if stays else ()
    stated = given.attrs["axis"]
    if stated == ():  # of some functions all axes, of others none
        raise NotKnown
    axes = axes_of(stated, len(dims))
    return tuple(1 if at in axes else entry for at, entry in enumerate(dims) if stays or at not in axes)


def _topk(given: Given) -> tuple[Dims, Dims]:
    dims = given.operand()
    found = replaced(dims, axis_of(given.attrs.get("axis", -1), len(dims)), size(given.get("k")))
    return found, found


def _sort(given: Given) -> tuple[Dims, Dims]:
    dims = given.operand()
    return dims, dims


ONE: dict[str, Callable[[Given], Dims]] = dict.fromkeys(REDUCTIONS, reduced)
SEVERAL: dict[str, Callable[[Given], tuple[Dims | None, ...]]] = {"topk": _topk, "sort": _sort}
