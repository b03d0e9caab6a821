"""Whatever a file holds, it ends in one clear error within seconds, and nothing of it runs."""

from __future__ import annotations

import os
import pickle
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from programs import Json, block, meta, node, packed, program, tensor

from archcheck.errors import ArchcheckError, TargetError
from archcheck.frontends.targets import parse_target, resolve
from archcheck.frontends.torch_export import archive, parsing
from archcheck.sweep import Read, Request, read_symbol

SECONDS = 10.0  # of a shared machine: alone, each takes less than two


def load(name: str) -> Read:
    target = resolve(parse_target(name))
    return read_symbol(target, "", target.symbol, Request(name))


def refused(data: bytes, name: str = "model.pt2") -> str:
    """What is said about a file."""
    Path(name).write_bytes(data)
    started = time.monotonic()
    with pytest.raises(ArchcheckError) as raised:
        load(name)
    assert time.monotonic() - started < SECONDS
    return str(raised.value)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


GOOD = packed(block())


def changed(change: Callable[[Json], object]) -> bytes:
    told = block()
    change(told)
    return packed(told)


def zipped(*entries: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    with zipfile.ZipFile("made.zip", "w", method) as made:
        for name, data in entries:
            made.writestr(zipfile.ZipInfo(name), data, compress_type=method)
    return Path("made.zip").read_bytes()


def graph(told: Json) -> Json:
    found: Json = told["graph_module"]["graph"]
    return found


class Harm:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch harmed",)


@pytest.mark.parametrize("name", ["model.pt2", "model.pt", "model.ckpt", "model", "model.model"])
def test_a_pickle_is_told_by_its_content_and_never_loaded(name: str) -> None:
    for protocol in (2, 3, 4, 5):
        assert "unpickling it would run code" in refused(pickle.dumps(Harm(), protocol), name)
    data = zipped(("model/data.pkl", pickle.dumps(Harm())), ("model/data/0", b"1234"))
    assert "unpickling it would run code" in refused(data, name)
    assert not Path("harmed").exists()


def test_compiled_programs_are_refused_with_the_way_out() -> None:
    told = refused(zipped(("m/data/aotinductor/model/a.so", b"\x7fELF")))
    assert "compiled code only" in told
    assert "torch.export.save" in told


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    assert "100 times its size" in refused(zipped(("m/models/model.json", b" " * 8_000_000)))
    assert "more than 64 MiB" in refused(zipped(("m/models/model.json", b" " * (archive.MAX_TEXT + 1))))
    many = zipped(*((f"m/{at}", b"") for at in range(archive.MAX_ENTRIES + 1)))
    assert "20,001 entries; at most 20,000" in refused(many)


def test_an_entry_that_unpacks_to_more_than_it_says() -> None:
    data = bytearray(zipped(("m/models/model.json", b" " * 1000)))
    for at in (22, data.index(b"PK\x01\x02") + 24):
        struct.pack_into("<L", data, at, 10)
    assert "is damaged" in refused(bytes(data))


@pytest.mark.parametrize("kept", [3, 30, 500, len(GOOD) - 30, len(GOOD) - 1])
def test_a_file_that_is_cut_off(kept: int) -> None:
    assert refused(GOOD[:kept])


def test_two_readers_would_not_see_two_archives() -> None:
    twice = zipped(("m/models/model.json", b"{}"), ("m/models/model.jsoo", b"{}"), method=zipfile.ZIP_STORED)
    assert "two entries are called" in refused(twice.replace(b"model.jsoo", b"model.json"))
    assert "tells something else than the directory" in refused(GOOD.replace(b"block/models", b"other/models", 1))
    assert "behind its directory" in refused(GOOD + b"more")
    assert "not where it is said to be" in refused(b"PK\x03\x04" + GOOD)
    second = bytearray(zipped(("m/a", b"1"), ("m/models/model.json", b"{}"), method=zipfile.ZIP_STORED))
    struct.pack_into("<L", second, second.rindex(b"PK\x01\x02") + 42, 0)
    assert "overlaps" in refused(bytes(second)) or "directory" in refused(bytes(second))


@pytest.mark.parametrize(
    "name", ["../models/model.json", "/models/model.json", "a\\..\\b.json", "C:/model.json", "a\nb"]
)
def test_names_that_lead_out_of_the_archive(name: str) -> None:
    data = zipped(("m/models/model.json", b"{}"), ("m/" + "x" * (len(name) - 2), b""), method=zipfile.ZIP_STORED)
    placed = data.replace(("m/" + "x" * (len(name) - 2)).encode(), name.encode())
    assert "refused" in refused(placed)


def test_links_pipes_and_folders_are_no_programs() -> None:
    Path("there.pt2").write_bytes(GOOD)
    os.symlink("there.pt2", "link.pt2")
    os.mkfifo("pipe.pt2")
    for name in ("link.pt2", "pipe.pt2"):
        with pytest.raises(TargetError, match=r"cannot read the file|not a regular file"):
            resolve(parse_target(name))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "cannot be read"),
        (b"[]", "no object"),
        (b"{" * 100, "cannot be read"),
        (b'{"a":' * 200_000, "cannot be read"),
        (b"[" * 200_000, "cannot be read"),
        (b'{"schema_version": ' + b"9" * 5000 + b"}", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b'{"schema_version": {"major": 99}}', "version 99"),
        (b'{"schema_version": {"major": 1}}', "save it anew"),
        (b'{"schema_version": {"major": 8}}', "makes no sense"),
    ],
)
def test_text_that_is_no_program(text: bytes, why: str) -> None:
    assert why in refused(packed(text))


def first(told: Json) -> Json:
    """The first argument of the first node."""
    found: Json = graph(told)["nodes"][0]["inputs"][0]
    return found


STRANGE = {"user_input": {"arg": tensor("y")}}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda told: graph(told).update(nodes={}), "dict in the place of a list"),
        (lambda told: graph(told).update(nodes=[None]), "makes no sense"),
        (lambda told: graph(told)["nodes"][0].update(target=7), "int in the place of a text"),
        (lambda told: first(told).update(arg={"as_tensor": {"name": "out"}}), "nothing before"),
        (lambda told: first(told).update(arg={"as_tensor": {"name": "linear"}}), "nothing before"),
        (lambda told: graph(told)["nodes"][1].update(outputs=[tensor("x")]), "is given twice"),
        (lambda told: first(told).update(arg={"as_magic": 1}), "does not know"),
        (lambda told: first(told).update(arg={}), "a union has one key"),
        (lambda told: first(told).update(arg={"as_int": True}), "whole number"),
        (lambda told: graph(told)["tensor_values"]["x"].update(sizes=[{"as_int": 2}] * 100), "100 axes"),
        (lambda told: graph(told)["tensor_values"]["x"].update(sizes=[{"as_int": "2"}]), "whole number"),
        (lambda told: told["graph_module"]["signature"]["input_specs"].append(STRANGE), "nothing before"),
    ],
)
def test_programs_that_make_no_sense(change: Callable[[Json], object], why: str) -> None:
    said = refused(changed(change))
    assert said.startswith("model.pt2: the program makes no sense")
    assert why in said


def test_a_million_nodes_and_graphs_in_each_other() -> None:
    assert "1,000,000 nodes" in refused(packed(program([{}] * 1_000_000, {}, [])))
    inner: Json = {"inputs": [], "outputs": [], "nodes": [], "tensor_values": {}}
    for _ in range(parsing.MAX_GRAPHS + 2):
        held = {"as_graph": {"name": "inner", "graph": inner}}
        one = {"target": "torch.ops.higher_order.cond", "inputs": [{"name": "", "arg": held}], "outputs": []}
        inner = {"inputs": [], "outputs": [], "nodes": [one], "tensor_values": {}}
    told = program([], {}, [])
    told["graph_module"]["graph"] |= inner
    assert "graphs stand in each other" in refused(packed(told))
    deep: Json = {"as_int": 1}
    for _ in range(100):
        deep = {"as_string_to_argument": {"a": deep}}
    assert "nests too deeply" in refused(packed(program([node("relu.default", "y", "", "", 1, self=deep)], {}, [])))


def test_pieces_of_one_call_without_end_are_read_once() -> None:
    """A name that says that all nodes are one call must not make each of them look at all others."""
    nodes = [node("sin.default", f"v{at + 1}", "", "", 1, self=tensor(f"v{at}")) for at in range(3000)]
    values = {f"v{at}": meta(2, 3) for at in range(3001)}
    for word in ("matmul_1;function.matmul", "__setitem___1;wrapper_descriptor.__setitem__"):
        for one in nodes:
            one["metadata"] = {
                "torch_fn": word,
                "nn_module_stack": "m,m,torch.nn.modules.activation.MultiheadAttention",
            }
        Path("long.pt2").write_bytes(packed(program(nodes, values, ["v0"], None, ["v3000"])))
        started = time.monotonic()
        assert len(load("long.pt2").reading.variants[0].graph.ops) == 3001
        assert time.monotonic() - started < SECONDS


@pytest.mark.parametrize("target", ["numpy_T.default", "view.default", "relu.default", "cat.default", "slice.Tensor"])
def test_ops_without_what_they_work_on_are_opaque(target: str) -> None:
    given = node(target, "y", "", "", 1, self={"as_int": 3})
    for one in ({**given, "inputs": []}, given):
        Path("odd.pt2").write_bytes(packed(program([one], {"y": meta(2)}, [], None, ["y"])))
        ops = load("odd.pt2").reading.variants[0].graph.ops
        assert [op.kind.name for op in ops] == ["opaque"]


def test_lines_of_files_elsewhere_are_not_shown(tmp_path: Path) -> None:
    secret = tmp_path / "secret.py"
    secret.write_text("TOKEN = 1\n")
    work = tmp_path / "work"
    work.mkdir()
    os.chdir(work)
    told = block()
    for one in graph(told)["nodes"]:
        one["metadata"]["stack_trace"] = f'File "{work}/../secret.py", line 1, in forward\n    x'
    Path("model.pt2").write_bytes(packed(told))
    found = load("model.pt2")
    assert {op.span.file for op in found.graphs[0].walk() if op.span is not None} == {"secret.py", "model.pt2"}
    assert found.target.library.shown("secret.py") is None
