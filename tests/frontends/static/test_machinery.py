"""A framework's own machinery is not read where its source is at hand: a model reads the same with it and without."""

from __future__ import annotations

from pathlib import Path

from archcheck.frontends.static.library import Library, Root
from archcheck.frontends.static.reader import Reading, read

MODEL = """
import torch

class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(4, 4)

    def forward(self, x):
        if torch.accelerator.current_accelerator().type == "tpu":
            x = torch.relu(x)
        if torch.device("cpu").index is not None:
            x = torch.tanh(x)
        return self.linear(x)
"""
TORCH = {
    "torch/__init__.py": "import torch._C\nfrom torch import accelerator\nclass device:\n    index = undefined_flag\n",
    "torch/accelerator/__init__.py": "def current_accelerator():\n    return undefined_setting\n",
    "torch/nn/__init__.py": "",
}


def _read(folder: Path, files: dict[str, str]) -> Reading:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return read(Library([Root(folder)]), "model", "Model")


def test_a_model_reads_the_same_whether_or_not_the_framework_is_installed(tmp_path: Path) -> None:
    without = _read(tmp_path / "without", {"model.py": MODEL})
    beside = _read(tmp_path / "beside", {"model.py": MODEL, **TORCH})
    assert [variant.graph for variant in beside.variants] == [variant.graph for variant in without.variants]
    assert beside.assumptions == without.assumptions
    assert not any(variant.error for variant in beside.variants)
