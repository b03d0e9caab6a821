"""What has its channels first says so, whichever function makes it, and its numbers are those of axes of space."""

from __future__ import annotations

import pytest
from evaluator_sources import Sources

from archcheck.ir.graph import Op, Size

# call -> numbers for axes of space that it states
CALLS = {
    "tf.nn.conv2d(x, w, strides={steps}, padding='SAME', data_format={raw})": {"stride": (2, 3)},
    "tf.nn.depthwise_conv2d(x, w, {steps}, 'SAME', data_format={raw})": {"stride": (2, 3), "groups": "channels"},
    "tf.nn.max_pool(x, {steps}, {steps}, 'SAME', data_format={raw})": {"kernel": (2, 3), "stride": (2, 3)},
    "tf.nn.avg_pool2d(x, {steps}, {steps}, 'SAME', data_format={raw})": {"kernel": (2, 3), "stride": (2, 3)},
    "tf.nn.pool(x, [2, 3], 'MAX', strides=[2, 3], data_format={raw})": {"kernel": (2, 3), "stride": (2, 3)},
    "tf.nn.depth_to_space(x, 2, data_format={raw})": {"factor": 2},
    "tf.layers.conv2d(x, 4, 3, data_format={named})": {"kernel": 3},
    "tf.layers.separable_conv2d(x, 4, 3, data_format={named})": {"groups": "channels"},
    "tf.layers.conv2d_transpose(x, 4, 3, data_format={named})": {"kernel": 3},
    "tf.layers.average_pooling2d(x, 2, 2, data_format={named})": {"kernel": 2},
    "keras.layers.Conv2D(4, 3, data_format={named})(x)": {"kernel": 3},
    "keras.layers.DepthwiseConv2D(3, data_format={named})(x)": {"groups": "channels"},
    "keras.layers.SeparableConv2D(4, 3, data_format={named})(x)": {"groups": "channels"},
    "keras.layers.MaxPooling2D(2, data_format={named})(x)": {"kernel": 2},
}


def windows(sources: Sources, code: str) -> list[Op]:
    (variant,) = sources.read(f"import keras\nimport tensorflow as tf\n\ndef f():\n{code}", "f").variants
    assert not variant.error
    found = [op for op in variant.graph.ops if op.kind.name in ("conv", "conv_transpose", "pool", "pixel_shuffle")]
    assert found
    return found


@pytest.mark.parametrize(("call", "told"), CALLS.items())
@pytest.mark.parametrize("first", [False, True])
def test_where_the_channels_are(sources: Sources, call: str, told: dict[str, object], first: bool) -> None:
    raw, named = ("'NCHW'", "'channels_first'") if first else ("'NHWC'", "'channels_last'")
    steps, shape = ("[1, 1, 2, 3]", "[2, 8, 16, 16]") if first else ("[1, 2, 3, 1]", "[2, 16, 16, 8]")
    call = call.format(raw=raw, named=named, steps=steps)
    made = f"    x = tf.zeros({shape})\n    w = tf.get_variable('w', [3, 3, 8, 1])\n    return {call}\n"
    ops = windows(sources, made)
    assert [op.attr("channels_last") for op in ops] == [not first] * len(ops)
    for name, value in told.items():
        found = ops[0].attr(name)
        if value == "channels":
            known = isinstance(found, Size) and found.axes == ((1,) if first else (-1,))
            assert known or (found == 8 and not first)  # a tensor that states its shape, of which the last is asked
        else:
            assert found == value


def test_a_bias_goes_to_the_channels(sources: Sources) -> None:
    code = "import tensorflow as tf\n\ndef f(x, b):\n    return tf.nn.bias_add(x, b, data_format='NCHW')\n"
    (variant,) = sources.read(code, "f").variants
    told = [(op.kind.name, op.attr("shape")) for op in variant.graph.ops if op.kind.name != "input"]
    assert told == [("reshape", (-1, 1, 1)), ("add", None)]
