"""The code that was running when an exception was raised, outside of torch and of the recorder."""

from __future__ import annotations

import linecache
from collections.abc import Iterator
from types import FrameType, TracebackType

_OWN = __file__.rpartition("/")[0]
_ABOVE = 4  # lines above a `raise`, where its condition stands


def lines(error: BaseException, above: int = 0) -> Iterator[tuple[str, FrameType]]:
    """Statements, the innermost first, with their frames; a `raise` with the lines above it, which say when.

    Args:
        error: the exception.
        above: how many lines above each statement come with it.
    """
    found: list[tuple[str, FrameType]] = []
    at: TracebackType | None = error.__traceback__
    while at is not None:
        code = at.tb_frame.f_code
        name = code.co_filename
        if "/torch/" not in name and not name.startswith(_OWN):
            positions = list(code.co_positions())
            place = at.tb_lasti // 2
            line, end = positions[place][:2] if place < len(positions) else (None, None)
            first = line or at.tb_lineno
            last = min(end or first, first + 40)
            if linecache.getline(name, first).lstrip().startswith("raise"):
                first = max(first - _ABOVE, code.co_firstlineno)
            first = max(first - above, code.co_firstlineno)
            found.append(("".join(linecache.getline(name, number) for number in range(first, last + 1)), at.tb_frame))
        at = at.tb_next
    yield from reversed(found)
