"""The README's tutorial, followed word by word: its files are saved, its commands typed, their output compared."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from archcheck.cli.entry import run

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
TITLE = "## From a figure to a verdict in ten minutes"
TUTORIAL = README.partition(TITLE)[2].partition("\n## ")[0]
FENCES = re.findall(r"^```(yaml|text)\n(.*?)^```$", TUTORIAL, re.MULTILINE | re.DOTALL)
SPEC = "liu2022.yaml"


def agrees(told: list[str], printed: list[str]) -> bool:
    """Whether lines are those that were told, where `...` stands for any."""
    if not told:
        return not printed
    if told[0] == "...":
        return any(agrees(told[1:], printed[at:]) for at in range(len(printed) + 1))
    return bool(printed) and told[0] == printed[0] and agrees(told[1:], printed[1:])


def test_lines_are_compared_with_gaps() -> None:
    assert agrees(["a", "...", "c"], ["a", "b", "b", "c"])
    assert agrees(["...", "c"], ["c"])
    assert not agrees(["a", "...", "c"], ["a", "b", "c", "d"])
    assert not agrees(["a", "c"], ["a", "b", "c"])
    assert not agrees(["a", "..."], [])


def test_the_tutorial_has_files_and_commands() -> None:
    assert [kind for kind, _ in FENCES] == ["yaml", "text", "text", "text", "yaml", "text"]
    assert all(text.startswith("$ archcheck ") for kind, text in FENCES if kind == "text")


@pytest.mark.packages
def test_it_comes_out_as_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    codes = []
    for kind, text in FENCES:
        if kind == "yaml":
            with Path(SPEC).open("a", encoding="utf-8") as file:
                file.write(text)
            continue
        command, *told = text.splitlines()
        codes.append(run(shlex.split(command.removeprefix("$ archcheck "))))
        printed = capsys.readouterr().out.rstrip("\n").splitlines()
        assert agrees(told, printed), "\n".join([command, *printed])
    assert codes == [0, 1, 0, 0]
