"""What `--arg` may say beside the module's own words, and what a module is called that no import can name."""

from __future__ import annotations

from pathlib import Path

import pytest

from archcheck.errors import TargetError
from archcheck.frontends.static.entry import Call, run
from archcheck.frontends.static.library import Library
from archcheck.frontends.static.machine import Machine

CODE = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, options, activation):
        super().__init__()
        self.map, self.activation = nn.Linear(options.width, options.width), activation

    def forward(self, x):
        return self.activation(self.map(x))


class Cell(nn.GRUCell):
    def __init__(self, width):
        super().__init__(width, width)
        self.add_module("norm", nn.LayerNorm(width))

    def forward(self, x):
        return self._modules["norm"](nn.functional.linear(x, self.weight_ih))
"""


def kinds(folder: Path, symbol: str, name: str = "model", **arguments: str) -> list[str]:
    path = folder / f"{name}.py"
    path.write_text(CODE)
    library = Library([folder])
    library.file(path)
    found = run(Machine(library), Call(name, symbol, arguments))
    assert not found.error, found.error
    return [op.kind.name for op in found.graph.ops if op.kind.name not in ("input", "parameter")]


@pytest.mark.parametrize("bag", ["Namespace", "SimpleNamespace"])
def test_options_are_a_namespace_that_the_module_does_not_import(tmp_path: Path, bag: str) -> None:
    assert kinds(tmp_path, "Net", options=f"{bag}(width=8)", activation="torch.tanh") == ["linear", "tanh"]


def test_a_function_of_a_library_that_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="not in the sources read"):
        kinds(tmp_path, "Net", options="Namespace(width=8)", activation="torch.no_such_function")


def test_a_file_is_read_whose_name_no_import_can_write(tmp_path: Path) -> None:
    found = kinds(tmp_path, "Net", name="my-model", options="Namespace(width=8)", activation="torch.relu")
    assert found == ["linear", "relu"]


def test_parts_of_a_class_that_extends_a_layer_are_found_by_name(tmp_path: Path) -> None:
    assert kinds(tmp_path, "Cell", width="8") == ["linear", "layer_norm"]
