"""What ops mean at a random point: arithmetic by itself, exponentials by what is true of them, the rest at random."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import blake2b

from archcheck.align.field import PRIME, Element, number
from archcheck.ir.graph import AttrValue, Op


@dataclass
class World:
    """One draw: what the functions and inputs are."""

    seed: bytes
    drawn: int = 0
    degree: int = 1  # the highest of what a function was asked with

    def number(self, *key: object) -> Element:
        """The random number that stands for a key."""
        self.drawn += 1
        return Element(int.from_bytes(blake2b(repr(key).encode(), key=self.seed, digest_size=16).digest()) % PRIME)

    def function(self, key: object, given: Iterable[Element], output: int = 0) -> Element:
        """What a random function gives."""
        values = []
        for one in given:
            self.degree = max(self.degree, one.degree)
            values.append(one.value)
        return self.number(key, tuple(values), output)

    def functions(self, key: object, given: Iterable[Element], count: int) -> list[Element]:
        """What as many random functions give of the same values."""
        values = []
        for one in given:
            self.degree = max(self.degree, one.degree)
            values.append(one.value)
        asked = blake2b(repr((key, values)).encode(), key=self.seed, digest_size=32).digest()
        return [self.number(asked, output) for output in range(count)]

    def exponential(self, given: Element) -> Element:
        """A random function for which that of -x is one over that of x, and so that of zero one."""
        turned = -given
        if given.value == turned.value:  # zero
            return Element(1, 0, 0)
        if given.value <= turned.value:
            return self.function("exp", [given])
        return self.function("exp", [turned]).inverse()

    def chance(self, degree: int) -> float:
        """A bound on the chance that values that differ as functions were equal in this draw."""
        asked = self.drawn * self.drawn  # pairs of points at which a function may have been asked the same by chance
        return min(1.0, (asked * 2 * self.degree + degree) / PRIME)


def arithmetic(world: World, op: Op, reads: list[Element]) -> Element | None:
    """What an op of arithmetic gives; None for others, and where a constant is not known."""
    rule = RULES.get(op.kind.name)
    return None if rule is None else rule(world, reads, {one.name: one.value for one in op.attrs})


_Rule = Callable[[World, list[Element], dict[str, AttrValue]], Element | None]


def _folded(two: Callable[[Element, Element], Element], swaps: bool) -> _Rule:
    """A rule for operands in order; a constant `by` is the last of them, or the first where the op is reversed."""

    def rule(world: World, reads: list[Element], attrs: dict[str, AttrValue]) -> Element | None:
        operands = list(reads)
        if set(attrs) - ({"by"} | ({"reverse"} if swaps else set())):
            return None
        if "by" in attrs:
            constant = number(attrs["by"])
            if constant is None:
                return None
            operands.insert(0 if attrs.get("reverse") is True else len(operands), constant)
        if len(operands) < 2:  # one operand and nothing to combine it with
            return None
        total = operands[0]
        for operand in operands[1:]:
            total = two(total, operand)
        return total

    return rule


def _power(world: World, reads: list[Element], attrs: dict[str, AttrValue]) -> Element | None:
    exponent = attrs.get("exponent")
    if set(attrs) != {"exponent"} or not isinstance(exponent, int | float) or exponent != int(exponent):
        return None
    return reads[0].power(int(exponent)) if len(reads) == 1 else None


def _plain(one: Callable[[World, Element], Element]) -> _Rule:
    """A rule for one operand and no attributes."""
    return lambda world, reads, attrs: one(world, reads[0]) if len(reads) == 1 and not attrs else None


def _sigmoid(world: World, x: Element) -> Element:
    return (_ONE + world.exponential(-x)).inverse()


def _tanh(world: World, x: Element) -> Element:
    return _TWO * _sigmoid(world, _TWO * x) - _ONE


def _lerp(world: World, reads: list[Element], attrs: dict[str, AttrValue]) -> Element | None:
    weights = [*reads[2:], *([constant] if (constant := number(attrs.get("weight"))) is not None else [])]
    if len(weights) != 1 or set(attrs) - {"weight"}:
        return None
    return reads[0] + weights[0] * (reads[1] - reads[0])


_ONE, _TWO = Element(1, 0, 0), Element(2, 0, 0)
RULES: dict[str, _Rule] = {
    "add": _folded(lambda one, other: one + other, swaps=False),
    "sub": _folded(lambda one, other: one - other, swaps=True),
    "mul": _folded(lambda one, other: one * other, swaps=False),
    "div": _folded(lambda one, other: one * other.inverse(), swaps=True),
    "scale": _folded(lambda one, other: one * other, swaps=False),
    "neg": _plain(lambda world, x: -x),
    "identity": _plain(lambda world, x: x),
    "pow": _power,
    "lerp": _lerp,
    "exp": _plain(lambda world, x: world.exponential(x)),
    "sigmoid": _plain(_sigmoid),
    "tanh": _plain(_tanh),
    "silu": _plain(lambda world, x: x * _sigmoid(world, x)),
    "relu2": _plain(lambda world, x: world.function(("relu", ()), [x]).power(2)),
    "rsqrt": _plain(lambda world, x: world.function(("sqrt", ()), [x]).inverse()),
}


__all__ = ["World", "arithmetic"]
