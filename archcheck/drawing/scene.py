"""What a drawing shows, before any format: boxes in nested frames, lines between them, marks for what differs.

Drawings run bottom-up, inputs below and outputs above, because the figures that they are held against do (Vaswani
2017, Figures 1 and 2; Xiong 2020, Figure 1): a reader lays the two side by side, and "before" and "after" mean the same
direction on both. Ids are made up (`n0`, `c0`), never taken from what was read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum


class Mark(Enum):
    """How a box departs; the sign stands in front of its text, so that colour is never the only signal."""

    NONE = ""
    MOVED = "⇄"
    MISSING = "−"
    EXTRA = "+"
    CHANGED = "≠"
    UNKNOWN = "?"


LEGEND = {
    Mark.MOVED: "⇄ moved",
    Mark.MISSING: "− not in the code",
    Mark.EXTRA: "+ not in the paper",
    Mark.CHANGED: "≠ differs",
    Mark.UNKNOWN: "? cannot tell",
}


class Role(Enum):
    """What a box stands for; decides its tint and outline."""

    INPUT = "input"
    OUTPUT = "output"
    FORK = "fork"  # where a residual branches off the stream: a dot, no text
    JOIN = "join"  # arithmetic that joins values, a circle as in papers
    ATTENTION = "attention"
    FEED_FORWARD = "feed_forward"
    NORM = "norm"
    EMBEDDING = "embedding"
    DROPOUT = "dropout"
    OPAQUE = "opaque"
    OTHER = "other"


class Frame(Enum):
    """What a frame around boxes stands for."""

    COLUMN = "column"  # one side of a difference
    REPEAT = "repeat"
    INSIDE = "inside"  # what a box holds, where it is drawn open


class Line(Enum):
    """What a line stands for."""

    FLOW = "flow"
    SKIP = "skip"  # the stream around a residual branch
    MOVED = "moved"  # from where the paper has an op to where the code has it; no data flows along it


@dataclass(frozen=True, slots=True)
class Node:
    """A box: lines of text as they were read, not escaped."""

    id: str
    label: tuple[str, ...]
    role: Role = Role.OTHER
    mark: Mark = Mark.NONE


@dataclass(frozen=True, slots=True)
class Cluster:
    """A frame with boxes and frames inside, in program order."""

    id: str
    label: tuple[str, ...]
    frame: Frame
    items: tuple[Node | Cluster, ...]
    mark: Mark = Mark.NONE


@dataclass(frozen=True, slots=True)
class Edge:
    """A line from one box to another."""

    tail: str
    head: str
    line: Line = Line.FLOW


@dataclass(frozen=True, slots=True)
class Scene:
    """All that is drawn. `level` pairs boxes of two columns that are drawn at one height, left first."""

    title: str
    description: str
    items: tuple[Node | Cluster, ...]
    edges: tuple[Edge, ...]
    level: tuple[tuple[str, str], ...] = ()

    def nodes(self) -> Iterator[Node]:
        """Every box, in program order."""
        stack: list[Node | Cluster] = list(reversed(self.items))
        while stack:
            item = stack.pop()
            if isinstance(item, Node):
                yield item
            else:
                stack.extend(reversed(item.items))

    def clusters(self) -> Iterator[Cluster]:
        """Every frame, outer before inner."""
        stack = [item for item in reversed(self.items) if isinstance(item, Cluster)]
        while stack:
            cluster = stack.pop()
            yield cluster
            stack.extend(item for item in reversed(cluster.items) if isinstance(item, Cluster))

    @property
    def compares(self) -> bool:
        """Whether this is a difference, in which colour is kept for the marks."""
        return any(isinstance(item, Cluster) and item.frame is Frame.COLUMN for item in self.items)

    def marks(self) -> tuple[Mark, ...]:
        """The marks that are used, in the order of the legend."""
        used = {node.mark for node in self.nodes()} | {cluster.mark for cluster in self.clusters()}
        return tuple(mark for mark in LEGEND if mark in used)


def marked(label: tuple[str, ...], mark: Mark) -> tuple[str, ...]:
    """The lines of a label with the mark's sign in front of the first."""
    return (f"{mark.value} {label[0]}", *label[1:]) if mark is not Mark.NONE else label
