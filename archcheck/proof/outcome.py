"""What a proof says: confirmed, another formula, or not proved and why."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from archcheck.ir.span import Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archcheck.proof.world import Array

TOLERANCE = 1e-9  # relative; rounding in float64 leaves some 1e-15, any two formulas of the textbook 1e-6 or more


class Outcome(Enum):
    CONFIRMED = "confirmed"
    DIFFERS = "differs"
    NOT_PROVED = "not proved"


@dataclass(frozen=True, slots=True)
class Found:
    """What evaluation says of one body.

    Args:
        outcome: whether it is what the op states.
        error: the largest absolute difference from the textbook formula over the draws, in float64.
        is_: what it was found to be, where it differs and that has a name.
        why: why nothing was proved.
        near: the largest absolute difference from what `is_` names.
        draws: on how many independent draws the formulas were compared.
    """

    outcome: Outcome
    error: float = math.nan
    is_: str = ""
    why: str = ""
    near: float = math.nan
    draws: int = 0


@dataclass(frozen=True, slots=True)
class Proof:
    """What evaluation says of one op of a graph.

    Args:
        path, kind, span: of the op.
        outcome: whether its body computes what the op states.
        error: the largest absolute difference from the textbook formula over the draws, in float64.
        is_: what the body was found to be, where it differs and that has a name: "rms_norm with 1 + weight".
        why: why nothing was proved.
        near: the largest absolute difference from what `is_` names.
        draws: on how many independent draws the formulas were compared.
    """

    path: str
    kind: str
    span: Span | None
    outcome: Outcome
    error: float = math.nan
    is_: str = ""
    why: str = ""
    near: float = math.nan
    draws: int = 0


def not_proved(why: str) -> Found:
    """Nothing was proved, for the reason `why`."""
    return Found(Outcome.NOT_PROVED, why=why)


def worst(found: Sequence[Array], wanted: Sequence[Array]) -> float:
    """The largest absolute difference, over all draws; infinite where shapes differ or a number is not finite."""
    import numpy as np

    most = 0.0
    for one, other in zip(found, wanted, strict=True):
        if one.shape != other.shape:
            return math.inf
        with np.errstate(all="ignore"):
            gap = float(np.max(np.abs(one - other), initial=0.0))
        if not math.isfinite(gap):
            return math.inf
        most = max(most, gap)
    return most


def same(found: Sequence[Array], wanted: Sequence[Array], axis: int | None = None) -> bool:
    """Whether results agree on every draw, within `TOLERANCE` of the largest entry.

    Args:
        found, wanted: one array for each draw.
        axis: along which the largest entry is taken, so that small rows count as much as large ones; None: of all.
    """
    import numpy as np

    for one, other in zip(found, wanted, strict=True):
        if one.shape != other.shape:
            return False
        with np.errstate(all="ignore"):
            size = np.max(np.abs(other), axis=axis, keepdims=True, initial=0.0)
            if not bool(np.all(np.abs(one - other) <= TOLERANCE * size)):
                return False
    return True


def joined(found: Sequence[Found], unless: str) -> Found:
    """One word for a body under all assumptions about what the graph does not record.

    Confirmed, or another formula, only where it is so under every assumption.

    Args:
        found: one for each assumption under which the ops can run.
        unless: what the assumptions are about, for the reason where they disagree.
    """
    outcomes = {one.outcome for one in found}
    if not found:
        return not_proved("no sizes were found under which the ops can run")
    if len(outcomes) == 1:
        first = found[0]
        if first.outcome is Outcome.NOT_PROVED or len(found) == 1:
            return first
        error = max(one.error for one in found)
        names = {one.is_ for one in found if one.is_}
        near = max((one.near for one in found if one.is_ or not names), default=math.nan)
        return Found(first.outcome, error, names.pop() if len(names) == 1 else "", "", near, first.draws)
    proved = next(one for one in found if one.outcome is not Outcome.NOT_PROVED)
    if Outcome.NOT_PROVED in outcomes:
        return next(one for one in found if one.outcome is Outcome.NOT_PROVED)
    return Found(Outcome.NOT_PROVED, proved.error, "", unless, proved.near, proved.draws)
