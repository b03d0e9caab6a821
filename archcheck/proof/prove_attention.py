"""Proves attention: a body on random queries, keys, values and masks, against the textbook's softmax(q k^T) v.

How the axes of queries, keys and values lie is not recorded; what is, is which of them are multiplied, summed to 1 and
weighed. So the layouts that code uses are tried, with sizes that are distinct primes, and one under which the ops run
and give the formula is enough: whatever the axes are called, the weights then sum to 1 over that axis of the keys along
which the values are weighed. How many axes there are does matter (axis 2 are the keys of three axes and the queries of
four): all counts that fit must agree.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import permutations, product
from typing import TYPE_CHECKING

from archcheck.ir.graph import Op, Size, Unknown, Value
from archcheck.proof.attentions import Form, Given, forms
from archcheck.proof.evaluate import evaluate
from archcheck.proof.outcome import Found, Outcome, joined, not_proved, same, worst
from archcheck.proof.roles import Roles, roles_of
from archcheck.proof.subject import Subject, numbers_in, opens_in
from archcheck.proof.world import CannotEvaluate, DoesNotFit, World

if TYPE_CHECKING:
    import numpy as np

    from archcheck.proof.world import Array

_DRAWS = 3
_SIZES = {"b": 2, "w": 17, "h": 3, "n": 3, "s": 5, "t": 7, "d": 11, "e": 13}
_LAYOUTS: dict[int, tuple[str, ...]] = {  # of queries; keys and values alike, with t for s and e for d
    4: ("bhsd", "bshd", "sbhd", "bhds"),
    3: ("nsd", "snd", "nds"),
    5: ("bwhsd", "bwshd", "bhwsd", "bwhds"),
    2: ("sd", "ds"),
    0: ("bhsd", "bshd", "sbhd", "bs(hd)", "sb(hd)", "(bh)sd"),  # some with axes merged, each as it comes
    -1: ("bgrsd", "b(gr)sd", "bs(gr)d", "b(rg)sd"),  # r heads in a group, each with the keys of its group
}
_GROUPED = ("bgsd", "bsgd", "bg1sd")  # keys and values of groups: one head for each (ainslie2023, section 2.2)
_IN_TURN = "(rg)"  # heads that share keys stand r apart, not side by side
_SUNK, _NOT_SUNK = "a sink: one more score that no value answers to", "no sink"
_OPEN = 0.37  # in the place of a scale that could not be read
_MOST_NUMBERS = 2  # sizes in reshapes that are tried as counts of heads and widths


def prove_attention(subject: Subject, *, searched: bool = False) -> Found:
    """What a body is that is said to be an attention.

    Args:
        subject: it reads queries, keys and values first, then masks and biases.
        searched: nobody said what it is; any number is then taken for the scale, and told, since how many features a
            head has is not known; without a number the scale is missing.
    """
    try:
        roles = roles_of(subject)
        repeated = any(op.kind.name == "expand" for op in subject.ops)  # perhaps heads, which those of a group share
        found = list(_ranks(roles, (4, 3, -1) if repeated else (4, 3), searched))
        found = found or list(_ranks(roles, (5, 2), searched))
        found = found or list(_ranks(roles, (-1, 0), searched))
    except CannotEvaluate as error:
        return not_proved(str(error))
    return joined(
        [_unmasked(subject, one) for one in found],
        "which axis the softmax is over depends on the number of axes, which nothing read tells",
    )


def _unmasked(subject: Subject, found: Found) -> Found:
    """What is found of a body that is given a mask and does not read it."""
    read = {value for op in subject.ops for value in op.reads}
    if found.outcome is Outcome.NOT_PROVED or all(value in read for value in subject.reads[3:]):
        return found
    words = f"{found.is_} and" if found.outcome is Outcome.DIFFERS and found.is_ else "attention with"
    return replace(found, outcome=Outcome.DIFFERS, error=math.inf, is_=f"{words} the mask missing")


def _ranks(roles: Roles, ranks: Sequence[int], searched: bool) -> Iterator[Found]:
    recorded = roles.recorded(roles.query)
    for rank in ranks if recorded is None else [one for one in ranks if one in (-1, 0, len(recorded))]:
        best: Found | None = None
        for case in _cases(roles, rank):
            found = _compare(case, searched)
            best = found if best is None or (found.is_ and not best.is_) else best
            if found.outcome is not Outcome.DIFFERS:
                best = found
                break
        if best is not None:
            yield best


# ---- layouts


@dataclass(slots=True)
class _Case:
    """One layout under which the ops can run."""

    roles: Roles
    sizes: dict[str, int]
    labels: str  # the axes of the batch
    layouts: tuple[str, str, str]
    numbers: dict[tuple[str, str], float]
    given: list[Given] = field(default_factory=list)
    outputs: list[Array] = field(default_factory=list)
    scores: str = ""  # the axes of the scores where the softmax reads them


def _cases(roles: Roles, rank: int) -> Iterator[_Case]:
    layouts = _LAYOUTS[rank]
    numbers = _opened(roles)
    for sizes in _sizes(roles):
        batch = "".join(one for one in layouts[0] if one not in "sd")  # the first layout has no axes merged
        held = _GROUPED if rank == -1 else layouts
        for query, key in product(layouts, [one.replace("s", "t") for one in held]):
            if not _is_recorded(roles, (query, key)):
                continue
            scored = _Case(roles, sizes, batch, (query, key, ""), numbers)
            try:
                _, before = _scored(scored, 0)
            except DoesNotFit:
                continue
            for value in [one.replace("s", "t").replace("d", "e") for one in held]:
                if not _is_recorded(roles, (query, key, value)):
                    continue
                case = _Case(roles, sizes, batch, (query, key, value), numbers)
                try:
                    _weighed(case, 0, before)
                    for number in range(1, _DRAWS):
                        _weighed(case, number, _scored(case, number)[1])
                except DoesNotFit:
                    continue
                yield case


def _is_recorded(roles: Roles, layouts: Sequence[str]) -> bool:
    """Whether the sizes that a trace recorded can be those of axes that lie so: an axis has one size wherever it is."""
    sizes: dict[str, int] = {}
    for value, layout in zip((roles.query, roles.key, roles.value), layouts, strict=False):
        shape = roles.recorded(value)
        if shape is None or len(shape) != len(layout):  # some axes are merged
            continue
        if any(sizes.setdefault(name, size) != size for name, size in zip(layout, shape, strict=True)):
            return False
    return True


def _sizes(roles: Roles) -> Iterator[dict[str, int]]:
    """Sizes of the axes: free primes, and where a reshape holds numbers, those as heads and widths."""
    held: dict[int, None] = {}
    for op in roles.subject.ops:
        shape = op.attr("shape") if op.kind.name in ("reshape", "expand") else None
        for size in shape if isinstance(shape, tuple) else ():
            if isinstance(size, int) and not isinstance(size, bool) and 1 < size <= 512:
                held[size] = None
    numbers = [*held][:_MOST_NUMBERS]
    free = [one for one in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29) if one not in numbers]
    repeats = [op.attr("repeats") for op in roles.subject.ops if op.kind.name == "expand"]
    shared = next((one for one in repeats if isinstance(one, int) and one > 1), free[7])
    plain = dict(zip("bhngstdew", (free[0], free[1], free[1], free[1], *free[2:7]), strict=True)) | {
        "r": shared,
        "1": 1,
    }
    yield plain
    for heads, width in product((plain["h"], *numbers), (plain["e"], *numbers)):
        if heads != width and (heads, width) != (plain["h"], plain["e"]):
            yield {**plain, "h": heads, "n": heads, "d": width if width in numbers else plain["d"], "e": width}


def _opened(roles: Roles) -> dict[tuple[str, str], float]:
    """A number for a scale that could not be read, where it stands in the body."""
    scale = roles.subject.stated("scale")
    if isinstance(scale, Unknown):
        places = opens_in(roles.main, scale)
        if len(places) == 1 and not (isinstance(scale, Size) and scale.of in (roles.query, roles.key)):
            return {places[0]: _OPEN}
    return {}


# ---- drawing


def _array(draw: np.random.Generator, layout: str, sizes: Mapping[str, int]) -> Array:
    """Random numbers in a layout, such as "bs(hd)": batch, queries, and the features of all heads as one axis."""
    shape: list[int] = []
    inside = False
    for one in layout:
        if one in "()":
            inside = one == "("
            shape += [1] if inside else []
        elif inside:
            shape[-1] *= sizes[one]
        else:
            shape.append(sizes[one])
    return draw.normal(0.1, 1.0, shape)


def _canonical(array: Array, layout: str, order: str, sizes: Mapping[str, int]) -> Array:
    """An array whose axes lie as `layout` says, in the order of `order`; an axis that it lacks has size 1."""
    names = layout.replace("(", "").replace(")", "").replace("1", "")
    array = array.reshape([sizes[one] for one in names])
    array = array.transpose([names.index(one) for one in order if one in names])
    return array.reshape([sizes[one] if one in names else 1 for one in order])


def _scored(case: _Case, number: int) -> tuple[Given, dict[Value, Array]]:
    """The values of all ops up to the softmax."""
    import numpy as np

    roles, (query, key, _) = case.roles, case.layouts
    draw = np.random.default_rng(number)
    given = {
        roles.query: _array(draw, query, case.sizes) * 0.6,
        roles.key: _array(draw, key, case.sizes),
        **roles.constants,
    }
    world = World(numbers=case.numbers, shapes=roles.subject.shapes, alike=roles.subject.alike)
    values = evaluate(roles.before, given, world, roles.drawer(number))
    pair = Given(
        _canonical(given[roles.query], query, case.labels + "sd", case.sizes),
        _canonical(given[roles.key], key, case.labels + "td", case.sizes),
        np.zeros(()),
    )
    return pair, values


def _weighed(case: _Case, number: int, values: dict[Value, Array]) -> None:
    """Add the draw `number` to a case, from the values of the ops up to its softmax."""
    import numpy as np

    roles, (query, key, value) = case.roles, case.layouts
    draw = np.random.default_rng(100 + number)
    held = {**values, roles.value: _array(draw, value, case.sizes)}
    world = World(numbers=case.numbers, shapes=roles.subject.shapes, alike=roles.subject.alike)
    held = evaluate(roles.after, held, world, roles.drawer(number))
    output = held.get(roles.subject.result)
    if output is None:
        raise DoesNotFit("the result is not among the values")
    case.scores = _labels(held[roles.scores].shape, case) or case.scores
    beside: dict[str, list[Array]] = {"bias": [], "hidden": [], "factor": [], "weighed": [], "sink": []}
    for role, sign, free in roles.beside:
        array = _as_scores(held[free], case)
        if role == "hidden":
            beside[role].append(array if sign else ~array)
        else:
            beside[role].append(sign * array)
    case.given.append(
        Given(
            _canonical(held[roles.query], query, case.labels + "sd", case.sizes),
            _canonical(held[roles.key], key, case.labels + "td", case.sizes),
            _canonical(held[roles.value], value, case.labels + "te", case.sizes),
            tuple(beside["bias"]),
            tuple(beside["hidden"]),
            tuple(beside["factor"]),
            tuple(beside["weighed"]),
            tuple(beside["sink"]),
        )
    )
    case.outputs.append(output)


def _labels(shape: tuple[int, ...], case: _Case) -> str:
    """Which axes of the scores a shape has, by their sizes, which are distinct; "" where they are merged."""
    names = {case.sizes[one]: one for one in case.labels + "st"}
    found = "".join(names.get(size, "?") for size in shape)
    return found if len(set(found)) == len(case.labels) + 2 and "?" not in found else ""


def _as_scores(array: Array, case: _Case) -> Array:
    """A mask or bias in the axes of the scores: [batch ..., queries, keys].

    Raises:
        CannotEvaluate: its axes are merged in a way that does not tell them.
    """
    order = case.labels + "st"
    layout = _labels(array.shape, case)
    if layout:
        return array.transpose([layout.index(one) for one in order])
    if array.ndim == len(order) and array.shape[-1] == 1:  # one more score for each query
        names = {case.sizes[one]: one for one in case.labels + "s"}
        layout = "".join(names.get(size, "?") for size in array.shape[:-1]) + "t"
        if "?" not in layout and len(set(layout)) == len(order):
            return array.transpose([layout.index(one) for one in order])
    for one in permutations(order):
        if _merges([case.sizes[name] for name in one], array.shape):
            return _canonical(array, "".join(one), order, case.sizes)
    raise CannotEvaluate("how a mask or bias lies on the scores could not be told")


def _merges(sizes: Sequence[int], shape: tuple[int, ...]) -> bool:
    """Whether `shape` is `sizes` with neighbours multiplied."""
    at = 0
    for size in shape:
        total = 1
        while total < size and at < len(sizes):
            total *= sizes[at]
            at += 1
        if total != size:
            return False
    return at == len(sizes)


# ---- comparing


def _compare(case: _Case, searched: bool) -> Found:
    roles = case.roles
    features = case.sizes["d"]
    error = math.inf
    open_scale = isinstance(roles.subject.stated("scale"), Unknown)
    tensor = any(role == "factor" for role, _, _ in roles.beside)
    sunk = any(role == "sink" for role, _, _ in roles.beside)
    stated_sink = roles.subject.stated("sink") is True
    for scale in _scales(case, searched):
        stated = Form(scale, _softcap(roles.subject), _axis(case))
        for form in (
            forms(stated, len(case.labels) + 2, features, len(case.given[0].biases)) if not open_scale else (stated,)
        ):
            gap, equal = _gap(case, [form.of(one) for one in case.given])
            if not form.words:
                plain = gap if sunk == stated_sink else _gap(case, [form.of(_turned(one)) for one in case.given])[0]
                error = min(error, plain)
            if not equal:
                continue
            if tensor:
                return not_proved("the scores are multiplied by a tensor; but for that it is the textbook's formula")
            if sunk != stated_sink:
                words = " and ".join([*form.words.values(), _SUNK if sunk else _NOT_SUNK])
                return Found(Outcome.DIFFERS, error, f"attention with {words}", "", gap, _DRAWS)
            if _IN_TURN in case.layouts[0]:
                words = " and ".join([*form.words.values(), "heads that share keys in turn, not side by side"])
                return Found(Outcome.DIFFERS, math.nan, f"attention with {words}", "", gap, _DRAWS)
            if not form.words:
                is_ = f"attention with the scale {scale:.6g}" if searched else ""
                return Found(Outcome.CONFIRMED, gap, is_, near=gap, draws=_DRAWS)
            return Found(Outcome.DIFFERS, error, f"attention with {form.name}", "", gap, _DRAWS)
    if open_scale or tensor:
        return not_proved("the factor on the scores could not be read")
    return Found(Outcome.DIFFERS, error, draws=_DRAWS)


def _turned(given: Given) -> Given:
    """A draw without its sinks; one without any gets a score of 0 for each query."""
    import numpy as np

    if given.sinks:
        return replace(given, sinks=())
    return replace(given, sinks=(np.zeros((*given.query.shape[:-1], 1)),))


def _gap(case: _Case, wanted: Sequence[Array]) -> tuple[float, bool]:
    """The largest difference, and whether there is none that counts, in an order of axes that the result may have."""
    best = math.inf
    names = case.labels + "se"
    for order in permutations(names):
        sizes = [case.sizes[one] for one in order]
        if not _merges(sizes, case.outputs[0].shape):
            continue
        laid = [_canonical(one, names, "".join(order), case.sizes).reshape(case.outputs[0].shape) for one in wanted]
        if same(case.outputs, laid):
            return worst(case.outputs, laid), True
        best = min(best, worst(case.outputs, laid))
    return best, False


def _softcap(subject: Subject) -> float:
    cap = subject.stated("softcap")
    if isinstance(cap, Unknown):
        raise CannotEvaluate(f"softcap could not be read: {cap.why}")
    return float(cap) if isinstance(cap, (int, float)) else 0.0


def _axis(case: _Case) -> int:
    """The axis that is stated, as a place among those of the formula's scores; else the keys."""
    axis = case.roles.subject.stated("axis")
    if not isinstance(axis, int) or not case.scores or not -len(case.scores) <= axis < len(case.scores):
        return -1
    order = case.labels + "st"
    return order.index(case.scores[axis]) - len(order)


def _scales(case: _Case, searched: bool) -> Iterator[float]:
    """The scale that is stated. One that is open may stand in the body as a factor, a divisor, or their root."""
    subject = case.roles.subject
    scale = subject.stated("scale", 1)
    if searched:
        yield from [math.prod(found)] if (found := _factors(case.roles.before)[1:]) else []
        yield 1 / math.sqrt(case.sizes["d"])
        return
    if isinstance(scale, (int, float)):
        yield float(scale)
        return
    if any(role == "factor" for role, _, _ in case.roles.beside):
        yield 1.0
    held = _OPEN
    if isinstance(scale, Size) and not case.numbers:
        sizes = {case.roles.query: case.layouts[0], case.roles.key: case.layouts[1]}
        layout = sizes.get(scale.of) if scale.of is not None else None
        if layout is None or not scale.axes or not -len(layout) <= scale.axes[0] < len(layout):
            raise CannotEvaluate(f"scale could not be read: {scale.why}")
        held = float(case.sizes[layout[scale.axes[0]]] ** scale.power)
    elif not case.numbers and isinstance(scale, Unknown):
        raise CannotEvaluate(f"scale could not be read: {scale.why}")
    factors = _factors(case.roles.before)
    for factor in (1.0, *factors):
        for power in (1.0, -1.0, 0.5, -0.5, 2.0):
            yield held**power * factor


def _factors(ops: Sequence[Op]) -> list[float]:
    """The plain factors on the way to the scores, all together and one by one."""
    found = [
        number if op.kind.name != "div" else 1 / number
        for op, name, number in numbers_in(ops)
        if op.kind.name in ("mul", "scale", "div") and name == "by" and number
    ]
    return [math.prod(found), *found] if found else []
