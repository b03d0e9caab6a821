"""What a finding shows beside its words: lines of code and spec, decisive settings, the two sequences."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from archcheck.align.edits import Edit, EditKind
from archcheck.findings import Finding, Place, Verdict
from archcheck.ir.graph import Op
from archcheck.ir.ops import BY_NAME
from archcheck.ir.span import Setting, Span
from archcheck.rules.case import Case
from archcheck.rules.outline import Slot, columns, shown
from archcheck.rules.view import sides
from archcheck.rules.words import listed

_FACTORS = frozenset({"mul", "div", "scale"})  # in an attention that code spells out
_MOST_PLACES = 8  # of code, and as many of the spec: a finding is no listing


@dataclass(frozen=True, slots=True)
class Told:
    """The words of a finding."""

    message: str
    paper: str
    code: str
    fix: str
    spec: str = ""  # what could be stated in the spec instead: "pre-norm"


def finding(
    rule: str,
    case: Case,
    edits: Sequence[Edit],
    told: Told,
    *,
    verdict: Verdict = Verdict.VIOLATED,
    names: bool = False,
    exact: bool = False,
    also: Collection[Op] = (),
) -> Finding:
    """The finding that explains `edits`.

    Args:
        names: settings whose value names what stands there decide, rather than those that say where it stands.
        exact: the sequences name norms by their kind.
        also: further ops of the code whose settings count: the neighbours of what is missing.
    """
    expected, actual = sides(edits)
    settings = decisive(case, actual, names=names)
    settings = _most_precise((*settings, *_around(case, edits, also)))
    left, right = columns(case.view, *shown(case.view, expected, actual), exact=exact)
    if left == right:
        left, right = (), ()  # what differs is no matter of order
    return Finding(
        rule,
        verdict,
        told.message,
        told.paper,
        told.code,
        _fix(told, settings),
        tuple(_places(case, edits, settings)),
        settings,
        left,
        right,
        tuple(edits),
    )


def decisive(case: Case, ops: Iterable[Op], *, names: bool = False) -> tuple[Setting, ...]:
    """The settings that decided about `ops` in particular, the innermost first, each once.

    A setting that decided every op of the graph (a number of layers) tells none from another, nor does one that decided
    the sublayer beside the op too. A setting whose value names the op ("rms" of an RMS norm) says *what* stands there;
    with `names` these are wanted, else the others, which say *where* and *whether*.
    """
    found: dict[Setting, None] = {}
    for op in ops:
        beside = _beside(case, op)
        own = [s for s in reversed(op.because) if s not in case.view.actual.shared]
        own = [s for s in own if s not in beside] or own
        naming = [s for s in own if _names(s, op)]
        wanted = naming if names else [s for s in own if s not in naming]
        found.update(dict.fromkeys(wanted or own))
    return _most_precise(found)


def _most_precise(settings: Iterable[Setting]) -> tuple[Setting, ...]:
    """`settings` without those that only hold others: `hparams` holds `hparams.norm_type`."""
    settings = list(dict.fromkeys(settings))
    names = {setting.name for setting in settings}
    holds = {name for name in names if any(other.startswith((f"{name}.", f"{name}[")) for other in names)}
    return tuple(setting for setting in settings if setting.name not in holds)


def _beside(case: Case, op: Op) -> set[Setting]:
    """The settings of the sublayer to which `op` belongs."""
    unit = case.view.actual_outline.unit(op)
    if unit is None:
        return set()
    return {setting for core in unit.cores if core.path != op.path for setting in core.because}


def _names(setting: Setting, op: Op) -> bool:
    """Whether the value of a setting is a word for the op's kind."""
    value = setting.value.strip("'\"").lower().replace("_", "").replace("-", "")
    stated = [op.kind.name]
    activation = op.attr("activation")
    if isinstance(activation, str) and activation in BY_NAME:
        stated.append(activation)
    words = {word for name in stated for word in (*name.split("_"), name.replace("_", ""), op.kind.family)}
    return len(value) > 1 and any(word and (value == word or value.startswith(word)) for word in words)


def _around(case: Case, edits: Sequence[Edit], also: Collection[Op]) -> tuple[Setting, ...]:
    """The settings that decided what stands where an op of the claim is missing."""
    near = [*also, *(edit.before for edit in edits if edit.actual is None and edit.before is not None)]
    found: dict[Setting, None] = {}
    for op in near:
        step = case.view.actual_outline.at.get(op.path)
        if step is None or step.slot not in (Slot.BEFORE, Slot.OUTPUT, Slot.AFTER, Slot.BEHIND):
            continue
        unit = case.view.actual_outline.unit(op)
        cores = unit.cores if unit is not None else ()
        if any(core.path == op.path for core in cores):
            continue
        found.update(dict.fromkeys(s for s in decisive(case, [op]) if not any(s in c.because for c in cores)))
    return tuple(found)


def _held(case: Case, expected: Op | None) -> Iterator[Op]:
    """What the code has of the inside of an op that it lacks: what stands in a residual that is missing."""
    if expected is None or not expected.body:
        return
    inside = {op.path for op in expected.walk()}
    yield from (found for stated, found in case.alignment.pairs if stated.path in inside and not found.body)


def _fix(told: Told, settings: Sequence[Setting]) -> str:
    words = told.fix
    lines = [f"{s.name} ({_line(s.span)})" for s in settings if s.span is not None]
    given = [s.name for s in settings if s.span is None]
    ways = []
    if lines:
        ways.append(f"change {'the line that sets' if len(lines) == 1 else 'the lines that set'} {listed(lines)}")
    if given:
        ways.append(f"give another {listed(given)}")
    if ways:
        words = f"{words}: {' and '.join(ways)}"
    if told.spec:
        words += f"; or, if the code is meant, state {told.spec} in the spec"
    return words + "."


def _line(span: Span) -> str:
    return f"{PurePosixPath(span.file).name}:{span.line}"


def _places(case: Case, edits: Sequence[Edit], settings: Sequence[Setting]) -> Iterable[Place]:
    """Lines of code first, the decisive settings before the ops; then lines of the spec."""
    code: dict[Span, str] = {}
    spec: dict[Span, str] = {}
    for setting in settings:
        if setting.span is not None:
            code.setdefault(setting.span, f"sets {setting.name} to {setting.value}")
    for edit in edits:
        for expected, actual in ((edit.expected, edit.actual), *edit.also):
            if actual is not None and actual.span is not None:
                code.setdefault(actual.span, "")
            if actual is not None and edit.kind is EditKind.CHANGED and edit.aspect == "attr:scale":
                for inner in actual.walk():
                    if inner.kind.name in _FACTORS and inner.span is not None and inner is not actual:
                        code.setdefault(inner.span, "the factor on the scores")
            if expected is not None and expected.span is not None:
                spec.setdefault(expected.span, "")
        if edit.actual is None:
            beside = (edit.before, edit.after, *_held(case, edit.expected))
            near = next((op for op in beside if op is not None and op.span is not None), None)
            if near is not None and near.span is not None:
                code.setdefault(near.span, "next to it")
    for span, says in (*list(code.items())[:_MOST_PLACES], *list(spec.items())[:_MOST_PLACES]):
        place = case.place(span)
        yield Place(place.span, place.text, place.says or says)
