"""Raises products with a constant or a learned vector to `scale`, and with random numbers to stochastic depth."""

from __future__ import annotations

from archcheck.ir.graph import AttrValue, Op, Unknown, Value, attrs
from archcheck.passes.base import ScopePass
from archcheck.passes.kinds import ADD, AFFINE, PARAMETER, SCALE, STOCHASTIC_DEPTH, named
from archcheck.passes.raise_linears import learned_ops
from archcheck.passes.scope import Scope

_FACTORS = named("mul", "div")
_WITH_GAIN = named("layer_norm", "rms_norm")
_LONGEST = 24


def factor_of(op: Op) -> AttrValue:
    """The constant by which an op multiplies its only operand: a number, Unknown, or None where it does not."""
    if len(op.reads) != 1 or op.attr("reverse") is True or op.states("rounding"):
        return None
    by = op.attr("by")
    if op.kind.name == "neg":
        return -1
    if isinstance(by, bool) or not isinstance(by, int | float | Unknown):
        return None
    if op.kind.name in ("mul", "scale"):
        return by
    if op.kind.name == "div":
        return by if isinstance(by, Unknown) else (1 / by if by else None)
    return None


class RaiseScales(ScopePass):
    """Raise `x * c`, `x / c` and `x * w` to `scale`, and `x * mask` with a random mask to `stochastic_depth`.

    before                          after
      %x = input                      input
      mul by=0.5                      scale by=0.5
      %w = parameter name="gamma"     scale by="learned":
      mul %1, %w                        parameter name="gamma"
                                        mul %1, %2

    A learned factor with a learned shift is `affine`: MobileBERT's norm without statistics. Behind a norm that learns
    nothing, a learned factor is its gain, and the norm is one with a gain.
    """

    name = "raise_scales"

    def rewrite(self, scope: Scope, holder: Op | None) -> None:
        """Replace products with a constant, fold those with something learned or random."""
        for slot in scope.of_kinds(_FACTORS):
            op = scope.ops[slot]
            factor = factor_of(op)
            if factor is not None:
                path = scope.path(slot, SCALE)
                new = Op(path, SCALE, op.reads, attrs(by=factor), (), (), op.claim, op.span, op.because)
                scope.replace(slot, new)
            elif len(op.reads) == 2:
                _raise_product(scope, slot)


def _raise_product(scope: Scope, slot: int) -> None:
    op = scope.ops[slot]
    first, second = (scope.origins_of(value) for value in op.reads)
    if first & scope.ON_INPUT and not second & scope.ON_INPUT:
        main, other, origin = op.reads[0], op.reads[1], second
    elif second & scope.ON_INPUT and not first & scope.ON_INPUT and op.kind.name == "mul":
        main, other, origin = op.reads[1], op.reads[0], first
    else:
        return
    if origin == scope.ON_PARAMETER:
        shift = _shift(scope, slot)
        if _raise_gain(scope, slot, main, other, shift):
            return
        if shift is not None:
            group = {slot, shift}
            added = next(value for value in scope.ops[shift].reads if scope.giver(value) != slot)
            group |= learned_ops(scope, (other, added), group)
            stated = attrs(**_width(scope, other))
            scope.fold(group, AFFINE, stated, value=Value(scope.ops[shift].path), first=(main,))
            return
        own = learned_ops(scope, (other,), {slot})
        stated = attrs(by="learned", **_width(scope, other))
        scope.fold({slot} | own, SCALE, stated, value=Value(op.path), first=(main,))
    elif origin == scope.ON_RANDOM:
        _raise_drop(scope, slot, main, other)


def _raise_gain(scope: Scope, slot: int, main: Value, other: Value, shift: int | None) -> bool:
    """A product of a norm that learns nothing with a learned vector: the norm with its gain, and its shift, if any."""
    giver = scope.giver(main)
    norm = scope.ops[giver] if giver >= 0 else None
    if norm is None or norm.kind not in _WITH_GAIN or norm.attr("elementwise_affine") is not False:
        return False
    gain, offset, vector = other, None, scope.maker(other)
    if vector is not None and vector.kind is ADD and len(vector.reads) == 1:  # 1 + weight
        gain, offset = vector.reads[0], vector.attr("by")
        vector = scope.maker(gain)
    width = _width(scope, gain).get("dim")
    if scope.only_reader(giver) != slot or vector is None or vector.kind is not PARAMETER:
        return False
    if width is not None and norm.attr("dim", width) != width:
        return False
    last, added = slot, None
    if shift is not None:
        last, added = shift, next(value for value in scope.ops[shift].reads if scope.giver(value) != slot)
    group = {giver, slot, last}
    group |= learned_ops(scope, (other,) if added is None else (other, added), group)
    stated = {attr.name: attr.value for attr in norm.attrs} | {"elementwise_affine": True, "bias": added is not None}
    stated |= {"offset": offset} if offset else {}
    scope.fold(group, norm.kind, attrs(**stated), value=Value(scope.ops[last].path), first=(norm.reads[0],))
    return True


def _shift(scope: Scope, slot: int) -> int | None:
    """The sum of a product with something learned, where nothing else reads the product.

    Tokens that are learned, such as that of a class, are no shift: they are laid out for a batch, or read beside the
    sum, and what is added to them is a residual (touvron2021, section 3.2).
    """
    reader = scope.only_reader(slot)
    if reader is None or scope.ops[reader].kind is not ADD or len(scope.ops[reader].reads) != 2:
        return None
    others = [value for value in scope.ops[reader].reads if scope.giver(value) != slot]
    if len(others) != 1 or scope.origins_of(others[0]) != scope.ON_PARAMETER:
        return None
    giver = scope.giver(others[0])
    if giver >= 0 and scope.ops[giver].kind.name == "expand":
        return None
    beside = [one for one in scope.readers(giver) if one < 0 or scope.ops[one].kind is not ADD] if giver >= 0 else []
    return None if beside else reader


def _width(scope: Scope, value: Value) -> dict[str, AttrValue]:
    slot = scope.giver(value)
    shape = scope.ops[slot].attr("shape") if slot >= 0 else None
    return {"dim": shape[0]} if isinstance(shape, tuple) and len(shape) == 1 and isinstance(shape[0], int) else {}


def _raise_drop(scope: Scope, slot: int, main: Value, mask: Value) -> None:
    """`x / keep * floor(keep + random)`: a branch dropped for a whole sample."""
    group = {slot}
    giver = scope.giver(main)
    if giver >= 0 and factor_of(scope.ops[giver]) is not None and scope.only_reader(giver) == slot:
        keep = factor_of(scope.ops[giver])
        if isinstance(keep, int | float) and keep > 1:  # the division by the probability of keeping
            group.add(giver)
            main = scope.ops[giver].reads[0]
    found: set[int] = set()
    stack = [scope.giver(mask)]
    while stack and len(found) < _LONGEST:
        inner = stack.pop()
        if inner >= 0 and inner not in found and not scope.origins(inner) & ~scope.ON_RANDOM:
            found.add(inner)
            stack.extend(scope.givers(inner))
    for inner in sorted(found, reverse=True):
        if all(reader in group for reader in scope.readers(inner)):
            group.add(inner)
    scope.fold(group, STOCHASTIC_DEPTH, (), value=Value(scope.ops[slot].path), first=(main,))
