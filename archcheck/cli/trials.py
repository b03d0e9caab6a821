"""What `archcheck spec test` prints."""

from __future__ import annotations

import json
from textwrap import wrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archcheck.spec.model import Example
    from archcheck.trials import Trial

    Results = list[tuple[str, str, tuple[Trial, ...]]]  # as named, the spec's id, its trials


def as_text(results: Results) -> str:
    """What each example was found to be, and how many are as expected."""
    lines = []
    for name, id, trials in results:
        lines.append(f"{name}" if name == id else f"{name} ({id})")
        for one in trials:
            given = "".join(f" {name}={value}" for name, value in one.example.arguments)
            lines.append(f"  {'ok   ' if one.as_expected else 'WRONG'}  {one.example.target}{given}")
            if not one.as_expected:
                lines.append(f"         {_expected(one.example)}")
            lines += wrap(one.told, 100, initial_indent=" " * 9, subsequent_indent=" " * 11)
            if not one.as_expected:
                lines.append(f"         listed at {one.example.span}")
        lines.append("")
    found = [one for _, _, each in results for one in each]
    fine = sum(one.as_expected for one in found)
    return "\n".join([*lines, f"{fine} of {len(found)} examples as expected"]) + "\n"


def _expected(example: Example) -> str:
    """What the writer of the spec knows of it."""
    what = "to hold" if example.holds else "to depart"
    of = f"{' in' if example.holds else ' from'} {', '.join(example.of)}" if example.of else ""
    return f"expected {what}{of}" + (f": {example.why}" if example.why else "")


def as_json(results: Results) -> str:
    """All examples with what was found, in their order."""
    trials = [one for _, _, each in results for one in each]
    data = {
        "version": 1,
        "sums": {"examples": len(trials), "as_expected": sum(one.as_expected for one in trials)},
        "specs": [{"name": name, "spec": id, "examples": [_row(one) for one in each]} for name, id, each in results],
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _row(one: Trial) -> dict[str, object]:
    example = one.example
    return {
        "target": example.target,
        "expects": "holds" if example.holds else "departs",
        "of": list(example.of),
        "why": example.why,
        "as_expected": one.as_expected,
        "told": one.told,
        "verdicts": dict(one.verdicts),
        "place": {"file": example.span.file, "line": example.span.line, "column": example.span.column},
    }
