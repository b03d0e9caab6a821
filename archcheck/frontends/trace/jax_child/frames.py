"""Whose code a frame runs: the model's, JAX's and its libraries', Python's or the recorder's."""

from __future__ import annotations

import sys
import sysconfig
from types import TracebackType
from typing import Any

_OWN = __file__.rpartition("/")[0]
_STANDARD = sysconfig.get_paths()["stdlib"] + "/"
_PACKAGES = ("jax", "jaxlib", "flax", "haiku", "optax", "numpy", "ml_dtypes", "einops", "chex", "jmp")


class Frames:
    """Answers for the packages that are imported when it is made."""

    def __init__(self) -> None:
        files = [getattr(sys.modules.get(name), "__file__", None) for name in _PACKAGES]
        self.libraries = tuple(file.rpartition("/")[0] + "/" for file in files if file)
        self._models: dict[str, bool] = {}

    def is_models(self, file: str) -> bool:
        """Whether code of this file is neither a library's, nor Python's, nor the recorder's."""
        found = self._models.get(file)
        if found is None:
            found = self._models[file] = self._decide(file)
        return found

    def _decide(self, file: str) -> bool:
        if file.startswith(("<", _OWN)) or file.startswith(self.libraries):
            return False
        return not (file.startswith(_STANDARD) and "/site-packages/" not in file)

    def place(self, error: BaseException) -> list[Any] | None:
        """Where an exception was raised: file, function, line, and no columns; None if nowhere known."""
        if isinstance(error, SyntaxError) and error.filename and error.lineno:
            return [error.filename, "", error.lineno, None, None, None]
        found: list[Any] | None = None
        at: TracebackType | None = error.__traceback__
        while at is not None:
            code = at.tb_frame.f_code
            if self.is_models(code.co_filename):
                found = [code.co_filename, code.co_qualname, at.tb_lineno, None, None, None]
            at = at.tb_next
        return found

    def site(self, source: Any) -> list[Any] | None:
        """Where an equation comes from: the innermost line of the model's own code."""
        if source is None:
            return None
        for frame in source.frames:
            if self.is_models(frame.file_name):
                return [frame.file_name, frame.function_name, frame.line_num, None, None, None]
        return None
