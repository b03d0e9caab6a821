"""An ONNX file as its graph is told: nodes in order, tensors with few numbers or none, what an exporter tells beside.

Everything in it was written by whoever wrote the file: names are texts, and nothing is looked up by them but other
names in the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archcheck.errors import TargetError
from archcheck.frontends.bounded import KEPT_NUMBERS, MAX_NAME, MAX_NODES, MAX_RANK, MOST_ENTRIES, shortest
from archcheck.frontends.onnx_model.numbers import Held, held
from archcheck.frontends.skimming import Form, skimmed
from archcheck.ir.shapes import Dims

MAX_DEPTH = 16  # functions and graphs in each other
MAX_OPSET = 30

_REAL = {1: "<f4", 10: "<f2", 11: "<f8"}  # types with fractions
_REALS = frozenset({1, 10, 11, 16, 17, 18, 19, 20, 23, 24})
_WHOLE = {2: "<u1", 3: "<i1", 4: "<u2", 5: "<i2", 6: "<i4", 7: "<i8", 9: "?", 12: "<u4", 13: "<u8"}
_FLOAT, _INT, _STRING, _TENSOR, _GRAPH, _FLOATS, _INTS, _STRINGS = 1, 2, 3, 4, 5, 6, 7, 8

FORM = Form(
    called="ONNX file",
    root="model",
    inside={
        "model": {7: "graph", 25: "function"},
        "graph": {1: "node", 5: "tensor"},
        "function": {7: "node", 11: "attribute"},
        "node": {5: "attribute"},
        "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph"},
    },
    content={"tensor": frozenset({4, 5, 6, 7, 9, 10, 11})},
    dropped={"model": frozenset({20}), "graph": frozenset({15})},  # how it is trained; sparse weights
)


class NonsenseError(Exception):
    """What is wrong with a model, in words."""


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """A tensor that the file holds.

    Args:
        name: in the file.
        shape: entries along each axis.
        real: whether its numbers have fractions.
        numbers: what it holds, where that is little and told.
        given: whether it is an initialiser, and no constant among the nodes.
    """

    name: str
    shape: tuple[int, ...]
    real: bool
    numbers: Held | None
    given: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One operator.

    Args:
        domain: "" for ONNX's own.
        op: its type.
        inputs: names of values; "" for one that is left out.
        outputs: likewise.
        attributes: numbers, texts and lists of them; a tensor as Stored.
        graphs: those that it is given.
        name: its own.
        metadata: what the exporter tells beside it.
        references: attributes that stand for those of the function around it: name -> its name there.
    """

    domain: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    graphs: Mapping[str, Any]
    name: str
    metadata: Mapping[str, str]
    references: Mapping[str, str]
    overload: str = ""


@dataclass(frozen=True, slots=True)
class Function:
    """An operator that the model itself spells out."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: Any
    opsets: Mapping[str, int]
    defaults: Mapping[str, Any]


@dataclass
class Model:
    """What a file tells.

    Attributes:
        graph: the whole, as parsed.
        opsets: domain -> version.
        functions: (domain, name, overload) -> function.
        producer: what wrote the file.
    """

    graph: Any
    opsets: Mapping[str, int]
    functions: Mapping[tuple[str, str, str], Function]
    producer: str
    notes: list[str] = field(default_factory=list)


def parsed(path: Path, shown: str) -> Model:
    """The model in a file.

    Raises:
        TargetError: `onnx` is not installed, or the file is none that can be read.
    """
    try:
        from onnx import ModelProto
    except ImportError:
        hint = 'python -m pip install "nn-archcheck[onnx]"'
        raise TargetError("reading an ONNX graph takes the package onnx, which is not installed", hint=hint) from None
    data = skimmed(path, shown, FORM)
    try:
        told = ModelProto.FromString(data)
    except Exception as error:  # of protobuf, whose errors differ by release
        why = f"{type(error).__name__}: {str(error)[:80]}"
        raise TargetError(f"this is no ONNX file that can be read: {why}", place=shown) from None
    try:
        return _model(told)
    except NonsenseError as error:
        raise TargetError(f"the graph makes no sense: {error}", place=shown) from None
    except (ValueError, TypeError, OverflowError) as error:
        raise TargetError(f"the graph makes no sense: {str(error)[:120]}", place=shown) from None


def _model(told: Any) -> Model:
    if not told.HasField("graph") or not told.ir_version:
        raise NonsenseError("it has no graph")
    functions = {(domain(one.domain), one.name, one.overload): _function(one) for one in told.functions}
    opsets = _opsets(told.opset_import)
    count = len(told.graph.node) + sum(len(one.nodes) for one in functions.values())
    if count > MAX_NODES:
        raise NonsenseError(f"it has {count:,} nodes; at most {MAX_NODES:,} are read")
    return Model(told.graph, opsets, functions, told.producer_name[:MAX_NAME])


def domain(name: str) -> str:
    """The name of a domain, which has two for ONNX's own."""
    return "" if name == "ai.onnx" else name[:MAX_NAME]


def _opsets(told: Any) -> dict[str, int]:
    found = {domain(one.domain): int(one.version) for one in told}
    version = found.get("", 1)
    if not 1 <= version <= MAX_OPSET:
        raise NonsenseError(f"it is written in opset {version}, which is not known")
    return found


def _function(told: Any) -> Function:
    defaults = {one.name: value(one) for one in told.attribute_proto}
    return Function(tuple(told.input), tuple(told.output), told.node, _opsets(told.opset_import), defaults)


def nodes(told: Any) -> Iterator[Node]:
    """The nodes of a graph or a function, as plain data."""
    for one in told:
        attributes, graphs, references = {}, {}, {}
        for attribute in one.attribute:
            if attribute.ref_attr_name:
                references[attribute.name] = attribute.ref_attr_name
            elif attribute.type == _GRAPH:
                graphs[attribute.name] = attribute.g
            else:
                attributes[attribute.name] = value(attribute)
        yield Node(
            domain(one.domain),
            one.op_type[:MAX_NAME],
            tuple(one.input),
            tuple(one.output),
            attributes,
            graphs,
            one.name[:MAX_NAME],
            {entry.key: entry.value for entry in one.metadata_props} if one.metadata_props else {},
            references,
            one.overload,
        )


def value(told: Any) -> Any:
    """What an attribute says; None for a kind that is not read."""
    kind = told.type
    if kind == _FLOAT:
        return shortest(told.f)
    if kind == _INT:
        return told.i
    if kind == _STRING:
        return told.s.decode("utf-8", "replace")[:MAX_NAME]
    if kind == _TENSOR:
        return stored(told.t, given=False)
    if kind == _FLOATS:
        return [shortest(one) for one in told.floats[:MOST_ENTRIES]]
    if kind == _INTS:
        return list(told.ints[:MOST_ENTRIES])
    if kind == _STRINGS:
        return [one.decode("utf-8", "replace")[:MAX_NAME] for one in told.strings[:MOST_ENTRIES]]
    return None


def stored(told: Any, *, given: bool = True) -> Stored:
    """A tensor of the file.

    Raises:
        NonsenseError: it has sizes that no tensor has.
    """
    shape = tuple(told.dims)
    if len(shape) > MAX_RANK or any(size < 0 for size in shape):
        raise NonsenseError(f'the tensor "{told.name[:80]}" has sizes that no tensor has')
    return Stored(told.name, shape, told.data_type in _REALS, _numbers(told, shape), given)


def _numbers(told: Any, shape: tuple[int, ...]) -> Held | None:
    """What a tensor holds; None where that is much, lies in another file, or is told in a form that is not read."""
    import numpy as np

    count = 1
    for size in shape:
        count *= size
    if count > KEPT_NUMBERS or told.data_location == 1:
        return None
    real = told.data_type in _REALS
    form = _REAL.get(told.data_type) or _WHOLE.get(told.data_type)
    flat: list[Any] = []
    if told.raw_data and form is not None:
        found: Any = (
            np.frombuffer(told.raw_data, dtype=form) if len(told.raw_data) % np.dtype(form).itemsize == 0 else []
        )
        flat = [float(str(one)) for one in found] if real else [one.item() for one in found]
    elif told.data_type in (1, 11):
        flat = [shortest(one) for one in told.float_data] if told.data_type == 1 else list(told.double_data)
    elif told.data_type in (7, 6, 5, 3, 2, 4, 9):
        flat = list(told.int64_data if told.data_type == 7 else told.int32_data)
        flat = [bool(one) for one in flat] if told.data_type == 9 else flat
    if len(flat) != count:
        return None
    array = held(flat or [], real).array if count else np.empty((0,), dtype=object)
    return Held(array.reshape(shape), real)


def dims(told: Any) -> Dims | None:
    """The shape that is told of a value; None for a size that is free, and where no shape is told."""
    tensor = told.type.tensor_type
    if not told.type.HasField("tensor_type") or not tensor.HasField("shape"):
        return None
    sizes = tuple(
        one.dim_value if one.HasField("dim_value") and one.dim_value >= 0 else None for one in tensor.shape.dim
    )
    return sizes if len(sizes) <= MAX_RANK else None
