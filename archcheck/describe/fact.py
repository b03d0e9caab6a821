"""One fact about a model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact, or None with the reason why it is not known."""

    name: str
    value: bool | str | None
    why: str = ""
