"""Proves norms: a body on random tokens with random weights and an extreme epsilon, against the textbook's forms."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archcheck.ir.graph import Op, Size, Unknown, Value
from archcheck.proof.evaluate import evaluate
from archcheck.proof.norms import Form, forms, stated_form
from archcheck.proof.outcome import Found, Outcome, joined, not_proved, same, worst
from archcheck.proof.subject import Subject, numbers_in, opens_in, rounded
from archcheck.proof.world import CannotEvaluate, DoesNotFit, World, place

if TYPE_CHECKING:
    import numpy as np

    from archcheck.proof.world import Array

_AROUND = (3, 5, 2, 13, 17)  # sizes of the other axes: distinct, prime, and none is that of the features
_FEW = (3, 2, 5, 7, 11)  # the same, where features are many
_WIDE = 256
_DRAWS = 3
_FREE = (7, 11)  # counts of features where nothing read tells one
_LARGEST = 65536
_EXTREME = (1.3e-2, 4.1e-2)  # in the place of epsilon: large enough to show where it stands
_SAME = 1e-12  # relative, of a number that was divided and is multiplied again
_GROWING = frozenset({"sum", "vector_norm", "l2_norm", "prod"})  # what grows with the number of features
_MEASURED = frozenset({"mean", "var", "std"}) | _GROWING


@dataclass(frozen=True, slots=True)
class _Affine:
    """What is learned of a norm: the scale, as its words and the arrays of all draws, and the shift."""

    words: str
    offset: float | None  # what is added to a learned tensor to make the scale; None where there is no scale
    scale: tuple[Array, ...] | None
    shift: tuple[Array, ...] | None
    shift_words: str = ""


@dataclass(frozen=True, slots=True)
class _Draws:
    """The same body on several independent draws."""

    x: tuple[Array, ...]
    eps: tuple[float, ...]
    outputs: tuple[Array, ...]
    values: tuple[dict[Value, Array], ...]


def prove_norm(subject: Subject, *, searched: bool = False) -> Found:
    """What a body is that is said to be a norm.

    Args:
        subject: it reads the tokens first; whatever else it reads or holds is learned or constant.
        searched: nobody said what it is: the nearest plain form of the textbook takes the place of what is stated.
    """
    if len(subject.reads) != 1:
        return not_proved("it reads something beside the tokens that is neither learned nor constant")
    try:
        axis = _axis(subject)
        found: list[Found] = []
        for rank in _ranks(subject, axis):
            for size in _counts(subject, rank, axis):
                for dropped in subject.dropped():
                    try:
                        draws = _draw(subject, rank, axis, size, dropped)
                    except DoesNotFit:
                        continue
                    found.append(_compare(subject, draws, axis, size, searched))
    except CannotEvaluate as error:
        return not_proved(str(error))
    unless = "whether it is equal depends on the number of features or of axes, which nothing read tells"
    return joined(found, unless)


# ---- what is not recorded


def _axis(subject: Subject) -> int:
    axis = subject.stated("axis", -1)
    if isinstance(axis, tuple) and len(axis) == 1:
        axis = axis[0]
    if not isinstance(axis, int):
        raise CannotEvaluate("the norm is not over one known axis")
    return axis


def _ranks(subject: Subject, axis: int) -> tuple[int, ...]:
    """How many axes the tokens may have; where only numbers from the end are used, any count shows the same."""
    if subject.reads[0] in subject.shapes:
        return (len(subject.shapes[subject.reads[0]]),)
    stated = [attr.value for op in subject.ops for attr in op.attrs if attr.name in ("axis", "axes", "other_axis")]
    rows = [one for value in stated for one in (value if isinstance(value, tuple) else (value,))]
    counted = axis >= 0 or any(isinstance(one, int) and one >= 0 for one in rows)
    wide = any((_told(op) or 0) > _WIDE for op in subject.learned)
    return (2, 3, 4) if counted else (2,) if wide else (3,)


def _counts(subject: Subject, rank: int, axis: int) -> tuple[int, ...]:
    """The counts of features to try: the one that a learned tensor or a trace tells, else free ones.

    What the op states is no evidence: it may have been guessed from a constant. It is one of those that are tried.

    Raises:
        CannotEvaluate: learned tensors tell different counts.
    """
    told = {size for op in subject.learned if (size := _told(op)) is not None}
    recorded = subject.shapes.get(subject.reads[0])
    if recorded is not None:
        told.add(recorded[place(axis, rank)])
    elif subject.width is not None and axis == -1:
        told.add(subject.width)
    if len(told) > 1:
        raise CannotEvaluate("learned tensors and tokens tell different numbers of features")
    if told:
        (size,) = told
        if size > _LARGEST:
            raise CannotEvaluate("too many features to evaluate")
        return (size,)
    growing = any(op.kind.name in _GROWING for op in subject.ops)
    stated = subject.stated("dim")
    guessed = (stated,) if isinstance(stated, int) and 1 < stated <= _LARGEST and stated not in _FREE else ()
    return (*_FREE, *guessed) if growing else _FREE[:1]


def _told(op: Op) -> int | None:
    shape = op.attr("shape")
    if not isinstance(shape, tuple):
        return None
    sizes = [size for size in shape if isinstance(size, int) and size != 1]
    return sizes[0] if len(sizes) == 1 and all(isinstance(size, int) for size in shape) else None


def _weight(op: Op, size: int, draw: np.random.Generator) -> Array:
    shape = op.attr("shape")
    if not isinstance(shape, tuple):
        sizes: tuple[int, ...] = (size,)
    else:
        sizes = tuple(one if isinstance(one, int) else size for one in shape)
        if sum(not isinstance(one, int) for one in shape) > 1:
            raise CannotEvaluate("the sizes of a learned tensor could not be read")
    return draw.normal(0.3, 1.0, sizes)


# ---- drawing


def _draw(subject: Subject, rank: int, axis: int, size: int, dropped: frozenset[str]) -> _Draws:
    import numpy as np

    at = place(axis, rank)
    around = [one for one in (_AROUND if size <= _WIDE else _FEW) if one != size]
    shape = [*around[: rank - 1]]
    shape.insert(at, size)
    stated = subject.stated("eps", 0.0)
    exact = rounded(subject.ops, (math.sqrt(size), 1 / math.sqrt(size), 1 / size))
    rows: list[tuple[Array, float, Array, dict[Value, Array]]] = []
    for number, extreme in enumerate((*_EXTREME, None)):
        draw = np.random.default_rng(number)
        eps, overrides = _epsilon(subject, stated, extreme, size)
        spread = draw.normal(0.4, 1.0, shape)
        # rows of all sizes, so that a bound and a sum differ, each where it counts
        tenth = math.log10(eps) if eps > 0 else -2.0
        scale_shape = [1 if other == at else one for other, one in enumerate(shape)]
        x = spread * 10.0 ** draw.uniform(min(tenth, 0.0) - 0.5, 0.5, scale_shape)
        given = {subject.reads[0]: x}
        given |= {Value(op.path): _weight(op, size, draw) for op in subject.learned}
        world = World(numbers={**exact, **overrides}, dropped=dropped, shapes=subject.shapes)
        values = evaluate(subject.ops, given, world)
        output = values.get(subject.result)
        if output is None or output.shape != x.shape:
            raise DoesNotFit("the result is no tensor of tokens")
        rows.append((x, eps, output, values))
    xs, eps_of, outputs, kept = zip(*rows, strict=True)
    return _Draws(xs, eps_of, outputs, kept)


def _epsilon(
    subject: Subject, stated: object, extreme: float | None, size: int
) -> tuple[float, dict[tuple[str, str], float]]:
    """The epsilon of a draw, and where in the body it stands in the place of the one that is stated.

    At a length the body holds it times the root of the number of features, at a sum of squares times that number.

    Raises:
        CannotEvaluate: it is open, and the body holds it not at all or more than once.
    """
    if isinstance(stated, Unknown) and not isinstance(stated, Size):
        places = opens_in(subject.ops, stated)
        if len(places) != 1:
            raise CannotEvaluate(f"eps could not be read: {stated.why}")
        number = 1e-4 if extreme is None else extreme
        return number, {places[0]: number}
    if not isinstance(stated, (int, float)):
        raise CannotEvaluate("eps is no number")
    if extreme is None or stated <= 0:
        return float(stated), {}
    for times in (1.0, math.sqrt(size), float(size)):
        places = [
            (op.path, name)
            for op, name, number in numbers_in(subject.ops)
            if math.isclose(number, stated * times, rel_tol=_SAME)
        ]
        if places:
            return extreme, dict.fromkeys(places, extreme * times)
    return float(stated), {}


# ---- comparing


def _compare(subject: Subject, draws: _Draws, axis: int, size: int, searched: bool) -> Found:
    """What the body is for one number of axes and features: the first form, scale and shift that give its results."""
    stated = _stated_form(subject)
    axes = (place(axis, draws.x[0].ndim),)
    ordered = sorted(_affines(subject, draws), key=lambda one: not _is_stated(subject, one, searched))
    for eps_words, eps in _epsilons(subject, draws):
        for over_words, over in _over(axes, draws.x[0].ndim):
            for form in forms(stated, with_eps=any(eps)):
                if form != stated and not _is_per_feature(form.of(draws.x[0], over, eps[0]), draws.outputs[0], axes):
                    continue
                normed = tuple(form.of(x, over, one) for x, one in zip(draws.x, eps, strict=True))
                for affine in ordered:
                    outputs = _apply(normed, affine)
                    if not same(draws.outputs, outputs, axes[0]):
                        continue
                    near = worst(draws.outputs, outputs)
                    words = [*form.words(stated), *_words(subject, affine, searched), *eps_words, *over_words]
                    if not words and form.kind == stated.kind and not _is_misstated(subject, size, searched):
                        return Found(Outcome.CONFIRMED, near, draws=len(draws.x), near=near)
                    is_ = _name(subject, form.kind, words, size, searched)
                    return Found(Outcome.DIFFERS, _error(subject, draws, axes, size, searched), is_, "", near, _DRAWS)
    return Found(Outcome.DIFFERS, _error(subject, draws, axes, size, searched), draws=_DRAWS)


def _stated_form(subject: Subject) -> Form:
    correction = subject.stated("correction", 0)
    if not isinstance(correction, (int, float)):
        raise CannotEvaluate("correction of the variance could not be read")
    return stated_form(subject.kind, str(subject.stated("eps_place", "")), float(correction))


def _error(subject: Subject, draws: _Draws, axes: tuple[int, ...], size: int, searched: bool) -> float:
    """The largest difference from what is stated; NaN where that is a norm over other features than there are."""
    if _is_misstated(subject, size, searched):
        return math.nan
    stated = _stated_form(subject)
    plain = tuple(stated.of(x, axes, eps) for x, eps in zip(draws.x, draws.eps, strict=True))
    wanted = [one for one in _affines(subject, draws) if _is_stated(subject, one, searched)]
    return min((worst(draws.outputs, _apply(plain, one)) for one in wanted), default=math.inf)


def _is_misstated(subject: Subject, size: int, searched: bool) -> bool:
    """Whether another number of features is stated than learned tensors or tokens tell."""
    dim = subject.stated("dim")
    return isinstance(dim, int) and dim != size and _is_told(subject) and not searched


def _name(subject: Subject, kind: str, words: list[str], size: int, searched: bool) -> str:
    """What a body was found to be, from how it departs, part by part."""
    dim = subject.stated("dim")
    if _is_misstated(subject, size, searched):
        words = [*words, f"{size} features, not {dim}"]
    name = f"{kind} with {' and '.join(words)}" if words else kind
    guessed = words and dim == size and not _is_told(subject)
    return f"{name}, if there are {dim} features" if guessed else name


def _is_per_feature(normed: Array, output: Array, axes: tuple[int, ...]) -> bool:
    """Whether a scale and a shift for each feature may lead from one tensor to the other; True where that is not told.

    A quick no for most forms: three tokens decide, for each feature, whether they lie on one line.
    """
    import numpy as np

    if axes != (normed.ndim - 1,):
        return True
    n, o = normed.reshape(-1, normed.shape[-1])[:3], output.reshape(-1, output.shape[-1])[:3]
    if len(n) < 3:
        return True
    with np.errstate(all="ignore"):
        gap = np.abs((o[2] - o[0]) * (n[1] - n[0]) - (o[1] - o[0]) * (n[2] - n[0]))
        size = np.max(np.abs(o)) * np.max(np.abs(n))
    return not bool(np.max(gap) > 1e-6 * size)


def _is_told(subject: Subject) -> bool:
    known = subject.width is not None or subject.reads[0] in subject.shapes
    return known or any(_told(op) is not None for op in subject.learned)


def _epsilons(subject: Subject, draws: _Draws) -> Iterator[tuple[list[str], tuple[float, ...]]]:
    """The epsilon that is stated, then the small numbers of the body and none at all."""
    yield [], draws.eps
    small = {number for _, _, number in numbers_in(subject.ops) if 0 < number < 0.1}
    for number in sorted({*small, 0.0} - {subject.stated("eps", 0.0)}):
        words = f"eps = {number:g}" if number else "no eps"
        yield [words], (number,) * len(draws.x)


def _over(axes: tuple[int, ...], rank: int) -> Iterator[tuple[list[str], tuple[int, ...]]]:
    """The axis that is stated, then others."""
    yield [], axes
    for other in range(rank):
        if (other,) != axes:
            yield [f"statistics over axis {other - rank} for {axes[0] - rank}"], (other,)
    if rank > 2:
        yield ["statistics over all axes but the first"], tuple(range(1, rank))


def _affines(subject: Subject, draws: _Draws) -> Iterator[_Affine]:
    """What the scale and the shift may be: nothing, or a value of the body that is learned."""
    rows = list(_learned(subject))
    arrays = {value: tuple(one[value] for one in draws.values) for _, value in rows}
    scales: list[tuple[str, float | None, tuple[Array, ...] | None]] = [("no weight", None, None)]
    for words, value in rows:
        held = arrays[value]
        scales.append((words, 0.0, held))
        if words == "weight":
            scales.append(("1 + weight", 1.0, tuple(1 + one for one in held)))
            scales.append(("1 - weight", -1.0, tuple(1 - one for one in held)))
    for words, offset, scale in scales:
        yield _Affine(words, offset, scale, None)
        for shift_words, value in rows:
            shift = arrays[value]
            yield _Affine(words, offset, scale, shift, "a bias" if shift_words == "weight" else f"{shift_words} added")
            if shift_words == "weight":
                yield _Affine(words, offset, scale, tuple(-one for one in shift), "the bias subtracted")


def _learned(subject: Subject) -> Iterator[tuple[str, Value]]:
    """The values of the body that depend on learned tensors alone, and what each is of them."""
    words: dict[Value, str] = {}
    for op in subject.ops:
        if op.kind.name == "parameter":
            words[Value(op.path)] = "weight"
        elif op.reads and all(value in words for value in op.reads):
            inner = words[op.reads[0]]
            if op.kind.name in ("reshape", "permute", "expand", "identity", "select"):
                words[Value(op.path)] = inner
            elif op.kind.name == "add" and len(op.reads) == 1 and inner == "weight" and op.attr("by") != 1:
                words[Value(op.path)] = f"{op.attr('by'):g} + weight" if _plain(op) else "an offset weight"
            elif not (op.kind.name == "add" and op.attr("by") == 1):
                words[Value(op.path)] = f"{op.kind.name}({inner})"
    for value, text in words.items():
        yield text, value


def _plain(op: Op) -> bool:
    return isinstance(op.attr("by"), (int, float))


def _apply(normed: Sequence[Array], affine: _Affine) -> tuple[Array, ...]:
    found = []
    for at, one in enumerate(normed):
        try:
            scaled = one if affine.scale is None else one * affine.scale[at]
            found.append(scaled if affine.shift is None else scaled + affine.shift[at])
        except ValueError:  # a learned tensor along another axis
            return tuple(row[:0] for row in normed)
    return tuple(found)


def _is_stated(subject: Subject, affine: _Affine, searched: bool) -> bool:
    if searched:
        return affine.words in ("weight", "no weight") and affine.shift_words in ("", "a bias")
    return not _words(subject, affine, searched)


def _words(subject: Subject, affine: _Affine, searched: bool) -> list[str]:
    """How scale and shift depart from what is stated."""
    found: list[str] = []
    offset = subject.stated("offset", 0)
    wanted = f"{offset:g} + weight" if isinstance(offset, (int, float)) and offset else "weight"
    scaled = subject.stated("elementwise_affine")
    shifted = subject.stated("bias")
    if searched or scaled is None:
        wanted = affine.words if affine.words in ("weight", "no weight") else "weight"
    elif scaled is not True:
        wanted = "no weight"
    if affine.words != wanted and not (shifted is True and affine.words == "no weight" and affine.shift is not None):
        found.append(affine.words)
    if affine.shift_words not in ("", "a bias"):
        found.append(affine.shift_words)
    elif not searched and isinstance(shifted, bool) and shifted != (affine.shift is not None):
        found.append("a bias" if affine.shift is not None else "no bias")
    return found
