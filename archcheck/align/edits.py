"""What an alignment is made of: pairs of ops that correspond, and edits that say how the code departs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from archcheck.ir.graph import AttrValue, Op


class EditKind(Enum):
    MISSING = "missing"  # the claim states it, the code has none
    EXTRA = "extra"  # the code has it, the claim does not state it
    MOVED = "moved"  # both have it, in different places
    CHANGED = "changed"  # both have it in the same place, one aspect differs
    UNKNOWN = "unknown"  # archcheck cannot tell: something Unknown or opaque stands there


@dataclass(frozen=True, slots=True)
class Edit:
    """One way in which `actual` departs from `expected`.

    `aspect` says what differs in a CHANGED or UNKNOWN edit: "kind", "attr:<name>", "reads:<operand>", "gives:<output>"
    or "body". `stated` and `found` hold the two sides of that aspect, as data for an attribute and as words for wiring
    ("the output of layer_norm"). In "gives:<output>" the two ops are those whose values come out, of the whole graph or
    of a body. `before` and `after` are the ops of the code between which the edit happens: where a MISSING or MOVED op
    would have to stand by the claim, and a place to point at. An edit that repeats from layer to layer stands here
    once, at its first place; `also` holds its other places.
    """

    kind: EditKind
    expected: Op | None = None
    actual: Op | None = None
    aspect: str = ""
    stated: AttrValue = None
    found: AttrValue = None
    before: Op | None = None
    after: Op | None = None
    also: tuple[tuple[Op | None, Op | None], ...] = ()  # (expected, actual) in the other layers, in program order


@dataclass(frozen=True, slots=True)
class Alignment:
    """Which op of the claim is which op of the code, and every difference between the two, each once."""

    pairs: tuple[tuple[Op, Op], ...]  # (expected, actual), in the order of the claim
    edits: tuple[Edit, ...]
    equivalences: tuple[str, ...] = ()  # named equivalences that were used, sorted
