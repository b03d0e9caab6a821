"""A protocol buffer without the weights in it: the bytes that hold them are stepped over, and never read.

A file is one protocol buffer, in which weights lie between what the graph is. Of a tensor that holds more than a few
numbers only its name, type and sizes are kept. So a model of many gigabytes is read in the memory that its graph needs,
and what is parsed is bounded.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from archcheck.errors import TargetError
from archcheck.frontends.torch_export.archive import open_regular

MAX_GRAPH = 64 * 1024**2  # bytes of the file without its weights
FREE_GRAPH = 8 * 1024**2  # up to which it is not counted what is in it
MAX_FIELDS = 3_000_000
MAX_DEPTH = 48  # of messages in each other
KEPT = 4_096  # bytes of a tensor's content
LOOKED_INTO = 16_384  # bytes of a message, above which it is looked into

_WINDOW = 1024**2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True)
class Form:
    """What kind of file it is.

    Args:
        called: in messages.
        root: the kind of message that the file is.
        inside: kind of message -> its fields that are messages in which weights may lie, with their kinds.
        content: kind of message -> its fields that are left out where they are large.
        dropped: kind of message -> its fields that are left out.
        most: bytes of the file without its weights.
        counted: whether it is all parsed, so that what is in it is counted.
    """

    called: str
    root: str
    inside: Mapping[str, Mapping[int, str]]
    content: Mapping[str, frozenset[int]]
    dropped: Mapping[str, frozenset[int]] = field(default_factory=dict)
    most: int = MAX_GRAPH
    counted: bool = True


def skimmed(path: Path, shown: str, form: Form) -> bytes:
    """The file as a protocol buffer in which tensors hold few numbers or none.

    Raises:
        TargetError: it cannot be read, is no protocol buffer, is cut off, or is too large without its weights.
    """
    descriptor = open_regular(path, shown)
    try:
        return _Skimmer(descriptor, shown, form).whole()
    finally:
        os.close(descriptor)


class _Skimmer:
    def __init__(self, descriptor: int, shown: str, form: Form) -> None:
        self.descriptor = descriptor
        self.shown = shown
        self.form = form
        self.size = os.fstat(descriptor).st_size
        self.start = 0
        self.window = b""
        self.kept = 0
        self.fields = 0

    def whole(self) -> bytes:
        if not self.size:
            raise self.refused("it is empty")
        found = self._message(self.form.root, 0, self.size, 0)
        if len(found) > FREE_GRAPH and self.form.counted:
            self._count(found)
        return found

    def refused(self, why: str) -> TargetError:
        return TargetError(f"this is no {self.form.called} that can be read: {why}", place=self.shown)

    def _count(self, data: bytes) -> None:
        """Refuse what would become too many objects; so many may be in a few megabytes."""
        counter = _Skimmer.__new__(_Skimmer)
        counter.descriptor, counter.shown, counter.form, counter.size = -1, self.shown, self.form, len(data)
        counter.start, counter.window, counter.kept, counter.fields = 0, data, 0, 0
        stack = [(self.form.root, 0, len(data))]
        while stack:
            kind, at, end = stack.pop()
            for number, wire, _, start, after in counter.parts(at, end):
                inner = self.form.inside.get(kind, {}).get(number)
                if inner is not None and wire == _BYTES:
                    stack.append((inner, start, after))

    def _at(self, at: int, size: int) -> bytes:
        """Bytes of the file, through a window that moves on."""
        offset = at - self.start
        if offset < 0 or offset + size > len(self.window):
            if size > _WINDOW:
                return self._read(at, size)
            self.window, self.start, offset = self._read(at, min(_WINDOW, self.size - at)), at, 0
        return self.window[offset : offset + size]

    def _read(self, at: int, size: int) -> bytes:
        found = b""
        while len(found) < size:
            more = os.pread(self.descriptor, size - len(found), at + len(found)) if self.descriptor >= 0 else b""
            if not more:
                raise self.refused("it is cut off")
            found += more
        return found

    def parts(self, at: int, end: int) -> Iterator[tuple[int, int, int, int, int]]:
        """The fields of a message: number, form, where they start, where their content starts, where they end."""
        while at < end:
            self.fields += 1
            if self.fields > MAX_FIELDS:
                raise self.refused(f"more than {MAX_FIELDS:,} parts")
            begin = at
            key, at = self._varint(at, end)
            number, wire = key >> 3, key & 7
            if wire == _BYTES:
                length, at = self._varint(at, end)
                after = at + length
            elif wire == _VARINT:
                _, after = self._varint(at, end)
            elif wire in (_FIXED64, _FIXED32):
                after = at + (8 if wire == _FIXED64 else 4)
            else:
                raise self.refused("it is no protocol buffer")
            if after > end:
                raise self.refused("it is cut off, or damaged")
            if not number:
                raise self.refused("it is no protocol buffer")
            yield number, wire, begin, at, after
            at = after

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        data = self._at(at, min(10, end - at))
        value = 0
        for place, byte in enumerate(data):
            value |= (byte & 0x7F) << (7 * place)
            if byte < 0x80:
                return value, at + place + 1
        raise self.refused("it is cut off, or damaged" if len(data) < 10 else "it is no protocol buffer")

    def _message(self, kind: str, at: int, end: int, depth: int) -> bytes:
        """A message without what is skipped in it."""
        if depth > MAX_DEPTH:
            raise self.refused(f"more than {MAX_DEPTH} messages stand in each other")
        inside, dropped = self.form.inside.get(kind, {}), self.form.dropped.get(kind, frozenset())
        holds = self.form.content.get(kind, frozenset())
        found: list[bytes] = []
        copied = at  # up to where everything is in `found`
        for number, wire, begin, start, after in self.parts(at, end):
            size = after - start
            inner = inside.get(number) if wire == _BYTES else None
            content = number in holds and size > KEPT
            if content or number in dropped or (inner is not None and size > LOOKED_INTO):
                self._copy(found, copied, begin)
                copied = after
                if inner is not None and not content:
                    part = self._message(inner, start, after, depth + 1)
                    found += [_spelled(number << 3 | _BYTES), _spelled(len(part)), part]
        self._copy(found, copied, end)
        return b"".join(found)

    def _copy(self, found: list[bytes], at: int, end: int) -> None:
        self.kept += end - at
        if self.kept > self.form.most:
            raise self.refused(f"it has more than {self.form.most // 1024**2} MiB without its weights")
        if end > at:
            found.append(self._at(at, end - at))


def _spelled(value: int) -> bytes:
    """A whole number as a protocol buffer writes it."""
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
