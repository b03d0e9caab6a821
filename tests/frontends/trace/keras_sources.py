"""Small models of Keras and TensorFlow for the tracer, written in one file, which the tests of one module share."""

from __future__ import annotations

KERAS = '''
import keras
import tensorflow as tf
from keras import layers, ops


class Block(layers.Layer):
    def __init__(self, width=64, heads=4, rate=0.1):
        super().__init__()
        self.norm = layers.LayerNormalization(epsilon=1e-6)
        self.attention = layers.MultiHeadAttention(heads, width // heads)
        self.mlp = keras.Sequential([layers.Dense(128, activation="gelu"), layers.Dense(width)])
        self.last = layers.LayerNormalization(epsilon=1e-6)
        self.drop = layers.Dropout(rate)

    def call(self, x, training=None):
        h = self.norm(x)
        x = x + self.drop(self.attention(h, h), training=training)
        return x + self.drop(self.mlp(self.last(x)), training=training)


class Model(keras.Model):
    def __init__(self):
        super().__init__()
        self.embed = layers.Embedding(100, 64)
        self.blocks = [Block() for _ in range(2)]
        self.head = layers.Dense(100)

    def call(self, token_ids, training=None):
        x = self.embed(token_ids) * 8.0 + 1e-5
        for block in self.blocks:
            x = block(x, training=training)
        return self.head(x[:, 0])


def functional(width=64):
    x = inputs = keras.Input((10, width), name="features")
    h = layers.Dense(32, activation="relu", name="up")(x)
    h = layers.Dense(width)(ops.gelu(h))
    return keras.Model(inputs, layers.LayerNormalization()(1.0 - (x + h)))


class Own(layers.Layer):
    """A layer whose activation is a function of its own, so that Dense is not all that it says."""

    def __init__(self):
        super().__init__()
        self.linear = layers.Dense(64, activation=lambda x: ops.multiply(x, ops.sigmoid(1.702 * x)))

    def call(self, x):
        return self.linear(x)


class Twice(layers.Layer):
    """A dropout that is off gives its input, and both are used."""

    def __init__(self):
        super().__init__()
        self.drop = layers.Dropout(0.0)
        self.linear = layers.Dense(64)

    def call(self, x):
        return x + self.linear(self.drop(x))


class Huge(keras.Model):
    """Of 40 billion weights."""

    def __init__(self):
        super().__init__()
        self.maps = [layers.Dense(100_000, use_bias=False) for _ in range(5)]

    def call(self, x):
        for one in self.maps:
            x = one(x)
        return x


class Depthwise(layers.Layer):
    def __init__(self):
        super().__init__()
        self.conv = layers.DepthwiseConv2D(3, padding="same", use_bias=False)

    def call(self, image):
        return self.conv(image)


class Breaks(layers.Layer):
    def call(self, x):
        raise ValueError("no such thing")


built = keras.Sequential([keras.Input((4,)), layers.Dense(8, activation="relu"), layers.Dropout(0.5)])
'''

TENSORFLOW = """
import tensorflow as tf


class Norm(tf.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = tf.Variable(tf.ones([width]))
        self.shift = tf.Variable(tf.zeros([width]))

    def __call__(self, x):
        mean, variance = tf.nn.moments(x, axes=[-1], keepdims=True)
        return (x - mean) * tf.math.rsqrt(variance + 1e-5) * self.scale + self.shift


class Block(tf.Module):
    def __init__(self, width=64, inner=128):
        super().__init__()
        self.norm = Norm(width)
        self.up = tf.Variable(tf.random.normal([width, inner]))
        self.down = tf.Variable(tf.random.normal([inner, width]))

    @tf.function
    def feed(self, x):
        return tf.matmul(tf.nn.gelu(tf.matmul(x, self.up)), self.down)

    @tf.function
    def __call__(self, x):
        return x + self.feed(self.norm(x))


class Branch(tf.Module):
    @tf.function
    def __call__(self, x):
        if tf.reduce_sum(x) > 0:
            x = x * 2.0
        return x


class Loop(tf.Module):
    def __init__(self):
        super().__init__()
        self.map = tf.Variable(tf.random.normal([64, 64]))

    @tf.function
    def __call__(self, x):
        while tf.reduce_sum(x) < 3.0:
            x = tf.nn.relu(x @ self.map)
        return x


class Counter(tf.Module):
    def __init__(self):
        super().__init__()
        self.count = tf.Variable(0.0)

    def __call__(self, x):
        self.count.assign_add(1.0)
        return x * self.count


class Strange(tf.Module):
    def __call__(self, x):
        return tf.linalg.logm(tf.cast(x @ tf.transpose(x, [0, 2, 1]), tf.complex64)) + 1.0


@tf.function
def attention(q, k, v, mask=None):
    scores = tf.matmul(q, k, transpose_b=True) / tf.math.sqrt(tf.cast(tf.shape(k)[-1], tf.float32))
    if mask is not None:
        scores += mask * -1e9
    return tf.matmul(tf.nn.softmax(scores, axis=-1), v)


@tf.function
def index(x):
    return tf.concat([x[:, 1:, tf.newaxis, ::2], tf.zeros_like(x[:, 1:, None, :32])], axis=-1)[..., 0]
"""

OLD = """
import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"
import tensorflow as tf
from tf_keras import layers


class Block(layers.Layer):
    def __init__(self, width=64, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.norm = layers.LayerNormalization(epsilon=1e-6)
        self.up = layers.Dense(128, activation="relu")
        self.down = layers.Dense(width)
        self.drop = layers.Dropout(0.1)

    def call(self, x, training=None):
        h = self.norm(x) if self.norm_first else x
        x = x + self.drop(self.down(self.up(h)), training=training)
        if tf.reduce_max(x) > 0:
            x = x / tf.reduce_max(x)
        return x if self.norm_first else self.norm(x)
"""
