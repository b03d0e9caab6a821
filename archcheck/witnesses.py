"""Two witnesses of one model: what the static reader reads in its code, and what ran when it was traced.

They share the op vocabulary, the dialect tables with what applies them (how arguments are bound, what a change in place
and a view mean) and the passes: a mistake there is made twice. Which code runs, in which order, with which values and
modules, each finds out by itself: where their graphs agree, neither evaluator nor recorder is the reason for a verdict.
Where they do not, that is told as a finding of its own, and a claim on which they differ is undetermined.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from archcheck.align import Alignment, Edit, EditKind, align
from archcheck.align.agree import EVERYTHING
from archcheck.findings import ClaimResult, Finding, Place, Report, Variant, Verdict
from archcheck.frontends.targets import Target
from archcheck.frontends.trace.tracer import Running, Trace, trace
from archcheck.ir.graph import Op, OpGraph, Unknown
from archcheck.ir.span import Span
from archcheck.sweep import Progress, Read, Request, of_trace, read_symbol

AGREEMENT = "reading-and-running"  # the claim under which it is told
MOST_TOLD = 8  # differences that are told one by one


@dataclass(frozen=True)
class Two:
    """A symbol, read and run.

    Attributes:
        read: by the static reader, with the arguments with which it was run.
        ran: by the tracer.
        alignment: of the graphs; empty where one of them did not come to its end.
    """

    read: Read
    ran: Read
    alignment: Alignment

    @property
    def reads(self) -> tuple[Read, Read]:
        """What was read, and what ran."""
        return self.read, self.ran

    @property
    def stopped(self) -> str:
        """Why there is nothing to hold against each other; "" where there is."""
        if error := self.ran.reading.variants[0].error:
            return error  # it says that running failed
        if error := self.read.reading.variants[0].error:
            return f"reading stopped: {error}"
        return ""

    @property
    def differences(self) -> tuple[Edit, ...]:
        """Where the two part."""
        return tuple(edit for edit in self.alignment.edits if edit.kind is not EditKind.UNKNOWN)

    @property
    def open(self) -> tuple[Edit, ...]:
        """Where one of them does not know what the other saw: an op, what is inside of one, what it reads."""
        unknown = (edit for edit in self.alignment.edits if edit.kind is EditKind.UNKNOWN)
        return tuple(edit for edit in unknown if not _is_of_attribute(edit) and not _is_one_call(edit))

    @property
    def uncompared(self) -> int:
        """How many attributes one of them does not know: sizes that follow from the input's, mostly."""
        return sum(edit.kind is EditKind.UNKNOWN and _is_of_attribute(edit) for edit in self.alignment.edits)


def _is_of_attribute(edit: Edit) -> bool:
    return edit.aspect.startswith("attr:")


def _is_one_call(edit: Edit) -> bool:
    """Whether both saw a call of one function that no dialect lists: what it computes neither says, that it is called
    both do."""
    read, ran = edit.expected, edit.actual
    if read is None or ran is None or not read.kind.name == ran.kind.name == "opaque":
        return False
    return read.attr("name") == ran.attr("name") and len(read.reads) == len(ran.reads)


def both(target: Target, module: str, symbol: str, request: Request, running: Running, progress: Progress) -> Two:
    """A symbol, run, and read with the same arguments.

    Raises:
        TargetError: there is no such symbol.
        TraceError: it cannot be run.
    """
    found = _run(target, module, symbol, request, running, progress)
    ran = of_trace(target, symbol, found)
    same = {**found.made, **request.arguments}
    sample = None if found.recording.error else found.sample  # a call that failed was none
    asked = replace(request, arguments=same, running=None, given=found.reading.given, sample=sample)
    read = read_symbol(target, module, symbol, asked)
    return Two(read, ran, compared(default_graph(read), default_graph(ran)))


def default_graph(one: Read) -> OpGraph:
    """The graph of a symbol as it is without settings of its own."""
    pairs = zip(one.reading.variants, one.graphs, strict=True)
    return next((graph for variant, graph in pairs if variant.default), one.graphs[0])


def _run(target: Target, module: str, symbol: str, request: Request, running: Running, progress: Progress) -> Trace:
    """The symbol, run with what the reader takes it to need, or with what turns out to be enough where that fails."""
    wanted = read_symbol(target, module, symbol, replace(request, running=None, explore=False)).reading.given
    wanted -= running.inputs.keys()
    for given in (tuple(sorted(wanted)), ()) if wanted else ((),):
        asked = replace(running, given=given)
        found = trace(target, module, symbol, request.arguments, asked, training=request.training, progress=progress)
        if not found.recording.error:
            break
    return found


def compared(read: OpGraph, ran: OpGraph) -> Alignment:
    """How what ran departs from what was read; nothing is free, since both are whole."""
    return align(read, ran, closed=EVERYTHING)


def report(two: Two, read: Report, ran: Report, place: Callable[[Span], Place]) -> Report:
    """One report of two.

    Args:
        two: the symbol, read and run.
        read: the report on what was read.
        ran: the report on what ran.
        place: gives a span its line of code.
    """
    by_id = {claim.claim: claim for claim in read.default.claims}
    claims = tuple(_merged(by_id.get(claim.claim), claim) for claim in ran.default.claims)
    default = replace(ran.default, claims=(*claims, _agreement(two, place)))
    others = tuple(variant for variant in read.variants if variant is not read.default)
    return replace(
        read,
        frontend="static and trace",
        variants=(_settled(default), *others),
        assumptions=tuple(dict.fromkeys((*read.assumptions, *ran.assumptions))),
        undetermined=tuple(dict.fromkeys((*read.undetermined, *ran.undetermined))),
        isolation=ran.isolation,
        proofs=ran.proofs,  # by numbers that ran through it
    )


def _settled(variant: Variant) -> Variant:
    return replace(variant, default=True, when=())


def _merged(read: ClaimResult | None, ran: ClaimResult) -> ClaimResult:
    """The verdict of both: one that could not tell leaves it to the other; two that differ leave it open."""
    if read is None or read.verdict is Verdict.UNDETERMINED:
        return ran
    if ran.verdict in (read.verdict, Verdict.UNDETERMINED):
        return read
    message = f"what was read says {read.verdict.name}, what ran says {ran.verdict.name}"
    places = tuple(place for finding in (*read.findings, *ran.findings) for place in finding.places)
    finding = Finding(
        "not-determined",
        Verdict.UNDETERMINED,
        message,
        fix="the assumptions below tell where reading and running may have gone different ways",
        places=places,
    )
    return replace(read, verdict=Verdict.UNDETERMINED, findings=(finding,))


def _agreement(two: Two, place: Callable[[Span], Place]) -> ClaimResult:
    """Whether the two witnesses saw the same graph, as a claim of its own."""
    says = "what was read and what ran are one graph"
    parted = (*two.differences, *two.open)
    if two.stopped:
        failed = two.ran.reading.variants[0]
        fix = "give the call what it needs: --input NAME=SHAPE, --arg NAME=EXPR" if failed.error else _ALONE
        at = (place(failed.error_span),) if failed.error and failed.error_span is not None else ()
        findings: tuple[Finding, ...] = (_told(two.stopped, at, fix),)
    else:
        told = ((message, span) for message, span in map(words, parted[:MOST_TOLD]))
        findings = tuple(_told(message, (place(span),) if span is not None else ()) for message, span in told)
        if len(parted) > MOST_TOLD:
            findings = (*findings, _told(f"{len(parted) - MOST_TOLD} more differences", ()))
    if two.uncompared and not findings:
        says += f", but for {_counted(two.uncompared, 'attribute')} that reading does not tell"
    verdict = Verdict.UNDETERMINED if findings else Verdict.HOLDS
    return ClaimResult(AGREEMENT, verdict, says, findings=findings, advisory=not findings)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


_ALONE = "judge with what ran alone (--trace), or with what was read alone"


def _told(message: str, places: tuple[Place, ...], fix: str = _ALONE) -> Finding:
    return Finding("not-determined", Verdict.UNDETERMINED, message, fix=fix, places=places)


def words(edit: Edit) -> tuple[str, Span | None]:
    """An edit as a sentence about the two witnesses, and where it stands."""
    read, ran = edit.expected, edit.actual
    op = ran if ran is not None else read
    assert op is not None
    name = op.kind.name.replace("_", " ")
    if edit.kind is EditKind.UNKNOWN:
        why = edit.found.why if isinstance(edit.found, Unknown) else "what it reads is not known"
        return f"it is not known whether what was read and what ran are the same here: {why}", op.span
    also = f" ({len(edit.also) + 1} times)" if edit.also else ""
    if read is None:
        return f"{_one(name)} ran that was not read{also}", op.span
    if ran is None and op.kind.name == "opaque":
        return f"what {op.attr('name')} gives was not found out by reading{also}: {_why(op)}", op.span
    if ran is None:
        return f"{_one(name)} was read that did not run{also}", op.span
    if edit.kind is EditKind.MOVED:
        return f"{_one(name)} was read in another place than it ran{also}", op.span
    if edit.aspect == "kind":
        return f"{read.kind.name.replace('_', ' ')} was read where {name} ran{also}", op.span
    if edit.aspect.startswith("attr:"):
        attribute = edit.aspect.removeprefix("attr:").replace("_", " ")
        return f"{attribute} of {name} was read as {edit.stated!r} and was {edit.found!r} when it ran{also}", op.span
    return f"{_one(name)} reads another value when it is read than when it ran{also}", op.span


def _one(name: str) -> str:
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def _why(op: Op) -> str:
    why = op.attr("why")
    return why.why if isinstance(why, Unknown) else str(why)
