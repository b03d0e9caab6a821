"""Whatever a file holds, it ends in one clear error within seconds, and nothing of it runs."""

from __future__ import annotations

import io
import json
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from configurations import Json, given, layer, model, saved, sequence, tensor

from archcheck.errors import ArchcheckError
from archcheck.frontends.keras_file import building, contents, layers
from archcheck.frontends.targets import parse_target, resolve
from archcheck.sweep import Request, read_symbol

SECONDS = 10.0  # of a shared machine


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refused(data: bytes | Json, name: str = "model.keras") -> str:
    """What is said about a file."""
    Path(name).write_bytes(data if isinstance(data, bytes) else saved(data))
    started = time.monotonic()
    with pytest.raises(ArchcheckError) as raised:
        load(name)
    assert time.monotonic() - started < SECONDS
    return str(raised.value)


def load(name: str) -> None:
    target = resolve(parse_target(name))
    read_symbol(target, "", target.symbol, Request(name))


def dense(name: str, read: str) -> Json:
    return layer("Dense", name, [tensor(read)], units=8)


def deep(depth: int) -> Json:
    told: Any = "x"
    for _ in range(depth):
        told = [told]
    return model(given(), layer("Dense", "dense", [tensor("x"), told], units=8))


def nested(depth: int, calls: int) -> Json:
    """Models in each other, each called several times by the one around."""
    told = model(given("x"), dense("dense", "x"), name="m0")
    for at in range(1, depth + 1):
        inner = f"m{at - 1}"
        nodes = [{"args": [tensor("x") if not one else tensor(inner, node=one)], "kwargs": {}} for one in range(calls)]
        told = model(given("x"), told | {"inbound_nodes": nodes}, ends=[[inner, calls, 0]], name=f"m{at}")
    return told


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (model(given(), dense("a", "b"), dense("b", "a")), "layers read each other in a circle"),
        (model(given(), dense("a", "a")), "layers read each other in a circle"),
        (model(given(), dense("a", "nobody")), 'reads call 0 of "nobody", and there is none'),
        (model(given(), dense("a", "x"), ends=[["a", 7, 0]]), 'no call 7 of a layer called "a"'),
        (model(given(), dense("a", "x"), dense("a", "x")), 'two layers are called "a"'),
        (model(given(), layer("Dense", "a", [tensor("x", at=-1)], units=8)), "there is no result -1"),
        (model(given(), layer("Dense", "a", [tensor("x", node=10**9)], units=8)), "there is no result 0 of call"),
        (model(given(), {"class_name": 7}), "names no class"),
        (model(given(), dense("a", "x") | {"inbound_nodes": "x"}), "are no list"),
        (model(given(), dense("a", "x") | {"inbound_nodes": [3]}), "tells no tensor"),
        (model(given(), ends=[]), "it gives nothing"),
        (sequence(dense("a", "x"), dense("a", "x")), 'two layers are called "a"'),
        (deep(100), "nest too deeply"),
        (deep(900), "nest too deeply"),
        (nested(20, 1), "models in each other"),
        (nested(15, 4), "times, those of models in it each time"),
        ({"class_name": "Functional"}, "no configuration of a model"),
        (model(given()) | {"config": {"layers": 3, "input_layers": 3, "output_layers": 3}}, "no list of at most"),
        (model(given(), layer("Concatenate", "a", [[tensor("x")] * 300])), "more than 256 tensors"),
    ],
)  # fmt: skip
def test_a_configuration_that_makes_no_sense(told: Json, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "MAX_CALLS", 2_000)
    assert said in refused(told)


def test_too_many_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "MAX_LAYERS", 3)
    assert "no list of at most 3" in refused(model(given(), *(dense(f"d{at}", "x") for at in range(3))))


def test_files_that_are_none_of_keras() -> None:
    assert "no model that Keras saved" in refused(b"hello")
    assert "no model that Keras saved" in refused(b"", "model.h5")
    assert "holds no config.json" in refused(zipped("other.txt", b"x"))
    assert "cannot be read" in refused(zipped("config.json", b"[" * 200_000))
    assert "cannot be read" in refused(zipped("config.json", b"\xff\xfe"))
    assert "no configuration" in refused(zipped("config.json", b"[]"))
    assert "not a Python file" in refused(b"[" * 200_000, "model.json")
    Path("folder.keras").mkdir()
    with pytest.raises(ArchcheckError):
        resolve(parse_target("folder.keras"))


def zipped(name: str, data: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", method) as archive:
        archive.writestr(zipfile.ZipInfo(name), data, compress_type=method)
    return held.getvalue()


def test_a_bomb_is_not_unpacked() -> None:
    said = refused(zipped("config.json", b'{"class_name": "' + b"a" * 100_000_000 + b'", "config": {}}'))
    assert "the archive is refused" in said


def test_too_much_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "MAX_TEXT", 100)
    assert "not a Python file" in refused(json.dumps(model(given(), dense("a", "x"))).encode(), "model.json")


def test_an_hdf5_file(monkeypatch: pytest.MonkeyPatch) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File("model.h5", "w") as file:
        file.attrs["other"] = 1
    assert "holds weights" in refused(Path("model.h5").read_bytes(), "model.h5")
    with h5py.File("model.h5", "w") as file:
        file.attrs["model_config"] = 3
    assert "no text" in refused(Path("model.h5").read_bytes(), "model.h5")
    with h5py.File("model.h5", "w") as file:
        file.attrs["model_config"] = "{"
    assert "cannot be read" in refused(Path("model.h5").read_bytes(), "model.h5")
    assert "cannot be read" in refused(Path("model.h5").read_bytes()[:300], "model.h5")


def test_without_h5py_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    assert "needs h5py" in refused(b"\x89HDF\r\n\x1a\n" + bytes(100), "model.h5")
