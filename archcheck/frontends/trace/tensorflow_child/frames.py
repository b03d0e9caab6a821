"""Whose code a frame runs: the model's, the frameworks', Python's or the recorder's."""

from __future__ import annotations

import sys
import sysconfig
from itertools import islice
from types import CodeType, TracebackType
from typing import Any

import tensorflow

_OWN = __file__.rpartition("/")[0]
_STANDARD = sysconfig.get_paths()["stdlib"] + "/"
_PACKAGES = ("tensorflow", "keras", "tf_keras", "wrapt", "optree", "tree", "numpy", "ml_dtypes")
_MODELS = ("/keras/src/applications/", "/tf_keras/src/applications/")  # the frameworks' own models are models
GENERATED = "__autograph_generated_file"


def _folders() -> tuple[str, ...]:
    found = []
    for name in _PACKAGES:
        module = sys.modules.get(name)
        file = getattr(module, "__file__", None)
        if file:
            found.append(file.rpartition("/")[0] + "/")
    return tuple(found)


class Frames:
    """Answers for the packages that are imported when it is made."""

    def __init__(self) -> None:
        self.frameworks = _folders()
        self._models: dict[str, bool] = {}

    def is_models(self, file: str) -> bool:
        """Whether code of this file is neither a framework's, nor Python's, nor the recorder's."""
        found = self._models.get(file)
        if found is None:
            found = self._models[file] = self._decide(file)
        return found

    def _decide(self, file: str) -> bool:
        if any(part in file for part in _MODELS):
            return True
        if file.startswith(("<", _OWN)) or file.startswith(self.frameworks):
            return False
        return not (file.startswith(_STANDARD) and "/site-packages/" not in file)

    def place(self, error: BaseException) -> list[Any] | None:
        """Where an exception was raised: file, function, line, column from 0, and their ends; None if nowhere known."""
        if isinstance(error, SyntaxError) and error.filename and error.lineno:
            column = None if error.offset is None else max(error.offset - 1, 0)
            return [error.filename, "", error.lineno, column, None, None]
        last: TracebackType | None = None
        at = error.__traceback__
        while at is not None:
            file = at.tb_frame.f_code.co_filename
            if self.is_models(file) and GENERATED not in file:
                last = at
            at = at.tb_next
        if last is None:
            return None
        code = last.tb_frame.f_code
        first, end, column, end_column = positions(code, last.tb_lasti)
        return [code.co_filename, code.co_qualname, first or last.tb_lineno, column, end, end_column]


def positions(code: CodeType, at: int) -> tuple[int | None, int | None, int | None, int | None]:
    """First and last line, first and last column of the instruction at an offset."""
    return next(islice(code.co_positions(), at // 2, None), (None, None, None, None))


VERSION = tensorflow.__version__
