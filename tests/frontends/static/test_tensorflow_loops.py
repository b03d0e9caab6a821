"""Loops over tensors that count, and what Keras and TensorFlow do around calls."""

from __future__ import annotations

from evaluator_sources import Sources

FOLD = """
import tensorflow as tf

def counted(x):
    for at in tf.range(3):
        x = tf.nn.relu(x)
    return x

def folded(x):
    return tf.foldl(lambda before, at: tf.nn.relu(before), tf.range(1, 7, 2), initializer=x)

def folded_over(x, steps):
    return tf.foldl(lambda before, at: tf.nn.relu(before), steps, initializer=x)
"""


def kinds(sources: Sources, code: str, symbol: str) -> list[str]:
    (variant,) = sources.read(code, symbol).variants
    assert not variant.error
    return [op.kind.name for op in variant.graph.ops if op.kind.name not in ("input", "constant")]


def test_a_loop_over_a_tensor_that_counts_goes_round_as_often(sources: Sources) -> None:
    assert kinds(sources, FOLD, "counted") == ["relu", "relu", "relu"]
    assert kinds(sources, FOLD, "folded") == ["relu", "relu", "relu"]


def test_a_fold_over_a_tensor_of_unknown_length_is_opaque(sources: Sources) -> None:
    assert kinds(sources, FOLD, "folded_over") == ["opaque"]


def test_a_list_with_a_number_for_each_unknown_size_is_no_list_of_one(sources: Sources) -> None:
    code = """
import tensorflow as tf

def f(x):
    shape = [1 for _ in x.get_shape().as_list()]
    shape[2] = 7
    return tf.reshape(x, shape)
"""
    assert kinds(sources, code, "f") == ["reshape"]


def test_keras_takes_the_mode_out_of_a_call_that_has_no_parameter_for_it(sources: Sources) -> None:
    code = """
import keras

class Inner(keras.layers.Layer):
    def call(self, x):
        return keras.ops.relu(x)

class Outer(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.inner = Inner()

    def call(self, x, training=None):
        return self.inner(x, training=training)
"""
    assert kinds(sources, code, "Outer") == ["relu"]
    wrong = code.replace("training=training)", "mood=training)")
    (variant,) = sources.read(wrong, "Outer").variants
    assert "mood" in variant.error


def test_the_name_scope_of_a_module_of_tensorflow_tells_nothing(sources: Sources) -> None:
    code = """
import tensorflow as tf

class Module(tf.Module):
    def __init__(self):
        super().__init__()
        with self.name_scope:
            self.rate = 0.1

    def __call__(self, x):
        return tf.nn.relu(x)
"""
    assert kinds(sources, code, "Module") == ["relu"]


def test_a_depthwise_convolution_has_a_group_for_each_channel(sources: Sources) -> None:
    code = """
import keras
from keras import ops

class Deep(keras.layers.Layer):
    def build(self, shape):
        self.kernel = self.add_weight(shape=(4, 8, 1), initializer=keras.initializers.Constant(1.0))

    def call(self, x):
        x = ops.cast(ops.reshape(x, (-1, 16, 8)), ops.dtype(self.kernel))
        return ops.depthwise_conv(x, self.kernel, strides=1, padding="valid")
"""
    (variant,) = sources.read(code, "Deep").variants
    assert not variant.unread
    conv = next(op for op in variant.graph.ops if op.kind.name == "conv")
    assert (conv.attr("channels_last"), conv.attr("padding"), len(conv.reads)) == (True, "valid", 2)


def test_that_a_loop_over_a_tensor_of_unknown_length_is_read_once_is_told(sources: Sources) -> None:
    told = sources.read(
        "import torch\ndef f(x, steps):\n    for at in torch.relu(steps):\n        x = x + at\n    return x"
    )
    assert "a loop over the entries of a tensor is read once" in told.assumptions


BUILDS = """
import tensorflow as tf

class Model:
    def __init__(self, depth):
        self.depth = depth
        self.made = (depth + 1) * [None]
        self.w = tf.Variable(tf.zeros([8, 8]))

    def build(self):
        self.x = tf.placeholder(tf.float32, [None, 8])
        self.keep = tf.placeholder(tf.float32, [])
        self.hidden = tf.nn.relu(self.x)
        self.out = tf.nn.sigmoid(self.hidden)
        self.loss = unknown.loss(self.out)
        self.step = tf.train.AdamOptimizer(0.1).minimize(self.loss)

    def unroll(self):
        if self.depth <= 0:
            return
        for at in range(self.depth):
            self.made[at + 1] = tf.nn.relu(tf.matmul(self.made[at], self.w))
"""


def test_a_method_that_gives_nothing_gives_what_it_keeps(sources: Sources) -> None:
    """The tensors of which no other one is made, but by what could not be read."""
    (variant,) = sources.read(BUILDS, "Model.build").variants
    given = [next(op for op in variant.graph.ops if op.path == value.op) for value in variant.graph.results]
    assert [op.kind.name for op in given] == ["sigmoid", "opaque"]
    assert [op.attr("name") for op in variant.graph.ops if op.kind.name == "input"] == ["placeholder"]


def test_a_method_that_may_return_at_once_is_read_where_it_does_not(sources: Sources) -> None:
    (variant,) = sources.read(BUILDS, "Model.unroll").variants
    assert variant.graph.ops[-1].kind.name == "relu"
    assert [value.op for value in variant.graph.results] == [variant.graph.ops[-1].path]
