"""`archcheck spec test`: what is as expected, what is not, and what is written wrongly."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from archcheck.cli.app import app
from archcheck.errors import ArchcheckError, SpecError
from archcheck.trials import listed

FIXTURES = Path(__file__).parents[1] / "fixtures"
LISTS = sorted(FIXTURES.glob("*/examples.yaml"))

MODEL = """\
import torch
from torch import nn


class Gate(nn.Module):
    def __init__(self, width=8, bounded=False):
        super().__init__()
        self.squeeze = nn.Linear(width, 2)
        self.excite = nn.Linear(2, width)
        self.squash = torch.tanh if bounded else torch.sigmoid

    def forward(self, x):
        gate = torch.relu(self.squeeze(x))
        return x * self.squash(self.excite(gate))


class Unread(nn.Module):
    def forward(self, x):
        return self.nowhere(x)
"""
SPEC = """\
archcheck: 1
id: gated
title: Gated
sizes: {N: 2}
presets: {small: {M: 3}}
blocks:
  gate:
    where: Equation 1
    flow: x * sigmoid(linear(relu(linear(x))))
claims:
  - {id: no-norm, where: Section 2, absent: norm}
"""


def examples(folder: Path, *rows: str) -> Path:
    """A spec with these examples, beside its code."""
    (folder / "model.py").write_text(MODEL, encoding="utf-8")
    file = folder / "gated.yaml"
    file.write_text(SPEC + "examples:\n" + "".join(f"  - {{{row}}}\n" for row in rows), encoding="utf-8")
    return file


def told(*arguments: str) -> tuple[int, str]:
    """Exit code and output of the command."""
    result = CliRunner().invoke(app, ["spec", "test", *arguments], standalone_mode=False)
    assert result.exception is None, result.output
    return int(result.return_value), result.output


@pytest.mark.parametrize("path", LISTS, ids=[path.parent.name for path in LISTS])
def test_the_examples_of_the_shipped_specs_come_out_as_expected(path: Path) -> None:
    code, output = told(str(path))
    assert code == 0, output
    expected = {example.holds for example in listed(str(path)).examples}
    assert expected == {True, False}


def test_there_are_examples_of_each_paper_that_has_fixtures() -> None:
    assert [path.parent.name for path in LISTS] == sorted(
        {path.parent.parent.name for path in FIXTURES.glob("*/*/expect.yaml")}
    )


@pytest.mark.packages
def test_the_releases_in_a_shipped_spec_come_out_as_expected() -> None:
    code, output = told("vaswani2017")
    assert code == 0, output
    assert output.endswith("2 of 2 examples as expected\n")


def test_each_outcome(tmp_path: Path) -> None:
    tanh = "args: {bounded: true}"
    file = examples(
        tmp_path,
        "target: model.py:Gate, expects: holds",
        "target: model.py:Gate, expects: holds, of: [gate, no-norm]",
        f"target: model.py:Gate, {tanh}, expects: departs, of: gate, why: tanh bounds the gate",
        f"target: model.py:Gate, {tanh}, expects: departs",
        "target: model.py:Gate, expects: departs, of: gate, why: it is no gate",
        f"target: model.py:Gate, {tanh}, expects: holds",
        f"target: model.py:Gate, {tanh}, expects: departs, of: [gate, no-norm]",
        "target: model.py:Unread, expects: holds, of: gate",
        "target: model.py:Unread, expects: departs",
        "target: other.py:Gate, expects: departs",
    )
    code, output = told(str(file))
    assert code == 1
    rows = [line.split()[0] for line in output.splitlines() if line[2:7] in ("ok   ", "WRONG")]
    assert rows == ["ok"] * 4 + ["WRONG"] * 6
    assert "4 of 10 examples as expected\n" in output
    wrong = f"""\
  WRONG  model.py:Gate
         expected to depart from gate: it is no gate
         gate holds
         listed at {listed(str(file)).spec.file}:17:14
"""
    assert wrong in output
    assert "         no-norm holds\n" in output
    assert "gate is undetermined" in output
    assert "it could not be judged" in output


def test_as_data(tmp_path: Path) -> None:
    file = examples(
        tmp_path, "target: model.py:Gate, expects: holds, of: gate", "target: model.py:Gate, expects: departs"
    )
    code, output = told(str(file), "--format", "json")
    assert code == 1
    found = json.loads(output)
    assert found["sums"] == {"examples": 2, "as_expected": 1}
    one, other = found["specs"][0]["examples"]
    assert (one["as_expected"], one["verdicts"], one["of"]) == (True, {"gate": "HOLDS"}, ["gate"])
    assert (other["as_expected"], other["told"], other["place"]["line"]) == (False, "2 claims hold", 14)


def test_a_file_of_its_own_names_its_spec(tmp_path: Path) -> None:
    spec = examples(tmp_path, "target: model.py:Gate, expects: holds")
    (tmp_path / "more").mkdir()
    beside = tmp_path / "more" / "examples.yaml"
    beside.write_text(f"spec: ../{spec.name}\nexamples:\n  - {{target: ../model.py:Gate, expects: holds, of: gate}}\n")
    assert told(str(beside))[0] == 0


def test_yaml_truths_and_numbers_are_pythons(tmp_path: Path) -> None:
    file = examples(
        tmp_path, "target: model.py:Gate, expects: holds, args: {width: 16, flag: true}, sizes: {N: 4}, preset: small"
    )
    (example,) = listed(str(file)).examples
    assert example.arguments == (("width", "16"), ("flag", "True"))
    assert (example.sizes, example.preset) == ((("N", 4),), "small")


@pytest.mark.parametrize(
    ("row", "problem", "hint"),
    [
        ("target: model.py:Gate", '"expects" is missing here', "say what is known of it"),
        ("expects: holds", '"target" is missing here', "the code: target: model.py:Layer"),
        ("target: m.py:A, expects: hold", 'no expectation is called "hold"', 'did you mean "holds"?'),
        ("target: m.py:A, expects: holds, of: gates", 'no claim is called "gates"', 'did you mean "gate"?'),
        ("target: m.py:A, expects: holds, claim: gate", 'there is no key "claim" here', "it may be target"),
        ("target: m.py:A, expects: holds, mode: test", 'no mode is called "test"', "it may be train or eval"),
        ("target: m.py:A, expects: holds, sizes: {n: 2}", 'the spec has no size "n"', 'did you mean "N"?'),
        ("target: m.py:A, expects: holds, preset: tall", 'no preset is called "tall"', 'did you mean "small"?'),
        ("target: m.py:A, expects: holds, args: [a]", "a mapping must stand here", ""),
    ],
)
def test_what_is_written_wrongly(row: str, problem: str, hint: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        listed(str(examples(tmp_path, row)))
    (found,) = caught.value.problems
    assert found.problem == problem
    assert found.hint.startswith(hint)
    assert found.place.startswith(f"{caught.value.problems[0].place.rpartition(':')[0].rpartition(':')[0]}:13")


def test_a_spec_without_examples_says_how_to_list_them(tmp_path: Path) -> None:
    (tmp_path / "gated.yaml").write_text(SPEC, encoding="utf-8")
    with pytest.raises(ArchcheckError, match="gated lists no examples") as caught:
        listed(str(tmp_path / "gated.yaml"))
    assert "target: model.py:Layer, expects: holds" in caught.value.hint
