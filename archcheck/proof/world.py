"""What an evaluation takes for granted: the numbers and sizes that attributes stand for, or why there is none.

Two things can keep a body from having a value. `CannotEvaluate`: no definition, or a number that was not read; no
choice of sizes helps. `DoesNotFit`: under the sizes that were chosen the ops cannot run, so the model never has them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from archcheck.ir.graph import AttrValue, Op, Size, Unknown, Value

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]  # of float64, complex128, int64 or bool: what an op makes of its operands decides


class CannotEvaluate(Exception):
    """An op has no definition, or an attribute no value that could be read; `str()` is the reason, for people."""


class DoesNotFit(Exception):
    """The ops cannot run on tensors of the sizes that were chosen."""


@dataclass(frozen=True, slots=True)
class World:
    """The assumptions under which a body is evaluated.

    Args:
        numbers: (path, attribute) -> the number that stands there instead of what the op states: an extreme epsilon,
            or a draw for a number that is open.
        wholes: (path, attribute, position) -> a whole number that stands for an open one, such as a bound of a slice.
        dropped: paths of the reductions whose axes go; those of all others stay with size 1. The vocabulary does not
            say which, since the frameworks' words for it differ.
        shapes: sizes of values outside of the body, where a trace recorded them.
        alike: value outside of the body -> one that it reads, of the same sizes but for the last axis.
    """

    numbers: Mapping[tuple[str, str], float] = field(default_factory=dict)
    wholes: Mapping[tuple[str, str, int], int] = field(default_factory=dict)
    dropped: frozenset[str] = frozenset()
    shapes: Mapping[Value, tuple[int, ...]] = field(default_factory=dict)
    alike: Mapping[Value, Value] = field(default_factory=dict)


Sizes = Callable[[Value], tuple[int, ...] | None]


class Reader:
    """The attributes of one op, as numbers.

    Args:
        op: whose they are.
        world: what stands for those that are open.
        sizes: the shape of a value that is known by now, None of others.
    """

    __slots__ = ("op", "sizes", "world")

    def __init__(self, op: Op, world: World, sizes: Sizes) -> None:
        self.op = op
        self.world = world
        self.sizes = sizes

    def number(self, name: str, default: float | None = None) -> float:
        """The number that attribute `name` states; `default` where none is stated.

        Raises:
            CannotEvaluate: it is open, or no number.
        """
        drawn = self.world.numbers.get((self.op.path, name))
        if drawn is not None:
            return drawn
        value = self.op.attr(name)
        if value is None and default is not None:
            return default
        return float(self._plain(value, name))

    def has_number(self, name: str) -> bool:
        """Whether attribute `name` states anything, or a draw stands for it."""
        return (self.op.path, name) in self.world.numbers or self.op.attr(name) is not None

    def whole(self, name: str, default: int | None = None) -> int:
        """The whole number that attribute `name` states."""
        value = self.op.attr(name)
        if value is None and default is not None:
            return default
        return self.as_whole(value, name)

    def as_whole(self, value: AttrValue, name: str, position: int = 0) -> int:
        """`value`, of attribute `name` at `position` among the open ones in it, as a whole number."""
        drawn = self.world.wholes.get((self.op.path, name, position))
        if drawn is not None and isinstance(value, Unknown):
            return drawn
        number = self._plain(value, name)
        if number != int(number):
            raise CannotEvaluate(f"{name}={number} of {self.op.kind.name} is no whole number")
        return int(number)

    def size(self, value: AttrValue) -> int | None:
        """The number of entries that `value` stands for; None where it is open."""
        if isinstance(value, Size):
            number = self._size(value)
            return None if number is None or number != int(number) else int(number)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def axes(self, rank: int, name: str = "axis") -> tuple[int, ...] | None:
        """The axes that an attribute names, counted from the front; None where it names none."""
        value = self.op.attr(name)
        if value is None:
            return None
        found = value if isinstance(value, tuple) else (value,)
        return tuple(place(self.as_whole(one, name), rank) for one in found)

    def axis(self, rank: int, default: int | None = None) -> int:
        """The one axis that is named.

        Raises:
            CannotEvaluate: none is named and there is no default, or there are several.
        """
        found = self.axes(rank)
        if found is None and default is not None:
            return place(default, rank)
        if found is None or len(found) != 1:
            raise CannotEvaluate(f"{self.op.kind.name} does not say which axis it is about")
        return found[0]

    def _size(self, value: Size) -> float | None:
        if value.of is None or not value.axes:
            return None
        shape = self.sizes(value.of)
        if shape is None and value.of in self.world.alike and len(value.axes) > 1 and -1 not in value.axes:
            shape = self.sizes(self.world.alike[value.of])
        if shape is None:
            return None
        if not -len(shape) <= value.axes[0] < len(shape):
            raise DoesNotFit("the size of an axis that is not there")
        return float(shape[value.axes[0]] ** value.power)

    def _plain(self, value: AttrValue, name: str) -> float:
        if isinstance(value, Size) and (found := self._size(value)) is not None:
            return found
        if isinstance(value, Unknown):
            raise CannotEvaluate(f"{name} of {self.op.kind.name} could not be read: {value.why}")
        if isinstance(value, (int, float)):
            return float(value)
        raise CannotEvaluate(f"{self.op.kind.name} states no number as {name}")


def place(axis: int, rank: int) -> int:
    """`axis` counted from the front of `rank` axes."""
    if not -rank <= axis < rank:
        raise DoesNotFit(f"there is no axis {axis} among {rank}")
    return axis % rank
