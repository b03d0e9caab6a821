"""Raises norms that code spells out: the mean taken off, a division by a spread, with scale and shift."""

from __future__ import annotations

import math
import random
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from archcheck.ir.graph import AttrValue, Op, Size, Unknown, Value, attrs
from archcheck.ir.ops import BY_NAME
from archcheck.passes.base import ScopePass
from archcheck.passes.formulas import CannotEvaluate, Number, close, constant, evaluate, with_sizes
from archcheck.passes.kinds import CONSTANT, PARAMETER, named
from archcheck.passes.raise_linears import offset_of
from archcheck.passes.regions import Cone, Region, cone, fixed_constant, regions, run
from archcheck.passes.scope import Scope

_REDUCING = frozenset(("mean", "var", "std", "vector_norm", "l2_norm", "sum"))
_REDUCING_KINDS = named(*_REDUCING)
_SUMMING = frozenset(("sum", "vector_norm", "l2_norm"))  # their result grows with the number of features
_SIZE = 8  # features of a sample, where the formula does not depend on their number
_LARGEST = 16384
_TOLERANCE = 1e-6
_BELOW = 0.3  # of an epsilon: where a bound is met, and one that is added is as large as what it is added to
_PLACES = ("", "outside", "bound", "bound_inside")


@dataclass(frozen=True, slots=True)
class _Match:
    """A norm found in a region: `root` and `base` are places in it (-1: the region's base)."""

    root: int
    base: int
    kind: str
    stated: tuple[tuple[str, AttrValue], ...]


class RaiseNorms(ScopePass):
    """Raise the statistics of a token's features, with what is done with them, to the norm that they are.

    before                              after
      %x = input                          input
      %2 = pow %x exponent=2              rms_norm elementwise_affine=True eps=1e-06:
      mean axis=-1                          pow exponent=2
      add by=1e-06                          mean axis=-1
      rsqrt                                 ...
      %n = mul %x, %5                       mul %1, %6
      %w = parameter name="weight"
      mul %w, %n

    The ops are evaluated on random features and compared with the norms of the literature: variance with and without
    Bessel's correction, epsilon under the root, beside it, or as a lower bound, scale w or 1 + w, with or without a
    shift. Where the mean is not taken off it is an RMSNorm. Statistics over the batch or over several axes are left.

    Where code keeps the length from 0 and not the root mean square, `sqrt(d) * x / max(|x|, eps)`, the epsilon of the
    norm is what that comes to: eps / sqrt(d).
    """

    name = "raise_norms"

    def rewrite(self, scope: Scope, holder: Op | None) -> None:
        """Fold, in each region that reduces features, the largest groups of ops that are a norm."""
        if not scope.has(_REDUCING_KINDS):
            return
        known: dict[Hashable, list[_Match]] = {}
        for region in regions(scope, learned=True, reductions=True):
            if not any(scope.ops[slot].kind in _REDUCING_KINDS for slot in region.slots):
                continue
            key = region.key(scope)
            if key not in known:
                known[key] = _search(scope, region)
            for match in known[key]:
                _fold(scope, region, match)


def _base(region: Region, place: int) -> int:
    return region.base if place < 0 else region.slots[place]


def _fold(scope: Scope, region: Region, match: _Match) -> None:
    root = region.slots[match.root]
    found = cone(scope, region, root, _base(region, match.base))
    if found is None:
        return
    group = set(found.slots)
    for slot in sorted(_learned(scope, found), reverse=True):
        if all(reader in group for reader in scope.readers(slot)):
            group.add(slot)
    entry = next(
        value
        for slot in found.slots
        for value in scope.ops[slot].reads
        if scope.source(value) == _base(region, match.base)
    )
    if scope.is_knot(group):
        return
    scope.fold(
        group, BY_NAME[match.kind], attrs(**dict(match.stated)), value=Value(scope.ops[root].path), first=(entry,)
    )


def _learned(scope: Scope, found: Cone) -> set[int]:
    """What is learned or constant beside a cone, with everything that it is computed from."""
    slots: set[int] = set()
    stack = list(found.fixed)
    while stack:
        slot = stack.pop()
        if slot >= 0 and slot not in slots:
            slots.add(slot)
            stack.extend(scope.givers(slot))
    return slots


# ---- recognising


def _search(scope: Scope, region: Region) -> list[_Match]:
    matches: list[_Match] = []
    taken: set[int] = set()
    for root in range(len(region.slots) - 1, -1, -1):
        if root in taken or region.slots[root] in region.reduced:
            continue
        best: _Match | None = None
        for base in range(-1, root):
            if base in taken or (base >= 0 and region.slots[base] in region.reduced):
                continue
            match = _match(scope, region, root, base)
            # The mean that LayerNorm takes off comes before an RMSNorm of the rest; otherwise the inner op is the norm.
            if match is not None and (best is None or match.kind == best.kind):
                best = match
        if best is not None:
            matches.append(best)
            found = cone(scope, region, region.slots[root], _base(region, best.base))
            taken.update(place for place, slot in enumerate(region.slots) if found and slot in found.slots)
    return matches[::-1]


def _match(scope: Scope, region: Region, root: int, base: int) -> _Match | None:
    found = cone(scope, region, region.slots[root], _base(region, base))
    if found is None or _axes(scope, found) is None:
        return None
    names = {scope.ops[slot].kind.name for slot in found.slots}
    if not names & _REDUCING:
        return None
    if names & {"l2_norm"} and len(found.slots) == 1:
        return None
    probe = _Probe(scope, found, _base(region, base), region.slots[root], summing=bool(names & _SUMMING))
    stated = probe.recognise(_sizes(scope, found) if names & _SUMMING else {_SIZE: False})
    if stated is None:
        return None
    kind, values = stated
    axis = _axes(scope, found)
    means = any(scope.ops[slot].claim for slot in found.slots)  # a claim means the axis that it writes down
    if axis and (means or axis != (-1,)):
        values["axis"] = axis[0]
    return _Match(root, base, kind, tuple(sorted(values.items())))


def _axes(scope: Scope, found: Cone) -> tuple[int, ...] | None:
    """The axis that all reductions share, () where none says, None where they differ or it is no single token's."""
    axes: set[int] = set()
    for slot in found.slots:
        op = scope.ops[slot]
        if op.kind.name not in _REDUCING or not op.states("axis"):
            continue
        axis = op.attr("axis")
        if isinstance(axis, tuple) and len(axis) == 1:
            axis = axis[0]
        if not isinstance(axis, int) or axis == 0:
            return None
        axes.add(axis)
    return None if len(axes) > 1 else tuple(axes)


def _sizes(scope: Scope, found: Cone) -> dict[int, bool]:
    """Numbers of features to try where a sum stands for a mean: number -> whether anything told it.

    The one that a learned tensor tells; else those that a constant of the formula points at, and one for formulas that
    take the number from the tokens.
    """
    told = _told(scope, found)
    if told is not None:
        return {told: True}
    sizes: dict[int, bool] = {}
    for number in _constants(scope, found):
        for guess in (number, number * number, 1 / number if number else 0.0, 1 / number**2 if number else 0.0):
            size = round(guess) if 2 <= guess <= _LARGEST else 0
            if size and abs(guess - size) < 1e-6 * size:
                sizes[size] = True
    return {**dict(list(sizes.items())[:6]), _SIZE: sizes.get(_SIZE, False)}


def _told(scope: Scope, found: Cone) -> int | None:
    """The number of features that the learned tensors tell; None where they tell none."""
    for slot in sorted(_learned(scope, found)):
        op = scope.ops[slot]
        shape = op.attr("shape") if op.kind is PARAMETER else None
        if isinstance(shape, tuple) and len(shape) == 1 and isinstance(shape[0], int) and 1 < shape[0] <= _LARGEST:
            return shape[0]
    return None


def _constants(scope: Scope, found: Cone) -> Iterator[float]:
    for slot in [*found.slots, *_learned(scope, found)]:
        for attr in scope.ops[slot].attrs:
            if attr.name in ("by", "min", "eps", "value") and not isinstance(attr.value, bool):
                try:
                    yield constant(attr.value)
                except CannotEvaluate:
                    continue


class _Probe:
    """One group of ops, evaluated on random features with random learned tensors."""

    def __init__(self, scope: Scope, found: Cone, base: int, root: int, *, summing: bool) -> None:
        self.scope = scope
        self.found = found
        self.base = base
        self.root = root
        self.summing = summing  # an epsilon may stand at a sum, as the length is the root of one
        self.eps: dict[float, AttrValue] = {}
        for slot in [*found.slots, *_learned(scope, found)]:
            for attr in scope.ops[slot].attrs:
                if attr.name in ("by", "min", "eps", "value"):
                    try:
                        number = constant(attr.value)
                    except CannotEvaluate:
                        continue
                    if 0 < number < 0.1:
                        self.eps[number] = attr.value

    def recognise(self, sizes: Mapping[int, bool]) -> tuple[str, dict[str, AttrValue]] | None:
        """The kind and attributes of the norm that the ops compute, or None."""
        for size, told in sizes.items():
            found = self._at(size, told=told)
            if found is not None:
                return found
        return None

    def _at(self, size: int, *, told: bool) -> tuple[str, dict[str, AttrValue]] | None:
        draw = random.Random(size)
        try:
            fixed = self._draw_fixed(draw, size)
            scales = sorted({1.0, *self._scales(size)}, reverse=True)
            samples = [[scale * (draw.gauss(0.4, 1.0)) for _ in range(size)] for scale in scales]
            axes = set(_axes(self.scope, self.found) or (-1,))
            with with_sizes(lambda one: size if axes & set(one.axes) and self._is_base(one) else None):
                outputs = [run(self.scope, self.found, self.base, sample, fixed, self.root) for sample in samples]
        except (CannotEvaluate, KeyError):
            return None
        if not all(isinstance(output, list) and all(map(math.isfinite, output)) for output in outputs):
            return None
        given = [output for output in outputs if isinstance(output, list)]
        for kind, stated, normed in self._norms(samples, told=told):
            affine = self._affine(normed, given, fixed, size)
            if affine is not None:
                if kind == "rms_norm" and affine["bias"] is False:
                    del affine["bias"]  # the usual one has none
                return kind, {**stated, **affine}
        return None

    def _scales(self, size: int) -> Iterator[float]:
        """How large samples have to be for an epsilon to show: just below it, wherever it stands."""
        for eps in self.eps:
            for counted in (1, size) if self.summing else (1,):
                yield from (_BELOW * eps / math.sqrt(counted), _BELOW * math.sqrt(eps / counted))

    def _is_base(self, size: Size) -> bool:
        """Whether a size is that of the value that may be normalised, and of no other: not before a change of shape."""
        return size.of is not None and self.scope.giver(size.of) == self.base

    def _draw_fixed(self, draw: random.Random, size: int) -> dict[int, Number]:
        """Values of what is learned or constant: random, one for each feature, or one where the shape says so."""
        values: dict[int, Number] = {}
        for slot in sorted(_learned(self.scope, self.found)):
            op = self.scope.ops[slot]
            if op.kind is PARAMETER:
                single = op.attr("shape") in ((), (1,))
                values[slot] = draw.uniform(0.5, 1.5) if single else [draw.uniform(0.5, 1.5) for _ in range(size)]
            elif op.kind is CONSTANT:
                values[slot] = fixed_constant(op)
            elif op.kind.name in ("reshape", "expand", "permute"):
                if not op.reads:
                    raise CannotEvaluate("a layout of nothing that is known")
                values[slot] = values[self.scope.givers(slot)[0]]
                if isinstance(values[slot], list) and _is_apart(op) and _axes(self.scope, self.found) in ((), (-1,)):
                    raise CannotEvaluate("learned along another axis than that of the features")
            else:
                values[slot] = evaluate(op, [values[giver] for giver in self.scope.givers(slot)])
        return values

    def _norms(
        self, samples: list[list[float]], *, told: bool
    ) -> Iterator[tuple[str, dict[str, AttrValue], list[list[float]]]]:
        """The norms of the literature on the samples: kind, attributes, values."""
        size = len(samples[0])
        eps: list[tuple[float, AttrValue, tuple[str, ...]]] = [(*one, _PLACES) for one in self.eps.items()]
        if self.summing:
            for number, stated in self.eps.items():
                eps.append((number / math.sqrt(size), _per(stated, math.sqrt(size), told=told), ("outside", "bound")))
                eps.append((number / size, _per(stated, size, told=told), ("", "bound_inside")))
        for number, stated, places in (*eps, (0.0, 0.0, ("",))):
            for kind, correction in (("layer_norm", 0), ("layer_norm", 1), ("rms_norm", 0)):
                for place in places:
                    said: dict[str, AttrValue] = {"eps": stated}
                    if correction:
                        said["correction"] = correction
                    if place:
                        said["eps_place"] = place
                    yield kind, said, [_normed(sample, kind, correction, number, place) for sample in samples]

    def _affine(
        self, normed: list[list[float]], outputs: list[list[float]], fixed: dict[int, Number], size: int
    ) -> dict[str, AttrValue] | None:
        """What a scale and a shift must be for the norm to give the outputs, as attributes; None where none do."""
        beside = [slot for slot in self.found.fixed if self.scope.origins(slot) & self.scope.ON_PARAMETER]
        ones: list[float] = [1.0] * size
        factors: list[tuple[list[float], dict[str, AttrValue], int | None]] = [(ones, {}, None)]
        for slot in beside:
            row = _row(fixed[slot], size)
            offset = offset_of(self.scope, slot)
            factors.append((row, {"offset": offset} if offset != 0 else {}, slot))
            more = offset if isinstance(offset, Unknown) else 1 + offset if isinstance(offset, int | float) else 1
            factors.append(([1 + value for value in row], {"offset": more} if more != 0 else {}, slot))
        shifts: list[tuple[list[float] | None, int | None]] = [(None, None)]
        shifts += [(_row(fixed[slot], size), slot) for slot in beside]
        for factor, said, scaled in factors:
            for shift, shifted in shifts:
                if all(
                    close(output, _affine(row, factor, shift), _TOLERANCE)
                    for row, output in zip(normed, outputs, strict=True)
                ):
                    scale, bias = self._learned(scaled), self._learned(shifted)
                    return {
                        **said,
                        "elementwise_affine": scale if scale is True or bias is False else bias,
                        "bias": bias,
                        **self._width(beside, size),
                    }
        return None

    def _learned(self, slot: int | None) -> AttrValue:
        """Whether a scale or a shift is there; Unknown where that is not told, as its name then is not."""
        name = None if slot is None else self.scope.ops[slot].attr("name")
        return name if isinstance(name, Unknown) else slot is not None

    def _width(self, beside: Sequence[int], size: int) -> dict[str, AttrValue]:
        for slot in beside:
            for inner in [slot, *self.scope.givers(slot)]:
                shape = self.scope.ops[inner].attr("shape") if inner >= 0 else None
                if isinstance(shape, tuple) and len(shape) == 1 and isinstance(shape[0], int):
                    return {"dim": shape[0]}
        return {"dim": size} if size != _SIZE else {}


def _per(stated: AttrValue, by: float, *, told: bool) -> AttrValue:
    """An epsilon over a power of the number of features; Unknown where either is not known."""
    if isinstance(stated, Unknown):
        return Unknown(f"({stated.why}) over a power of the number of features", stated.span)
    if not told:
        return Unknown(f"{stated} over a power of the number of features, which the code does not tell")
    return stated / by if isinstance(stated, int | float) else stated


def _is_apart(op: Op) -> bool:
    """Whether a view of a learned vector puts an axis of one element last: it is then not one of the features."""
    shape = op.attr("shape")
    if op.kind.name == "reshape" and op.attr("form") == "unsqueeze":
        return op.attr("axis") == -1
    return op.kind.name == "reshape" and not op.states("form") and isinstance(shape, tuple) and shape[-1:] == (1,)


def _row(value: Number, size: int) -> list[float]:
    return value if isinstance(value, list) else [value] * size


def _affine(row: list[float], factor: list[float], shift: list[float] | None) -> list[float]:
    if shift is None:
        return [value * scale for value, scale in zip(row, factor, strict=True)]
    return [value * scale + move for value, scale, move in zip(row, factor, shift, strict=True)]


def _normed(sample: list[float], kind: str, correction: int, eps: float, place: str) -> list[float]:
    """`sample` under a norm without scale and shift.

    Cites: ba2016 and zhang2019 for the formulas; the places of epsilon are those met in code.
    """
    count = len(sample)
    mean = sum(sample) / count if kind == "layer_norm" else 0.0
    spread = sum((value - mean) ** 2 for value in sample) / (count - correction)
    if place == "outside":
        divisor = math.sqrt(spread) + eps
    elif place == "bound":
        divisor = max(math.sqrt(spread), eps)
    elif place == "bound_inside":
        divisor = math.sqrt(max(spread, eps))
    else:
        divisor = math.sqrt(spread + eps)
    return [(value - mean) / divisor for value in sample]
