"""Results kept between runs: model folders of transformers, warm; and how reading grows with depth.

    python -m tests.benchmarks.bench_kept [--check]

The baseline of a warm run is reading and hashing, in the same process, every file on which the results depend. The bar
is twice that. A model of the same package is then read with 24 to 384 layers: CPU time per layer must not grow.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from time import process_time
from unittest.mock import patch

from archcheck import pipeline
from archcheck.frontends.static.reader import read
from archcheck.frontends.targets import Target, TargetRef, parse_target, resolve
from archcheck.store import Store, tool
from archcheck.sweep import Progress, Request
from tests.benchmarks.harness import Bar, finish, parser
from tests.packages import unpacked

RELEASE = "transformers==5.23.0"
WARM, PER_LAYER = 2.0, 1.5
DEPTHS = (24, 24, 96, 192, 384)
MODELS = ("bart", "bert", "deberta", "gemma2", "gpt2", "llama", "mistral", "opt", "t5", "vit", "whisper")


def warm() -> tuple[float, float, float, int]:
    """CPU seconds of surveys of model folders, cold; of the same surveys again; and of reading and hashing the files on
    which each depends; and how many these are."""
    tool()  # what archcheck itself is is digested once for a process
    with tempfile.TemporaryDirectory() as kept:
        cold, _ = _surveys(Path(kept))
        again, files = _surveys(Path(kept))
    start = process_time()
    for file in files:
        hashlib.sha256(Path(file).read_bytes()).hexdigest()
    return cold, again, process_time() - start, len(files)


def _surveys(kept: Path) -> tuple[float, list[str]]:
    """CPU seconds, from the target as it is typed to the entries; and the files on which the results depend."""
    seconds, files = 0.0, []
    for model in MODELS:
        targets: list[Target] = []

        def remembered(ref: TargetRef, progress: Progress, targets: list[Target] = targets) -> Target:
            targets.append(resolve(ref, progress=progress))
            return targets[0]

        with patch.object(pipeline, "resolve", remembered):
            start = process_time()
            folder = unpacked(RELEASE) / "transformers" / "models" / model
            pipeline.survey(Request(str(folder), explore=False), store=Store(kept))
            seconds += process_time() - start
        files += sorted(targets[0].library.footprint.digests)
    return seconds, files


def growth() -> list[tuple[int, float]]:
    """Layers of a model, and CPU seconds for reading one more of them; the first reading warms up."""
    file = unpacked(RELEASE) / "transformers" / "models" / "llama" / "modeling_llama.py"
    found = []
    for depth in DEPTHS:
        target = resolve(parse_target(f"{file}:LlamaModel"))
        assert target.source is not None
        arguments = {"config": f"LlamaConfig(num_hidden_layers={depth})"}
        start = process_time()
        read(target.library, target.source.module, target.symbol, arguments, explore=False)
        found.append((depth, process_time() - start))
    return [(depth, (seconds - before) / (depth - fewer)) for (fewer, before), (depth, seconds) in pairwise(found[1:])]


def main() -> int:
    """Run the benchmark and print its bars."""
    options = parser("results that are kept, and growth", runs=1).parse_args()
    cold, again, hashed, files = warm()
    print(f"{len(MODELS)} folders, {files} files: cold {cold:.1f} s, warm {again:.2f} s, files hashed {hashed:.2f} s")
    curve = growth()
    print("CPU of one more layer: " + ", ".join(f"{1000 * cost:.2f} ms at {depth}" for depth, cost in curve))
    bars = [
        Bar("warm / reading and hashing the files", again / hashed, WARM),
        Bar("a layer more at 384 layers / at 96", curve[-1][1] / curve[0][1], PER_LAYER),
    ]
    return finish(bars, check=options.check)


if __name__ == "__main__":
    sys.exit(main())
