"""Numbers of a prime field, each with a bound on the degree of the fraction that it is the value of.

Arithmetic in the field is exact: two fractions that are equal as functions are equal at each point, and two that are
not agree at a random one with a chance of at most their degree over the field's size (Schwartz 1980; Zippel 1979).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

PRIME = (1 << 61) - 1
_TOO_HIGH = 1 << 20  # degrees from which nothing is told


class NoValueError(ArithmeticError):
    """A division by zero at the point that was drawn, or a degree too high to tell anything."""


@dataclass(frozen=True, slots=True)
class Element:
    """A number of the field: the value at one point of a fraction of two polynomials of at most these degrees."""

    value: int
    above: int = 1
    below: int = 0

    def __post_init__(self) -> None:
        if max(self.above, self.below) > _TOO_HIGH:
            raise NoValueError("the degree is too high")

    @property
    def degree(self) -> int:
        """Of the equation that says that this is another such fraction, per side."""
        return self.above + self.below

    def __add__(self, other: Element) -> Element:
        value = (self.value + other.value) % PRIME
        return Element(value, max(self.above + other.below, other.above + self.below), self.below + other.below)

    def __neg__(self) -> Element:
        return Element(-self.value % PRIME, self.above, self.below)

    def __sub__(self, other: Element) -> Element:
        return self + -other

    def __mul__(self, other: Element) -> Element:
        return Element(self.value * other.value % PRIME, self.above + other.above, self.below + other.below)

    def inverse(self) -> Element:
        """One over it.

        Raises:
            NoValueError: it is zero.
        """
        if not self.value:
            raise NoValueError("a division by zero")
        return Element(pow(self.value, -1, PRIME), self.below, self.above)

    def power(self, exponent: int) -> Element:
        """It to a whole power."""
        if exponent < 0:
            return self.inverse().power(-exponent)
        return Element(pow(self.value, exponent, PRIME), self.above * exponent, self.below * exponent)


def number(value: object) -> Element | None:
    """A number of code or of a claim, as it is written in decimals; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    exact = Fraction(repr(value))
    if exact.denominator % PRIME == 0:
        return None
    return Element(exact.numerator * pow(exact.denominator, -1, PRIME) % PRIME, 0, 0)


__all__ = ["PRIME", "Element", "NoValueError", "number"]
