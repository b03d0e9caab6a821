"""One architecture, in PyTorch and exported to ONNX by either exporter, is one graph up to what the format lost."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest
from saved_graphs import differences, fed, read

from archcheck import pipeline
from archcheck.findings import Verdict
from archcheck.sweep import Request

TOKENS, IMAGE = "2x7x16", "2x3x32x32"
SHAPES = dict.fromkeys(("PostNorm", "PreNorm", "Sandwich", "Parallel", "Gated", "Rotary"), TOKENS)
SHAPES |= dict.fromkeys(("ResNet", "ResNet15", "UNet"), IMAGE)
NORMED = ("ResNet", "ResNet15")  # a batch norm is kept by the older exporter in train mode alone
EXPORT = """
import sys, warnings
warnings.simplefilter("ignore")
import torch
import architectures
for name, shape in {shapes!r}.items():
    model = getattr(architectures, name)()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)  # exporters keep tensors that are equal as one
    given = (torch.randn(tuple(map(int, shape.split("x")))),)
    for mode in ("train", "eval"):
        trains = mode == "train"
        how = torch.onnx.TrainingMode.TRAINING if trains else torch.onnx.TrainingMode.EVAL
        more = dict(opset_version=17, training=how, do_constant_folding=not trains)
        torch.onnx.export(model.train(trains), given, f"{{name}}.{{mode}}.older.onnx", dynamo=False, **more)
        torch.onnx.export(model.train(trains), given, f"{{name}}.{{mode}}.onnx", dynamo=True, external_data=False)
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    if any(importlib.util.find_spec(name) is None for name in ("torch", "onnxscript")):
        pytest.skip("exporting takes torch and onnxscript")
    folder = tmp_path_factory.mktemp("saved")
    shutil.copy(Path(__file__).with_name("architectures.py"), folder)
    code = EXPORT.format(shapes=SHAPES)
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, timeout=600, capture_output=True)
    with chdir(folder):
        yield folder


@pytest.mark.packages
@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("exporter", ["", ".older"])
def test_what_was_exported_is_what_is_read(saved: Path, name: str, mode: str, exporter: str) -> None:
    if name in NORMED and (mode, exporter) != ("train", ".older"):
        pytest.skip("its norms are folded: see below")
    source = read(f"architectures.py:{name}", mode == "train").graphs[0]
    file = read(f"{name}.{mode}{exporter}.onnx", mode == "train").graphs[0]
    assert not differences(source, file)
    assert len(fed(file)) > 3


@pytest.mark.packages
def test_a_difference_between_architectures_is_told(saved: Path) -> None:
    """The same comparison, of what is not the same."""
    for one, other in (("PostNorm", "PreNorm"), ("PreNorm", "Parallel"), ("ResNet", "ResNet15"), ("Gated", "Rotary")):
        source = read(f"architectures.py:{one}", True).graphs[0]
        assert differences(source, read(f"{other}.train.older.onnx", True).graphs[0]), (one, other)


@pytest.mark.packages
def test_a_norm_that_was_folded_away_is_not_missed(saved: Path) -> None:
    """Saved for inference, the convolutions hold their norms: neither that they are there nor that they are not."""
    for name in NORMED:
        kinds = {op.kind.name for op in read(f"{name}.eval.onnx", False).graphs[0].walk()}
        assert "batch_norm" not in kinds
        assert "opaque" in kinds


@pytest.mark.packages
def test_a_paper_is_held_against_a_file(saved: Path) -> None:
    verdicts = {}
    for name in ("PostNorm", "PreNorm"):
        (report,) = pipeline.check(Request(f"{name}.train.onnx", explore=False), "vaswani2017#encoder_layer")
        verdicts[name] = report.verdict
        assert report.frontend == "onnx_model"
        assert report.target == f"{name}.train.onnx"
    assert verdicts == {"PostNorm": Verdict.HOLDS, "PreNorm": Verdict.VIOLATED}
