"""What the tests of the sandbox share: machines that lack parts of it, and how an act of `sandbox_hostile` is run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from archcheck.frontends.trace import isolation, sandbox
from archcheck.frontends.trace.child.channel import LANDLOCK, NAMESPACES, SECCOMP
from archcheck.frontends.trace.sandbox import Answer, Job, Limits, TraceError

HERE = Path(__file__).parent
PYTHON = Path(sys.executable)
LINUX = sys.platform == "linux"

MACHINES = {  # by what it lacks, a machine that may be met
    "all of it": (),
    "no seccomp": (SECCOMP,),
    "no landlock": (LANDLOCK,),
    "no namespaces": (NAMESPACES,),
    "landlock alone": (NAMESPACES, SECCOMP),
    "seccomp alone": (NAMESPACES, LANDLOCK),
    "process alone": (NAMESPACES, LANDLOCK, SECCOMP),
}


def parts_here() -> frozenset[str]:
    """What this machine has, beside processes."""
    return frozenset(part for rung in isolation.available(PYTHON) for part in rung.parts[1:])


def job(*acts: list[Any], without: tuple[str, ...] = (), readable: tuple[Path, ...] = (), **limits: Any) -> Job:
    return Job(
        PYTHON,
        "sandbox_hostile",
        json.dumps(acts).encode(),
        readable,
        limits=Limits(**{"wall": 60, "memory": 2 << 30, **limits}),
        paths=(HERE,),
        without=without,
    )


def answer_of(*acts: list[Any], **options: Any) -> Answer:
    return sandbox.run(job(*acts, **options))


def results(*acts: list[Any], **options: Any) -> list[Any]:
    found = json.loads(answer_of(*acts, **options).data)
    assert isinstance(found, list)
    return found


def error_of(*acts: list[Any], **options: Any) -> TraceError:
    with pytest.raises(TraceError) as caught:
        answer_of(*acts, **options)
    return caught.value


def parts_without(without: tuple[str, ...]) -> frozenset[str]:
    return parts_here() - set(without)


def processes_with(marker: str) -> list[int]:
    """Processes whose environment speaks of `marker`, such as the temporary folder of a sandbox."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if marker.encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found
