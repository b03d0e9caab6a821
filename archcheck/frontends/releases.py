"""Sources of a release that is not installed: its wheel, fetched with the user's own pip and never installed or run."""

from __future__ import annotations

import difflib
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from archcheck.errors import TargetError

MAX_ENTRIES = 100_000
MAX_TOTAL = 2 * 1024**3  # bytes that are unpacked
MAX_RATIO = 200  # unpacked to packed, for a file above FREE_SIZE; text packs about 5 to 20 times
FREE_SIZE = 8 * 1024**2
KEPT_SUFFIXES = frozenset({".py", ".gin", ".json", ".yaml", ".yml", ".txt"})
LAYOUT = "releases-1"  # a change to what is kept takes a new name, so that no old folder is taken for a new one

_DIST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)
_VERSION = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z.!+_-]*[0-9A-Za-z])?", re.ASCII)
_FROM_VERSIONS = re.compile(r"\(from versions: ([^)]*)\)")
# Any wheel will do for reading. When none fits this Python, those of others are asked for.
_OTHER_PYTHONS = ("3.8", "3.10", "3.12", "3.13", "3.6", "2.7")
_PLATFORMS = ("any", *(f"{name}_x86_64" for name in ("manylinux1", "manylinux2010", "manylinux2014")))
_NEWER_PLATFORMS = ("manylinux_2_17_x86_64", "manylinux_2_28_x86_64", "linux_x86_64")
_TIMEOUT = 1800  # seconds for one call of pip: a wheel may have a gigabyte

Progress = Callable[[str], None]


def fetch(dist: str, version: str, *, cache_dir: Path | None = None, progress: Progress | None = None) -> Path:
    """The folder with the unpacked sources of `dist==version`; pip is called where the cache does not have it.

    Source distributions are never fetched: pip runs their build code. Of the wheel only text that the reader uses is
    unpacked: Python, gin, JSON, YAML, plain text and the metadata.

    Args:
        dist: name of the distribution on the package index.
        version: one exact version.
        cache_dir: where releases are kept; default `$ARCHCHECK_CACHE_DIR`, else the user's cache folder.
        progress: called with one line when something takes time.

    Raises:
        TargetError: name or version is malformed, pip is missing or fails, there is no wheel, or the wheel is broken
            or hostile.
    """
    name = f"{dist}=={version}"
    if not _DIST.fullmatch(dist):
        raise TargetError(f'"{dist}" is not the name of a distribution', place=name)
    if not _VERSION.fullmatch(version):
        raise TargetError(
            f'"{version}" is not one exact version', place=name, hint="write it as in tensor2tensor==1.2.5"
        )
    releases = (cache_dir or default_cache_dir()) / LAYOUT
    folder = releases / f"{re.sub(r'[-_.]+', '_', dist).lower()}-{version.lower()}"
    if folder.is_dir():
        return folder
    try:
        releases.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=releases) as work:
            if progress is not None:
                progress(f"fetching {name} with pip")
            wheel = _download(name, Path(work))
            unpacked = Path(work) / "unpacked"
            unpacked.mkdir(mode=0o700)
            unpack(wheel, unpacked, name)
            _publish(unpacked, folder)
    except OSError as error:
        raise TargetError(
            f"cannot keep the release: {error.strerror or error}",
            place=name,
            hint="set ARCHCHECK_CACHE_DIR to a folder that can be written",
        ) from None
    return folder


def default_cache_dir() -> Path:
    """`$ARCHCHECK_CACHE_DIR`, or the user's cache folder for archcheck."""
    if chosen := os.environ.get("ARCHCHECK_CACHE_DIR"):
        return Path(chosen)
    from platformdirs import user_cache_path

    return user_cache_path("archcheck", appauthor=False)


def unpack(wheel: Path, folder: Path, name: str) -> None:
    """Unpack what the reader uses of `wheel` into the empty `folder`.

    Args:
        wheel: a zip archive from outside.
        folder: where to; files of `*.data/purelib` and `platlib` go to its top, as pip would install them.
        name: of the release, for messages.

    Raises:
        TargetError: the archive is broken, or has a path that leaves `folder`, a link, two files of one name, or more
            entries, bytes or compression than any real release.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            entries = archive.infolist()
            if len(entries) > MAX_ENTRIES:
                raise _hostile(name, f"{len(entries):,} entries; at most {MAX_ENTRIES:,} are unpacked")
            kept = [(entry, path) for entry in entries if (path := _kept_path(entry, name)) is not None]
            if sum(entry.file_size for entry, _ in kept) > MAX_TOTAL:
                raise _hostile(name, f"more than {MAX_TOTAL // 1024**3} GiB of text")
            for entry, path in kept:
                target = folder.joinpath(*path.parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as source, target.open("xb") as copy:
                    shutil.copyfileobj(source, copy)
    except FileExistsError as error:
        raise _hostile(name, f"two files of one name: {Path(str(error.filename)).name}") from None
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, ValueError, RuntimeError) as error:
        raise TargetError(f"the wheel is broken: {error}", place=name) from None


def _kept_path(entry: zipfile.ZipInfo, name: str) -> PurePosixPath | None:
    """Where an entry of the wheel goes; None: it is not unpacked."""
    path = PurePosixPath(entry.filename)
    parts = entry.filename.split("/")
    if path.is_absolute() or ".." in parts or "\\" in entry.filename or ":" in parts[0] or not path.parts:
        raise _hostile(name, f'a path that leaves the archive: "{entry.filename}"')
    if any(not char.isprintable() for char in entry.filename):
        raise _hostile(name, f'a path with control characters: "{entry.filename}"')
    mode = stat.S_IFMT(entry.external_attr >> 16)
    if mode not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _hostile(name, f'"{entry.filename}" is a link or a device')
    if entry.is_dir():
        return None
    if path.suffix not in KEPT_SUFFIXES and not (path.name == "METADATA" and path.parts[0].endswith(".dist-info")):
        return None
    if entry.flag_bits & 1:
        raise _hostile(name, f'"{entry.filename}" is encrypted')
    if entry.file_size > FREE_SIZE and entry.file_size > MAX_RATIO * max(1, entry.compress_size):
        raise _hostile(name, f'"{entry.filename}" unpacks to {MAX_RATIO} times its size')
    if len(path.parts) > 2 and path.parts[0].endswith(".data"):
        return PurePosixPath(*path.parts[2:]) if path.parts[1] in ("purelib", "platlib") else None
    return path


def _hostile(name: str, what: str) -> TargetError:
    return TargetError(f"the wheel is refused: {what}", place=name)


def _publish(unpacked: Path, folder: Path) -> None:
    """Give the finished folder its name. Whoever comes second finds it there, complete, and leaves it."""
    try:
        unpacked.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise


def _download(name: str, work: Path) -> Path:
    """The wheel of `name`, in a new folder below `work`."""
    first = _pip(name, work / "own", ())
    if (wheel := _wheel(work / "own")) is not None:
        return wheel
    if "No module named pip" in first:
        raise TargetError(
            "pip is needed to fetch a release, and this Python has none",
            place=name,
            hint="`python -m ensurepip` adds it; or unpack the wheel yourself and name the folder",
        )
    if "No matching distribution" in first or "Could not find a version" in first:
        for python in _OTHER_PYTHONS:
            tag = "cp" + python.replace(".", "")
            options = ["--python-version", python, "--implementation", "cp"]
            for abi in (tag, f"{tag}m", f"{tag}mu", "abi3", "none"):
                options += ["--abi", abi]
            for platform in (*_PLATFORMS, *_NEWER_PLATFORMS):
                options += ["--platform", platform]
            other = work / tag
            _pip(name, other, options)
            if (wheel := _wheel(other)) is not None:
                return wheel
    raise _not_found(name, first)


def _pip(name: str, into: Path, options: tuple[str, ...] | list[str]) -> str:
    """Run `pip download` for `name`; what it printed. Whether it succeeded is seen from what lies in `into`."""
    into.mkdir(mode=0o700)
    # -P keeps the folder that archcheck is run in, which may be anyone's, off the path that pip is imported from.
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
    command += ["--disable-pip-version-check", "--progress-bar", "off", *options, "-d", str(into), "--", name]
    environment = {**os.environ, "PIP_REQUIRE_VIRTUALENV": "0", "PYTHONIOENCODING": "utf-8"}
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=into,
            env=environment,
            timeout=_TIMEOUT,
            check=False,
            encoding="utf-8",
            errors="replace",
        )
    except subprocess.TimeoutExpired:
        raise TargetError(f"pip did not finish within {_TIMEOUT // 60} minutes", place=name) from None
    return done.stdout


def _wheel(folder: Path) -> Path | None:
    found = sorted(folder.glob("*.whl"))
    return found[0] if len(found) == 1 else None


def _not_found(name: str, output: str) -> TargetError:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    said = (errors or lines or ["pip said nothing"])[-1]
    hint = "check the name and the version on the package index; releases without a wheel are not read"
    if match := _FROM_VERSIONS.search(output):
        versions = [version.strip() for version in match[1].split(",")]
        if versions != ["none"]:
            near = difflib.get_close_matches(name.partition("==")[2], versions, n=5, cutoff=0.5) or versions[-5:]
            hint = f"versions that have a wheel: {', '.join(near)}" + (", ..." if len(versions) > len(near) else "")
    elif "connection" in output.lower() or "resolve" in output.lower():
        hint = "is the package index reachable? a release that was fetched once is read without it"
    return TargetError(f"pip cannot fetch this release: {said}", place=name, hint=hint)
