"""Depth: DeepNet's encoder of 10 to 10,000 layers held against the paper.

    python -m tests.benchmarks.bench_depth [--check]

Bar: 1,000 layers in at most 6 times the time of 100, each a whole process.
"""

from __future__ import annotations

import sys
from itertools import pairwise
from math import log

from tests.benchmarks.harness import ROOT, Bar, audit, bench, finish, parser

MOST = 6.0
BLOCK = "wang2022#encoder_only_layer"
DEPTHS = (10, 100, 1_000, 10_000)


def main() -> int:
    """Measure and print; the exit code."""
    arguments = parser("models of many layers", runs=5)
    arguments.add_argument("--depths", type=int, nargs="+", default=DEPTHS, help="numbers of layers")
    options = arguments.parse_args()
    model = ROOT / "tests/benchmarks/deepnet.py"
    depths = sorted({100, 1_000, *options.depths})
    commands = {
        depth: audit(f"{model}:Encoder", BLOCK, "--arg", f"layers={depth}", "--size", f"N={depth}") for depth in depths
    }
    with bench() as timer:
        shallow = {str(depth): command for depth, command in commands.items() if depth <= 1_000}
        costs = timer.medians(shallow, options.runs)
        costs |= {str(depth): timer.once(command) for depth, command in commands.items() if depth > 1_000}
    print(f"{'layers':>7}{'CPU':>9}{'wall':>10}{'growth':>8}  (exponent between two depths, of CPU time)")
    exponents = [None] + [
        log(costs[str(more)].cpu / costs[str(fewer)].cpu) / log(more / fewer) for fewer, more in pairwise(depths)
    ]
    for depth, exponent in zip(depths, exponents, strict=True):
        cost = costs[str(depth)]
        print(f"{depth:7,}{cost.cpu:8.3f}s{cost.wall:9.3f}s{'' if exponent is None else f'{exponent:8.2f}'}")
    hundred, thousand = costs["100"], costs["1000"]
    bars = [
        Bar("1,000 layers / 100 layers, wall", thousand.wall / hundred.wall, MOST),
        Bar("1,000 layers / 100 layers, CPU", thousand.cpu / hundred.cpu, MOST),
    ]
    return finish(bars, check=options.check)


if __name__ == "__main__":
    sys.exit(main())
