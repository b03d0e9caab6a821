"""Proves rotary positions: a body on random features, cosines and sines, against the turns of the textbook."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING

from archcheck.ir.graph import Value
from archcheck.proof.evaluate import evaluate
from archcheck.proof.layouts import open_bounds
from archcheck.proof.outcome import Found, Outcome, joined, not_proved, same, worst
from archcheck.proof.rotations import HALF, NEIGHBOURS, turns
from archcheck.proof.subject import Subject
from archcheck.proof.world import CannotEvaluate, DoesNotFit, World

if TYPE_CHECKING:
    from archcheck.proof.world import Array

_DRAWS = 3
_BATCH, _HEADS, _LENGTH = 2, 5, 7
_WIDTH = 6  # features of a head, where nothing read tells how many there are
_LARGEST = 1024
_MOST_OPEN = 2  # bounds that are open; each is tried at every feature


def prove_rope(subject: Subject, *, searched: bool = False) -> Found:
    """What a body is that is said to turn pairs of features.

    A bound of a slice that could not be read (`x.shape[-1] // 2`) is tried at every feature: a turn is confirmed where
    every bound that fits gives it, and where only some do, nothing is proved.

    Args:
        subject: it reads the features, then cosines and sines, or complex numbers that hold both.
        searched: nobody said what it is, and whether pairs are neighbours.
    """
    if len(subject.reads) not in (2, 3) or subject.learned:
        return not_proved("it reads something beside the features and one table of cosines and one of sines")
    stated = subject.stated("interleaved")
    if not searched and not isinstance(stated, bool):
        return not_proved("it is not stated which features form a pair")
    layout = NEIGHBOURS if stated is True else HALF
    found: list[Found] = []
    whys: dict[str, None] = {}
    middle = False
    for width, bounds in _choices(subject):
        one = _under(subject, layout, width, bounds, whys)
        if one is None:
            continue
        middle = middle or (one.outcome is Outcome.CONFIRMED and set(bounds.values()) == {width // 2})
        found.append(one)
    if not found and whys:
        return not_proved(next(iter(whys)))
    unless = "a bound at which the features are cut could not be read"
    unless += "; where it is their half, the turn is the textbook's" if middle else ""
    return joined(found, unless)


def _choices(subject: Subject) -> Iterator[tuple[int, dict[tuple[str, str, int], int]]]:
    """Counts of features, and numbers for the bounds that are open."""
    width = _width(subject)
    places = [
        (op.path, "index", position)
        for op in subject.ops
        if op.kind.name == "select"
        for position in range(open_bounds(op.attr("index")))
        if not _is_size(subject, op.path, position)
    ]
    if not places or len(places) > _MOST_OPEN:
        yield width, {}
        return
    for chosen in product(range(1, width), repeat=len(places)):
        yield width, dict(zip(places, chosen, strict=True))


def _is_size(subject: Subject, path: str, position: int) -> bool:
    """Whether an open bound is the size of a value that is known here."""
    from archcheck.ir.graph import AttrValue, Size, Unknown

    def opens(value: AttrValue) -> Iterator[Unknown]:
        if isinstance(value, Unknown):
            yield value
        elif isinstance(value, tuple):
            for row in value:
                yield from opens(row)

    op = next(op for op in subject.ops if op.path == path)
    one = list(opens(op.attr("index")))[position]
    known = {Value(each.path) for each in subject.ops} | set(subject.reads) | set(subject.shapes)
    return isinstance(one, Size) and one.of in known


def _width(subject: Subject) -> int:
    """How many features are turned: as recorded, or twice the number at which a slice cuts them."""
    recorded = subject.shapes.get(subject.reads[0])
    if recorded is not None and 2 < recorded[-1] <= _LARGEST:
        return recorded[-1]
    cuts: set[int] = set()
    for op in subject.ops:
        index = op.attr("index")
        if op.kind.name == "select" and isinstance(index, tuple):
            rows = [index] if index[:1] == ("slice",) else [row for row in index if isinstance(row, tuple)]
            cuts |= {one for row in rows for one in row[1:3] if isinstance(one, int) and not isinstance(one, bool)}
        size = op.attr("size")
        if op.kind.name == "split":
            cuts |= {one for one in (size if isinstance(size, tuple) else (size,)) if isinstance(one, int)}
    if subject.width is not None and 2 < subject.width <= _LARGEST and not _is_open(subject):
        return subject.width
    cuts = {cut for cut in cuts if 1 < cut <= _LARGEST // 2}
    return 2 * max(cuts) if cuts else _WIDTH


def _is_open(subject: Subject) -> bool:
    """Whether a bound is open: then features are few, since every bound is tried."""
    return any(op.kind.name == "select" and open_bounds(op.attr("index")) for op in subject.ops)


def _under(
    subject: Subject, layout: str, width: int, bounds: dict[tuple[str, str, int], int], whys: dict[str, None]
) -> Found | None:
    """What the body is for one choice of bounds; None where the ops cannot run."""
    world = World(wholes=bounds, shapes=subject.shapes)
    best: Found | None = None
    for as_pairs, table in product((False, True), (width, width // 2)):
        try:
            found = _compare(subject, layout, _drawn(subject, world, width, as_pairs, table))
        except DoesNotFit:
            continue
        except CannotEvaluate as error:
            whys[str(error)] = None
            continue
        if found.outcome is Outcome.CONFIRMED:
            return found
        best = best if best is not None and best.is_ else found
    return best


def _drawn(
    subject: Subject, world: World, width: int, as_pairs: bool, table: int
) -> list[tuple[Array, Array, Array, Array]]:
    """Features, cosines, sines and the result of each draw.

    Args:
        subject: what is evaluated.
        world: bounds.
        width: count of features.
        as_pairs: features come as pairs along a last axis of two.
        table: count of angles for each position: one for each feature, or one for each pair.
    """
    import numpy as np

    rows = []
    for number in range(_DRAWS):
        draw = np.random.default_rng(number)
        x = draw.normal(0.2, 1.0, (_BATCH, _HEADS, _LENGTH, width))
        cos, sin = draw.normal(0.1, 1.0, (_LENGTH, table)), draw.normal(-0.1, 1.0, (_LENGTH, table))
        shown = x.reshape(*x.shape[:-1], width // 2, 2) if as_pairs else x
        given = {subject.reads[0]: shown}
        given |= (
            {subject.reads[1]: cos + 1j * sin}
            if len(subject.reads) == 2
            else {subject.reads[1]: cos, subject.reads[2]: sin}
        )
        found = evaluate(subject.ops, given, world).get(subject.result)
        if found is None or found.dtype.kind == "c" or found.size != x.size:
            raise DoesNotFit("the result is no tensor of features")
        if found.shape not in (x.shape, (*x.shape[:-1], width // 2, 2)):
            raise DoesNotFit("the result is laid out in another way")
        rows.append((x, cos, sin, found.reshape(x.shape)))
    return rows


def _compare(subject: Subject, layout: str, rows: list[tuple[Array, Array, Array, Array]]) -> Found:
    outputs = [row[3] for row in rows]
    error = math.nan
    for words, turn in turns(layout):
        wanted = [turn(x, cos, sin) for x, cos, sin, _ in rows]
        gap = worst(outputs, wanted)
        if not words and math.isnan(error):
            error = gap
        if same(outputs, wanted):
            if not words:
                return Found(Outcome.CONFIRMED, gap, near=gap, draws=len(rows))
            return Found(Outcome.DIFFERS, error, f"rope with {words}", near=gap, draws=len(rows))
    return Found(Outcome.DIFFERS, error, draws=len(rows))
