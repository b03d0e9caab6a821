"""An ONNX file read as a graph, beside parsing its protocol buffer.

    python -m tests.benchmarks.bench_onnx [--check]

The file is an encoder as large as BERT's base model (12 layers, 768 wide), with its weights. Bar: at most 2 times what
`onnx.load` takes without external data. The same graph without weights, which is all parsed and no bytes stepped over,
is told beside it and has no bar.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

from archcheck.frontends.onnx_model.reader import load
from archcheck.frontends.static.library import Library
from tests.benchmarks.harness import Bar, finish, parser

MOST = 2.0
LAYERS, WIDTH = 12, 768


def encoder(path: Path, external: bool) -> None:
    """Write the encoder; `external` leaves the weights to another file, which is not there."""
    nodes, held = [], []

    def weight(name: str, *shape: int) -> str:
        data = numpy.zeros(shape if not external else (0,), dtype="float32")
        told = numpy_helper.from_array(data, name)
        if external:
            told = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape, data_location=TensorProto.EXTERNAL)
            told.external_data.add(key="location", value="weights")
        held.append(told)
        return name

    def add(op: str, *inputs: str, **attributes: object) -> str:
        given = f"v{len(nodes)}"
        nodes.append(helper.make_node(op, list(inputs), [given], **attributes))
        return given

    def linear(at: str, x: str, into: int, out: int) -> str:
        return add("Add", add("MatMul", x, weight(f"{at}.w", into, out)), weight(f"{at}.b", out))

    def norm(at: str, x: str) -> str:
        return add("LayerNormalization", x, weight(f"{at}.g", WIDTH), weight(f"{at}.c", WIDTH), epsilon=1e-12)

    held.append(numpy_helper.from_array(numpy.array([0, 0, 12, 64]), "split"))
    held.append(numpy_helper.from_array(numpy.array([0, 0, WIDTH]), "join"))
    held.append(numpy_helper.from_array(numpy.array(8.0, dtype="float32"), "root"))
    x = "x"
    for layer in range(LAYERS):
        at = f"layers.{layer}"
        q, k, v = (
            add("Transpose", add("Reshape", linear(f"{at}.{one}", x, WIDTH, WIDTH), "split"), perm=perm)
            for one, perm in (("q", [0, 2, 1, 3]), ("k", [0, 2, 3, 1]), ("v", [0, 2, 1, 3]))
        )
        scores = add("Softmax", add("Div", add("MatMul", q, k), "root"), axis=-1)
        joined = add("Reshape", add("Transpose", add("MatMul", scores, v), perm=[0, 2, 1, 3]), "join")
        x = norm(f"{at}.n1", add("Add", x, linear(f"{at}.o", joined, WIDTH, WIDTH)))
        up = add("Gelu", linear(f"{at}.up", x, WIDTH, 4 * WIDTH))
        x = norm(f"{at}.n2", add("Add", x, linear(f"{at}.down", up, 4 * WIDTH, WIDTH)))
    shape = ["batch", "sequence", WIDTH]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    graph = helper.make_graph(
        nodes, "encoder", [given], [helper.make_tensor_value_info(x, TensorProto.FLOAT, shape)], held
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)


def ratio(path: Path, runs: int) -> tuple[float, float, float]:
    """Seconds of parsing and of reading, and the ratio of their medians; the two alternate."""

    def timed(work: Callable[[], object]) -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    parsing, reading = [], []
    for _ in range(runs + 1):
        parsing.append(timed(lambda: onnx.load(path, load_external_data=False)))
        reading.append(timed(lambda: load(path, Library([]), path.name)))
    one, other = (statistics.median(times[1:]) for times in (parsing, reading))  # the first fills caches
    return one, other, other / one


def main() -> int:
    """Measure and print; the exit code."""
    options = parser("reading an ONNX file against parsing it", runs=5).parse_args()
    bars = []
    with tempfile.TemporaryDirectory() as folder:
        for words, external in (("with weights", False), ("without weights", True)):
            path = Path(folder) / "encoder.onnx"
            encoder(path, external)
            parsing, reading, found = ratio(path, options.runs)
            size = path.stat().st_size / 1024**2
            print(f"{words}, {size:.1f} MiB: parsed in {parsing:.4f} s, read in {reading:.4f} s: {found:.2f} x")
            if not external:
                bars.append(Bar("reading an ONNX file against parsing it", found, MOST))
    return finish(bars, check=options.check)


if __name__ == "__main__":
    raise SystemExit(main())
