"""Whether one op of the code fulfils one op of the claim by itself: kinds, attributes, what a claim leaves free."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from enum import Enum

from archcheck.align.edits import Edit, EditKind
from archcheck.ir.graph import AttrValue, Op, Unknown
from archcheck.ir.ops import BY_NAME, OpKind, Tier
from archcheck.ir.ranks import RANK

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
    | {("attention", "hides")}  # how a mask is to be read, and no part of what is computed with it
)


# Attributes of an attention, what they are where an equation says nothing of them, and of which kinds that is known:
# the figure of a sublayer does not say how its scores are made.
_BY_DEFINITION: tuple[tuple[str, AttrValue, frozenset[str]], ...] = (
    ("axis", "keys", frozenset({"attention", "self_attention", "cross_attention"})),
    ("sink", False, frozenset({"attention"})),
    ("softcap", None, frozenset({"attention"})),
)


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
    if name.endswith("axis") and (stated < 0) != (found < 0):
        return Agreement.UNKNOWN
    whole = float(stated).is_integer() and float(found).is_integer()
    close = not whole and math.isclose(stated, found, rel_tol=RELATIVE)
    return Agreement.AGREE if close else Agreement.DIFFER


def attributes(expected: Op, actual: Op) -> Iterator[Edit]:
    """CHANGED and UNKNOWN edits for the attributes that `expected` states."""
    yield from _unstated(expected, actual)
    if not expected.attrs:
        return
    found = {attr.name: attr.value for attr in actual.attrs}
    for attr in expected.attrs:
        if (expected.kind.name, attr.name) in _LABELS:
            continue
        value = found.get(attr.name, _ABSENT)
        if attr.value.__class__ in _PLAIN and attr.value.__class__ is value.__class__ and attr.value == value:
            continue
        if value is _ABSENT and attr.name == "axis" and expected.kind.name in _OF_FEATURES:
            value = -1
        if attr.name == "axis" and isinstance(attr.value, str) and isinstance(value, int) and _is_plain(expected.kind):
            value = Unknown(f"which axis of the code is {attr.value} is not told", actual.span)
        if value is _ABSENT:
            value = Unknown(f"the code does not tell {attr.name} of {actual.kind.name}", actual.span)
        if attr.name == "padding" and expected.kind.name in _SLIDING:
            agreement = values(_added(attr.value), _added(value), attr.name)
        else:
            agreement = values(*_from_the_front(attr.name, attr.value, value, found.get(RANK)), attr.name)
        if agreement is not Agreement.AGREE:
            kind = EditKind.CHANGED if agreement is Agreement.DIFFER else EditKind.UNKNOWN
            yield Edit(kind, expected, actual, f"attr:{attr.name}", attr.value, value)


def _is_plain(kind: OpKind) -> bool:
    """Whether nothing tells of a kind which axis a word means: of a softmax over scores, `keys` does."""
    return kind.tier is Tier.PRIMITIVE


def _from_the_front(name: str, stated: AttrValue, value: AttrValue, rank: AttrValue) -> tuple[AttrValue, AttrValue]:
    """Two axes as they are; counted from the front where one is not, and the number of axes is known."""
    if not name.endswith("axis") or not isinstance(rank, int):
        return stated, value
    if isinstance(stated, int) and isinstance(value, int):
        return stated + rank * (stated < 0), value + rank * (value < 0)
    if isinstance(stated, tuple) and isinstance(value, tuple):
        pairs = [[at + rank * (at < 0) if isinstance(at, int) else at for at in side] for side in (stated, value)]
        return tuple(pairs[0]), tuple(pairs[1])
    return stated, value


_SLIDING = frozenset({"conv", "pool"})


def _added(padding: AttrValue) -> AttrValue:
    """What is added on each side of a window that stays inside is nothing, which frameworks spell in two ways."""
    return 0 if padding == "valid" else padding


def _unstated(expected: Op, actual: Op) -> Iterator[Edit]:
    """What an attention has by its definition where nothing is said of it: weights that are shared out among the keys
    and nothing beside them, of scores that are the products and no bounded function of them."""
    for name, usual, kinds in _BY_DEFINITION:
        if expected.kind.name not in kinds or expected.states(name) or not actual.states(name):
            continue
        value = actual.attr(name)
        if isinstance(value, Unknown) or value != usual:
            kind = EditKind.UNKNOWN if isinstance(value, Unknown) else EditKind.CHANGED
            yield Edit(kind, expected, actual, f"attr:{name}", usual, value)


_ABSENT = Unknown("not stated")
_OF_FEATURES = frozenset({"layer_norm", "rms_norm"})  # of the last axis where code does not state another


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
