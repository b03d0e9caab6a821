"""The report for programs: stable JSON, version 1.

Keys are sorted; lists stand in the report's own order, which is the spec's; strings are ASCII with `\\uXXXX` escapes;
what is not known, or does not apply, is `null`. Within version 1 keys are added, never renamed or removed.

The report:

| key | value |
| --- | --- |
| `version` | 1 |
| `target`, `spec`, `title`, `frontend` | strings, as in the text report |
| `isolation` | what stood around the code while it ran; only where it was run |
| `verdict` | of the default variant: "HOLDS", "VIOLATED" or "UNDETERMINED" |
| `counts` | `{"HOLDS", "VIOLATED", "UNDETERMINED"}`: claims of the default variant that are not advisory |
| `variants` | list of `{"when", "default", "verdict", "claims", "readings"}`; `when` maps a flag to its value |
| `not_checked`, `assumptions` | lists of sentences |
| `proofs` | with `--prove`: what recognised formulas are, evaluated on random numbers |
| `undetermined` | list of `{"what", "why", "span"}` |
| `also` | names of other classes of the file in which the same was found, and no more |
| `beside` | other classes of the file that are not what the spec is about: list of `{"what", "why", "span"}` |
| `unjudged` | other classes of the file that could not be judged: such a list |

A claim is `{"claim", "verdict", "advisory", "says", "where", "quote", "spec", "bound", "equivalences", "findings"}`.
`spec` is a place. `bound` lists `{"block", "symbol", "span", "how", "signature", "repeat", "equation"}`; `equation`
lists the lines of what the code computes where the claim is an equation. A finding is `{"rule", "verdict", "message",
"paper", "code", "fix", "places", "trail", "expected", "actual", "edits", "reached"}`; `reached` lists the calls that
lead to the places, and those that build their layers; `expected` and `actual` are aligned lists of tokens with `null`
for a gap. A reading is `{"reading", "says", "verdict"}`.

An edit is `{"kind", "aspect", "expected", "actual", "stated", "found", "why", "before", "after", "also"}`; `why` says
why `stated` or `found` is not known; `also` lists `{"expected", "actual"}` for the other places where it stands. Its
ops are `{"path", "kind", "attrs", "span"}`.

A place is `{"span", "text", "says"}`, a span `{"file", "line", "column", "end_line", "end_column"}` (from 1, the end
exclusive; `end_line` null: the same line, `end_column` null: to the end of that line), a setting of a trail
`{"name", "value", "span", "trail"}` with steps `{"function", "span"}`, outermost call first.

An attribute's value is the JSON value that fits; a tuple is a list, an unknown value `null`, a number that JSON lacks
the string "inf", "-inf" or "nan".

Errors, where there is no report: `{"version": 1, "errors": [{"problem", "file", "line", "column", "excerpt",
"hint"}]}`.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable

from archcheck.align.edits import Edit
from archcheck.errors import ArchcheckError, SpecError
from archcheck.findings import Bound, ClaimResult, Finding, Place, Report, Undetermined, Variant, Verdict, overall
from archcheck.ir.graph import AttrValue, Op, Unknown
from archcheck.ir.span import Setting, Span

VERSION = 1

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


def render(report: Report, *, colour: bool = False) -> str:
    """The report as one JSON document; `colour` changes nothing."""
    del colour
    counted = Counter(claim.verdict for claim in report.default.claims if not claim.advisory)
    return _dump(
        {
            "version": VERSION,
            "target": report.target,
            "spec": report.spec,
            "title": report.title,
            "frontend": report.frontend,
            **({"isolation": report.isolation} if report.isolation else {}),
            "verdict": report.verdict.value,
            "counts": {verdict.value: counted[verdict] for verdict in Verdict},
            "variants": [_variant(variant) for variant in report.variants],
            "not_checked": list(report.not_checked),
            "assumptions": list(report.assumptions),
            "undetermined": _reasons(report.undetermined),
            **({"proofs": list(report.proofs)} if report.proofs else {}),
            "also": list(report.also),
            "beside": _reasons(report.beside),
            "unjudged": _reasons(report.unjudged),
        }
    )


def render_errors(errors: Iterable[ArchcheckError]) -> str:
    """Errors as one JSON document, every mistake of a spec on its own."""
    flat: list[ArchcheckError] = []
    for error in errors:
        flat.extend(error.problems if isinstance(error, SpecError) else (error,))
    return _dump({"version": VERSION, "errors": [_error(error) for error in flat]})


def _dump(document: Json) -> str:
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return text.replace("\x7f", "\\u007f") + "\n"  # the one control character that ASCII output leaves as it is


def _reasons(items: Iterable[Undetermined]) -> Json:
    return [{"what": item.what, "why": item.why, "span": _span(item.span)} for item in items]


def _error(error: ArchcheckError) -> Json:
    head, _, column = error.place.rpartition(":")
    file, _, line = head.rpartition(":")
    if not (file and line.isdecimal() and column.isdecimal()):
        file, line, column = (head, column, "") if head and column.isdecimal() else (error.place, "", "")
    return {
        "problem": error.problem,
        "file": file or None,
        "line": int(line) if line else None,
        "column": int(column) if column else None,
        "excerpt": error.excerpt or None,
        "hint": error.hint or None,
    }


def _variant(variant: Variant) -> Json:
    return {
        "when": {name: _value(value) for name, value in variant.when},
        "default": variant.default,
        "verdict": overall(claim.verdict for claim in variant.claims if not claim.advisory).value,
        "claims": [_claim(claim) for claim in variant.claims],
        "readings": [
            {"reading": reading.reading, "says": reading.says, "verdict": reading.verdict.value}
            for reading in variant.readings
        ],
    }


def _claim(claim: ClaimResult) -> Json:
    return {
        "claim": claim.claim,
        "verdict": claim.verdict.value,
        "advisory": claim.advisory,
        "says": claim.says,
        "where": claim.where or None,
        "quote": claim.quote or None,
        "spec": _place(claim.spec) if claim.spec is not None else None,
        "bound": [_bound(bound) for bound in claim.bound],
        "equivalences": list(claim.equivalences),
        "findings": [_finding(finding) for finding in claim.findings],
    }


def _bound(bound: Bound) -> Json:
    return {
        "block": bound.block,
        "symbol": bound.symbol,
        "span": _span(bound.span),
        "how": bound.how or None,
        "signature": bound.signature or None,
        "equation": list(bound.equation),
        "repeat": bound.repeat,
    }


def _finding(finding: Finding) -> Json:
    return {
        "rule": finding.rule,
        "verdict": finding.verdict.value,
        "message": finding.message,
        "paper": finding.paper or None,
        "code": finding.code or None,
        "fix": finding.fix or None,
        "places": [_place(place) for place in finding.places],
        "trail": [_setting(setting) for setting in finding.trail],
        "expected": [token or None for token in finding.expected],
        "actual": [token or None for token in finding.actual],
        "edits": [_edit(edit) for edit in finding.edits],
        "reached": [_span(span) for span in finding.reached],
    }


def _edit(edit: Edit) -> Json:
    unknown = [side.why for side in (edit.stated, edit.found) if isinstance(side, Unknown)]
    return {
        "kind": edit.kind.value,
        "aspect": edit.aspect or None,
        "expected": _op(edit.expected),
        "actual": _op(edit.actual),
        "stated": _value(edit.stated),
        "found": _value(edit.found),
        "why": "; ".join(unknown) or None,
        "before": _op(edit.before),
        "after": _op(edit.after),
        "also": [{"expected": _op(expected), "actual": _op(actual)} for expected, actual in edit.also],
    }


def _op(op: Op | None) -> Json:
    if op is None:
        return None
    return {
        "path": op.path,
        "kind": op.kind.name,
        "attrs": {attr.name: _value(attr.value) for attr in op.attrs},
        "span": _span(op.span),
    }


def _place(place: Place) -> Json:
    return {"span": _span(place.span), "text": place.text or None, "says": place.says or None}


def _setting(setting: Setting) -> Json:
    return {
        "name": setting.name,
        "value": setting.value,
        "span": _span(setting.span),
        "trail": [{"function": step.function, "span": _span(step.span)} for step in setting.trail],
    }


def _span(span: Span | None) -> Json:
    if span is None:
        return None
    return {
        "file": span.file,
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line or None,
        "end_column": span.end_column or None,
    }


def _value(value: AttrValue) -> Json:
    if isinstance(value, Unknown):
        return None
    if isinstance(value, tuple):
        return [_value(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
