"""Which shape an op gives: from its kind, its attributes and the shapes of what it reads, for any frontend.

A shape is certain or it is not known; nothing is taken for granted that an attribute leaves open. Some of what decides
a shape is no attribute, since it changes nothing that a paper would say: whether a reduction keeps its axes, whether a
window that is not full counts, what a tensor of zeros is made like. A caller who has the arguments of the call hands
them over beside the attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from archcheck.ir.shapes import (
    indexing,
    layers,
    layout,
    parts,
    patterns,
    pointwise,
    reductions,
    sources,
    whole,
    windows,
)
from archcheck.ir.shapes.dims import Dims, Given, NotKnown, Shaped

__all__ = ["Dims", "Shaped", "shapes_of"]

_ONE: dict[str, Callable[[Given], Dims]] = {
    **indexing.ONE,
    **layers.ONE,
    **layout.ONE,
    **parts.ONE,
    **patterns.ONE,
    **pointwise.ONE,
    **reductions.ONE,
    **sources.ONE,
    **whole.ONE,
    **windows.ONE,
}
_SEVERAL: dict[str, Callable[[Given], tuple[Dims | None, ...]]] = {
    **layers.SEVERAL,
    **layout.SEVERAL,
    **parts.SEVERAL,
    **pointwise.SEVERAL,
    **reductions.SEVERAL,
    **whole.SEVERAL,
    **windows.SEVERAL,
}


def shapes_of(
    kind: str,
    attrs: Mapping[str, object],
    operands: Sequence[Dims | None],
    outputs: int = 1,
    *,
    arguments: Mapping[str, object] | None = None,
) -> tuple[Dims | None, ...]:
    """The shapes of what an op gives.

    Args:
        kind: name of the op kind.
        attrs: what the op states, as in `Op.attrs` or with the numbers that its sizes have in one call. In a list of
            sizes, None and a `Size` stand for one that is not known, any other Unknown for one or several.
        operands: shapes of what it reads, in order. A list of tensors that stands as one value has none.
        outputs: how many of its values are wanted, from the first on.
        arguments: what the call was given, by the names that the dialect's row has for its parameters, defaults filled
            in; a tensor as `Shaped`. None: not told. Empty: the op is part of a dialect's formula.

    Returns:
        One shape for each output: entries along each axis, None for one that is not known. None as a whole where the
        number of axes is not known, or the op gives no such output.
    """
    given = Given(attrs, operands, arguments, outputs)
    try:
        if kind in _SEVERAL:
            found = _SEVERAL[kind](given)
        elif kind in _ONE:
            found = (_ONE[kind](given),)
        else:
            found = ()
    except NotKnown:
        found = ()
    padded = (*found[:outputs], *(None,) * (outputs - len(found)))
    return tuple(None if one is None or any(size is not None and size < 0 for size in one) else one for one in padded)
