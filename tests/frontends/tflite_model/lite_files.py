"""Files of TensorFlow Lite, written by hand: tables as dictionaries from the numbers of fields to what they hold.

The bytes are laid out by this module alone, from the description of FlatBuffers: a table, the list of places of its
fields before it, and behind it what it points to.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archcheck.frontends.static.library import Library
from archcheck.frontends.tflite_model import schema
from archcheck.frontends.tflite_model.reader import load
from archcheck.ir.graph import Op, OpGraph
from archcheck.passes import canonicalise

FLOAT, HALF, INT, INT8 = 0, 1, 2, 9


@dataclass(frozen=True)
class Of:
    """A number in a form of `struct`."""

    form: str
    value: Any


@dataclass(frozen=True)
class Many:
    """A list of numbers in a form of `struct`, or of tables where it is ""."""

    form: str
    values: Sequence[Any]


Table = dict[int, Any]


def flat(root: Table) -> bytes:
    """A file that is a table."""
    found = bytearray(b"\0\0\0\0" + schema.IDENTIFIER)
    struct.pack_into("<I", found, 0, _table(found, root))
    return bytes(found)


def _align(found: bytearray, size: int) -> None:
    found += b"\0" * (-len(found) % size)


def _table(found: bytearray, fields: Mapping[int, Any]) -> int:
    """Write a table, and behind it what it points to; where it is."""
    count = max(fields, default=-1) + 1
    _align(found, 8)
    places = len(found)
    found += struct.pack("<HH", 4 + 2 * count, 0) + b"\0\0" * count
    _align(found, 8)
    at = len(found)
    found += struct.pack("<i", at - places)
    waiting: list[tuple[int, Any]] = []
    for number, value in sorted(fields.items()):
        form = value.form if isinstance(value, Of) else "I"
        _align(found, struct.calcsize("<" + form))
        struct.pack_into("<H", found, places + 4 + 2 * number, len(found) - at)
        if isinstance(value, Of):
            found += struct.pack("<" + form, value.value)
        else:
            waiting.append((len(found), value))
            found += b"\0\0\0\0"
    struct.pack_into("<H", found, places + 2, len(found) - at)
    for place, value in waiting:
        target = _pointed(found, value)
        struct.pack_into("<I", found, place, target - place)
    return at


def _pointed(found: bytearray, value: Any) -> int:
    if isinstance(value, dict):
        return _table(found, value)
    if isinstance(value, str):
        value = Many("s", [value.encode()])
    if isinstance(value, bytes):
        value = Many("s", [value])
    _align(found, 8)
    found += b"\0" * 4  # what a list holds lies at a multiple of 8
    at = len(found)
    if value.form == "s":
        found += struct.pack("<I", len(value.values[0])) + value.values[0] + b"\0"
        return at
    found += struct.pack("<I", len(value.values))
    if value.form:
        found += struct.pack(f"<{len(value.values)}{value.form}", *value.values)
        return at
    first = len(found)
    found += b"\0\0\0\0" * len(value.values)
    for number, one in enumerate(value.values):
        place = first + 4 * number
        target = _table(found, one)
        struct.pack_into("<I", found, place, target - place)
    return at


# ---- models


class Lite:
    """A graph that grows: operators read tensors by their names.

    Args:
        inputs: name -> shape, -1 for a size that is free.
    """

    def __init__(self, **inputs: Sequence[int]) -> None:
        self.tensors: list[Table] = []
        self.places: dict[str, int] = {"": -1}
        self.operators: list[tuple[tuple[str, str], Table]] = []
        self.buffers: list[Table] = [{}]
        self.inputs = [self.tensor(name, shape) for name, shape in inputs.items()]
        self.outputs: list[int] = []

    def tensor(self, name: str, shape: Sequence[int], kind: int = FLOAT, buffer: int = 0, **more: Any) -> int:
        free = any(size < 0 for size in shape)
        told: Table = {
            schema.TENSOR_SHAPE: Many("i", [abs(size) for size in shape]),
            schema.TENSOR_TYPE: Of("b", kind),
            schema.TENSOR_BUFFER: Of("I", buffer),
            schema.TENSOR_NAME: more.get("called", name),
        }
        if free:
            told[schema.TENSOR_SIZES] = Many("i", shape)
        if more.get("rounded"):
            told[schema.TENSOR_ROUNDED] = {schema.ROUNDED_SCALE: Many("f", [0.1])}
        if more.get("kept"):
            told[schema.TENSOR_VARIABLE] = Of("?", True)
        self.places[name] = len(self.tensors)
        self.tensors.append(told)
        return self.places[name]

    def held(
        self, name: str, shape: Sequence[int], values: Sequence[float] | None = None, kind: int = FLOAT, **more: Any
    ) -> str:
        """A tensor of the file; without values it holds many different ones."""
        form = {FLOAT: "f", HALF: "e", INT: "i", INT8: "b"}[kind]
        count = math.prod(shape)
        numbers = (
            [(at % 7 + 1) / 8 if kind in (FLOAT, HALF) else at % 100 for at in range(count)]
            if values is None
            else values
        )
        self.buffers.append({schema.BUFFER_DATA: struct.pack(f"<{count}{form}", *numbers)})
        self.tensor(name, shape, kind, len(self.buffers) - 1, **more)
        return name

    def ints(self, name: str, values: Sequence[int]) -> str:
        return self.held(name, [len(values)], values, INT)

    def op(
        self, code: str, *inputs: str, out: str = "", shape: Sequence[int] = (), custom: str = "", **options: Any
    ) -> str:
        """An operator; what it gives is called as the operator where no name is told."""
        name = out or f"{code.lower()}_{len(self.operators)}"
        kinds = options.pop("kinds", {})
        beside = options.pop("beside", b"")
        told: Table = {
            schema.OPERATOR_INPUTS: Many("i", [self.places[one] for one in inputs]),
            schema.OPERATOR_OUTPUTS: Many("i", [self.tensor(name, shape, **kinds)]),
        }
        if code in schema.OPTIONS and "untold" not in options:
            kind, fields = schema.OPTIONS[code]
            told[schema.OPERATOR_KIND] = Of("B", kind)
            told[schema.OPERATOR_OPTIONS] = {
                number: _option(form, options[one]) for one, number, form, _ in fields if one in options
            }
        if beside:
            told[schema.OPERATOR_CUSTOM] = beside
        self.operators.append(((code, custom), told))
        return name

    def table(self, codes: list[tuple[str, str]], outputs: Sequence[str]) -> Table:
        made = []
        for code, told in self.operators:
            if code not in codes:
                codes.append(code)
            made.append({schema.OPERATOR_CODE: Of("I", codes.index(code)), **told})
        return {
            schema.GRAPH_TENSORS: Many("", self.tensors),
            schema.GRAPH_INPUTS: Many("i", self.inputs),
            schema.GRAPH_OUTPUTS: Many("i", [self.places[one] for one in outputs]),
            schema.GRAPH_OPERATORS: Many("", made),
        }


def _option(form: str, value: Any) -> Any:
    return Many("i", value) if form == "v" else Of({"f": "f", "t": "?", "b": "b", "u": "I"}.get(form, "i"), value)


def model(
    lite: Lite,
    *outputs: str,
    others: Sequence[tuple[Lite, Sequence[str]]] = (),
    signatures: Sequence[Table] = (),
    version: int = 3,
) -> bytes:
    """A file of a graph, and of those that it calls."""
    codes: list[tuple[str, str]] = []
    graphs = [lite.table(codes, outputs)]
    buffers = list(lite.buffers)
    for other, results in others:
        for tensor in other.tensors:
            if tensor[schema.TENSOR_BUFFER].value:
                tensor[schema.TENSOR_BUFFER] = Of("I", tensor[schema.TENSOR_BUFFER].value + len(buffers) - 1)
        buffers += other.buffers[1:]
        graphs.append(other.table(codes, results))
    numbers = [schema.OPERATORS.index(code) for code, _ in codes]
    told: Table = {
        schema.MODEL_VERSION: Of("I", version),
        schema.MODEL_CODES: Many("", [
            {schema.CODE_OLD: Of("b", min(number, 127)), schema.CODE_NEW: Of("i", number), schema.CODE_CUSTOM: custom}
            for number, (_, custom) in zip(numbers, codes, strict=True)
        ]),
        schema.MODEL_GRAPHS: Many("", graphs),
        schema.MODEL_BUFFERS: Many("", buffers),
    }  # fmt: skip
    if signatures:
        told[schema.MODEL_SIGNATURES] = Many("", signatures)
    return flat(told)


def signature(name: str, inputs: Mapping[str, int], outputs: Mapping[str, int], graph: int = 0) -> Table:
    def named(told: Mapping[str, int]) -> Many:
        return Many("", [{schema.NAMED_NAME: key, schema.NAMED_TENSOR: Of("I", at)} for key, at in told.items()])

    return {
        schema.SIGNATURE_INPUTS: named(inputs),
        schema.SIGNATURE_OUTPUTS: named(outputs),
        schema.SIGNATURE_KEY: name,
        schema.SIGNATURE_GRAPH: Of("I", graph),
    }


# ---- reading


def raw(data: bytes, folder: Path, choice: str = "") -> OpGraph:
    """The graph as it is read."""
    path = folder / "model.tflite"
    path.write_bytes(data)
    return load(path, Library([]), path.name, choice).reading.variants[0].graph


def read(data: bytes, folder: Path) -> OpGraph:
    """The graph in canonical form."""
    return canonicalise(raw(data, folder))


def lines(found: OpGraph) -> list[str]:
    """The ops that compute, each with what it states."""
    return [
        " ".join([op.kind.name, *(f"{attr.name}={attr.value}" for attr in op.attrs if attr.name != "why")])
        for op in found.ops
        if op.kind.name not in ("input", "parameter", "constant")
    ]


def only(found: OpGraph, kind: str) -> Op:
    """The one op of a kind."""
    (op,) = [one for one in found.walk() if one.kind.name == kind]
    return op
