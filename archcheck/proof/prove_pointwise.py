"""Proves activations and softmax: a body at points that reach beyond every number in it, against the textbook."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING

from archcheck.ir.graph import Unknown
from archcheck.proof.activations import EXACT, Function, activation_of, fitted, misspelled, named, plain_name
from archcheck.proof.evaluate import evaluate
from archcheck.proof.outcome import TOLERANCE, Found, Outcome, joined, not_proved, same, worst
from archcheck.proof.subject import Subject, numbers_in, rounded
from archcheck.proof.world import CannotEvaluate, DoesNotFit, World

if TYPE_CHECKING:
    from archcheck.proof.world import Array

_DRAWS = 3
_POINTS = 96
_SCALES = (1e-3, 0.1, 1.0, 4.0, 14.0, 60.0)  # of the points: relu6, and a clamp at 10, look like relu and gelu within 4
_REACH = 200.0  # beyond it an exponential may overflow where the formula does not
_CUT = 2e-3  # relative, of a number of which only the first three digits were written
_SLACK = 1e-14  # of the input: `1 + erf(x)` cancels in the tail, and so does every formula that is written with it


def prove_activation(subject: Subject, *, searched: bool = False) -> Found:
    """What a body is that is said to be an activation of one tensor.

    A number that is one of the formula's in single precision, which models compute in, is that number: 0.79788456 for
    sqrt(2 / pi), but not 0.7978. The error that is told is that of the numbers as they are written.

    Args:
        subject: it reads that tensor and nothing else but constants.
        searched: nobody said what it is; what it is found to be is then confirmed under its own name.
    """
    if len(subject.reads) != 1 or subject.learned:
        return not_proved("it reads something beside its operand")
    try:
        points, given = _evaluated(subject, {})
        spelled = rounded(subject.ops, EXACT)
        exact = _evaluated(subject, spelled)[1] if spelled else given
        wanted = None if searched else _stated(subject)
    except CannotEvaluate as error:
        return not_proved(str(error))
    except DoesNotFit as error:
        return not_proved(f"it does not act element by element: {error}")
    if wanted is not None and _agree(points, exact, wanted):
        gap = _gap(points, given, wanted)
        return Found(Outcome.CONFIRMED, gap, near=gap, draws=_DRAWS)
    for name, function in chain(named(), misspelled()):
        if _agree(points, exact, function):
            return _as_named(name, function, wanted, points, given, searched=searched)
    for name, function in named() if wanted is None else [(subject.kind, wanted)]:
        cut = _cut(subject, function)
        if cut is not None:
            gap = _gap(points, given, function)
            return Found(Outcome.DIFFERS, gap, f"{name} with {cut[0]}", near=cut[1], draws=_DRAWS)
    for name, function in fitted(points[0], given[0]):
        if _agree(points, given, function):
            return _as_named(name, function, wanted, points, given, searched=searched)
    return Found(Outcome.DIFFERS, math.nan if wanted is None else _gap(points, given, wanted), draws=_DRAWS)


def _as_named(
    name: str,
    function: Function,
    wanted: Function | None,
    points: Sequence[Array],
    given: Sequence[Array],
    *,
    searched: bool,
) -> Found:
    """A body that is the function `name`, beside the one that is `wanted`, or the plain one of that name."""
    near = _gap(points, given, function)
    if searched and name == plain_name(name):
        return Found(Outcome.CONFIRMED, near, name, near=near, draws=_DRAWS)
    textbook = wanted or dict(named()).get(plain_name(name))
    gap = math.nan if textbook is None else _gap(points, given, textbook)
    return Found(Outcome.DIFFERS, gap, name, near=near, draws=_DRAWS)


def _stated(subject: Subject) -> Function:
    held: dict[str, float] = {}
    for attr in subject.attrs:
        if attr.name in ("beta", "alpha", "slope"):
            if isinstance(attr.value, Unknown) or not isinstance(attr.value, (int, float)):
                raise CannotEvaluate(f"{attr.name} is no number")
            held[attr.name] = float(attr.value)
    return activation_of(subject.kind, str(subject.stated("approximate", "none")), held)


def _evaluated(subject: Subject, exact: dict[tuple[str, str], float]) -> tuple[list[Array], list[Array]]:
    """Points and values of each draw; points where the body overflows far out are left out."""
    import numpy as np

    points: list[Array] = []
    values: list[Array] = []
    turns = sorted({abs(number) for _, _, number in numbers_in(subject.ops) if 0 < abs(number) < 1e30})
    for number in range(_DRAWS):
        draw = np.random.default_rng(number)
        rows = [draw.normal(0.0, scale, _POINTS) for scale in _SCALES]
        rows += [draw.normal(1.0, 0.5, 4) * turn * side for turn in turns for side in (-1, 1)]
        x = np.concatenate([[-1.0, 0.0, 1.0], *rows])
        found = evaluate(subject.ops, {subject.reads[0]: x}, World(numbers=exact)).get(subject.result)
        if found is None or found.shape != x.shape:
            raise DoesNotFit("its result has another shape")
        kept = np.isfinite(found) | (np.abs(x) < _REACH)
        points.append(x[kept])
        values.append(np.asarray(found[kept], dtype=np.float64))
    return points, values


def _agree(points: Sequence[Array], found: Sequence[Array], function: Function) -> bool:
    """Whether values are those of a function at all points, each within the tolerance of its own size."""
    import numpy as np

    with np.errstate(all="ignore"):
        for x, values in zip(points, found, strict=True):
            wanted = function(x)
            room = TOLERANCE * np.abs(wanted) + _SLACK * np.maximum(1.0, np.abs(x))
            if not bool(np.all(np.abs(values - wanted) <= room)):
                return False
    return True


def _gap(points: Sequence[Array], found: Sequence[Array], function: Function) -> float:
    import numpy as np

    with np.errstate(all="ignore"):
        return worst(found, [np.asarray(function(x)) for x in points])


def _cut(subject: Subject, function: Function) -> tuple[str, float] | None:
    """Which numbers are cut to few digits, where they alone keep the ops from being a function, and what is left."""
    loose: dict[tuple[str, str], float] = {}
    words: list[str] = []
    for op, name, number in numbers_in(subject.ops):
        for one in EXACT:
            if number != one and abs(number - one) < _CUT * one:
                loose[op.path, name] = one
                words.append(f"{number:g} for {one:.10g}")
    if not loose:
        return None
    points, values = _evaluated(subject, loose)
    return (" and ".join(words), _gap(points, values, function)) if _agree(points, values, function) else None


# ---- softmax


def prove_softmax(subject: Subject, *, searched: bool = False) -> Found:
    """What a body is that is said to be a softmax along an axis (bridle1990)."""
    import numpy as np

    axis = subject.stated("axis")
    if len(subject.reads) != 1 or subject.learned:
        return not_proved("it reads something beside its operand")
    if not isinstance(axis, int) and not searched:
        return not_proved("the softmax does not say which axis it is about")
    found: list[Found] = []
    try:
        for rank in (2, 3, 4):
            for dropped in subject.dropped():
                xs = [np.random.default_rng(at).normal(0.0, 2.0, (3, 5, 2, 7)[:rank]) for at in range(_DRAWS)]
                try:
                    ys = [
                        evaluate(subject.ops, {subject.reads[0]: x}, World(dropped=dropped)).get(subject.result)
                        for x in xs
                    ]
                except DoesNotFit:
                    continue
                outputs = [y for y in ys if y is not None and y.shape == xs[0].shape]
                if len(outputs) == _DRAWS:
                    found.append(_weights(xs, outputs, axis if isinstance(axis, int) else -1))
    except CannotEvaluate as error:
        return not_proved(str(error))
    return joined(found, "which axis is meant depends on the number of axes, which nothing read tells")


def _weights(xs: Sequence[Array], outputs: Sequence[Array], axis: int) -> Found:
    import numpy as np

    rank = xs[0].ndim
    if not -rank <= axis < rank:
        return not_proved(f"there is no axis {axis} among {rank}")
    wanted = [_softmax(x, axis) for x in xs]
    error = worst(outputs, wanted)
    if same(outputs, wanted):
        return Found(Outcome.CONFIRMED, error, near=error, draws=len(xs))
    others = [
        (f"softmax along axis {other - rank} for {axis % rank - rank}", [_softmax(x, other) for x in xs])
        for other in range(rank)
    ]
    others.append(("softmax with the sign of the scores turned", [_softmax(-x, axis) for x in xs]))
    others.append(("exponentials that are not divided by their sum", [np.exp(x) for x in xs]))
    for name, rows in others:
        if same(outputs, rows):
            return Found(Outcome.DIFFERS, error, name, near=worst(outputs, rows), draws=len(xs))
    return Found(Outcome.DIFFERS, error, draws=len(xs))


def _softmax(x: Array, axis: int) -> Array:
    import numpy as np

    weights = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return np.asarray(weights / np.sum(weights, axis=axis, keepdims=True))
