"""The fixtures again, run instead of read: the same verdicts, and the same graph from both witnesses."""

from __future__ import annotations

from pathlib import Path

import pytest
from fixture_cases import Fixture, fixtures
from torch_python import torch_python

from archcheck.errors import ArchcheckError
from archcheck.findings import Report
from archcheck.frontends.targets import parse_target, resolve
from archcheck.frontends.trace.sandbox import Limits
from archcheck.frontends.trace.tracer import Running, Trace, Wanted, trace_many
from archcheck.judging import Preset
from archcheck.pipeline import report_of
from archcheck.spec import load
from archcheck.sweep import Read, Request, of_trace, read_symbol
from archcheck.witnesses import compared, words

Run = tuple[Wanted, Trace | ArchcheckError]
ALL = [one for own, twins in fixtures() if "import torch" in own.source for one in (own, *twins)]


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    return run_all(tmp_path_factory.mktemp("traced"))


def run_all(folder: Path, *, training: bool = True) -> dict[str, Run]:
    """Every fixture that is PyTorch, run in one process, each as a module of its own."""
    python = torch_python()
    wanted = []
    for number, fixture in enumerate(ALL):
        file = folder / f"fixture_{number}.py"
        file.write_text(fixture.source, encoding="utf-8")
        target = resolve(parse_target(f"{file}:{fixture.symbol}"))
        assert target.source is not None
        read = read_symbol(target, target.source.module, target.symbol, _request(fixture, explore=False))
        wanted.append(Wanted(target, target.source.module, target.symbol, read.reading.given, fixture.arguments))
    limits = Limits(wall=600, cpu=600)
    found = trace_many(wanted, Running(python=python, limits=limits), training=training)
    return {fixture.id: (one, trace) for fixture, one, trace in zip(ALL, wanted, found, strict=True)}


def _request(fixture: Fixture, *, explore: bool = True) -> Request:
    return Request("", fixture.arguments, explore=explore, preset=Preset(fixture.preset, fixture.sizes))


def _ran(found: Run) -> Read:
    wanted, trace = found
    assert isinstance(trace, Trace), trace
    assert not trace.recording.error, trace.recording.error
    return of_trace(wanted.target, wanted.symbol, trace)


def judged(fixture: Fixture, run: Run) -> Report:
    """What its spec says of a fixture that was run."""
    spec, block = load(fixture.spec)
    only = frozenset({block.id}) if block is not None else frozenset()
    return report_of(_ran(run), spec, fixture.spec, only, _request(fixture))


@pytest.mark.parametrize("fixture", ALL, ids=lambda fixture: fixture.id)
def test_what_ran_is_judged_as_what_was_read(fixture: Fixture, traced: dict[str, Run]) -> None:
    report = judged(fixture, traced[fixture.id])
    claims = {claim.claim: claim for claim in report.default.claims if claim.claim in fixture.claims}
    assert {name: claim.verdict.value for name, claim in claims.items()} == fixture.claims
    findings = [finding for claim in claims.values() for finding in claim.findings]
    if fixture.rules:
        assert sorted({finding.rule for finding in findings}) == list(fixture.rules)


@pytest.mark.parametrize("fixture", ALL, ids=lambda fixture: fixture.id)
def test_both_witnesses_give_one_graph(fixture: Fixture, traced: dict[str, Run]) -> None:
    wanted, trace = traced[fixture.id]
    ran = _ran(traced[fixture.id])
    assert isinstance(trace, Trace)
    asked = Request("", {**trace.made, **fixture.arguments}, explore=False, given=ran.reading.given)
    read = read_symbol(wanted.target, wanted.module, wanted.symbol, asked)
    edits = compared(read.graphs[0], ran.graphs[0]).edits
    assert [words(edit)[0] for edit in edits if edit.kind.name != "UNKNOWN"] == []
