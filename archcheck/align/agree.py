"""Whether one op of the code fulfils one op of the claim by itself: kinds, attributes, what a claim leaves free."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from enum import Enum

from archcheck.align.edits import Edit, EditKind
from archcheck.ir.graph import AttrValue, Op, Unknown
from archcheck.ir.ops import BY_NAME, OpKind, Tier

RELATIVE = 1e-4  # papers round: 0.7071 stands for 1/sqrt(2)
SOURCES = frozenset({"input", "parameter", "constant"})

DEFAULT_FREE: frozenset[str] = frozenset(
    {
        "dropout",  # acts in training only, and few equations write it down
        "stochastic_depth",
        "identity",
        "reshape",  # layout: a paper's equation has no axes
        "permute",
        "expand",
        *SOURCES,  # what is fed in is judged where it is read
    }
)
"""Kinds that the code may have where the claim says nothing of them."""

EVERYTHING: frozenset[str] = DEFAULT_FREE - SOURCES
"""`closed=EVERYTHING`: the claim lists all there is. Sources stay free: they are judged where they are read."""

_PLAIN = (bool, int, float, str, type(None))
# words for a reader, or places in a module tree: they identify nothing that a claim states
_LABELS = frozenset(
    {("input", "name"), ("parameter", "name"), ("branch", "name"), ("opaque", "name"), ("opaque", "why")}
)


_OVER_KEYS = frozenset({"attention", "self_attention", "cross_attention"})  # unless they state another axis


class Agreement(Enum):
    """Whether a stated value is met by a found one."""

    AGREE = "agree"
    DIFFER = "differ"
    UNKNOWN = "unknown"

    def __bool__(self) -> bool:
        raise TypeError("an Agreement has no truth value: compare it with AGREE, DIFFER or UNKNOWN")


def values(stated: AttrValue, found: AttrValue, name: str = "") -> Agreement:
    """Whether `found` is what `stated` says.

    Whole numbers must be equal, others agree up to a relative `RELATIVE`; one number stands for a tuple of the same
    number on each axis. An axis counted from the front and one counted from the back cannot be compared without the
    rank, which a claim does not give.
    """
    if isinstance(stated, Unknown) or isinstance(found, Unknown):
        return Agreement.UNKNOWN
    if isinstance(stated, tuple) or isinstance(found, tuple):
        left = stated if isinstance(stated, tuple) else (stated,)
        right = found if isinstance(found, tuple) else (found,)
        if not isinstance(stated, tuple):
            left *= len(right)
        elif not isinstance(found, tuple):
            right *= len(left)
        if len(left) != len(right):  # one that is not known may stand for several, as `*x.shape[:-1]` does
            unknown = any(isinstance(one, Unknown) for one in (*left, *right))
            return Agreement.UNKNOWN if unknown else Agreement.DIFFER
        each = {values(one, other, name) for one, other in zip(left, right, strict=True)}
        return next((worst for worst in (Agreement.DIFFER, Agreement.UNKNOWN) if worst in each), Agreement.AGREE)
    if isinstance(stated, (int, float)) and isinstance(found, (int, float)):
        return _numbers(stated, found, name)
    return Agreement.AGREE if stated == found else Agreement.DIFFER


def _numbers(stated: float, found: float, name: str) -> Agreement:
    if stated == found or (math.isnan(stated) and math.isnan(found)):
        return Agreement.AGREE
    if name == "axis" and (stated < 0) != (found < 0):
        return Agreement.UNKNOWN
    whole = float(stated).is_integer() and float(found).is_integer()
    close = not whole and math.isclose(stated, found, rel_tol=RELATIVE)
    return Agreement.AGREE if close else Agreement.DIFFER


def attributes(expected: Op, actual: Op) -> Iterator[Edit]:
    """CHANGED and UNKNOWN edits for the attributes that `expected` states."""
    if expected.kind.name in _OVER_KEYS and actual.states("axis") and not expected.states("axis"):
        value = actual.attr("axis")  # stated only where weights are not shared out among the keys, as attention does it
        kind = EditKind.UNKNOWN if isinstance(value, Unknown) else EditKind.CHANGED
        yield Edit(kind, expected, actual, "attr:axis", "keys", value)
    if expected.kind.name == "attention" and actual.states("sink") and not expected.states("sink"):
        value = actual.attr("sink")  # an equation that shares the weights out among the keys leaves nothing beside them
        if value is not False:
            kind = EditKind.UNKNOWN if isinstance(value, Unknown) else EditKind.CHANGED
            yield Edit(kind, expected, actual, "attr:sink", False, value)
    if not expected.attrs:
        return
    found = {attr.name: attr.value for attr in actual.attrs}
    for attr in expected.attrs:
        if (expected.kind.name, attr.name) in _LABELS:
            continue
        value = found.get(attr.name, _ABSENT)
        if attr.value.__class__ in _PLAIN and attr.value.__class__ is value.__class__ and attr.value == value:
            continue
        if value is _ABSENT:
            value = Unknown(f"the code does not tell {attr.name} of {actual.kind.name}", actual.span)
        agreement = values(attr.value, value, attr.name)
        if agreement is not Agreement.AGREE:
            kind = EditKind.CHANGED if agreement is Agreement.DIFFER else EditKind.UNKNOWN
            yield Edit(kind, expected, actual, f"attr:{attr.name}", attr.value, value)


_ABSENT = Unknown("not stated")


def compatible(expected: Op, actual: Op) -> bool:
    """Whether no attribute that `expected` states is known to differ in `actual`."""
    return all(edit.kind is not EditKind.CHANGED for edit in attributes(expected, actual))


def opens(kind: OpKind) -> bool:
    """Whether a body of `kind` is part of what a graph says; of a layer op it only keeps how the code spells it."""
    return kind.tier is Tier.STRUCTURE


def free_kinds(mentioned: Iterable[OpKind], free: Collection[str], closed: Collection[str]) -> frozenset[str]:
    """The kinds of `free` that the claim does not close.

    Args:
        mentioned: kinds that stand in the claim; each closes itself and its family.
        free: names of kinds that the code may have unstated.
        closed: names of kinds or families that the claim closes in words (`only:`).
    """
    shut = set(closed)
    for kind in mentioned:
        shut.add(kind.name)
        if kind.family:
            shut.add(kind.family)
    return frozenset(
        name for name in free if name in SOURCES or (name not in shut and (BY_NAME[name].family or name) not in shut)
    )
