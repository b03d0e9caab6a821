"""What the dialect tables call the classes that a configuration names."""

from __future__ import annotations

import re

from archcheck.frontends import dialects
from archcheck.frontends.keras_file.layers import Entry

_OPS = re.compile(r"(?:keras|keras_core)\.(?:src\.)?ops\b")


def is_function(entry: Entry) -> bool:
    """Whether it is a function of `keras.ops`, which Keras 3 writes as a class.

    Where the file tells no modules, an `Add` may be both; only what a layer is built with says whether it is trained.
    """
    if not entry.module and entry.nodes and not entry.nodes[0].old:
        return entry.is_own and isinstance(entry.config, dict) and "trainable" not in entry.config
    return entry.is_own and _OPS.match(entry.module) is not None


def qualified(entry: Entry) -> str:
    """The name of a class as the dialect lists it."""
    if entry.module in ("", "keras"):
        return f"keras.layers.{entry.cls}"
    return dialects.canonical(f"{entry.module}.{entry.cls}")


def function_of(cls: str) -> str:
    """The function of `keras.ops` behind a class: `LogSoftmax` is `log_softmax`, `Matmul` is `matmul`."""
    spelled = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls).lower()
    for word in (spelled, spelled.replace("_", "")):
        name = f"keras.ops.{word}"
        if dialects.function(name) is not None or dialects.formula(name) is not None:
            return name
    return f"keras.ops.{spelled}"


def takes(entry: Entry, word: str) -> bool:
    """Whether the call of a layer takes an argument of this name."""
    row = dialects.layer(qualified(entry))
    return row is not None and any(one.name == word for one in row.call_parameters)


def not_told(entry: Entry) -> str:
    """Why it is not known what a class computes that is none of Keras's."""
    return f"{entry.cls} is no class of Keras, and the file does not hold its code: name the code that builds the model"
