"""A file of TensorFlow Lite as plain data: graphs of operators, tensors by number, few numbers of what they hold."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from archcheck.errors import TargetError
from archcheck.frontends.bounded import KEPT_NUMBERS, MAX_NAME, MAX_NODES, MAX_RANK, shortest
from archcheck.frontends.tensorflow_graph.nodes import Held, NonsenseError, Rough, Stored
from archcheck.frontends.tensorflow_graph.wire import REAL
from archcheck.frontends.tflite_model import schema
from archcheck.frontends.tflite_model.flat import INT8, UINT8, UINT32, UINT64, File, Table

MAX_GRAPHS = 10_000
HALF_DIGITS = 3  # of a number that somebody wrote and that 16 bits keep
MAX_FLEX = 65_536  # bytes beside one operator
_PACKED = {"float": "f", "double": "d", "half": "e", "int32": "i", "uint8": "B", "int16": "h", "int8": "b",
           "int64": "q", "bool": "?", "uint16": "H", "uint32": "I", "uint64": "Q"}  # fmt: skip
_WHOLE = frozenset({"int4", "int8", "uint8", "int16", "uint16", "int32", "int64"})  # that stand for rounded numbers

Option = int | float | bool | list[int]


@dataclass(frozen=True, slots=True, eq=False)
class Info:
    """A tensor.

    Args:
        name: its own, which others may have too.
        type: of its numbers, as TensorFlow calls it.
        shape: entries along each axis, -1 for a size that is free; None where not even the number of axes is told.
        buffer: what it holds; 0 where it is computed.
        numbers: what it holds, where that is little and told.
        rounded: whether its whole numbers stand for others, with fractions, which are multiples of a step.
        kept: whether it keeps what it has from one run to the next.
    """

    name: str
    type: str
    shape: tuple[int, ...] | None
    buffer: int
    numbers: Held | None
    rounded: bool
    kept: bool

    @property
    def real(self) -> bool:
        """Whether its numbers have fractions."""
        return self.type in REAL or self.rounded

    @property
    def stored(self) -> Stored:
        """As a tensor of the file."""
        return Stored(self.name, self.shape or (), self.real, self.numbers)


@dataclass(frozen=True, slots=True, eq=False)
class Operator:
    """One operation.

    Args:
        code: its name.
        custom: the name of one that is not TensorFlow Lite's own; "" for the others.
        inputs: numbers of tensors; -1 for one that is left out.
        outputs: likewise.
        options: numbers, truths and lists by name; None where the file tells none.
        flex: what stands beside one of TensorFlow's own, as bytes.
    """

    code: str
    custom: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Option] | None
    flex: bytes = b""


@dataclass(frozen=True, slots=True, eq=False)
class Subgraph:
    """Operators in the order in which they run, over tensors of their own."""

    tensors: tuple[Info, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: tuple[Operator, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Signature:
    """A name for a graph, with names for what comes in and goes out: tensors by name."""

    name: str
    graph: int
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """What a file tells."""

    graphs: tuple[Subgraph, ...]
    signatures: tuple[Signature, ...]


def parsed(path: Path, shown: str) -> Model:
    """The model in a file.

    Raises:
        TargetError: it cannot be read, or is none.
    """
    file = File(path, shown)
    try:
        if not is_model(file.part(0, min(8, file.size))):
            raise NonsenseError(
                f"it does not say that it is one, by {schema.IDENTIFIER.decode()} behind its first bytes"
            )
        return _model(file)
    except NonsenseError as error:
        raise TargetError(f"this is no model of TensorFlow Lite that can be read: {error}", place=shown) from None
    finally:
        file.close()


def is_model(start: bytes) -> bool:
    """Whether a file starts as these files do."""
    return start[4:8] == schema.IDENTIFIER


def _model(file: File) -> Model:
    root = file.root()
    version = root.whole(schema.MODEL_VERSION, UINT32)
    if version != schema.VERSION:
        raise NonsenseError(f"it is written in version {version} of the format; version {schema.VERSION} is read")
    codes = [_code(one) for one in root.tables(schema.MODEL_CODES)]
    at, count = root.span(schema.MODEL_BUFFERS, 4)
    buffers = _Buffers(file, at, count)
    graphs: list[Subgraph] = []
    left = MAX_NODES
    for one in root.tables(schema.MODEL_GRAPHS):
        graphs.append(_graph(one, codes, buffers))
        left -= len(graphs[-1].operators)
        if left < 0 or len(graphs) > MAX_GRAPHS:
            raise NonsenseError(f"it has more than {MAX_NODES:,} operators, or {MAX_GRAPHS:,} graphs")
    if not graphs:
        raise NonsenseError("it has no graph")
    signatures = tuple(_signature(one, graphs) for one in root.tables(schema.MODEL_SIGNATURES))
    return Model(tuple(graphs), signatures)


def _code(told: Table) -> tuple[str, str]:
    """The name of an operator: newer files tell those in another field of which older ones have no number."""
    number = max(told.whole(schema.CODE_OLD, INT8), told.whole(schema.CODE_NEW))
    if not 0 <= number < len(schema.OPERATORS):
        return f"OPERATOR_{number}", ""
    return schema.OPERATORS[number], told.text(schema.CODE_CUSTOM)[:MAX_NAME]


class _Buffers:
    """What tensors hold, looked up when it is asked for."""

    def __init__(self, file: File, at: int, count: int) -> None:
        self._file = file
        self._at = at
        self._count = count
        self._known: dict[int, tuple[int, int]] = {}

    def place(self, number: int) -> tuple[int, int]:
        """Where the bytes of one start, and how many there are; none for what is computed.

        Raises:
            NonsenseError: there is no such buffer, or its bytes do not lie in the file.
        """
        if number not in self._known:
            if not 0 <= number < self._count:
                raise NonsenseError(f"a tensor holds what is in buffer {number:,}, and there are {self._count:,}")
            entry = self._at + 4 * number
            told = Table(self._file, entry + int(self._file.number(UINT32, entry)))
            offset, size = told.whole(schema.BUFFER_OFFSET, UINT64), told.whole(schema.BUFFER_SIZE, UINT64)
            if offset > 1 and size:  # large files hold it behind all tables
                if offset + size > self._file.size:
                    raise NonsenseError(f"buffer {number:,} does not lie in the file")
                self._known[number] = offset, size
            else:
                self._known[number] = told.span(schema.BUFFER_DATA)
        return self._known[number]

    def numbers(self, number: int, kind: str, shape: tuple[int, ...]) -> Held | None:
        """What a small tensor holds; None for any other."""
        form, count = _PACKED.get(kind), math.prod(shape)
        at, size = self.place(number)
        if form is None or count > KEPT_NUMBERS or size != count * struct.calcsize(f"<{form}"):
            return None
        found = struct.unpack(f"<{count}{form}", self._file.part(at, size))
        real = kind in REAL
        return Held(shape, tuple(_plain(one, form) if kind in ("float", "half") else one for one in found), real)


def _plain(number: float, form: str) -> float:
    """A number as somebody wrote it; of one that 16 bits keep, and that takes many digits, nobody knows that."""
    found = shortest(number, form)
    digits = f"{found:.8e}".partition("e")[0].replace(".", "").strip("-0")
    return Rough(found) if form == "e" and len(digits) > HALF_DIGITS else found


def _graph(told: Table, codes: list[tuple[str, str]], buffers: _Buffers) -> Subgraph:
    tensors = tuple(_tensor(one, buffers) for one in told.tables(schema.GRAPH_TENSORS))
    operators = tuple(_operator(one, codes, len(tensors)) for one in told.tables(schema.GRAPH_OPERATORS))
    inputs = _numbers(told, schema.GRAPH_INPUTS, len(tensors))
    return Subgraph(tensors, inputs, _numbers(told, schema.GRAPH_OUTPUTS, len(tensors)), operators)


def _tensor(told: Table, buffers: _Buffers) -> Info:
    name = told.text(schema.TENSOR_NAME)[:MAX_NAME]
    shape = tuple(told.wholes(schema.TENSOR_SHAPE, MAX_RANK))
    sizes = tuple(told.wholes(schema.TENSOR_SIZES, MAX_RANK)) or shape
    if any(size < -1 for size in sizes) or any(size < 0 for size in shape) or len(sizes) != len(shape):
        raise NonsenseError(f'the tensor "{name[:80]}" has sizes that no tensor has')
    number = told.whole(schema.TENSOR_TYPE, INT8)
    kind = schema.TYPES[number] if 0 <= number < len(schema.TYPES) else "other"
    buffer = told.whole(schema.TENSOR_BUFFER, UINT32)
    holds = bool(buffer) and buffers.place(buffer)[1] > 0
    rounding = told.table(schema.TENSOR_ROUNDED)
    rounded = rounding is not None and kind in _WHOLE and rounding.span(schema.ROUNDED_SCALE, 4)[1] > 0
    plain = holds and not rounded and not told.has(schema.TENSOR_SPARSE)
    numbers = buffers.numbers(buffer, kind, shape) if plain else None
    ranked = bool(shape) or holds or told.truth(schema.TENSOR_RANKED)
    return Info(
        name,
        kind,
        (shape if holds else sizes) if ranked else None,
        buffer if holds else 0,
        numbers,
        rounded,
        told.truth(schema.TENSOR_VARIABLE),
    )


def _operator(told: Table, codes: list[tuple[str, str]], tensors: int) -> Operator:
    number = told.whole(schema.OPERATOR_CODE, UINT32)
    if number >= len(codes):
        raise NonsenseError(f"an operator has the code {number:,}, and there are {len(codes):,}")
    code, custom = codes[number]
    inputs = _numbers(told, schema.OPERATOR_INPUTS, tensors, optional=True)
    outputs = _numbers(told, schema.OPERATOR_OUTPUTS, tensors)
    if code != "CUSTOM":
        return Operator(code, "", inputs, outputs, _options(told, code))
    at, size = told.span(schema.OPERATOR_CUSTOM) if custom.startswith("Flex") else (0, 0)
    flex = told.file.part(at, size) if 0 < size <= MAX_FLEX else b""
    return Operator(code, custom, inputs, outputs, {}, flex)


def _options(told: Table, code: str) -> dict[str, Option] | None:
    """What is told beside an operator; None where it is not what goes with it."""
    if code not in schema.OPTIONS:
        return {}
    kind, fields = schema.OPTIONS[code]
    found = told.table(schema.OPERATOR_OPTIONS)
    if found is None or told.whole(schema.OPERATOR_KIND, UINT8) != kind:
        return None
    return {name: _option(found, number, form, default) for name, number, form, default in fields}


def _option(told: Table, number: int, form: str, default: int) -> Option:
    match form:
        case "f":
            return told.real(number)
        case "t":
            return told.truth(number)
        case "v":
            return told.wholes(number, MAX_RANK)
        case "b":
            return told.whole(number, INT8, default)
        case "u":
            return told.whole(number, UINT32, default)
        case _:
            return told.whole(number, default=default)


def _numbers(told: Table, field: int, tensors: int, *, optional: bool = False) -> tuple[int, ...]:
    found = tuple(told.wholes(field))
    for one in found:
        if not (0 <= one < tensors or (optional and one == -1)):
            raise NonsenseError(f"tensor {one:,} is read or given, and there are {tensors:,}")
    return found


def _signature(told: Table, graphs: list[Subgraph]) -> Signature:
    number = told.whole(schema.SIGNATURE_GRAPH, UINT32)
    if number >= len(graphs):
        raise NonsenseError(f"a signature names graph {number:,}, and there are {len(graphs):,}")
    count = len(graphs[number].tensors)
    inputs, outputs = (
        dict(_named(told.tables(field), count)) for field in (schema.SIGNATURE_INPUTS, schema.SIGNATURE_OUTPUTS)
    )
    return Signature(told.text(schema.SIGNATURE_KEY)[:MAX_NAME], number, inputs, outputs)


def _named(told: Iterator[Table], tensors: int) -> Iterator[tuple[str, int]]:
    for one in told:
        number = one.whole(schema.NAMED_TENSOR, UINT32)
        if number >= tensors:
            raise NonsenseError(f"a signature names tensor {number:,}, and there are {tensors:,}")
        yield one.text(schema.NAMED_NAME)[:MAX_NAME], number
