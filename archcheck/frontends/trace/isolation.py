"""The ladder of isolation: what keeps a model's own code in, which rungs this machine has, and what they are called.

Rung 1 is a process with limits, and every machine with POSIX processes has it; rung 2 is landlock, which decides on
files; rung 3 is namespaces, where there are no other files, processes and networks at all. Each comes with those below
that the machine has, and with a filter of system calls (seccomp) where there is one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import archcheck
from archcheck.frontends.trace.child.channel import (
    BOOTSTRAP,
    CONFINED,
    LANDLOCK,
    NAMESPACES,
    REFUSED,
    SECCOMP,
    Plan,
)

PROCESS = "process"
NAMES = {1: PROCESS, 2: LANDLOCK, 3: NAMESPACES}  # what the rungs stand on
HIGHEST = max(NAMES)

_MEANS = {
    1: "a process with limits on time, memory and files, without the environment's variables",
    2: "it reads the interpreter and the audited files alone, and writes to a temporary folder",
    3: "there are no other files, no other processes and no network",
}
_PATIENCE = 20  # seconds for a child that only confines itself


@dataclass(frozen=True, slots=True)
class Rung:
    """One rung of the ladder on this machine.

    Args:
        number: 1 to 3.
        name: what it adds to the one below.
        means: in a sentence, what code on it is kept to.
        works: whether this machine has it.
        why: why not, or "".
        parts: all that is in force on it here.
    """

    number: int
    name: str
    means: str
    works: bool
    why: str = ""
    parts: tuple[str, ...] = ()


def parts_for(number: int, missing: Collection[str] = ()) -> tuple[str, ...]:
    """What is asked for to reach rung `number`, save what is known to be missing."""
    if sys.platform != "linux":
        return ()
    wanted = {1: (SECCOMP,), 2: (LANDLOCK, SECCOMP), 3: (LANDLOCK, NAMESPACES, SECCOMP)}[number]
    return tuple(part for part in wanted if part not in missing)


def rung_of(parts: Collection[str]) -> int:
    """The rung that these parts make."""
    return 3 if NAMESPACES in parts else 2 if LANDLOCK in parts else 1


def title(parts: Collection[str]) -> str:
    """How a report names them: `process+landlock+namespaces+seccomp`."""
    return "+".join((PROCESS, *parts))


@cache
def available(python: Path = Path(sys.executable)) -> tuple[Rung, ...]:
    """Each rung, and whether this machine has it, found out by climbing it in a child that does nothing else."""
    found = []
    missing: dict[str, str] = {}
    for number, name in NAMES.items():
        while True:
            parts = parts_for(number, missing)
            refused = _try(python, parts)
            if refused is None or refused[0] not in parts:
                break
            missing[refused[0]] = refused[1]
        works = refused is None and rung_of(parts) >= number
        why = "" if works else refused[1] if refused else missing.get(name, f"{sys.platform} does not have it")
        found.append(Rung(number, name, _MEANS[number], works, why, (PROCESS, *parts) if works else ()))
    return tuple(found)


def command(python: Path) -> list[str]:
    """How the child is started; it reads a plan from its standard input.

    As `-I`, but for one thing: the variables that `environment` sets for Python are heeded. With `-S` the environment's
    `.pth` files and `sitecustomize` wait until the child is confined.
    """
    program = os.path.abspath(python)  # links stay: by its place an interpreter knows its environment
    return [program, "-s", "-S", "-B", "-c", BOOTSTRAP, str(Path(archcheck.__file__).resolve().parents[1])]


def environment(folder: str) -> dict[str, str]:
    """All variables that foreign code sees: none of the host's own, and the same on every machine.

    Args:
        folder: the temporary folder.
    """
    threads = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "RAYON")
    return {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "HOME": folder,
        "TMPDIR": folder,
        "USER": "archcheck",
        "LOGNAME": "archcheck",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONNOUSERSITE": "1",
        "PYTHONSAFEPATH": "1",
        **{f"{name}_NUM_THREADS": "1" for name in threads},
        "VECLIB_MAXIMUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "CUDA_VISIBLE_DEVICES": "",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
    }


def _try(python: Path, parts: tuple[str, ...]) -> tuple[str, str] | None:
    """What is missing and why, when a child confines itself with these parts; None when nothing is."""
    with tempfile.TemporaryDirectory(prefix="archcheck-trace-") as folder:
        place = os.path.realpath(folder)
        plan = Plan(
            parts=parts,
            entry="",
            folder=place,
            readable=(),
            paths=(),
            parent=os.getpid(),
            answer=1,
            control=1,
            numbers={
                "wall": _PATIENCE, "cpu": _PATIENCE, "memory": 4 << 30, "file_size": 1 << 20,
                "processes": 64, "open_files": 64,
            },
        )  # fmt: skip
        try:
            done = subprocess.run(
                command(python),
                input=plan.encode(),
                capture_output=True,
                cwd=place,
                env=environment(place),
                start_new_session=True,
                timeout=_PATIENCE,
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as error:
            return PROCESS, f"{python} cannot be started: {error}"
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        word, *texts = line.split("\t")
        if word == CONFINED:
            return None
        if word == REFUSED and len(texts) == 2:
            return texts[0], texts[1]
    last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
    return PROCESS, last or f"the child ended with exit code {done.returncode}"
