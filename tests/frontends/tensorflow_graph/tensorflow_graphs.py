"""Graphs of TensorFlow made by hand, with a writer of protocol buffers of its own: no package is needed.

`graph(node("y", "Relu", "x"), ...)` gives the bytes of a frozen graph, `saved(...)` those of a SavedModel.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from archcheck.frontends.static.library import Library
from archcheck.frontends.tensorflow_graph.reader import load
from archcheck.ir.graph import Op, OpGraph
from archcheck.passes import canonicalise

FLOAT, INT, BOOL = 1, 3, 10


def varint(value: int) -> bytes:
    value &= 2**64 - 1
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def field(number: int, content: bytes | str | int | float) -> bytes:
    """One field: a message or a text, a whole number, or a number of four bytes."""
    if isinstance(content, str):
        content = content.encode()
    if isinstance(content, bytes):
        return varint(number << 3 | 2) + varint(len(content)) + content
    if isinstance(content, float):
        return varint(number << 3 | 5) + struct.pack("<f", content)
    return varint(number << 3) + varint(content)


def entry(number: int, key: str | int, value: bytes | str) -> bytes:
    return field(number, field(1, key) + field(2, value))


class Const:
    """A tensor: its shape, and what it holds; None: a matrix that nobody looks into."""

    def __init__(self, values: Any, shape: Sequence[int] | None = None, kind: int | None = None) -> None:
        flat = values if isinstance(values, (list, tuple)) else [] if values is None else [values]
        self.shape = list(shape) if shape is not None else [len(flat)] if isinstance(values, (list, tuple)) else []
        self.kind = kind or (FLOAT if values is None or any(isinstance(one, float) for one in flat) else INT)
        form = {FLOAT: "f", BOOL: "?"}.get(self.kind, "i")
        count = 1
        for size in self.shape:
            count *= size
        self.content = b"\0" * (4 * count) if values is None else struct.pack(f"<{len(flat)}{form}", *flat)

    def written(self) -> bytes:
        return field(1, self.kind) + field(2, shape(*self.shape)) + field(4, self.content)


class Type(int):
    """A type of numbers, as an attribute."""


class Function(str):
    """The name of a function, as an attribute."""


def shape(*sizes: int) -> bytes:
    return b"".join(field(2, field(1, size)) for size in sizes)


def attribute(value: Any) -> bytes:
    if isinstance(value, Const):
        return field(8, value.written())
    if isinstance(value, Function):
        return field(10, field(1, str(value)))
    if isinstance(value, Type):
        return field(6, int(value))
    if isinstance(value, bool):
        return field(5, int(value))
    if isinstance(value, int):
        return field(3, value)
    if isinstance(value, float):
        return field(4, value)
    if isinstance(value, str):
        return field(2, value)
    if isinstance(value, tuple):
        return field(7, shape(*value))
    return field(1, field(3, b"".join(varint(one) for one in value)))


def node(name: str, op: str, *inputs: str, **attrs: Any) -> bytes:
    content = field(1, name) + field(2, op) + b"".join(field(3, one) for one in inputs)
    return content + b"".join(entry(5, key, attribute(value)) for key, value in attrs.items())


def const(name: str, values: Any, *sizes: int) -> bytes:
    return node(name, "Const", value=Const(values, sizes or None), dtype=Type(FLOAT))


def given(name: str, *sizes: int) -> bytes:
    return node(name, "Placeholder", shape=tuple(sizes), dtype=Type(FLOAT))


def variable(name: str, *sizes: int) -> bytes:
    return node(name, "VarHandleOp", shape=tuple(sizes), shared_name=name)


def function(name: str, arguments: Sequence[str], results: Mapping[str, str], *nodes: bytes) -> bytes:
    told = field(1, name) + b"".join(field(2, field(1, one)) for one in arguments)
    content = field(1, told + b"".join(field(3, field(1, one)) for one in results))
    return content + b"".join(field(3, one) for one in nodes) + b"".join(entry(4, *one) for one in results.items())


def graph(*nodes: bytes, functions: Sequence[bytes] = ()) -> bytes:
    library = field(2, b"".join(field(1, one) for one in functions)) if functions else b""
    return b"".join(field(1, one) for one in nodes) + library


def saved(
    nodes: Sequence[bytes],
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
    functions: Sequence[bytes] = (),
    signature: str = "serving_default",
    objects: bytes = b"",
) -> bytes:
    told = b"".join(entry(1, key, field(1, value)) for key, value in inputs.items())
    told += b"".join(entry(2, key, field(1, value)) for key, value in outputs.items())
    meta = field(1, field(4, "serve") + field(5, "2.0")) + field(2, graph(*nodes, functions=functions))
    return field(1, 1) + field(2, meta + entry(5, signature, told) + (field(7, objects) if objects else b""))


# ---- reading


def raw(data: bytes, folder: Path, choice: str = "", training: bool = True) -> OpGraph:
    """The graph of a frozen graph, or of a SavedModel, as it is read."""
    if data[:1] == b"\x08":
        (folder / "model").mkdir(exist_ok=True)
        (folder / "model" / "saved_model.pb").write_bytes(data)
        path = folder / "model"
    else:
        path = folder / "model.pb"
        path.write_bytes(data)
    return load(path, Library([]), path.name, choice, training=training).reading.variants[0].graph


def read(data: bytes, folder: Path) -> OpGraph:
    """The graph in canonical form."""
    return canonicalise(raw(data, folder))


def only(found: OpGraph, kind: str) -> Op:
    """The one op of a kind."""
    (op,) = [one for one in found.walk() if one.kind.name == kind]
    return op


def kinds(found: OpGraph) -> list[str]:
    """The kinds of the ops at the top that compute."""
    return [op.kind.name for op in found.ops if op.kind.name not in ("input", "parameter", "constant")]


def lines(found: OpGraph) -> list[str]:
    """The ops that compute, each with what it states."""
    return [
        " ".join([op.kind.name, *(f"{attr.name}={attr.value}" for attr in op.attrs)])
        for op in found.ops
        if op.kind.name not in ("input", "parameter", "constant")
    ]
