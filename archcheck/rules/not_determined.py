"""What could not be read is said with its reason, and never judged."""

from __future__ import annotations

from collections.abc import Iterator

from archcheck.align.edits import Edit, EditKind
from archcheck.findings import Finding, Place, Verdict
from archcheck.ir.graph import Unknown
from archcheck.ir.span import Span
from archcheck.rules.case import Case, Example
from archcheck.rules.evidence import Told, finding
from archcheck.rules.view import places_of, subject
from archcheck.rules.words import called, listed, sentence, shown_value, times


class NotDetermined:
    """Says what of a claim could not be judged, why, and what would settle it.

    What it checks:
        Whether everything the claim speaks of could be read. A value that depends on an argument which was not given,
        a call into code that is not there, a function that the vocabulary does not know: each is UNDETERMINED, with
        its reason and its line, once for all the places that share the reason.

    Why it matters:
        A checker that takes what it cannot read for agreement reports nothing on the very code that is hardest to
        review. An undetermined claim is neither a pass nor an accusation (bessey2010 tells what both cost).

    Example:
        The paper:  x = attention(x, heads=8)
        Undetermined: heads=config.heads, and no config was given
        Agrees:     heads=8

    What it cannot see:
        Whether the code would agree. Giving the argument that is named (`--arg`), installing or fetching the package
        that the call leads into, or tracing the model (`--trace`) settles it.

    Cites:
        bessey2010.
    """

    id = "not-determined"
    title = "what could not be read, why, and what would settle it"
    examples = (
        Example(
            claim="""
%x = input
self_attention %x heads=8
""",
            code="""
%x = input
self_attention %x heads=8 causal=unknown("config.causal was not given")
""",
            holds=True,
        ),
        Example(
            claim="""
%x = input
self_attention %x heads=8
""",
            code="""
%x = input
self_attention %x heads=unknown("config.heads was not given")
""",
            holds=False,
            message="config.heads was not given",
        ),
    )

    def explain(self, case: Case, edits: tuple[Edit, ...]) -> Iterator[Finding]:
        """One finding for each reason."""
        reasons: dict[tuple[str, Span | None], list[Edit]] = {}
        for edit in edits:
            if edit.kind is EditKind.UNKNOWN:
                reasons.setdefault(_reason(edit), []).append(edit)
        for (why, span), group in reasons.items():
            told = finding(self.id, case, group, _told(why, group), verdict=Verdict.UNDETERMINED)
            yield told if span is None else _at(case, told, span)


def _reason(edit: Edit) -> tuple[str, Span | None]:
    for value in (edit.found, edit.stated):
        if isinstance(value, Unknown):
            return value.why, value.span or subject(edit).span
        if isinstance(value, tuple):
            inner = next((item for item in value if isinstance(item, Unknown)), None)
            if inner is not None:
                return inner.why, inner.span or subject(edit).span
    return "the code does not tell", subject(edit).span


def _what(edit: Edit) -> str:
    op = edit.expected or subject(edit)
    aspect, _, name = edit.aspect.partition(":")
    if aspect == "attr":
        return f"{name} of {called(op)}"
    if aspect == "reads":
        return f"what {called(op)} reads"
    if aspect == "gives":
        return "what comes out"
    if aspect == "body":
        return f"what is inside {called(op)}"
    return f"whether there is a {called(op)}" if edit.expected is not None else f"what {called(op)} computes"


def _told(why: str, edits: list[Edit]) -> Told:
    what = listed(_what(edit) for edit in edits)
    count = sum(places_of(edit) for edit in edits)
    stated = listed(
        f"{edit.aspect.partition(':')[2]} = {shown_value(edit.stated)}"
        for edit in edits
        if edit.aspect.startswith("attr:") and not isinstance(edit.stated, Unknown)
    )
    from_spec = all(isinstance(edit.stated, Unknown) and not isinstance(edit.found, Unknown) for edit in edits)
    if from_spec:
        fix = "give the spec a value for it (its sizes or a preset)"
    else:
        fix = "give the argument that decides it (--arg), or let the code that is called be read"
    return Told(
        f"could not be determined: {what}{times(count)}: {why}",
        sentence(f"the paper states {stated}") if stated else sentence(f"the paper states {what}"),
        sentence(f"it could not be read: {why}"),
        fix,
    )


def _at(case: Case, told: Finding, span: Span) -> Finding:
    """`told` with the place of the reason first."""
    place = case.place(span)
    rest = tuple(other for other in told.places if other.span != span)
    places = (Place(place.span, place.text, place.says or "cannot be read further"), *rest)
    return Finding(
        told.rule,
        told.verdict,
        told.message,
        told.paper,
        told.code,
        told.fix,
        places,
        told.trail,
        told.expected,
        told.actual,
        told.edits,
    )
