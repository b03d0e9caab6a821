"""A graph of TensorFlow as plain data: nodes by name, functions by name, what comes in and goes out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from archcheck.ir.shapes import Dims

MAX_DEPTH = 32  # functions in each other


class NonsenseError(Exception):
    """What is wrong with a graph, in words."""


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """Numbers that are known, or of which it is known what they are, in the order of rows.

    Args:
        shape: entries along each axis.
        flat: the entries: numbers, truths and `Open` values.
        real: whether they have fractions.
    """

    shape: tuple[int, ...]
    flat: tuple[Any, ...]
    real: bool = False

    @property
    def single(self) -> bool:
        """Whether it is one number."""
        return len(self.flat) == 1

    def only(self) -> Any:
        """The one number that it is."""
        return self.flat[0]

    def plain(self) -> Any:
        """As lists in lists; a number where it has no axes."""

        def nested(start: int, shape: tuple[int, ...]) -> Any:
            if not shape:
                return self.flat[start]
            step = math.prod(shape[1:])
            return [nested(start + at * step, shape[1:]) for at in range(shape[0])]

        return nested(0, self.shape)

    def whole(self) -> list[int]:
        """Its entries as whole numbers.

        Raises:
            TypeError: one is not known.
        """
        return [_whole(one) for one in self.flat]


class Rough(float):
    """A number that was rounded so far that what it was is not known."""

    __slots__ = ()


def _whole(value: Any) -> int:
    if not isinstance(value, (int, float)):
        raise TypeError("a number that is not known")
    return int(value)


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """A tensor that the file holds and of which the numbers are not taken as such.

    Args:
        name: of the node that gives it.
        shape: entries along each axis.
        real: whether its numbers have fractions.
        numbers: what it holds, where that is little and told.
    """

    name: str
    shape: tuple[int, ...]
    real: bool
    numbers: Held | None


@dataclass(frozen=True, slots=True, eq=False)
class Called:
    """A function that a node is given."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One operation.

    Args:
        name: its own, with the scopes around it: "encoder/layer_0/mul".
        op: its type: "Mul".
        inputs: what it reads, as the file spells it: "x", "split:1", "split:output:1"; without control inputs.
        attrs: numbers, texts, shapes, lists of them, `Stored`, `Called`; types are None.
        why: it is known that nothing is known of it, and why; "" of all others.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A graph that nodes may call.

    Args:
        name: its own.
        arguments: names under which its nodes read what it is given.
        results: what it gives, as its nodes' inputs are spelled.
        nodes: in the order of the file.
        shapes: of arguments, by their number, where they are told.
    """

    name: str
    arguments: tuple[str, ...]
    results: tuple[str, ...]
    nodes: Mapping[str, Node]
    shapes: Mapping[int, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Variable:
    """What a file tells of a variable beside its node.

    Args:
        name: its place: "encoder.norm.scale".
        trains: whether training changes it by its gradient.
        shape: entries along each axis; None where that is not told.
    """

    name: str
    trains: bool
    shape: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Graph:
    """A graph, and what is asked of it.

    Args:
        nodes: by name.
        functions: by name; looked up when they are called.
        inputs: name that a report calls it by -> name of its node.
        outputs: the same, with the outputs as nodes' inputs are spelled.
        captures: function -> what its last arguments are, of those that are variables of the file's own object tree.
        frozen: whether its variables have become constants.
        converted: whether a tool has rewritten it, which folds whatever is constant.
    """

    nodes: Mapping[str, Node]
    functions: Mapping[str, Function]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    captures: Mapping[str, tuple[Variable | None, ...]] = field(default_factory=dict)
    frozen: bool = False
    converted: bool = False


@dataclass(frozen=True, slots=True)
class Ref:
    """An input of a node, taken apart.

    Args:
        name: of the node, or of the argument of a function.
        output: the name that the op gives this output; "" where it is told by number.
        index: which of the outputs of that name.
    """

    name: str
    output: str
    index: int


def ref(text: str) -> Ref:
    """What an input is.

    Raises:
        NonsenseError: it is none.
    """
    name, _, rest = text.partition(":")
    output, _, number = rest.rpartition(":")
    if not name or (number and not number.isdecimal()) or len(number) > 6:
        raise NonsenseError(f'"{text[:80]}" is no input')
    return Ref(name, output, int(number or 0))


def dims_of(told: Any) -> Dims | None:
    """A shape as sizes follow it: None for a size that is free; None as a whole where no shape is told."""
    if not isinstance(told, tuple):
        return None
    return tuple(size if isinstance(size, int) and size >= 0 else None for size in told)
