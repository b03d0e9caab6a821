"""One architecture, in TensorFlow and Keras and converted to TensorFlow Lite, is one graph up to what was folded."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest
from saved_graphs import differences, read
from tensorflow_python import tensorflow_python

from archcheck import pipeline
from archcheck.findings import Verdict
from archcheck.ir.graph import OpGraph, Unknown
from archcheck.sweep import Request

NAMES = ("PostNorm", "PreNorm", "Sandwich", "Parallel", "Gated", "Rotary")
TABLES = ("Rotary",)  # whose sines and cosines are worked out beforehand
CONVERT = """
import numpy as np
import tensorflow as tf
import tensorflow_architectures as models
random = np.random.default_rng(0)
for name in NAMES:
    model = getattr(models, name)()
    for variable in model.variables:
        variable.assign(random.uniform(0.01, 0.2, variable.shape))
    tf.saved_model.save(model, name, signatures=model.signatures())
    for form in ("", "_half"):
        converter = tf.lite.TFLiteConverter.from_saved_model(name, signature_keys=["serving_default"])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
        if form:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]
        with open(name + form + ".tflite", "wb") as file:
            file.write(converter.convert())
"""
KERAS = """
import keras
import numpy as np
import tensorflow as tf
from keras import layers

def encoder():
    x = given = keras.Input((16, 32))
    for _ in range(2):
        a = layers.MultiHeadAttention(4, 8, dropout=0.1)(x, x)
        x = layers.LayerNormalization(epsilon=1e-6)(x + layers.Dropout(0.1)(a))
        f = layers.Dense(32)(layers.Dense(64, activation="gelu")(x))
        x = layers.LayerNormalization(epsilon=1e-6)(x + layers.Dropout(0.1)(f))
    return keras.Model(given, x)

def images():
    given = keras.Input((32, 32, 3))
    x = layers.ReLU(6.0)(layers.BatchNormalization()(layers.Conv2D(8, 3, use_bias=False)(given)))
    x = layers.DepthwiseConv2D(3, padding="same", activation="relu")(x)
    x = layers.BatchNormalization()(layers.MaxPooling2D()(x))
    return keras.Model(given, layers.Dense(4)(layers.GlobalAveragePooling2D()(x)))

random = np.random.default_rng(0)
for make in (encoder, images):
    model = make()
    for variable in model.variables:
        if "seed" not in variable.path:
            variable.assign(np.abs(random.normal(size=variable.shape)) * 0.1 + 0.01)
    model.save(make.__name__ + ".keras")
    with open(make.__name__ + ".tflite", "wb") as file:
        file.write(tf.lite.TFLiteConverter.from_keras_model(model).convert())
"""


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    python = tensorflow_python()
    folder = tmp_path_factory.mktemp("converted")
    beside = Path(__file__).parent.parent
    shutil.copy(beside / "tensorflow_graph" / "tensorflow_architectures.py", folder)
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": ""}
    for code in (CONVERT.replace("NAMES", repr(NAMES)), KERAS):
        subprocess.run([python, "-c", code], cwd=folder, check=True, timeout=600, capture_output=True, env=quiet)
    with chdir(folder):
        yield folder


def graph(target: str) -> OpGraph:
    return read(target, False).graphs[0]


@pytest.mark.packages
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", ["", "_half"])
def test_what_is_converted_is_what_is_served(converted: Path, name: str, form: str) -> None:
    file = graph(f"{name}{form}.tflite")
    assert not differences(graph(f"{name}:serving_default"), file, layouts=False)
    unread = {str(op.attr("why")) for op in file.walk() if op.kind.name == "opaque"}
    assert unread == ({"the file does not tell whether it is learned"} if name in TABLES else set())


@pytest.mark.packages
def test_a_difference_between_architectures_is_told(converted: Path) -> None:
    for one, other in (("PostNorm", "PreNorm"), ("PreNorm", "Parallel"), ("Gated", "Rotary")):
        assert differences(graph(f"{one}:serving_default"), graph(f"{other}.tflite"), layouts=False), (one, other)


@pytest.mark.packages
def test_a_paper_is_held_against_a_converted_model(converted: Path) -> None:
    verdicts = {}
    for name in ("PostNorm", "PreNorm"):
        (report,) = pipeline.check(Request(f"{name}.tflite", explore=False), "vaswani2017#encoder_layer")
        verdicts[name] = report.verdict
        assert report.frontend == "tflite_model"
    assert verdicts == {"PostNorm": Verdict.HOLDS, "PreNorm": Verdict.VIOLATED}


@pytest.mark.packages
def test_models_of_keras(converted: Path) -> None:
    assert not differences(graph("encoder.keras"), graph("encoder.tflite"), layouts=False)
    file = graph("images.tflite")
    kinds = [op.kind.name for op in file.ops if op.kind.name not in ("input", "parameter", "constant")]
    assert kinds == [
        "conv",
        "opaque",
        "relu6",
        "conv",
        "opaque",
        "relu",
        "pool",
        "opaque",
        "add",
        "pool",
        "linear",
        "opaque",
    ]
    assert all("may have been folded" in str(op.attr("why")) for op in file.walk() if op.kind.name == "opaque")
    assert all(isinstance(op.attr("bias"), Unknown) for op in file.walk() if op.kind.name == "conv")
