"""What all benchmarks share: child processes timed from start to end, baselines in the same run, bars as ratios.

Times on a shared machine mean little by themselves. Every bar is therefore a ratio of medians of runs that alternate
with those of its baseline, and `--check` compares that ratio alone (wall-clock bars apart, which a user feels).

A process starts as an installed program does: with bytecode at hand. It is kept in a folder of the benchmark's own,
which one run that does not count fills, so that nothing is written beside the sources and the environment's habits do
not matter.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ARCHCHECK = (sys.executable, "-c", "from archcheck.cli.entry import main; main()")
FAILED = 2  # the exit code of `archcheck` that no benchmark may take for an answer


@dataclass(frozen=True)
class Cost:
    """What one process took, in seconds: of all its threads and children, and by the clock."""

    cpu: float
    wall: float


@dataclass(frozen=True)
class Bar:
    """A figure and the most that it may be."""

    name: str
    value: float
    most: float
    unit: str = "x"

    @property
    def missed(self) -> bool:
        return self.value > self.most

    def __str__(self) -> str:
        verdict = "MISSED" if self.missed else "met"
        return f"{self.name}: {self.value:.3g} {self.unit} (bar: at most {self.most:g} {self.unit}) {verdict}"


class Bench:
    """One benchmark's processes.

    Args:
        folder: where bytecode is kept.
    """

    def __init__(self, folder: Path) -> None:
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "COV"))}
        self.environment |= {"PYTHONPYCACHEPREFIX": str(folder), "NO_COLOR": "1"}

    def once(self, command: Sequence[str], extra: Mapping[str, str] | None = None) -> Cost:
        """The cost of running `command` to its end.

        Raises:
            RuntimeError: it failed; its own words follow.
        """
        from time import perf_counter

        with tempfile.TemporaryFile() as errors:
            start = perf_counter()
            environment = {**self.environment, **(extra or {})}
            child = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=errors)
            _, status, usage = os.wait4(child.pid, 0)
            wall = perf_counter() - start
            child.returncode = os.waitstatus_to_exitcode(status)
            if child.returncode < 0 or child.returncode == FAILED or (child.returncode and command[:3] != ARCHCHECK):
                errors.seek(0)
                words = errors.read().decode("utf-8", "replace")[-2000:]
                raise RuntimeError(f"{' '.join(command)} ended with {child.returncode}:\n{words}")
        return Cost(usage.ru_utime + usage.ru_stime, wall)

    def medians(self, commands: Mapping[str, Sequence[str]], runs: int) -> dict[str, Cost]:
        """The median cost of each command over `runs` rounds, in each of which every command runs once."""
        for command in commands.values():
            self.once(command)  # writes bytecode, and brings files into the system's cache
        found: dict[str, list[Cost]] = {name: [] for name in commands}
        for _ in range(runs):
            for name, command in commands.items():
                found[name].append(self.once(command))
        return {name: median(costs) for name, costs in found.items()}


def median(costs: Sequence[Cost]) -> Cost:
    """The medians of CPU and wall time."""
    return Cost(statistics.median(cost.cpu for cost in costs), statistics.median(cost.wall for cost in costs))


@contextmanager
def bench() -> Iterator[Bench]:
    """A `Bench` with a folder for bytecode that is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="archcheck-bench-") as folder:
        yield Bench(Path(folder))


def parser(text: str, *, runs: int) -> argparse.ArgumentParser:
    """The options that all benchmarks take."""
    found = argparse.ArgumentParser(description=text)
    found.add_argument("--runs", type=int, default=runs, help=f"rounds whose medians count (default {runs})")
    found.add_argument("--check", action="store_true", help="exit with 1 if a bar is missed")
    return found


def finish(bars: Sequence[Bar], *, check: bool) -> int:
    """Print the bars; the exit code."""
    print()
    for bar in bars:
        print(bar)
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    if load > 1.2:
        print(f"note: {load:.1f} processes wait for each core; wall-clock figures mean little now")
    return int(check and any(bar.missed for bar in bars))


def audit(target: str, spec: str, *options: str) -> tuple[str, ...]:
    """The command line of an audit."""
    return (*ARCHCHECK, "audit", target, "--spec", spec, *options)
