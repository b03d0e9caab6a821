"""Values that could not be found out, and what is known of them all the same."""

from __future__ import annotations

from dataclasses import dataclass

from archcheck.ir.graph import Size, Unknown, Value
from archcheck.ir.span import Span

LONG_REASON = 80  # characters of a reason to which no more words are added


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Open:
    """A value that could not be found out.

    Args:
        why: the reason, for a reader: "config.hidden_act is not set".
        span: where it arose.
        flag: name of the setting that would decide it, as a user would pass it; "" where none would.
        metadata: it tells about a tensor's shape, type or device, or about the machine, not about the architecture.
    """

    why: str
    span: Span | None = None
    flag: str = ""
    metadata: bool = False

    def __repr__(self) -> str:
        return "unknown"

    def as_unknown(self) -> Unknown:
        return Unknown(self.why, self.span)

    def about(self, why: str, span: Span | None = None) -> Open:
        """What follows from this one: open for the reason `why`, decided by the same flag, at `span` or where this one
        arose."""
        return Open(why, span or self.span, self.flag, self.metadata)

    def within(self, before: str = "", after: str = "") -> str:
        """Its reason with words around it; alone where it is long, since reasons must not grow in a loop."""
        return f"{before}{self.why}{after}" if len(self.why) < LONG_REASON else self.why

    def __bool__(self) -> bool:
        raise TypeError(f"an open value has no truth value: {self.why}")


class Several(Open):
    """Several values, laid out where one stands, of which it is not known how many there are: `(*x.shape, heads)`."""

    __slots__ = ()


class OpenRange(Open):
    """A range of numbers of which it is not known how many there are."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Expected(Open):
    """A condition with the side that it is on where nothing is unusual: on a tensor's size, that for any but the least,
    a batch of one or a sequence of one token; on a device, that without an accelerator.

    Args:
        side: true or false.
    """

    side: bool = False

    def turned(self) -> Expected:
        """The condition that is true where this one is false."""
        return Expected(self.within("not "), self.span, self.flag, self.metadata, not self.side)

    def weighty(self) -> Expected:
        """The condition, as one that decides the architecture."""
        return Expected(self.why, self.span, side=self.side)


class Told(Open):
    """What a tensor tells about itself, or a part of it: a shape, a size, a device. It is never None."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Shape(Told):
    """The shape of a tensor, which is not empty; `of` is what the tensor was when it was asked for."""

    of: Value | None = None

    def size(self, axes: tuple[int, ...], span: Span | None) -> SizeOf:
        """How many entries the tensor has along an axis, which goes by these numbers."""
        return SizeOf(f"{self.why}[{axes[0]}]", span, self.flag, self.metadata, axes, of=self.of)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Rank(Told):
    """How many axes a tensor has, plus a whole number: as the number of an axis, `x.ndim - 1` is the last.

    Args:
        plus: the number.
    """

    plus: int = 0

    def shifted(self, by: int) -> Rank:
        """The rank with a number added."""
        return Rank(self.why, self.span, self.flag, self.metadata, self.plus + by)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SizeOf(Told):
    """How many entries a tensor has along an axis, raised to a power.

    Args:
        axes: numbers by which the axis goes: from the front, from the end.
    """

    axes: tuple[int, ...] = ()
    power: float = 1.0
    of: Value | None = None

    def as_unknown(self) -> Unknown:
        return Size(self.why, self.span, self.axes, self.power, self.of)

    def to_the(self, power: float, span: Span | None) -> SizeOf:
        """Its power."""
        return SizeOf(
            f"{self.why} ** {power:g}", span, self.flag, self.metadata, self.axes, self.power * power, self.of
        )
