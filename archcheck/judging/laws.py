"""Whether a sample of weights follows the law that a paper draws them by, and what tells that it does not.

A standard deviation that is estimated from n entries of a normal distribution is itself off by about std / sqrt(2n)
(one standard error; less for a uniform distribution). A sample is held against a law with NOISE of these beside the
tolerance that the claim grants, so that a true sample is called false less than once in 16,000 times. Which
distribution it is shows at its ends: a uniform one goes to sqrt(3) of its standard deviations and no further.

Cites: glorot2010, Equations 12 and 16; he2015, Equations 10 and 14.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum

from archcheck.ir.weights import Initial

ENTRIES = 64  # a sample of fewer tells no spread
ENTRIES_OF_A_SHAPE = 256  # a sample of fewer does not tell a normal distribution from a uniform one
NOISE = 4.0  # standard errors
SAME = 4e-3  # relative: two values are one, also where they were rounded to 8 bits of mantissa (bfloat16)
ROOT_3 = math.sqrt(3)
NORMAL_GOES_TO = 1.87  # standard deviations, at least, in ENTRIES_OF_A_SHAPE entries: 1e-7 that none lies beyond
USUAL_CUT = 2.0  # standard deviations


class Family(Enum):
    """The shape of a distribution, where it is stated."""

    ANY = "any"
    CONSTANT = "constant"
    NORMAL = "normal"
    UNIFORM = "uniform"
    TRUNCATED = "truncated_normal"


@dataclass(frozen=True, slots=True)
class Law:
    """What a sample of weights is drawn from.

    Args:
        spread: the standard deviation; of a constant, its value.
        tolerance: relative, on the standard deviation.
        cut: where a truncated normal distribution is cut off, in its own standard deviations; 0: not stated.
        compared: entries of the sample that `spread` itself was estimated from; 0: it is exact.
    """

    family: Family
    spread: float
    tolerance: float = 0.05
    cut: float = 0.0
    compared: int = 0

    @property
    def least(self) -> float:
        """The smallest standard deviation that it may have: one that is cut off is narrower than before."""
        return self.spread * narrowed(self.cut or USUAL_CUT) if self.family is Family.TRUNCATED else self.spread

    @property
    def most(self) -> float:
        """The largest. Libraries state `std` before the cut, and torch's cuts at -2 and 2, which cuts nothing off."""
        return self.least if self.cut else self.spread


@dataclass(frozen=True, slots=True)
class Departure:
    """What a sample is and is not, as a sentence goes on: "start with ..."."""

    found: str
    stated: str


@dataclass(frozen=True, slots=True)
class TooFew:
    """A sample that is too small to tell."""

    entries: int


def judge(law: Law, sample: Initial) -> Departure | TooFew | None:
    """How `sample` departs from `law`: None where it does not."""
    if law.family is Family.CONSTANT:
        return _constant(law.spread, sample)
    if law.spread == 0:
        return _constant(0.0, sample)
    if sample.constant is not None and sample.count > 1:
        return Departure(f"the one value {shown(sample.constant)}", f"standard deviation {_spread(law)}")
    if sample.count < ENTRIES:
        return TooFew(sample.count)
    slack = law.tolerance + NOISE * math.sqrt(1 / (2 * sample.count) + (1 / (2 * law.compared) if law.compared else 0))
    if not law.least * (1 - slack) <= sample.std <= law.most * (1 + slack):
        return Departure(f"standard deviation {shown(sample.std)}", _spread(law))
    if law.family is Family.ANY:
        return None
    if abs(sample.mean) > law.spread * (law.tolerance + NOISE / math.sqrt(sample.count)):
        return Departure(f"mean {shown(sample.mean)}", "0")
    return _shape(law, sample)


def _constant(value: float, sample: Initial) -> Departure | None:
    ends = (sample.minimum, sample.maximum)
    if all(abs(end - value) <= SAME * abs(value) for end in ends):
        return None
    if sample.constant is not None:
        return Departure(shown(sample.constant), shown(value))
    return Departure(f"values between {shown(ends[0])} and {shown(ends[1])}", shown(value))


def _shape(law: Law, sample: Initial) -> Departure | None:
    """What the ends of a sample tell of its distribution."""
    goes_to = max(abs(sample.minimum), abs(sample.maximum))
    if law.family is Family.UNIFORM and goes_to > ROOT_3 * law.spread * (1 + law.tolerance):
        return Departure(f"values up to {shown(goes_to)}", f"a uniform distribution up to {shown(ROOT_3 * law.spread)}")
    if law.cut and goes_to > law.cut * law.spread * (1 + SAME):
        return Departure(f"values up to {shown(goes_to)}", f"a distribution cut off at {shown(law.cut * law.spread)}")
    normal = law.family is Family.NORMAL or (law.family is Family.TRUNCATED and not law.cut)
    if normal and sample.count >= ENTRIES_OF_A_SHAPE and goes_to < NORMAL_GOES_TO * sample.std:
        return Departure(f"no value beyond {shown(goes_to)}, as a uniform distribution has", "a normal distribution")
    return None


def narrowed(cut: float) -> float:
    """The standard deviation of a normal distribution of deviation 1 that is cut off at -cut and cut."""
    inside = math.erf(cut / math.sqrt(2))
    density = math.exp(-cut * cut / 2) / math.sqrt(2 * math.pi)
    return math.sqrt(max(0.0, 1 - 2 * cut * density / inside))


def pooled(samples: Iterable[tuple[Initial, float]]) -> Initial | None:
    """Samples as one, each over its own scale: so that many small ones tell together what none tells alone.

    Args:
        samples: each with what its values are divided by, above 0.
    """
    rows = [(one, scale) for one, scale in samples if one.count]
    count = sum(one.count for one, _ in rows)
    if not count:
        return None
    mean = math.fsum(one.count * one.mean / scale for one, scale in rows) / count
    square = math.fsum(one.count * (one.std**2 + one.mean**2) / scale**2 for one, scale in rows) / count
    return replace(
        rows[0][0],
        count=count,
        mean=mean,
        std=math.sqrt(max(0.0, square - mean**2)),
        minimum=min(one.minimum / scale for one, scale in rows),
        maximum=max(one.maximum / scale for one, scale in rows),
        zeros=sum(one.zeros for one, _ in rows),
        ones=sum(one.ones for one, _ in rows),
        thirds=(),
    )


def shown(value: float) -> str:
    """A figure as a report shows it: four digits, whole numbers as they are."""
    return f"{value:.4g}"


def _spread(law: Law) -> str:
    return shown(law.most) + (f", or {shown(law.least)} behind a cut" if law.least != law.most else "")
