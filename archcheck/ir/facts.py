"""What is known of one call, beside its ops: what inputs hold, which axes go, the shapes of values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archcheck.ir.graph import Op, Value

Nested = Any  # a number, or a list of these: what `tolist` gives


@dataclass(frozen=True, slots=True)
class Facts:
    """One call.

    Args:
        by_path: all ops so far.
        held: what inputs hold.
        dropped: paths of reductions whose axes go.
        casts: paths of casts -> the name of the type that they give; "" where it is not known.
        shape: gives a value's shape: entries along each axis, None for one that is not known; None as a whole where
            the number of axes is not.
    """

    by_path: Mapping[str, Op]
    held: Mapping[Value, Nested]
    dropped: frozenset[str]
    casts: Mapping[str, str]
    shape: Callable[[Value], Sequence[int | None] | None]
