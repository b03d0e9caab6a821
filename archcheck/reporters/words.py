"""Phrases that several reporters share: counts, places, settings and the flags of a variant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from archcheck.errors import excerpt
from archcheck.findings import ClaimResult, Place, Variant, Verdict
from archcheck.ir.graph import AttrValue, Unknown
from archcheck.ir.span import Setting, Span

_COUNTED = ((Verdict.VIOLATED, "violated"), (Verdict.UNDETERMINED, "undetermined"), (Verdict.HOLDS, "hold"))


def counts(claims: Iterable[ClaimResult]) -> str:
    """How many claims have which verdict: "1 violated, 2 hold; advisory: 1 holds"."""
    claims = tuple(claims)
    parts = [_counts(claim.verdict for claim in claims if claim.advisory is advisory) for advisory in (False, True)]
    return "; advisory: ".join(parts if parts[1] else parts[:1]).removeprefix("; ") or "none"


def _counts(verdicts: Iterable[Verdict]) -> str:
    counted = Counter(verdicts)
    words = [f"{counted[verdict]} {word}" for verdict, word in _COUNTED if counted[verdict]]
    return ", ".join("1 holds" if word == "1 hold" else word for word in words)


def value(found: AttrValue) -> str:
    """An attribute's value as Python prints it; an Unknown says why."""
    if isinstance(found, Unknown):
        return f"unknown ({found.why})"
    if isinstance(found, tuple):
        inner = ", ".join(value(item) for item in found)
        return f"({inner},)" if len(found) == 1 else f"({inner})"
    return repr(found)


def flags(variant: Variant) -> str:
    """The values that make a variant: "norm_first=True, activation='relu'"; "as it stands" for none."""
    return ", ".join(_flag(name, value(found)) for name, found in variant.when) or "as it stands"


def _flag(name: str, found: str) -> str:
    """A condition that no flag decides is shown as code."""
    return f"{name}={found}" if name.replace(".", "").isidentifier() else f"`{name}` is {found}"


def line_of(span: Span) -> str:
    """`file:line`."""
    return f"{span.file}:{span.line}"


def source(place: Place) -> tuple[str, ...]:
    """The excerpt of a place, source line and caret, or nothing where its text is not known."""
    if not place.text.strip():
        return ()
    span = place.span
    one_line = span.end_line in (0, span.line)
    width = (
        span.end_column - span.column if one_line and span.end_column else len(place.text.rstrip()) - span.column + 1
    )
    return tuple(excerpt(place.text, span.line, span.column, max(1, width)).split("\n"))


def set_by(setting: Setting, *, at: Span | None = None) -> str:
    """`name = value, set at file:line, reached by a (line 1) -> b (line 2)`.

    Args:
        setting: a value that decided something.
        at: a place that the reader has just been shown; a setting made on that line does not repeat it.
    """
    words = f"{setting.name} = {setting.value}"
    here = at is not None and same_line(setting.span, at)
    if setting.span is not None and not here:
        words += f", set at {line_of(setting.span)}"
    if setting.trail:
        file = setting.span.file if setting.span is not None else None
        words += ", reached by " + " -> ".join(
            f"{step.function} ({f'line {step.span.line}' if step.span.file == file else line_of(step.span)})"
            for step in setting.trail
        )
    return words


def same_line(span: Span | None, other: Span) -> bool:
    """Whether both begin on one line of one file."""
    return span is not None and (span.file, span.line) == (other.file, other.line)


def sentence_of_variants(variants: tuple[Variant, ...], verdicts: tuple[Verdict, ...]) -> str:
    """ "holds as it stands; violated when norm_first=True or when gated=True"."""
    said = {Verdict.HOLDS: "holds", Verdict.VIOLATED: "violated", Verdict.UNDETERMINED: "undetermined"}
    groups: dict[Verdict, list[str]] = {}
    for variant, verdict in zip(variants, verdicts, strict=True):
        when = f"when {flags(variant)}" if variant.when else flags(variant)
        groups.setdefault(verdict, []).append(when + (", the default" if variant.default and variant.when else ""))
    return "; ".join(f"{said[verdict]} {' or '.join(whens)}" for verdict, whens in groups.items())
