"""Sizes along axes, of which some are not known: how attributes state them, and how they are joined.

Whatever does not follow from what is given raises `NotKnown`, which `shapes_of` turns into None: a shape is certain or
it is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from archcheck.ir.graph import Size, Unknown

Dims = tuple[int | None, ...]  # entries along each axis; None: that size is not known


class NotKnown(Exception):
    """A shape does not follow from what is given."""


@dataclass(frozen=True, slots=True)
class Shaped:
    """A tensor among the arguments of a call; `dims` is None where its number of axes is not known."""

    dims: Dims | None


@dataclass(frozen=True, slots=True)
class Given:
    """An op, as the rules for shapes see it; see `shapes_of`."""

    attrs: Mapping[str, object]
    operands: Sequence[Dims | None]
    arguments: Mapping[str, object] | None
    outputs: int

    def operand(self, at: int = 0) -> Dims:
        """The shape of operand `at`.

        Raises:
            NotKnown: there is none, or its number of axes is not known.
        """
        found = self.operands[at] if at < len(self.operands) else None
        if found is None:
            raise NotKnown
        return found

    def get(self, name: str) -> object:
        """The value of an attribute; None where it is not stated."""
        return self.attrs.get(name)

    def flag(self, name: str, default: bool = False) -> bool:
        """Whether an attribute says yes.

        Raises:
            NotKnown: it is not known what it says.
        """
        return truth(self.attrs[name]) if name in self.attrs else default

    def axis(self, rank: int, name: str = "axis") -> int:
        """The axis that an attribute names, counted from the front.

        Raises:
            NotKnown: it names none of `rank` axes.
        """
        return axis_of(self.attrs.get(name), rank)

    def argument(self, *names: str) -> object:
        """The argument that the call has under the first of `names` that is a parameter of what is called.

        Raises:
            NotKnown: the arguments are not told, or none of the names is a parameter.
        """
        for name in names:
            if self.arguments is not None and name in self.arguments:
                return self.arguments[name]
        raise NotKnown

    @property
    def spelled(self) -> bool:
        """Whether the op is part of a formula, which means by it what an attribute need not tell."""
        return self.arguments == {}

    def takes(self, *names: str) -> bool:
        """Whether the arguments are told, and what is called has one of these parameters."""
        return self.arguments is not None and any(name in self.arguments for name in names)

    def shaped(self, *names: str) -> Dims:
        """The shape of the tensor that is the first of these arguments.

        Raises:
            NotKnown: it is no tensor, or one of unknown shape.
        """
        found = self.argument(*names)
        if not isinstance(found, Shaped) or found.dims is None:
            raise NotKnown
        return found.dims


def words(text: str) -> tuple[str, ...]:
    """The names in `text`, between spaces."""
    return tuple(text.split())


def truth(value: object) -> bool:
    """A boolean that is known.

    Raises:
        NotKnown: it is not.
    """
    if isinstance(value, bool):
        return value
    raise NotKnown


def size(value: object) -> int | None:
    """A number of entries, where `value` is one."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def is_number(value: object) -> bool:
    """Whether `value` is one number, known or not, and so has no shape of its own."""
    return isinstance(value, (bool, int, float, Size))


def is_open(value: object) -> bool:
    """Whether `value` may be anything, and several things at that."""
    return isinstance(value, Unknown) and not isinstance(value, Size)


def sizes(value: object) -> Dims:
    """The sizes that an attribute lists; None and a `Size` are one that is not known.

    Raises:
        NotKnown: it is not known how many there are. An Unknown in the list may stand for several.
    """
    if isinstance(value, (int, Size)) and not isinstance(value, bool):
        return (size(value),)
    if not isinstance(value, (tuple, list)):
        raise NotKnown
    for item in value:
        if isinstance(item, bool) or not (item is None or isinstance(item, (int, Size))):
            raise NotKnown
    return tuple(size(item) for item in value)


def each(value: object, count: int) -> Dims:
    """One size for each of `count` axes, of which an attribute states one for all, or one for each.

    Raises:
        NotKnown: it states another number of sizes.
    """
    if isinstance(value, (tuple, list)):
        if len(value) not in (1, count):
            raise NotKnown
        found = tuple(size(item) for item in value)
        return found if len(found) == count else found * count
    if isinstance(value, str):
        raise NotKnown
    return (size(value),) * count


def axis_of(value: object, rank: int) -> int:
    """An axis counted from the front.

    Raises:
        NotKnown: `value` names none of `rank` axes.
    """
    at = size(value)
    if at is None or not -rank <= at < rank:
        raise NotKnown
    return at % rank


def axes_of(value: object, rank: int) -> tuple[int, ...]:
    """Axes counted from the front, each once, of which an attribute names one or lists several.

    Raises:
        NotKnown: one is none of `rank` axes, or is named twice.
    """
    listed = value if isinstance(value, (tuple, list)) else (value,)
    found = tuple(axis_of(item, rank) for item in listed)
    if len(set(found)) < len(found):
        raise NotKnown
    return found


def known(value: int | None) -> int:
    """A size that is known.

    Raises:
        NotKnown: it is not.
    """
    if value is None:
        raise NotKnown
    return value


def total(dims: Iterable[int | None]) -> int | None:
    """How many entries there are in all; None where a size is not known."""
    sizes_ = list(dims)
    return None if None in sizes_ else prod(one for one in sizes_ if one is not None)


def added(*parts: int | None) -> int | None:
    """The sum; None where a part is not known."""
    return None if None in parts else sum(part for part in parts if part is not None)


def times(*parts: int | None) -> int | None:
    """The product; None where a factor is not known."""
    return total(parts)


def replaced(dims: Dims, axis: int, *new: int | None) -> Dims:
    """`dims` with others in the place of one axis."""
    return (*dims[:axis], *new, *dims[axis + 1 :])


def broadcast(*shapes: Dims) -> Dims:
    """What tensors of these shapes are stretched to, element by element.

    Raises:
        NotKnown: they do not fit.
    """
    rank = max((len(shape) for shape in shapes), default=0)
    return tuple(
        _stretched([shape[at - rank + len(shape)] for shape in shapes if at >= rank - len(shape)]) for at in range(rank)
    )


def _stretched(entries: list[int | None]) -> int | None:
    wide = {entry for entry in entries if entry not in (None, 1)}
    if len(wide) > 1:
        raise NotKnown
    if wide:
        return wide.pop()
    return None if None in entries else 1


def either(*shapes: Dims) -> Dims:
    """What is certain of a shape that is one of these.

    Raises:
        NotKnown: there is none, or they differ in their number of axes.
    """
    if len({len(shape) for shape in shapes}) != 1:
        raise NotKnown
    return tuple(first if all(one == first for one in rest) else None for first, *rest in zip(*shapes, strict=True))


def agreed(*shapes: Dims) -> Dims:
    """A shape of which each of these is what is known.

    Raises:
        NotKnown: there is none, or they contradict each other.
    """
    if len({len(shape) for shape in shapes}) != 1:
        raise NotKnown
    found: list[int | None] = []
    for entries in zip(*shapes, strict=True):
        told = {entry for entry in entries if entry is not None}
        if len(told) > 1:
            raise NotKnown
        found.append(told.pop() if told else None)
    return tuple(found)
