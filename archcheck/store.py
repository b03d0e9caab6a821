"""Results kept between runs, as JSON, each in a file of its own.

A file is written beside its place and then moved there, so that a run that is killed, or that works at the same time,
never leaves half of one. Nothing in it is code; what cannot be understood is as good as not there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

LAYOUT = "results-1"  # a change to how results are kept takes a new name
KEPT_FOR = 30 * 24 * 3600  # seconds, for results of other versions of archcheck


class Store:
    """Texts by key, of this version of archcheck.

    Args:
        folder: of all that archcheck keeps; it is made when something is put there, for its owner alone.
    """

    def __init__(self, folder: Path) -> None:
        self._around = folder / LAYOUT
        self._folder = self._around / tool()

    def get(self, key: str) -> bytes | None:
        """What was put under `key`; None: nothing, or it cannot be read."""
        try:
            return self._path(key).read_bytes()
        except OSError:
            return None

    def put(self, key: str, data: bytes) -> None:
        """Keep `data` under `key`. Where nothing can be written nothing is kept: it is only slower then."""
        path = self._path(key)
        with contextlib.suppress(OSError):
            if not self._folder.is_dir():
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._forget()
            handle, name = tempfile.mkstemp(dir=self._folder, prefix=".")
            try:
                with open(handle, "wb") as file:
                    file.write(data)
                os.replace(name, path)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(name)
                raise

    def _path(self, key: str) -> Path:
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()}.json"

    def _forget(self) -> None:
        """Take away what other versions have kept and nobody has used for a while."""
        before = time.time() - KEPT_FOR
        for other in self._around.iterdir():
            if other != self._folder and other.is_dir() and other.stat().st_mtime < before:
                shutil.rmtree(other, ignore_errors=True)


@cache
def tool() -> str:
    """A digest of what makes a result besides what was read: archcheck's own code, and Python's version."""
    found = hashlib.sha256(sys.version.encode())
    here = Path(__file__).parent
    for path in sorted(here.rglob("*.py")):
        found.update(f"{path.relative_to(here).as_posix()}\0".encode() + path.read_bytes())
    return found.hexdigest()[:32]
