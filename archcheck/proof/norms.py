"""The textbook of norms, by their parts: what is taken off, what is divided by, where epsilon stands, what is learned.

Cites: ba2016, equation 3 (layer_norm: mean and biased variance of a token's features, then gain and bias); zhang2019,
equation 4 (rms_norm: the mean stays); ioffe2015, algorithm 1, for epsilon under the root. Every `Form` but one of each
kind is a near miss that code in use computes: FEASIBILITY, section D, lists those met.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archcheck.proof.world import Array

BOTH, NONE, ABOVE, BELOW = "both", "none", "above", "below"  # where the mean is taken off
MEAN, SUM = "mean", "sum"
PLACES = ("", "outside", "bound", "bound_inside", "no_root")


@dataclass(frozen=True, slots=True)
class Form:
    """A norm without scale and shift.

    Args:
        centred: the mean is taken off in `both` numerator and spread, in one of them, or in `none`.
        measure: the spread is the mean of squares or their sum.
        correction: degrees of freedom taken off the count.
        place: of epsilon, as the vocabulary has it; 'no_root': the spread is not rooted.
        factor: power of the root of the number of features by which all is multiplied.
    """

    centred: str = NONE
    measure: str = MEAN
    correction: float = 0.0
    place: str = ""
    factor: int = 0

    @property
    def kind(self) -> str:
        """The kind of the vocabulary that comes nearest."""
        if self.centred in (BOTH, ABOVE):
            return "layer_norm"
        return "l2_norm" if self.measure == SUM and self.factor == 0 else "rms_norm"

    def of(self, x: Array, axes: tuple[int, ...], eps: float) -> Array:
        """`x` under the norm, its statistics over `axes`."""
        import numpy as np

        count = math.prod(x.shape[axis] for axis in axes)
        centred = x - np.mean(x, axis=axes, keepdims=True)
        above = centred if self.centred in (BOTH, ABOVE) else x
        below = centred if self.centred in (BOTH, BELOW) else x
        spread = np.sum(below**2, axis=axes, keepdims=True)
        if self.measure == MEAN:
            spread = spread / (count - self.correction)
        return np.asarray(above / self._divisor(spread, eps) * math.sqrt(count) ** self.factor)

    def _divisor(self, spread: Array, eps: float) -> Array:
        import numpy as np

        if self.place == "outside":
            return np.sqrt(spread) + eps
        if self.place == "bound":
            return np.maximum(np.sqrt(spread), eps)
        if self.place == "bound_inside":
            return np.sqrt(np.maximum(spread, eps))
        if self.place == "no_root":
            return spread + eps
        return np.sqrt(spread + eps)

    def words(self, stated: Form) -> list[str]:
        """How it departs from what is stated, a phrase for each part."""
        found: list[str] = []
        # RMSNorm takes the mean off nowhere and LayerNorm in both places: the kind says so; in one place only is told
        if self.centred != stated.centred and (self.kind == stated.kind or self.centred in (ABOVE, BELOW)):
            found.append(_CENTRED[self.centred])
        if self.correction != stated.correction:
            found.append("unbiased variance" if self.correction == 1 else "biased variance")
        if self.measure != stated.measure and not (self.measure == SUM and self.factor == 1):
            found.append("the sum of squares for their mean" if self.measure == SUM else "the mean of squares")
        if self.place != stated.place:
            found.append(_PLACES[self.place])
        if self.measure == SUM and self.factor == 1:
            found.append("eps at the length rather than at the root mean square")
        elif self.factor != stated.factor:
            found.append(f"a factor sqrt(dim) {'too many' if self.factor > stated.factor else 'missing'}")
        return found


_CENTRED = {
    BOTH: "the mean taken off",
    NONE: "the mean not taken off",
    ABOVE: "the mean taken off above but not in the spread",
    BELOW: "the mean taken off in the spread alone",
}
_PLACES = {
    "": "eps under the root",
    "outside": "eps outside the root",
    "bound": "eps as a bound of the root",
    "bound_inside": "eps as a bound under the root",
    "no_root": "the root missing",
}


def stated_form(kind: str, place: str = "", correction: float = 0.0) -> Form:
    """The form of an op of `kind` in the vocabulary.

    Args:
        kind: 'layer_norm', 'rms_norm' or 'l2_norm' (whose epsilon is a bound of the length).
        place: its `eps_place`.
        correction: degrees of freedom taken off.
    """
    if kind == "l2_norm":
        return Form(NONE, SUM, 0.0, place or "bound")
    return Form(BOTH if kind == "layer_norm" else NONE, MEAN, correction, place)


def forms(stated: Form, *, with_eps: bool) -> Iterator[Form]:
    """All forms, what is stated first and then the nearest.

    Args:
        stated: where to begin.
        with_eps: whether an epsilon is added at all; without one the places of it are one.
    """
    yield stated
    seen = {stated}
    places = PLACES if with_eps else ("", "no_root")
    spreads = ((MEAN, 0.0, 0), (MEAN, 1.0, 0), (SUM, 0.0, 0), (SUM, 0.0, 1), (MEAN, 0.0, 1), (MEAN, 0.0, -1))
    for centred in sorted((BOTH, NONE, ABOVE, BELOW), key=lambda one: one != stated.centred):
        for measure, correction, factor in spreads:
            for place in places:
                form = Form(centred, measure, correction, place, factor)
                if form not in seen:
                    seen.add(form)
                    yield form
