"""Sequences along the data flow, followed through the bodies of sublayers, residuals and repeats."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum

from archcheck.align.agree import Agreement
from archcheck.align.edits import EditKind
from archcheck.findings import Finding, Place, Verdict
from archcheck.ir.graph import Op, OpGraph
from archcheck.ir.ops import Tier, kind
from archcheck.ir.span import Span
from archcheck.judging.asked import Asked
from archcheck.passes.kinds import named
from archcheck.spec.model import Path, What

SILENT = named("dropout", "stochastic_depth", "identity", "reshape", "permute", "select")
ADD, ATTENTION, INPUT, OPAQUE, REPEAT, RESIDUAL = map(
    kind, ("add", "attention", "input", "opaque", "repeat", "residual")
)


class Part(Enum):
    """How a walk meets an op that has a body: as a whole, or where what its body computes comes out."""

    WHOLE = 1
    EXIT = 2


Node = tuple[str, Part]


@dataclass
class Flow:
    """The ops of a graph at all depths, and which of them reads what another gives."""

    ops: dict[str, Op] = field(default_factory=dict)
    readers: dict[str, list[Node]] = field(default_factory=dict)  # of an op's value, by its path
    given: frozenset[str] = frozenset()  # paths of the ops whose values come out of the graph
    asked: Asked | None = None  # tells attributes; None: none are stated
    sure: bool = True  # what is not known of an attribute keeps an op from being a step; what was not read is none
    relaxed: What | None = None  # a step of which the attributes do not count

    @classmethod
    def of(cls, graph: OpGraph, asked: Asked | None = None) -> Flow:
        """The flow through `graph`."""
        flow = cls(given=frozenset(value.op for value in graph.results), asked=asked)
        for op in graph.walk():
            flow.ops[op.path] = op
            for value in op.reads:
                flow._edge(value.op, (op.path, Part.WHOLE))
            for value in op.results:
                flow._edge(value.op, (op.path, Part.EXIT))
            if op.kind is RESIDUAL and op.body and op.reads:  # the sum of the stream and what the body computes
                flow._edge(op.reads[0].op, (op.path, Part.EXIT))
        for op in [op for op in flow.ops.values() if op.kind is REPEAT]:
            flow._next_round(op)
        return flow

    def _next_round(self, op: Op) -> None:
        """What a repeat's body gives is read by its next round, as what the repeat reads is by its first."""
        carried = {read.op: result.op for read, result in zip(op.reads, op.results, strict=False)}
        for read, result in carried.items():
            inside = {inner.path for inner in op.walk() if inner is not op}
            for reader in [node for node in self.readers.get(read, ()) if node[0] in inside]:
                self._edge(result, reader)

    def _edge(self, giver: str, reader: Node) -> None:
        readers = self.readers.setdefault(giver, [])
        if reader not in readers:
            readers.append(reader)

    def matches(self, what: What, node: Node, *, barred: bool = False) -> bool:
        """Whether a step of a path is this op, or, where it is `barred`, what a path excludes."""
        return self.is_kind(what, node) and self._has(what, self.ops[node[0]], barred)

    def _has(self, what: What, op: Op, barred: bool) -> bool:
        """Whether an op has the attributes of a step; what is not known counts as it is asked for."""
        if self.asked is None or what is self.relaxed or not self.asked.attrs(what):
            return True
        if what.kind is not None and not what.kind.covers(op.kind):  # a sum, or an attention in its sublayer
            op = next((inner for inner in op.body if what.kind.covers(inner.kind)), op)
        agreement = self.asked.agrees(what, op)
        return agreement is Agreement.AGREE or (agreement is Agreement.UNKNOWN and self.sure is barred)

    def is_kind(self, what: What, node: Node) -> bool:
        """Whether an op is of the kind of a step."""
        op = self.ops[node[0]]
        if what.kind is None:
            return (what.name == "output" and op.path in self.given) or (what.name == "input" and op.kind is INPUT)
        if node[1] is Part.EXIT:
            return op.kind is RESIDUAL and what.kind.covers(ADD)
        if what.kind is ATTENTION and op.kind.family == "sublayer":  # a paper's attention has its projections within
            return any(inner.kind is ATTENTION for inner in op.body)
        return what.kind.covers(op.kind)

    def passes(self, path: Path, node: Node, gap: bool) -> bool:
        """Whether a walk may go through an op that is no step of the path."""
        op = self.ops[node[0]]
        if any(self.matches(what, node, barred=True) for what in path.absent):
            return False
        guarded = path.only is not None or bool(path.absent)
        if node[1] is Part.EXIT:
            real = op.kind is RESIDUAL
            return not real or (gap and (path.only is None or any(self.matches(what, node) for what in path.only)))
        if op.body and (op.kind.tier is Tier.STRUCTURE or guarded):
            return False  # what is inside stands on the path too: the walk goes through it
        if op.kind is OPAQUE and guarded and self.sure:
            return False
        return op.kind in SILENT or (gap and (path.only is None or any(self.matches(what, node) for what in path.only)))


def beyond_kind(what: What) -> str:
    """Why a block of the spec cannot be looked for; "" for an op."""
    return f"{what} is a block, and only kinds of ops are looked for" if what.kind is None and what.block else ""


def follow(
    path: Path,
    graph: OpGraph,
    symbol: str,
    place: Callable[[Span], Place],
    asked: Asked | None = None,
    reached: Callable[[Iterable[Op]], tuple[Span, ...]] = lambda ops: (),
) -> list[Finding]:
    """What is to be said of a path: nothing where ops stand along the data flow in the order that it states.

    Args:
        path: the claim's.
        graph: the code's, in canonical form.
        symbol: what was read, as a reader knows it.
        place: gives the text of a line.
        asked: tells the attributes that steps state.
        reached: tells how code comes to ops.
    """
    for what in (*path.steps, *(path.only or ()), *path.absent):
        if what is not None and what.kind is None and what.name not in ("input", "output"):
            return [_untold(f"the path {path} cannot be followed: {what} is no kind of op", "name its ops instead")]
        if what is not None and (stated := beyond_kind(what)):
            return [_untold(stated)]
    flow = Flow.of(graph, asked)
    nodes = [(op.path, part) for op in flow.ops.values() for part in Part if part is Part.WHOLE or op.body]
    ends, _ = _walked(flow, path, nodes)
    if ends is None:
        return []
    for end in (path.steps[0], path.steps[-1]):
        if end is not None and not any(flow.is_kind(end, node) for node in nodes):
            message = f"the path {path} cannot be followed: {symbol} holds no {end}"
            return [_untold(message, "audit the model that holds it")]
    flow.sure = False
    if _walked(flow, path, nodes)[0] is None:
        if any(op.kind is OPAQUE for op in flow.ops.values()):
            return [_untold(f"the path {path} cannot be followed: some of the code could not be read")]
        return [_untold(f"whether there is a path {path} depends on attributes that the code does not tell")]
    flow.sure = True
    if (near := _almost(flow, path, nodes, place, reached)) is not None:
        return [near]
    furthest = _furthest(flow, ends)
    parts = [_parts_at(flow, end, place) for end in furthest]
    about = [flow.ops[node[0]] for end in furthest for node in (end.node, *_next(flow, end.node))]
    said = list(dict.fromkeys(sentence for sentence, _ in parts))
    return [
        Finding(
            "path",
            Verdict.VIOLATED,
            f"there is no path {path}",
            f"The paper has {path}.",
            " ".join(said) or f"{symbol} has no such sequence.",
            "compute the ops in this order; or, if the code is meant, state its order in the spec",
            tuple(dict.fromkeys(found for _, found in parts if found is not None)),
            reached=reached(about),
        )
    ]


def _walked(flow: Flow, path: Path, nodes: list[Node]) -> tuple[list[End] | None, list[Op]]:
    """Where walks along a path end; None where one goes through, and the ops then that the relaxed step met."""
    first = path.steps[0]
    ends: list[End] = []
    met: list[Op] = []
    through = False
    for node in nodes:
        if not flow.sure and flow.ops[node[0]].kind is OPAQUE and (first is None or first.kind not in (None, INPUT)):
            if any(_walk(flow, replace(path, steps=(None, *rest)), node, [])[0] is None for rest in _tails(path.steps)):
                return None, []
        elif first is None or flow.matches(first, node):
            start = [flow.ops[node[0]]] if first is not None and first is flow.relaxed else []
            stopped, found = _walk(flow, path, node, start)
            if stopped is not None:
                ends.append(stopped)
                continue
            through = True
            met += found
            if flow.relaxed is None:
                break
    return (None if through else ends), met


def _almost(
    flow: Flow,
    path: Path,
    nodes: list[Node],
    place: Callable[[Span], Place],
    reached: Callable[[Iterable[Op]], tuple[Span, ...]],
) -> Finding | None:
    """What is to be said where there is the path, but for the attributes of one step."""
    asked = flow.asked
    for step in path.steps if asked is not None else ():
        if step is None or asked is None or not asked.attrs(step):
            continue
        flow.relaxed = step
        through, met = _walked(flow, path, nodes)
        flow.relaxed = None
        if through is not None or not met:
            continue
        ops = list({op.path: op for op in met}.values())
        fewest = min(len(asked.differences(step, op)) for op in ops)
        ops = [op for op in ops if len(asked.differences(step, op)) == fewest]
        edits = [edit for edit in asked.differences(step, ops[0]) if edit.kind is EditKind.CHANGED]
        rows = [f"{edit.aspect.partition(':')[2]} of {_spoken(ops[0])} is {edit.found}" for edit in edits]
        spans = dict.fromkeys(op.span for op in ops if op.span is not None)
        return Finding(
            "path",
            Verdict.VIOLATED,
            f"there is no path {path}: where it has {step}, {', '.join(rows) or f'another {_spoken(ops[0])} stands'}",
            f"The paper has {path}.",
            f"The code has the same sequence with another {_spoken(ops[0])}: {', '.join(rows)}.",
            f"compute {step} there; or, if the code is meant, state it in the spec",
            tuple(place(span) for span in spans)[:MOST_ENDS],
            ops[0].because[-1:],
            reached=reached(ops[:MOST_ENDS]),
        )
    return None


MOST_ENDS = 3  # places at which a path is shown to end


def _furthest(flow: Flow, ends: list[End]) -> list[End]:
    """Where the walks end that went through most of the path; of them those where an op of the family stands that the
    path has there, and behind which the path goes on."""
    ranked = [(len(end.rest), *_unlike(flow, end), end) for end in ends]
    best = min((row[:-1] for row in ranked), default=())
    return [end for *rank, end in ranked if tuple(rank) == best][:MOST_ENDS]


def _unlike(flow: Flow, end: End) -> tuple[bool, bool]:
    """How little what stands there is like the path."""
    wanted = [what for what in end.rest if what is not None and what.kind is not None]
    family = wanted[0].kind.family if wanted and wanted[0].kind is not None else ""
    near = _next(flow, end.node)
    behind = [node for reader in near for node in _next(flow, reader)]
    alike = bool(family) and any(flow.ops[reader[0]].kind.family == family for reader in near)
    return not alike, not any(flow.matches(what, node) for what in wanted[1:2] for node in behind)


def _next(flow: Flow, node: Node) -> list[Node]:
    """What reads a value, through ops of which no paper speaks."""
    found: dict[Node, None] = {}
    waiting = list(flow.readers.get(node[0], ()))
    while waiting:
        reader = waiting.pop(0)
        if reader not in found:
            found[reader] = None
            waiting += flow.readers.get(reader[0], ()) if flow.ops[reader[0]].kind in SILENT else ()
    return [reader for reader in found if flow.ops[reader[0]].kind not in SILENT]


def _parts_at(flow: Flow, end: End, place: Callable[[Span], Place]) -> tuple[str, Place | None]:
    """What stands where a path ends too early, in words and in the code."""
    op = flow.ops[end.node[0]]
    wanted = next((what for what in end.rest if what is not None), None)
    after = list(dict.fromkeys(_spoken(flow.ops[reader[0]]) for reader in _next(flow, end.node)))
    here = "add" if end.node[1] is Part.EXIT and op.kind is RESIDUAL else _spoken(op)
    found = f"{' and '.join(after[:3])} follow{'s' if len(after) == 1 else ''}" if after else "nothing follows"
    sentence = f"Behind the {here}, {found}, where the path has {wanted}." if wanted is not None else ""
    return sentence, place(op.span) if op.span is not None else None


def _spoken(op: Op) -> str:
    return op.kind.name.replace("_", " ")


def _untold(message: str, fix: str = "") -> Finding:
    return Finding("not-determined", Verdict.UNDETERMINED, message, fix=fix)


@dataclass(frozen=True, slots=True)
class End:
    """Where a walk ends that did not go through the whole path, and the steps that it lacks."""

    node: Node
    rest: tuple[What | None, ...]


def _walk(flow: Flow, path: Path, start: Node, met: list[Op]) -> tuple[End | None, list[Op]]:
    """Depth first along readers; a gap lets any op between, but for what the path excludes. None: it went through.

    Beside it, the op that the relaxed step met on the way.
    """
    steps = path.steps if path.steps[0] is None else path.steps[1:]
    waiting: list[tuple[Node, tuple[What | None, ...], list[Op]]] = [(start, steps, met)]
    seen: set[tuple[Node, int]] = set()
    end = End(start, steps)
    while waiting:
        node, rest, met = waiting.pop()
        if (node, len(rest)) in seen:
            continue
        seen.add((node, len(rest)))
        wanted = rest[1:] if rest and rest[0] is None else rest
        if not wanted:
            return None, met
        if wanted == rest[-1:] and rest[-1] is not None and rest[-1].kind is None and flow.matches(rest[-1], node):
            return None, met  # `output`: the op whose value comes out is there already
        if len(rest) < len(end.rest):
            end = End(node, rest)
        for reader, left in _onward(flow, path, node, rest, wanted):
            taken = flow.relaxed is not None and wanted[0] is flow.relaxed and left is not rest
            waiting.append((reader, left, [*met, flow.ops[reader[0]]] if taken else met))
    return end, met


def _tails(steps: tuple[What | None, ...]) -> list[tuple[What | None, ...]]:
    """What may be left of a path behind something that was not read, in which any of its steps may stand."""
    ends = len(steps) if steps[-1] is not None and steps[-1].kind is not None else len(steps) - 1  # `output` is no op
    return [steps[at:] for at in range(1, ends + 1)]


def _onward(
    flow: Flow, path: Path, node: Node, rest: tuple[What | None, ...], wanted: tuple[What | None, ...]
) -> Iterator[tuple[Node, tuple[What | None, ...]]]:
    for reader in flow.readers.get(node[0], ()):
        if not flow.sure and flow.ops[reader[0]].kind is OPAQUE:
            yield from ((reader, left) for left in (rest, *_tails(wanted)))
            continue
        step = wanted[0]
        excluded = any(flow.matches(what, reader, barred=True) for what in path.absent)
        if step is not None and not excluded and flow.matches(step, reader):
            yield reader, wanted[1:]
        if flow.passes(path, reader, gap=len(wanted) < len(rest)):
            yield reader, rest
