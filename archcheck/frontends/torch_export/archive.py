"""Zip archives from outside, read strictly: one way to read a file, or none.

Whatever makes two readers see two archives is refused: a name that stands twice, an entry whose own header tells
something else than the directory, bytes before the first entry or behind the directory, entries that overlap, links
and encryption. Nothing is extracted: an entry is read into memory, up to a bound, when it is asked for.
"""

from __future__ import annotations

import os
import stat
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from archcheck.errors import TargetError

MAX_ENTRIES = 20_000
MAX_DIRECTORY = 16 * 1024**2  # bytes of the list of entries
MAX_TEXT = 64 * 1024**2  # bytes that are unpacked, in all
MAX_RATIO = 100  # unpacked to packed, above FREE_SIZE; torch packs nothing, and JSON packs about 20 times
FREE_SIZE = 1024**2

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_FULL = 0xFFFFFFFF
_ENCRYPTED, _PATCHED, _STRONG, _MASKED = 0x1, 0x20, 0x40, 0x2000
_SIZES_BEHIND = 0x8  # sizes and checksum stand behind the data
_STORED, _DEFLATED = 0, 8


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in the archive, as its directory tells it."""

    name: str
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int  # of its own header


class Archive:
    """A zip archive that says one thing; a context manager.

    Args:
        path: of the file.
        shown: how messages call it.

    Raises:
        TargetError: it cannot be read, is no zip archive, or is one that may be read in more than one way.
    """

    def __init__(self, path: Path, shown: str) -> None:
        self.shown = shown
        self.left = MAX_TEXT
        self._file = open_regular(path, shown)
        try:
            self._size = os.fstat(self._file).st_size
            self.entries = self._directory()
            self._data = self._headers()
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def read(self, name: str) -> bytes:
        """The content of an entry.

        Raises:
            TargetError: it unpacks to more than is read, or to something else than the directory tells.
        """
        entry = self.entries[name]
        if entry.size > self.left:
            raise self.refused(f'"{name}" and what was read before it have more than {MAX_TEXT // 1024**2} MiB')
        if entry.size > FREE_SIZE and entry.size > MAX_RATIO * max(1, entry.packed):
            raise self.refused(f'"{name}" unpacks to more than {MAX_RATIO} times its size')
        self.left -= entry.size
        packed = self._at(self._data[name], entry.packed)
        if entry.method == _STORED:
            data = packed
        else:
            try:
                data = zlib.decompressobj(-15).decompress(packed, entry.size + 1)
            except zlib.error as error:
                raise self.refused(f'"{name}" cannot be unpacked: {error}') from None
        if len(data) != entry.size or zlib.crc32(data) != entry.crc:
            raise self.refused(f'"{name}" is damaged: it is not what its checksum says')
        return data

    def refused(self, why: str) -> TargetError:
        """The error that says why the archive is not read."""
        return TargetError(f"the archive is refused: {why}", place=self.shown)

    def _at(self, offset: int, size: int) -> bytes:
        if offset < 0 or offset + size > self._size:
            raise self.refused("it is cut off, or damaged")
        found = b""
        while len(found) < size:
            more = os.pread(self._file, size - len(found), offset + len(found))
            if not more:
                raise self.refused("it is cut off, or damaged")
            found += more
        return found

    def _directory(self) -> dict[str, Entry]:
        """The entries by name."""
        if self._size < _END.size or not self._at(0, 4) == b"PK\x03\x04":
            raise self.refused("it does not start with an entry")
        end = self._size - _END.size
        mark, disk, first, here, count, size, offset, comment = _END.unpack(self._at(end, _END.size))
        if mark != b"PK\x05\x06" or comment:
            raise self.refused("it is cut off, or something stands behind its directory")
        if self._size >= _END.size + _LOCATOR64.size and self._at(end - _LOCATOR64.size, 4) == b"PK\x06\x07":
            _, _, at, _ = _LOCATOR64.unpack(self._at(end - _LOCATOR64.size, _LOCATOR64.size))
            end = end - _LOCATOR64.size - _END64.size
            if at != end:
                raise self.refused("its directory is not where it is said to be")
            told = _END64.unpack(self._at(at, _END64.size))
            mark, disk, first, here, count64, size64, offset64 = told[0], *told[4:6], *told[6:]
            small = ((count, count64, 0xFFFF), (size, size64, _FULL), (offset, offset64, _FULL))
            if mark != b"PK\x06\x06" or any(one not in (large, full) for one, large, full in small):
                raise self.refused("its directory is told in two ways")
            count, size, offset = count64, size64, offset64
        if disk or first or here != count:
            raise self.refused("it is a part of a larger archive")
        if count > MAX_ENTRIES or size > MAX_DIRECTORY:
            raise self.refused(f"{count:,} entries; at most {MAX_ENTRIES:,} are read")
        if offset + size != end:
            raise self.refused("its directory is not where it is said to be")
        return self._entries(self._at(offset, size), count)

    def _entries(self, data: bytes, count: int) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        at = 0
        for _ in range(count):
            if at + _ENTRY.size > len(data):
                raise self.refused("its directory is cut off")
            told = _ENTRY.unpack_from(data, at)
            mark, _, _, flags, method, _, _, crc, packed, size, name_size, extra_size, comment_size, disk = told[:14]
            system, mode, offset = told[1] >> 8, told[15] >> 16, told[16]
            start = at + _ENTRY.size
            at = start + name_size + extra_size + comment_size
            if mark != b"PK\x01\x02" or at > len(data) or disk not in (0, 0xFFFF):
                raise self.refused("its directory is damaged")
            name = self._name(data[start : start + name_size], found)
            extra = data[start + name_size : start + name_size + extra_size]
            size, packed, offset = self._wide(extra, size, packed, offset)
            if flags & (_ENCRYPTED | _PATCHED | _STRONG | _MASKED):
                raise self.refused(f'"{name}" is encrypted')
            if system == 3 and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise self.refused(f'"{name}" is a link or a device')
            if method not in (_STORED, _DEFLATED) or (method == _STORED and size != packed):
                raise self.refused(f'"{name}" is packed in a way that is not read')
            found[name] = Entry(name, flags, method, crc, packed, size, offset)
        if at != len(data):
            raise self.refused("its directory has more in it than entries")
        return found

    def _name(self, data: bytes, known: dict[str, Entry]) -> str:
        try:
            name = data.decode("utf-8")
        except UnicodeDecodeError:
            raise self.refused("a name in it is no text") from None
        parts = name.split("/")
        if name.startswith("/") or ".." in parts or "\\" in name or ":" in parts[0] or not name:
            raise self.refused(f'a path that leaves it: "{name}"')
        if not name.isprintable():
            raise self.refused(f'a name with control characters: "{name}"')
        if name in known:
            raise self.refused(f'two entries are called "{name}"')
        return name

    def _wide(self, extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
        """Sizes and place of an entry, those that do not fit into 32 bits from its extra field."""
        if _FULL not in (size, packed, offset):
            return size, packed, offset
        at = 0
        while at + 4 <= len(extra):
            tag, length = struct.unpack_from("<2H", extra, at)
            if tag == 1:
                wanted = [one == _FULL for one in (size, packed, offset)]
                if length < 8 * sum(wanted) or at + 4 + length > len(extra):
                    break
                numbers = iter(struct.unpack_from(f"<{sum(wanted)}Q", extra, at + 4))
                wide = [
                    next(numbers) if is_wide else one
                    for is_wide, one in zip(wanted, (size, packed, offset), strict=True)
                ]
                return wide[0], wide[1], wide[2]
            at += 4 + length
        raise self.refused("an entry does not say how large it is")

    def _headers(self) -> dict[str, int]:
        """Where the data of each entry starts; each has a header of its own that says what the directory says."""
        found: dict[str, int] = {}
        end = 0
        for entry in sorted(self.entries.values(), key=lambda one: one.offset):
            told = _LOCAL.unpack(self._at(entry.offset, _LOCAL.size))
            mark, _, flags, method, _, _, crc, packed, size, name_size, extra_size = told
            start = entry.offset + _LOCAL.size
            if entry.offset < end or (not end and entry.offset):
                raise self.refused(f'"{entry.name}" overlaps another entry, or something stands before it')
            own = (crc, packed, size)
            directory = (entry.crc, entry.packed, entry.size)
            behind = bool(flags & _SIZES_BEHIND)
            agree = all(
                one in (other, _FULL) or (behind and not one) for one, other in zip(own, directory, strict=True)
            )
            name = self._at(start, name_size)
            if (
                mark != b"PK\x03\x04"
                or (flags, method, name) != (entry.flags, entry.method, entry.name.encode())
                or not agree
            ):
                raise self.refused(f'"{entry.name}" has a header that tells something else than the directory')
            found[entry.name] = start + name_size + extra_size
            end = found[entry.name] + entry.packed
            if end > self._size:
                raise self.refused("it is cut off, or damaged")
        return found


def open_regular(path: Path, shown: str) -> int:
    """A descriptor of a regular file, opened without waiting and without following a last link.

    Raises:
        TargetError: it is anything else, or the system refuses.
    """
    flags = os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):  # not every system has all of them
        flags |= getattr(os, name, 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        raise TargetError(f"cannot read the file: {error.strerror}", place=shown) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise TargetError("not a regular file", place=shown)
    return descriptor
