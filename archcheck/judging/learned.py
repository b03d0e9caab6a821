"""Which learned tensors a part of the code owns, by structure: the ops of a part, what they read, where they stand.

The value map of an attention is the linear whose result reaches the attention's third operand, whatever it is called.
Its tensor is the `parameter` that it reads, or, for a layer of a framework, that of the module where the op stands: the
op at "h.0.mlp.c_proj/0.linear" owns "h.0.mlp.c_proj.weight". A repeat shows one of its rounds; the tensors of the
others are those that stand at the same place under the other numbers of its list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from archcheck.describe.regions import common_place
from archcheck.ir.graph import Op, OpGraph, Value
from archcheck.ir.ops import Tier
from archcheck.ir.weights import Initial
from archcheck.judging import parts
from archcheck.judging.thirds import third_of
from archcheck.passes.kinds import (
    ATTENTIONS,
    CONVS,
    INPUT,
    LINEAR,
    PARAMETER,
    REPEAT,
    RESIDUAL,
    SOURCES,
    SUBLAYERS,
    VIEWS,
    named,
)
from archcheck.spec.model import Part, What
from archcheck.spec.starts import FEEDING, ROLES

MAPS = CONVS | {LINEAR} | named("bilinear", "embedding")
_ADDS = named("add", "sub")
_IN_PROJECTION = "in_proj_weight"  # of torch.nn.MultiheadAttention, which keeps the three maps in one tensor


@dataclass(frozen=True, slots=True)
class Owned:
    """The tensor of one op, in every round in which the op stands.

    Args:
        names: of the tensor, round after round.
        rounds: how many names there should be by the graph; None where that is not known.
        third: which third of it belongs to the op, of a matrix that is three maps; None: all of it.
        cut: the op has a part of it, and which one is not known.
    """

    op: Op
    names: tuple[str, ...]
    rounds: int | None = 1
    third: int | None = None
    cut: bool = False


@dataclass(frozen=True)
class Scope:
    """Ops among which a part is looked for, and what they give together."""

    ops: tuple[Op, ...]
    results: tuple[Value, ...]
    attention: Op | None = None


@dataclass
class Learned:
    """The ops of a graph, and the tensors of the instance that was made of it."""

    graph: OpGraph
    initial: Mapping[str, Initial]
    _above: dict[str, tuple[Op, ...]] = field(default_factory=dict)

    @cached_property
    def at(self) -> dict[str, Op]:
        """Every op by its path."""
        found: dict[str, Op] = {}
        stack: list[tuple[Op, tuple[Op, ...]]] = [(op, ()) for op in self.graph.ops]
        while stack:
            op, above = stack.pop()
            found[op.path], self._above[op.path] = op, above
            stack += [(inner, (*above, op)) for inner in op.body]
        return found

    def above(self, op: Op) -> tuple[Op, ...]:
        """The ops that hold `op`, outermost first."""
        return self._above.get(op.path, ()) if self.at else ()

    # ---- the ops of a part

    def ops(self, part: Part, graph: OpGraph) -> list[Op]:
        """The ops that `part` names within `graph`, at any depth; a sublayer stands for its learned maps."""
        if part.role:
            return _once(op for scope in self.scopes(part.what, graph) for op in self.within(part, scope))
        if part.what.kind is PARAMETER:  # those that stand by themselves, not those of layers
            return _outermost(graph.ops, lambda op: op.kind is PARAMETER)
        if part.what.block:
            return _outermost(graph.ops, _is_map) or list(graph.ops)
        if part.what.kind in ATTENTIONS:
            every = [replace(part, role=role) for role in ROLES]
            scopes = list(self.scopes(part.what, graph))
            return _once(op for scope in scopes for one in every for op in self.within(one, scope))
        found = _outermost(graph.ops, lambda op: parts.names(part.what, op))
        return _once(inner for op in found for inner in _maps(op))

    def scopes(self, what: What, graph: OpGraph) -> Iterator[Scope]:
        """Where the ops stand that a role of `what` is about."""
        if what.block:
            yield Scope(graph.ops, graph.results)
        elif what.kind in ATTENTIONS or (what.kind is not None and what.kind.family == "attention"):
            for op in graph.walk():
                if op.kind in ATTENTIONS and what.kind.covers(op.kind):
                    holder = next((one for one in reversed(self.above(op)) if one.kind in SUBLAYERS), None)
                    yield (
                        Scope(graph.ops, graph.results, op)
                        if holder is None
                        else Scope(holder.body, holder.results, op)
                    )
        else:
            for op in graph.walk():
                if parts.names(what, op):
                    yield Scope(op.body or (op,), op.results or (Value(op.path),))

    def within(self, part: Part, scope: Scope) -> list[Op]:
        """The ops of a role."""
        inside = {op.path: op for outer in scope.ops for op in outer.walk()}
        cores = [scope.attention] if scope.attention is not None else _cores(scope.ops)
        if part.role in FEEDING:
            place = FEEDING.index(part.role)
            feeding = [core.reads[place] for core in cores if len(core.reads) > place]
            return self._behind(feeding, inside, MAPS)
        if part.role == "output":
            if cores:
                paths = {core.path for core in cores}
                return [op for op in _outermost(scope.ops, _is_map) if self._reaches(op, paths, inside)]
            return self._behind(scope.results, inside, MAPS)
        kinds = frozenset(op.kind for op in inside.values() if part.of is not None and part.of.covers(op.kind))
        found = _outermost(scope.ops, lambda op: op.kind in kinds)
        if part.role == "last":
            return self._behind(scope.results, inside, kinds)
        if part.role == "first":
            return [op for op in found if not self._behind(op.reads[:1], inside, kinds)]
        return found

    def _behind(
        self, values: tuple[Value, ...] | list[Value], inside: Mapping[str, Op], kinds: frozenset[object]
    ) -> list[Op]:
        """The nearest ops of `kinds` from which `values` come, in program order; an attention is not looked through."""
        found: set[str] = set()
        for op in self._back(values, inside, lambda op: op.kind in kinds):
            if op.kind in kinds:
                found.add(op.path)
        return [op for path, op in inside.items() if path in found]

    def _reaches(self, op: Op, paths: set[str], inside: Mapping[str, Op]) -> bool:
        """Whether `op` reads what comes from one of `paths` through no other learned map."""
        return any(one.path in paths for one in self._back(op.reads[:1], inside, lambda one: one.kind in MAPS))

    def _back(
        self, values: tuple[Value, ...] | list[Value], inside: Mapping[str, Op], stops: Callable[[Op], bool]
    ) -> Iterator[Op]:
        """The ops from which `values` come; none behind those that `stops` names, nor behind an attention."""
        waiting = [value.op for value in values]
        seen: set[str] = set()
        while waiting:
            path = waiting.pop()
            op = inside.get(path)
            if op is None or path in seen:
                continue
            seen.add(path)
            yield op
            if stops(op) or op.kind in ATTENTIONS:
                continue
            if op.body and op.kind.tier is Tier.STRUCTURE:
                waiting += [value.op for value in op.results]
                if op.kind is not RESIDUAL:
                    continue
            waiting += [value.op for value in op.reads]

    # ---- their tensors

    def owned(self, op: Op, tensor: str) -> list[Owned]:
        """The tensors of `op` that are its weight or bias.

        Args:
            tensor: "weight" or "bias".
        """
        third, cut = third_of(op)
        names = list(dict.fromkeys(self._read(op, tensor)))
        if not names:
            names, of_all = self._at_place(op, tensor)
            third = of_all if of_all is not None else third
        return [Owned(op, *self.rounds(name, op), third, cut) for name in names]

    def _read(self, op: Op, tensor: str) -> Iterator[str]:
        """Names of the `parameter` ops that `op` reads as its weight or bias, or that stand in its formula."""
        if op.kind is PARAMETER:
            yield str(op.attr("name"))
            return
        for inner in op.walk():
            if inner.kind.tier is Tier.LAYER and len(inner.reads) > 3:
                continue  # a call that is given all tensors of an attention: which is which is not told
            for place, value in enumerate(inner.reads):
                giver = self.at.get(value.op)
                while giver is not None and giver.kind in VIEWS and giver.reads:
                    giver = self.at.get(giver.reads[0].op)
                if giver is not None and giver.kind is PARAMETER and _role(inner, place) == tensor:
                    yield str(giver.attr("name"))

    def _at_place(self, op: Op, tensor: str) -> tuple[list[str], int | None]:
        """Names of the tensors of the module where `op` stands, and which third of them is the op's."""
        place = op.path.rpartition("/")[0]
        if f"{place}.{_IN_PROJECTION}" in self.initial or f"{place}.q_proj_weight" in self.initial:
            return self._of_attention(op, place, tensor)
        above = f"{place}." if place else ""
        found = [name for name in self.initial if name.startswith(f"{above}{tensor}") and "." not in name[len(above) :]]
        return sorted(found), None

    def _of_attention(self, op: Op, place: str, tensor: str) -> tuple[list[str], int | None]:
        """The same for `torch.nn.MultiheadAttention`, one module of four maps: which is which its operands tell."""
        holder = next((one for one in reversed(self.above(op)) if one.kind in SUBLAYERS), None)
        inside = {one.path: one for outer in (holder.body if holder else self.graph.ops) for one in outer.walk()}
        for core in (one for one in inside.values() if one.kind in ATTENTIONS):
            for number, value in enumerate(core.reads[:3]):
                if any(one.path == op.path for one in self._back([value], inside, lambda one: one.kind in MAPS)):
                    own = f"{place}.{'qkv'[number]}_proj_weight"
                    if tensor == "weight" and own in self.initial:
                        return [own], None
                    return [f"{place}.in_proj_{tensor}"], number
        return [f"{place}.out_proj.{tensor}"], None

    # ---- in every round

    def rounds(self, name: str, op: Op) -> tuple[tuple[str, ...], int | None]:
        """The names of a tensor in all rounds of the repeats around `op`, which shows one; how many there are."""
        found = [name]
        expected: int | None = 1
        taken: set[int] = set()  # steps of the place that an outer repeat counts by
        for repeat in self._repeats(op):
            at, others = self._numbered(name, repeat, taken)
            if at is not None:
                taken.add(at)
                found = [_at_step(one, at, step) for one in found for step in others]
            elif len(others) > 1:
                found += others
            elif not any(step.isdecimal() for step in self._stem(repeat)):
                continue  # one module, used again in each round
            times = repeat.attr("count")
            expected = expected * times if expected is not None and isinstance(times, int) else None
        held = tuple(dict.fromkeys(one for one in found if one in self.initial))
        return held or (name,), expected

    def layers(self, name: str, repeat: Op) -> int | None:
        """How many rounds of `repeat` the instance has, as a tensor in it tells; None where it does not.

        A list of one module is an instance with one layer, or a layer that is used again: that is not told.
        """
        at, others = self._numbered(name, repeat, set())
        if at is not None or len(others) > 1:
            return len(others)
        times = repeat.attr("count")
        shared = not any(step.isdecimal() for step in self._stem(repeat))
        return times if isinstance(times, int) and (shared or times == 1) else None

    def _stem(self, repeat: Op) -> list[str]:
        """The steps of the place under which a round stands."""
        return common_place(op for op in repeat.body if op.kind not in SOURCES).split(".")

    def _repeats(self, op: Op) -> list[Op]:
        return [one for one in self.above(op) if one.kind is REPEAT]

    def _numbered(self, name: str, repeat: Op, taken: set[int]) -> tuple[int | None, list[str]]:
        """Which step of a place counts the rounds of `repeat`, and what it is in each of them.

        Lists of modules have numbers there. Attributes such as `block1`, `block2` are told by holding tensors of the
        same names, where no other op stands; then the answer is whole names, and no step. A module that is used again
        in each round has one name for all of them.
        """
        steps, stem = name.split("."), self._stem(repeat)
        count = repeat.attr("count")
        most = count if isinstance(count, int) else len(self.initial)
        own = [op.path.rpartition("/")[0].split(".") for op in repeat.walk() if op is not repeat]
        rest = [op.path.rpartition("/")[0].split(".") for op in self._outside(repeat)]
        best: tuple[int | None, list[str]] = (None, [name])
        for at, step in enumerate(steps[: len(stem) + 1]):
            if not step.isdecimal() or at in taken:
                continue
            mine, others = (_numbers(places, steps[:at]) for places in (own, rest))
            stride = max(mine, default=0) - min(mine, default=0) + 1
            numbers = range(int(step), int(step) + most * stride, stride)
            found = [str(number) for number in numbers if self._stands(number, at, steps, others - mine)]
            if len(found) > len(best[1]):
                best = (at, found)
        return best if best[0] is not None else (None, self._alike(name, stem, rest))

    def _stands(self, number: int, at: int, steps: list[str], others: set[int]) -> bool:
        return number not in others and ".".join([*steps[:at], str(number), *steps[at + 1 :]]) in self.initial

    def _alike(self, name: str, stem: list[str], rest: list[list[str]]) -> list[str]:
        """The tensor in the modules beside the one at `stem` that hold tensors of the same names."""
        place = ".".join(stem)
        if not place or not name.startswith(f"{place}."):
            return [name]
        taken = {step[len(stem) - 1] for step in rest if len(step) >= len(stem) and step[: len(stem) - 1] == stem[:-1]}
        below: dict[str, set[str]] = {}
        for one in self.initial:
            steps = one.split(".")
            if len(steps) > len(stem) and steps[: len(stem) - 1] == stem[:-1]:
                below.setdefault(steps[len(stem) - 1], set()).add(".".join(steps[len(stem) :]))
        alike = [step for step, held in below.items() if held == below.get(stem[-1]) and step not in taken]
        tail = name[len(place) + 1 :]
        return [".".join([*stem[:-1], step, tail]) for step in alike] or [name]

    def _outside(self, repeat: Op) -> Iterator[Op]:
        inside = {op.path for op in repeat.walk()} | {op.path for op in self.above(repeat)}
        return (op for op in self.at.values() if op.path not in inside and op.kind is not INPUT)


def _at_step(name: str, at: int, step: str) -> str:
    steps = name.split(".")
    steps[at] = step
    return ".".join(steps)


def _numbers(places: list[list[str]], above: list[str]) -> set[int]:
    """The numbers of a list's elements that stand among `places`."""
    at = len(above)
    return {int(steps[at]) for steps in places if len(steps) > at and steps[:at] == above and steps[at].isdecimal()}


def _role(op: Op, place: int) -> str:
    """What a learned tensor is to the op that reads it as operand number `place`."""
    if op.kind in _ADDS or (op.kind.name == "matmul_add" and place == 0):
        return "bias"
    layer = op.kind.tier is Tier.LAYER
    return "bias" if layer and place > 1 else "weight"


def _is_map(op: Op) -> bool:
    return op.kind in MAPS


def _maps(op: Op) -> list[Op]:
    """The learned maps of a sublayer or residual; another op is what is meant."""
    return _outermost(op.body, _is_map) if op.kind.tier is Tier.STRUCTURE else [op]


def _cores(ops: tuple[Op, ...]) -> list[Op]:
    return _outermost(ops, lambda op: op.kind in ATTENTIONS)


def _outermost(ops: tuple[Op, ...], wanted: Callable[[Op], bool]) -> list[Op]:
    """The ops that are `wanted`, also inside sublayers and residuals, not inside one another, in program order."""
    found: list[Op] = []
    waiting = list(reversed(ops))
    while waiting:
        op = waiting.pop()
        if wanted(op):
            found.append(op)
        elif op.kind.tier is Tier.STRUCTURE:
            waiting += reversed(op.body)
    return found


def _once(ops: Iterable[Op]) -> list[Op]:
    return list({op.path: op for op in ops}.values())
