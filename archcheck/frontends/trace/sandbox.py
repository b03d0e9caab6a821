"""The sandbox, from the host's side: a model's own code runs in a child that can do little, and answers in bytes.

The host starts the child, gives it its request, measures its time, and keeps at most so much of what it says. What it
answers was made by foreign code: whoever reads it checks it as any data from outside.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from archcheck.errors import ArchcheckError
from archcheck.frontends.trace import isolation
from archcheck.frontends.trace.child.channel import CONFINED, ENDED, LENGTH, OUT_OF_MEMORY, REFUSED, Plan
from archcheck.shown import shorten, shown

_MESSAGES = 8 << 10  # bytes of what the child wrote that are kept, the last ones
_CONTROL = 4 << 10  # bytes that the child tells about itself
_LINE = 300  # characters of a line that an error quotes
_CHUNK = 1 << 20
_GRACE = 10  # seconds that the child is given to end what it started, when it is told to

# Events whose workflows run with a repository's secrets, on what others propose.
PRIVILEGED = frozenset({"pull_request_target", "workflow_run", "issue_comment"})
LARGER = "a smaller model is wired the same: give it fewer layers, or smaller sizes"
LATE = f"--timeout gives it longer; {LARGER}"


class TraceError(ArchcheckError):
    """A model's code was not run, or ran and gave no answer."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the code may use.

    Args:
        wall: seconds from start to answer.
        cpu: seconds of computing, of all threads.
        memory: bytes of address space.
        file_size: bytes of one file; in namespaces, of all files together.
        processes: threads in a user namespace of an ordinary user. New processes are refused by seccomp in any case.
        open_files: how many at once.
        output: bytes of the answer.
    """

    wall: float = 120.0
    cpu: int = 120
    memory: int = 16 << 30
    file_size: int = 64 << 20
    processes: int = 256
    open_files: int = 512
    output: int = 256 << 20


@dataclass(frozen=True, slots=True)
class Job:
    """What shall run in the sandbox.

    Args:
        python: interpreter of the environment that holds the model's packages.
        entry: dotted module that has `main(request: bytes, answer: Callable[[bytes], None])`.
        request: what `main` is given.
        readable: files and folders of the audited code, beside the interpreter's own.
        limits: what it may use.
        require: the lowest rung that is accepted.
        paths: folders that modules are imported from, behind the environment's own; they are readable too.
        without: parts of the confinement that are left out though the machine has them: what machines without them do.
    """

    python: Path
    entry: str
    request: bytes
    readable: tuple[Path, ...]
    limits: Limits = Limits()
    require: int = 0
    paths: tuple[Path, ...] = ()
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the code answered.

    Args:
        data: the answer, as untrusted as the code.
        isolation: what the code was kept in by: `process+landlock+namespaces+seccomp`.
        rung: of the ladder, 1 to 3.
        messages: the end of what the code wrote to its standard output and error, ready to be shown.
    """

    data: bytes
    isolation: str
    rung: int
    messages: str


def run(job: Job, progress: Callable[[str], None] = lambda message: None) -> Answer:
    """The answer of `job`, from the highest rung of the ladder that this machine has.

    Nothing that the code started is left when this returns or raises, and no file of it.

    Args:
        job: what to run.
        progress: is told what is going on, about once a second.

    Raises:
        TraceError: the code took too long, used too much, ended without an answer or answered too much; the
            interpreter cannot be started; the machine does not have the required rung; or the code may be a stranger's
            and secrets are at hand.
    """
    if os.name != "posix":
        raise TraceError("code can be run in a sandbox on Linux and macOS only", hint="leave out --trace")
    if (event := os.environ.get("GITHUB_EVENT_NAME", "")) in PRIVILEGED:
        hint = "run it in a workflow on pull_request, which has none of them, or leave out --trace"
        raise TraceError(f"a workflow on {event} holds secrets, and what it checks may be anybody's code", hint=hint)
    missing = dict.fromkeys(job.without, "left out")
    while True:
        parts = isolation.parts_for(isolation.HIGHEST, missing)
        rung = isolation.rung_of(parts)
        if rung < job.require:
            raise _not_isolated(job.require, missing)
        progress("starting the sandbox")
        child = _in_a_folder(job, parts, progress)
        if child.refused is None:
            return Answer(_answer(job, child), isolation.title(parts), rung, child.messages())
        part, why = child.refused
        if part not in parts:
            raise TraceError(f"the sandbox cannot be set up: {why}")
        missing[part] = why


@dataclass(slots=True)
class _Child:
    """What has come from a child until now."""

    limit: int  # bytes of the answer
    answer: bytearray = field(default_factory=bytearray)
    said: bytearray = field(default_factory=bytearray)
    cut: bool = False  # whether it said more
    told: bytearray = field(default_factory=bytearray)
    late: bool = False
    code: int | None = None  # of the process that watches

    @property
    def announced(self) -> int | None:
        """Bytes of the answer that the child says it has."""
        size = LENGTH.size
        return int(LENGTH.unpack(self.answer[:size])[0]) if len(self.answer) >= size else None

    @property
    def too_much(self) -> bool:
        return self.announced is not None and max(self.announced, len(self.answer) - LENGTH.size) > self.limit

    @property
    def complete(self) -> bool:
        return self.announced is not None and len(self.answer) - LENGTH.size >= self.announced

    def line(self, word: str) -> list[str] | None:
        """What stands behind `word` in what the child told about itself."""
        for line in self.told.decode("utf-8", "replace").splitlines():
            first, *rest = line.split("\t")
            if first == word:
                return rest
        return None

    @property
    def refused(self) -> tuple[str, str] | None:
        """The part of the confinement that was not to be had, and why."""
        texts = self.line(REFUSED)
        return (texts[0], texts[1]) if texts and len(texts) == 2 else None

    def say(self, data: bytes) -> None:
        self.said += data
        if len(self.said) > _MESSAGES:
            self.cut = True
            del self.said[:-_MESSAGES]

    def messages(self) -> str:
        """What the child said, at its end, with nothing in it that can steer a terminal."""
        text = ("…" if self.cut else "") + self.said.decode("utf-8", "replace")
        return "\n".join(shown(line) for line in text.replace("\r\n", "\n").rstrip("\n").split("\n"))


def _in_a_folder(job: Job, parts: tuple[str, ...], progress: Callable[[str], None]) -> _Child:
    """Run the job in a folder of its own, which is removed with all that the code put there."""
    outer = os.path.realpath(tempfile.mkdtemp(prefix="archcheck-trace-"))
    folder = os.path.join(outer, "work")
    try:
        os.mkdir(folder, 0o700)
        return _converse(job, parts, folder, progress)
    finally:
        _remove(outer)


def _converse(job: Job, parts: tuple[str, ...], folder: str, progress: Callable[[str], None]) -> _Child:
    limits = job.limits
    child = _Child(limits.output)
    deadline = time.monotonic() + limits.wall
    answer, answer_in = os.pipe()
    control, control_in = os.pipe()
    process: subprocess.Popen[bytes] | None = None
    try:
        plan = Plan(
            parts=parts,
            entry=job.entry,
            folder=folder,
            readable=tuple(os.path.abspath(path) for path in (*job.readable, *job.paths)),
            paths=tuple(os.path.abspath(path) for path in job.paths),
            parent=os.getpid(),
            answer=answer_in,
            control=control_in,
            numbers={
                "wall": int(limits.wall) + 1, "cpu": limits.cpu, "memory": limits.memory,
                "file_size": limits.file_size, "processes": limits.processes, "open_files": limits.open_files,
            },
        )  # fmt: skip
        process = _start(job.python, folder, answer_in, control_in)
        os.close(answer_in)
        os.close(control_in)
        answer_in = control_in = -1
        assert process.stdin is not None
        assert process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(answer, selectors.EVENT_READ, child.answer.extend)
            selector.register(control, selectors.EVENT_READ, child.told.extend)
            selector.register(process.stdout.fileno(), selectors.EVENT_READ, child.say)
            _exchange(selector, child, memoryview(plan.encode() + job.request), process.stdin, deadline, progress)
    finally:
        if process is not None:
            _end(process)
            child.code = process.returncode
            _drain(control, child.told.extend)
            _drain(answer, child.answer.extend)
            if process.stdout is not None:
                _drain(process.stdout.fileno(), child.say)
                process.stdout.close()
            if process.stdin is not None:
                with suppress(OSError):
                    process.stdin.close()
        for descriptor in (answer, control, answer_in, control_in):
            if descriptor >= 0:
                os.close(descriptor)
    return child


def _start(python: Path, folder: str, *descriptors: int) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            isolation.command(python),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            cwd=folder,
            env=isolation.environment(folder),
            pass_fds=descriptors,
            start_new_session=True,
        )
    except OSError as error:
        hint = "name the interpreter of the environment that the model runs in"
        raise TraceError(f"{python} cannot be started: {error.strerror}", hint=hint) from None


def _exchange(
    selector: selectors.BaseSelector,
    child: _Child,
    rest: memoryview,
    to: IO[bytes],
    deadline: float,
    progress: Callable[[str], None],
) -> None:
    """Give the child what it is given, and take what it gives, until it has answered or is not worth waiting for."""
    begin = next_word = time.monotonic()
    os.set_blocking(to.fileno(), False)
    selector.register(to.fileno(), selectors.EVENT_WRITE, None)
    reading = 3
    while reading and not child.complete and not child.too_much and child.line(ENDED) is None:
        now = time.monotonic()
        if now >= deadline:
            child.late = True
            return
        if now >= next_word and child.line(CONFINED) is not None:
            progress(f"running the model's code, {now - begin:.0f} s")
            next_word = now + 1
        for key, _ in selector.select(min(deadline - now, 1.0)):
            if key.data is None:
                with suppress(BlockingIOError):
                    try:
                        rest = rest[os.write(key.fd, rest[:_CHUNK]) :]
                    except BrokenPipeError:
                        rest = rest[:0]  # it reads no more; whether it answers is another matter
                if not rest:
                    selector.unregister(key.fd)
                    to.close()
            elif data := os.read(key.fd, _CHUNK):
                key.data(data)
                if len(child.told) > _CONTROL:
                    return
            else:
                selector.unregister(key.fd)
                reading -= 1


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the child: the process that watches ends all the others before itself."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE)


def _drain(descriptor: int, take: Callable[[bytes], object]) -> None:
    """What a pipe still holds, of which nobody writes the other end any more."""
    os.set_blocking(descriptor, False)
    for _ in range(64):
        with suppress(BlockingIOError):
            data = os.read(descriptor, _CHUNK)
            if data:
                take(data)
                continue
        return


def _remove(outer: str) -> None:
    """Remove a folder whatever is in it: folders are lifted out of each other, so that no depth is too deep."""
    number = 0
    waiting = [outer]
    with suppress(OSError):
        while waiting:
            folder = waiting.pop()
            os.chmod(folder, 0o700)
            with os.scandir(folder) as entries:
                for entry in entries:
                    if not entry.is_dir(follow_symlinks=False):
                        os.unlink(entry.path)
                        continue
                    os.chmod(entry.path, 0o700)
                    number += 1
                    lifted = entry.path if folder == outer else os.path.join(outer, str(number))
                    os.rename(entry.path, lifted)
                    waiting.append(lifted)
            if folder != outer:
                os.rmdir(folder)
        os.rmdir(outer)


def _answer(job: Job, child: _Child) -> bytes:
    """The answer.

    Raises:
        TraceError: there is none.
    """
    limits = job.limits
    if child.too_much:
        raise TraceError(f"the model's code gave more than the {_size(limits.output)} that an answer may have")
    if child.complete:
        return bytes(memoryview(child.answer)[LENGTH.size : LENGTH.size + (child.announced or 0)])
    if child.late:
        raise TraceError(f"the model's code did not end within {limits.wall:g} seconds", hint=LATE)
    messages = child.messages()
    last = shorten(messages.rpartition("\n")[2].strip(), _LINE)
    ended = child.line(ENDED)
    if child.line(CONFINED) is None:
        raise TraceError(f"{job.python} cannot run the sandbox: {last or f'it ended with exit code {child.code}'}")
    if ended is None:
        raise TraceError("the sandbox was ended from outside", hint="the machine may have run out of memory")
    status, seconds = os.waitstatus_to_exitcode(int(ended[0])), float(ended[1])
    if status == -signal.SIGXCPU or (status == -signal.SIGKILL and seconds > limits.cpu - 1):
        raise TraceError(f"the model's code computed for more than {limits.cpu} seconds", hint=LARGER)
    if status == -signal.SIGXFSZ:
        raise TraceError(f"the model's code wrote more than {_size(limits.file_size)} to a file")
    if status == OUT_OF_MEMORY:
        raise TraceError(f"the model's code wanted more than {_size(limits.memory)} of memory", hint=LARGER)
    if status == -signal.SIGKILL:
        hint = "the machine may have run out of memory; " + LARGER
        raise TraceError("the model's code was ended from outside", hint=hint)
    how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with exit code {status}"
    raise TraceError(f"the model's code {how} and gave no answer" + (f": {last}" if last else ""))


def _not_isolated(required: int, missing: dict[str, str]) -> TraceError:
    name = isolation.NAMES.get(required)
    if name is None:
        hint = f"the highest is {isolation.HIGHEST}, {isolation.NAMES[isolation.HIGHEST]}"
        return TraceError(f"there is no rung {required} of isolation", hint=hint)
    why = "; ".join(f"{part}: {reason}" for part, reason in missing.items())
    problem = f"isolation by {name}, rung {required}, is required and not to be had here"
    return TraceError(f"{problem}: {why}" if why else problem, hint="archcheck doctor tells which rungs there are")


def _size(count: int) -> str:
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if count >= unit:
            return f"{count / unit:g} {name}"
    return f"{count} bytes"
