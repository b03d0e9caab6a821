"""How many axes come out of a layer, where its class tells: Keras 2 counts the axes of norms from the front."""

from __future__ import annotations

from archcheck.frontends import dialects
from archcheck.frontends.keras_file.layers import Entry

_FLAT = frozenset({"Flatten"})
_RECURRENT = frozenset({"LSTM", "GRU", "SimpleRNN"})
_SAME = frozenset({
    "identity", "linear", "layer_norm", "rms_norm", "batch_norm", "group_norm", "l2_norm", "elu", "leaky_relu", "prelu",
    "softmax", "dropout", "conv", "conv_transpose", "attention", "permute", "interpolate", "pad", "add", "sub", "mul",
    "maximum", "minimum", "concat",
})  # fmt: skip
_SAME_CLASSES = frozenset({
    "ReLU", "Rescaling", "Average", "SeparableConv1D", "SeparableConv2D", "DepthwiseConv1D", "DepthwiseConv2D",
})  # fmt: skip


def rank_behind(entry: Entry, rank: int | None) -> int | None:
    """The number of axes of what a layer gives; None where that is not known.

    Args:
        entry: the layer.
        rank: of its first tensor.
    """
    config = entry.config if isinstance(entry.config, dict) else {}
    if not entry.is_own:
        return None
    if entry.cls in _FLAT:
        return 2
    if entry.cls == "Reshape":
        shape = config.get("target_shape")
        return len(shape) + 1 if isinstance(shape, list) else None
    if entry.cls in _RECURRENT:
        return 3 if config.get("return_sequences") is True else 2
    if entry.cls.startswith("Global") and "Pool" in entry.cls:
        return rank if config.get("keepdims") is True else 2
    if rank is None or entry.cls in ("TimeDistributed", "Bidirectional"):
        return None
    if entry.cls == "RepeatVector":
        return 3
    row = dialects.layer(f"keras.layers.{entry.cls}")
    if row is not None and row.kind == "embedding":
        return rank + 1
    if entry.cls in _SAME_CLASSES or (row is not None and (row.kind in _SAME or row.kind == "pool")):
        return rank
    function = config.get("function")
    if entry.cls == "TFOpLambda" and isinstance(function, str):
        return rank if function.startswith(("nn.", "__operators__.add", "math.add")) else None
    return None
