"""Files that somebody made to do harm end in one clear error, or in a graph; nothing else happens."""

from __future__ import annotations

import ast
import struct
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest
from lite_files import Lite, Many, Of, flat, lines, model, only, raw, signature

from archcheck import pipeline
from archcheck.errors import TargetError
from archcheck.frontends.tensorflow_graph import building
from archcheck.frontends.tflite_model import flat as limits
from archcheck.frontends.tflite_model import model as models
from archcheck.frontends.tflite_model import schema
from archcheck.sweep import Request


def dense() -> Lite:
    lite = Lite(x=(-1, 7, 16))
    lite.held("w", (4, 16))
    lite.held("b", (4,))
    lite.op("FULLY_CONNECTED", "x", "w", "b", out="m", keep_dims=True, activation=1, shape=(-1, 7, 4))
    lite.ints("s", (-1, 28))
    lite.op("RESHAPE", "m", "s", out="y")
    return lite


DENSE = model(dense(), "y", signatures=[signature("serving_default", {"x": 0}, {"y": 0})])


def message(data: bytes, folder: Path) -> str:
    with pytest.raises(TargetError) as error:
        raw(data, folder)
    return str(error.value)


def test_nothing_but_the_standard_library_is_imported() -> None:
    import archcheck.frontends.tflite_model as package

    for source in Path(package.__file__).parent.glob("*.py"):
        for one in ast.walk(ast.parse(source.read_text())):
            names = [alias.name for alias in one.names] if isinstance(one, ast.Import) else []
            names += [one.module or ""] if isinstance(one, ast.ImportFrom) else []
            assert not any(name.split(".")[0] in ("tensorflow", "tflite", "flatbuffers", "numpy") for name in names)


@pytest.mark.parametrize(
    "data",
    [b"", b"TFL3", b"not a model", b"\0" * 64, b"\x1c\0\0\0TFL2" + b"\0" * 32, b"\xff\xff\xff\xffTFL3", DENSE[:8]],
)
def test_what_is_no_model_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(data)
    with pytest.raises(TargetError, match="no model of TensorFlow Lite that can be read") as error:
        pipeline.load_target(Request(str(path)))
    assert str(error.value).startswith(str(path))


def test_every_cut_is_an_error_or_a_graph(tmp_path: Path) -> None:
    refused = 0
    for end in range(len(DENSE)):
        try:
            raw(DENSE[:end], tmp_path)
        except TargetError:
            refused += 1
    assert refused > len(DENSE) - 16


def test_every_flipped_byte_is_an_error_or_a_graph(tmp_path: Path) -> None:
    changed = bytearray(DENSE)
    for at in range(len(DENSE)):
        for bit in (1, 128):
            changed[at] ^= bit
            with suppress(TargetError):
                raw(bytes(changed), tmp_path)
            changed[at] ^= bit


def test_places_outside_of_the_file_are_refused(tmp_path: Path) -> None:
    for at in range(0, len(DENSE) - 3, 4):
        for value in (0x7FFFFFFF, 0xFFFFFFF0):
            with suppress(TargetError):
                raw(DENSE[:at] + struct.pack("<I", value) + DENSE[at + 4 :], tmp_path)


def test_a_table_that_lies_in_itself_is_refused(tmp_path: Path) -> None:
    """A list of places, each of which is the list's own table."""
    lite = dense()
    table = lite.table([("ADD", "")], ["y"])
    data = flat(
        {
            schema.MODEL_VERSION: Of("I", 3),
            schema.MODEL_CODES: Many("", [{}]),
            schema.MODEL_GRAPHS: Many("", [table] * 50),
        }
    )
    assert message(data, tmp_path)


def test_other_versions_are_refused(tmp_path: Path) -> None:
    assert "version 2 of the format" in message(model(dense(), "y", version=2), tmp_path)


def test_counts_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_LIST", 20)
    lite = Lite(x=(-1, 16))
    for at in range(30):
        lite.op("RELU", "x", out=f"n{at}")
    assert "a list of 31 entries" in message(model(lite, "n29"), tmp_path)
    monkeypatch.setattr(limits, "MAX_PARTS", 100)
    assert "more than 100 parts" in message(DENSE, tmp_path)


def test_operators_are_counted_before_they_are_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "MAX_NODES", 20)
    lite = Lite(x=(-1, 16))
    for at in range(30):
        lite.op("RELU", "x", out=f"n{at}")
    assert "more than 20 operators" in message(model(lite, "n29"), tmp_path)


def test_a_graph_in_a_circle_is_refused(tmp_path: Path) -> None:
    lite = Lite(x=(-1, 16))
    lite.tensor("b", (-1, 16))
    lite.op("ADD", "x", "b", out="a")
    lite.op("RELU", "a", out="c")
    lite.operators[-1][1][schema.OPERATOR_OUTPUTS] = Many("i", [lite.places["b"]])
    assert '"b" is read, and nothing before gives it' in message(model(lite, "b"), tmp_path)


def test_a_tensor_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    lite = Lite(x=(-1, 16))
    for _ in range(2):
        lite.op("RELU", "x", out="y")
        lite.operators[-1][1][schema.OPERATOR_OUTPUTS] = Many("i", [1])
    assert '"y" is given twice' in message(model(lite, "y"), tmp_path)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    lite = dense()
    lite.operators[0][1][schema.OPERATOR_INPUTS] = Many("i", [0, 99, -1])
    assert "tensor 99 is read or given, and there are" in message(model(lite, "y"), tmp_path)
    lite = dense()
    lite.tensors[1][schema.TENSOR_BUFFER] = Of("I", 77)
    assert "buffer 77" in message(model(lite, "y"), tmp_path)
    lite = Lite(x=(-1, 16))
    lite.op("CALL", "x", out="y", graph=9)
    assert "calls a graph that is not there: 9" in message(model(lite, "y"), tmp_path)
    assert "names graph 7" in message(model(dense(), "y", signatures=[signature("a", {}, {}, graph=7)]), tmp_path)


def test_graphs_that_run_themselves_or_each_other_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lite = Lite(x=(-1, 16))
    lite.op("CALL", "x", out="y", graph=0)
    assert "runs itself" in message(model(lite, "y"), tmp_path)
    monkeypatch.setattr(building, "MAX_NODES", 2_000)
    others = []
    for depth in range(8):
        inner, last = Lite(a=(-1, 16)), "a"
        for _ in range(10):
            last = inner.op("CALL", last, graph=depth + 2) if depth < 7 else inner.op("TANH", last)
        others.append((inner, [last]))
    lite = Lite(x=(-1, 16))
    lite.op("CALL", "x", out="y", graph=1)
    assert "more than 2,000 nodes" in message(model(lite, "y", others=others), tmp_path)


def test_sizes_that_no_tensor_has_are_refused_or_not_followed(tmp_path: Path) -> None:
    lite = dense()
    lite.tensors[1][schema.TENSOR_SHAPE] = Many("i", [-4, 16])
    assert "sizes that no tensor has" in message(model(lite, "y"), tmp_path)
    lite = dense()
    lite.tensors[1][schema.TENSOR_SHAPE] = Many("i", [2**31 - 1] * 15)
    assert lines(raw(model(lite, "y"), tmp_path))
    lite = dense()
    lite.tensors[1][schema.TENSOR_SHAPE] = Many("i", [1] * 99)
    assert "a list of 99 entries" in message(model(lite, "y"), tmp_path)


def test_a_count_of_results_that_none_has_is_refused(tmp_path: Path) -> None:
    lite = Lite(x=(-1, 16))
    parts = lite.op("UNPACK", "x", count=2**31 - 1, axis=0)
    assert lines(raw(model(lite, parts), tmp_path))[0].startswith("opaque")


def test_names_with_markup_stay_names(tmp_path: Path) -> None:
    lite = Lite(x=(-1, 7, 16))
    lite.held("w", (16, 16), called="<script>[red]\x1b[31m\u202e/../../etc/w:0;<b>")
    found = raw(model(lite, lite.op("FULLY_CONNECTED", "x", "w", keep_dims=True)), tmp_path)
    assert only(found, "parameter").attr("name") == "_script__red___31m_.......etc.w_0"
    lite = Lite(x=(-1, 7, 16))
    found = raw(model(lite, lite.op("CUSTOM", "x", custom="<script>\x1b/\u202eop" * 40)), tmp_path)
    assert str(only(found, "opaque").attr("name")).replace("_", "").isidentifier() is False
    assert not set("<>\x1b\u202e/") & set(str(only(found, "opaque").attr("name")))


def test_many_equal_names_are_told_apart_in_time(tmp_path: Path) -> None:
    lite = Lite(x=(-1, 16))
    last = "x"
    for at in range(3_000):
        last = lite.op("RELU", last, out=f"n{at}", kinds={"called": "a"})
    assert len(lines(raw(model(lite, last), tmp_path))) == 3_000


def test_weights_are_not_read(tmp_path: Path) -> None:
    """Of 32 MiB of weights, less than 4 MiB come into memory."""
    lite = Lite(x=(-1, 16))
    lite.tensor("w", (524_288, 16), buffer=1)
    lite.buffers.append({schema.BUFFER_DATA: bytes(2**25)})
    path = tmp_path / "model.tflite"
    path.write_bytes(model(lite, lite.op("FULLY_CONNECTED", "x", "w")))
    pipeline.load_target(Request(str(path)))  # what is loaded once
    tracemalloc.start()
    pipeline.load_target(Request(str(path)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 1024**2


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(DENSE)
    (tmp_path / "model.tflite").symlink_to(tmp_path / "other")
    with pytest.raises(TargetError, match="cannot read the file"):
        pipeline.load_target(Request(str(tmp_path / "model.tflite")))
