"""One block held against one part of the code: what the rules say of where they part, and what was taken as equal."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from archcheck.align import EVERYTHING, Alignment, align
from archcheck.align.layouts import differ_on_tensors, same_on_tensors
from archcheck.align.meaning import same_function
from archcheck.findings import Finding, Place, Verdict
from archcheck.ir.equivalences import ALGEBRA, GIVEN, MADE, NO_DROPOUT
from archcheck.ir.graph import Op, OpGraph, Unknown
from archcheck.ir.span import Span
from archcheck.judging import given, modes, widths
from archcheck.judging.application import applied
from archcheck.judging.arranged import unshown
from archcheck.judging.binding import BY_OPS, NEARLY, Expected, Form, Target, fits, is_equation, is_written
from archcheck.judging.chain import chained
from archcheck.judging.conditions import made_outside
from archcheck.judging.emptied import zeros_for_inputs
from archcheck.judging.equations import equation, names_of
from archcheck.judging.folds import folds, other_forms
from archcheck.judging.occurrences import is_most, search
from archcheck.judging.rewrites import called, rewritten
from archcheck.judging.streams import streams_alone
from archcheck.judging.unproven import unproven
from archcheck.passes.structure import sublayers
from archcheck.passes.write_out import written_out
from archcheck.rules import explain
from archcheck.rules.case import Case
from archcheck.spec import Block, Spec
from archcheck.spec.model import Flow

if TYPE_CHECKING:
    from archcheck.judging.judge import Judge
    from archcheck.spec.formula import Amount

MOST_WIDTHS = 8  # numbers of the code that are tried for one size


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of it.

    Attributes:
        findings: none where the code does what the block states.
        used: names of the equivalences without which there would be some.
        equation: what the code computes, in the words of a claim that is an equation.
        stated: the claim, as it was compared.
        pairs: ops of it and those of the code that stand for them.
    """

    findings: tuple[Finding, ...]
    used: frozenset[str]
    equation: tuple[str, ...] = ()
    stated: OpGraph = field(default_factory=lambda: OpGraph((), ()))
    pairs: tuple[tuple[Op, Op], ...] = ()

    @property
    def departs(self) -> bool:
        """Whether the code departs from the claim: what is only not known is no departure."""
        return any(finding.verdict is Verdict.VIOLATED for finding in self.findings)


def compared(judge: Judge, spec: Spec, block: Block, expected: Expected, target: Target) -> Comparison:
    """The comparison; of an equation with the one place in the part where it is computed, or nearly, if there is one.

    What else the part computes is then no matter; but of a part that is little more than the equation it is.
    """
    if not target.graph.results:
        return Comparison((_gives_nothing(target, judge.place),), frozenset())
    found = _in_mode(judge, spec, block, expected, target)
    if not found.departs or not is_equation(expected) or target.region.op or target.how in (BY_OPS, NEARLY):
        return found
    stated = expected.whole or expected.graph
    near = search(stated, target.graph)
    if len(near.graphs) != 1 or (near.exact and is_most(stated, target.graph)):
        return found
    (graph,) = near.graphs
    if _words(graph) != _words(target.graph):
        return found
    region = replace(target.region, graph=graph, sublayers=sublayers(graph.ops), op=None)
    narrowed = _in_mode(judge, spec, block, expected, Target(graph, region, target.how))
    return narrowed if narrowed.findings or near.exact else found


def _in_mode(judge: Judge, spec: Spec, block: Block, expected: Expected, target: Target) -> Comparison:
    """The comparison with what a block states of code in this mode: of code in eval mode, no dropout.

    Those that such code has nonetheless may be all that the claim states, or some of them.
    """
    found = _at_any_width(judge, spec, block, expected, target)
    if not (expected.hides and found.used & modes.STILL_THERE) or found.departs:
        return found
    as_stated = _at_any_width(judge.other, spec, block, judge.other.states(spec, block), target)
    if not as_stated.departs:
        return as_stated
    spans = [op.span for op in modes.dropouts(target.graph.ops) if op.span is not None]
    partly = modes.partly_told(target.region.symbol, block.id, tuple(map(judge.place, spans[:1])))
    return replace(found, findings=(*found.findings, partly))


def _at_any_width(judge: Judge, spec: Spec, block: Block, expected: Expected, target: Target) -> Comparison:
    """The comparison at the stated sizes, or at those of the code where less departs then: a size that nobody has
    given is no departure of its own."""
    found = _compared(judge, block, expected, target)
    if found.findings:
        free = not judge.preset.name and not judge.preset.sizes
        for sizes in widths.of_the_code(spec, block, expected.kind, target.graph):
            if not free and not any(isinstance(judge.values.get(name), Unknown) for name in sizes):
                continue
            other = _compared(judge, block, judge.states(spec, block, sizes), target)
            told = {f"{name} = {size}, the code's" for name, size in sizes.items() if isinstance(size, int)}
            other = replace(other, used=other.used | told)
            if not other.departs:
                return other
            if len(other.findings) < len(found.findings) or widths.is_meant(spec, sizes):
                found = other
    if found.findings and not found.departs:
        found = _at_its_widths(judge, spec, block, expected, target, found)
    return _of_what_is_given(judge, spec, block, expected, target, found) if found.departs else found


def _at_its_widths(
    judge: Judge, spec: Spec, block: Block, expected: Expected, target: Target, found: Comparison
) -> Comparison:
    """The comparison with the code's numbers for sizes that the spec leaves open; where none fits in all places, the
    one with which least departs.

    A number is tried where it fits at the place that it was found at: there the claim states the size itself, and not
    a formula in which the size is another number.
    """
    edits = [edit for finding in found.findings for edit in finding.edits]
    sizes: dict[str, Amount] = {}
    for name, numbers in widths.open_sizes(spec, edits).items():
        best: Comparison | None = None
        for number in numbers[:MOST_WIDTHS]:
            other = _compared(judge, block, judge.states(spec, block, {**sizes, name: number}), target)
            if _places(other.findings, number) & _places(found.findings, number):
                continue
            if best is None or len(other.findings) < len(best.findings):
                best, sizes[name] = other, number
        found = best if best is not None else found
    told = {f"{name} = {size}, the code's" for name, size in sizes.items()}
    return replace(found, used=found.used | told)


def _places(findings: Iterable[Finding], number: int) -> set[tuple[str, str]]:
    """Where the code has this number, and the claim another one or one that is not known: aspects of ops."""
    edits = [edit for finding in findings for edit in finding.edits]
    return {(edit.actual.path, edit.aspect) for edit in edits if edit.actual is not None and edit.found == number}


def _of_what_is_given(
    judge: Judge, spec: Spec, block: Block, expected: Expected, target: Target, found: Comparison
) -> Comparison:
    """The comparison with the numbers and weights that code has for a claim's inputs, if it does not depart then."""
    if not isinstance(block.content, Flow):
        return found
    open_still: Comparison | None = None
    for met in given.ways(judge.written(spec, block), target.graph):
        other = _compared(judge, block, judge.states(spec, block, None, met), target)
        if other.departs:
            continue
        other = replace(other, used=other.used | {GIVEN, *given.shown(met)})
        if GIVEN in block.strict or "*" in block.strict:
            return replace(other, findings=(_barred(block, target, {GIVEN}, judge.place),))
        if not other.findings:
            return other
        open_still = open_still or other
    return open_still or found


def _compared(judge: Judge, block: Block, expected: Expected, target: Target) -> Comparison:
    periods = len(target.region.sublayers) // max(1, len(expected.sublayers)) if expected.form is Form.LAYER else 1
    stated = applied(expected, target)
    if periods > 1 and fits(expected, target.region):
        stated = chained(stated, periods)
    closed = EVERYTHING - {what.name for what in block.only} if block.only is not None else frozenset()
    used = {NO_DROPOUT} if judge.evaluated and (expected.hides or closed & modes.FREE) else set()
    if expected.hides:
        closed -= modes.FREE
    actual = streams_alone(target.graph) if expected.form is Form.LAYER else target.graph
    alignment = align(stated, actual, closed=closed)
    forms = list(other_forms(stated, actual)) if alignment.edits else []
    if alignment.edits and expected.whole is not None and target.region.op is None:
        forms.append((expected.whole, actual))  # a part that is more than the sublayer alone
    for other, code in forms:
        if len((told := align(other, code, closed=closed)).edits) < len(alignment.edits):
            stated, actual, alignment = other, code, told
    made = False
    while alignment.edits and (taken := made_outside(stated, actual, alignment)) is not None:
        if len((told := align(stated, taken, closed=closed)).edits) >= len(alignment.edits):
            break
        actual, alignment, made = taken, told, True
    if alignment.edits and is_equation(expected):  # what counts is what is computed, not which sublayers it makes up
        other, code = written_out(stated), written_out(actual)
        if len((told := align(other, code, closed=closed)).edits) <= len(alignment.edits):
            stated, actual, alignment = other, code, told
    used |= {*alignment.equivalences, *folds(alignment, actual), *([MADE] if made else [])}
    same = not alignment.edits or same_function(stated, actual, alignment, closed=closed)
    tensors = alignment.edits and not same and not closed and is_equation(expected)
    if alignment.edits and (same or (tensors and same_on_tensors(stated, actual, alignment, judge.ranks))):
        alignment = replace(alignment, edits=())
        used.add(ALGEBRA)
    unsure = target.form.unsure if target.form is not None else ()
    used |= target.form.used if target.form is not None else frozenset()
    if alignment.edits:
        words = _in_other_words(stated, actual, alignment, closed)
        if is_equation(expected) or not words[2].edits:  # of layers, rules tell more than an equation does
            stated, actual, alignment, other_used, unsure = words
            used |= other_used
    if judge.evaluated:
        alignment, off = modes.without_rates(alignment)
        used |= off
    case = Case(block.id, block.says, target.region.symbol, stated, actual, alignment, judge.place)
    findings = explain(case)
    findings = unshown(
        findings,
        judge.place,
        lambda: bool(tensors) and differ_on_tensors(stated, actual, alignment, judge.ranks),
    )
    lines: tuple[str, ...] = ()
    if findings and is_written(expected):
        lines = equation(stated, actual, alignment, names_of(block))
        if lines:  # which shows what is where: a sequence of the ops would say less
            findings = tuple(replace(finding, expected=(), actual=()) for finding in findings)
    if unsure and not findings:
        findings = tuple(_not_last(op, judge.place) for op in unsure)
    if findings and is_written(expected) and (rests := unproven(written_out(actual), alignment)):
        findings = tuple(_not_proven(op, block.id, judge.place) for op in rests[:1])
    if unplayed := _unplayed(stated, actual, alignment):
        findings = tuple(_not_told(word, op, judge.place) for word, op in unplayed.items())
    if not findings and (empty := zeros_for_inputs(stated, alignment, target.graph, block.id, judge.place)):
        findings = (empty,)
    barred = used if "*" in block.strict else used & set(block.strict)
    if barred == {NO_DROPOUT} and not findings:
        findings = (modes.untold(f"whether {target.region.symbol} is {block.id}, whose claim is strict,"),)
    barred -= {NO_DROPOUT}
    if barred and not findings:
        findings = (_barred(block, target, barred, judge.place),)
    pairs = alignment.pairs if periods == 1 else ()  # whether layers share their weights is no matter of one layer
    return Comparison(findings, frozenset(used), lines, stated, pairs)


def _in_other_words(
    stated: OpGraph, actual: OpGraph, alignment: Alignment, closed: frozenset[str]
) -> tuple[OpGraph, OpGraph, Alignment, set[str], tuple[Op, ...]]:
    """What is compared, in the spelling of the code in which least of it differs from the claim, if that is less."""
    claim = written_out(stated)
    best = stated, actual, alignment, set[str](), tuple[Op, ...]()
    for form in rewritten(claim, written_out(actual)):
        told = align(claim, form.graph, closed=closed)
        used = {*form.used, *told.equivalences}
        if told.edits and any(same_function(claim, code, told, closed=closed) for code in called(claim, form.graph)):
            told, used = replace(told, edits=()), used | {ALGEBRA}
        if len(told.edits) < len(best[2].edits):
            best = claim, form.graph, told, used, form.unsure
        if not told.edits:
            break
    return best


def _gives_nothing(target: Target, place: Callable[[Span], Place]) -> Finding:
    return Finding(
        "not-determined",
        Verdict.UNDETERMINED,
        f"{target.region.symbol} gives nothing that is computed: no tensor comes out of what was read",
        fix="name the function or the class that computes it",
        places=(place(target.region.span),) if target.region.span is not None else (),
    )


def _not_last(op: Op, place: Callable[[Span], Place]) -> Finding:
    return Finding(
        "not-determined",
        Verdict.UNDETERMINED,
        f"whether axis {op.attr('axis')} of what is joined is that of the features, which the map reads, is not known",
        fix="join along axis -1; or name a part that makes the tensors, so that their axes are known",
        places=(place(op.span),) if op.span is not None else (),
    )


def _not_proven(op: Op, block: str, place: Callable[[Span], Place]) -> Finding:
    return Finding(
        "not-determined",
        Verdict.UNDETERMINED,
        f"whether {op.kind.name.replace('_', ' ')} is what {block} states rests on how many axes, and how many "
        "entries, its operands have, which is not known",
        fix="name a part that makes the tensors, or give the sizes: --arg NAME=N",
        places=(place(op.span),) if op.span is not None else (),
    )


def _barred(block: Block, target: Target, barred: Iterable[str], place: Callable[[Span], Place]) -> Finding:
    """What is said where code fulfils a claim by an equivalence that the claim rules out."""
    strict = block.strict
    ruled = "no two forms count as one" if "*" in strict else f"{', '.join(strict)} does not make two forms one"
    return Finding(
        "strict",
        Verdict.VIOLATED,
        f"equal only by {', '.join(sorted(barred))}, which the claim rules out",
        f"The claim is strict: {ruled}.",
        f"{target.region.symbol} computes the same numbers in another form.",
        "write the code in the paper's form; or, if the form does not matter, take `strict` from the claim",
        places=(place(target.region.span),) if target.region.span else (),
    )


def _unplayed(stated: OpGraph, actual: OpGraph, alignment: Alignment) -> dict[str, Op]:
    """The paper's own words of which no part of the code is known to be one: nothing can be said of what they name."""
    known = _words(actual)
    met = {one.path for one, other in alignment.pairs if other.kind.name in ("function", "opaque")}
    asked = {str(op.attr("name")): op for op in stated.walk() if op.kind.name == "function" and op.path not in met}
    return {word: op for word, op in asked.items() if word not in known}


def _words(graph: OpGraph) -> set[object]:
    """The paper's own words that stand in the code."""
    return {op.attr("name") for op in graph.walk() if op.kind.name == "function"}


def _not_told(word: str, op: Op, place: Callable[[Span], Place]) -> Finding:
    return Finding(
        "not-determined",
        Verdict.UNDETERMINED,
        f"which part of the code is {word} is not told",
        fix=f"name it: --bind {word}=CLASS, or a place in the module tree",
        places=(place(op.span),) if op.span is not None else (),
    )
