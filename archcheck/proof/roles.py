"""The parts of a body that is said to be an attention: its softmax, its two products, what meets the scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from archcheck.ir.graph import Op, Value
from archcheck.proof.evaluate import undefined
from archcheck.proof.subject import Subject
from archcheck.proof.world import CannotEvaluate

if TYPE_CHECKING:
    from archcheck.proof.world import Array

_PRODUCTS = frozenset({"matmul", "einsum", "matmul_add"})
_SUMS = frozenset({"add", "sub"})
_FACTORS = frozenset({"mul", "scale", "div"})
_ALIAS = 1000  # of a value that plays two parts: each part gets a tensor of its own, which shows more

Beside = tuple[str, float, Value]  # role, sign (0: the mask marks what is seen), value


@dataclass(slots=True)
class Roles:
    """Who is who in the body of an attention.

    Args:
        subject: the body, values that play two parts told apart.
        query, key, value: what it reads.
        scores: what its softmax reads.
        before: the ops up to and with the softmax, of those that depend on query, key or value.
        after: those behind it.
        beside: what meets the scores or weights and depends on none of the three. It is drawn as it is met: whatever
            it is computed from, what holds for all such tensors holds for it.
        constants: plain numbers among those.
    """

    subject: Subject
    query: Value
    key: Value
    value: Value
    scores: Value
    before: tuple[Op, ...]
    after: tuple[Op, ...]
    beside: list[Beside] = field(default_factory=list)
    constants: dict[Value, Array] = field(default_factory=dict)

    @property
    def main(self) -> tuple[Op, ...]:
        """All ops that depend on query, key or value."""
        return (*self.before, *self.after)

    def recorded(self, value: Value) -> tuple[int, ...] | None:
        """The sizes of a value that is read, where a trace recorded them."""
        return self.subject.shapes.get(_plain(value))

    def drawer(self, number: int) -> Callable[[Op, Value, Sequence[tuple[int, ...]]], Array]:
        """What makes the tensors beside the scores, for the draw `number`."""
        import numpy as np

        roles = {value: role for role, _, value in self.beside}

        def draw(op: Op, value: Value, shapes: Sequence[tuple[int, ...]]) -> Array:
            role = roles.get(value)
            if role is None or not shapes:
                raise CannotEvaluate(f"{op.kind.name} reads something whose part in the formula is not known")
            rng = np.random.default_rng([number, list(roles).index(value)])
            shape = list(shapes[0])
            if op.kind.name == "matmul_add":  # what is added has the sizes of the product
                shape = [*np.broadcast_shapes(shapes[0][:-2], shapes[1][:-2]), shapes[0][-2], shapes[1][-1]]
            if role == "hidden":
                marks = sum(
                    (1 + (axis + number) % 2) * index for axis, index in enumerate(np.indices(shape))
                ) + np.full(shape, number)
                return np.asarray(marks % 3 == 0)
            if role == "sink":
                shape[-1] = 1
            drawn = rng.normal(0.0, 1.0, shape)
            return np.asarray(np.exp(0.3 * drawn) if role in ("factor", "weighed") else drawn)

        return draw


def roles_of(subject: Subject) -> Roles:
    """The parts of the body of an attention.

    Raises:
        CannotEvaluate: it has no softmax between two products, or parts that cannot be told apart.
    """
    softmax = [op for op in subject.ops if op.kind.name == "softmax"]
    if len(softmax) != 1:
        raise CannotEvaluate("it has no softmax" if not softmax else "it has more than one softmax")
    if why := undefined([op for op in subject.computing if op.kind.name != "constant"]):
        raise CannotEvaluate(why)
    behind = subject.depending_on([Value(softmax[0].path)])
    product = _scores_product(subject, softmax[0])
    weighing = next(
        (op for op in subject.ops if op.path in behind and op.kind.name in _PRODUCTS and len(op.reads) == 2), None
    )
    if product is None or weighing is None:
        raise CannotEvaluate("its softmax does not stand between two products")
    first, second = product.reads[-2:]
    weighed = next((value for value in weighing.reads if value.op not in behind | {softmax[0].path}), None)
    if weighed is None:
        raise CannotEvaluate("the weights are multiplied with themselves")
    subject, leaves = _apart(subject, [(product, first), (product, second), (weighing, weighed)])
    one, other, value = leaves
    query, key = (other, one) if subject.reads and _plain(other) == subject.reads[0] != _plain(one) else (one, other)
    return _roles(subject, query, key, value, softmax[0])


def _plain(value: Value) -> Value:
    return Value(value.op, value.index % _ALIAS)


def _scores_product(subject: Subject, softmax: Op) -> Op | None:
    """The last product on the way to the softmax both of whose factors are read or computed."""
    by_path = {op.path: op for op in subject.ops}
    stack = list(softmax.reads)
    found: dict[str, Op] = {}
    while stack:
        op = by_path.get(stack.pop().op)
        if op is None:
            continue
        if op.kind.name in _PRODUCTS and len(op.reads) >= 2:
            found[op.path] = op
            continue
        stack.extend(op.reads)
    if len(found) > 1:
        raise CannotEvaluate("the scores are a sum of several products")
    return next(iter(found.values()), None)


def _apart(subject: Subject, parts: Sequence[tuple[Op, Value]]) -> tuple[Subject, list[Value]]:
    """The outer value behind each operand, with another name for one that stands behind several.

    Raises:
        CannotEvaluate: behind an operand stand several values, or none.
    """
    ops = {op.path: op for op in subject.ops}
    leaves: list[Value] = []
    for number, (product, operand) in enumerate(parts):
        paths: dict[str, None] = {}
        outer: dict[Value, None] = {}
        stack = [operand]
        while stack:
            value = stack.pop()
            op = ops.get(value.op)
            if op is None:
                outer[value] = None
            elif op.kind.name not in ("constant", "parameter"):
                paths[op.path] = None
                stack.extend(op.reads)
        if len(outer) != 1:
            raise CannotEvaluate("queries, keys or values are computed from several tensors within the formula")
        leaf = next(iter(outer))
        if leaf in [_plain(one) for one in leaves]:
            alias = Value(leaf.op, leaf.index + _ALIAS * (number + 1))
            for path in paths:
                if any(path in taken for taken in _paths_before(ops, parts[:number])):
                    raise CannotEvaluate("queries, keys or values are one tensor, computed once")
                ops[path] = replace(ops[path], reads=tuple(alias if one == leaf else one for one in ops[path].reads))
            if operand == leaf:
                at = len(product.reads) - 1 - product.reads[::-1].index(leaf)
                now = ops[product.path]
                ops[product.path] = replace(now, reads=(*now.reads[:at], alias, *now.reads[at + 1 :]))
            leaf = alias
        leaves.append(leaf)
    return replace(subject, ops=tuple(ops[op.path] for op in subject.ops)), leaves


def _paths_before(ops: dict[str, Op], parts: Sequence[tuple[Op, Value]]) -> list[set[str]]:
    found = []
    for _, operand in parts:
        paths: set[str] = set()
        stack = [operand]
        while stack:
            op = ops.get(stack.pop().op)
            if op is not None:
                paths.add(op.path)
                stack.extend(op.reads)
        found.append(paths)
    return found


def _roles(subject: Subject, query: Value, key: Value, value: Value, softmax: Op) -> Roles:
    import numpy as np

    main = subject.depending_on((query, key, value))
    behind = subject.depending_on([Value(softmax.path)])
    up = _upstream(subject, softmax)
    before = tuple(op for op in subject.ops if op.path in main and op.path in up)
    after = tuple(op for op in subject.ops if op.path in main and op.path not in up)
    by_path = {op.path: op for op in subject.ops}
    softmax = by_path[softmax.path]
    found = Roles(subject, query, key, value, softmax.reads[0], before, after)
    seen: set[Value] = set()
    for op in (*before, *after):
        for at, one in enumerate(op.reads):
            if one in (query, key, value) or one.op in main or one in seen:
                continue
            seen.add(one)
            giver = by_path.get(one.op)
            number = giver.attr("value") if giver is not None and giver.kind.name == "constant" else None
            if isinstance(number, (int, float)) and not isinstance(number, bool):
                found.constants[one] = np.asarray(float(number))
                continue
            role, sign = _role(op, at, op.path in behind)
            if role == "bias" and op.kind.name == "sub" and one in subject.penalties:
                sign = -1.0
            found.beside.append((role, sign, one))
    return found


def _upstream(subject: Subject, softmax: Op) -> set[str]:
    by_path = {op.path: op for op in subject.ops}
    found: set[str] = set()
    stack = [Value(softmax.path)]
    while stack:
        op = by_path.get(stack.pop().op)
        if op is not None and op.path not in found:
            found.add(op.path)
            stack.extend(op.reads)
    return found


def _role(op: Op, at: int, behind: bool) -> tuple[str, float]:
    """What a tensor is to the scores, or behind the softmax to the weights.

    Raises:
        CannotEvaluate: the textbook has no such part.
    """
    name = op.kind.name
    if name in _SUMS or (name == "matmul_add" and at == 0):
        if not behind:
            if name == "matmul_add" and op.attr("beta", 1) != 1:
                raise CannotEvaluate("a bias under a factor of its own")
            return "bias", 1.0
    elif name in _FACTORS and name != "div":
        return ("weighed" if behind else "factor"), 1.0
    elif name == "masked_fill" and at == 1:
        return "hidden", 1.0
    elif name == "where" and at == 0:
        return "hidden", (0.0 if op.states("no") else 1.0)
    elif name == "concat" and not behind and op.attr("axis") in (-1, 3):
        return "sink", 1.0
    raise CannotEvaluate(
        f"{name} with a tensor that is neither query, key nor value: no part of the textbook's formula"
    )
