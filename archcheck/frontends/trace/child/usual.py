"""What constructors are given that nobody says anything about: the class that is annotated, or a usual size."""

from __future__ import annotations

import inspect
import types
from typing import Any


def annotation(function: Any, parameter: inspect.Parameter) -> Any:
    """The class that a parameter is said to be of; None where it is not said, or may be of several."""
    target = function.__init__ if inspect.isclass(function) else function
    try:
        found = inspect.get_annotations(target, eval_str=True).get(parameter.name)
    except Exception:
        found = parameter.annotation
    arguments = [one for one in getattr(found, "__args__", ()) if inspect.isclass(one) and one is not type(None)]
    if isinstance(found, types.UnionType) or getattr(found, "__origin__", None) is not None:
        return arguments[0] if arguments else None
    return found


# What constructors of layers ask for and seldom say the default of.
_SIZES = {
    "layer_idx": 0, "layer_id": 0, "layer_number": 1, "idx": 0, "block_idx": 0, "layer_index": 0,
    "num_heads": 4, "n_heads": 4, "n_head": 4, "heads": 4, "nhead": 4, "num_attention_heads": 4, "nheads": 4,
    "dim": 64, "d_model": 64, "embed_dim": 64, "hidden_size": 64, "hidden_dim": 64, "n_embd": 64, "width": 64,
    "embedding_dim": 64, "emb_dim": 64, "model_dim": 64, "in_features": 64, "out_features": 64, "channels": 64,
    "in_channels": 64, "out_channels": 64, "in_dim": 64, "out_dim": 64, "inplanes": 64, "planes": 64,
    "vocabulary_size": 100, "num_query_heads": 4, "num_key_value_heads": 2, "intermediate_dim": 128, "mlp_ratio": 4,
    "max_sequence_length": 32, "sequence_length": 16, "image_shape": (64, 64, 3), "key_dim": 16, "filters": 64,
    "mlp_dim": 128, "d_ff": 128, "ffn_dim": 128, "intermediate_size": 128, "dim_head": 16, "head_dim": 16,
    "depth": 2, "num_layers": 2, "n_layers": 2, "n_layer": 2, "num_classes": 10, "vocab_size": 100, "num_tokens": 100,
    "max_seq_len": 32, "max_len": 32, "max_length": 32, "seq_len": 16, "block_size": 32,
    "drop_path": 0.0, "dropout": 0.1, "eps": 1e-6,
    "image_size": 32, "img_size": 32, "patch_size": 8, "input_resolution": (8, 8), "window_size": 4, "kernel_size": 3,
}  # fmt: skip


def usual(name: str, cls: Any) -> Any:
    """A value for an argument of this name and class; None where none is usual."""
    if name in _SIZES:
        return _SIZES[name]
    return {int: 4, float: 0.1, bool: False}.get(cls) if inspect.isclass(cls) else None
