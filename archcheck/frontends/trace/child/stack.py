"""The code that was running when an exception was raised, outside of torch and of the recorder."""

from __future__ import annotations

import linecache
import sysconfig
from collections.abc import Iterator
from itertools import islice
from types import CodeType, FrameType, TracebackType
from typing import Any

import torch

_OWN = __file__.rpartition("/")[0]
_TORCH = torch.__file__.rpartition("/")[0] + "/"
_STANDARD = sysconfig.get_paths()["stdlib"] + "/"
_ABOVE = 4  # lines above a `raise`, where its condition stands


def lines(error: BaseException, above: int = 0) -> Iterator[tuple[str, FrameType]]:
    """Statements, the innermost first, with their frames; a `raise` with the lines above it, which say when.

    Args:
        error: the exception.
        above: how many lines above each statement come with it.
    """
    found: list[tuple[str, FrameType]] = []
    for at in _steps(error):
        code = at.tb_frame.f_code
        name = code.co_filename
        line, end, *_ = _positions(code, at.tb_lasti)
        first = line or at.tb_lineno
        last = min(end or first, first + 40)
        if linecache.getline(name, first).lstrip().startswith("raise"):
            first = max(first - _ABOVE, code.co_firstlineno)
        first = max(first - above, code.co_firstlineno)
        found.append(("".join(linecache.getline(name, number) for number in range(first, last + 1)), at.tb_frame))
    yield from reversed(found)


def place(error: BaseException) -> list[Any] | None:
    """Where an exception was raised: file, function, line, column from 0, and their ends; None where no code is known.

    Code that cannot be parsed has its place in the exception; all other code was running.
    """
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        column = None if error.offset is None else max(error.offset - 1, 0)
        return [error.filename, "", error.lineno, column, None, None]
    steps = list(_steps(error))
    if not steps:
        return None
    code = steps[-1].tb_frame.f_code
    first, last, column, end = _positions(code, steps[-1].tb_lasti)
    return [code.co_filename, code.co_qualname, first or steps[-1].tb_lineno, column, last, end]


def is_in_constructor(error: BaseException) -> bool:
    """Whether an exception was raised while a module was constructed."""
    at = error.__traceback__
    while at is not None:
        frame = at.tb_frame
        if frame.f_code.co_name == "__init__" and isinstance(frame.f_locals.get("self"), torch.nn.Module):
            return True
        at = at.tb_next
    return False


def is_torch(file: str) -> bool:
    """Whether code of this file is torch's own."""
    return file.startswith(_TORCH)


def is_own(file: str) -> bool:
    """Whether code of this file is the recorder's."""
    return file.startswith(_OWN)


def is_models(file: str) -> bool:
    """Whether code of this file is neither torch's, nor Python's, nor the recorder's."""
    return not (is_torch(file) or is_own(file) or _is_pythons(file))


def _is_pythons(file: str) -> bool:
    """Whether code of this file came with Python, or has no file."""
    return file.startswith("<") or (file.startswith(_STANDARD) and "/site-packages/" not in file)


def _positions(code: CodeType, at: int) -> tuple[int | None, int | None, int | None, int | None]:
    """First and last line, first and last column of the instruction at an offset."""
    return next(islice(code.co_positions(), at // 2, None), (None, None, None, None))


def _steps(error: BaseException) -> Iterator[TracebackType]:
    """What an exception came through, outermost first, without what is torch's, Python's and the recorder's."""
    at: TracebackType | None = error.__traceback__
    while at is not None:
        name = at.tb_frame.f_code.co_filename
        if is_models(name):
            yield at
        at = at.tb_next
