"""Files that somebody made to do harm end in one clear error, or in a graph; nothing else happens."""

from __future__ import annotations

import ast
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest
from tensorflow_graphs import Const, Function, const, field, function, given, graph, kinds, node, raw, saved, variable

from archcheck import pipeline
from archcheck.errors import TargetError
from archcheck.frontends.tensorflow_graph import building, file, wire
from archcheck.frontends.tensorflow_graph import nodes as limits
from archcheck.sweep import Request

X = given("x", -1, 16)
RELU = node("y", "Relu", "x")
DENSE = function(
    "f", ["a", "w"], {"r": "m:product:0"}, node("k", "ReadVariableOp", "w"), node("m", "MatMul", "a", "k:value:0")
)
CALLED = [X, variable("w", 16, 4), node("y", "PartitionedCall", "x", "w", f=Function("f"))]

SAVED = saved(CALLED, {"x": "x:0"}, {"y": "y:0"}, [DENSE])


def message(data: bytes, folder: Path) -> str:
    with pytest.raises(TargetError) as error:
        raw(data, folder)
    return str(error.value)


def test_nothing_of_tensorflow_or_of_protocol_buffers_is_imported() -> None:
    """Reading takes the standard library alone."""
    import archcheck.frontends.tensorflow_graph as package

    for source in Path(package.__file__).parent.glob("*.py"):
        for one in ast.walk(ast.parse(source.read_text())):
            names = [alias.name for alias in one.names] if isinstance(one, ast.Import) else []
            names += [one.module or ""] if isinstance(one, ast.ImportFrom) else []
            assert not any(name.split(".")[0] in ("tensorflow", "google", "numpy", "keras") for name in names)


@pytest.mark.parametrize(
    "data",
    [b"", b"not a graph", b"\x80\x04.", b"PK\x03\x04", b"\xff" * 64, b"\x08\x01\x12\x0a", b"\x0a" * 99, b"\x08\x01"],
)
def test_what_is_no_graph_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "model.pb"
    path.write_bytes(data)
    with pytest.raises(TargetError) as error:
        pipeline.load_target(Request(str(path)))
    assert str(error.value).startswith(str(path))


@pytest.mark.parametrize("data", [graph(X, RELU), SAVED], ids=["frozen", "saved"])
def test_every_cut_is_an_error_or_a_graph(tmp_path: Path, data: bytes) -> None:
    refused = 0
    for end in range(len(data)):
        try:
            raw(data[:end], tmp_path)
        except TargetError:
            refused += 1
    assert refused > len(data) - 5


@pytest.mark.parametrize(
    "data", [graph(X, const("s", [-1, 4, 4]), node("y", "Reshape", "x", "s")), SAVED], ids=["frozen", "saved"]
)
def test_every_flipped_byte_is_an_error_or_a_graph(tmp_path: Path, data: bytes) -> None:
    changed = bytearray(data)
    for at in range(2, len(data)):
        for bit in (1, 128):
            changed[at] ^= bit
            with suppress(TargetError):
                raw(bytes(changed), tmp_path)
            changed[at] ^= bit


def test_a_graph_in_a_circle_is_refused(tmp_path: Path) -> None:
    circle = [X, node("a", "Add", "x", "b"), node("b", "Relu", "a"), node("y", "Tanh", "b")]
    assert "read each other in a circle" in message(graph(*circle), tmp_path)


def test_a_name_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    assert '"y" is given twice' in message(graph(X, RELU, RELU), tmp_path)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    assert '"z" is read, and nothing gives it' in message(graph(X, node("y", "Relu", "z")), tmp_path)
    assert '"f" is called, and is not in the file' in message(graph(*CALLED), tmp_path)
    assert "no signature" in message(saved([X, RELU], {}, {}, signature="__saved_model_init_op"), tmp_path)
    assert "is no input" in message(graph(X, node("y", "Relu", "x:99999999")), tmp_path)


def test_functions_that_run_themselves_or_each_other_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "MAX_NODES", 2_000)

    def runs(name: str, of: str, times: int = 1) -> bytes:
        body = [
            node(f"n{at}", "PartitionedCall", f"n{at - 1}:output:0" if at else "a", f=Function(of))
            for at in range(times)
        ]
        return function(name, ["a"], {"r": f"n{times - 1}:output:0"}, *body)

    nodes = [X, node("y", "PartitionedCall", "x", f=Function("f0"))]
    assert "runs itself" in message(graph(*nodes, functions=[runs("f0", "f0")]), tmp_path)
    many = [runs(f"f{at}", f"f{at + 1}", 10) for at in range(8)]
    last = function("f8", ["a"], {"r": "t:y:0"}, node("t", "Tanh", "a"))
    assert "more than 2,000 nodes" in message(graph(*nodes, functions=[*many, last]), tmp_path)
    deep = [runs(f"f{at}", f"f{at + 1}") for at in range(limits.MAX_DEPTH + 8)]
    assert "too deep" in message(graph(*nodes, functions=deep), tmp_path)


def test_a_loop_that_doubles_itself_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop in a loop in a loop, of which each goes round as often as is followed."""
    monkeypatch.setattr(building, "MAX_NODES", 2_000)
    functions = []
    for depth in range(4):
        inner = node("v", "StatelessWhile", "one", "a", cond=Function("c"), body=Function(f"b{depth + 1}"))
        body = [const("one", 0), inner] if depth < 3 else [node("v", "Tanh", "a")]
        out = "v:output:1" if depth < 3 else "v:y:0"
        step = [const("step", 1), node("next", "AddV2", "i", "step:output:0")]
        functions.append(function(f"b{depth}", ["i", "a"], {"i2": "next:z:0", "a2": out}, *body, *step))
    functions.append(function("c", ["i", "a"], {"r": "l:z:0"}, const("n", 200), node("l", "Less", "i", "n:output:0")))
    nodes = [X, const("zero", 0), node("y", "StatelessWhile", "zero", "x", cond=Function("c"), body=Function("b0"))]
    assert "more than 2,000 nodes" in message(saved(nodes, {"x": "x"}, {"y": "y:1"}, functions), tmp_path)


def test_sizes_that_no_tensor_has_are_refused_or_not_followed(tmp_path: Path) -> None:
    assert "a shape that no tensor has" in message(graph(X, const("w", [], -4), node("y", "Add", "x", "w")), tmp_path)
    huge = Const([], [2**40, 2**40])
    found = raw(graph(X, node("w", "Const", value=huge), node("y", "Add", "x", "w")), tmp_path)
    assert kinds(found) == ["add"]
    fill = [const("s", [2**30, 2**30]), const("v", 0.0), node("w", "Fill", "s", "v"), node("y", "Add", "x", "w")]
    assert kinds(raw(graph(X, *fill), tmp_path))[-1] == "add"
    power = [const("a", 2), const("b", 2**31 - 1), node("p", "Pow", "a", "b"), node("y", "Add", "x", "p")]
    assert kinds(raw(graph(X, *power), tmp_path))


def test_a_count_of_results_that_none_has_is_refused(tmp_path: Path) -> None:
    assert "does not give as many values" in message(graph(X, RELU, node("z", "Tanh", "y:5000")), tmp_path)
    parts = node("p", "Unpack", "x", num=2**31)
    assert kinds(raw(graph(X, parts, node("y", "Tanh", "p")), tmp_path)) == ["opaque", "tanh"]


def test_many_nodes_are_refused_before_they_are_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "MAX_NODES", 500)
    nodes = [node(f"n{at}", "Relu", f"n{at - 1}" if at else "x") for at in range(501)]
    assert "more than 500 nodes" in message(graph(X, *nodes), tmp_path)


def test_a_file_of_empty_parts_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_FIELDS", 500)
    assert "more than 500 parts" in message(graph(X, RELU) + b"\x1a\x00" * 501, tmp_path)


def test_names_with_markup_stay_names(tmp_path: Path) -> None:
    name = "<script>[red]\x1b[31m/../../etc/w"
    nodes = [X, const(name, None, 16, 4), node("r", "Identity", name), node("y", "MatMul", "x", "r")]
    found = raw(graph(*nodes), tmp_path)
    (learned,) = (op for op in found.ops if op.kind.name == "parameter")
    assert learned.attr("name") == "_script__red___31m.......etc.w"


def test_weights_are_not_read(tmp_path: Path) -> None:
    """Of 32 MiB of weights, less than 4 MiB come into memory."""
    path = tmp_path / "model.pb"
    nodes = [
        given("x", -1, 16),
        const("w", None, 16, 524_288),
        node("r", "Identity", "w"),
        node("y", "MatMul", "x", "r"),
    ]
    path.write_bytes(graph(*nodes))
    pipeline.load_target(Request(str(path)))  # what is loaded once
    tracemalloc.start()
    pipeline.load_target(Request(str(path)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 1024**2


def test_messages_in_each_other_are_bounded(tmp_path: Path) -> None:
    data = field(8, b"")
    for _ in range(200):
        data = field(1, data)
    assert message(graph(node("y", "Relu")) + field(1, field(5, data)), tmp_path)


def test_a_target_says_what_it_is_not(tmp_path: Path) -> None:
    (tmp_path / "graph.pbtxt").write_text("node {}")
    with pytest.raises(TargetError, match="in a form that this version does not read"):
        pipeline.load_target(Request(str(tmp_path / "graph.pbtxt")))
