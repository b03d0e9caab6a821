"""ONNX files that somebody made to do harm end in one clear error, or in a graph; nothing else happens."""

from __future__ import annotations

import ast
import os
import tracemalloc
from contextlib import suppress
from pathlib import Path

import onnx
import pytest
from graphs import model, node, raw, tensor, value, whole
from onnx import helper

from archcheck import pipeline
from archcheck.errors import TargetError
from archcheck.frontends import skimming
from archcheck.frontends.onnx_model.model import FORM
from archcheck.sweep import Request

X = value("x", 2, 7, 16)
RELU = node("Relu", ["x"], ["y"])


def message(told: object, folder: Path) -> str:
    with pytest.raises(TargetError) as error:
        raw(told, folder)  # type: ignore[arg-type]
    return str(error.value)


@pytest.mark.parametrize(
    "data", [b"", b"not a graph", b"\x80\x04.", b"PK\x03\x04", b"\xff" * 64, b"\x08\x0a", b"\x0a" * 99]
)
def test_what_is_no_graph_is_refused(tmp_path: Path, data: bytes) -> None:
    assert message(data, tmp_path).startswith("model.onnx: ")


def test_every_cut_is_an_error_or_a_graph(tmp_path: Path) -> None:
    data = model([RELU, node("MatMul", ["y", "w"], ["z"])], [X], [tensor("w", 16, 16)], ["z"]).SerializeToString()
    refused = 0
    for end in range(0, len(data), 7):
        try:
            raw(data[:end], tmp_path)
        except TargetError:
            refused += 1
    assert refused > len(data) // 7 - 5


def test_every_flipped_byte_is_an_error_or_a_graph(tmp_path: Path) -> None:
    data = bytearray(
        model([RELU, node("Reshape", ["y", "s"], ["z"])], [X], [whole("s", 0, -1)], ["z"]).SerializeToString()
    )
    for at in range(len(data)):
        for bit in (1, 16, 128):
            data[at] ^= bit
            with suppress(TargetError):
                raw(bytes(data), tmp_path)
            data[at] ^= bit


def test_a_graph_in_a_circle_is_refused(tmp_path: Path) -> None:
    circle = model([node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"])], [X], outputs=["b"])
    assert '"b" is read, and nothing before gives it' in message(circle, tmp_path)


def test_a_name_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    assert '"y" is given twice' in message(model([RELU, RELU], [X]), tmp_path)


def test_functions_that_run_themselves_or_each_other_are_refused(tmp_path: Path) -> None:
    def function(name: str, of: str, times: int = 1) -> object:
        body = [node(of, ["a" if not at else f"t{at}"], [f"t{at + 1}"], domain="m") for at in range(times)]
        return helper.make_function("m", name, ["a"], [f"t{times}"], body, [helper.make_opsetid("m", 1)])

    told = model([node("F", ["x"], ["y"], domain="m")], [X], functions=[function("F", "F")])
    assert "runs itself" in message(told, tmp_path)
    many = [function(f"F{at}", f"F{at + 1}", 10) for at in range(8)]
    told = model([node("F0", ["x"], ["y"], domain="m")], [X], functions=many)
    raw(model([node("F7", ["x"], ["y"], domain="m")], [X], functions=many), tmp_path)  # F8 is no function: opaque
    assert "more than 100,000 nodes" in message(told, tmp_path)


def test_many_nodes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archcheck.frontends.onnx_model.model.MAX_NODES", 5)
    chain = [node("Relu", [f"v{at}" if at else "x"], [f"v{at + 1}"]) for at in range(6)]
    assert "6 nodes; at most 5 are read" in message(model(chain, [X], outputs=["v6"]), tmp_path)


def test_graphs_in_graphs_end(tmp_path: Path) -> None:
    inner = helper.make_graph([RELU], "g", [], [value("y")])
    for _ in range(60):
        inner = helper.make_graph(
            [node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)], "g", [], [value("y")]
        )
        if inner.ByteSize() > 100_000:
            break
    told = helper.make_model(inner)
    told.graph.input.extend([X, helper.make_tensor_value_info("c", 9, [])])
    told.graph.name = "g"
    graph = raw(told, tmp_path)
    assert [op.kind.name for op in graph.ops if op.kind.name == "opaque"] == ["opaque"]


def test_a_graph_without_end_in_depth_is_refused(tmp_path: Path) -> None:
    data = b""
    for _ in range(400):  # node, attribute, graph: each around the one before, made large by a name
        graph = b"\x0a" + _sized(data) if data else b"\x12" + _sized(b"g" * 20_000)
        attribute = b"\x32" + _sized(graph)
        data = b"\x2a" + _sized(attribute)
    told = b"\x08\x0a" + b"\x3a" + _sized(b"\x0a" + _sized(data))
    assert "messages stand in each other" in message(told, tmp_path)


def _sized(data: bytes) -> bytes:
    length, found = len(data), bytearray()
    while length > 0x7F:
        found.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes(found) + bytes([length]) + data


def test_weights_are_not_read(tmp_path: Path) -> None:
    """Of 32 MiB of weights, less than 4 MiB come into memory."""
    told = model([node("MatMul", ["x", "w"], ["y"])], [value("x", 2, 16)], [tensor("w", 16, 524_288)])
    path = tmp_path / "large.onnx"
    path.write_bytes(told.SerializeToString())
    tracemalloc.start()
    found = skimming.skimmed(path, "large.onnx", FORM)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 1024**2
    kept = onnx.ModelProto.FromString(found)
    assert list(kept.graph.initializer[0].dims) == [16, 524_288]
    assert not kept.graph.initializer[0].raw_data


def test_a_tensor_in_another_file_is_not_looked_up(tmp_path: Path) -> None:
    held = tensor("w", 16, 16)
    held.ClearField("raw_data")
    held.data_location = 1
    held.external_data.add(key="location", value="../../etc/passwd")
    graph = raw(model([node("MatMul", ["x", "w"], ["y"])], [X], [held]), tmp_path)
    assert [op.attr("shape") for op in graph.ops if op.kind.name == "parameter"] == [(16, 16)]


def test_sizes_that_no_tensor_has_are_refused(tmp_path: Path) -> None:
    held = tensor("w", 4)
    held.dims[0] = -4
    assert "sizes that no tensor has" in message(model([RELU], [X], [held]), tmp_path)
    held.dims[0] = 2**62
    raw(model([node("Mul", ["x", "w"], ["y"])], [X], [held]), tmp_path)


def test_numbers_that_would_fill_the_memory_are_not_made(tmp_path: Path) -> None:
    nodes = [
        node("ConstantOfShape", ["s"], ["c"]),
        node("Expand", ["one", "s"], ["e"]),
        node("Range", ["z", "big", "o"], ["r"]),
    ]
    nodes += [node("Add", ["c", "e"], ["a"]), node("Add", ["x", "a"], ["y"])]
    scalars = [helper.make_tensor(name, 7, [], [at]) for name, at in (("z", 0), ("big", 2**40), ("o", 1))]
    raw(model(nodes, [X], [whole("s", 2**20, 2**20), whole("one", 1), *scalars]), tmp_path)


def test_names_with_markup_and_control_characters_are_shown_as_text(tmp_path: Path) -> None:
    name = "<script>alert(1)</script>\x1b[31m\u202e"
    nodes = [node("Relu", ["x"], [name], name=f"/{name}/Relu"), node("Odd", [name], ["y"], domain=name, name=name)]
    path = tmp_path / "model.onnx"
    path.write_bytes(model(nodes, [X]).SerializeToString())
    for form in ("dot", "svg", "mmd"):
        try:
            drawn = pipeline.picture(Request(str(path)), None, form)
        except ImportError:
            continue
        assert form == "dot" or b"<script>" not in drawn  # DOT's texts stand in quotes
        assert not {b"\x1b", "\u202e".encode()} & {drawn[at : at + size] for size in (1, 3) for at in range(len(drawn))}


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    with pytest.raises(TargetError, match="not a regular file"):
        pipeline.load_target(Request(str(tmp_path / "pipe.onnx")))


def test_the_frontend_imports_nothing_that_loads(tmp_path: Path) -> None:
    folder = Path(__file__).parents[3] / "archcheck" / "frontends" / "onnx_model"
    for path in folder.glob("*.py"):
        for one in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in one.names] if isinstance(one, ast.Import) else []
            names += [one.module or ""] if isinstance(one, ast.ImportFrom) else []
            assert not {name.partition(".")[0] for name in names} & {"pickle", "torch", "onnxruntime", "importlib"}
            assert not any(name.startswith("onnx.") for name in names)
