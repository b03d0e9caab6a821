"""One architecture, in PyTorch and saved by TensorFlow, is one graph up to what the format lost."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest
from saved_graphs import differences, fed, read
from tensorflow_python import tensorflow_python

from archcheck import pipeline
from archcheck.findings import Verdict
from archcheck.ir.graph import OpGraph
from archcheck.sweep import Request

NAMES = ("PostNorm", "PreNorm", "Sandwich", "Parallel", "Gated", "Rotary", "ResNet", "ResNet15", "UNet")
DRAWING = ("PostNorm", "PreNorm", "ResNet", "ResNet15")  # those that do something else in training
EINSUM = ("PostNorm", "PreNorm", "Sandwich", "Parallel")  # products lay out the heads
FLAT = ("ResNet", "ResNet15")  # a mean over space leaves nothing to flatten
SAVE = """
import tensorflow as tf
import tensorflow_architectures as models
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
for name in models.NAMES:
    model = getattr(models, name)()
    signatures = model.signatures()
    tf.saved_model.save(model, name, signatures=signatures)
    frozen = convert_variables_to_constants_v2(signatures["serving_default"].get_concrete_function())
    tf.io.write_graph(frozen.graph, ".", name + ".pb", as_text=False)
models.save_others()
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    if importlib.util.find_spec("torch") is None:
        pytest.skip("the models in PyTorch are read with torch's own source")
    python = tensorflow_python()
    folder = tmp_path_factory.mktemp("saved")
    shutil.copy(Path(__file__).with_name("tensorflow_architectures.py"), folder)
    shutil.copy(Path(__file__).parent.with_name("onnx_model") / "architectures.py", folder)
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": ""}
    subprocess.run([python, "-c", SAVE], cwd=folder, check=True, timeout=600, capture_output=True, env=quiet)
    with chdir(folder):
        yield folder


def graph(target: str, training: bool) -> OpGraph:
    return read(target, training).graphs[0]


def parted(name: str, source: OpGraph, file: OpGraph) -> list[str]:
    return differences(source, file, layouts=name not in (*EINSUM, *FLAT))


@pytest.mark.packages
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", ["signature", "frozen"])
def test_what_is_served_is_what_is_read_in_eval_mode(saved: Path, name: str, form: str) -> None:
    file = graph(f"{name}:serving_default" if form == "signature" else f"{name}.pb", False)
    assert not parted(name, graph(f"architectures.py:{name}", False), file)
    assert len(fed(file)) > 3
    unread = {str(op.attr("why")) for op in file.walk() if op.kind.name == "opaque"}
    assert all("may have been folded" in why for why in unread) if form == "frozen" else not unread


@pytest.mark.packages
@pytest.mark.parametrize("name", NAMES)
def test_what_is_trained_is_what_is_read_in_train_mode(saved: Path, name: str) -> None:
    found = read(name, True)  # the function that training runs is found, where it does something else
    assert (found.reading.symbol == "train") == (name in DRAWING)
    assert not parted(name, graph(f"architectures.py:{name}", name in DRAWING), found.graphs[0])


@pytest.mark.packages
def test_a_difference_between_architectures_is_told(saved: Path) -> None:
    """The same comparison, of what is not the same."""
    for one, other in (("PostNorm", "PreNorm"), ("PreNorm", "Parallel"), ("ResNet", "ResNet15"), ("Gated", "Rotary")):
        for mode, trains in (("serving_default", False), ("train", True)):
            if trains and other not in DRAWING:
                continue
            assert parted(one, graph(f"architectures.py:{one}", trains), graph(f"{other}:{mode}", trains)), (one, other)


@pytest.mark.packages
def test_a_paper_is_held_against_a_saved_model(saved: Path) -> None:
    verdicts = {}
    for name in ("PostNorm", "PreNorm"):
        (report,) = pipeline.check(Request(name, explore=False), "vaswani2017#encoder_layer")
        verdicts[name] = report.verdict
        assert report.frontend == "tensorflow_graph"
    assert verdicts == {"PostNorm": Verdict.HOLDS, "PreNorm": Verdict.VIOLATED}


def kinds(found: OpGraph) -> list[str]:
    quiet = ("input", "parameter", "constant", "compare", "sum")
    return [op.kind.name for op in found.ops if op.kind.name not in quiet]


@pytest.mark.packages
def test_functions_loops_and_branches(saved: Path) -> None:
    """Three rounds of a loop, a branch that a tensor decides, a function that is called twice."""
    found = graph("control", False)
    assert sum(op.kind.name == "relu" for op in found.walk()) == 3
    (branch,) = (op for op in found.walk() if op.kind.name == "opaque")
    assert "runs one of several graphs" in str(branch.attr("why"))
    assert [op.attr("approximate") for op in found.walk() if op.kind.name == "gelu"] == ["tanh", "tanh"]


@pytest.mark.packages
def test_models_of_keras(saved: Path) -> None:
    """What `model.export` writes: norms are spelled out, maps are flat, an index counts from the end."""
    assert kinds(graph("keras_encoder", False)) == ["embedding", "residual", "residual"]
    names = [op.kind.name for op in graph("keras_encoder", False).walk()]
    assert names.count("layer_norm") == 2
    assert {"self_attention", "feed_forward", "gelu"} <= set(names)
    found = graph("keras_images", False)
    assert kinds(found) == ["conv", "batch_norm", "relu", "conv", "pool", "linear", "softmax"]
    norm = next(op for op in found.ops if op.kind.name == "batch_norm")
    assert (norm.attr("eps"), norm.attr("dim")) == (0.001, 8)
    unread = [op for op in graph("keras_recurrent", False).walk() if op.kind.name == "opaque"]
    assert any("goes over a sequence" in str(op.attr("why")) for op in unread)
