"""Lines of code that a saved model tells, as places that reports show."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from archcheck.frontends.static.library import Library
from archcheck.frontends.torch_export.program import Frame, innermost
from archcheck.frontends.trace.wire import Site


def sites(library: Library) -> Callable[[Sequence[Frame]], Site | None]:
    """A function that gives the place of an op: in a file below the working directory, or by its bare name.

    What the file says about other places on this machine is not looked up: it would show a stranger's choice of lines.
    """
    here = Path.cwd().resolve()
    known: dict[str, str] = {}

    def site(frames: Sequence[Frame]) -> Site | None:
        frame = innermost(frames)
        return None if frame is None else Site(file(frame.file), frame.function, frame.line, 0, 0, 0)

    def file(name: str) -> str:
        if name not in known:
            known[name] = name.replace("\\", "/").rpartition("/")[2] or name
            path = Path(os.path.normpath(name))
            if path.is_absolute() and path.suffix == ".py" and path.is_relative_to(here):
                real = Path(os.path.realpath(path))
                if real.is_relative_to(here) and real.is_file():
                    known[name] = str(path)
        return known[name]

    return site
