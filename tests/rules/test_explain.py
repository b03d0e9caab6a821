"""Whatever the aligner finds, each edit ends in exactly one finding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_cases import POST, PRE, case_of, changed

import archcheck.rules
from archcheck.align import Edit
from archcheck.findings import Finding
from archcheck.ir.text import parse
from archcheck.rules import Case, explain

_UNARY = ("layer_norm", "rms_norm", "dropout", "relu", "gelu", "linear", "self_attention", "tanh", "scale", "rope")
_BINARY = ("add", "mul", "sub", "concat", "cross_attention")


@st.composite
def graphs(draw: st.DrawFn) -> str:
    """Small graphs of any wiring."""
    lines = ["%v0 = input"]
    for number in range(1, draw(st.integers(1, 12))):
        reads = [draw(st.integers(max(0, number - 4), number - 1)) for _ in range(2)]
        if draw(st.integers(0, 2)):
            kind = draw(st.sampled_from(_UNARY))
            by = " by=2.0" if kind == "scale" else ""
            lines.append(f"%v{number} = {kind} %v{reads[0]}{by}")
        else:
            lines.append(f"%v{number} = {draw(st.sampled_from(_BINARY))} %v{reads[0]}, %v{reads[1]}")
    return "\n".join([*lines, f"give %v{len(lines) - 1}"])


@given(graphs(), graphs())
@settings(max_examples=150, deadline=None)
def test_each_edit_is_explained_once(claim: str, code: str) -> None:
    case = case_of(parse(claim), parse(code))
    found = explain(case)
    told = Counter(id(edit) for finding in found for edit in finding.edits)
    assert told == Counter(id(edit) for edit in case.alignment.edits)
    assert all(finding.message and finding.paper and finding.code and finding.fix for finding in found)
    assert all(len(finding.expected) == len(finding.actual) for finding in found)


def test_an_edit_that_no_rule_takes_is_a_mistake_of_archcheck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archcheck.rules, "RULES", archcheck.rules.RULES[:1])
    with pytest.raises(AssertionError, match="no rule explains"):
        explain(case_of(parse(POST), parse(PRE)))


def test_an_edit_that_is_explained_twice_is_a_mistake_of_archcheck(monkeypatch: pytest.MonkeyPatch) -> None:
    last = archcheck.rules.RULES[-1]

    class Twice(type(last)):  # type: ignore[misc]
        def explain(self, case: Case, edits: tuple[Edit, ...]) -> Iterator[Finding]:
            yield from super().explain(case, edits)
            yield from super().explain(case, edits)

    monkeypatch.setattr(archcheck.rules, "RULES", (Twice(),))
    with pytest.raises(AssertionError, match="not its own"):
        explain(case_of(parse(POST), parse(changed(POST, ("heads=8", "heads=4")))))
