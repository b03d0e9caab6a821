"""Claims beyond the wiring of a block: counts, widths, attributes, what is absent or present, paths, weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from archcheck.align.agree import Agreement, values
from archcheck.findings import ClaimResult, Finding, Place, Verdict
from archcheck.ir.graph import AttrValue, Op, OpGraph, Unknown, Value
from archcheck.ir.span import Span
from archcheck.judging import initial, modes, parts, paths, positional, sharing
from archcheck.judging.binding import Target
from archcheck.judging.parts import Targets
from archcheck.spec import Block, Claim
from archcheck.spec.formula import Expression
from archcheck.spec.model import (
    Absent,
    Attributes,
    Citation,
    Count,
    Init,
    OwnWeights,
    Path,
    Pattern,
    Present,
    Repeat,
    SameWeights,
    Stated,
)
from archcheck.spec.problems import Problems

if TYPE_CHECKING:
    from archcheck.judging.judge import Judge, Subject

MOST_PLACES = 3  # at which a count is shown
UNREAD = ("opaque", "function")  # what was not read, and what a paper's own word stands for


def of_block(judge: Judge, block: Block, targets: tuple[Target, ...], subject: Subject) -> Iterator[ClaimResult]:
    """What a block states beside its wiring: how often it stands, and sizes in it."""
    if block.repeat is not None:
        findings = list(_repeats(judge, block.id, block.repeat, {block.id: targets}, subject))
        says = f"{block.id} stands {block.repeat} times in a row"
        yield _result(judge, f"{block.id}.repeat", says, block.citation, findings, block)
    for stated in block.widths:
        findings = [] if targets else [parts.unfound(block.id)]
        for target in targets:
            findings += _stated(judge, stated, _ops_of(stated.what, target), target.region.symbol, subject)
        yield _result(judge, f"{block.id}.{stated.attr}", str(stated), block.citation, _once(findings), block)


def of_claim(judge: Judge, claim: Claim, targets: Targets, subject: Subject) -> ClaimResult:
    """The verdict on one claim."""
    states = claim.states
    if isinstance(states, (Absent, Present)):
        wanted = isinstance(states, Present)
        findings = [f for pattern in states.patterns for f in _presence(judge, pattern, wanted, targets, subject)]
    elif isinstance(states, Attributes):
        findings = [f for stated in states.stated for f in _attribute(judge, stated, targets, subject)]
    elif isinstance(states, Repeat):
        findings = [f for block, amount in states.counts for f in _repeats(judge, block, amount, targets, subject)]
    elif isinstance(states, Count):
        findings = [f for pattern, amount in states.counts for f in _count(judge, pattern, amount, targets, subject)]
    elif isinstance(states, Path):
        findings = _path(judge, states, subject)
    elif isinstance(states, SameWeights):
        findings = sharing.shared(judge, states, subject)
    elif isinstance(states, OwnWeights):
        findings = sharing.own(judge, states, subject)
    elif isinstance(states, Init):
        findings = initial.judged(judge, states, targets, subject)
    return _result(judge, claim.id, claim.says, claim.citation, _once(findings), claim)


def _result(
    judge: Judge, id: str, says: str, citation: Citation, findings: list[Finding], source: Block | Claim
) -> ClaimResult:
    from archcheck.judging.judge import worst

    return ClaimResult(
        claim=id,
        verdict=worst(finding.verdict for finding in findings),
        says=says,
        where=citation.where,
        quote=citation.quote,
        spec=judge.place(source.span),
        findings=tuple(findings),
        advisory=source.advisory,
    )


def _once(findings: list[Finding]) -> list[Finding]:
    return list(dict.fromkeys(findings))


def _spoken(op: Op) -> str:
    """An op's kind as a sentence names it."""
    return op.kind.name.replace("_", " ")


def _is_hidden(judge: Judge, pattern: Pattern) -> bool:
    """Whether a pattern is about what code in eval mode does not show, and the code is in it."""
    return judge.evaluated and modes.is_about_dropout(pattern.what, pattern.where)


def _readers(ops: Iterable[Op]) -> dict[str, list[Op]]:
    """The ops that read each op's value, by its path."""
    found: dict[str, list[Op]] = {}
    for op in ops:
        for value in op.reads:
            found.setdefault(value.op, []).append(op)
    return found


def _value(judge: Judge, stated: Stated) -> AttrValue:
    """The attribute that the spec states, under the sizes that are known."""
    problems = Problems(judge.spec.file, judge.spec.lines)
    found = stated.value.attribute(judge.values, problems)
    problems.raise_any()
    if isinstance(found, str) and not stated.value.is_constant:  # the paper's word for a kind: `activation: swish`
        found = next((term.kind.name for term in judge.spec.terms if term.name == found), found)
    return found


# ---- paths


def _path(judge: Judge, path: Path, subject: Subject) -> list[Finding]:
    """Whether ops stand in the order of a path; of dropouts on it, code in eval mode shows none."""

    def reached(ops: Iterable[Op]) -> tuple[Span, ...]:
        return judge.reached(ops, subject)

    if not judge.evaluated or not modes.is_about_dropout(*path.steps, *path.absent):
        return paths.follow(path, subject.graph, subject.symbol, judge.place, judge.asked, reached)
    shown = modes.shown(path)
    found = (
        paths.follow(shown, subject.graph, subject.symbol, judge.place, judge.asked, reached)
        if shown is not None
        else []
    )
    return found or [modes.untold(f"whether there is a path {path}")]


# ---- counts


def _repeats(judge: Judge, block: str, amount: Expression, targets: Targets, subject: Subject) -> Iterator[Finding]:
    if not targets.get(block):
        yield parts.unfound(block)
    found = targets.get(block, ())
    alone = [target for target in found if target.region.op is None and _periods(judge, block, target) <= 1]
    rows = [target for target in found if target not in alone]
    if len(rows) == 1:  # layers beside the row, which make something for it or are built otherwise, are of the stack
        yield from _repeat(judge, block, amount, rows[0], subject, len(alone))
        return
    for target in found:
        yield from _repeat(judge, block, amount, target, subject)


def _periods(judge: Judge, block: str, target: Target) -> int:
    """How often the sublayers of a block stand in a part of the code that is not repeated."""
    return len(target.region.sublayers) // max(1, len(judge.expected[block].sublayers))


def _repeat(
    judge: Judge, block: str, amount: Expression, target: Target, subject: Subject, beside: int = 0
) -> Iterator[Finding]:
    stated = parts.amount(judge, amount)
    found: AttrValue = target.region.repeat
    open_rounds = next(
        (subject.rounds[op.path] for op in target.region.graph.walk() if op.path in subject.rounds), None
    )
    if open_rounds is not None and target.region.op is None:
        found = open_rounds  # rounds that differ are no repeat, and it is not known how many there are
    periods = _periods(judge, block, target)
    if isinstance(found, int):
        found = found * max(1, periods) + beside
    if target.region.op is None and periods <= 1:
        why = f"{target.region.symbol} is one {block}; how many stand in a row is decided where it is used"
        yield parts.untold(why, parts.AUDIT_THE_HOLDER)
        return
    places = parts.at(judge, target.region.span)
    agreement = values(stated, found)
    if agreement is Agreement.UNKNOWN:
        why = stated.why if isinstance(stated, Unknown) else "the code does not tell the count"
        has = found.why if isinstance(found, Unknown) else found
        message = f"how often {block} stands cannot be compared: {why}; the code has {has}"
        yield parts.untold(message, parts.GIVE_THE_SIZE, places)
    elif agreement is Agreement.DIFFER:
        yield Finding(
            "count",
            Verdict.VIOLATED,
            f"{block} stands {found} times, not {stated}",
            f"The paper has {stated} of them.",
            f"{target.region.symbol} has {found} in a row.",
            f"make it {stated}",
            places,
        )


def _count(judge: Judge, pattern: Pattern, amount: Expression, targets: Targets, subject: Subject) -> Iterator[Finding]:
    if _is_hidden(judge, pattern):
        yield modes.untold(f"how many {pattern} there are")
        return
    graphs = parts.graphs(pattern.where, targets, subject)
    if not graphs:
        yield parts.nowhere(pattern.where, subject)
    if beyond := paths.beyond_kind(pattern.what):
        yield parts.untold(beyond)
        return
    stated = parts.amount(judge, amount)
    for graph in graphs:
        if unread := next((op for op in graph.walk() if op.kind.name in UNREAD), None):
            yield parts.untold(
                f"how many {pattern.what} there are cannot be told: {unread.attr('name')} could not be read"
            )
            continue
        ops, unsure, others = judge.asked.sorted(pattern.what, parts.matching(pattern.what, graph, pattern.where))
        if (
            why := next((subject.rounds[op.path] for op in graph.walk() if op.path in subject.rounds), None)
        ) is not None:
            yield parts.untold(f"how many {pattern.what} there are cannot be told: the code has {why.why}")
            continue
        found = sum(_multiplied(graph, op) for op in ops)
        most = found + sum(_multiplied(graph, op) for op in unsure)
        spans = dict.fromkeys(op.span for op in ops or others if op.span is not None)
        places = tuple(judge.place(span) for span in spans)[:MOST_PLACES] or parts.at(judge, subject.span)
        if isinstance(stated, Unknown):
            message = f"how many {pattern.what} there are cannot be compared: {stated.why}; the code has {found}"
            yield parts.untold(message, parts.GIVE_THE_SIZE, places)
        elif unsure and found <= stated <= most:
            why_open = judge.asked.why_open(pattern.what, unsure[0])
            yield parts.untold(f"how many {pattern.what} there are cannot be told: {why_open}", "", places)
        elif stated != found:
            where = f" in {pattern.where}" if pattern.where else f" in {subject.symbol}"
            yield Finding(
                "count",
                Verdict.VIOLATED,
                f"{found} {pattern.what}{where}, not {stated}",
                f"The paper has {stated}.",
                f"The code has {found}.",
                f"make it {stated}; or, if the code is meant, state {found} in the spec",
                places,
                reached=judge.reached((ops or others)[:MOST_PLACES], subject),
            )


def _multiplied(graph: OpGraph, op: Op) -> int:
    """How often `op` stands, counting the repeats around it."""
    count = 1
    for outer in graph.walk():
        if outer.kind.name == "repeat" and any(inner is op for inner in outer.walk()):
            times = outer.attr("count")
            count *= times if isinstance(times, int) else 1
    return count


# ---- attributes


def _ops_of(pattern: Pattern | None, target: Target) -> list[Op]:
    """The ops that a size of a block is about: the block's own op, or those that a pattern names in it."""
    if pattern is None:
        return [target.region.op] if target.region.op is not None else list(target.graph.ops)
    ops = [target.region.op] if target.region.op is not None else []
    return [op for op in [*ops, *target.graph.walk()] if parts.names(pattern.what, op)]


def _attribute(judge: Judge, stated: Stated, targets: Targets, subject: Subject) -> Iterator[Finding]:
    where = stated.what.where if stated.what else None
    graphs = parts.graphs(where, targets, subject)
    if not graphs:
        yield parts.nowhere(where, subject)
    for graph in graphs:
        ops = list(graph.walk()) if stated.what is None else parts.matching(stated.what.what, graph, where)
        yield from _stated(judge, stated, ops, subject.symbol, subject)


def _stated(judge: Judge, stated: Stated, ops: list[Op], symbol: str, subject: Subject) -> Iterator[Finding]:
    if stated.what is not None and _is_hidden(judge, stated.what):
        yield modes.untold(f"{stated.attr} of {stated.what}")
        return
    amount = _value(judge, stated)
    told = [teller for op in ops for teller in _tellers(op, stated.attr)]
    fades = judge.evaluated and stated.attr == modes.RATE
    if not told:
        of = f"{stated.attr} of {stated.what.what if stated.what else symbol}"
        yield modes.untold(of) if fades else parts.untold(f"{of} is not told by the code")
    for op in told:
        found = op.attr(stated.attr)
        places = parts.at(judge, op.span)
        name = _spoken(op)
        if fades and modes.is_off(op):
            yield modes.untold(f"{stated.attr} of {name}", places)
            continue
        agreement = values(amount, found, stated.attr)
        if agreement is Agreement.UNKNOWN:
            unknown = amount if isinstance(amount, Unknown) else found
            why = unknown.why if isinstance(unknown, Unknown) else "its axes are counted from different ends"
            fix = parts.GIVE_THE_SIZE if isinstance(amount, Unknown) else ""
            yield parts.untold(f"{stated.attr} of {name} cannot be compared: {why}", fix, places)
        elif agreement is Agreement.DIFFER:
            yield Finding(
                "attribute",
                Verdict.VIOLATED,
                f"{stated.attr} of {name} is {found}, not {amount}",
                f"The paper states {stated.attr} = {stated.value} = {amount}.",
                f"The code has {stated.attr} = {found}.",
                f"set {stated.attr} to {amount}",
                places,
                op.because[-1:],
                reached=judge.reached([op], subject),
            )


def _tellers(op: Op, name: str) -> list[Op]:
    """The ops that state an attribute: `op`, or the attentions that a sublayer is made of."""
    if op.states(name) or op.kind.family != "sublayer":
        return [op] if op.states(name) else []
    inner = [one for one in op.body if one.kind.name == "attention"]
    return inner if all(one.states(name) for one in inner) else []


# ---- presence


def _presence(judge: Judge, pattern: Pattern, wanted: bool, targets: Targets, subject: Subject) -> Iterator[Finding]:
    """Whether something stands where a pattern says."""
    if _is_hidden(judge, pattern):
        yield modes.untold(f"whether there is {pattern}")
        return
    if stated := paths.beyond_kind(pattern.what):
        yield parts.untold(stated)
        return
    if positional.is_positional(pattern, subject):
        yield from positional.presence(judge, pattern, wanted, targets, subject)
        return
    if pattern.relation in ("", "in"):
        graphs = parts.graphs(pattern.where, targets, subject)
        if not graphs:
            yield parts.nowhere(pattern.where, subject)
        for graph in graphs:
            yield from _present(
                judge, pattern, wanted, parts.matching(pattern.what, graph, pattern.where), graph, subject
            )
        return
    assert pattern.where is not None
    found = targets.get(pattern.where.block, ())
    if not found:
        yield parts.unfound(str(pattern.where))
    for target in found:
        stands = target.region.op
        if stands is None or not any(op is stands for op in subject.graph.ops):
            yield parts.untold(
                f"what stands {pattern.relation} {pattern.where} is decided where {target.region.symbol} is used",
                parts.AUDIT_THE_HOLDER,
            )
            continue
        near = _after(subject.graph, stands) if pattern.relation == "after" else _before(subject.graph, stands)
        meant = [op for op in near if parts.names(pattern.what, op)]
        yield from _present(judge, pattern, wanted, meant, subject.graph, subject, near)


def _present(
    judge: Judge,
    pattern: Pattern,
    wanted: bool,
    found: list[Op],
    graph: OpGraph,
    subject: Subject,
    near: list[Op] | None = None,
) -> Iterator[Finding]:
    unread = [op for op in (near if near is not None else graph.walk()) if op.kind.name in UNREAD]
    found, unsure, others = judge.asked.sorted(pattern.what, found)
    if not found and unsure:
        why = judge.asked.why_open(pattern.what, unsure[0])
        yield parts.untold(f"whether there is {pattern} cannot be told: {why}", "", parts.at(judge, unsure[0].span))
    elif found and not wanted:
        op = found[0]
        yield Finding(
            "extra",
            Verdict.VIOLATED,
            f"there is a {_spoken(op)} {pattern.relation or 'in'} {pattern.where or subject.symbol}",
            f"The paper has no {pattern}.",
            f"{subject.symbol} computes a {_spoken(op)} there.",
            "take it out, or record the deviation",
            parts.at(judge, op.span),
            op.because[-1:],
            reached=judge.reached([op], subject),
        )
    elif not found and unread:
        yield parts.untold(f"whether there is {pattern} cannot be told: {unread[0].attr('name')} could not be read")
    elif not found and wanted:
        yield Finding(
            "missing",
            Verdict.VIOLATED,
            f"there is no {pattern}",
            f"The paper has {pattern}.",
            f"{subject.symbol} has none.",
            "add it, or record the deviation",
            _shown(judge, others) or parts.at(judge, subject.span),
            reached=judge.reached(others[:MOST_PLACES], subject),
        )


def _shown(judge: Judge, ops: list[Op]) -> tuple[Place, ...]:
    """Places of ops that are almost what a claim speaks of."""
    spans = dict.fromkeys(op.span for op in ops if op.span is not None)
    return tuple(judge.place(span) for span in spans)[:MOST_PLACES]


def _after(graph: OpGraph, op: Op) -> list[Op]:
    """What reads the value of `op`, through ops that change nothing a paper speaks of."""
    users = _readers(graph.ops)
    found: list[Op] = []
    waiting = list(users.get(op.path, ()))
    while waiting:
        one = waiting.pop()
        if one in found:
            continue
        found.append(one)
        if one.kind in paths.SILENT:
            waiting += users.get(one.path, ())
    return found


def _before(graph: OpGraph, op: Op) -> list[Op]:
    """What gives the first value that `op` reads, through ops that change nothing a paper speaks of."""
    by_path = {one.path: one for one in graph.walk()}
    found: list[Op] = []
    waiting: list[Value] = list(op.reads[:1])
    while waiting:
        one = by_path.get(waiting.pop().op)
        if one is None or one in found:
            continue
        found.append(one)
        if one.kind in paths.SILENT:
            waiting += one.reads[:1]
    return found
