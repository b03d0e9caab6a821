"""Results kept between runs: the same as reading anew, after every kind of change, crash and company."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from archcheck import pipeline, sweep
from archcheck.describe.survey import as_json
from archcheck.frontends.static.footprint import Footprint
from archcheck.store import Store
from archcheck.sweep import Request

PACKAGE = {
    "__init__.py": "",
    "parts.py": """
from torch import nn

def norm_of(width):
    return nn.LayerNorm(width)
""",
    "settings.py": """
class Settings:
    def __init__(self, width=64, inner=256, first=True):
        self.width, self.inner, self.first = width, inner, first
""",
    "model.py": """
import torch
from torch import nn
from .parts import norm_of
from .missing import Strange


class Layer(nn.Module):
    def __init__(self, settings):
        super().__init__()
        self.norm = norm_of(settings.width)
        self.up, self.down = nn.Linear(settings.width, settings.inner), nn.Linear(settings.inner, settings.width)
        self.first = settings.first

    def forward(self, x):
        if self.first:
            return x + self.down(torch.relu(self.up(self.norm(x))))
        return self.norm(x + self.down(torch.relu(self.up(x))))


class Odd(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.norm, self.strange = norm_of(width), Strange(width)

    def forward(self, x):
        return x + self.strange(self.norm(x))
""",
    "other.py": """
import torch
from torch import nn


class Plain(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.up, self.down = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x):
        return x + self.down(torch.relu(self.up(x)))
""",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "work" / "models"
    made.mkdir(parents=True)
    for name, text in PACKAGE.items():
        (made / name).write_text(text)
    return made


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "kept")


def described(folder: Path, store: Store | None, jobs: int = 1) -> str:
    return as_json(pipeline.survey(Request(str(folder), explore=False), jobs=jobs, store=store))


@pytest.fixture
def read_anew(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The classes that are read while the test runs."""
    found: list[str] = []
    model_of = sweep.model_of

    def noted(target: object, source: object, name: str, request: Request) -> object:
        found.append(name)
        return model_of(target, source, name, request)  # type: ignore[arg-type]

    monkeypatch.setattr(sweep, "model_of", noted)
    return found


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_was_read_is_not_read_again(folder: Path, store: Store, read_anew: list[str], jobs: int) -> None:
    cold = described(folder, store, jobs)
    read_anew.clear()
    assert described(folder, store) == cold == described(folder, None)
    read_anew.clear()
    assert described(folder, store) == cold
    assert read_anew == []


def test_where_nothing_has_changed_nothing_is_asked(
    folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    cold = described(folder, store)
    (folder / "notes.txt").write_text("no module\n")
    (folder / "__pycache__").mkdir()

    def asked(footprint: Footprint, questions: object) -> str:
        raise AssertionError("the evidence is enough")

    monkeypatch.setattr(Footprint, "state", asked)
    assert described(folder, store) == cold
    (folder / "missing.py").write_text("")
    with pytest.raises(AssertionError, match="evidence"):
        described(folder, store)


def test_a_file_that_can_be_read_again_is_read(folder: Path, store: Store) -> None:
    text = (folder / "parts.py").read_bytes()
    (folder / "parts.py").write_bytes(b"#" * (4 * 1024 * 1024 + 1))  # more than is read of a file
    too_large = described(folder, store)
    assert described(folder, store) == too_large
    (folder / "parts.py").write_bytes(text)
    assert described(folder, store) == described(folder, None) != too_large


def _add(name: str, text: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).write_text(text)

    return change


def _replace(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))

    return change


def _remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


CHANGES = {
    "the file itself": (_replace("model.py", "relu", "tanh"), {"Layer", "Odd"}),
    "a module that it imports": (_replace("parts.py", "LayerNorm", "RMSNorm"), {"Layer", "Odd"}),
    "a configuration that was found beside it": (
        _replace("settings.py", "first=True", "first=False"),
        {"Layer", "Odd"},
    ),
    "a configuration that was found is gone": (_remove("settings.py"), {"Layer", "Odd"}),
    "a module that was not there": (_add("missing.py", "from torch.nn import Identity as Strange\n"), {"Layer", "Odd"}),
    "a file that nothing depends on": (_replace("other.py", "relu", "tanh"), {"Plain"}),
}


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen(folder: Path, store: Store, read_anew: list[str], change: str, jobs: int) -> None:
    apply, expected = CHANGES[change]
    cold = described(folder, store, jobs)
    apply(folder)
    read_anew.clear()
    warm = described(folder, store)
    assert set(read_anew) & {"Layer", "Odd", "Plain"} >= expected
    assert warm == described(folder, None)
    assert warm != cold
    if change == "a file that nothing depends on":
        assert described(folder, store) == warm


def test_what_does_not_depend_on_a_change_is_not_read_again(folder: Path, store: Store, read_anew: list[str]) -> None:
    described(folder, store)
    _replace("parts.py", "LayerNorm", "RMSNorm")(folder)
    read_anew.clear()
    described(folder, store)
    assert "Plain" not in read_anew


def test_a_class_depends_on_the_same_alone_and_after_others(folder: Path) -> None:
    """A search that one class began, and another gets the result of, is noted for both."""
    text = PACKAGE["model.py"].replace("class Layer", "class Again")
    (folder / "zagain.py").write_text(text)

    def asked(names: list[str]) -> set[tuple[str, str]]:
        target = pipeline.resolve(pipeline.parse_target(str(folder)))
        footprint = target.library.footprint
        for name in names:
            file = next(file for file in target.files if name in file.index.names)
            with footprint.of() as found:
                sweep.model_of(target, file, name, Request(str(folder), explore=False))
        return found

    alone = asked(["Again"])
    assert ("module", "models.settings") in alone
    assert asked(["Layer", "Odd", "Again"]) == alone


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"\xff\xfe", b'{"file": 1}', None])
def test_what_cannot_be_understood_is_read_anew(
    folder: Path, store: Store, tmp_path: Path, damage: bytes | None
) -> None:
    cold = described(folder, store)
    for file in (tmp_path / "kept").rglob("*.json"):
        file.write_bytes(file.read_bytes()[:-40] if damage is None else damage)
    assert described(folder, store) == cold


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert described(folder, Store(tmp_path / "file")) == described(folder, None)


def test_what_is_kept_is_its_owners_alone(folder: Path, store: Store, tmp_path: Path) -> None:
    described(folder, store)
    assert not list((tmp_path / "kept").rglob(".*"))
    for path in (tmp_path / "kept" / "results-1").iterdir():
        assert path.stat().st_mode & 0o077 == 0


def test_a_file_that_changes_while_it_is_read_is_not_kept(
    folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_of = sweep.model_of

    def changing(target: object, source: object, name: str, request: Request) -> object:
        found = model_of(target, source, name, request)  # type: ignore[arg-type]
        if name == "Layer":
            _replace("parts.py", "LayerNorm", "RMSNorm")(folder)
            target.library.release(folder)  # type: ignore[attr-defined]
        return found

    with monkeypatch.context() as patch:
        patch.setattr(sweep, "model_of", changing)
        described(folder, store)
    assert described(folder, store) == described(folder, None)


RUN = "import sys; from archcheck.cli.entry import main; sys.argv = ['archcheck', *sys.argv[1:]]; main()"


def start(folder: Path, tmp_path: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN, "describe", str(folder), "--format", "json", "-j1"],
        stdout=subprocess.PIPE,
        env={**os.environ, "ARCHCHECK_CACHE_DIR": str(tmp_path / "kept")},
    )


def test_runs_that_are_killed_leave_nothing_that_is_wrong(folder: Path, tmp_path: Path) -> None:
    expected = described(folder, None).encode()
    chance = random.Random(0)
    for _ in range(8):
        run = start(folder, tmp_path)
        time.sleep(chance.uniform(0.1, 0.9))
        run.send_signal(signal.SIGKILL)
        run.communicate()
    assert start(folder, tmp_path).communicate()[0] == expected
    assert start(folder, tmp_path).communicate()[0] == expected


def test_runs_at_the_same_time_say_the_same(folder: Path, tmp_path: Path) -> None:
    expected = described(folder, None).encode()
    runs = [start(folder, tmp_path) for _ in range(8)]
    assert [run.communicate()[0] for run in runs] == [expected] * 8


@pytest.mark.parametrize("jobs", [1, 2])
def test_modules_that_nobody_asks_for_any_more_are_released_and_read_again(tmp_path: Path, jobs: int) -> None:
    work = tmp_path / "work" / "models"
    for number in range(8):
        folder = work / f"m{number}"
        folder.mkdir(parents=True)
        for name, text in PACKAGE.items():
            (folder / name).write_text(
                text.replace("from .parts", "from ..m0.parts" if number in (1, 7) else "from .parts")
            )
    (work / "__init__.py").write_text("")
    target = pipeline.resolve(pipeline.parse_target(str(work)))
    found = described(work, None, jobs)
    assert found.count('"symbol": "Layer"') == 8
    sweep.over_classes(target, Request(str(work), explore=False), lambda one: one.symbol, lambda message: None, 1)
    parsed = {file.path.parent.name for file in target.files if "index" in file.__dict__}
    assert {"m0", "m7"} <= parsed
    assert not parsed & {"m1", "m2", "m3"}
