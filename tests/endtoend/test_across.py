"""One architecture in PyTorch, Keras, TensorFlow 1 and Flax: one graph, the same verdicts, a fault told by one rule."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from across_cases import LOST, Case, cases

from archcheck.align import EditKind
from archcheck.findings import Verdict
from archcheck.pipeline import Side, check, comparable, diff, explain_difference, load_side
from archcheck.sweep import Request

ALL = cases()
READ = Request("", explore=False)
EACH = pytest.mark.parametrize(("case", "framework"), [(case, one) for case in ALL for one in case.targets])
OTHERS = pytest.mark.parametrize(
    ("case", "framework"), [(case, one) for case in ALL for one in case.targets if one != "torch"]
)


def pytest_make_parametrize_id(config: pytest.Config, val: object) -> str | None:
    return val.name if isinstance(val, Case) else None


def departures(expected: Side, actual: Side, lost: frozenset[str]) -> list[str]:
    """What differs, and what is not known though the format did not lose it."""
    one, other = comparable(expected, actual)
    alignment, _ = diff(one, other)
    return [
        f"{edit.kind.name} {edit.aspect} {edit.expected and edit.expected.span} {edit.actual and edit.actual.span}"
        for edit in alignment.edits
        if edit.kind is not EditKind.UNKNOWN or edit.aspect.removeprefix("attr:") not in lost
    ]


def opaque(side: Side) -> list[str]:
    return [str(op.attr("why")) for op in side.graph.walk() if op.kind.name == "opaque"]


def test_there_are_as_many_as_were_asked_for() -> None:
    names = {case.name for case in ALL}
    assert names >= {"post_ln", "pre_ln", "sandwich", "parallel", "gated", "rotary", "resnet_v1", "resnet_v15", "unet"}
    assert all({"torch", "keras", "tf1", "linen"} <= case.targets.keys() for case in ALL)
    assert sum("nnx" in case.targets for case in ALL) >= 3


@OTHERS
def test_all_frameworks_give_one_graph(case: Case, framework: str) -> None:
    """In both directions: what the one has and the other lacks is seen in one of them."""
    torch, other = load_side(case.target("torch"), READ), load_side(case.target(framework), READ)
    assert not opaque(torch)
    assert not opaque(other)
    assert departures(torch, other, LOST[framework]) == []
    assert departures(other, torch, LOST[framework]) == []


@pytest.mark.parametrize("framework", ["keras", "tf1", "linen"])
def test_architectures_are_told_apart_across_frameworks(framework: str) -> None:
    """The same comparison, of what is not the same."""
    by_name = {case.name: case for case in ALL}
    pairs = (("sandwich", "parallel"), ("gated", "sandwich"), ("resnet_v1", "resnet_v15"), ("post_ln", "rotary"))
    for one, other in pairs:
        torch, another = (
            load_side(by_name[one].target("torch"), READ),
            load_side(by_name[other].target(framework), READ),
        )
        assert departures(torch, another, LOST[framework]), (one, other)


@EACH
def test_papers_judge_all_frameworks_alike(case: Case, framework: str) -> None:
    for spec, claims in case.verdicts.items():
        (report,) = check(Request(case.target(framework), explore=False), spec)
        found = {claim.claim: claim.verdict.value for claim in report.default.claims if claim.claim in claims}
        assert found == claims, spec


@EACH
def test_a_fault_is_told_by_the_same_rule_in_all_frameworks(case: Case, framework: str, tmp_path: Path) -> None:
    file = tmp_path / f"{framework}_model.py"
    file.write_text(case.faulty(framework), encoding="utf-8")
    ast.parse(file.read_text(encoding="utf-8"))
    torch, faulty = load_side(case.target("torch"), READ), load_side(f"{file}:{case.targets[framework]}", READ)
    assert not opaque(faulty)
    one, other = comparable(torch, faulty)
    findings = explain_difference(one, other, diff(one, other)[0])
    told = sorted({finding.rule for finding in findings if finding.verdict is Verdict.VIOLATED})
    assert told == sorted(case.rules), [(finding.rule, finding.message) for finding in findings]
