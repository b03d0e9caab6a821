"""How evaluation of a piece of code may end early."""

from __future__ import annotations

import builtins
from collections.abc import Iterator

from archcheck.frontends.static.values import Class, Data, External, Native
from archcheck.ir.span import Span


class OutOfFuel(Exception):
    """Evaluation took more steps than it may, or met what cannot be read: what was recorded is not the whole model."""


class Raised(Exception):
    """The code that is read raised an exception: one of Python's, by its name, or one of a class of the code."""

    def __init__(self, name: str, message: str, span: Span | None, cls: Class | None = None) -> None:
        super().__init__(f"{name}: {message}" if message else name)
        self.name = name
        self.message = message
        self.span = span
        self.traced = False  # what it was for want of has been noted
        self.kinds = frozenset(_exception_kinds(name, cls))  # names by which a handler catches it


def _exception_kinds(name: str, cls: Class | None) -> Iterator[str]:
    waiting: list[Data] = [cls] if cls is not None else []
    yield from _python_kinds(name)
    while waiting:
        base = waiting.pop()
        if isinstance(base, Class):
            yield base.name
            waiting += base.bases
        elif isinstance(base, (Native, External)):
            yield from _python_kinds(base.name.rpartition(".")[2])


def _python_kinds(name: str) -> Iterator[str]:
    """Names of an exception of Python and of its bases; what is not known is an Exception."""
    kind = getattr(builtins, name, None)
    known = isinstance(kind, type) and issubclass(kind, BaseException)
    yield name
    yield from (base.__name__ for base in (kind.__mro__ if known else Exception.__mro__))  # type: ignore[union-attr]
