"""A graph laid out as arrays: one number for each op, scopes for bodies, operands as numbers."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field

from archcheck.align.agree import SOURCES, opens
from archcheck.errors import GraphError
from archcheck.ir.graph import Op, OpGraph, Value
from archcheck.ir.ops import OpKind

TOP = -1  # the scope of a graph itself; every other scope is the number of the op whose body it is
ARITHMETIC = frozenset({"add", "sub", "mul", "div", "pow", "maximum", "minimum"})
MOST_UNROLLED = 200_000  # ops; a repeat that would give more stays folded


class Numbers:
    """Numbers for what two graphs share: classes of ops, contents of bodies, labels."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self.keys: list[Hashable] = []

    def __call__(self, key: Hashable) -> int:
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.keys)
            self.keys.append(key)
        return number


@dataclass
class Side:
    """One of the two graphs of an alignment. Ops are numbered in program order, outer before inner.

    `operands` of a residual are what the op lists; what its body gives stands in `results`, as for every scope. A
    value is named by the op that gives it; `indices` holds the output indices of the few ops that read another
    output than the first.
    """

    ops: list[Op] = field(default_factory=list)
    classes: list[int] = field(default_factory=list)
    scope: list[int] = field(default_factory=list)
    operands: list[tuple[int, ...]] = field(default_factory=list)
    user: list[int] = field(default_factory=list)  # first reader of each op; -1: none
    source: bytearray = field(default_factory=bytearray)
    indices: dict[int, tuple[int, ...]] = field(default_factory=dict)
    inside: dict[int, list[int]] = field(default_factory=lambda: {TOP: []})  # scope -> ops, in program order
    results: dict[int, tuple[int, ...]] = field(default_factory=dict)  # scope -> ops whose values come out
    result_indices: dict[int, tuple[int, ...]] = field(default_factory=dict)
    order: dict[int, list[int]] = field(default_factory=dict)  # scope -> ops but sources, in canonical order
    content: dict[int, int] = field(default_factory=dict)  # scope -> number that equal bodies share
    core: dict[int, tuple[int, ...]] = field(default_factory=dict)  # scope -> what a reader would know it by
    token: list[int] = field(default_factory=list)  # what ops are first matched by
    dissolved: set[int] = field(default_factory=set)  # ops whose body was laid out in the scope around it
    unrolled: int = 0  # how many repeats were written out

    def __len__(self) -> int:
        return len(self.ops)

    def is_wired_like(self, other: Side) -> bool:
        """Whether the two have the same ops in the same order that read the same of each other."""
        return (
            self.classes == other.classes
            and self.scope == other.scope
            and self.operands == other.operands
            and self.indices == other.indices
            and self.results == other.results
            and self.result_indices == other.result_indices
        )

    def home(self, node: int) -> int:
        """The scope in which `node` is matched."""
        scope = self.scope[node]
        while scope in self.dissolved:
            scope = self.scope[scope]
        return scope

    def below(self, node: int) -> Iterator[int]:
        """The ops in the body of `node`, at any depth."""
        stack = list(self.inside.get(node, ()))
        while stack:
            inner = stack.pop()
            yield inner
            stack.extend(self.inside.get(inner, ()))

    def read(self, node: int) -> tuple[tuple[int, int], ...]:
        """What `node` reads, as (op, output index)."""
        indices = self.indices.get(node)
        if indices is None:
            return tuple([(read, 0) for read in self.operands[node]])
        return tuple(zip(self.operands[node], indices, strict=True))

    def given(self, scope: int) -> tuple[tuple[int, int], ...]:
        """What comes out of `scope`, as (op, output index)."""
        results = self.results.get(scope, ())
        indices = self.result_indices.get(scope)
        if indices is None:
            return tuple([(read, 0) for read in results])
        return tuple(zip(results, indices, strict=True))


def flatten(
    graph: OpGraph,
    numbers: Numbers,
    *,
    unroll: bool = False,
    kept: tuple[list[Op], dict[str, list[str]]] | None = None,
) -> Side:
    """`graph` as arrays.

    Args:
        unroll: write out repeats of a known count.
        kept: the only ops of the graph itself to lay out, and for some the paths of others that they answer for.

    Raises:
        GraphError: an op reads a value that is not given before it.
    """
    ops, answers = kept or (list(graph.ops), {})
    return _Flattening(numbers, unroll, answers).run(ops, graph.results or tuple(Value(op.path) for op in ops[-1:]))


@dataclass
class _Frame:
    ops: Iterator[Op]
    scope: int
    owner: Op | None = None
    number: int = TOP
    left: int = 0  # how often an unrolled body still comes
    known: dict[Value, tuple[int, int]] = field(default_factory=dict)  # what its carried values were before


class _Flattening:
    def __init__(self, numbers: Numbers, unroll: bool, answers: dict[str, list[str]]) -> None:
        self.side = Side()
        self.answers = answers
        self.numbers = numbers
        self.unroll = unroll
        self.at: dict[str, int] = {}
        self.alias: dict[Value, tuple[int, int]] = {}  # values that an unrolled repeat carries or gives
        self.kinds: dict[OpKind, int] = {}

    def run(self, listed: list[Op], given: tuple[Value, ...]) -> Side:
        side, answers = self.side, self.answers
        ops, classes, scopes, operands, user = side.ops, side.classes, side.scope, side.operands, side.user
        at, kinds, source, inside = self.at, self.kinds, side.source, side.inside
        frames = [_Frame(iter(listed), TOP)]
        while frames:
            frame = frames[-1]
            scope = frame.scope
            members = inside[scope]
            for op in frame.ops:
                count = self._written_out(op) if self.unroll else 0
                if count:
                    frames.append(_Frame(iter(op.body), scope, op, TOP, count))
                    break
                number = len(ops)
                kind = op.kind
                reads = op.reads
                if len(reads) == 1 and not self.alias:
                    value = reads[0]
                    try:
                        first = at[value.op]
                    except KeyError:
                        raise self._dangling(op, value) from None
                    operands.append((first,))
                    if user[first] < 0:
                        user[first] = number
                    if value.index:
                        side.indices[number] = (value.index,)
                elif reads:
                    self._operands(op, number)
                else:
                    operands.append(())
                ops.append(op)
                at[op.path] = number
                if answers:
                    at.update(dict.fromkeys(answers.get(op.path, ()), number))
                class_number = kinds.get(kind)
                classes.append(self._class(op) if class_number is None else class_number)
                scopes.append(scope)
                user.append(-1)
                source.append(0)
                members.append(number)
                if op.body:
                    if opens(kind):
                        inside[number] = []
                        frames.append(_Frame(iter(op.body), number, op, number))
                        break
                elif not reads and kind.name in SOURCES:
                    source[number] = 1
            else:
                self._close(frame, frames)
        self._results(TOP, given, None)
        return side

    def _class(self, op: Op) -> int:
        if op.kind.name in ("function", "opaque"):  # a word of its own: its name says which
            return self.numbers((op.kind, op.attr("name")))
        if op.kind.name in ARITHMETIC:  # of a tensor and a number, or of two tensors
            return self.numbers((op.kind, None if len(op.reads) > 1 else "by"))
        number = self.kinds[op.kind] = self.numbers((op.kind, None))
        return number

    def _operands(self, op: Op, number: int) -> None:
        side = self.side
        found = [self._find(value, op) for value in op.reads]
        side.operands.append(tuple(node for node, _ in found))
        for node, _ in found:
            if side.user[node] < 0:
                side.user[node] = number
        if any(index for _, index in found):
            side.indices[number] = tuple(index for _, index in found)

    def _find(self, value: Value, reader: Op | None) -> tuple[int, int]:
        if self.alias:
            known = self.alias.get(value)
            if known is not None:
                return known
        try:
            return self.at[value.op], value.index
        except KeyError:
            raise self._dangling(reader, value) from None

    def _dangling(self, reader: Op | None, value: Value) -> GraphError:
        return GraphError(f"{reader.path if reader else 'the graph'} reads {value.op}, which is not given before it")

    def _results(self, scope: int, gives: tuple[Value, ...], owner: Op | None) -> None:
        found = [self._find(value, owner) for value in gives]
        self.side.results[scope] = tuple(node for node, _ in found)
        if any(index for _, index in found):
            self.side.result_indices[scope] = tuple(index for _, index in found)

    def _written_out(self, op: Op) -> int:
        count = op.attr("count")
        if op.kind.name != "repeat" or not op.body or not isinstance(count, int) or isinstance(count, bool):
            return 0
        size = sum(1 for inner in op.walk()) - 1
        if count < 1 or len(self.side) + size * count > MOST_UNROLLED:
            return 0
        self.side.unrolled += 1
        return count

    def _close(self, frame: _Frame, frames: list[_Frame]) -> None:
        """A body has ended: its results become known, or an unrolled one begins again with what it carries."""
        frames.pop()
        owner = frame.owner
        if owner is None:
            return
        if not frame.left:
            self._results(frame.number, owner.results, owner)
            return
        carried = owner.reads[: len(owner.results)]  # each round is fed with what the one before gave
        given = [self._find(value, owner) for value in owner.results]
        if frame.left > 1:
            known = frame.known or {value: self.alias[value] for value in carried if value in self.alias}
            self.alias.update(zip(carried, given, strict=False))
            frames.append(_Frame(iter(owner.body), frame.scope, owner, TOP, frame.left - 1, known))
            return
        for value in carried:
            self.alias.pop(value, None)
        self.alias.update(frame.known)
        self.alias.update({Value(owner.path, index): node for index, node in enumerate(given)})
