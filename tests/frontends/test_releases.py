"""A release is fetched once, as a wheel, and what is unpacked of it stays in its folder."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from archcheck.errors import TargetError
from archcheck.frontends import releases
from archcheck.frontends.releases import fetch, unpack


def wheel(path: Path, files: dict[str, bytes | str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def listing(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


class Pip:
    """Stands for `subprocess.run`: puts a wheel where `pip download` would, or prints what pip would."""

    def __init__(self, files: dict[str, bytes | str] | None = None, output: str = "", fits: str = "") -> None:
        self.files, self.output, self.fits = files, output, fits
        self.commands: list[list[str]] = []

    def __call__(self, command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        self.commands.append(command)
        if self.files is not None and (not self.fits or self.fits in command):
            wheel(Path(command[command.index("-d") + 1]) / "x-1.0-py3-none-any.whl", self.files)
            return subprocess.CompletedProcess(command, 0, "", "")
        return subprocess.CompletedProcess(command, 1, self.output, "")


FILES: dict[str, bytes | str] = {
    "x/__init__.py": "a = 1\n",
    "x/config.gin": "b = 2\n",
    "x/lib.so": b"\x7fELF",
    "x/weights.bin": b"1",
    "x-1.0.dist-info/METADATA": "Name: x\n",
    "x-1.0.dist-info/RECORD": "",
    "x-1.0.data/purelib/y.py": "",
    "x-1.0.data/scripts/run.py": "",
}


def test_what_the_reader_uses_is_unpacked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip = Pip(FILES)
    monkeypatch.setattr(releases.subprocess, "run", pip)
    said: list[str] = []
    folder = fetch("X.y", "1.0", cache_dir=tmp_path, progress=said.append)
    assert listing(folder) == ["x-1.0.dist-info/METADATA", "x/__init__.py", "x/config.gin", "y.py"]
    assert said == ["fetching X.y==1.0 with pip"]
    assert fetch("x_Y", "1.0", cache_dir=tmp_path, progress=said.append) == folder
    assert len(pip.commands) == len(said) == 1
    command = pip.commands[0]
    assert command[:5] == [sys.executable, "-P", "-m", "pip", "download"]
    assert {"--no-deps", "--only-binary=:all:", "--no-input"} <= set(command)
    assert command[-2:] == ["--", "X.y==1.0"]
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_the_cache_can_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releases.subprocess, "run", Pip(FILES))
    monkeypatch.setenv("ARCHCHECK_CACHE_DIR", str(tmp_path / "here"))
    assert fetch("x", "1.0").is_relative_to(tmp_path / "here")


def test_a_wheel_for_another_python_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip = Pip(FILES, "ERROR: No matching distribution found for x==1.0\n", fits="cp36")
    monkeypatch.setattr(releases.subprocess, "run", pip)
    assert (fetch("x", "1.0", cache_dir=tmp_path) / "x/__init__.py").is_file()
    assert all("--only-binary=:all:" in command and command[-2:] == ["--", "x==1.0"] for command in pip.commands)


@pytest.mark.parametrize(
    ("output", "why"),
    [
        ("/usr/bin/python: No module named pip\n", "this Python has none"),
        (
            "ERROR: Could not find a version that satisfies the requirement x==1.7 (from versions: 1.6, 1.6.1, 2.0)\n"
            "ERROR: No matching distribution found for x==1.7\n",
            r"No matching distribution found for x==1\.7\n  hint: versions that have a wheel: 1\.6",
        ),
        ("WARNING: Retrying: connection broken\nERROR: connection failed\n", "index reachable"),
        ("", "pip said nothing"),
    ],
)
def test_what_pip_says_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str, why: str) -> None:
    monkeypatch.setattr(releases.subprocess, "run", Pip(output=output))
    with pytest.raises(TargetError, match=why):
        fetch("x", "1.7", cache_dir=tmp_path)
    assert list((tmp_path / releases.LAYOUT).iterdir()) == []


@pytest.mark.parametrize(
    ("dist", "version"),
    [
        ("-r", "1"),
        ("x", "--index-url=http://x"),
        ("x", ""),
        ("", "1"),
        ("x", "1;y"),
        ("x", "1.*"),
        ("x@y", "1"),
        ("../x", "1"),
    ],
)
def test_no_option_reaches_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dist: str, version: str) -> None:
    pip = Pip(FILES)
    monkeypatch.setattr(releases.subprocess, "run", pip)
    with pytest.raises(TargetError):
        fetch(dist, version, cache_dir=tmp_path)
    assert pip.commands == []


def test_pip_is_not_taken_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here/pip.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setattr(releases, "_OTHER_PYTHONS", ())
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    with pytest.raises(TargetError):
        fetch("archcheck-no-such-distribution", "1.0", cache_dir=tmp_path / "cache")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "name", ["../x.py", "a/../../x.py", "/x.py", "C:/x.py", "a\\..\\x.py", "a/\x1b[2Jx.py", "a/../x.so"]
)
def test_paths_that_leave_the_archive_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(TargetError, match="refused"):
        unpack(wheel(tmp_path / "x.whl", {"ok.py": "", name: "x = 1\n"}), tmp_path / "out", "x==1")
    assert listing(tmp_path) == ["x.whl"]


def test_links_are_refused(tmp_path: Path) -> None:
    entry = zipfile.ZipInfo("x/link.py")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.whl", "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(TargetError, match="link or a device"):
        unpack(tmp_path / "x.whl", tmp_path / "out", "x==1")


def test_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releases, "FREE_SIZE", 1000)
    with pytest.raises(TargetError, match="times its size"):
        unpack(wheel(tmp_path / "a.whl", {"x.py": b"#" * 1_000_000}), tmp_path, "x==1")
    monkeypatch.setattr(releases, "MAX_TOTAL", 10)
    with pytest.raises(TargetError, match="of text"):
        unpack(wheel(tmp_path / "b.whl", {"x.py": "x = 1\n", "y.py": "y = 1\n"}), tmp_path, "x==1")
    monkeypatch.setattr(releases, "MAX_ENTRIES", 2)
    with pytest.raises(TargetError, match="3 entries"):
        unpack(wheel(tmp_path / "c.whl", {"a.so": "", "b.so": "", "c.so": ""}), tmp_path, "x==1")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_of_one_name_and_broken_archives_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.whl", "w") as archive:
        archive.writestr("x.py", "a = 1\n")
        archive.writestr("x.py", "a = 2\n")
    (tmp_path / "out").mkdir()
    with pytest.raises(TargetError, match="two files of one name"):
        unpack(tmp_path / "x.whl", tmp_path / "out", "x==1")
    (tmp_path / "y.whl").write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(TargetError, match="broken"):
        unpack(tmp_path / "y.whl", tmp_path / "out", "x==1")
    data = wheel(tmp_path / "z.whl", {"z.py": "".join(f"x{n} = {n * n}\n" for n in range(99))}).read_bytes()
    for position in range(34, 50):  # the packed bytes: 30 of header and 4 of name come before
        (tmp_path / "z.whl").write_bytes(data[:position] + bytes([data[position] ^ 0xFF]) + data[position + 1 :])
        (tmp_path / f"out{position}").mkdir()
        with pytest.raises(TargetError, match="broken"):
            unpack(tmp_path / "z.whl", tmp_path / f"out{position}", "x==1")


def test_many_at_once_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    barrier = threading.Barrier(6)

    class Together(Pip):
        def __call__(self, command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
            barrier.wait(timeout=10)  # all are past the look into the cache
            return super().__call__(command, **options)

    monkeypatch.setattr(releases.subprocess, "run", Together(FILES))
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(fetch("x", "1.0", cache_dir=tmp_path))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(set(found)) == 1
    assert (found[0] / "x/__init__.py").read_text() == "a = 1\n"
    assert [path.name for path in found[0].parent.iterdir()] == [found[0].name]


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TargetError, match="ARCHCHECK_CACHE_DIR"):
        fetch("x", "1.0", cache_dir=tmp_path / "file")


@pytest.mark.packages
def test_a_release_is_fetched_and_read_offline_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fetch("rezero", "0.1.0", cache_dir=tmp_path)
    assert list(folder.rglob("*.py"))
    monkeypatch.setattr(releases.subprocess, "run", Pip(output="ERROR: offline"))
    assert fetch("rezero", "0.1.0", cache_dir=tmp_path) == folder
