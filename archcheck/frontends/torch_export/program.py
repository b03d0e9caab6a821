"""An exported program as data: graphs of nodes with arguments, and what its signature tells of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from archcheck.frontends.trace.wire import Encoded

_FRAMEWORK = ("/torch/nn/", "/torch/_", "/torch/utils/", "/torch/fx/", "/torch/export/", "/torch/functional.py")


@dataclass(frozen=True, slots=True)
class Frame:
    """A line of code on the way to an op, as the file tells it."""

    file: str
    line: int
    function: str
    text: str  # of the line


@dataclass(frozen=True, slots=True)
class Node:
    """One op of the program.

    Attributes:
        target: its name: "torch.ops.aten.add.Tensor".
        args: positional arguments, as they go over the wire; a graph is ["g", its number].
        names: of the positional arguments, by the op's schema.
        given: what it gives; numbers in it are new.
        frames: lines of code, outermost first.
        modules: (path, class) of the modules that it is in, outermost first.
        function: the call of torch that it belongs to, "" where that is not told.
    """

    target: str
    args: list[Encoded]
    names: list[str]
    kwargs: dict[str, Encoded]
    given: Encoded
    frames: tuple[Frame, ...]
    modules: tuple[tuple[str, str], ...]
    function: str

    @property
    def place(self) -> str:
        """The path of the innermost module."""
        return self.modules[-1][0] if self.modules else ""


@dataclass(frozen=True, slots=True)
class Graph:
    """A graph in a program: the program's own, or one that an op is given."""

    inputs: tuple[int, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[Encoded, ...]


@dataclass(frozen=True, slots=True)
class Tensor:
    """What the file tells about a tensor; `known` are its numbers, where they are few and told."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: int


@dataclass
class Program:
    """An exported program.

    Attributes:
        graphs: those that ops are given, by number.
        tensors: all values, by number.
        parameters, buffers, constants: number -> its name in the model.
        inputs: name of an argument, a part of one as `name[2]` -> number.
        sizes: names of sizes that are free -> what they were taken to be.
        as_exported: whether no op was spelled out in smaller ones since.
    """

    graph: Graph
    graphs: list[Graph] = field(default_factory=list)
    tensors: list[Tensor] = field(default_factory=list)
    parameters: dict[int, str] = field(default_factory=dict)
    buffers: dict[int, str] = field(default_factory=dict)
    constants: dict[int, str] = field(default_factory=dict)
    inputs: list[tuple[str, int]] = field(default_factory=list)
    results: list[int] = field(default_factory=list)
    sizes: dict[str, str] = field(default_factory=dict)
    as_exported: bool = True


def innermost(frames: Sequence[Frame]) -> Frame | None:
    """The line of code that a reader looks for: the innermost one that is not torch's own."""
    own = [frame for frame in frames if not is_torchs(frame)]
    return own[-1] if own else frames[0] if frames else None


def is_torchs(frame: Frame) -> bool:
    """Whether a line of code is torch's own."""
    path = frame.file.replace("\\", "/")
    return path.startswith("<") or any(part in path for part in _FRAMEWORK)
