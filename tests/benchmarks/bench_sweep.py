"""A sweep: every layer class of transformers' modeling files, cold.

    python -m tests.benchmarks.bench_sweep [--check] [--files N] [--models]

The baseline is `ast.parse` of the same files, each timed right before its classes are read, so that a machine that is
slow for a while is slow for both, and without looking for garbage, which would find the reader's. Classes whose names
end in Layer or Block are read; names only choose what is timed; with `--models` it is those that end in Model, for
which 2.5 times as much time and memory is allowed. Bars: CPU time of one process at most three times the baseline,
what a search for one pattern over parsed files costs; its memory at most 250 MB; two processes at least 1.7 times
faster than one; no class longer than 10 s.
"""

from __future__ import annotations

import argparse
import ast
import gc
import json
import resource
import subprocess
import sys
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from archcheck import workers
from archcheck.cli.entry import COLLECTED_AT
from archcheck.describe.description import describe_variants
from archcheck.describe.survey import Entry, entry_of, unread
from archcheck.findings import Undetermined
from archcheck.frontends.targets import parse_target, resolve
from archcheck.pipeline import undetermined
from archcheck.sweep import Request, classes_of, model_of
from tests.benchmarks.harness import ROOT, Bar, finish, parser
from tests.packages import unpacked

RELEASE = "transformers==5.23.0"
LAYERS, MODELS = ("Layer", "Block"), ("Model",)
PARSES, MEGABYTES, FASTER, LONGEST = 3.0, 250.0, 1 / 1.7, 10.0
OF_MODELS = 2.5  # times what is allowed for layers


def sweep(files: int, jobs: int, endings: tuple[str, ...]) -> dict[str, Any]:
    """Read the classes of the first `files` modeling files whose names end so; what that took and gave."""
    folder = unpacked(RELEASE) / "transformers" / "models"
    request = Request(str(folder), explore=False)
    target = resolve(parse_target(request.target))
    chosen = sorted({source.shown for source in target.files if "/modeling_" in source.shown})[:files]
    found = [(s, name) for s, name in classes_of(target) if s.shown in set(chosen) and name.endswith(endings)]

    def work(number: int) -> tuple[Entry | None, float, float]:
        source, name = found[number]
        first = not number or found[number - 1][0] is not source
        parse = parsing(source.path) if first and jobs == 1 else 0.0
        begun = process_time()
        if number and found[number - 1][0].path.parent != source.path.parent:
            target.library.release(found[number - 1][0].path.parent)
        one = model_of(target, source, name, request)
        if isinstance(one, Undetermined):
            entry: Entry | None = unread(one)
        elif one is None:
            entry = None
        else:
            described = describe_variants(one.name, one.reading, one.described, undetermined(one.reading))
            entry = entry_of(one.symbol, one.reading.span, described)
        return entry, process_time() - begun, parse

    start = perf_counter()
    rows = list(workers.each(work, range(len(found)), jobs))
    wall = perf_counter() - start
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    layers = [entry for entry, *_ in rows if entry is not None and not entry.why]
    return {
        "wall": wall,
        "cpu": sum(seconds for _, seconds, _ in rows),
        "parse": sum(parse for *_, parse in rows),
        "megabytes": max(own.ru_maxrss, children.ru_maxrss) / 1024,
        "classes": len(found),
        "layers": len(layers),
        "complete": sum(entry.complete for entry in layers),
        "longest": max(rows, key=lambda row: row[1])[1],
    }


def parsing(file: Path) -> float:
    """CPU seconds of `ast.parse` for a file."""
    gc.disable()
    start = process_time()
    ast.parse(file.read_text(encoding="utf-8"))
    seconds = process_time() - start
    gc.enable()
    return seconds


def _child(options: argparse.Namespace, jobs: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.bench_sweep", "--child", str(jobs)]
    command += ["--files", str(options.files), *(["--models"] if options.models else [])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> int:
    """Run the benchmark and print its bars."""
    options = _options()
    gc.set_threshold(*COLLECTED_AT)  # as the command does
    if options.child:
        print(json.dumps(sweep(options.files, options.child, MODELS if options.models else LAYERS)))
        return 0
    one, two = _child(options, 1), _child(options, 2)
    parse = one["parse"]
    what, allowed = ("model", OF_MODELS * PARSES) if options.models else ("layer", PARSES)
    print(f"{one['classes']} classes, {one['layers']} of them hold a layer, {one['complete']} were read whole")
    print(f"one process: {one['cpu']:.1f} s of CPU, {one['megabytes']:.0f} MB; ast.parse {parse:.1f} s")
    print(f"two processes: {two['wall']:.1f} s by the clock, one: {one['wall']:.1f} s")
    bars = [
        Bar(f"sweep of {what} classes / ast.parse of their files", one["cpu"] / parse, allowed),
        Bar("memory of one process", one["megabytes"], MEGABYTES * (OF_MODELS if options.models else 1), "MB"),
        Bar("two processes / one, by the clock", two["wall"] / one["wall"], FASTER),
        Bar("longest class", one["longest"], LONGEST, "s"),
    ]
    return finish(bars, check=options.check)


def _options() -> argparse.Namespace:
    options = parser("a sweep of transformers' layer classes", runs=1)
    options.add_argument("--files", type=int, default=10_000, help="modeling files at most")
    options.add_argument("--models", action="store_true", help="whole models in the place of layers")
    options.add_argument("--child", type=int, default=0, help=argparse.SUPPRESS)
    return options.parse_args()


if __name__ == "__main__":
    sys.exit(main())
