"""A script or a trace that was saved and a model's source are one graph, with nothing free; where torch is at hand."""

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
from archcheck.describe.description import describe_variants
from archcheck.errors import ArchcheckError
from archcheck.frontends.trace.tracer import Running
from archcheck.sweep import Read, Request
from archcheck.witnesses import compared, words

SHAPES = {
    "PostNorm": ["2x7x16"],
    "PreNorm": ["2x7x16"],
    "Encoder": ["2x7x16"],
    "Gated": ["2x7x16"],
    "Rotary": ["2x7x16"],
    "ResNet": ["2x3x32x32"],
    "UNet": ["2x3x16x16"],
    "Cell": ["2x8", "2x12", "2x12"],
    "Grouped": ["2x3x8x8"],
    "Experts": ["2x7x8"],
    "Tied": ["2x7:int64"],
    "Switched": ["2x7x8"],
    "Cross": ["7x2x16", "5x2x16"],
    "Recurrent": ["2x7:int64"],
    "Update": ["2x7x8"],
    "Masked": ["2x7x16"],
}
SAVE = """
import sys, warnings
warnings.simplefilter("ignore")
import torch
import scripted_models
for name, inputs in {shapes!r}.items():
    given = []
    for text in inputs:
        sizes, _, kind = text.partition(":")
        shape = tuple(map(int, sizes.split("x")))
        given.append(torch.ones(shape, dtype=torch.long) if kind else torch.randn(shape))
    for mode in ("train", "eval"):
        model = getattr(scripted_models, name)().train(mode == "train")
        torch.jit.save(torch.jit.script(model), f"{{name}}.{{mode}}.scripted.pt")
        torch.jit.save(torch.jit.trace(model, tuple(given), check_trace=False), f"{{name}}.{{mode}}.traced.pt")
model = scripted_models.ResNet().train()
model.norm.eval()
torch.jit.script(model).save("frozen.pt")
torch.save(model.state_dict(), "weights.pt")
torch.save(model, "pickled.pt")
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
    shutil.copy(Path(__file__).with_name("scripted_models.py"), folder)
    subprocess.run([python, "-c", SAVE.format(shapes=SHAPES)], cwd=folder, check=True, timeout=600, capture_output=True)
    with chdir(folder):
        yield folder


def read(target: str, *, training: bool = True, **options: object) -> Read:
    (found,) = pipeline.load_target(Request(target, explore=False, training=training, **options))  # type: ignore[arg-type]
    assert not found.reading.variants[0].error
    return found


def differences(one: Read, other: Read) -> list[str]:
    return [
        words(edit)[0] for edit in compared(one.graphs[0], other.graphs[0]).edits if edit.kind is not EditKind.UNKNOWN
    ]


@pytest.mark.parametrize("how", ["scripted", "traced"])
@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("name", SHAPES)
def test_what_was_saved_is_what_is_read(saved: Path, name: str, mode: str, how: str) -> None:
    source = read(f"scripted_models.py:{name}", training=mode == "train")
    found = read(f"{name}.{mode}.{how}.pt", training=mode == "train")
    assert found.graphs[0].origin.frontend == "torch_script"
    assert found.graphs[0].origin.mode == mode
    assert len(found.reading.variants) == 1
    parts = differences(source, found)
    if (mode, how) == ("eval", "traced"):  # a trace of an attention in eval mode does not tell its dropout
        parts = [one for one in parts if not one.startswith("dropout of")]
    assert not parts


@pytest.mark.parametrize("how", ["scripted", "traced"])
@pytest.mark.parametrize("name", SHAPES)
def test_what_was_saved_is_what_ran(saved: Path, python: Path, name: str, how: str) -> None:
    names = {"Tied": ["ids"], "Recurrent": ["ids"], "Cell": ["x", "h", "c"], "Cross": ["x", "memory"]}.get(name, ["x"])
    running = Running(python=python, inputs=dict(zip(names, SHAPES[name], strict=True)))
    ran = read(f"scripted_models.py:{name}", running=running)
    assert not differences(ran, read(f"{name}.train.{how}.pt"))


def test_a_script_is_read_in_the_mode_that_is_asked_for(saved: Path) -> None:
    kinds = {
        mode: {op.kind.name for op in read("Switched.eval.scripted.pt", training=mode == "train").graphs[0].walk()}
        for mode in ("train", "eval")
    }
    assert kinds["train"] - kinds["eval"] == {"dropout"}


def test_a_trace_stays_in_its_mode_and_says_so(saved: Path) -> None:
    found = read("PreNorm.eval.traced.pt")
    assert not any(op.kind.name == "dropout" for op in found.graphs[0].walk())
    assert any(one.startswith("it was traced") for one in found.reading.assumptions)
    assert any("saved in eval mode" in one for one in found.reading.assumptions)
    with pytest.raises(ArchcheckError, match="saved in train mode"):
        read("PreNorm.train.traced.pt", training=False)


def test_a_script_is_not_taken_for_a_trace(saved: Path) -> None:
    assert not any("traced" in one for one in read("PreNorm.train.scripted.pt").reading.assumptions)


def test_parts_keep_the_mode_in_which_they_were_saved(saved: Path) -> None:
    assert any("another mode" in one for one in read("frozen.pt").reading.assumptions)
    assert not any("another mode" in one for one in read("ResNet.train.scripted.pt").reading.assumptions)


@pytest.mark.parametrize("how", ["scripted", "traced"])
def test_weights_that_are_one_are_told(saved: Path, how: str) -> None:
    weights = dict(read(f"Tied.train.{how}.pt").reading.variants[0].weights)
    assert weights["head.weight"] == weights["tok.weight"]
    assert weights["pos.weight"] != weights["tok.weight"]


@pytest.mark.parametrize("how", ["scripted", "traced"])
def test_what_is_described_is_what_the_source_is(saved: Path, how: str) -> None:
    told = [
        {fact.name: fact.value for fact in describe_variants("m", one.reading, one.graphs, ()).default.facts}
        for one in (read("scripted_models.py:Tied"), read(f"Tied.train.{how}.pt"))
    ]
    assert told[0] == told[1]
    assert told[1]["tie_embeddings"] is True


@pytest.mark.parametrize("how", ["scripted", "traced"])
def test_reports_show_the_lines_of_the_author(saved: Path, how: str) -> None:
    text = Path("scripted_models.py").read_text().splitlines()
    ops = read(f"Gated.train.{how}.pt").graphs[0].walk()
    found = {text[op.span.line - 1].strip() for op in ops if op.span and op.span.file == "scripted_models.py"}
    assert found == {"return self.down(F.silu(self.gate(x)) * self.up(x))"}


@pytest.mark.parametrize("how", ["scripted", "traced"])
def test_classes_stand_where_they_stood(saved: Path, how: str) -> None:
    places = {one.path: one.symbol for one in read(f"Tied.train.{how}.pt").reading.variants[0].places}
    assert places == {"": "Tied", "layers.0": "PreNorm", "layers.1": "PreNorm"}


def test_checkpoints_are_refused_as_ever(saved: Path) -> None:
    for name in ("weights.pt", "pickled.pt"):
        with pytest.raises(ArchcheckError, match="unpickling it would run code"):
            read(name)
