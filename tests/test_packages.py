from __future__ import annotations

import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import packages
import pytest


def wheel(path: Path, *names: str, link: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            member = zipfile.ZipInfo(name)
            member.external_attr = (0o120777 if link else 0o100644) << 16
            archive.writestr(member, "text")
    return path


@pytest.mark.parametrize("name", ["../out.py", "a/../../out.py", "/out.py", "a\\..\\out.py", "C:/out.py"])
def test_a_path_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="leads out"):
        packages.unpack(wheel(tmp_path / "a.whl", "fine.py", name), tmp_path / "inside")
    assert not list(tmp_path.rglob("out.py"))


def test_a_link_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds a link"):
        packages.unpack(wheel(tmp_path / "a.whl", "a.py", link=True), tmp_path / "inside")


@pytest.mark.parametrize(
    "requirement", ["thing", "thing>=1", "thing==1.*", "../thing==1", "thing==1; os_name", "-r x==1"]
)
def test_only_one_exact_version_can_be_asked_for(requirement: str) -> None:
    with pytest.raises(ValueError, match="exact version"):
        packages.unpacked(requirement)


def test_many_workers_fetch_a_wheel_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []

    def download(requirement: str, folder: Path) -> Path:
        fetched.append(requirement)
        return wheel(folder / "a.whl", "thing/__init__.py", "thing/fast.so", "thing/libfast.so.1")

    monkeypatch.setenv("ARCHCHECK_TEST_PACKAGES", str(tmp_path / "cache"))
    monkeypatch.setattr(packages, "_download", download)
    with ThreadPoolExecutor(8) as pool:
        folders = set(pool.map(packages.unpacked, ["Some-Thing==1.0"] * 8))
    assert fetched == ["Some-Thing==1.0"]
    (folder,) = folders
    assert folder == tmp_path / "cache" / "some_thing-1.0"
    assert [path.name for path in sorted(folder.rglob("*.*"))] == ["__init__.py"]
    assert not list((tmp_path / "cache").glob("unpacking-*"))
