"""How long aligning takes and how well it explains: `python -m tests.benchmarks.bench_align [--check]`.

Times are CPU seconds of one process, best of three. Ratios compare, in the same run, with networkx's Weisfeiler-Lehman
hash and with `difflib` on the kinds in program order (whose time grows with the square, so only on 1,000 ops); both say
*that* two graphs differ and not how. With `--check` the command fails where a bar is missed; without, it only prints.
"""

from __future__ import annotations

import argparse
import difflib
import math
import random
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace

import networkx as nx

from archcheck.align import Alignment, align
from archcheck.ir.graph import OpGraph
from archcheck.ir.ops import kind
from tests.align.align_graphs import EDITS, encoder, llama, mutate, without

SIZES = (1_000, 10_000, 100_000)  # ops
MOST_EXPONENT = 1.1
MOST_REPEATED = 1.0  # CPU seconds for 100,000 ops a side where the difference repeats
MOST_FEW = 1.5  # CPU seconds for 100,000 flat ops and five edits
TRIALS = 40


def main() -> int:
    """Print all tables; 1 if a bar is missed and `--check` was given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail where a bar is missed")
    parser.add_argument("--quick", action="store_true", help="only up to 10,000 ops")
    options = parser.parse_args()
    sizes = SIZES[:-1] if options.quick else SIZES
    missed = [*growth(sizes), *quality()]
    baselines()
    for line in missed:
        print("missed:", line)
    return 1 if missed and options.check else 0


def growth(sizes: tuple[int, ...]) -> list[str]:
    """Time against size, for differences that repeat, for few, and where nothing repeats."""
    rng = random.Random(0)
    cases: tuple[tuple[str, Callable[[int], tuple[OpGraph, OpGraph]], float | None], ...] = (
        ("equal, flat", lambda n: (llama(n // 18), llama(n // 18)), MOST_REPEATED),
        ("each dropout missing, flat", lambda n: (llama(n // 18), without(llama(n // 18), "dropout")), MOST_REPEATED),
        ("post-norm against pre-norm", lambda n: (encoder(n // 8, "post"), encoder(n // 8, "pre")), MOST_REPEATED),
        ("five edits, flat", lambda n: (llama(n // 18), mutate(llama(n // 18), EDITS, rng)), MOST_FEW),
        ("five edits, no layer like another", lambda n: unlike(n, rng), None),
    )
    missed = []
    print(f"{'':36}" + "".join(f"{size:>12,}" for size in sizes) + "  exponent  edits")
    for name, make, most in cases:
        times, edits = [], []
        for size in sizes:
            expected, actual = make(size)
            spent, alignment = timed(lambda one=expected, other=actual: align(one, other))  # type: ignore[misc]
            times.append(spent)
            edits.append(len(alignment.edits))
        slope = math.log(times[-1] / times[0]) / math.log(sizes[-1] / sizes[0])
        print(f"{name:36}" + "".join(f"{spent:11.3f}s" for spent in times) + f"{slope:10.2f}  {edits}")
        if slope > MOST_EXPONENT:
            missed.append(f"{name}: exponent {slope:.2f} > {MOST_EXPONENT}")
        if most is not None and times[-1] > most:
            missed.append(f"{name}: {times[-1]:.2f} s > {most} s")
    return missed


def unlike(size: int, rng: random.Random) -> tuple[OpGraph, OpGraph]:
    """Layers with activations chosen at random, so that nothing repeats; the second graph after five edits."""
    choice = random.Random(1)
    names = ("gelu", "relu", "mish", "elu", "selu", "softplus")
    ops = [
        replace(op, kind=kind(choice.choice(names))) if op.kind.name == "silu" else op for op in llama(size // 18).ops
    ]
    graph = OpGraph(tuple(ops))
    return graph, mutate(graph, ("missing", "extra", "replaced", "rewired", "moved"), rng)


def quality() -> list[str]:
    """Edits told of for each edit made, on a graph of 24 layers."""
    missed = []
    graph, rng = llama(24), random.Random(2)
    print(f"\nedits told / made, 24 layers, {TRIALS} trials each")
    for count in (1, 2, 3, 5, 10):
        ratios = []
        for _ in range(TRIALS):
            other = mutate(graph, tuple(rng.choice(EDITS) for _ in range(count)), rng)
            ratios.append(sum(1 + len(edit.also) for edit in align(graph, other).edits) / count)
        median = statistics.median(ratios)
        print(f"{count:>4} made: median {median:.2f}, mean {statistics.mean(ratios):.2f}, worst {max(ratios):.2f}")
        if count <= 5 and median != 1.0:
            missed.append(f"{count} edits: {median} told for each")
    return missed


def baselines() -> None:
    """What two coarser comparisons cost on the same graphs."""
    print("\nratio of CPU time, aligner / baseline")
    for size in (1_000, 10_000):
        expected, actual = llama(size // 18), without(llama(size // 18), "dropout")
        ours, _ = timed(lambda one=expected, other=actual: align(one, other))  # type: ignore[misc]
        runs = (("networkx WL hash, 3 rounds", by_networkx), ("difflib on kinds", by_difflib))
        for name, run in runs[: 2 if size == SIZES[0] else 1]:
            theirs, _ = timed(lambda one=expected, other=actual, run=run: run(one, other), turns=1)  # type: ignore[misc]
            print(f"{size:>8,} ops: {name:28} {ours:.3f} s / {theirs:.3f} s = {ours / theirs:.3f}")


def by_difflib(expected: OpGraph, actual: OpGraph) -> object:
    """Differences in the sequence of kinds."""
    one, other = ([op.kind.name for op in graph.ops] for graph in (expected, actual))
    return difflib.SequenceMatcher(None, one, other, autojunk=False).get_opcodes()


def by_networkx(expected: OpGraph, actual: OpGraph) -> object:
    """Whether the hashes differ."""
    warnings.simplefilter("ignore", UserWarning)  # that hashes differ between versions does not matter here
    return [nx.weisfeiler_lehman_graph_hash(graph_of(graph), node_attr="kind") for graph in (expected, actual)]


def graph_of(graph: OpGraph) -> nx.DiGraph:
    """Ops as nodes, reads as edges."""
    result = nx.DiGraph()
    for op in graph.ops:
        result.add_node(op.path, kind=op.kind.name)
        result.add_edges_from((value.op, op.path) for value in op.reads)
    return result


def timed(run: Callable[[], Alignment], turns: int = 3) -> tuple[float, Alignment]:
    """CPU seconds of the fastest of some turns, and what it gave."""
    best = math.inf
    for _ in range(turns):
        start = time.process_time()
        result = run()
        best = min(best, time.process_time() - start)
    return best, result


if __name__ == "__main__":
    sys.exit(main())
