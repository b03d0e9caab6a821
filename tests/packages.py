"""Released packages for tests marked `packages`: wheels, fetched with pip on first use and kept unpacked in a cache.

Nothing in them is imported or run. The cache is the folder that `ARCHCHECK_TEST_PACKAGES` names, else
one in the user's cache.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import platformdirs

_PINNED = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[A-Za-z0-9][A-Za-z0-9.+!_-]*)")
_COMPILED = (".so", ".pyd", ".dll", ".dylib", ".a", ".lib", ".exe", ".bin")  # never read, and most of a wheel's size
_MAX_BYTES = 1 << 30  # unpacked, of one wheel


def unpacked(requirement: str) -> Path:
    """The folder with the files of a released wheel, compiled ones left out.

    Args:
        requirement: one exact version: `tensor2tensor==1.2.5`.

    Raises:
        ValueError: it is no exact version, or the wheel holds a path that leads out of its folder, a link, or too much.
        RuntimeError: pip cannot get it; its own words follow.
    """
    pinned = _PINNED.fullmatch(requirement)
    if pinned is None:
        raise ValueError(f"{requirement!r} does not name one exact version, as in 'tensor2tensor==1.2.5'")
    cache = _cache()
    folder = cache / f"{re.sub(r'[-_.]+', '_', pinned['name']).lower()}-{pinned['version']}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_name(f".{folder.name}.lock")):
        if folder.is_dir():  # another worker was first
            return folder
        with tempfile.TemporaryDirectory(dir=cache, prefix="unpacking-") as scratch:
            wheel = _download(requirement, Path(scratch, "wheel"))
            ready = Path(scratch, "ready")
            unpack(wheel, ready)
            try:
                ready.rename(folder)  # at once: nobody sees half a package
            except OSError:
                if not folder.is_dir():  # without locks two workers may both have come this far
                    raise
    return folder


def unpack(wheel: Path, folder: Path) -> None:
    """Put the files of `wheel` into `folder`, compiled ones left out; raises ValueError as `unpacked` does."""
    size = 0
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            path = PurePosixPath(member.filename)
            if path.is_absolute() or ".." in path.parts or "\\" in member.filename or ":" in member.filename:
                raise ValueError(f"{wheel.name} holds a path that leads out of it: {member.filename!r}")
            if stat.S_ISLNK(member.external_attr >> 16):
                raise ValueError(f"{wheel.name} holds a link: {member.filename!r}")
            if member.is_dir() or path.suffix in _COMPILED or ".so." in path.name:
                continue
            size += member.file_size
            if size > _MAX_BYTES:
                raise ValueError(f"{wheel.name} is larger than {_MAX_BYTES:,} bytes when unpacked")
            target = folder.joinpath(*path.parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink)


def _cache() -> Path:
    named = os.environ.get("ARCHCHECK_TEST_PACKAGES")
    return Path(named) if named else platformdirs.user_cache_path("archcheck") / "test-packages"


def _download(requirement: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--dest", str(folder), requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        raise RuntimeError(f"pip could not download {requirement}:\n{done.stderr.strip()}")
    return wheels[0]


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other workers out, so that a wheel is fetched once; where there are no locks, the rename still decides."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
