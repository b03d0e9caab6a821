"""Small tensors of numbers of a prime field, and what ops make of their entries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from archcheck.align.field import Element

Shape = tuple[int, ...]
MOST_ENTRIES = 6_000


class TooLargeError(ValueError):
    """A tensor of more entries than are looked at."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """Entries in row-major order."""

    shape: Shape
    entries: list[Element]

    def __post_init__(self) -> None:
        assert len(self.entries) == prod(self.shape)

    def at(self, place: Sequence[int]) -> Element:
        """One entry."""
        number = 0
        for size, index in zip(self.shape, place, strict=True):
            number = number * size + index
        return self.entries[number]

    def spread(self, shape: Shape) -> list[Element]:
        """The entries of the same tensor with axes of one entry repeated."""
        if shape == self.shape:
            return self.entries
        padded = (1,) * (len(shape) - len(self.shape)) + self.shape
        narrow = Tensor(padded, self.entries)
        return [
            narrow.at([0 if size == 1 else at for size, at in zip(padded, place, strict=True)])
            for place in places(shape)
        ]

    def plain(self) -> Tensor:
        """The same without axes of one entry."""
        return Tensor(tuple(size for size in self.shape if size != 1), self.entries)


def places(shape: Shape) -> Iterator[tuple[int, ...]]:
    """The index of each entry, in row-major order."""
    if prod(shape) > MOST_ENTRIES:
        raise TooLargeError
    return product(*map(range, shape))


def each(shape: Shape, tensors: Sequence[Tensor], rule: Callable[[list[Element]], Element]) -> Tensor:
    """What a rule makes of the entries of tensors that stand in one place."""
    if prod(shape) > MOST_ENTRIES:
        raise TooLargeError
    rows = [tensor.spread(shape) for tensor in tensors]
    return Tensor(shape, [rule(list(row)) for row in zip(*rows, strict=True)])


def along(tensor: Tensor, axis: int, rule: Callable[[list[Element]], list[Element]]) -> Tensor:
    """What a rule makes of the vectors along an axis: vectors of one length, which need not be theirs."""
    shape = tensor.shape
    outer = shape[:axis] + shape[axis + 1 :]
    found = {
        place: rule([tensor.at((*place[:axis], at, *place[axis:])) for at in range(shape[axis])])
        for place in places(outer)
    }
    size = len(next(iter(found.values()), []))
    made = (*shape[:axis], size, *shape[axis + 1 :])
    return Tensor(made, [found[place[:axis] + place[axis + 1 :]][place[axis]] for place in places(made)])


def total(elements: Sequence[Element]) -> Element:
    """Their sum."""
    found = Element(0, 0, 0)
    for element in elements:
        found = found + element
    return found


def contracted(tensors: Sequence[Tensor], letters: Sequence[str], given: str) -> Tensor:
    """Sums of products by Einstein's convention: a letter for each axis of each tensor, and those that are given."""
    sizes = {
        letter: size
        for tensor, names in zip(tensors, letters, strict=True)
        for letter, size in zip(names, tensor.shape, strict=True)
    }
    summed = [letter for letter in sizes if letter not in given]
    if prod(sizes.values()) > MOST_ENTRIES:
        raise TooLargeError
    entries = []
    for place in places(tuple(sizes[letter] for letter in given)):
        at = dict(zip(given, place, strict=True))
        terms = []
        for inner in product(*(range(sizes[letter]) for letter in summed)):
            at.update(zip(summed, inner, strict=True))
            term = Element(1, 0, 0)
            for tensor, names in zip(tensors, letters, strict=True):
                term = term * tensor.at([at[letter] for letter in names])
            terms.append(term)
        entries.append(total(terms))
    return Tensor(tuple(sizes[letter] for letter in given), entries)


def permuted(tensor: Tensor, axes: Sequence[int]) -> Tensor:
    """Axes in another order."""
    shape = tuple(tensor.shape[axis] for axis in axes)
    back = [axes.index(axis) for axis in range(len(axes))]
    return Tensor(shape, [tensor.at([place[at] for at in back]) for place in places(shape)])


def joined(tensors: Sequence[Tensor], axis: int) -> Tensor:
    """Tensors behind each other along an axis."""
    shape = list(tensors[0].shape)
    shape[axis] = sum(tensor.shape[axis] for tensor in tensors)
    rows = [(tensor, at) for tensor in tensors for at in range(tensor.shape[axis])]
    return Tensor(
        tuple(shape),
        [
            rows[place[axis]][0].at((*place[:axis], rows[place[axis]][1], *place[axis + 1 :]))
            for place in places(tuple(shape))
        ],
    )


def taken(tensor: Tensor, axis: int, index: int) -> Tensor:
    """One entry along an axis, which goes."""
    shape = tensor.shape[:axis] + tensor.shape[axis + 1 :]
    return Tensor(shape, [tensor.at((*place[:axis], index, *place[axis:])) for place in places(shape)])
