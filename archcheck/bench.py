"""A list of cases whose outcome is known, judged as `audit` judges them: what was seen, what was missed and why.

Sources stand in a folder of clones; none of them is imported or run. A departure counts as seen only where a finding
points at the lines that hold it: a violation elsewhere is told, and is a miss.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path, PurePosixPath

from archcheck.errors import ArchcheckError
from archcheck.findings import ClaimResult, Finding, Report, Verdict
from archcheck.ir.span import Span
from archcheck.judging import Preset
from archcheck.pipeline import check
from archcheck.spec import load
from archcheck.spec.guard import read
from archcheck.spec.nodes import Document, Mapping, Node, Scalar, Sequence
from archcheck.spec.problems import did_you_mean, hints
from archcheck.sweep import Progress, Request, silent

_KEYS = ("id", "source", "target", "spec", "expects", "where", "args", "bind", "preset", "sizes", "mode", "claims")
_NEEDED = ("id", "source", "target", "spec", "expects")
_PLACE = re.compile(r"(?:(?P<file>[^:]+):)?(?P<first>\d+)(?:-(?P<last>\d+))?")
_COMMIT = re.compile(r"[0-9a-f]{7,40}")
SHORT = 7  # characters of a commit that the name of a folder needs


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of a file of the source, first and last among them."""

    file: str
    first: int
    last: int

    def hold(self, span: Span) -> bool:
        """Whether `span` begins in these lines. Reports name files from the folder that was read, or a part of it."""
        one, other = PurePosixPath(span.file).parts, PurePosixPath(self.file).parts
        shared = min(len(one), len(other))
        return one[-shared:] == other[-shared:] and self.first <= span.line <= self.last


@dataclass(frozen=True, slots=True)
class Case:
    """One target, one spec, and whether the code is known to depart from it."""

    id: str
    source: str  # OWNER/NAME@COMMIT or PACKAGE==VERSION
    target: str  # FILE:SYMBOL inside the source
    spec: str  # path of the spec, with #block
    departs: bool
    where: tuple[Lines, ...] = ()  # that hold the departure, or set the value that leads to it
    claims: tuple[str, ...] = ()  # those of the spec that it departs from; empty: any
    arguments: tuple[tuple[str, str], ...] = ()
    bindings: tuple[tuple[str, str], ...] = ()
    preset: str = ""
    sizes: tuple[tuple[str, int | float], ...] = ()
    mode: str = "train"


class Outcome(Enum):
    """What became of a case. A departure is SEEN or missed; of code that matches nothing may be told."""

    SEEN = "seen"
    ELSEWHERE = "violated elsewhere"
    NOT_SEEN = "holds"
    FALSE_ALARM = "false alarm"
    QUIET = "quiet"
    UNDETERMINED = "undetermined"
    FAILED = "failed"
    ABSENT = "source absent"


GOOD = (Outcome.SEEN, Outcome.QUIET)


@dataclass(frozen=True, slots=True)
class Result:
    """A case with its outcome, and the sentence that says why; `alarms` are violations of claims that do hold."""

    case: Case
    outcome: Outcome
    why: str = ""
    alarms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tally:
    """What a run adds up to; cases whose source is absent count for nothing."""

    results: tuple[Result, ...]

    def count(self, *outcomes: Outcome, departs: bool | None = None) -> int:
        """How many cases, of those that depart or match, came out so."""
        return sum(one.outcome in outcomes and departs in (None, one.case.departs) for one in self.results)

    def judged(self, departs: bool) -> int:
        """How many cases there were whose source is here."""
        return sum(one.case.departs is departs and one.outcome is not Outcome.ABSENT for one in self.results)

    @property
    def alarms(self) -> int:
        """False alarms: on code that matches, and on claims beside the one that a case departs from."""
        return self.count(Outcome.FALSE_ALARM) + sum(bool(one.alarms) for one in self.results)


# ---- reading the list


def cases_of(path: Path) -> tuple[Case, ...]:
    """The cases that a file lists, in its order.

    Raises:
        ArchcheckError: it cannot be read, or a case is not written as one.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ArchcheckError(f"cannot read the list of cases: {error.strerror}", place=str(path)) from None
    document = read(data, path.as_posix())
    if not isinstance(document.root, Sequence):
        problem, hint = "a list of cases is a YAML list", "- id: ...\n  source: OWNER/NAME@COMMIT"
        raise document.problems.fail(document.root.span, problem, hint)
    found = [_case(document, node, path.parent) for node in document.root.items]
    ids: set[str] = set()
    for case, node in zip(found, document.root.items, strict=True):
        if case is not None and case.id in ids:
            document.problems.add(node.span, f"{case.id} is listed twice")
        ids |= {case.id} if case is not None else set()
    document.problems.raise_any()
    return tuple(case for case in found if case is not None)


def _case(document: Document, node: Node, folder: Path) -> Case | None:
    problems = document.problems
    if not isinstance(node, Mapping):
        problems.add(node.span, "a case is a mapping", f"it has {', '.join(_KEYS)}")
        return None
    for key, _ in node.items:
        if key.text not in _KEYS:
            near = hints(did_you_mean(key.text, _KEYS), f"it has {', '.join(_KEYS)}")
            problems.add(key.span, f'a case has no "{key.text}"', near)
    for name in _NEEDED:
        if not isinstance(node.get(name), Scalar):
            problems.add(node.span, f"the case lacks {name}:", f"a case has {', '.join(_NEEDED)}")
            return None
    words = {name: _text(node.get(name)) for name in (*_NEEDED, "preset", "mode")}
    if words["expects"] not in ("departs", "matches"):
        problems.add(_span(node, "expects"), "a case departs or matches", "expects: departs")
    if words["mode"] not in ("", "train", "eval"):
        problems.add(_span(node, "mode"), "a mode is train or eval")
    departs = words["expects"] == "departs"
    file, _, symbol = words["target"].rpartition(":")
    if not file or not symbol:
        problems.add(_span(node, "target"), "a target is FILE:SYMBOL inside the source")
    where = tuple(lines for one in _list(node.get("where")) if (lines := _lines(document, one, file)) is not None)
    if departs and not where:
        problems.add(node.span, "a case that departs says where", 'where: ["12-20"]')
    return Case(
        words["id"],
        words["source"],
        words["target"],
        _beside(words["spec"], folder),
        departs,
        where,
        tuple(map(_text, _list(node.get("claims")))),
        tuple(_rows(document, node.get("args"))),
        tuple(_rows(document, node.get("bind"))),
        words["preset"],
        tuple(_numbers(document, node.get("sizes"))),
        words["mode"] or "train",
    )


def _text(node: Node | None) -> str:
    return node.text.strip() if isinstance(node, Scalar) else ""


def _span(node: Mapping, name: str) -> Span:
    found = node.get(name)
    return found.span if found is not None else node.span


def _list(node: Node | None) -> tuple[Node, ...]:
    return node.items if isinstance(node, Sequence) else (node,) if node is not None else ()


def _rows(document: Document, node: Node | None) -> Iterator[tuple[str, str]]:
    if node is not None and not isinstance(node, Mapping):
        document.problems.add(node.span, "write it as NAME: VALUE")
        return
    for key, value in node.items if node is not None else ():
        if not isinstance(value, Scalar):
            document.problems.add(value.span, f"{key.text} is no text", "quote it as one: NAME: 'VALUE'")
            continue
        yield key.text, value.text


def _numbers(document: Document, node: Node | None) -> Iterator[tuple[str, int | float]]:
    for key, value in node.items if isinstance(node, Mapping) else ():
        if isinstance(value, Scalar) and isinstance(value.value, (int, float)) and not isinstance(value.value, bool):
            yield key.text, value.value
        else:
            document.problems.add(value.span, f"the size {key.text} is not a number")


def _lines(document: Document, node: Node, file: str) -> Lines | None:
    found = _PLACE.fullmatch(_text(node))
    if found is None:
        document.problems.add(node.span, "this is no place", '"12-20", or "models/other.py:7"')
        return None
    first = int(found["first"])
    return Lines(found["file"] or file, first, int(found["last"] or first))


def _beside(spec: str, folder: Path) -> str:
    """The reference of a spec: a file is looked for beside the list."""
    path, mark, block = spec.partition("#")
    return f"{folder / path}{mark}{block}" if path.endswith((".yaml", ".yml")) else spec


# ---- judging


def run(cases: tuple[Case, ...], sources: Path, progress: Progress = silent) -> Tally:
    """Every case judged, in the order of the list.

    Raises:
        ArchcheckError: there is no such folder, or a spec has mistakes.
    """
    if not sources.is_dir():
        raise ArchcheckError("no such folder", place=str(sources), hint="it holds a folder for each source: OWNER+NAME")
    results = []
    for case in cases:
        progress(case.id)
        results.append(_judged(case, sources))
    return Tally(tuple(results))


def _judged(case: Case, sources: Path) -> Result:
    found = source_of(case.source, sources)
    if isinstance(found, str):
        return Result(case, Outcome.ABSENT, found)
    preset = Preset(case.preset, dict(case.sizes), dict(case.bindings))
    request = Request(
        f"{found / case.target}", dict(case.arguments), case.mode == "train", explore=False, preset=preset
    )
    load(case.spec)  # a mistake in a spec is the user's to mend, and no outcome of a case
    try:
        (report,) = check(request, case.spec)
    except ArchcheckError as error:
        return Result(case, Outcome.FAILED, str(error).splitlines()[0])
    return outcome(case, report)


def source_of(source: str, sources: Path) -> Path | str:
    """The folder of a source, or the sentence that says why there is none.

    A clone is `OWNER+NAME`, or `OWNER+NAME@COMMIT` where there are several; of one that is a repository, the commit
    that is checked out counts, not the name.
    """
    name, _, commit = source.partition("@")
    plain = name.replace("/", "+")
    names = [f"{plain}@{commit}", f"{plain}@{commit[:SHORT]}", plain] if commit else [plain]
    for one in names:
        folder = sources / one
        if folder.is_dir():
            there = _checked_out(folder)
            if there and commit and not there.startswith(commit) and not commit.startswith(there):
                return f"{folder} is at {there[:SHORT]}, and {commit[:SHORT]} is asked for"
            return folder
    return f"{sources} holds no {' or '.join(dict.fromkeys(names[-2:]))}"


def _checked_out(folder: Path) -> str:
    """The commit that a repository has checked out; "" where that cannot be told."""
    try:
        head = (folder / ".git" / "HEAD").read_text("utf-8").strip()
        if head.startswith("ref: "):
            head = (folder / ".git" / head[len("ref: ") :]).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return head if _COMMIT.fullmatch(head) else ""


def outcome(case: Case, report: Report) -> Result:
    """What a report means for a case: the variant that stands when nothing is said."""
    claims = [claim for claim in report.default.claims if not claim.advisory]
    known = {claim.claim for claim in claims}
    if lost := [name for name in case.claims if name not in known]:
        return Result(case, Outcome.FAILED, f"the spec makes no claim {', '.join(lost)}")
    asked = [claim for claim in claims if not case.claims or claim.claim in case.claims]
    beside = [claim for claim in claims if claim not in asked]
    alarms = tuple(_said(finding) for _, finding in _violations(beside))
    found = _violations(asked)
    if not case.departs:
        found += _violations(beside)
        if found:
            return Result(case, Outcome.FALSE_ALARM, _said(found[0][1]))
        return _calm(case, asked, Outcome.QUIET)
    if any(lines.hold(span) for _, finding in found for span in _spans(finding) for lines in case.where):
        return Result(case, Outcome.SEEN, alarms=alarms)
    if found:
        return Result(case, Outcome.ELSEWHERE, _said(found[0][1]), alarms)
    return _calm(case, asked, Outcome.NOT_SEEN, alarms)


def _calm(case: Case, claims: list[ClaimResult], held: Outcome, alarms: tuple[str, ...] = ()) -> Result:
    """The outcome where nothing is violated: that all hold, or what could not be judged."""
    open_ = [finding for claim in claims if claim.verdict is Verdict.UNDETERMINED for finding in claim.findings]
    if open_ or not claims:
        return Result(case, Outcome.UNDETERMINED, _said(open_[0]) if open_ else "nothing is claimed", alarms)
    equal = sorted({name for claim in claims for name in claim.equivalences})
    why = f"equal by {', '.join(equal)}" if equal and case.departs else ""
    return Result(case, held, why, alarms)


def _violations(claims: list[ClaimResult]) -> list[tuple[ClaimResult, Finding]]:
    return [(claim, finding) for claim in claims for finding in claim.findings if finding.verdict is Verdict.VIOLATED]


def _spans(finding: Finding) -> Iterator[Span]:
    """Where a finding points: its places, the calls that lead there, the lines that set the values that led to it."""
    yield from (place.span for place in finding.places)
    yield from finding.reached
    for setting in finding.trail:
        if setting.span is not None:
            yield setting.span
        yield from (step.span for step in setting.trail)


def _said(finding: Finding) -> str:
    at = f" at {finding.places[0].span}" if finding.places else ""
    return f"{finding.rule}: {finding.message}{at}"
