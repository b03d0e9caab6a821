"""What the host and the child of the sandbox agree on: how the child is asked, and how it answers.

The child is started as `python -c BOOTSTRAP FOLDER`. Its standard input holds a plan and then the request; on the
descriptor `control` it tells in lines what it did, before any foreign code runs; on the descriptor `answer` it gives
the length of its answer and then the answer. Standard output and error belong to the foreign code.
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Callable
from contextlib import suppress

SECCOMP = "seccomp"  # parts of the confinement, by the names that reports show
LANDLOCK = "landlock"
NAMESPACES = "namespaces"

CONFINED = "confined"  # what the control descriptor tells: this, when all parts of the plan are in force,
REFUSED = "refused"  # this, with a part and the reason, when one cannot be,
ENDED = "ended"  # and this, with the wait status and the seconds of CPU, when all processes of the child are gone

OUT_OF_MEMORY = 83  # exit code of a child whose code was refused memory

LENGTH = struct.Struct(">Q")  # goes before the plan, and before the answer

# Loads the package `archcheck` from the folder that it lies in, which never gets on `sys.path`: what lies beside it
# must not be importable, and the child's environment may have no archcheck, or another one.
BOOTSTRAP = """
import sys
if sys.version_info < (3, 11):
    sys.exit("it is Python %d.%d, and 3.11 or newer is needed" % sys.version_info[:2])
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
spec = PathFinder.find_spec("archcheck", [sys.argv.pop()])
sys.modules["archcheck"] = module_from_spec(spec)
spec.loader.exec_module(sys.modules["archcheck"])
from archcheck.frontends.trace.child.confine import start
start()
"""


class Refused(Exception):
    """A part of the confinement cannot be had on this machine."""

    def __init__(self, part: str, why: str) -> None:
        self.part = part
        self.why = why
        super().__init__(f"{part}: {why}")


class Plan:
    """What the host asks of the child, beside the request itself.

    Args:
        parts: of the confinement, those that must be in force; process limits always are.
        entry: dotted module that has `main(request, answer)`, or "" to end when confined.
        folder: the temporary folder, empty; the working folder and the only place that can be written to.
        readable: files and folders of the audited code, absolute.
        paths: folders that are put behind the environment's own on `sys.path`.
        parent: process id of the host, as the child sees it.
        answer: descriptor of the answer.
        control: descriptor of what the child tells about itself.
        numbers: limits by name: seconds `wall` and `cpu`; bytes `memory` and `file_size`; `processes`, `open_files`.
    """

    def __init__(
        self,
        *,
        parts: tuple[str, ...],
        entry: str,
        folder: str,
        readable: tuple[str, ...],
        paths: tuple[str, ...],
        parent: int,
        answer: int,
        control: int,
        numbers: dict[str, int],
    ) -> None:
        self.parts = parts
        self.entry = entry
        self.folder = folder
        self.readable = readable
        self.paths = paths
        self.parent = parent
        self.answer = answer
        self.control = control
        self.numbers = numbers

    def encode(self) -> bytes:
        """The plan with its length before it; `Plan.read` is the inverse."""
        items = [("entry", self.entry), ("folder", self.folder)]
        items += [("parts", part) for part in self.parts]
        items += [("readable", path) for path in self.readable]
        items += [("paths", path) for path in self.paths]
        numbers = {"parent": self.parent, "answer": self.answer, "control": self.control, **self.numbers}
        items += [(name, str(number)) for name, number in numbers.items()]
        data = b"\0".join(os.fsencode(text) for item in items for text in item)  # no path holds a NUL
        return LENGTH.pack(len(data)) + data

    @classmethod
    def read(cls, descriptor: int) -> Plan:
        """The plan that `descriptor` begins with; what comes behind it stays there."""
        (length,) = LENGTH.unpack(read(descriptor, LENGTH.size))
        texts = [os.fsdecode(text) for text in read(descriptor, length).split(b"\0")]
        items = list(zip(texts[::2], texts[1::2], strict=True))
        named = dict(items)

        def several(name: str) -> tuple[str, ...]:
            return tuple(text for key, text in items if key == name)

        texts_of = {"entry", "folder", "parts", "readable", "paths"}
        numbers = {name: int(text) for name, text in items if name not in texts_of}
        return cls(
            parts=several("parts"),
            entry=named["entry"],
            folder=named["folder"],
            readable=several("readable"),
            paths=several("paths"),
            parent=numbers.pop("parent"),
            answer=numbers.pop("answer"),
            control=numbers.pop("control"),
            numbers=numbers,
        )


def read(descriptor: int, length: int) -> bytes:
    """Exactly `length` bytes.

    Raises:
        EOFError: there are fewer.
    """
    found = bytearray()
    while len(found) < length:
        data = os.read(descriptor, min(length - len(found), 1 << 20))
        if not data:
            raise EOFError(f"{length} bytes were announced, {len(found)} came")
        found += data
    return bytes(found)


def read_all(descriptor: int) -> bytes:
    """All that is left."""
    found = bytearray()
    while data := os.read(descriptor, 1 << 20):
        found += data
    return bytes(found)


def write(descriptor: int, data: bytes | memoryview) -> None:
    """All of `data`."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def tell(descriptor: int, word: str, *texts: str) -> None:
    """One line about the child itself."""
    line = "\t".join((word, *(" ".join(text.split()) for text in texts)))
    write(descriptor, line.encode("utf-8", "replace") + b"\n")


def answering(descriptor: int) -> Callable[[bytes], None]:
    """The function that gives the answer on `descriptor`; it is called once."""
    given = False

    def answer(data: bytes) -> None:
        nonlocal given
        if given:
            raise RuntimeError("the answer is given already")
        given = True
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):  # foreign code may have put anything there
                stream.flush()  # once the host has the answer, it waits for nothing more
        write(descriptor, LENGTH.pack(len(data)))
        write(descriptor, data)

    return answer
