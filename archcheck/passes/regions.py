"""Groups of ops that together are a function of one value: the candidates for a formula spelled in primitives."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from archcheck.ir.graph import Op
from archcheck.ir.ops import BY_NAME
from archcheck.passes.formulas import EVALUATED, REDUCTIONS, RESHAPING, CannotEvaluate, Number, constant, evaluate
from archcheck.passes.kinds import CONSTANT
from archcheck.passes.scope import Scope

# Formulas of the literature have up to about twenty primitives; a longer chain is cut, not searched.
_LONGEST = 48
_ALL_KINDS = frozenset(kind for name, kind in BY_NAME.items() if name in EVALUATED)
_PLAIN_KINDS = _ALL_KINDS - {kind for name, kind in BY_NAME.items() if name in REDUCTIONS or name == "l2_norm"}


@dataclass(slots=True)
class Region:
    """Ops that read one value, each other, and what does not depend on an input."""

    base: int  # giver of the value
    slots: list[int] = field(default_factory=list)  # in program order
    fixed: list[int] = field(default_factory=list)  # givers of what they read besides: learned or constant
    reduced: set[int] = field(default_factory=set)  # those that give one number for each token

    def key(self, scope: Scope) -> Hashable:
        """Equal for regions that compute the same."""
        number = {self.base: -1}
        rows: list[Hashable] = []
        for slot in self.slots:
            op = scope.ops[slot]
            reads = tuple([number.setdefault(giver, len(number)) for giver in scope.sources(slot)])
            number[slot] = len(number)
            rows.append((op.kind, op.attrs, reads))
        stack = list(self.fixed)  # with what they are made of: `1 + w` is told apart by the sizes of w
        for giver in stack:
            op = scope.ops[giver]
            givers = scope.sources(giver)
            stack += [other for other in dict.fromkeys(givers) if other >= 0 and other not in stack]
            reads = tuple([number.setdefault(other, len(number)) for other in givers])
            rows.append((number[giver], op.kind, tuple([attr for attr in op.attrs if attr.name != "name"]), reads))
        return tuple(rows)


def regions(scope: Scope, *, learned: bool, reductions: bool) -> list[Region]:
    """All regions of `scope`, each op in at most one.

    Args:
        learned: whether an op may read learned tensors besides the base.
        reductions: whether features may be reduced to one number.
    """
    found: dict[int, Region] = {}
    region_of: dict[int, Region] = {}
    allowed = scope.ON_PARAMETER if learned else 0
    for slot in scope.of_kinds(_ALL_KINDS if reductions else _PLAIN_KINDS):
        op = scope.ops[slot]
        if not op.reads:
            continue
        name = op.kind.name
        base: int | None = None
        several = False
        fixed: list[int] = []
        givers = scope.sources(slot)
        for giver in givers:
            if giver >= 0 and not scope.origins(giver) & ~allowed:
                fixed.append(giver)
                continue
            beside = region_of.get(giver)
            own = giver if beside is None else beside.base
            if base is None:
                base = own
            elif base != own:
                several = True
                break
        if base is None or several:
            continue
        region = found.get(base)
        if region is None:
            region = found[base] = Region(base)
        if len(region.slots) >= _LONGEST:
            continue
        reduced = _is_reduced(name, givers, region, fixed)
        if name in RESHAPING and not reduced:
            continue
        region.slots.append(slot)
        if fixed:
            region.fixed += [giver for giver in fixed if giver not in region.fixed]
        if reduced:
            region.reduced.add(slot)
        region_of[slot] = region
    return list(found.values())


def _is_reduced(name: str, givers: Sequence[int], region: Region, fixed: Sequence[int]) -> bool:
    if name in REDUCTIONS:
        return True
    return bool(region.reduced) and all(giver in region.reduced for giver in givers if giver not in fixed)


@dataclass(slots=True)
class Cone:
    """What an op is computed from: the ops between it and a base, and the learned or constant values beside them."""

    slots: list[int]
    fixed: list[int]


def cone(scope: Scope, region: Region, root: int, base: int) -> Cone | None:
    """The ops of a region between `base` and `root`, both slots; None where some path goes around `base`."""
    inside = set(region.slots)
    fixed = set(region.fixed)
    slots: set[int] = set()
    beside: dict[int, None] = {}
    met = False
    stack = [root]
    while stack:
        slot = stack.pop()
        if slot == base:
            met = True
        elif slot in fixed:
            beside[slot] = None
        elif slot not in inside:
            return None
        elif slot not in slots:
            slots.add(slot)
            stack.extend(scope.sources(slot))
    return Cone(sorted(slots), sorted(beside)) if met else None


def run(
    scope: Scope,
    found: Cone,
    base: int,
    sample: Number,
    fixed: Mapping[int, Number],
    root: int,
    instead: Mapping[int, Op] | None = None,
) -> Number:
    """The value of `root` where `base` has the value `sample`.

    Args:
        scope, found, base, root: the ops, from `base` to `root`.
        sample: what `base` gives.
        fixed: values of what is learned or constant beside them.
        instead: ops that are evaluated in the place of those in some slots: the same with another number.

    Raises:
        CannotEvaluate: an op of the cone has no value on numbers.
    """
    values: dict[int, Number] = {**fixed, base: sample}
    for slot in found.slots:
        operands = [values[giver] for giver in scope.sources(slot)]
        op = scope.ops[slot] if instead is None else instead.get(slot, scope.ops[slot])
        values[slot] = evaluate(op, operands)
    return values[root]


def fixed_constant(op: Op) -> float:
    """The number that a constant op holds.

    Raises:
        CannotEvaluate: it is no constant, or holds no single number.
    """
    if op.kind is not CONSTANT:
        raise CannotEvaluate("not a constant")
    return constant(op.attr("value"))
