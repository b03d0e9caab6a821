"""Sizes of axes that are not known: letters, put equal where ops need it, that then stand for distinct primes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from math import prod

Size = tuple[int, tuple[str, ...]]  # a number times letters, in order
ONE: Size = (1, ())
LARGEST = 4  # numbers that stand for themselves


class NoShapeError(ValueError):
    """Operands that do not fit, or a shape that does not follow."""


def fixed(number: int) -> Size:
    """A size that is a number; a large one is a letter too, as tensors are to be small."""
    if number < 1:
        raise NoShapeError(f"a size of {number}")
    return (number, ()) if number <= LARGEST else (1, (f"={number}",))


def times(sizes: Iterable[Size]) -> Size:
    """The size of axes that are joined."""
    listed = list(sizes)
    return prod(number for number, _ in listed), tuple(sorted(letter for _, letters in listed for letter in letters))


@dataclass
class Sizes:
    """What is known of letters."""

    bound: dict[str, Size] = field(default_factory=dict)
    sums: dict[str, tuple[Size, ...]] = field(default_factory=dict)  # letters that are other sizes added up
    names: Iterable[int] = field(default_factory=count)

    def letter(self, name: str = "") -> Size:
        """A size of which nothing is known; of one name the same."""
        return 1, (name or f"#{next(iter(self.names))}",)

    def added(self, parts: Sequence[Size]) -> Size:
        """The size of an axis along which others are put behind each other."""
        plain = [self.plain(part) for part in parts]
        if not any(letters for _, letters in plain):
            return sum(number for number, _ in plain), ()
        found = self.letter()
        self.sums[found[1][0]] = tuple(plain)
        return found

    def plain(self, size: Size) -> Size:
        """A size in letters that stand for themselves."""
        while any(letter in self.bound for letter in size[1]):
            size = times([(size[0], ()), *(self.bound.get(letter, (1, (letter,))) for letter in size[1])])
        return size

    def join(self, one: Size, other: Size) -> None:
        """Put two sizes equal.

        Raises:
            NoShapeError: they cannot be.
        """
        (number, letters), (number_too, letters_too) = self.plain(one), self.plain(other)
        left, right = Counter(letters), Counter(letters_too)
        shared = left & right
        rest, rest_too = sorted((left - shared).elements()), sorted((right - shared).elements())
        if not rest and not rest_too:
            if number != number_too:
                raise NoShapeError(f"{number} is not {number_too}")
        elif len(rest) == 1 and rest[0] not in self.sums and number_too % number == 0:
            self._bind(rest[0], (number_too // number, tuple(rest_too)))
        elif len(rest_too) == 1 and rest_too[0] not in self.sums and number % number_too == 0:
            self._bind(rest_too[0], (number // number_too, tuple(rest)))
        else:
            raise NoShapeError("sizes that need not be the same")

    def _bind(self, letter: str, size: Size) -> None:
        """Let a letter stand for a size, which is not a sum that it is itself part of: no size is larger than it is."""
        waiting, seen = list(size[1]), set[str]()
        while waiting:
            part = waiting.pop()
            if part == letter:
                raise NoShapeError("a size that is a sum of itself and another")
            if part not in seen:
                seen.add(part)
                waiting += [inner for one in self.sums.get(part, ()) for inner in self.plain(one)[1]]
        self.bound[letter] = size

    def spread(self, shapes: Sequence[Sequence[Size]]) -> list[Size]:
        """The shape of tensors that are combined entry by entry, an axis of one entry repeated."""
        found: list[Size] = []
        for at in range(1, max(map(len, shapes), default=0) + 1):
            wide = [size for shape in shapes if len(shape) >= at if (size := self.plain(shape[-at])) != ONE]
            for size in wide[1:]:
                self.join(wide[0], size)
            found.insert(0, wide[0] if wide else ONE)
        return found

    def numbers(self) -> _Numbers:
        """Numbers for letters: distinct primes for those of which nothing is known."""
        return _Numbers(self)


class _Numbers:
    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes
        self._given: dict[str, int] = {}
        self._primes = (n for n in count(2) if all(n % m for m in range(2, int(n**0.5) + 1)))

    def __call__(self, size: Size) -> int:
        number, letters = self._sizes.plain(size)
        return number * prod(self._of(letter) for letter in letters)

    def _of(self, letter: str) -> int:
        if letter in self._sizes.sums:
            return sum(self(part) for part in self._sizes.sums[letter])
        if letter not in self._given:
            self._given[letter] = next(self._primes)
        return self._given[letter]
