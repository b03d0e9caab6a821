"""Keras: models made of tensors, classes that look into those that they extend, and a stack of unknown height."""

from __future__ import annotations

from pathlib import Path

import pytest
from evaluator_sources import Sources

from archcheck.describe.description import Description
from archcheck.describe.text import as_text
from archcheck.findings import Verdict
from archcheck.pipeline import check, describe, load_target
from archcheck.sweep import Request

LAYER = """
import keras
from keras import ops


class Heads(keras.layers.MultiHeadAttention):
    def call(self, query, value, key=None, attention_mask=None, training=None):
        query = self._query_dense(query)
        key, value = self._key_dense(value), self._value_dense(value)
        found, scores = self._compute_attention(query, key, value, attention_mask, training)
        return self._output_dense(found)


class Layer(keras.layers.Layer):
    def __init__(self, width, heads, **kwargs):
        super().__init__(**kwargs)
        self.width, self.heads = width, heads

    def build(self, shape):
        self.attention = Heads(self.heads, self.width // self.heads)
        self.first, self.second = keras.layers.LayerNormalization(), keras.layers.LayerNormalization()
        self.up = keras.layers.EinsumDense("btd,df->btf", (None, 2048), activation="gelu", bias_axes="f")
        self.down = keras.layers.Dense(self.width)
        self.drop = keras.layers.Dropout(0.1)
        super().build(shape)

    def call(self, x, training=False):
        h = self.first(x)
        x = x + self.drop(self.attention(h, h), training=training)
        return x + self.drop(self.down(self.up(self.second(x))), training=training)


class Base(keras.Model):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.known = [id(layer) for layer in self._flatten_layers()]


class Backbone(Base):
    def __init__(self, vocabulary, layers{count}, width=512, heads=8, **kwargs):
        self.tokens = keras.layers.ReversibleEmbedding(vocabulary, width)
        self.stack = []
        for at in range(layers):
            self.stack.append(Layer(width, heads, name=f"layer_{{at}}"))
        self.last = keras.layers.LayerNormalization()
        ids = keras.Input(shape=(None,), name="ids")
        x = self.tokens(ids)
        for layer in self.stack:
            x = layer(x)
        super().__init__(inputs={{"ids": ids}}, outputs=self.last(x), **kwargs)
"""
TASK = """

class Task(keras.Model):
    def __init__(self, **kwargs):
        backbone = Backbone(1000, 2)
        ids = keras.Input(shape=(None,), name="other")
        hidden = backbone({"ids": ids})
        super().__init__(inputs=ids, outputs=backbone.tokens(hidden, reverse=True), **kwargs)
"""


def _described(folder: Path, symbol: str, count: str = "", more: str = "") -> Description:
    file = folder / "model.py"
    file.write_text(LAYER.format(count=count) + more)
    (description,) = describe(Request(f"{file}:{symbol}", explore=False))
    assert not description.default.error, description.default.error
    return description


@pytest.mark.parametrize("count", ["", "=1", "=6"])
def test_a_model_made_of_tensors_is_read_with_any_number_of_layers(tmp_path: Path, count: str) -> None:
    default = _described(tmp_path, "Backbone", count).default
    (layer,) = default.layers
    assert layer.signature == "self_attention: n F d a; ffn: n F d a"
    assert layer.symbol == "Layer"
    facts = {fact.name: fact.value for fact in default.facts}
    assert (facts["activation"], facts["attention"]) == ("gelu_exact", "mha")
    assert facts["final_norm"] is True


def test_how_often_a_layer_of_open_number_stands_is_not_told(tmp_path: Path) -> None:
    file = tmp_path / "model.py"
    file.write_text(LAYER.format(count=""))
    (report,) = check(Request(f"{file}:Backbone"), "xiong2020#pre_ln")
    verdicts = {claim.claim: claim.verdict for claim in report.default.claims}
    assert verdicts["pre_ln"] is Verdict.HOLDS
    assert Verdict.VIOLATED not in verdicts.values()


def test_a_model_made_of_tensors_computes_its_ops_again_for_others(tmp_path: Path) -> None:
    default = _described(tmp_path, "Task", more=TASK).default
    facts = {fact.name: fact.value for fact in default.facts}
    assert [layer.repeat for layer in default.layers] == [2]
    assert facts["tie_embeddings"] is True


@pytest.mark.parametrize(("given", "letters"), [("training=False", "n F d a"), ("training=None", "n F d a")])
def test_training_is_filled_in_from_the_call_around(tmp_path: Path, given: str, letters: str) -> None:
    file = tmp_path / "model.py"
    file.write_text(LAYER.format(count="").replace("training=False", given))
    (description,) = describe(Request(f"{file}:Layer", {"width": "512", "heads": "8"}, explore=False))
    assert [one.signature for one in description.default.layers[0].sublayers] == [letters, letters]


@pytest.mark.parametrize("given", ["unknown", "{}", '{"other": ids}'])
def test_a_model_called_on_what_does_not_fit_its_inputs_is_not_read(tmp_path: Path, given: str) -> None:
    file = tmp_path / "model.py"
    task = TASK.replace('backbone({"ids": ids})', f"backbone({given})").replace(
        "self, **kwargs", "self, unknown, **kwargs"
    )
    file.write_text(LAYER.format(count="") + task)
    (description,) = describe(Request(f"{file}:Task", explore=False))
    assert not description.default.layers


DECODER = """
import keras
from keras import ops


class Attention(keras.layers.Layer):
    def build(self, shape):
        self.query, self.key, self.value, self.out = (keras.layers.Dense(64) for _ in range(4))

    def call(self, x, memory):
        parts = (self.query(x), self.key(memory), self.value(memory))
        query, key, value = (ops.reshape(part, (-1, 10, 8, 8)) for part in parts)
        scores = ops.einsum("aecd,abcd->acbe", key, query) / 8**0.5
        return self.out(ops.reshape(ops.einsum("acbe,aecd->abcd", ops.softmax(scores, axis=-1), value), (-1, 10, 64)))


class Decoder(keras.layers.Layer):
    def build(self, x_shape, memory_shape=None):
        self.own, self.other = Attention(), None
        self.first = keras.layers.LayerNormalization()
        if memory_shape:
            self.other, self.second = Attention(), keras.layers.LayerNormalization()

    def call(self, x, memory=None, mask=None):
        has_memory = memory is not None
        if has_memory and self.other is None:
            raise ValueError("built without it")
        if mask is not None:
            x = x * mask
        h = self.first(x)
        x = x + self.own(h, h)
        return x + self.other(self.second(x), memory) if has_memory else x
"""


def test_what_is_built_for_an_argument_is_another_picture(tmp_path: Path) -> None:
    file = tmp_path / "decoder.py"
    file.write_text(DECODER, encoding="utf-8")
    (found,) = describe(Request(f"{file}:Decoder"))
    kinds = {
        picture.when: [one.kind for layer in picture.layers for one in layer.sublayers] for picture in found.pictures
    }
    assert kinds == {(): ["self_attention"], (("memory", "given"),): ["self_attention", "cross_attention"]}
    assert "with memory given:" in as_text(found)


CROPPED = """
import keras


def cropped():
    image = keras.Input((32, 32, 3))
    left = keras.layers.Cropping2D(((1, 2), (0, 3)))(image)
    turn = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Dense(8)])
    return keras.Model(image, turn(left))
"""


def test_a_crop_is_a_slice_and_an_input_in_a_sequence_is_none_of_its_layers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("made.py").write_text(CROPPED)
    (found,) = load_target(Request("made.py:cropped"))
    ops = [op for op in found.graphs[0].walk() if op.kind.name != "input"]
    assert [op.kind.name for op in ops] == ["select", "linear"]
    whole = ("slice", None, None, None)
    assert ops[0].attr("index") == (whole, ("slice", 1, -2, None), ("slice", 0, -3, None))


@pytest.mark.parametrize(
    "layer", ["keras.layers.BatchNormalization(momentum=0.9)(x)", "tf.layers.batch_normalization(x, momentum=0.9)"]
)
def test_momentum_is_the_share_of_the_new_statistics_as_in_pytorch(sources: Sources, layer: str) -> None:
    """Keras calls so the share of the old ones."""
    top = "import tensorflow as tf\nimport keras\n"
    reading = sources.read(f"def f(x):\n    return {layer}", top=top)
    [norm] = [op for op in reading.variants[0].graph.ops if op.kind.name == "batch_norm"]
    assert norm.attr("momentum") == pytest.approx(0.1)


SMALL = """
import keras
from keras import ops

class Model(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.relu = keras.layers.ReLU()

    def build(self, shape):
        self.scale = self.add_weight(shape=(8,), name="scale", trainable=False)

    def call(self, x, training=None):
        {body}
"""


@pytest.mark.parametrize(
    ("body", "ops"),
    [
        ("return self.relu(x, training=training)", "constant relu"),
        ("return x * self.scale", "constant mul"),
        ("return ops.fft2((x, ops.zeros_like(x)))[0]", "constant constant complex fft real imag"),
    ],
)
def test_small_layers_are_read(sources: Sources, body: str, ops: str) -> None:
    """Each layer takes `training`; a weight that is not trained is no parameter."""
    found = sources.computes(SMALL.format(body=body), "Model", top="")
    assert [line.split()[2] for line in found.splitlines() if line.startswith("%")] == ops.split()
