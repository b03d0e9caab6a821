"""Reading: what parsing, evaluating, bringing into canonical form and comparing cost as files and models grow.

    python -m tests.benchmarks.bench_read [--check]

The baseline is `ast.parse` of the files that were touched, whole. Bars: each cost of an op of a deep model is at most
twice that of a model of a tenth of its depth, that is, every stage stays near to linear.
"""

from __future__ import annotations

import ast
import gc
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import process_time
from typing import TypeVar

from archcheck.align import align
from archcheck.frontends.static.library import Library
from archcheck.frontends.static.machine import Machine
from archcheck.frontends.static.reader import read
from archcheck.frontends.targets import parse_target, resolve
from archcheck.ir.graph import OpGraph
from archcheck.passes import canonicalise
from archcheck.pipeline import Side, explain_difference
from tests.benchmarks.harness import ROOT, Bar, finish, parser
from tests.packages import unpacked

MOST = 2.0
DEPTHS = (10, 100, 1_000)
T = TypeVar("T")
MODELS = ("bert", "llama", "t5", "gemma2", "bart", "perceiver")


@dataclass(frozen=True)
class Stages:
    """Seconds of CPU that each stage took, and how much there was to do."""

    evaluate: float
    canonicalise: float
    compare: float
    ops: int
    steps: int


def timed(work: Callable[[], T], runs: int) -> tuple[float, T]:
    """The median CPU time of `work`, and what it gave last."""
    costs = []
    for _ in range(runs):
        gc.collect()
        start = process_time()
        result = work()
        costs.append(process_time() - start)
    return median(costs), result


def counted(work: Callable[[], OpGraph]) -> tuple[OpGraph, int]:
    """What `work` gives, and the steps that the evaluator counted in it."""
    steps = 0
    before = Machine.step

    def step(self: Machine, cost: int = 1) -> None:
        nonlocal steps
        steps += cost
        before(self, cost)

    Machine.step = step  # type: ignore[method-assign]
    try:
        return work(), steps
    finally:
        Machine.step = before  # type: ignore[method-assign]


def stages(text: str, arguments: dict[str, str], runs: int) -> Stages:
    """The cost of each stage for one target."""
    target = resolve(parse_target(text))
    assert target.source is not None
    module = target.source.module

    def evaluate() -> OpGraph:
        return read(target.library, module, target.symbol, arguments, explore=False).variants[0].graph

    _, steps = counted(evaluate)  # also parses what is needed, once
    seconds, graph = timed(evaluate, runs)
    folding, canonical = timed(lambda: canonicalise(graph), runs)
    side = Side(text, canonical, target.library)
    comparing, _ = timed(lambda: explain_difference(side, side, align(canonical, canonical)), runs)
    return Stages(seconds, folding, comparing, sum(1 for _ in graph.walk()), steps)


def parsing(text: str, runs: int) -> tuple[float, float, int]:
    """Seconds of a first reading with all its parsing, of `ast.parse` on the files it touched, and their bytes."""
    readings, baselines, size = [], [], 0
    for _ in range(runs):
        target = resolve(parse_target(text))
        assert target.source is not None
        gc.collect()
        start = process_time()
        read(target.library, target.source.module, target.symbol, {}, explore=False)
        readings.append(process_time() - start)
        sources = _touched(target.library)
        size = sum(len(source) for source in sources)
        start = process_time()
        for source in sources:
            ast.parse(source)
        baselines.append(process_time() - start)
    return median(readings), median(baselines), size


def _touched(library: Library) -> list[str]:
    """The texts of the files whose definitions were looked at: a file keeps its index once it has one."""
    return [source.text for source in library._sources.values() if "index" in vars(source)]


def main() -> int:
    """Measure and print; the exit code."""
    options = parser("the cost of each stage of reading", runs=5).parse_args()
    deepnet = ROOT / "tests/benchmarks/deepnet.py"
    print(f"{'layers':>7}{'ops':>8}{'steps/s':>10}{'ops/s':>8}  us per op: evaluate  canonicalise  compare")
    found: dict[int, Stages] = {}
    for depth in DEPTHS:
        one = found[depth] = stages(f"{deepnet}:Encoder", {"layers": str(depth)}, options.runs)
        print(f"{depth:7,}{one.ops:8,}{one.steps / one.evaluate:10,.0f}{one.ops / one.evaluate:8,.0f}", end="")
        costs = [seconds / one.ops * 1e6 for seconds in (one.evaluate, one.canonicalise, one.compare)]
        print(f"{costs[0]:20.1f}{costs[1]:14.1f}{costs[2]:9.1f}")
    print(f"\n{'first reading of':30}{'KB touched':>12}{'reading':>10}{'ast.parse':>11}{'ratio':>7}")
    package = unpacked("transformers==5.23.0")
    for model in MODELS:
        file = package / f"transformers/models/{model}/modeling_{model}.py"
        reading, baseline, size = parsing(f"{file}:{_model(file)}", max(1, options.runs // 2))
        print(f"{_model(file):30}{size / 1024:12,.0f}{reading:9.3f}s{baseline:10.3f}s{reading / baseline:7.2f}")
    small, large = found[100], found[1_000]
    bars = [
        Bar(f"{stage} an op, 1,000 layers / 100", ratio(large, stage) / ratio(small, stage), MOST)
        for stage in ("evaluate", "canonicalise", "compare")
    ]
    return finish(bars, check=options.check)


def ratio(one: Stages, stage: str) -> float:
    """Seconds of a stage for each op."""
    seconds: float = getattr(one, stage)
    return seconds / one.ops


def _model(file: Path) -> str:
    """The class of the whole model in a file of transformers: the last that ends in `Model`."""
    names = [
        node.name
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name.endswith("Model") and "PreTrained" not in node.name
    ]
    return names[-1]


if __name__ == "__main__":
    sys.exit(main())
