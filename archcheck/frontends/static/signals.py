"""What ends a block of statements early."""

from __future__ import annotations

from archcheck.frontends.static.values import Data


class Signal:
    """What ends a block early."""

    __slots__ = ("kind", "value")

    def __init__(self, kind: str, value: Data = None) -> None:
        self.kind = kind
        self.value = value


BREAK = Signal("break")
CONTINUE = Signal("continue")
