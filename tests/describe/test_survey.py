"""A folder at once: every class that holds a layer, and what could not be told, by the number of classes it costs."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from archcheck.cli.app import app

LAYER = """
import torch
from torch import nn
from elsewhere import Strange


class Layer(nn.Module):
    def __init__(self, d=64):
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(d), nn.Linear(d, 256), nn.Linear(256, d)

    def forward(self, x):
        return x + self.down(torch.relu(self.up(self.norm(x))))


class Odd(nn.Module):
    def __init__(self, d=64):
        super().__init__()
        self.norm, self.strange = nn.LayerNorm(d), Strange(d)

    def forward(self, x):
        return x + self.strange(self.norm(x))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(Layer() for _ in range(6))

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class Plain:
    pass
"""


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, arguments, standalone_mode=False)
    assert done.exception is None, done.exception
    return int(done.return_value or 0), done.stdout


def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    for name in ("one", "two"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("")
        (folder / name / "model.py").write_text(LAYER)
    (folder / "two" / "broken.py").write_text("class Broken(:\n    pass\n")
    return folder


def test_each_class_that_holds_a_layer_has_a_line(tmp_path: Path) -> None:
    code, text = run("describe", str(_folder(tmp_path)), "-j1")
    assert code == 0
    assert text.count("  Layer:7\n    ffn n F a\n") == 2
    assert "  Model:25\n    6 x Layer: ffn n F a\n" in text
    assert "  Odd:16  (not all of it was read)\n" in text
    assert "Plain" not in text
    assert "6 classes hold a layer; 4 of them were read whole, 66.7%" in text


def test_reasons_are_listed_by_what_they_cost(tmp_path: Path) -> None:
    _, text = run("describe", str(_folder(tmp_path)), "-j1")
    line = next(line for line in text.splitlines() if "elsewhere.Strange" in line)
    assert line.split()[0] == "2"
    assert "model.py:22:" in line


def test_json_holds_the_descriptions_the_unread_and_the_reasons(tmp_path: Path) -> None:
    code, text = run("describe", str(_folder(tmp_path)), "--format", "json", "-j1")
    data = json.loads(text)
    assert code == 0
    assert len(data["descriptions"]) == 6
    assert [one["class"] for one in data["unread"]] == ["Broken"]
    assert {one["classes"] for one in data["reasons"] if "Strange" in one["why"]} == {2}


def test_processes_change_nothing(tmp_path: Path) -> None:
    folder = str(_folder(tmp_path))
    assert run("describe", folder, "-j1") == run("describe", folder, "-j2")
