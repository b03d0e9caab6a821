"""The few messages of TensorFlow's files, taken from a protocol buffer as they are asked for.

A file holds many functions, of which a graph calls few, and nodes have many attributes, of which few say what they
compute: a message is looked into when something in it is needed, and what it holds stays bytes until then.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Any

from archcheck.frontends.bounded import KEPT_NUMBERS, MAX_RANK, shortest
from archcheck.frontends.tensorflow_graph.nodes import Called, Held, NonsenseError, Stored

MAX_FIELDS = 3_000_000  # of one file
MAX_TEXT = 4_096
MAX_LIST = 4_096

TYPES = {
    1: "float", 2: "double", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 7: "string", 8: "complex64", 9: "int64",
    10: "bool", 14: "bfloat16", 17: "uint16", 18: "complex128", 19: "half", 20: "resource", 21: "variant",
    22: "uint32", 23: "uint64",
}  # fmt: skip
REAL = frozenset({"float", "double", "half", "bfloat16"})
_PACKED = {"float": "f", "double": "d", "half": "e", "int32": "i", "uint8": "B", "int16": "h", "int8": "b",
           "int64": "q", "bool": "?", "uint16": "H", "uint32": "I", "uint64": "Q"}  # fmt: skip
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class Type(str):
    """The name of a type of numbers."""

    __slots__ = ()


class Wire:
    """The bytes of a file.

    Args:
        data: of the protocol buffer.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.left = MAX_FIELDS

    def fields(self, at: int, end: int) -> list[tuple[int, int, int, int]]:
        """The fields of a message: number, form, and the number that it holds, or where its bytes start and end.

        Raises:
            NonsenseError: it is no message, or the file has too many parts.
        """
        data, found = self.data, []
        while at < end:
            key = data[at]
            at += 1
            if key > 0x7F:
                key, at = self._varint(at - 1, end)
            number, form = key >> 3, key & 7
            if form == _BYTES:
                if at >= end:
                    raise NonsenseError("it is cut off, or damaged")
                size = data[at]
                at += 1
                if size > 0x7F:
                    size, at = self._varint(at - 1, end)
                found.append((number, form, at, at + size))
                at += size
            elif form == _VARINT:
                value, at = self._varint(at, end)
                found.append((number, form, value, at))
            elif form in (_FIXED32, _FIXED64):
                width = 4 if form == _FIXED32 else 8
                found.append((number, form, at, at + width))
                at += width
            else:
                raise NonsenseError("it is no protocol buffer")
            if at > end or not number:
                raise NonsenseError("it is cut off, or damaged")
        self.left -= len(found)
        if self.left < 0:
            raise NonsenseError(f"it has more than {MAX_FIELDS:,} parts")
        return found

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        value = 0
        for place, byte in enumerate(self.data[at : min(at + 10, end)]):
            value |= (byte & 0x7F) << (7 * place)
            if byte < 0x80:
                return value, at + place + 1
        raise NonsenseError("it is cut off, or damaged")

    def messages(self, at: int, end: int, number: int) -> Iterator[tuple[int, int]]:
        """Where the messages of one field start and end."""
        return ((start, after) for one, form, start, after in self.fields(at, end) if one == number and form == _BYTES)

    def text(self, at: int, end: int) -> str:
        """A text."""
        return self.data[at : min(end, at + 4 * MAX_TEXT)].decode("utf-8", "replace")[:MAX_TEXT]

    def entries(self, at: int, end: int, number: int) -> Iterator[tuple[str, tuple[int, int]]]:
        """A table from texts to messages: its keys, and where the messages start and end."""
        for start, after in self.messages(at, end, number):
            yield self.entry(start, after)

    def entry(self, at: int, end: int) -> tuple[str, tuple[int, int]]:
        """One entry of a table."""
        key, value = "", (end, end)
        for number, form, start, after in self.fields(at, end):
            if number == 1 and form == _BYTES:
                key = self.text(start, after)
            elif number == 2 and form == _BYTES:
                value = (start, after)
        return key, value

    # ---- what attributes hold

    def attribute(self, at: int, end: int, node: str) -> Any:
        """What an attribute says: a number, a text, a shape, a list of them, a `Stored`, a `Called`, a `Type`."""
        found: Any = None
        for number, form, start, after in self.fields(at, end):
            if number in _SINGLE and (form == _BYTES) == (number in _IN_BYTES):
                found = self._single(number, start, after, node)
            elif number == 1 and form == _BYTES:
                found = self._list(start, after, node)
        return found

    def _single(self, number: int, start: int, after: int, node: str) -> Any:
        if number == 2:
            return self.text(start, after)
        if number == 3:
            return _signed(start)
        if number == 4:
            return shortest(self._packed("f", start))
        if number == 5:
            return bool(start)
        if number == 6:
            return Type(TYPES.get(start, "other"))
        if number == 7:
            return self.shape(start, after)
        if number == 8:
            return self.tensor(start, after, node)
        return Called(next((self.text(*one) for one in self.messages(start, after, 1)), ""))

    def _packed(self, form: str, at: int) -> Any:
        return struct.unpack_from("<" + form, self.data, at)[0]

    def _list(self, at: int, end: int, node: str) -> list[Any]:
        found: list[Any] = []
        for number, form, start, after in self.fields(at, end):
            if len(found) >= MAX_LIST:
                raise NonsenseError(f"an attribute has more than {MAX_LIST:,} parts")
            if form == _BYTES and number in (3, 5, 6):  # many numbers at once
                found += [self._single(number, value, 0, node) for value in self.varints(start, after)]
            elif form == _BYTES and number == 4:
                found += [shortest(one) for one in self._many("f", start, after)]
            elif number in _SINGLE:
                found.append(self._single(10 if number == 9 else number, start, after, node))
        return found

    def varints(self, at: int, end: int) -> Iterator[int]:
        """Numbers that stand behind each other."""
        while at < end:
            value, at = self._varint(at, end)
            yield value

    def _many(self, form: str, at: int, end: int) -> tuple[Any, ...]:
        width = struct.calcsize("<" + form)
        return struct.unpack_from(f"<{(end - at) // width}{form}", self.data, at)

    def shape(self, at: int, end: int) -> tuple[int, ...] | None:
        """A shape, -1 for a size that is free; None where not even the number of axes is told.

        Raises:
            NonsenseError: no tensor has it.
        """
        found: list[int] = []
        for number, form, start, after in self.fields(at, end):
            if number == 3 and form == _VARINT and start:
                return None
            if number == 2 and form == _BYTES:
                size = 0
                for inner, how, value, _ in self.fields(start, after):
                    size = _signed(value) if inner == 1 and how == _VARINT else size
                found.append(size)
        if len(found) > MAX_RANK or any(size < -1 for size in found):
            raise NonsenseError("a shape that no tensor has")
        return tuple(found)

    def tensor(self, at: int, end: int, name: str) -> Stored:
        """A tensor that the file holds.

        Raises:
            NonsenseError: it has sizes that no tensor has.
        """
        kind = "other"
        shape: tuple[int, ...] = ()
        parts: list[tuple[int, int, int, int]] = []
        for number, form, start, after in self.fields(at, end):
            if number == 1 and form == _VARINT:
                kind = TYPES.get(start, "other")
            elif number == 2 and form == _BYTES:
                told = self.shape(start, after)
                if told is None or any(size < 0 for size in told):
                    raise NonsenseError(f'the tensor "{name[:80]}" has sizes that no tensor has')
                shape = told
            else:
                parts.append((number, form, start, after))
        count = 1
        for size in shape:
            count *= size
        numbers = self._numbers(kind, count, parts) if count <= KEPT_NUMBERS else None
        return Stored(name, shape, kind in REAL, Held(shape, numbers, kind in REAL) if numbers is not None else None)

    def _numbers(self, kind: str, count: int, parts: list[tuple[int, int, int, int]]) -> tuple[Any, ...] | None:
        """What a tensor holds; None where that is not told in a form that is read. The last number is repeated."""
        found: list[Any] = []
        for number, form, start, after in parts:
            if number == 4 and form == _BYTES and kind in _PACKED:
                found += self._many(_PACKED[kind], start, after)
            elif number in (5, 6) and form == _BYTES:
                found += self._many("f" if number == 5 else "d", start, after)
            elif number in (5, 6):
                found.append(self._packed("f" if number == 5 else "d", start))
            elif number in (7, 10, 11, 13, 16, 17) and kind in _PACKED:
                told = list(self.varints(start, after)) if form == _BYTES else [start]
                found += [_signed(one) if number in (7, 10) else one for one in told]
                if kind == "half":
                    found = [struct.unpack("<e", struct.pack("<H", one & 0xFFFF))[0] for one in found]
            if len(found) > KEPT_NUMBERS:
                return None
        if kind not in _PACKED or len(found) > count or (not found and count and parts_told(parts)):
            return None
        if not found and count:
            found = [0]  # what is zero everywhere need not be told
        found += found[-1:] * (count - len(found))
        if kind == "bool":
            return tuple(bool(one) for one in found)
        if kind in REAL:
            packed = _PACKED[kind]
            return tuple(shortest(one, packed) if kind != "double" else float(one) for one in found)
        return tuple(int(one) for one in found)


def parts_told(parts: list[tuple[int, int, int, int]]) -> bool:
    """Whether a tensor tells what it holds, in a form that was not read."""
    return any(number not in (3,) for number, _, _, _ in parts)


_SINGLE = frozenset({2, 3, 4, 5, 6, 7, 8, 9, 10})
_IN_BYTES = frozenset({2, 7, 8, 9, 10})


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


class Attributes(Mapping[str, Any]):
    """The attributes of a node, each looked into when it is asked for."""

    __slots__ = ("_known", "_node", "_places", "_wire")

    def __init__(self, wire: Wire, node: str, places: dict[str, tuple[int, int]]) -> None:
        self._wire = wire
        self._node = node
        self._places = places
        self._known: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._known:
            self._known[name] = self._wire.attribute(*self._places[name], self._node)
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)
