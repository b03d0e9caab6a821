"""What of the sources a reading depended on: what it asked of the library, and what the answers were.

A result that was kept may stand for a reading only while every answer that the reading got is still the same: also the
answer that there is no such module, and that of a search through a whole package.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from archcheck.errors import TargetError
from archcheck.frontends.static.sources import read_bytes

if TYPE_CHECKING:
    from archcheck.frontends.static.library import Library
    from archcheck.frontends.static.sources import SourceFile

Question = tuple[str, str]  # ("module", dotted), ("modules in", package) or ("all in", package)
Found = TypeVar("Found")
UNREADABLE = "unreadable"  # stands for the digest of a file that cannot be read


class Footprint:
    """What is asked of a library.

    Attributes:
        asked: the questions since `of` or `apart` began.
        digests: SHA-256 of each file that was read, by its path.
        changed: a file had another content when it was read again: no answer about this library's files is certain.
    """

    def __init__(self, library: Library) -> None:
        self.asked: set[Question] = set()
        self.digests: dict[str, str] = {}
        self.changed = False
        self._library = library
        self._unreadable: set[str] = set()  # paths of files
        self._answers: dict[Question, str] = {}
        self._known: dict[object, tuple[object, frozenset[Question]]] = {}

    @contextmanager
    def of(self) -> Iterator[set[Question]]:
        """The questions that are asked inside; those around have asked them too."""
        outer, self.asked = self.asked, set()
        try:
            yield self.asked
        finally:
            outer |= self.asked
            self.asked = outer

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Questions asked inside are nobody's."""
        outer, self.asked = self.asked, set()
        try:
            yield
        finally:
            self.asked = outer

    def once(self, key: object, find: Callable[[], Found | None]) -> Found | None:
        """What `find` finds, looked for once; None while it is being looked for. Who gets it depends on all that the
        search has asked."""
        if key not in self._known:
            self._known[key] = None, frozenset()
            with self.of() as asked:
                found = find()
            self._known[key] = found, frozenset(asked)
        kept, questions = self._known[key]
        self.asked |= questions
        return kept  # type: ignore[return-value]  # a key is asked for with one kind of search

    def tell(self, file: SourceFile, digest: str) -> None:
        """A file was read, and had this digest."""
        if self.digests.setdefault(str(file.path), digest) != digest:
            self.changed = True

    def learn(self, digests: Mapping[str, str]) -> None:
        """Files that another process has read."""
        for path, digest in digests.items():
            if self.digests.setdefault(path, digest) != digest:
                self.changed = True

    def state(self, questions: Collection[Question]) -> str:
        """A digest of the answers; equal for equal answers."""
        whole = hashlib.sha256()
        for question in sorted(questions):
            if question not in self._answers:
                with self.apart():
                    self._answers[question] = self._answer(*question)
            whole.update(f"{question[0]} {question[1]}: {self._answers[question]}\n".encode())
        return whole.hexdigest()

    def evidence(self) -> dict[str, str]:
        """All that was looked at so far: each file with its digest, each folder ("/" at the end) with a digest of the
        modules in it. While it stays the same so does every answer: quicker to compare than to ask again."""
        files = dict.fromkeys(self._unreadable - self.digests.keys(), UNREADABLE) | self.digests
        return {**files, **{f"{folder}/": self._library.held(folder) for folder in self._library.looked_in()}}

    def stands(self, evidence: Mapping[str, str]) -> bool:
        """Whether all of that is as it was."""
        for path, digest in evidence.items():
            if path.endswith("/"):
                found = self._library.held(Path(path))
            else:
                if path not in self.digests:
                    try:
                        self.digests[path] = hashlib.sha256(read_bytes(Path(path), path)).hexdigest()
                    except TargetError:
                        self._unreadable.add(path)
                found = self.digests.get(path, UNREADABLE)
            if found != digest:
                return False
        return True

    def digest(self, file: SourceFile) -> str:
        """SHA-256 of a file, as it was when it was first read; "unreadable" where it cannot be."""
        if str(file.path) not in self.digests:
            try:
                file.content()
            except TargetError:
                self._unreadable.add(str(file.path))
                return UNREADABLE
        return self.digests[str(file.path)]

    def _answer(self, what: str, name: str) -> str:
        if what == "modules in":
            return " ".join(self._library.modules(name))
        if what == "all in":
            return " ".join(f"{file.shown} {self.digest(file)}" for file in self._library.walk(name))
        file, package = self._library.module(name), self._library.package(name)
        if file is not None:
            return f"{file.shown} {self.digest(file)}"
        return "no file" if package is None else " ".join(str(folder) for folder in package.folders)
