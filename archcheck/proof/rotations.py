"""The textbook of rotary positions: pairs of features turned by an angle, and what turns are mistaken for.

Cites: su2021, equation 15 (each pair (x1, x2) becomes (x1 cos - x2 sin, x2 cos + x1 sin)) and equation 34 (the same by
two element-wise products). Pairs are neighbours there ("interleaved"); GPT-NeoX and all that follows it pairs feature i
with feature i + d/2 ("half"). The tables of cosines and sines are operands: that they hold the same angle for both of
a pair is theirs, not this formula's, and so either table may hold any numbers here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archcheck.proof.world import Array

Turn = Callable[["Array", "Array", "Array"], "Array"]

HALF, NEIGHBOURS = "half", "interleaved"


def pairs(x: Array, layout: str) -> tuple[Array, Array]:
    """The first and second features of all pairs."""
    middle = x.shape[-1] // 2
    return (x[..., :middle], x[..., middle:]) if layout == HALF else (x[..., 0::2], x[..., 1::2])


def laid_out(first: Array, second: Array, layout: str) -> Array:
    """Pairs as features again."""
    import numpy as np

    if layout == HALF:
        return np.concatenate([first, second], axis=-1)
    return np.stack([first, second], axis=-1).reshape(*first.shape[:-1], 2 * first.shape[-1])


def turned(layout: str, out: str, sign: float = 1.0, swapped: bool = False) -> Turn:
    """The rotation of pairs.

    Args:
        layout: which features form a pair.
        out: where the turned pairs stand.
        sign: of the sine: -1 turns the other way.
        swapped: cosine and sine change their roles.
    """

    def turn(x: Array, cos: Array, sin: Array) -> Array:
        if swapped:
            cos, sin = sin, cos
        first, second = pairs(x, layout)
        cos_first, cos_second = (cos, cos) if cos.shape[-1] == first.shape[-1] else pairs(cos, layout)
        sin_first, sin_second = (sin, sin) if sin.shape[-1] == first.shape[-1] else pairs(sin, layout)
        return laid_out(
            first * cos_first - sign * second * sin_first, second * cos_second + sign * first * sin_second, out
        )

    return turn


def turns(layout: str) -> Iterator[tuple[str, Turn]]:
    """The rotation that is stated, then what it is mistaken for, each with the words for how it departs."""
    other = NEIGHBOURS if layout == HALF else HALF
    words = {HALF: "features in halves", NEIGHBOURS: "neighbouring features"}
    yield "", turned(layout, layout)
    yield "the opposite sign", turned(layout, layout, -1.0)
    yield f"pairs of {words[other]}, not of {words[layout]}", turned(other, other)
    yield f"the turned pairs laid out as {words[other]}", turned(layout, other)
    yield "cosine and sine exchanged", turned(layout, layout, swapped=True)
    for sign in (1.0, -1.0):
        for pairing in (layout, other):
            for out in (layout, other):
                for swapped in (False, True):
                    parts = ["the opposite sign"] if sign < 0 else []
                    if pairing != layout:
                        parts.append(f"pairs of {words[other]}")
                    if out != pairing:
                        parts.append(f"the turned pairs laid out as {words[out]}")
                    if swapped:
                        parts.append("cosine and sine exchanged")
                    yield " and ".join(parts), turned(pairing, out, sign, swapped)
    yield "both products added: no turn", _added(layout)
    yield "the cosine alone: no turn", lambda x, cos, sin: laid_out(*_times(x, cos, layout), layout)


def _times(x: Array, table: Array, layout: str) -> tuple[Array, Array]:
    first, second = pairs(x, layout)
    one, other = (table, table) if table.shape[-1] == first.shape[-1] else pairs(table, layout)
    return first * one, second * other


def _added(layout: str) -> Turn:
    def added(x: Array, cos: Array, sin: Array) -> Array:
        first, second = pairs(x, layout)
        cos_first, cos_second = (cos, cos) if cos.shape[-1] == first.shape[-1] else pairs(cos, layout)
        sin_first, sin_second = (sin, sin) if sin.shape[-1] == first.shape[-1] else pairs(sin, layout)
        return laid_out(first * cos_first + second * sin_first, second * cos_second + first * sin_second, layout)

    return added
