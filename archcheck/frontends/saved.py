"""What every reader of saved models gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from archcheck.frontends.static.reader import Reading
from archcheck.frontends.trace.wire import Recording
from archcheck.ir.graph import Value


@dataclass(frozen=True)
class Loaded:
    """What a file holds.

    Attributes:
        reading: its graph, as a reading.
        training: the mode in which it was saved.
        shapes: of what ops give, where the file tells them all.
        recording: what was replayed, where it was told as calls.
    """

    reading: Reading
    training: bool
    shapes: Mapping[Value, tuple[int, ...]] = field(default_factory=dict)
    recording: Recording | None = None
