"""Reading a target: one run for the defaults, more where an argument, an open condition or a flag changes the graph."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from archcheck.errors import TargetError
from archcheck.frontends.static import builders, names, optional
from archcheck.frontends.static.entry import Call, Run, run
from archcheck.frontends.static.library import Library
from archcheck.frontends.static.machine import Frame, Limits, Machine
from archcheck.frontends.static.sizes import Sample, spelled
from archcheck.frontends.static.tree import ModulePlace
from archcheck.frontends.static.values import Class, Data, Function
from archcheck.ir.graph import AttrValue, OpGraph, Unknown
from archcheck.ir.ranks import Ranks
from archcheck.ir.span import Reached, Setting, Span

Flags = tuple[tuple[str, AttrValue], ...]  # flags with their values, sorted

GIVEN = "given"  # the value of what is no flag, but an optional argument
MOST_SILENCED = 3  # runs with fewer answers about sizes: one answer may have been the reason for others
MOST_FLAGS = 12  # flags whose other side is looked at
STACK = 512 * 1024 * 1024  # bytes of stack for evaluation: code nests deeper than Python's own default allows
RECURSION = 40_000


@dataclass(frozen=True, slots=True)
class Unread:
    """Something that could not be read."""

    what: str
    why: str
    span: Span | None


@dataclass(frozen=True, slots=True)
class Variant:
    """The graph where flags have these values.

    `when` holds the flags that differ from the default, sorted. `default` marks the graph that stands when nothing is
    said; where conditions stay open for which the code has no default, no variant is the default.
    """

    when: Flags
    default: bool
    graph: OpGraph
    unread: tuple[Unread, ...]
    error: str = ""
    error_span: Span | None = None
    places: tuple[ModulePlace, ...] = ()
    weights: tuple[tuple[str, str], ...] = ()  # learned tensor's place -> the first place that it has; "": not known
    tied: bool | None = None  # whether the configuration says that input and output embeddings are one
    rounds: Mapping[str, Unknown] = field(default_factory=dict)  # ops in loops whose number of rounds is not known
    reached: Reached = field(default_factory=Reached)  # how code comes to each op
    ranks: Ranks | None = None  # what is known of how many axes values have


@dataclass(frozen=True, slots=True)
class Reading:
    """What the static reader found out about a target."""

    symbol: str
    span: Span | None
    variants: tuple[Variant, ...]
    assumptions: tuple[str, ...]
    consulted: tuple[Setting, ...]  # settings on which control depended
    given: frozenset[str]  # optional arguments that were given although their default is None


def read(
    library: Library,
    module: str,
    symbol: str,
    arguments: Mapping[str, str] | None = None,
    *,
    training: bool = True,
    explore: bool = True,
    given: frozenset[str] | None = None,
    sample: Sample | None = None,
    limits: Limits | None = None,
) -> Reading:
    """The graphs of `symbol` in `module`, by evaluating its source; nothing of it runs.

    Args:
        library: where sources are found.
        module: dotted name of the module that defines the symbol.
        symbol: class, function or method.
        arguments: parameter -> Python expression in the module's own words.
        training: whether modules are in training mode.
        explore: also read the other side of flags that decide something.
        given: optional arguments of the call that are given a tensor, and no others; None: those without which layers
            that are built are not used.
        sample: a call, where conditions on sizes and on what inputs hold are to be decided as in that one.
        limits: bounds on each run.

    Raises:
        TargetError: there is no such symbol or parameter, or an expression cannot be evaluated.
    """
    reader = _Reader(library, Call(module, symbol, dict(arguments or {}), given=given or frozenset()), training, limits)
    reader.settled = given is not None
    reader.sample = sample
    return _with_deep_stack(lambda: reader.read(explore))


def takes_argument(library: Library, module: str, symbol: str, name: str) -> bool:
    """Whether the class `symbol` computes and its constructor takes an argument called `name`."""
    machine = Machine(library, own_package=module)
    source = machine.module(module)
    if source is None:
        return False
    machine.frames.append(Frame("", source.file, 1))
    cls = names.global_value(machine, source.scope, symbol)
    init = cls.lookup("__init__") if isinstance(cls, Class) else None
    if init is None or not isinstance(init[1], Function):
        return False
    spec = init[1].node.args
    return name in {parameter.arg for parameter in [*spec.posonlyargs, *spec.args, *spec.kwonlyargs]}


def _with_deep_stack(work: Callable[[], Reading]) -> Reading:
    """Run `work` in a thread whose stack holds deeply nested code."""
    results: list[Reading] = []
    errors: list[BaseException] = []

    def body() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    before = sys.getrecursionlimit()
    size = threading.stack_size(STACK)
    sys.setrecursionlimit(max(before, RECURSION))
    try:
        thread = threading.Thread(target=body)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(size)
        sys.setrecursionlimit(before)
    if errors:
        raise errors[0]
    return results[0]


class _Reader:
    def __init__(self, library: Library, call: Call, training: bool, limits: Limits | None) -> None:
        self.library = library
        self.call = replace(call, offer=True)
        self.training = training
        self.limits = limits or Limits()
        self.settled = False  # which optional arguments are given
        self.sample: Sample | None = None
        self.widths: Mapping[str, int] = {}  # of inputs
        self.silent: frozenset[str] = frozenset()  # places that are told no widths

    def once(self, call: Call, decisions: tuple[bool, ...] = (), overrides: Mapping[str, Data] | None = None) -> Run:
        """One run."""
        opened = frozenset({names.opened_by(call.module)})
        with self.library.footprint.of(), self.library.loaded(opened) as loaded:
            machine = Machine(
                self.library,
                training=self.training,
                decisions=decisions,
                limits=self.limits,
                own_package=call.module,
                loaded=loaded,
                sample=self.sample,
            )
            machine.recorder.widths.inputs = self.widths
            machine.recorder.widths.silent = self.silent
            return run(machine, replace(call, overrides=dict(overrides or {})))

    def read(self, explore: bool) -> Reading:
        first = self.once(self.call)
        if self.sample is None:
            first = self.with_widths(first)
        if not self.settled:
            self.call, first = optional.complete(self.once, self.call, first)
        elif first.error and first.offered:  # a function that builds a model is given no tensor
            without = replace(self.call, offer=False)
            one = self.once(without)
            self.call, first = (without, one) if not one.error else (self.call, first)
        if (first.error and not first.exhausted) or builders.lacks_parts(first):
            self.call, first = self.built(first)
        found: list[tuple[Flags, Run]] = [((), first)]
        if first.machine.taken and not first.exhausted:
            found = self.forks(first)
        settled = len(_distinct(found)) == 1  # no open condition decides anything
        if settled and explore and not first.exhausted:
            found = [((), found[0][1]), *self.flags(first), *self.more_given(first)]
        distinct = _told_apart(_distinct(found))
        alone = len(distinct) == 1
        variants = tuple(
            Variant(
                () if alone else when,
                alone or (settled and not when),
                one.graph,
                tuple(Unread(what, why, span) for (what, why), span in one.machine.notes.unknowns.items()),
                one.error,
                one.error_span,
                one.places,
                one.weights,
                one.tied,
                one.rounds,
                one.reached,
                Ranks(one.graph, one.machine.recorder.kept, one.machine.recorder.ranks),
            )
            for when, one in distinct
        )
        assumptions = sorted({text for _, one in distinct for text in one.machine.notes.assumptions})
        given = sorted(self.call.given & first.optional)
        if self.call.builder is not None:
            assumptions.append(f"it is built as {'.'.join(self.call.builder)} does")
        if self.sample is not None:
            shapes = ", ".join(f"{name} {spelled(dims)}" for name, dims in self.sample.dims.items())
            assumptions.append(f"conditions on sizes are as in one call, of {shapes or 'no tensor'}")
        if given:
            assumptions.append(f"called with {', '.join(given)}, without which layers that are built are not used")
        return Reading(
            first.symbol,
            first.span,
            variants,
            tuple(assumptions),
            tuple(first.machine.notes.consulted.values()),
            self.call.given,
        )

    def with_widths(self, first: Run) -> Run:
        """The run again, where what it found of the sizes of its inputs answers what code asked of them; and with no
        answer at places where there is one for some layers alone."""
        self.widths = first.machine.recorder.widths.found()
        if self.widths:
            first = self.once(self.call)
        for _ in range(MOST_SILENCED):
            uneven = first.machine.recorder.widths.uneven
            if not uneven or first.exhausted:
                break
            self.silent |= uneven
            first = self.once(self.call)
        return first

    def built(self, first: Run) -> tuple[Call, Run]:
        """The class as a function of its package builds it, where more of it is read so; as it was otherwise."""
        for builder in builders.builders(self.library, self.call.module, self.call.symbol):
            call = replace(self.call, builder=builder, given=frozenset())
            try:
                one = self.once(call)
                if not self.settled:
                    call, one = optional.complete(self.once, call, one)
            except TargetError:
                continue  # what the user gives is no argument of the builder
            if not one.error and not builders.lacks_parts(one):
                return call, one
        return self.call, first

    def forks(self, first: Run) -> list[tuple[Flags, Run]]:
        """The runs on both sides of each open condition, breadth first."""
        runs: list[Run] = []
        graphs: set[object] = set()
        waiting: list[tuple[bool, ...]] = [()]
        seen: set[tuple[bool, ...]] = {()}
        while waiting and len(runs) < self.limits.forks:
            decisions = waiting.pop(0)
            one = first if not decisions else self.once(self.call, decisions)
            runs.append(one)
            if _key(one) in graphs:
                continue  # the condition that was turned decides nothing here, nor do those behind it
            graphs.add(_key(one))
            sides = tuple(decision.value for decision in one.machine.taken)
            for at in range(len(decisions), len(sides)):
                other = (*sides[:at], not sides[at])
                if other not in seen:
                    seen.add(other)
                    waiting.append(other)
        # A way on which a constructor refuses what it is given is no way, where there is another.
        finished = [one for one in runs if not one.error] or runs
        finished = [one for one in finished if not one.machine.notes.refused] or finished
        working = [one for one in finished if any(op.reads for op in one.graph.ops)]
        if 0 < len(working) < len(finished):
            working[0].machine.assume(
                "a call that returns at once, and computes nothing, is not what the paper is about"
            )
            finished = working
        found = [(_taken(one), one) for one in finished]
        if waiting:  # a way that was not read may compute anything
            why = f"only {self.limits.forks} of the ways through open conditions were read"
            found.append(((("the rest", True),), replace(first, error=why)))
        return found

    def flags(self, first: Run) -> list[tuple[Flags, Run]]:
        """The runs with one boolean flag the other way round."""
        found: list[tuple[Flags, Run]] = []
        for setting in list(first.machine.notes.consulted.values()):
            if setting.value not in ("True", "False") or setting.name in self.call.arguments:
                continue
            flipped = setting.value == "False"
            one = self.once(self.call, overrides={setting.name: flipped})
            if one.error or one.machine.unused_overrides or _only_gives_more(one, first):
                continue
            found.append((((setting.name, flipped),), one))
            if len(found) >= MOST_FLAGS:
                break
        return found

    def more_given(self, first: Run) -> list[tuple[Flags, Run]]:
        """The runs with one optional argument more, where more weights are used with it: a layer that takes an
        encoder's output builds what attends to it only then."""
        found: list[tuple[Flags, Run]] = []
        names = [name for name in first.machine.notes.tested_for_none if name in first.optional - self.call.given]
        for name in names[:MOST_FLAGS]:
            if name in self.call.arguments:
                continue
            one = self.once(replace(self.call, given=self.call.given | {name}))
            if not one.error and _weights(one) > _weights(first):
                found.append((((name, GIVEN),), one))
        return found


def _only_gives_more(one: Run, first: Run) -> bool:
    """Whether a run computes the same, and only hands out more of what is computed on the way: hidden states."""
    more = len(one.graph.results) > len(first.graph.results) and set(first.graph.results) <= set(one.graph.results)
    return more and _ops_key(one) == _ops_key(first)


def _weights(one: Run) -> int:
    """How many ops hold weights."""
    return sum(op.attr("bias") is not None or op.kind.name == "parameter" for op in one.graph.ops)


def _taken(one: Run) -> Flags:
    return tuple(sorted({decision.flag: decision.value for decision in one.machine.taken}.items()))


def _distinct(
    found: list[tuple[Flags, Run]],
) -> list[tuple[Flags, Run]]:
    """Runs whose graphs differ, the first of each kind."""
    kept: dict[object, tuple[Flags, Run]] = {}
    for when, one in found:
        kept.setdefault(_key(one), (when, one))
    return list(kept.values())


def _told_apart(found: list[tuple[Flags, Run]]) -> list[tuple[Flags, Run]]:
    """Runs named by the conditions in which they part."""
    common = set(found[0][0]).intersection(*(when for when, _ in found)) if len(found) > 1 else set()
    return [(tuple(one for one in when if one not in common), run) for when, run in found]


def _key(one: Run) -> object:
    """Equal for runs that found the same graph."""
    return hash((_ops_key(one), one.graph.results, bool(one.error)))


def _ops_key(one: Run) -> int:
    return hash(tuple((op.path, op.kind.name, op.reads, op.attrs) for op in one.graph.ops))


__all__ = ["Limits", "ModulePlace", "Reading", "Unread", "Variant", "read", "takes_argument"]
