"""Sizes of features that follow from what made a tensor: code asks for them, and gets numbers."""

from __future__ import annotations

from evaluator_sources import Sources

from archcheck.frontends.static.reader import Reading
from archcheck.ir.graph import Op, Unknown


def ops(reading: Reading, kind: str) -> list[Op]:
    return [op for op in reading.variants[0].graph.ops if op.kind.name == kind]


ASKS = """
class Cut(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.qkv, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)

    def forward(self, x):
        b, n, d = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, 4, d // 4).permute(2, 0, 3, 1, 4)
        return self.out((torch.softmax(q @ k.mT, -1) @ v).transpose(1, 2).reshape(b, n, d))


class Stack(nn.Module):
    def __init__(self, d=32):
        super().__init__()
        self.layers = nn.ModuleList([Cut(d) for _ in range(3)])
        self.norms = nn.ModuleList([nn.LayerNorm(d) for _ in range(3)])

    def forward(self, x):
        for layer, norm in zip(self.layers, self.norms):
            x = norm(x + layer(x))
        return x
"""


def test_the_first_layer_knows_what_the_others_know(sources: Sources) -> None:
    """Its own input tells no size; what reads it does."""
    found = sources.read(ASKS, "Stack")
    shapes = [op.attr("shape") for op in ops(found, "reshape")]
    assert [shape[-1] for shape in shapes if isinstance(shape, tuple)] == [8, 32] * 3


UNEVEN = """
class Layer(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.norm = nn.LayerNorm(d)

    def forward(self, x):
        y = x.view(x.shape[0], -1, x.shape[-1])
        return self.norm(y.sin().cos())


class Stack(nn.Module):
    def __init__(self, d=32):
        super().__init__()
        self.layers = nn.ModuleList([Layer(d) for _ in range(3)])

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x
"""


def test_what_one_layer_cannot_know_none_is_told(sources: Sources) -> None:
    """The layers of a model are alike; a number in some of them alone would make them differ."""
    found = sources.read(UNEVEN, "Stack")
    sizes = [op.attr("shape")[-1] for op in ops(found, "reshape")]  # type: ignore[index]
    assert len(sizes) == 3
    assert all(isinstance(size, Unknown) for size in sizes) or sizes == [32] * 3


SHAPES = """
class Block(nn.Module):
    def __init__(self, inside, outside):
        super().__init__()
        self.conv = nn.Conv2d(inside, outside, 3, padding=1)
        self.short = nn.Conv2d(inside, outside, 1)

    def forward(self, x):
        y = self.conv(x)
        if x.shape != y.shape:
            x = self.short(x)
        return torch.relu(x + y)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.one, self.two = nn.Conv2d(3, 8, 3, padding=1), Block(8, 8), Block(8, 16)

    def forward(self, x):
        return self.two(self.one(self.stem(x)))
"""


def test_shapes_with_other_channels_differ(sources: Sources) -> None:
    found = sources.read(SHAPES, "Net")
    kernels = [(op.attr("in_features"), op.attr("out_features"), op.attr("kernel")) for op in ops(found, "conv")]
    assert kernels == [(3, 8, 3), (8, 8, 3), (8, 16, 3), (8, 16, 1)]


TOLD = """
import tensorflow as tf

def dense(x, units):
    size = x.get_shape().as_list()[-1]
    w = tf.get_variable("w", [size, units])
    return tf.tensordot(x, w, axes=[[-1], [0]])

def model(x):
    x.set_shape([None, None, 16])
    y = dense(x, 32)
    return dense(y, y.shape[-1].value // 4)

def checked(x):
    return dense(tf.ensure_shape(x, [None, 24]), 2)
"""


def test_tensorflow_is_told_shapes(sources: Sources) -> None:
    assert [op.attr("shape") for op in ops(sources.read(TOLD, "checked", top=""), "parameter")] == [(24, 2)]
    shapes = [op.attr("shape") for op in ops(sources.read(TOLD, "model", top=""), "parameter")]
    assert shapes == [(16, 32), (32, 8)]
