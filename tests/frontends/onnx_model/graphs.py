"""ONNX graphs made by hand: `model([node(...), ...], ...)` gives the bytes of a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

from archcheck.frontends.onnx_model.reader import load
from archcheck.frontends.static.library import Library
from archcheck.ir.graph import Op, OpGraph
from archcheck.passes import canonicalise

node = helper.make_node


def tensor(name: str, *shape: int, seed: int = 0) -> TensorProto:
    """Random numbers with fractions."""
    return numpy_helper.from_array(numpy.random.default_rng(seed).normal(size=shape).astype("float32"), name)


def whole(name: str, *numbers: int) -> TensorProto:
    """A list of whole numbers."""
    return numpy_helper.from_array(numpy.array(numbers, dtype="int64"), name)


def number(name: str, value: float) -> TensorProto:
    """One number with a fraction."""
    return numpy_helper.from_array(numpy.array(value, dtype="float32"), name)


def value(name: str, *shape: int | str) -> Any:
    """What is told of an input or output."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def model(
    nodes: Sequence[Any],
    inputs: Sequence[Any],
    held: Sequence[TensorProto] = (),
    outputs: Sequence[str] = ("y",),
    opset: int = 20,
    functions: Sequence[Any] = (),
) -> onnx.ModelProto:
    """A model with one graph."""
    graph = helper.make_graph(list(nodes), "g", list(inputs), [value(name) for name in outputs], list(held))
    domains = [helper.make_opsetid("", opset), *(helper.make_opsetid(one.domain, 1) for one in functions)]
    return helper.make_model(graph, opset_imports=domains, functions=list(functions), ir_version=10)


def raw(told: onnx.ModelProto | bytes, folder: Path) -> OpGraph:
    """The graph as it is read."""
    path = folder / "model.onnx"
    path.write_bytes(told if isinstance(told, bytes) else told.SerializeToString())
    return load(path, Library([]), "model.onnx").reading.variants[0].graph


def read(told: onnx.ModelProto, folder: Path) -> OpGraph:
    """The graph in canonical form."""
    return canonicalise(raw(told, folder))


def only(graph: OpGraph, kind: str) -> Op:
    """The one op of a kind."""
    (found,) = [op for op in graph.walk() if op.kind.name == kind]
    return found


def kinds(graph: OpGraph) -> list[str]:
    """The kinds of the ops at the top that compute."""
    quiet = ("input", "parameter", "constant")
    return [op.kind.name for op in graph.ops if op.kind.name not in quiet]
