"""Raises activations that code spells out: GELU by erf or tanh, x * sigmoid(x), max(x, 0), and their like."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import replace

from archcheck.ir.graph import Attr, Op, Unknown, attrs
from archcheck.ir.ops import BY_NAME, OpKind
from archcheck.passes.base import ScopePass
from archcheck.passes.formulas import CannotEvaluate, gelu, sigmoid, softplus, tanh_gelu
from archcheck.passes.kinds import ACTIVATIONS, named
from archcheck.passes.regions import Cone, Region, cone, fixed_constant, regions, run
from archcheck.passes.scope import Scope

# Far enough out that relu6 and clamped forms show, dense enough around zero that all the others do.
_POINTS = [-14.0, -9.1, -6.3, -4.1, -3.05, -2.2, -1.3, -1.0, -0.61, -0.2, 0.15, 0.4, 1.0, 1.9, 2.8, 3.6, 5.2, 7.1, 11.0]
_FARTHEST = 200.0  # where a bound is still looked for; beyond it exponentials overflow
# What rounding leaves: relative to the value, and relative to the input where a spelling cancels, as `1 + erf(x)` does.
_TOLERANCE = 1e-9
_CANCELLED = 1e-14
# Numbers of the formulas whose digits do not end, which code writes to as many as it likes; all others it writes out.
_ROOTS = (math.sqrt(2), math.sqrt(0.5), math.sqrt(2 / math.pi), 2 * math.sqrt(2 / math.pi))
_ENDLESS = (*_ROOTS, 0.044715 * _ROOTS[2], 1 / 6, 1.0507009873554805, 1.6732632423543772, 1.7580993408473766)
_FLOAT = 2.0**-23  # relative step of single precision, which models compute in
_DIGITS = 4  # the fewest to which a number may be cut: 1.414 for the root of 2
_SMALL, _ENLARGED = 1e-3, 0.0137  # numbers that keep something from being 0, and what shows that they are there
_FACTORS = ("mul", "div", "scale")
_NUMBERS = ("by", "min", "max", "value", "yes", "no")
_FORMULAS: tuple[tuple[str, dict[str, str], Callable[[float], float]], ...] = (
    ("relu", {}, lambda x: max(x, 0.0)),
    ("gelu", {"approximate": "none"}, gelu),
    ("gelu", {"approximate": "tanh"}, tanh_gelu),
    ("silu", {}, lambda x: x * sigmoid(x)),
    ("quick_gelu", {}, lambda x: x * sigmoid(1.702 * x)),
    ("relu2", {}, lambda x: max(x, 0.0) ** 2),
    ("relu6", {}, lambda x: min(max(x, 0.0), 6.0)),
    ("sigmoid", {}, sigmoid),
    ("tanh", {}, math.tanh),
    ("softplus", {}, softplus),
    ("mish", {}, lambda x: x * math.tanh(softplus(x))),
    ("log_sigmoid", {}, lambda x: -softplus(-x)),
    ("hard_swish", {}, lambda x: x * min(max(x / 6 + 0.5, 0.0), 1.0)),
    ("hard_sigmoid", {}, lambda x: min(max(x / 6 + 0.5, 0.0), 1.0)),
    ("softsign", {}, lambda x: x / (1 + abs(x))),
    ("elu", {}, lambda x: x if x > 0 else math.expm1(x)),
    ("selu", {}, lambda x: 1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * math.expm1(x))),
)
_TABLE = [(kind, stated, [function(point) for point in _POINTS]) for kind, stated, function in _FORMULAS]
# Ops between the first and the last of a formula; the tanh form of GELU takes eleven.
_LONGEST = 16
_CURVED = frozenset(
    [
        "exp",
        "erf",
        "tanh",
        "sigmoid",
        "clamp",
        "maximum",
        "minimum",
        "where",
        "relu",
        "abs",
        "softplus",
        "elementwise",
        "masked_fill",
        "relu6",
        "log_sigmoid",
        "hard_sigmoid",
        "elu",
        "sign",
    ]
)
_CURVED_KINDS = named(*_CURVED)

Match = tuple[int, int, OpKind, tuple[Attr, ...]]  # root and base, as places in the region (-1: its base); what it is


class RaiseActivations(ScopePass):
    """Raise element-wise functions of one value to the activation that they are.

    before                              after
      %x = input                          input
      %h = mul %x by=1.702                quick_gelu:
      %s = sigmoid                          mul by=1.702
      mul %x, %s                            sigmoid
                                            mul %0, %2

    What is recognised is decided by evaluating the ops on sample points, so that any way of writing a formula counts,
    and one whose numbers differ (another constant, another sign, a small number added, a bound) does not. A number
    whose digits do not end may be rounded, to single precision or to four digits and more: 0.79788456 is the root of
    2 / pi.
    """

    name = "raise_activations"

    def rewrite(self, scope: Scope, holder: Op | None) -> None:
        """Fold, in each region, the largest groups of ops that are a known activation."""
        if not scope.has(_CURVED_KINDS):
            return
        known: dict[Hashable, list[Match]] = {}
        for region in regions(scope, learned=False, reductions=False):
            if not any(scope.ops[slot].kind in _CURVED_KINDS for slot in region.slots):
                continue
            key = region.key(scope)
            if key not in known:
                known[key] = _search(scope, region)
            for root, base, kind, stated in known[key]:
                of = region.base if base < 0 else region.slots[base]
                found = cone(scope, region, region.slots[root], of)
                if found is not None and not _is_read_within(scope, found.slots):
                    reads = (value for slot in found.slots for value in scope.ops[slot].reads)
                    scope.fold(
                        found.slots, kind, stated, first=[value for value in reads if scope.giver(value) == of][:1]
                    )


def _is_read_within(scope: Scope, slots: list[int]) -> bool:
    """Whether something besides reads what only the activation should: a gate that is used again."""
    inside = set(slots)
    return any(scope.readers_beside(slot, inside) for slot in slots[:-1])


def _search(scope: Scope, region: Region) -> list[Match]:
    matches: list[Match] = []
    taken: set[int] = set()
    try:
        fixed = {giver: fixed_constant(scope.ops[giver]) for giver in region.fixed}
    except CannotEvaluate:
        fixed = {}
    spelled = {slot: op for slot in region.slots if (op := _with(scope.ops[slot], _exact)) is not scope.ops[slot]}
    for root in range(len(region.slots) - 1, -1, -1):
        if root in taken:
            continue
        for base in range(max(-1, root - _LONGEST), root):
            if base in taken:
                continue
            match = _match(scope, region, root, base, fixed, spelled)
            if match is not None:
                matches.append(match)
                found = cone(scope, region, region.slots[root], region.base if base < 0 else region.slots[base])
                taken.update(place for place, slot in enumerate(region.slots) if found and slot in found.slots)
                break
    return matches[::-1]


def _match(
    scope: Scope, region: Region, root: int, base: int, fixed: Mapping[int, float], spelled: Mapping[int, Op]
) -> Match | None:
    base_slot = region.base if base < 0 else region.slots[base]
    found = cone(scope, region, region.slots[root], base_slot)
    if found is None or not any(scope.ops[slot].kind.name in _CURVED for slot in found.slots):
        return None
    if len(found.slots) == 1 and scope.ops[found.slots[0]].kind in ACTIVATIONS:
        return None
    if any(isinstance(attr.value, Unknown) for slot in found.slots for attr in scope.ops[slot].attrs):
        return None  # a factor decides which activation it is; a number in its place would be a guess

    def values(points: list[float], held: Mapping[int, float], ops: Mapping[int, Op]) -> list[float] | None:
        try:
            given = run(scope, found, base_slot, points, {**held}, region.slots[root], ops)
        except (CannotEvaluate, KeyError):
            return None
        return given if isinstance(given, list) else None

    exact = {slot: _exact(number) for slot, number in fixed.items()}
    given = values(_POINTS, exact, spelled)
    recognised = None if given is None else _recognised(given)
    if recognised is None and given is not None:  # a free factor is the number that code wrote
        exact, spelled = {**fixed}, {}
        given = values(_POINTS, exact, spelled)
        recognised = None if given is None else _fit(given)
    if recognised is None:
        return None
    kind, stated, function = recognised
    points = [*_POINTS, *_beyond(scope, found)]
    shown = {slot: op for slot in found.slots if (op := _shown(scope.ops[slot])) is not scope.ops[slot]}
    large = {slot: _enlarged(number) for slot, number in exact.items()}
    if len(points) > len(_POINTS) or shown or large != exact:
        more = values(points, large, {**spelled, **shown})
        if more is None or not _agree(points, more, [function(point) for point in points]):
            return None
    return root, base, BY_NAME[kind], attrs(**stated)


def _with(op: Op, change: Callable[[float], float]) -> Op:
    """An op with its numbers changed; itself where none is."""
    found = []
    for attr in op.attrs:
        number = attr.value
        if attr.name in _NUMBERS and isinstance(number, float) and change(number) != number:
            attr = Attr(attr.name, change(number))  # noqa: PLW2901
        found.append(attr)
    return op if all(new is old for new, old in zip(found, op.attrs, strict=True)) else replace(op, attrs=tuple(found))


def _exact(number: float) -> float:
    """The number without an end that `number` is when it is rounded or cut, to at least four digits; else itself."""
    for exact in _ENDLESS:
        gap = abs(abs(number) - exact)
        if gap <= _FLOAT * exact or (gap < 0.01 * exact and gap < _last_digit(number)):
            return math.copysign(exact, number)
    return number


def _last_digit(number: float) -> float:
    """What the last of the digits counts that code wrote; 0 where they are fewer than four."""
    digits, _, exponent = repr(abs(number)).partition("e")
    whole, _, part = digits.partition(".")
    count = len((whole + part).lstrip("0"))
    return 10.0 ** (int(exponent or 0) - len(part)) if count >= _DIGITS else 0.0


def _shown(op: Op) -> Op:
    """An op with its small numbers enlarged, those of factors apart: what they are added to or bound shows them."""
    return op if op.kind.name in _FACTORS else _with(op, _enlarged)


def _enlarged(number: float) -> float:
    """A number that is no part of any activation but keeps something from 0, made large enough to show."""
    return math.copysign(_ENLARGED, number) if 0 < abs(number) < _SMALL else number


def _beyond(scope: Scope, found: Cone) -> Iterator[float]:
    """Points around the large numbers of the ops, at which a bound shows."""
    for slot in found.slots:
        for attr in scope.ops[slot].attrs:
            number = attr.value
            if attr.name not in _NUMBERS or isinstance(number, bool) or not isinstance(number, int | float):
                continue
            if _POINTS[-1] / 2 < abs(number) <= _FARTHEST:
                yield from (1.3 * number, -1.3 * number)


def _recognised(values: list[float]) -> tuple[str, dict[str, str | float], Callable[[float], float]] | None:
    """The activation that has these values at the points: its kind, its attributes, and itself."""
    for (kind, stated, function), (_, _, wanted) in zip(_FORMULAS, _TABLE, strict=True):
        if _agree(_POINTS, values, wanted):
            return kind, {**stated}, function
    return None


def _agree(points: list[float], values: list[float], wanted: list[float]) -> bool:
    return all(
        abs(a - b) <= _TOLERANCE * abs(b) + _CANCELLED * max(1.0, abs(x))
        for x, a, b in zip(points, values, wanted, strict=True)
    )


def _fit(values: list[float]) -> tuple[str, dict[str, str | float], Callable[[float], float]] | None:
    """A formula with a free factor, which is told by its value at a point: its kind, the factor, and itself."""
    at = dict(zip(_POINTS, values, strict=True))
    free: list[tuple[str, str, float, Callable[[float], float]]] = []
    if 0 < (slope := _short(-at[-1.0])) < 1:
        free.append(("leaky_relu", "slope", slope, lambda x: x if x > 0 else slope * x))
    if (alpha := _short(at[-1.0] / math.expm1(-1.0))) > 0:
        free.append(("elu", "alpha", alpha, lambda x: x if x > 0 else alpha * math.expm1(x)))
    if 0.5 < at[1.0] < 1:
        beta = _short(math.log(at[1.0] / (1 - at[1.0])))
        free.append(("silu", "beta", beta, lambda x: x * sigmoid(beta * x)))
    for kind, name, factor, function in free:
        if _agree(_POINTS, values, [function(point) for point in _POINTS]):
            return kind, {name: factor}, function
    return None


def _short(number: float) -> float:
    """A number without the last digits, which rounding leaves."""
    return float(f"{number:.12g}") if math.isfinite(number) else math.nan
