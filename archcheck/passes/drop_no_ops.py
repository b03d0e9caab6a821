"""Takes out what computes nothing: identities, factors of 1, terms of 0, sums of lists, second takings of a part of an
input, and what nobody reads."""

from __future__ import annotations

from dataclasses import replace

from archcheck.ir.graph import AttrValue, Op, Unknown, Value, attrs
from archcheck.ir.ops import BY_NAME
from archcheck.passes.base import ScopePass
from archcheck.passes.kinds import ADD, CONSTANT, INPUT, OPAQUE, named
from archcheck.passes.scope import Paths, Scope

_NEUTRAL: dict[str, tuple[str, float]] = {  # kind -> (attribute, value with which the op changes nothing)
    "add": ("by", 0),
    "sub": ("by", 0),
    "mul": ("by", 1),
    "scale": ("by", 1),
    "div": ("by", 1),
    "pow": ("exponent", 1),
}
_IDENTITY = named("identity")
_FACTORS = named("mul", "scale", "div")
_SUM = named("sum")
_STACK = named("stack")
_CONCAT = named("concat")
_EXPAND = named("expand")
_SELECT = named("select")
_RELU = named("relu")
_WHOLE = ("slice", None, None, None)
_CHANGED = _CONCAT | _IDENTITY | _RELU | named(*_NEUTRAL)
_KEPT = frozenset({INPUT, OPAQUE})  # an argument is part of what a block is; an opaque op may act on what it reads


class DropNoOps(ScopePass):
    """Drop ops whose value is that of their operand, and ops that nothing reads.

    before                              after
      %x = input                          input
      identity %x                         linear
      scale by=1                          add %0, %1
      %f = linear
      add %x, %f

    A factor of 1.0 on a branch is a factor that the code has and whose setting leaves it out; with `keep_factors` it
    stays, for whoever describes the code and compares it with nothing.
    """

    name = "drop_no_ops"

    def __init__(self, *, keep_factors: bool = False) -> None:
        self.keep_factors = keep_factors

    def prepare(self, ops: tuple[Op, ...], paths: Paths) -> tuple[Op, ...]:
        """Spell sums of several values as adds of two, and an index that only adds axes as a reshape."""
        if any(op.kind in _SELECT for op in ops):
            ops = tuple(_unsqueezed(op) for op in ops)
        if not any(op.kind in _SUM or (op.kind is ADD and len(op.reads) > 2) for op in ops):
            return ops
        by_path = {op.path: op for op in ops}
        spelled: list[Op] = []
        for op in ops:
            terms = _terms(op, by_path) if op.kind in _SUM else op.reads if op.kind is ADD else ()
            terms = terms if len(terms) > 2 or op.kind in _SUM else ()
            for number, right in enumerate(terms[1:], start=1):
                left = terms[0] if number == 1 else Value(spelled[-1].path)
                path = op.path if number == len(terms) - 1 else paths.fresh(op.path, ADD)
                spelled.append(Op(path, ADD, (left, right), claim=op.claim, span=op.span, because=op.because))
            if not terms:
                spelled.append(op)
        return tuple(spelled)

    def rewrite(self, scope: Scope, holder: Op | None) -> None:
        """Forward the operands of no-ops, spell sums of stacks as adds, then drop what is dead."""
        for slot in scope.of_kinds(_CHANGED):
            op = scope.ops[slot]
            if op.kind in _CONCAT and 0 < len(full := _full(scope, op.reads)) < len(op.reads):
                if len(full) == 1:
                    scope.drop(slot, full[0])
                else:
                    scope.replace(slot, replace(op, reads=full))
                continue
            if op.kind in _RELU and (giver := scope.giver(op.reads[0])) >= 0 and scope.ops[giver].kind in _RELU:
                scope.drop(slot, op.reads[0])  # of what is cut at zero nothing is left to cut
                continue
            if not _changes_nothing(op):
                continue
            if self.keep_factors and is_kept_factor(scope, slot):
                # its value is left open, so that no formula beside it is recognised to hold it
                scope.replace(slot, replace(op, attrs=attrs(by=Unknown("it is 1.0 unless a setting says otherwise"))))
                continue
            scope.drop(slot, op.reads[0])
        _merge_parts(scope)
        drop_dead(scope)


def _merge_parts(scope: Scope) -> None:
    """An input may be several tensors: a part that code takes in two places is one all the same."""
    first: dict[tuple[Value, AttrValue], Value] = {}
    for slot in list(scope.of_kinds(_SELECT)):
        op = scope.ops[slot]
        index = op.attr("index")
        giver = scope.giver(op.reads[0]) if len(op.reads) == 1 else -1
        if giver < 0 or scope.ops[giver].kind is not INPUT or type(index) is not int or len(op.attrs) != 1:
            continue
        same = first.setdefault((op.reads[0], index), Value(op.path))
        if same.op != op.path:
            scope.drop(slot, same)


def _full(scope: Scope, parts: tuple[Value, ...]) -> tuple[Value, ...]:
    """The parts of a concatenation without those that hold no element: memory that nothing was put into."""
    return tuple(part for part in parts if not _is_empty(scope, part))


def _is_empty(scope: Scope, value: Value) -> bool:
    slot = scope.giver(value)
    while slot >= 0 and scope.ops[slot].kind in _EXPAND and len(scope.ops[slot].reads) == 1:
        slot = scope.giver(scope.ops[slot].reads[0])
    if slot < 0 or scope.ops[slot].kind is not CONSTANT:
        return False
    shape = scope.ops[slot].attr("shape")
    return isinstance(shape, tuple) and any(_is(size, 0) for size in shape)


def is_kept_factor(scope: Scope, slot: int) -> bool:
    """Whether an op multiplies what is then added to something by 1.0."""
    op = scope.ops[slot]
    reader = scope.only_reader(slot)
    if op.kind not in _FACTORS or not isinstance(op.attr("by"), float) or reader is None:
        return False
    added = scope.ops[reader]
    same_place = op.path.rpartition("/")[0] == added.path.rpartition("/")[0]  # not a part's own, deep in a branch
    return added.kind is ADD and len(added.reads) == 2 and same_place


def drop_dead(scope: Scope) -> None:
    """Drop the ops of `scope` that nothing reads, last first, but for inputs and opaque ops."""
    for slot in reversed(list(scope.slots())):
        if scope.ops[slot].kind not in _KEPT and not scope.readers(slot):
            scope.discard(slot)


def _changes_nothing(op: Op) -> bool:
    if len(op.reads) != 1 or op.body:
        return False
    if op.kind in _IDENTITY:
        return True
    neutral = _NEUTRAL.get(op.kind.name)
    return neutral is not None and op.attr("reverse") is not True and _is(op.attr(neutral[0]), neutral[1])


def _unsqueezed(op: Op) -> Op:
    """`x[:, None]`, which takes all of a tensor, as the reshape that it is."""
    index = op.attr("index") if op.kind in _SELECT and len(op.reads) == 1 and len(op.attrs) == 1 else None
    if not isinstance(index, tuple) or index.count(None) != 1 or not all(one in (None, "...", _WHOLE) for one in index):
        return op
    at = index.index(None)
    axis = at - len(index) if "..." in index[:at] else at
    return replace(op, kind=BY_NAME["reshape"], attrs=attrs(axis=axis, form="unsqueeze"))


def _is(value: AttrValue, number: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == number


def _terms(total: Op, by_path: dict[str, Op]) -> tuple[Value, ...]:
    """The values a, b, c of `stack([a, b, c]).sum(axis of the stack)`, or ()."""
    stack = by_path.get(total.reads[0].op) if len(total.reads) == 1 else None
    if stack is None or stack.kind not in _STACK or len(stack.reads) < 2:
        return ()
    axis = total.attr("axis")
    if isinstance(axis, tuple) and len(axis) == 1:
        axis = axis[0]
    if not isinstance(axis, int) or axis != stack.attr("axis", 0):
        return ()
    return stack.reads
