"""Exported programs, written by hand in the form of torch's schema, so that reading them is tested without torch.

`python -m tests.frontends.torch_export.programs` writes `block.pt2` beside this file anew.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
Json = dict[str, Any]


def tensor(name: str) -> Json:
    return {"as_tensor": {"name": name}}


def meta(*sizes: int) -> Json:
    told = [{"as_int": size} for size in sizes]
    return {"dtype": 7, "sizes": told, "requires_grad": False, "device": {"type": "cpu", "index": None}, "layout": 7}


def node(target: str, given: str, place: str, cls: str, line: int, /, **inputs: Json) -> Json:
    """A node; keywords are arguments in order, `_` before a keyword makes it one in the call too."""
    frame = f'File "/home/somebody/block.py", line {line}, in forward\n    a line of code'
    stack = f"L__self__,,block.Block;L__self__{place},{place},{cls}" if place else "L__self__,,block.Block"
    return {
        "target": f"torch.ops.aten.{target}",
        "inputs": [
            {"name": name.lstrip("_"), "arg": arg, "kind": 2 if name.startswith("_") else 1}
            for name, arg in inputs.items()
        ],
        "outputs": [tensor(given)],
        "metadata": {"stack_trace": frame, "nn_module_stack": stack, "torch_fn": f"{given};function.{given}"},
    }


LINEAR, NORM, DROP = (
    f"torch.nn.modules.{one}" for one in ("linear.Linear", "normalization.LayerNorm", "dropout.Dropout")
)


def block(*, train: bool = True, p: float = 0.1) -> Json:
    """`x = norm(x + dropout(down(relu(up(x)))))`."""
    shapes = {"up.weight": (32, 8), "up.bias": (32,), "down.weight": (8, 32), "down.bias": (8,)}
    shapes |= {"norm.weight": (8,), "norm.bias": (8,)}
    names = {name: "p_" + name.replace(".", "_") for name in shapes}

    def weights(layer: str) -> Json:
        return {"weight": tensor(names[f"{layer}.weight"]), "bias": tensor(names[f"{layer}.bias"])}

    dropping: Json = {"p": {"as_float": p}, "train": {"as_bool": train}}
    sizes, small = {"normalized_shape": {"as_ints": [8]}}, {"eps": {"as_float": 1e-05}}
    nodes = [
        node("linear.default", "linear", "up", LINEAR, 10, input=tensor("x"), **weights("up")),
        node("relu.default", "relu", "", "", 11, self=tensor("linear")),
        node("linear.default", "linear_1", "down", LINEAR, 12, input=tensor("relu"), **weights("down")),
        node("dropout.default", "dropout", "drop", DROP, 13, input=tensor("linear_1"), **dropping),
        node("add.Tensor", "add", "", "", 14, self=tensor("x"), other=tensor("dropout")),
        node("layer_norm.default", "out", "norm", NORM, 15, input=tensor("add"), **sizes, **weights("norm"), **small),
    ]
    values = {names[name]: meta(*shape) for name, shape in shapes.items()}
    values |= {name: meta(2, 5, 8) for name in ("x", "linear_1", "dropout", "add", "out")}
    values |= {name: meta(2, 5, 32) for name in ("linear", "relu")}
    inputs: list[Json] = [{"parameter": {"arg": {"name": names[name]}, "parameter_name": name}} for name in shapes]
    return program(nodes, values, [*names.values(), "x"], [*inputs, {"user_input": {"arg": tensor("x")}}], ["out"])


def program(
    nodes: list[Json],
    values: Json,
    inputs: list[str],
    specs: list[Json] | None = None,
    outputs: list[str] | None = None,
) -> Json:
    """A whole program around nodes."""
    specs = specs if specs is not None else [{"user_input": {"arg": tensor(name)}} for name in inputs]
    outputs = outputs if outputs is not None else []
    graph = {
        "inputs": [tensor(name) for name in inputs],
        "outputs": [tensor(name) for name in outputs],
        "nodes": nodes,
        "tensor_values": values,
        "sym_int_values": {},
        "sym_bool_values": {},
    }
    signature = {"input_specs": specs, "output_specs": [{"user_output": {"arg": tensor(name)}} for name in outputs]}
    return {
        "graph_module": {"graph": graph, "signature": signature, "module_call_graph": []},
        "opset_version": {"aten": 10},
        "range_constraints": {},
        "schema_version": {"major": 8, "minor": 20},
        "verifiers": ["TRAINING"],
        "torch_version": "2.13.0",
    }


def packed(told: Json | bytes, /, entry: str = "block/models/model.json", **more: bytes) -> bytes:
    """An archive with a program."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        text = told if isinstance(told, bytes) else json.dumps(told).encode()
        for name, data in {entry: text, **more}.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return held.getvalue()


if __name__ == "__main__":
    (HERE / "block.pt2").write_bytes(packed(block()))
