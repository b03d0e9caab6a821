"""A saved program, a trace and the source of a model are one graph, with nothing free; where torch is at hand."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest

from archcheck import pipeline
from archcheck.align import EditKind
from archcheck.frontends.trace.tracer import Running
from archcheck.ir.graph import OpGraph
from archcheck.sweep import Read, Request
from archcheck.witnesses import compared, words

SHAPES = {
    "MLP": {"x": "3x5x8"},
    "Res": {"x": "2x4x8x8"},
    "PreNorm": {"x": "2x7x16"},
    "Manual": {"x": "2x7x16", "mask": "2x1x7x7"},
    "Gated": {"x": "2x7x16"},
    "LM": {"input_ids": "2x7:int64"},
    "Slices": {"x": "2x7x8"},
    "Update": {"x": "2x7x8"},
    "Encoder": {"x": "2x7x16"},
    "Cross": {"x": "7x2x16", "memory": "5x2x16"},
    "Recurrent": {"ids": "2x7:int64"},
    "Norms": {"x": "2x7x8"},
}
DECOMPOSED = ("MLP", "Res", "Manual", "Gated", "Slices", "Norms")  # of the others, too much is spelled out
SAVE = """
import sys, warnings
warnings.simplefilter("ignore")
import torch
from torch.export import Dim, export, save
import saved_models
SHAPES, DECOMPOSED = {shapes!r}, {decomposed!r}
for name, inputs in SHAPES.items():
    given = []
    for text in inputs.values():
        sizes, _, kind = text.partition(":")
        shape = tuple(map(int, sizes.split("x")))
        given.append(torch.ones(shape, dtype=torch.long) if kind else torch.randn(shape))
    given = tuple(given)
    for mode in ("train", "eval"):
        model = getattr(saved_models, name)().train(mode == "train")
        program = export(model, given)
        save(program, f"{{name}}.{{mode}}.pt2")
        save(export(model, given, strict=True), f"{{name}}.{{mode}}.strict.pt2")
        if name in DECOMPOSED:
            save(program.run_decompositions(), f"{{name}}.{{mode}}.decomposed.pt2")
    free = tuple({{0: Dim.AUTO, 1: Dim.AUTO}} for _ in given)
    save(export(getattr(saved_models, name)().train(), given, dynamic_shapes=free), f"{{name}}.train.dynamic.pt2")
"""


@pytest.fixture(scope="module")
def python() -> Path:
    """A Python with torch: this one, or $ARCHCHECK_TORCH_PYTHON."""
    if importlib.util.find_spec("torch") is not None:
        return Path(sys.executable)
    if named := os.environ.get("ARCHCHECK_TORCH_PYTHON"):
        return Path(named)
    return pytest.skip("no torch: ARCHCHECK_TORCH_PYTHON may name its Python")


@pytest.fixture(scope="module")
def saved(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("saved")
    shutil.copy(Path(__file__).with_name("saved_models.py"), folder)
    code = SAVE.format(shapes=SHAPES, decomposed=DECOMPOSED)
    subprocess.run([python, "-c", code], cwd=folder, check=True, timeout=600, capture_output=True)
    with chdir(folder):
        yield folder


def read(target: str, **options: object) -> Read:
    (found,) = pipeline.load_target(Request(target, explore=False, **options))  # type: ignore[arg-type]
    assert not found.reading.variants[0].error
    return found


def differences(one: OpGraph, other: OpGraph) -> list[str]:
    return [words(edit)[0] for edit in compared(one, other).edits if edit.kind is not EditKind.UNKNOWN]


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("name", SHAPES)
def test_what_was_saved_is_what_is_read(saved: Path, name: str, mode: str) -> None:
    source = read(f"saved_models.py:{name}", training=mode == "train").graphs[0]
    files = sorted(path.name for path in saved.glob(f"{name}.{mode}.*"))
    assert len(files) >= 2
    for file in files:
        found = differences(source, read(file).graphs[0])
        if (name, mode) == ("Encoder", "eval"):  # a layer of attention saved in eval mode does not tell its dropout
            found = [one for one in found if not one.startswith("dropout of")]
        assert not found, file


@pytest.mark.parametrize("name", SHAPES)
def test_what_was_saved_is_what_ran(saved: Path, python: Path, name: str) -> None:
    running = Running(python=python, inputs=SHAPES[name])
    ran = read(f"saved_models.py:{name}", running=running)
    assert not differences(ran.graphs[0], read(f"{name}.train.pt2").graphs[0])
    assert {one.path for one in ran.reading.variants[0].places} >= {
        one.path for one in read(f"{name}.train.pt2").reading.variants[0].places
    }


def test_weights_that_are_one_are_told(saved: Path) -> None:
    weights = dict(read("LM.train.pt2").reading.variants[0].weights)
    assert weights["head.weight"] == weights["tok.weight"]


def test_pickled_objects_are_refused(saved: Path, python: Path) -> None:
    code = (
        "import torch; model = torch.nn.Linear(2, 2); torch.save(model, 'm.pt');"
        "torch.save(model.state_dict(), 's.bin');"
        "torch.save(model, 'old.pt', _use_new_zipfile_serialization=False)"
    )
    subprocess.run([python, "-W", "ignore", "-c", code], cwd=saved, check=True, timeout=300, capture_output=True)
    for name in ("m.pt", "s.bin", "old.pt"):
        with pytest.raises(pipeline.ArchcheckError, match="unpickling it would run code"):
            read(name)
