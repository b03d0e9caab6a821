"""One Python file: read as text, whatever it holds, and indexed; never imported."""

from __future__ import annotations

import ast
import codecs
import hashlib
import io
import os
import stat
import tokenize
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from archcheck.errors import TargetError
from archcheck.frontends.static.index import Index

MAX_BYTES = 4 * 1024 * 1024
_FLAGS = os.O_RDONLY
for _name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):  # not every system has all of them
    _FLAGS |= getattr(os, _name, 0)
# Codecs that Python accepts in a coding line and that take quadratic time, or hide what a reader of the file sees.
_REFUSED_CODECS = frozenset({"punycode", "idna", "unicode_escape", "raw_unicode_escape", "utf_7", "undefined"})


@dataclass(frozen=True, eq=False)
class SourceFile:
    """One Python file. Its text is read when it is first asked for, and kept.

    Attributes:
        module: dotted name under which its package knows it: "tensor2tensor.models.transformer".
        path: where it is read.
        shown: where a reader finds it, relative to the folder that was read, with "/": the file of every `Span`.
        is_package: it is the `__init__.py` of `module`.
        told: is given the file and its digest whenever its bytes are read.
    """

    module: str
    path: Path
    shown: str
    is_package: bool
    told: Callable[[SourceFile, str], None] = lambda file, digest: None

    @cached_property
    def text(self) -> str:
        """The source, decoded as PEP 263 says, with "\\n" between lines.

        Raises:
            TargetError: it cannot be opened, is no regular file, is larger than 4 MiB, or is no text.
        """
        return decode(self.content(), self.shown)

    def content(self) -> bytes:
        """Its bytes, read anew. Raises TargetError where it cannot be opened, is no regular file, or is too large."""
        data = read_bytes(self.path, self.shown)
        self.told(self, hashlib.sha256(data).hexdigest())
        return data

    @cached_property
    def index(self) -> Index:
        """Its top-level definitions. Raises TargetError as `text` does, and where the file holds a NUL."""
        return Index(self.text, self.shown)

    def release(self) -> None:
        """Forget its text and what was parsed of it; both come back when they are asked for."""
        self.__dict__.pop("index", None)
        self.__dict__.pop("text", None)

    @property
    def package(self) -> str:
        """The package that its relative imports start from; "" at the top."""
        return self.module if self.is_package else self.module.rpartition(".")[0]

    def absolute(self, level: int, module: str = "") -> str | None:
        """The dotted name that `from <level dots><module> import ...` means here; None: it leaves the top package."""
        if level == 0:
            return module
        parts = self.package.split(".") if self.package else []
        if level > len(parts):
            return None
        return ".".join([*parts[: len(parts) - level + 1], *([module] if module else [])])

    def line(self, number: int) -> str:
        """The text of a line counted from 1; "" past the end."""
        return self.index.line(number)


class SpelledFile(SourceFile):
    """What a dialect spells in Python, as a file: its ops stand where code that was read calls it."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(name, Path(), name, is_package=False)
        self.__dict__["text"] = text  # the place of a cached property


def read_bytes(path: Path, shown: str) -> bytes:
    """The content of a regular file of at most 4 MiB, opened without waiting and without following a last link.

    Raises:
        TargetError: it is anything else, or the system refuses.
    """
    try:
        descriptor = _open(path, _FLAGS)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise TargetError("not a regular file", place=shown)
            data = os.read(descriptor, min(status.st_size, MAX_BYTES) + 1)
            while len(data) <= MAX_BYTES and (more := os.read(descriptor, 65536)):  # to its end, wherever that is
                data += more
        finally:
            os.close(descriptor)
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, before Python 3.13
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise TargetError(f"cannot read the file: {reason}", place=shown) from None
    if len(data) > MAX_BYTES:
        raise TargetError(
            f"the file is larger than {MAX_BYTES // 1024 // 1024} MiB",
            place=shown,
            hint="name the file that defines the model",
        )
    return data


def _open(path: Path, flags: int) -> int:
    try:
        return os.open(path, flags)
    except OSError:
        if not path.is_symlink():
            raise
        return os.open(path.resolve(strict=True), flags)  # whoever named the path has judged where it may lead


def decode(data: bytes, shown: str) -> str:
    """Source text from bytes: byte order mark, coding line (PEP 263), UTF-8 otherwise; any newline becomes "\\n".

    Raises:
        TargetError: a NUL byte, an unknown or refused encoding, or bytes that are not text in it.
    """
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise TargetError("a NUL byte: this is no text", place=f"{shown}:{line}")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        if codecs.lookup(encoding).name.replace("-", "_") in _REFUSED_CODECS:
            raise TargetError(f'the coding "{encoding}" is not read', place=f"{shown}:1", hint="save the file as UTF-8")
        text = data.decode(encoding)
    except SyntaxError as error:
        reason = str(error.msg).partition(" for ")[0]
        raise TargetError(f"not Python source: {reason}", place=shown, hint="save the file as UTF-8") from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TargetError(
            f"byte 0x{data[error.start]:02x} is not {encoding} text",
            place=f"{shown}:{line}",
            hint="save the file as UTF-8, or name its encoding in the first line: # -*- coding: latin-1 -*-",
        ) from None
    except (LookupError, ValueError) as error:
        raise TargetError(f"not Python source: {error}", place=shown) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def code_of(node: ast.AST) -> str:
    """`node` as one line of code; kept with the tree, which many runs of the evaluator read."""
    known: str | None = getattr(node, "code", None)
    if known is None:
        known = node.code = ast.unparse(node)  # type: ignore[attr-defined]
    return known
