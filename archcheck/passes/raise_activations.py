"""Raises activations that code spells out: GELU by erf or tanh, x * sigmoid(x), max(x, 0), and their like."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable

from archcheck.ir.graph import Attr, Op, Unknown, attrs
from archcheck.ir.ops import BY_NAME, OpKind
from archcheck.passes.base import Scope, ScopePass
from archcheck.passes.formulas import CannotEvaluate, close, gelu, sigmoid, softplus, tanh_gelu
from archcheck.passes.kinds import ACTIVATIONS
from archcheck.passes.regions import Region, cone, fixed_constant, regions, run

# Far enough out that relu6 and clamped forms show, dense enough around zero that all the others do.
_POINTS = [-14.0, -9.1, -6.3, -4.1, -3.05, -2.2, -1.3, -1.0, -0.61, -0.2, 0.15, 0.4, 1.0, 1.9, 2.8, 3.6, 5.2, 7.1, 11.0]
# Constants are often cut to four digits; the closest pair of formulas (GELU and its tanh form) differs by 4.7e-4.
_TOLERANCE = 6e-5
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
    and one whose numbers differ (another constant, another sign) does not.
    """

    name = "raise_activations"

    def rewrite(self, scope: Scope, holder: Op | None) -> None:
        """Fold, in each region, the largest groups of ops that are a known activation."""
        if not any(scope.ops[slot].kind.name in _CURVED for slot in scope.slots()):
            return
        known: dict[Hashable, list[Match]] = {}
        for region in regions(scope, learned=False, reductions=False):
            if not any(scope.ops[slot].kind.name in _CURVED for slot in region.slots):
                continue
            key = region.key(scope)
            if key not in known:
                known[key] = _search(scope, region)
            for root, base, kind, stated in known[key]:
                found = cone(scope, region, region.slots[root], region.base if base < 0 else region.slots[base])
                if found is not None and not _is_read_within(scope, found.slots):
                    scope.fold(found.slots, kind, stated)


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
    for root in range(len(region.slots) - 1, -1, -1):
        if root in taken:
            continue
        for base in range(max(-1, root - _LONGEST), root):
            if base in taken:
                continue
            match = _match(scope, region, root, base, dict(fixed))
            if match is not None:
                matches.append(match)
                found = cone(scope, region, region.slots[root], region.base if base < 0 else region.slots[base])
                taken.update(place for place, slot in enumerate(region.slots) if found and slot in found.slots)
                break
    return matches[::-1]


def _match(scope: Scope, region: Region, root: int, base: int, fixed: dict[int, float]) -> Match | None:
    base_slot = region.base if base < 0 else region.slots[base]
    found = cone(scope, region, region.slots[root], base_slot)
    if found is None or not any(scope.ops[slot].kind.name in _CURVED for slot in found.slots):
        return None
    if len(found.slots) == 1 and scope.ops[found.slots[0]].kind in ACTIVATIONS:
        return None
    if any(isinstance(attr.value, Unknown) for slot in found.slots for attr in scope.ops[slot].attrs):
        return None  # a factor decides which activation it is; a number in its place would be a guess
    try:
        values = run(scope, found, base_slot, list(_POINTS), {**fixed}, region.slots[root])
    except (CannotEvaluate, KeyError):
        return None
    if not isinstance(values, list):
        return None
    for kind, stated, wanted in _TABLE:
        if _agree(values, wanted):
            return root, base, BY_NAME[kind], attrs(**stated)
    fitted = _fit(values)
    return None if fitted is None else (root, base, BY_NAME[fitted[0]], attrs(**{fitted[1]: fitted[2]}))


def _agree(values: list[float], wanted: list[float]) -> bool:
    return close([value + 1 for value in values], [value + 1 for value in wanted], _TOLERANCE) and all(
        abs(a - b) < _TOLERANCE * max(1.0, abs(b)) for a, b in zip(values, wanted, strict=True)
    )


def _fit(values: list[float]) -> tuple[str, str, float] | None:
    """A formula with a free factor: its kind, the factor's attribute and value."""
    at = dict(zip(_POINTS, values, strict=True))
    slope = round(-at[-1.0], 6)
    if 0 < slope < 1 and _agree(values, [x if x > 0 else slope * x for x in _POINTS]):
        return "leaky_relu", "slope", slope
    alpha = round(at[-1.0] / math.expm1(-1.0), 6)
    if alpha > 0 and _agree(values, [x if x > 0 else alpha * math.expm1(x) for x in _POINTS]):
        return "elu", "alpha", alpha
    if 0.5 < at[1.0] < 1:
        beta = round(math.log(at[1.0] / (1 - at[1.0])), 6)
        if _agree(values, [x * sigmoid(beta * x) for x in _POINTS]):
            return "silu", "beta", beta
    return None
