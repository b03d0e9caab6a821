"""Each claim of a spec held against the graphs of a target: verdicts, with findings where they part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from archcheck.align import Edit
from archcheck.describe.regions import Region, layers
from archcheck.findings import (
    Bound,
    ClaimResult,
    Finding,
    Place,
    ReadingResult,
    Variant,
    Verdict,
)
from archcheck.frontends.static.reader import ModulePlace
from archcheck.ir.graph import AttrValue, Op, OpGraph, Unknown
from archcheck.ir.ranks import Ranks, ranked
from archcheck.ir.span import Reached, Span
from archcheck.ir.weights import Initial
from archcheck.judging import given, modes, sharing, statements
from archcheck.judging.asked import Asked
from archcheck.judging.binding import Expected, Form, Target, bind, expectation, fits, is_written
from archcheck.judging.comparison import compared
from archcheck.judging.epsilons import without_zeros
from archcheck.judging.occurrences import Occurrence, places, search
from archcheck.judging.rounds import open_loop
from archcheck.passes import EVALUATED, canonicalise
from archcheck.spec import Block, Claim, Spec, to_graph
from archcheck.spec.formula import Amount

_AXIS = "axis"  # a word without which no claim is about one


@dataclass(frozen=True, slots=True)
class Subject:
    """One variant of the code that is judged, in canonical form."""

    graph: OpGraph
    symbol: str
    span: Span | None
    places: tuple[ModulePlace, ...] = ()
    when: tuple[tuple[str, AttrValue], ...] = ()
    default: bool = True
    error: str = ""  # why reading stopped before the end; then nothing is judged
    error_span: Span | None = None
    weights: tuple[
        tuple[str, str], ...
    ] = ()  # (place of a learned tensor, first place of the same tensor, "" if not known)
    rounds: Mapping[str, Unknown] = field(default_factory=dict)  # ops in loops whose number of rounds is not known
    initial: Mapping[str, Initial] | None = None  # every name of a learned tensor -> its values; None: not instantiated
    reached: Reached = field(default_factory=Reached)  # how code comes to each op
    asked: bool = False  # the user has named it: it is not one class of a file
    ranks: Ranks | None = None  # what is known of how many axes values have
    named: OpGraph | None = None  # the graph with parts under the paper's own words, where some are bound

    @property
    def wired(self) -> OpGraph:
        """The graph in which blocks are looked for."""
        return self.named if self.named is not None else self.graph


def fitting_preset(spec: Spec, place: Callable[[Span], Place], preset: Preset, subject: Subject) -> Preset:
    """The preset whose sizes are those of the code, where the user names none and just one fits; else as given."""
    if preset.name or not spec.presets:
        return preset
    plain = {claim.claim: claim.verdict for claim in Judge(spec, place, preset).variant(subject).claims}
    fitting = []
    for name, _ in spec.presets:
        candidate = replace(preset, name=name)
        found = {claim.claim: claim.verdict for claim in Judge(spec, place, candidate).variant(subject).claims}
        before = Counter(plain[claim] for claim in found)  # of what is stated for this preset
        after = Counter(found.values())
        if after[Verdict.VIOLATED] == before[Verdict.VIOLATED] and after[Verdict.HOLDS] > before[Verdict.HOLDS]:
            fitting.append(candidate)
    return fitting[0] if len(fitting) == 1 else preset


@dataclass(frozen=True, slots=True)
class Preset:
    """What a user says beside the spec: the preset, sizes, and which block is which part of the code."""

    name: str = ""
    sizes: Mapping[str, Amount] = field(default_factory=dict)
    pinned: Mapping[str, str] = field(default_factory=dict)


class Judge:
    """Judges a spec's claims.

    Args:
        spec: the paper's statements.
        place: gives the text of a span's line.
        preset: what the user says beside the spec.
        only: ids of the blocks and claims to judge; empty: all.
        evaluated: whether the code is in eval mode; code in the other mode goes to a judge of its own.
    """

    def __init__(
        self,
        spec: Spec,
        place: Callable[[Span], Place],
        preset: Preset | None = None,
        only: frozenset[str] = frozenset(),
        evaluated: bool = False,
    ) -> None:
        self.spec = spec
        self.place = place
        self.preset = preset or Preset()
        self.only = only
        self.evaluated = evaluated
        self.values = spec.values(self.preset.name, self.preset.sizes)
        self.asked = Asked(spec, self.values)
        self.ranks: Ranks | None = None  # of the code that is being judged
        self._known: dict[tuple[int, str, tuple[tuple[str, Amount], ...], given.Met], tuple[Spec, Expected]] = {}

    @cached_property
    def expected(self) -> dict[str, Expected]:
        """What each block states of code in this mode."""
        return {block.id: self.states(self.spec, block) for block in self.spec.blocks}

    def states(
        self, spec: Spec, block: Block, sizes: Mapping[str, Amount] | None = None, met: given.Met = ()
    ) -> Expected:
        """What a block states, under the sizes that are known, and `sizes` above them; worked out once.

        Args:
            met: what the code has in the place of inputs.
        """
        key = (id(spec), block.id, tuple((sizes or {}).items()), met)
        known = self._known.get(key)
        if known is None:  # the spec is held, so that no other gets its identity
            known = self._known[key] = spec, self._worked_out(spec, block, sizes, met)
        return known[1]

    def written(self, spec: Spec, block: Block) -> OpGraph:
        """What a block states, before any pass."""
        return to_graph(spec, block.id, self.values)

    def _worked_out(self, spec: Spec, block: Block, sizes: Mapping[str, Amount] | None, met: given.Met) -> Expected:
        graph = given.applied(to_graph(spec, block.id, {**self.values, **(sizes or {})}), met)
        if not self.evaluated:
            return expectation(without_zeros(canonicalise(graph)))
        hides = bool(modes.dropouts(graph.ops))
        return replace(expectation(without_zeros(canonicalise(graph, EVALUATED))), hides=hides)

    @cached_property
    def _read(self) -> dict[str, Spec]:
        """The spec with the blocks of each of its readings."""
        return {reading.id: self.spec.reading(reading.id) for reading in self.spec.readings}

    @cached_property
    def other(self) -> Judge:
        """The judge of code in the other mode."""
        return Judge(self.spec, self.place, self.preset, self.only, not self.evaluated)

    def variant(self, subject: Subject) -> Variant:
        """The verdict on every claim for one variant of the code."""
        if modes.is_evaluated(subject.graph) is not self.evaluated:
            return self.other.variant(subject)
        if subject.error:
            return self._unread(subject)
        self.ranks = subject.ranks
        if subject.ranks is not None and any(_AXIS in line for line in self.spec.lines):
            named = None if subject.named is None else ranked(subject.named, subject.ranks)
            subject = replace(subject, graph=ranked(subject.graph, subject.ranks), named=named, ranks=None)
        regions = layers(subject.wired, subject.places, subject.symbol, subject.span)
        taken = {
            block.id: frozenset(
                number
                for number, region in enumerate(regions)
                for other in self.spec.blocks
                if other.id != block.id and self._fits(other, region)
            )
            for block in self.spec.blocks
        }
        found = self._places(subject)
        targets = {block.id: self._bind(block, subject, regions, taken[block.id], found) for block in self.spec.blocks}
        results: list[ClaimResult] = []
        expected: list[tuple[str, OpGraph]] = []
        actual: list[tuple[str, OpGraph]] = []
        for block in self.spec.blocks:
            if self._wanted(block.id) and self._made_for(block):
                results.append(self._wiring(self.spec, block, self.expected[block.id], targets[block.id], subject))
                results += statements.of_block(self, block, targets[block.id], subject)
                if targets[block.id]:
                    expected.append((block.id, self.expected[block.id].graph))
                    actual.append((block.id, targets[block.id][0].graph))
        for claim in self.spec.claims:
            if self._wanted(claim.id) and self._made_for(claim):
                results.append(statements.of_claim(self, claim, targets, subject))
        return Variant(
            subject.when,
            subject.default,
            tuple(results),
            tuple(self._readings(subject, regions, taken)),
            tuple(expected),
            tuple(actual),
        )

    def reached(self, ops: Iterable[Op | None], subject: Subject) -> tuple[Span, ...]:
        """The calls that lead to ops, and those that build their layers."""
        each = [op for op in ops if op is not None]
        return subject.reached.by(inner.path for op in each for inner in op.walk() if inner.span == op.span)

    def _told(self, finding: Finding, subject: Subject) -> Finding:
        """A finding about edits, with how code comes to the ops that it is about."""
        ops = [op for edit in finding.edits for op in _of(edit)]
        return replace(finding, reached=self.reached(ops, subject)) if ops else finding

    def _unread(self, subject: Subject) -> Variant:
        """A graph that was not read to its end shows nothing, whatever the part that was read looks like."""
        stopped = Finding(
            "not-determined",
            Verdict.UNDETERMINED,
            f"{subject.symbol} could not be read to its end: {subject.error}",
            fix="give the arguments that it needs: --arg NAME=EXPR",
            places=(self.place(subject.error_span),) if subject.error_span else (),
        )
        rows: list[Block | Claim] = [*self.spec.blocks, *self.spec.claims]
        results = tuple(
            ClaimResult(
                one.id,
                Verdict.UNDETERMINED,
                one.says,
                one.citation.where,
                one.citation.quote,
                self.place(one.span),
                findings=(stopped,),
                advisory=one.advisory,
            )
            for one in rows
            if self._wanted(one.id) and self._made_for(one)
        )
        return Variant(subject.when, subject.default, results)

    def _wanted(self, id: str) -> bool:
        return not self.only or id in self.only

    def _made_for(self, claim: Claim | Block) -> bool:
        return not claim.presets or not self.preset.name or self.preset.name in claim.presets

    def _fits(self, block: Block, region: Region) -> bool:
        expected = self.expected[block.id]
        return expected.form is Form.LAYER and fits(expected, region)

    def _places(self, subject: Subject) -> dict[str, tuple[Occurrence, ...]]:
        """Where each of several equations is computed, or nearly: of two that a place may be, it is the nearer one."""
        written = [
            block.id
            for block in self.spec.blocks
            if block.id not in self.preset.pinned and is_written(self.expected[block.id])
        ]
        if len(written) < 2:
            return {}
        return {id: places(self.expected[id].whole or self.expected[id].graph, subject.wired) for id in written}

    def _bind(
        self,
        block: Block,
        subject: Subject,
        regions: tuple[Region, ...],
        taken: frozenset[int],
        found: Mapping[str, tuple[Occurrence, ...]],
    ) -> tuple[Target, ...]:
        return bind(
            self.expected[block.id],
            block.id,
            subject.wired,
            regions,
            subject.places,
            subject.symbol,
            self.preset.pinned,
            taken,
            self._is_meant(subject),
            [place for id, each in found.items() if id != block.id for place in each],
        )

    def _is_meant(self, subject: Subject) -> bool:
        """Whether the user names one piece of code, and one block that it can be held against."""
        return subject.asked and sum(self._wanted(block.id) for block in self.spec.blocks) == 1

    def _readings(
        self, subject: Subject, regions: tuple[Region, ...], taken: Mapping[str, frozenset[int]]
    ) -> list[ReadingResult]:
        """Whether the code fulfils the other readings of a figure, judged by the blocks that they replace."""
        found = []
        for reading in self.spec.readings:
            spec = self._read[reading.id]
            verdicts = []
            for block in reading.blocks:
                if not self._wanted(block.id):
                    continue
                expected = self.states(spec, block)
                targets = bind(
                    expected,
                    block.id,
                    subject.wired,
                    regions,
                    subject.places,
                    subject.symbol,
                    self.preset.pinned,
                    taken.get(block.id, frozenset()),
                    self._is_meant(subject),
                )
                verdict = self._wiring(spec, block, expected, targets, subject).verdict
                if modes.differ_in_dropout_alone(expected, self.expected[block.id]):
                    verdict = Verdict.UNDETERMINED
                verdicts.append(verdict)
            if verdicts:
                found.append(ReadingResult(reading.id, reading.says, all_hold(verdicts)))
        return found

    def _wiring(
        self, spec: Spec, block: Block, expected: Expected, targets: tuple[Target, ...], subject: Subject
    ) -> ClaimResult:
        """What a block of `spec` states, held against every part of the code that it is about."""
        findings: list[Finding] = []
        equivalences: set[str] = set()
        parts: list[Bound] = []
        for target in targets:
            parts.append(bound(block.id, target))
            loop = open_loop(target.graph, subject.rounds, whole=expected.form is not Form.LAYER)
            if loop is not None:
                findings.append(self._open(block, target, *loop))
                continue
            found = compared(self, spec, block, expected, target)
            told = [*found.findings, *sharing.within(self, found.stated, found.pairs, subject)]
            findings += [finding for finding in told if finding not in findings]
            equivalences |= found.used
            parts[-1] = replace(parts[-1], equation=found.equation)
        if not targets:
            findings.append(self._not_found(block, expected, subject))
        verdict = worst(finding.verdict for finding in findings)
        return ClaimResult(
            claim=block.id,
            verdict=verdict,
            says=block.says,
            where=block.citation.where,
            quote=block.citation.quote,
            spec=self.place(block.span),
            bound=tuple(parts),
            findings=tuple(self._told(finding, subject) for finding in findings),
            advisory=block.advisory,
            equivalences=tuple(sorted(equivalences)),
        )

    def _open(self, block: Block, target: Target, why: str, span: Span | None) -> Finding:
        return Finding(
            "not-determined",
            Verdict.UNDETERMINED,
            f"whether {target.region.symbol} is {block.id} depends on how often a loop in it runs: {why}",
            fix="give the number: --arg NAME=N",
            places=(self.place(span),) if span is not None else (),
        )

    def _not_found(self, block: Block, expected: Expected, subject: Subject) -> Finding:
        if expected.is_hidden:
            return modes.untold(f"whether the code computes {block.id}")
        spans = [subject.span] if subject.span else []
        if expected.form is Form.LAYER and not is_written(expected):
            why = f"no part of {subject.symbol} has the sublayers {', '.join(expected.kinds)}"
        elif expected.form in (Form.WIRING, Form.LAYER):
            found = search(expected.graph, subject.wired)
            why = found.why or f"no part of {subject.symbol} computes it, or nearly"
            spans = [op.span for op in found.about if op.span is not None] or spans
        else:
            why = f"{subject.symbol} holds no {expected.kind.replace('_', ' ')} that could be read whole"
        return Finding(
            "not-found",
            Verdict.UNDETERMINED,
            f"{block.id} was not found: {why}",
            fix=f"name the part that it is: --bind {block.id}=CLASS",
            places=tuple(map(self.place, spans)),
        )


def bound(block: str, target: Target) -> Bound:
    """Which part of the code a block was held against, as reports show it."""
    region = target.region
    return Bound(
        block,
        region.symbol,
        region.span,
        target.how,
        region.signature,
        None if isinstance(region.repeat, Unknown) else region.repeat,
    )


def _of(edit: Edit) -> Iterable[Op | None]:
    """The ops of the code that an edit is about: where one is missing, those beside it."""
    if edit.actual is None:
        return (edit.before, edit.after)
    return (edit.actual, *(actual for _, actual in edit.also))


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """VIOLATED if any is, else UNDETERMINED if any is, else HOLDS."""
    seen = set(verdicts)
    for verdict in (Verdict.VIOLATED, Verdict.UNDETERMINED):
        if verdict in seen:
            return verdict
    return Verdict.HOLDS


def all_hold(verdicts: list[Verdict]) -> Verdict:
    """For a reading: what could not be found says nothing, unless nothing was found."""
    told = [verdict for verdict in verdicts if verdict is not Verdict.UNDETERMINED]
    return worst(told) if told else Verdict.UNDETERMINED


__all__ = ["Judge", "Preset", "Subject", "bound", "worst"]
