"""`archcheck bench`: each outcome of a case, the exit codes, and the list of documented cases itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from archcheck.bench import Lines, Outcome, cases_of, run, source_of
from archcheck.cli.app import app
from archcheck.errors import SpecError
from archcheck.ir.span import Span
from archcheck.spec import load

LIST = Path(__file__).parent / "discrepancies" / "cases.yaml"

MODEL = """\
import torch
from torch import nn


class Gate(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.squeeze = nn.Linear(width, 2)
        self.excite = nn.Linear(2, width)

    def forward(self, x):
        gate = torch.relu(self.squeeze(x))
        return x * torch.tanh(self.excite(gate))


class Unread(nn.Module):
    def forward(self, x):
        return self.nowhere(x)
"""
SIGMOID = "flow: x * sigmoid(linear(relu(linear(x))))"
TANH = "flow: x * tanh(linear(relu(linear(x))))"


def spec(flow: str) -> str:
    return f"archcheck: 1\nid: gated\ntitle: Gated\nblocks:\n  gate:\n    where: Equation 1\n    {flow}\n"


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    (tmp_path / "clones" / "smith+gates@0123456").mkdir(parents=True)
    (tmp_path / "clones" / "smith+gates@0123456" / "model.py").write_text(MODEL)
    (tmp_path / "sigmoid.yaml").write_text(spec(SIGMOID))
    (tmp_path / "tanh.yaml").write_text(spec(TANH))
    return tmp_path


def case(id: str, **own: str) -> str:
    rows = {
        "source": "smith/gates@0123456789",
        "target": "model.py:Gate",
        "spec": "sigmoid.yaml",
        "expects": "departs",
        "where": "['11-13']",
        "bind": "{gate: Gate}",
    } | own
    return f"- id: {id}\n" + "".join(f"  {name}: {value}\n" for name, value in rows.items() if value)


def outcomes(folder: Path, *cases: str) -> list[Outcome]:
    (folder / "cases.yaml").write_text("".join(cases))
    return [one.outcome for one in run(cases_of(folder / "cases.yaml"), folder / "clones").results]


def test_each_outcome(bench: Path) -> None:
    assert outcomes(
        bench,
        case("seen"),
        case("elsewhere", where="['1-3']"),
        case("not-seen", spec="tanh.yaml"),
        case("false-alarm", expects="matches", where=""),
        case("quiet", spec="tanh.yaml", expects="matches", where=""),
        case("undetermined", target="model.py:Unread", bind="{gate: Unread}"),
        case("failed", target="model.py:Nothing"),
        case("absent", source="smith/other@0123456789"),
    ) == [
        Outcome.SEEN,
        Outcome.ELSEWHERE,
        Outcome.NOT_SEEN,
        Outcome.FALSE_ALARM,
        Outcome.QUIET,
        Outcome.UNDETERMINED,
        Outcome.FAILED,
        Outcome.ABSENT,
    ]


def test_what_is_violated_beside_the_claim_is_an_alarm(bench: Path) -> None:
    both = spec(SIGMOID) + "claims:\n  - {id: no-relu, where: Equation 1, absent: relu}\n"
    (bench / "sigmoid.yaml").write_text(both)
    (bench / "cases.yaml").write_text(case("one", claims="[gate]"))
    (result,) = run(cases_of(bench / "cases.yaml"), bench / "clones").results
    assert result.outcome is Outcome.SEEN
    assert [alarm.partition(" at ")[0] for alarm in result.alarms] == ["extra: there is a relu in Gate"]


def test_a_claim_that_the_spec_does_not_make_fails(bench: Path) -> None:
    assert outcomes(bench, case("one", claims="[gates]")) == [Outcome.FAILED]


def command(folder: Path, *more: str) -> tuple[int, str]:
    arguments = ["bench", str(folder / "cases.yaml"), "--sources", str(folder / "clones"), *more]
    found = CliRunner().invoke(app, arguments, standalone_mode=False)
    return found.return_value, found.output


def test_the_command_tells_misses_and_sums(bench: Path) -> None:
    (bench / "cases.yaml").write_text(case("seen") + case("held", spec="tanh.yaml"))
    code, text = command(bench)
    assert code == 1
    assert text == (
        "holds               held: every claim holds\n"
        "\n"
        "departures seen  1 of 2 (50%)\n"
        "false alarms     0 of 2 (0%)\n"
        "undetermined     0 of 2 (0%)\n"
        "departures that hold: 1\n"
    )
    assert command(bench, "--only", "seen")[0] == 0


def test_json_has_every_case(bench: Path) -> None:
    (bench / "cases.yaml").write_text(case("seen") + case("absent", source="smith/other"))
    code, text = command(bench, "--format", "json")
    told = json.loads(text)
    assert code == 0
    assert told["sums"]["departing"] == told["sums"]["seen"] == told["sums"]["absent"] == 1
    assert [(one["id"], one["outcome"]) for one in told["cases"]] == [("seen", "seen"), ("absent", "source absent")]


def test_nothing_judged_has_a_code_of_its_own(bench: Path) -> None:
    (bench / "cases.yaml").write_text(case("absent", source="smith/other"))
    assert command(bench)[0] == 3


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: b\n", "a list of cases is a YAML list"),
        ("- id: a\n", "the case lacks source:"),
        (case("a", expects="perhaps"), "a case departs or matches"),
        (case("a", where=""), "a case that departs says where"),
        (case("a", where="['line 3']"), "this is no place"),
        (case("a", wheer="x"), 'a case has no "wheer"'),
        (case("a", target="model.py"), "a target is FILE:SYMBOL"),
        (case("a", args="[1]"), "write it as NAME: VALUE"),
        (case("a", sizes="{N: many}"), "the size N is not a number"),
        (case("a") + case("a"), "a is listed twice"),
    ],
)
def test_mistakes_in_the_list(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "cases.yaml").write_text(text)
    with pytest.raises(SpecError, match="mistakes") as caught:
        cases_of(tmp_path / "cases.yaml")
    assert problem in str(caught.value.render())


def test_a_clone_at_another_commit_is_absent(tmp_path: Path) -> None:
    (tmp_path / "smith+gates" / ".git" / "refs").mkdir(parents=True)
    (tmp_path / "smith+gates" / ".git" / "HEAD").write_text("ref: refs/main\n")
    (tmp_path / "smith+gates" / ".git" / "refs" / "main").write_text("a" * 40 + "\n")
    assert "is at aaaaaaa" in str(source_of("smith/gates@0123456", tmp_path))
    assert source_of("smith/gates@aaaaaaa", tmp_path) == tmp_path / "smith+gates"


def test_places_are_compared_by_the_end_of_their_paths() -> None:
    lines = Lines("models/gates.py", 3, 5)
    assert lines.hold(Span("clone/models/gates.py", 4))
    assert lines.hold(Span("gates.py", 5))
    assert not lines.hold(Span("clone/models/gates.py", 6))
    assert not lines.hold(Span("other/gates.py", 4))


def test_the_documented_cases_can_be_read() -> None:
    cases = cases_of(LIST)
    assert sum(one.departs for one in cases) == 56
    assert len(cases) == 86
    for one in cases:
        load(one.spec)
