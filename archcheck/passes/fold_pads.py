"""Brings what is added at borders to one form: a number of elements, stated by the window that slides over them."""

from __future__ import annotations

from dataclasses import replace

from archcheck.ir.graph import AttrValue, Op, Unknown, Value, attrs
from archcheck.passes.base import ScopePass
from archcheck.passes.kinds import CONV, CONVS, POOL, VIEWS, named
from archcheck.passes.scope import Scope

_WINDOWS = CONVS | {POOL}
_PAD = named("pad")
_NOT_NEGATIVE = named("relu", "relu6", "relu2", "sigmoid", "softmax", "abs", "exp", "hard_sigmoid", "softplus")
_KEEPING = VIEWS | {POOL} | named("dropout")
_STEPS = 8
_NOTHING = (0, "valid")
Sides = tuple[int, int]


class FoldPads(ScopePass):
    """State what a window adds in elements, and fold what is added before it into it.

    before                                                after
      %x = input                                            input
      pad by=0 amount=((1, 1), (1, 1)) mode='constant'      conv %0 kernel=3 padding=1 stride=2:
      conv kernel=3 padding='valid' stride=2                  pad ...
      conv kernel=3 padding='same' stride=1                   conv ...
                                                            conv kernel=3 padding=1 stride=1

    'same' is a number where that does not depend on the size of what is read: where the window steps by one, over an
    odd count of elements, or sees one. Elsewhere it adds more on one side for some sizes, and stays. A maximum may also
    be given zeros where nothing that it reads is below zero, since each of its windows sees an element of the map.

    How much is added may follow from the size of what is read; then it is not known, and added by the window all the
    same.

    Left alone: other values than zero, other modes than constant ones, and an amount of which it cannot be told to
    which axes it belongs.
    """

    name = "fold_pads"

    def rewrite(self, scope: Scope, holder: Op | None) -> None:
        """Fold before each window, then spell what it adds."""
        for slot in scope.of_kinds(_WINDOWS):
            if scope.has(_PAD):
                _fold(scope, slot)
            op = scope.ops[slot]
            added = _spelled(op)
            if added is not None:
                told = {attr.name: attr.value for attr in op.attrs}
                scope.replace(slot, replace(op, attrs=attrs(**{**told, "padding": added})))


def _each(value: AttrValue, axes: int) -> tuple[int, ...] | None:
    """A number for each axis; None where they are not known."""
    found = value if isinstance(value, tuple) else (value,) * axes
    plain = [one for one in found if isinstance(one, int) and not isinstance(one, bool)]
    return tuple(plain) if len(plain) == len(found) == axes else None


def _one(sides: tuple[Sides, ...]) -> AttrValue:
    """Amounts on both sides of each axis in their shortest form."""
    short: tuple[AttrValue, ...] = tuple(before if before == after else (before, after) for before, after in sides)
    return short[0] if all(one == short[0] for one in short) and isinstance(short[0], int) else short


def _spelled(op: Op) -> AttrValue:
    """What a window that states a word for it adds, in elements; None where it states none, or the word stays."""
    padding, axes = op.attr("padding"), op.attr("axes")
    if padding not in ("same", "valid") or not isinstance(axes, int) or not op.reads:
        return None
    kernel = _each(op.attr("kernel"), axes)
    stride = _each(op.attr("stride", 1), axes)
    dilation = _each(op.attr("dilation", 1), axes)
    if op.kind in (CONV, POOL) and padding == "valid":
        return 0
    if kernel is None or stride is None or dilation is None:
        return None
    wide = [(size - 1) * step + 1 for size, step in zip(kernel, dilation, strict=True)]
    if op.kind not in (CONV, POOL):
        # what is given is as long as the steps where the window is no longer than one of them
        rest = [size - step for size, step in zip(wide, stride, strict=True)]
        if padding == "valid":
            return 0 if min(rest) >= 0 else None
        return (
            _one(tuple((one // 2, one // 2) for one in rest)) if all(one >= 0 and not one % 2 for one in rest) else None
        )
    if op.kind is POOL and op.attr("mode") != "max":
        return None  # whether a mean counts what was added differs
    if all(size == 1 or (step == 1 and size % 2) for size, step in zip(wide, stride, strict=True)):
        return _one(tuple((size // 2, size // 2) for size in wide))
    return None


def _fold(scope: Scope, slot: int) -> None:
    op = scope.ops[slot]
    pad = scope.giver(op.reads[0]) if op.reads else -1
    if (
        pad < 0
        or scope.ops[pad].kind not in _PAD
        or scope.only_reader(pad) != slot
        or op.attr("padding") not in _NOTHING
    ):
        return
    axes, added = op.attr("axes"), scope.ops[pad]
    if op.kind not in (CONV, POOL) or not isinstance(axes, int) or not _adds_nothing(scope, op, added):
        return
    if op.attr("padding_mode", "zeros") != "zeros":
        return
    sides = _sides(added.attr("amount"), axes, op.attr("channels_last"))
    if sides is not None:
        if op.kind is POOL and not _is_seen(op, axes, sides):
            return
        padding = _one(sides)
    elif op.kind is CONV and _is_open(added.attr("amount")):  # sizes decide how much, as with 'same'
        padding = Unknown("how much is added before it follows from the size of what it reads", added.span)
    else:
        return
    told = {attr.name: attr.value for attr in op.attrs}
    first = added.reads[:1]
    scope.fold({pad, slot}, op.kind, attrs(**{**told, "padding": padding}), value=Value(op.path), first=first)


def _is_open(amount: AttrValue) -> bool:
    return any(map(_is_open, amount)) if isinstance(amount, tuple) else isinstance(amount, Unknown)


def _adds_nothing(scope: Scope, window: Op, pad: Op) -> bool:
    """Whether what a pad adds is what the window adds itself: zeros, or for a maximum what is never the greatest."""
    by = pad.attr("by")
    mode = pad.attr("mode", "constant")
    if str(mode).lower() != "constant" or len(pad.reads) != 1:
        return False
    zeros = by is None or (isinstance(by, int | float) and by == 0)
    if window.kind is CONV:
        return zeros
    if window.attr("mode") != "max":
        return False
    return by == float("-inf") or (zeros and _is_not_negative(scope, pad.reads[0]))


def _is_not_negative(scope: Scope, value: Value) -> bool:
    for _ in range(_STEPS):
        op = scope.maker(value)
        if op is None or value.index:
            return False
        if op.kind in _NOT_NEGATIVE:
            return True
        if op.kind not in _KEEPING or not op.reads:
            return False
        value = op.reads[0]
    return False


def _sides(amount: AttrValue, axes: int, last: AttrValue) -> tuple[Sides, ...] | None:
    """What is added on both sides of each axis of space; None where it is not known, or other axes get some too.

    A pair for each axis, as TensorFlow has it; a pair or a number for each axis of space, as layers of Keras do; a flat
    list from the last axis on, as torch has it, whose convolutions do not say where their features are.
    """
    if isinstance(amount, int) and not isinstance(amount, bool):
        return ((amount, amount),) * axes
    if not isinstance(amount, tuple):
        return None
    pairs = [_each(one, 2) for one in amount]
    if any(one is None for one in pairs):
        return None
    known = [(one[0], one[1]) for one in pairs if one is not None]
    if not any(isinstance(one, tuple) for one in amount):
        flat = [one for one in amount if isinstance(one, int)]
        if not isinstance(last, bool) or (axes == 1 and len(flat) == 2):
            told = list(zip(flat[::2], flat[1::2], strict=False))[::-1]
            return tuple(told) if len(flat) == 2 * axes else None
        return tuple(known) if len(flat) == axes else None
    if len(known) == axes:
        return tuple(known)
    space = known[1:-1] if last is True else known[2:]
    rest = [one for one in (known[0], known[-1 if last is True else 1]) if one != (0, 0)]
    return tuple(space) if len(known) == axes + 2 and not rest else None


def _is_seen(pool: Op, axes: int, sides: tuple[Sides, ...]) -> bool:
    """Whether each window sees an element of the map, and not only what was added."""
    kernel = _each(pool.attr("kernel"), axes)
    return kernel is not None and all(max(pair) < size for pair, size in zip(sides, kernel, strict=True))
