"""Configurations as Keras writes them, by hand: the form of Keras 3, and that of Keras 2 and of HDF5 files."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

Json = dict[str, Any]


def tensor(name: str, rank: int = 3, node: int = 0, at: int = 0) -> Json:
    """A tensor, as an argument of a call in the form of Keras 3."""
    config = {"shape": [None] * rank, "dtype": "float32", "keras_history": [name, node, at]}
    return {"class_name": "__keras_tensor__", "config": config}


def layer(cls: str, name: str, *calls: list[Any] | Json, module: str | None = "keras.layers", **config: Any) -> Json:
    """A layer with its calls: arguments, or what stands there itself."""
    nodes = [one if isinstance(one, dict) else {"args": one, "kwargs": {}} for one in calls]
    config = {"name": name, "trainable": True, "dtype": "float32"} | config
    told = {"module": module, "class_name": cls, "config": config, "registered_name": None, "name": name}
    return told | {"inbound_nodes": nodes}


def operation(cls: str, name: str, *args: Any, module: str = "numpy", **config: Any) -> Json:
    """A function of `keras.ops`, as Keras 3 writes it."""
    told = layer(cls, name, list(args), module=f"keras.src.ops.{module}")
    return told | {"config": {"name": name} | config, "registered_name": cls}


def given(name: str = "x", rank: int = 3) -> Json:
    """An input."""
    return layer("InputLayer", name) | {"config": {"batch_shape": [None] * rank, "name": name}}


def model(*layers: Json, ends: Any = None, starts: Any = None, name: str = "model", **more: Any) -> Json:
    """A model; it starts at the inputs and ends at the last layer, unless told otherwise."""
    known = [[one["name"], 0, 0] for one in layers if one["class_name"] == "InputLayer"]
    config = {
        "name": name,
        "layers": list(layers),
        "input_layers": known if starts is None else starts,
        "output_layers": [[layers[-1].get("name", ""), 0, 0]] if ends is None else ends,
    }
    told = {"module": "keras.src.models.functional", "class_name": "Functional", "config": config}
    return told | {"registered_name": "Functional", "name": name} | more


def sequence(*layers: Json, name: str = "sequence") -> Json:
    """A model whose layers run one after another."""
    told = [{key: value for key, value in one.items() if key not in ("name", "inbound_nodes")} for one in layers]
    return {"module": "keras", "class_name": "Sequential", "config": {"name": name, "layers": told}, "name": name}


def old(cls: str, name: str, *calls: Any, **config: Any) -> Json:
    """A layer in the form of Keras 2; a call is a list of `[layer, call, tensor, keyword arguments]`."""
    return {"class_name": cls, "config": {"name": name, "trainable": True} | config, "name": name} | {
        "inbound_nodes": list(calls)
    }


def saved(told: Json, *more: tuple[str, bytes]) -> bytes:
    """The archive that Keras makes of a configuration."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, data in (
            ("metadata.json", b'{"keras_version": "3.0.0"}'),
            ("config.json", json.dumps(told).encode()),
            *more,
        ):
            archive.writestr(zipfile.ZipInfo(name), data)
    return held.getvalue()
