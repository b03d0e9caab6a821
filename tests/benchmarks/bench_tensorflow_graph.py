"""A SavedModel read as a graph, beside parsing its protocol buffer.

    python -m tests.benchmarks.bench_tensorflow_graph [--check]

The model is an encoder of 12 layers, each a function, saved as Keras does it: every layer's function stands in the
file for inference and for training, and beside them is what saving and restoring takes. Bar: at most 2 times what it
takes to parse the whole file by the reader's own parser, every message of it. The time of `protobuf`, where it is
installed with TensorFlow's messages, is told beside it and has no bar: it is compiled.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "frontends" / "tensorflow_graph"))

from tensorflow_graphs import (
    Const,
    Function,
    Type,
    const,
    function,
    given,
    node,
    saved,
    variable,
)

from archcheck.frontends.static.library import Library
from archcheck.frontends.tensorflow_graph import file
from archcheck.frontends.tensorflow_graph.reader import load
from archcheck.frontends.tensorflow_graph.wire import Wire
from tests.benchmarks.harness import Bar, finish, parser

MOST = 2.0
LAYERS, WIDTH, HEADS = 12, 768, 12
WEIGHTS = {
    "q": (WIDTH, HEADS, WIDTH // HEADS), "k": (WIDTH, HEADS, WIDTH // HEADS), "v": (WIDTH, HEADS, WIDTH // HEADS),
    "o": (HEADS, WIDTH // HEADS, WIDTH), "g1": (WIDTH,), "c1": (WIDTH,), "up": (WIDTH, 4 * WIDTH),
    "up_b": (4 * WIDTH,), "down": (4 * WIDTH, WIDTH), "down_b": (WIDTH,), "g2": (WIDTH,), "c2": (WIDTH,),
}  # fmt: skip


def layer(name: str, training: bool) -> bytes:
    """One layer as a function: attention by einsum, norms spelled out, GELU by erfc."""
    nodes: list[bytes] = []
    more = {"T": Type(1), "_output_shapes": [], "_class": "loc:@layer"}

    def add(op: str, *inputs: str, out: str = "output", **attrs: object) -> str:
        at = f"n{len(nodes)}/{op}"
        nodes.append(node(at, op, *inputs, **more, **attrs))
        return f"{at}:{out}:0"

    def number(value: float | list[int]) -> str:
        return add("Const", value=Const(value), dtype=Type(1))

    def weight(one: str) -> str:
        return add("ReadVariableOp", one, out="value")

    def norm(x: str, scale: str, shift: str) -> str:
        mean = add("Mean", x, number([-1]), keep_dims=True)
        square = add("SquaredDifference", x, add("StopGradient", mean), out="z")
        variance = add("Mean", square, number([-1]), keep_dims=True)
        inverse = add("Rsqrt", add("AddV2", variance, number(1e-5), out="z"), out="y")
        scaled = add("Mul", add("Mul", add("Sub", x, mean, out="z"), inverse, out="z"), weight(scale), out="z")
        return add("AddV2", scaled, weight(shift), out="z")

    def drop(x: str) -> str:
        if not training:
            return add("Identity", x)
        scaled = add("Mul", x, number(1 / 0.9), out="z")
        random = add("RandomUniform", add("Shape", x))
        kept = add("GreaterEqual", random, number(0.1), out="z")
        return add("SelectV2", kept, scaled, number(0.0))

    q, k, v = (add("Einsum", "x", weight(one), equation="btd,dnh->btnh") for one in "qkv")
    scores = add("Einsum", add("Mul", q, number(0.125), out="z"), k, equation="btnh,bsnh->bnts")
    weights = add("Softmax", scores, out="softmax")
    joined = add("Einsum", add("Einsum", weights, v, equation="bnts,bsnh->btnh"), weight("o"), equation="btnh,nhd->btd")
    x = norm(add("AddV2", "x", drop(joined), out="z"), "g1", "c1")
    up = add("BiasAdd", add("Einsum", x, weight("up"), equation="btd,df->btf"), weight("up_b"))
    erfc = add("Erfc", add("Mul", add("Neg", up, out="y"), number(0.70710678), out="z"), out="y")
    gelu = add("Mul", add("Mul", number(0.5), up, out="z"), erfc, out="z")
    down = add("BiasAdd", add("Einsum", gelu, weight("down"), equation="btf,fd->btd"), weight("down_b"))
    return function(name, ["x", *WEIGHTS], {"y": norm(add("AddV2", x, drop(down), out="z"), "g2", "c2")}, *nodes)


def encoder() -> bytes:
    """The file."""
    nodes, functions, at = [given("in", -1, -1, WIDTH)], [], "in"
    for place in range(LAYERS):
        held = [f"encoder/layer_{place}/{one}" for one in WEIGHTS]
        nodes += [variable(name, *sizes) for name, sizes in zip(held, WEIGHTS.values(), strict=True)]
        nodes += [node(f"{name}/Read", "ReadVariableOp", name) for name in held]
        for training in (False, True):
            # as a call, and as one that gives its losses too
            functions += [layer(f"layer_{place}_{training}_{copy}", training) for copy in range(2)]
        nodes.append(node(f"call_{place}", "StatefulPartitionedCall", at, *held, f=Function(f"layer_{place}_False_0")))
        at = f"call_{place}"
        saves = [node(f"save_{one}", "SaveV2", *(f"tensor_{two}" for two in range(8))) for one in range(64)]
        functions.append(function(f"save_{place}", ["tensor_0"], {}, *saves))
    nodes.append(const("last", [1]))
    return saved(nodes, {"x": "in:0"}, {"y": f"{at}:0"}, functions)


def parse(data: bytes) -> int:
    """Parse every message of a SavedModel; the count of nodes."""
    wire = Wire(data)
    found = 0
    for part in wire.messages(0, len(data), 2):
        for number, form, at, end in wire.fields(*part):
            if number == 2 and form == 2:
                nodes, functions = file._graph(wire, at, end)
                every = [nodes, *(functions[name].nodes for name in functions)]
                for own in every:
                    for one in own.values():
                        found += bool(list(one.attrs.values())) or 1
    return found


def compiled(data: bytes) -> Callable[[], object] | None:
    """The same by `protobuf`; None where it does not have TensorFlow's messages."""
    try:
        from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
    except ImportError:
        return None
    return lambda: SavedModel.FromString(data)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> int:
    """Measure and print; the exit code."""
    options = parser("reading a SavedModel against parsing it", runs=5).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = encoder()
        count = parse(data)
        (Path(folder) / "saved_model.pb").write_bytes(data)
        parsing, reading = [], []
        for _ in range(options.runs + 1):
            parsing.append(seconds(lambda: parse(data)))
            reading.append(seconds(lambda: load(Path(folder), Library([]), "encoder", training=False)))
        one, other = (statistics.median(times[1:]) for times in (parsing, reading))  # the first fills caches
        print(f"{len(data) / 1024**2:.1f} MiB, {count:,} nodes: parsed in {one:.3f} s, read in {other:.3f} s")
        if (work := compiled(data)) is not None:
            print(f"parsed by protobuf, compiled, in {statistics.median(seconds(work) for _ in range(5)):.4f} s")
    return finish([Bar("reading a SavedModel against parsing it", other / one, MOST)], check=options.check)


if __name__ == "__main__":
    raise SystemExit(main())
