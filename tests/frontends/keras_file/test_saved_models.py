"""A model that Keras saves is, in every form of file, the graph that its own code is read as."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest
from tensorflow_python import tensorflow_python

from archcheck import pipeline
from archcheck.align import EditKind
from archcheck.ir.graph import OpGraph
from archcheck.sweep import Request
from archcheck.witnesses import compared, words

CODE = """
import {keras} as keras
from {keras} import layers as L


def encoder():
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = L.Embedding(100, 32)(tokens)
    for _ in range(2):
        h = L.LayerNormalization(epsilon=1e-5)(x)
        h = L.MultiHeadAttention(4, 8, dropout=0.1)(h, h, use_causal_mask=True)
        x = L.Add()([x, L.Dropout(0.1)(h)])
        h = L.LayerNormalization(epsilon=1e-5)(x)
        h = L.Dense(32)(L.Dense(64, activation="gelu")(h))
        x = x + L.Dropout(0.1)(h)
    return keras.Model(tokens, L.Dense(100)(L.LayerNormalization()(x)))


def post_norm():
    x = given = keras.Input((16, 32))
    for _ in range(2):
        x = L.LayerNormalization()(x + L.Dropout(0.1)(L.MultiHeadAttention(4, 8)(x, x)))
        x = L.LayerNormalization()(x + L.Dense(32)(L.Dense(64, activation="relu")(x)))
    return keras.Model(given, x)


def convolutions():
    x = given = keras.Input((32, 32, 3))
    x = L.ReLU()(L.BatchNormalization()(L.Conv2D(16, 3, padding="same", use_bias=False)(x)))
    h = L.Conv2D(16, 3, padding="same", activation="relu")(x)
    x = L.add([x, L.LeakyReLU()(L.BatchNormalization()(h))])
    x = L.ZeroPadding2D(1)(L.MaxPooling2D()(x))
    return keras.Model(given, L.Dense(10, activation="softmax")(L.GlobalAveragePooling2D()(x)))


def siamese():
    trunk = keras.Sequential([keras.Input((8,)), L.Dense(16, activation="tanh"), L.Dense(8)])
    one, other = keras.Input((8,)), keras.Input((8,))
    both = L.Concatenate()([trunk(one), trunk(other)])
    return keras.Model([one, other], L.Dense(1, activation="sigmoid")(both))


def recurrent():
    x = given = keras.Input((None, 8))
    x = L.LSTM(16, return_sequences=True)(L.Masking()(x))
    return keras.Model(given, L.Dense(3)(L.GRU(16)(L.TimeDistributed(L.Dense(4))(x))))
"""
NAMES = ("encoder", "post_norm", "convolutions", "siamese", "recurrent")
KERAS = ("keras", "tf_keras")
SAVE = """
import sys
import {keras}_models as made
for name in {names!r}:
    model = getattr(made, name)()
    model.save(f"{keras}_{{name}}.keras")
    model.save(f"{keras}_{{name}}.h5")
    with open(f"{keras}_{{name}}.json", "w") as file:
        file.write(model.to_json())
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("saved")
    for keras in KERAS:
        python = tensorflow_python(keras)
        (folder / f"{keras}_models.py").write_text(CODE.replace("{keras}", keras))
        code = SAVE.format(keras=keras, names=NAMES)
        quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
        if python == Path(sys.executable):
            quiet.pop("PYTHONPATH", None)
        subprocess.run([python, "-c", code], cwd=folder, check=True, timeout=600, capture_output=True, env=quiet)
    with chdir(folder):
        yield folder


def graph(target: str, *, training: bool = True) -> OpGraph:
    (found,) = pipeline.load_target(Request(target, explore=False, training=training))
    assert not found.reading.variants[0].error
    return found.graphs[0]


def differences(one: OpGraph, other: OpGraph) -> list[str]:
    """What the two say differently, and what is open in one of them."""
    return [words(edit)[0] for edit in compared(one, other).edits]


@pytest.mark.packages
@pytest.mark.parametrize("keras", KERAS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", ["keras", "h5", "json"])
def test_a_file_is_what_the_code_is_read_as(saved: Path, keras: str, name: str, form: str) -> None:
    if form == "h5" and importlib.util.find_spec("h5py") is None:
        pytest.skip("no h5py")
    for training in (True, False):
        file = graph(f"{keras}_{name}.{form}", training=training)
        assert not differences(graph(f"{keras}_models.py:{name}", training=training), file)
        assert not [op for op in file.walk() if op.kind.name == "opaque"]
        assert len(list(file.walk())) >= 5


@pytest.mark.packages
def test_a_difference_is_told(saved: Path) -> None:
    found = compared(graph("keras_models.py:encoder"), graph("keras_post_norm.keras")).edits
    assert any(edit.kind is not EditKind.UNKNOWN for edit in found)
