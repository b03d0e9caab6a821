"""Raises convolutions with a kernel of one element over tokens to the linear maps that they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from archcheck.ir.graph import AttrValue, Op, attrs
from archcheck.passes.base import ScopePass
from archcheck.passes.kinds import ACTIVATIONS, ADD, ATTENTIONS, LINEAR, VIEWS, named
from archcheck.passes.scope import RESULT, Scope

_CONV = named("conv")
_PRODUCTS = named("matmul", "einsum")
# Each gives for a position what it computes from that position alone.
_PER_TOKEN = (
    VIEWS
    | ACTIVATIONS
    | named("linear", "dropout", "scale", "layer_norm", "rms_norm", "affine", "l2_norm", "split", "select", "glu")
    | named("mul", "div")
)
# From a projection to the scores, and from the weighed values to the output projection.
_TO_ATTENTION = VIEWS | named("split", "select", "dropout", "scale", "mul", "div", "rearrange")
# What images and signals are worked on with: where one of these touches, a kernel of one element is one of several.
_SPATIAL = named(
    "conv",
    "conv_transpose",
    "pool",
    "unpool",
    "batch_norm",
    "group_norm",
    "instance_norm",
    "local_response_norm",
    "interpolate",
    "pixel_shuffle",
    "channel_shuffle",
    "unfold",
    "fold",
    "grid_sample",
)
_STEPS = 64  # ops between a projection and the scores; more say no more
_NO_PADDING = frozenset({"valid", "same", "causal"})  # the latter two add nothing around one element


class RaisePointwise(ScopePass):
    """Raise a 1x1 convolution over tokens to `linear`; the convolution is kept in its body.

    before                                                  after
      %x = input                                              input
      reshape form="unsqueeze" axis=2                         reshape form="unsqueeze" axis=2
      conv kernel=(1,1,) axes=2 out_features=2048             linear out_features=2048:
      reshape form="squeeze" axis=2                             conv kernel=(1,1,) axes=2 out_features=2048
                                                              reshape form="squeeze" axis=2

    A kernel of one element, in one group, at every position, is a linear map over channels wherever it stands; papers
    call it so where the positions are tokens. That is decided by what the convolution is connected with through ops
    that act on each position alone:

    - it leads to or comes from a product of two computed tensors (the scores of an attention): tokens, whatever else;
    - else a wide or grouped convolution, pooling, resampling or statistics over positions touch: a convolutional
      network, whose 1x1 convolutions stay what its paper calls them;
    - else tokens are told by one spatial axis only, by an axis put in just before, by a linear map or an embedding next
      to it, or by an attention on the same residual stream. Without any of these it stays a convolution.
    """

    name = "raise_pointwise"

    def rewrite(self, scope: Scope, holder: Op | None) -> None:
        """Fold the 1x1 convolutions whose positions are tokens."""
        found = [slot for slot in scope.of_kinds(_CONV) if is_pointwise(scope.ops[slot])]
        if not found:
            return
        touching = _Touching(scope)
        for slot in [slot for slot in found if touching.tokens(slot)]:
            op = scope.ops[slot]
            stated: dict[str, AttrValue] = {
                attr.name: attr.value for attr in op.attrs if attr.name in ("in_features", "out_features", "bias")
            }
            scope.fold({slot}, LINEAR, attrs(**stated), first=op.reads[:1])


def is_pointwise(op: Op) -> bool:
    """Whether `op` is a convolution that maps the channels of each position alone: kernel and stride 1, one group.

    The step between taps does not matter where there is one tap.
    """
    return (
        op.kind in _CONV
        and bool(op.reads)
        and _all(op.attr("kernel"), 1)
        and _all(op.attr("stride", 1), 1)
        and op.attr("groups", 1) == 1
        and (op.attr("padding", 0) in _NO_PADDING or _all(op.attr("padding", 0), 0))
    )


def _all(value: AttrValue, number: int) -> bool:
    if isinstance(value, tuple):
        return bool(value) and all(_all(item, number) for item in value)
    return isinstance(value, int) and not isinstance(value, bool) and value == number


class _Touching:
    """Ops joined through those that act on each position alone, and what they touch."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.near = _Sets(len(scope.ops))  # through ops on each position alone
        self.stream = _Sets(len(scope.ops))  # and through sums
        for slot in scope.slots():
            op = scope.ops[slot]
            inner = self._per_token(op)
            if not inner and op.kind is not ADD:
                continue
            for giver in scope.givers(slot):
                if giver < 0:
                    continue
                if inner and self._per_token(scope.ops[giver]):
                    self.near.join(slot, giver)
                if op.kind is ADD or inner:
                    self.stream.join(slot, giver)
        self.spatial: set[int] = set()
        self.told: set[int] = set()
        self.attended: set[int] = set()
        self._survey()

    @staticmethod
    def _per_token(op: Op) -> bool:
        return op.kind in _PER_TOKEN or is_pointwise(op)

    def _survey(self) -> None:
        scope = self.scope
        for slot in scope.slots():
            op = scope.ops[slot]
            if self._is_product(slot):
                self.attended.update(self.stream.of(giver) for giver in scope.givers(slot) if giver >= 0)
                self.attended.add(self.stream.of(slot))
            if op.kind in _SPATIAL and not is_pointwise(op):
                self.spatial.update(self.near.of(other) for other in self._neighbours(slot))
            elif op.kind is LINEAR or op.kind.family == "embedding":
                self.told.update(self.near.of(other) for other in (slot, *self._neighbours(slot)))
            elif is_pointwise(op) and self._is_sequence(slot):
                self.told.add(self.near.of(slot))

    def _neighbours(self, slot: int) -> Iterator[int]:
        for other in (*self.scope.givers(slot), *self.scope.readers(slot)):
            if other >= 0:
                yield other

    def _is_product(self, slot: int) -> bool:
        op = self.scope.ops[slot]
        if op.kind in ATTENTIONS:
            return True
        computed = [value for value in op.reads if self.scope.origins_of(value) & Scope.ON_INPUT]
        return op.kind in _PRODUCTS and len(computed) > 1

    def _is_sequence(self, slot: int) -> bool:
        """Whether a convolution has one spatial axis, or a second one that was put in just before."""
        op = self.scope.ops[slot]
        if op.attr("axes") == 1:
            return True
        giver = self.scope.maker(op.reads[0])
        return giver is not None and giver.kind.name == "reshape" and giver.attr("form") == "unsqueeze"

    def tokens(self, slot: int) -> bool:
        """Whether the positions over which the 1x1 convolution in `slot` goes are tokens."""
        if self._leads_to_product(slot, self.scope.readers) or self._leads_to_product(slot, self.scope.givers):
            return True
        near = self.near.of(slot)
        if near in self.spatial:
            return False
        return near in self.told or self.stream.of(slot) in self.attended

    def _leads_to_product(self, start: int, following: Callable[[int], Iterable[int]]) -> bool:
        seen: set[int] = set()
        stack = list(following(start))
        while stack and len(seen) < _STEPS:
            slot = stack.pop()
            if slot < 0 or slot == RESULT or slot in seen:
                continue
            seen.add(slot)
            if self._is_product(slot):
                return True
            if self.scope.ops[slot].kind in _TO_ATTENTION:
                stack.extend(following(slot))
        return False


class _Sets:
    """Disjoint sets of slots, joined in nearly constant time."""

    def __init__(self, count: int) -> None:
        self._above = list(range(count))

    def of(self, slot: int) -> int:
        above = self._above
        while above[slot] != slot:
            above[slot] = above[above[slot]]
            slot = above[slot]
        return slot

    def join(self, one: int, other: int) -> None:
        self._above[self.of(one)] = self.of(other)
