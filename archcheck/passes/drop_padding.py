"""Takes the removal of padding, and its being put back, out of the way where it does not matter."""

from __future__ import annotations

from archcheck.ir.graph import Op, Value
from archcheck.ir.ops import BY_NAME
from archcheck.passes.base import ScopePass
from archcheck.passes.kinds import ACTIVATIONS, LINEAR, SOURCES, VIEWS, named
from archcheck.passes.raise_pointwise import is_pointwise
from archcheck.passes.scope import Scope

_IDENTITY = BY_NAME["identity"]
_GATHER = named("gather")
_PUT = named("scatter", "update")
_PER_TOKEN = ACTIVATIONS | named(
    "linear",
    "dropout",
    "scale",
    "layer_norm",
    "rms_norm",
    "affine",
    "glu",
    "mul",
    "add",
    "sub",
    "div",
    "neg",
    "identity",
)
# Tokens chosen by their content are an expert's, not those that are no padding.
_CHOICE = named(
    "topk", "argmax", "argmin", "sort", "one_hot", "softmax", "sigmoid", "gumbel_softmax", "routing", "random"
)
_STEPS = 64  # ops between removal and return, or behind an index; more are not looked at


class DropPadding(ScopePass):
    """Fold what removes padding, and what puts it back, into identities, where tokens are mapped one by one between.

    before                                  after
      %x = input                              input
      %m = input                              input
      %i = nonzero %m                         identity %0, %1:
      %t = gather %x, %i                        nonzero %1
      linear %t                                 gather %0, %3
      %r = relu                                 give %4, %3
      scatter %i, %r                          linear
                                              relu
                                              identity %6, %2.1:
                                                scatter %2.1, %6

    What computes the index for these two alone goes along with the removal.

    A map of each token gives for those that are no padding the same in either form; what it gives for padding, nothing
    reads. That holds only where each op between acts on each token alone (linear maps, activations, dropout, norms over
    features, sums and products of such) and reads no other tokens, where nothing else reads what has no padding, and
    where the index says which entries of a mask are set (`nonzero`). An index that comes from a choice (top-k, argmax,
    a softmax) or a learned map of the tokens hands them to experts and is left.
    """

    name = "drop_padding"

    def rewrite(self, scope: Scope, holder: Op | None) -> None:
        """Fold each pair of a removal and a return."""
        for slot in scope.of_kinds(_PUT):
            _fold(scope, slot)


def _fold(scope: Scope, put: int) -> None:
    for value in scope.ops[put].reads:
        removed = _removal(scope, put, value)
        if removed is None:
            continue
        beside = [other for other in scope.ops[put].reads if other != value and _bare(scope, other) != removed[1]]
        if any(scope.origins_of(other) & ~Scope.ON_PARAMETER for other in beside) or not _is_mask(scope, removed[1]):
            continue
        gather = removed[0]
        first = scope.ops[gather].reads[:1]
        scope.fold({gather, *_own(scope, gather, put)}, _IDENTITY, value=Value(scope.ops[gather].path), first=first)
        scope.fold({put}, _IDENTITY, first=(value,))
        return


def _removal(scope: Scope, put: int, value: Value) -> tuple[int, int] | None:
    """The gather that leads to `value` through ops on each token alone, and the slot of their common index."""
    indices = {_bare(scope, other) for other in scope.ops[put].reads if other != value}
    between: set[int] = set()
    gathers: set[int] = set()
    stack = [scope.giver(value)]
    while stack:
        slot = stack.pop()
        if slot in between or slot in gathers:
            continue
        if slot < 0 or len(between) > _STEPS:
            return None
        op = scope.ops[slot]
        if op.kind in _GATHER and len(op.reads) == 2 and op.attr("axis", 0) in (0, 1, (0,)):
            gathers.add(slot)
            continue
        if not _is_per_token(op):
            return None
        between.add(slot)
        stack += [scope.giver(other) for other in op.reads if scope.origins_of(other) & ~Scope.ON_PARAMETER]
    if len(gathers) != 1:
        return None
    (gather,) = gathers
    index = _bare(scope, scope.ops[gather].reads[1])
    inside = between | {gather, put}
    if index not in indices or any(
        reader not in inside for slot in (*between, gather) for reader in scope.readers(slot)
    ):
        return None
    return gather, index


def _own(scope: Scope, gather: int, put: int) -> set[int]:
    """The ops that compute the index of a removal and of nothing else."""
    found: set[int] = set()
    stack = [scope.giver(scope.ops[gather].reads[1])]
    while stack and len(found) < _STEPS:
        slot = stack.pop()
        if slot >= 0 and slot not in found and scope.ops[slot].kind not in SOURCES:
            found.add(slot)
            stack.extend(scope.givers(slot))
    own = {gather, put}
    for slot in sorted(found, reverse=True):
        if all(reader in own for reader in scope.readers(slot)):
            own.add(slot)
    return own - {gather, put}


def _is_per_token(op: Op) -> bool:
    """Whether an op computes for each token from that token alone."""
    if op.kind.name == "reshape":
        return op.attr("form") in ("squeeze", "unsqueeze")
    return op.kind in _PER_TOKEN or is_pointwise(op)


def _bare(scope: Scope, value: Value) -> int:
    """The giver of a value, views of it left out."""
    slot = scope.source(value)
    while slot >= 0 and scope.ops[slot].kind in VIEWS and scope.ops[slot].reads:
        slot = scope.source(scope.ops[slot].reads[0])
    return slot


def _is_mask(scope: Scope, index: int) -> bool:
    """Whether an index names the entries that are set in a mask, which no choice and no map of tokens made."""
    seen: set[int] = set()
    stack = [index]
    set_entries = False
    while stack and len(seen) < _STEPS:
        slot = stack.pop()
        if slot < 0 or slot in seen:
            continue
        seen.add(slot)
        op = scope.ops[slot]
        if op.kind in _CHOICE or op.kind is LINEAR:
            return False
        set_entries = set_entries or op.kind.name == "nonzero"
        if op.kind.family != "embedding":
            stack.extend(scope.givers(slot))
    return set_entries and not stack
