"""A file of TensorFlow Lite read as a graph, beside walking its tables.

    python -m tests.benchmarks.bench_tflite [--check]

The model is an encoder of 12 layers as the converter writes it: norms spelled out, maps of tokens with weights of the
real sizes. Bar: at most 4 times what it takes to walk every operator, tensor and option of it by the reader's own
walker; passes are not run in either. How long the file's bytes take to be read from a warm disk is told beside it.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "frontends" / "tflite_model"))

from lite_files import Lite, model

from archcheck.frontends.static.library import Library
from archcheck.frontends.tflite_model import schema
from archcheck.frontends.tflite_model.model import parsed
from archcheck.frontends.tflite_model.reader import load
from tests.benchmarks.harness import Bar, finish, parser

MOST = 4.0
LAYERS, WIDTH, HEADS, LENGTH = 12, 256, 4, 128


def encoder() -> bytes:
    """The file."""
    lite = Lite(x=(-1, LENGTH, WIDTH))
    plain = (-1, LENGTH, WIDTH)
    axis, eps = lite.ints("axis", [-1]), lite.held("eps", (), [1e-5])
    split = lite.ints("split", [-1, LENGTH, HEADS, WIDTH // HEADS])
    turned, joined = lite.ints("turned", [0, 2, 1, 3]), lite.ints("joined", [-1, LENGTH, WIDTH])

    def weights(name: str, rows: int, columns: int) -> str:
        lite.buffers.append({schema.BUFFER_DATA: bytes(4 * rows * columns)})
        lite.tensor(name, (rows, columns), buffer=len(lite.buffers) - 1)
        return name

    def mapped(name: str, given: str, rows: int, columns: int) -> str:
        beside = (weights(f"{name}/w", rows, columns), lite.held(f"{name}/b", (rows,)))
        return lite.op("FULLY_CONNECTED", given, *beside, keep_dims=True, shape=(-1, LENGTH, rows))

    def norm(name: str, given: str) -> str:
        mean = lite.op("MEAN", given, axis, keep_dims=True, shape=(-1, LENGTH, 1))
        spread = lite.op("SQUARED_DIFFERENCE", given, mean, shape=plain)
        inverse = lite.op("RSQRT", lite.op("ADD", lite.op("MEAN", spread, axis, keep_dims=True), eps))
        scaled = lite.op("MUL", inverse, lite.held(f"{name}/g", (WIDTH,)))
        shift = lite.op("SUB", lite.held(f"{name}/c", (WIDTH,)), lite.op("MUL", mean, scaled))
        return lite.op("ADD", lite.op("MUL", given, scaled), shift, shape=plain)

    x = "x"
    for at in range(LAYERS):
        q, k, v = (
            lite.op("TRANSPOSE", lite.op("RESHAPE", mapped(f"{at}/{one}", x, WIDTH, WIDTH), split), turned)
            for one in "qkv"
        )
        scores = lite.op("SOFTMAX", lite.op("BATCH_MATMUL", q, k, adj_y=True), beta=1.0)
        seen = lite.op("RESHAPE", lite.op("TRANSPOSE", lite.op("BATCH_MATMUL", scores, v), turned), joined, shape=plain)
        x = norm(f"{at}/1", lite.op("ADD", x, mapped(f"{at}/o", seen, WIDTH, WIDTH), shape=plain))
        wide = lite.op("GELU", mapped(f"{at}/up", x, 4 * WIDTH, WIDTH), approximate=False)
        x = norm(f"{at}/2", lite.op("ADD", x, mapped(f"{at}/down", wide, WIDTH, 4 * WIDTH), shape=plain))
    return model(lite, x)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> int:
    """Measure and print; the exit code."""
    options = parser("reading a file of TensorFlow Lite against walking its tables", runs=5).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "encoder.tflite"
        path.write_bytes(encoder())
        walking, reading = [], []
        for _ in range(options.runs + 1):
            walking.append(seconds(lambda: parsed(path, "encoder")))
            reading.append(seconds(lambda: load(path, Library([]), "encoder", training=False)))
        one, other = (statistics.median(times[1:]) for times in (walking, reading))  # the first fills caches
        size, warm = path.stat().st_size, seconds(path.read_bytes)
        count = len(parsed(path, "encoder").graphs[0].operators)
        print(f"{size / 1024**2:.1f} MiB, {count:,} operators: walked in {one:.3f} s, read in {other:.3f} s")
        print(f"its bytes are read in {warm:.4f} s")
    return finish([Bar("reading a file of TensorFlow Lite against walking it", other / one, MOST)], check=options.check)


if __name__ == "__main__":
    raise SystemExit(main())
