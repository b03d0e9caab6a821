"""A FlatBuffer as the tables in it, each looked up where an offset of the file says that it lies.

Nothing in such a file has to be true: every place that is read lies in the file or there is an error, and what is read
is bounded. The file is read in pages, as far as it is asked for, so that its weights stay on the disk.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path

from archcheck.frontends.bounded import shortest
from archcheck.frontends.tensorflow_graph.nodes import NonsenseError
from archcheck.frontends.torch_export.archive import open_regular

MAX_READ = 64 * 1024**2  # bytes of the file that are held
MAX_PARTS = 3_000_000  # numbers, texts and tables that are asked for
MAX_LIST = 100_000  # entries of one list
MAX_TEXT = 4_096

_PAGE = 1 << 14


class File:
    """The bytes of a file, held in pages.

    Args:
        path: of the file.
        shown: how messages call it.

    Raises:
        TargetError: it cannot be opened, or is no regular file.
    """

    def __init__(self, path: Path, shown: str) -> None:
        self._descriptor = open_regular(path, shown)
        self.size = os.fstat(self._descriptor).st_size
        self._pages: dict[int, bytes] = {}
        self.left = MAX_PARTS

    def close(self) -> None:
        os.close(self._descriptor)

    def part(self, at: int, count: int) -> bytes:
        """So many bytes from a place on.

        Raises:
            NonsenseError: they do not all lie in the file, or too much is asked for.
        """
        if at < 0 or count < 0 or at + count > self.size:
            raise NonsenseError(f"it is cut off, or damaged: byte {at:,} is asked for, and it has {self.size:,}")
        number, start = divmod(at, _PAGE)
        if start + count <= _PAGE:
            return self._page(number)[start : start + count]
        last = (at + count - 1) // _PAGE
        joined = b"".join(self._page(one) for one in range(number, last + 1))
        return joined[start : start + count]

    def _page(self, number: int) -> bytes:
        page = self._pages.get(number)
        if page is None:
            if (len(self._pages) + 1) * _PAGE > MAX_READ:
                raise NonsenseError(f"it is more than {MAX_READ:,} bytes without its weights")
            try:
                os.lseek(self._descriptor, number * _PAGE, os.SEEK_SET)
                page = os.read(self._descriptor, _PAGE)
            except OSError as error:
                raise NonsenseError(f"it cannot be read: {error.strerror}") from None
            if len(page) < min(_PAGE, self.size - number * _PAGE):
                raise NonsenseError("it became shorter while it was read")
            self._pages[number] = page
        return page

    def number(self, form: struct.Struct, at: int) -> int | float:
        """One number."""
        start = at % _PAGE
        if at >= 0 and start + form.size <= _PAGE and at + form.size <= self.size:
            page = self._pages.get(at // _PAGE) or self._page(at // _PAGE)
            found = form.unpack_from(page, start)[0]
        else:
            found = form.unpack(self.part(at, form.size))[0]
        self.left -= 1
        if self.left < 0:
            raise NonsenseError(f"it has more than {MAX_PARTS:,} parts")
        return found  # type: ignore[no-any-return]

    def root(self) -> Table:
        """The table that the file is."""
        return Table(self, _whole(self, UINT32, 0))


UINT8, INT8, BOOL = struct.Struct("<B"), struct.Struct("<b"), struct.Struct("<?")
UINT16, INT32, UINT32 = struct.Struct("<H"), struct.Struct("<i"), struct.Struct("<I")
INT64, UINT64, FLOAT = struct.Struct("<q"), struct.Struct("<Q"), struct.Struct("<f")


def _whole(file: File, form: struct.Struct, at: int) -> int:
    found = file.number(form, at)
    assert isinstance(found, int)
    return found


class Table:
    """A table: its fields are known by number, and lie where a list of places says; one that is left out has a default.

    Args:
        file: in which it lies.
        at: where.
    """

    __slots__ = ("_count", "_places", "at", "file")

    def __init__(self, file: File, at: int) -> None:
        self.file = file
        self.at = at
        self._places = at - _whole(file, INT32, at)
        size = _whole(file, UINT16, self._places)
        if size < 4 or size % 2:
            raise NonsenseError(f"it is cut off, or damaged: there is no table at byte {at:,}")
        self._count = (size - 4) // 2

    def _place(self, field: int) -> int | None:
        if field >= self._count:
            return None
        offset = _whole(self.file, UINT16, self._places + 4 + 2 * field)
        return self.at + offset if offset else None

    def whole(self, field: int, form: struct.Struct = INT32, default: int = 0) -> int:
        """A whole number."""
        place = self._place(field)
        return default if place is None else _whole(self.file, form, place)

    def truth(self, field: int, default: bool = False) -> bool:
        place = self._place(field)
        return default if place is None else bool(self.file.number(UINT8, place))

    def real(self, field: int, default: float = 0.0) -> float:
        """A number with a fraction, as somebody wrote it: 32 bits keep 0.1 as 0.10000000149."""
        place = self._place(field)
        return default if place is None else shortest(float(self.file.number(FLOAT, place)))

    def text(self, field: int) -> str:
        """A text; "" where there is none."""
        place = self._place(field)
        if place is None:
            return ""
        at = place + _whole(self.file, UINT32, place)
        size = _whole(self.file, UINT32, at)
        if size > MAX_TEXT:
            raise NonsenseError(f"it has a text of {size:,} bytes; at most {MAX_TEXT:,} are read")
        return self.file.part(at + 4, size).decode("utf-8", "replace")

    def table(self, field: int) -> Table | None:
        """Another table; None where there is none."""
        place = self._place(field)
        return None if place is None else Table(self.file, place + _whole(self.file, UINT32, place))

    def has(self, field: int) -> bool:
        return self._place(field) is not None

    def span(self, field: int, width: int = 1) -> tuple[int, int]:
        """Where the entries of a list start, and how many there are.

        Raises:
            NonsenseError: they do not all lie in the file.
        """
        place = self._place(field)
        if place is None:
            return 0, 0
        at = place + _whole(self.file, UINT32, place)
        count = _whole(self.file, UINT32, at)
        if at + 4 + count * width > self.file.size:
            raise NonsenseError(f"it is cut off, or damaged: at byte {at:,} there are not {count:,} entries")
        return at + 4, count

    def wholes(self, field: int, most: int = MAX_LIST) -> list[int]:
        """A list of whole numbers of 32 bits."""
        at, count = self.span(field, 4)
        _check(count, most)
        self.file.left -= count
        return list(struct.unpack(f"<{count}i", self.file.part(at, 4 * count))) if count else []

    def reals(self, field: int, most: int) -> list[float]:
        """A list of numbers of 32 bits."""
        at, count = self.span(field, 4)
        _check(count, most)
        return list(struct.unpack(f"<{count}f", self.file.part(at, 4 * count))) if count else []

    def tables(self, field: int) -> Iterator[Table]:
        """A list of tables."""
        at, count = self.span(field, 4)
        _check(count, MAX_LIST)
        for place in range(at, at + 4 * count, 4):
            yield Table(self.file, place + _whole(self.file, UINT32, place))


def _check(count: int, most: int) -> None:
    if count > most:
        raise NonsenseError(f"it has a list of {count:,} entries; at most {most:,} are read")
