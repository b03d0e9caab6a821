"""What a user types finds its sources, and whatever is wrong with it is one clear error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from archcheck.errors import TargetError
from archcheck.frontends import targets
from archcheck.frontends.static.library import Root
from archcheck.frontends.targets import Target, TargetRef, parse_target, resolve


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project to stand in, and one installed package beside it."""
    write(
        tmp_path,
        {
            "project/pyproject.toml": "",
            "project/model.py": "from layers.block import Block\nclass Model:\n    def forward(self): pass\n",
            "project/layers/block.py": "class Block: pass\ndef small(): return Block()\n",
            "project/src/pack/__init__.py": "from .net import Net as Network\n",
            "project/src/pack/net.py": "class Net(Base):\n    pass\n",
            "project/src/pack/other.py": "class Net: pass\n",
            "project/empty/readme.txt": "",
            "project/broken.py": "class Good: pass\nx = = 1\n",
            "project/installed/notes.txt": "",
            "site/installed/__init__.py": "from .modeling import *\n",
            "site/installed/modeling.py": "import model\n__all__ = ['Layer']\nclass Layer: pass\nclass Inner: pass\n",
        },
    )
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setattr(targets, "environment_roots", lambda: (Root(tmp_path / "site", trusted=True),))
    return tmp_path / "project"


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def at(text: str, **options: object) -> Target:
    return resolve(parse_target(text), **options)  # type: ignore[arg-type]


def place(target: Target) -> str:
    return f"{target.source.shown if target.source else '-'}:{target.symbol}"


def test_an_installed_folder_needs_no_init_file(tmp_path: Path) -> None:
    files = {"pack/__init__.py": "", "pack/part/net.py": "from pack.base import Base\nclass Net(Base): pass\n"}
    write(tmp_path / "site-packages", {**files, "pack/base.py": "class Base: pass\n"})
    target = at(f"{tmp_path}/site-packages/pack/part/net.py:Net")
    assert target.source is not None
    assert target.source.module == "pack.part.net"
    assert target.library.module("pack.base") is not None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a/model.py", ("a/model.py", "", "", "")),
        ("a/model.py:Model", ("a/model.py", "Model", "", "")),
        ("a/model.py:Model.forward", ("a/model.py", "Model.forward", "", "")),
        ("package.module:Model", ("package.module", "Model", "", "")),
        ("m:Model", ("m", "Model", "", "")),
        ("folder/", ("folder/", "", "", "")),
        (r"C:\code\model.py", (r"C:\code\model.py", "", "", "")),
        (r"C:\code\model.py:Model", (r"C:\code\model.py", "Model", "", "")),
        ("C:/code/model.py:Model", ("C:/code/model.py", "Model", "", "")),
        ("C:model.py", ("C:model.py", "", "", "")),
        ("https://example.org/model.py", ("https://example.org/model.py", "", "", "")),
        ("t2t==1.2.5", ("", "", "t2t", "1.2.5")),
        ("t2t==1.2.5/t2t/model.py", ("t2t/model.py", "", "t2t", "1.2.5")),
        ("t2t==1.2.5/t2t/model.py:f", ("t2t/model.py", "f", "t2t", "1.2.5")),
        ("torch==2.13.0+cpu/torch/nn", ("torch/nn", "", "torch", "2.13.0+cpu")),
    ],
)
def test_a_target_is_taken_apart(text: str, wanted: tuple[str, str, str, str]) -> None:
    assert parse_target(text) == TargetRef(text, *wanted)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("model.py:", "no name after the colon"),
        ("model.py:12", "a line cannot be given"),
        ("model.py:a-b", "is not a name"),
        ("model.py:A..b", "is not a name"),
        ("t2t==", "no version"),
        ("x\0.py", "NUL"),
    ],
)
def test_what_is_no_target_is_said(text: str, why: str) -> None:
    with pytest.raises(TargetError, match=why):
        parse_target(text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("model.py", "model.py:"),
        ("model.py:Model", "model.py:Model"),
        ("model.py:Model.forward", "model.py:Model.forward"),
        ("model.py:Block", "layers/block.py:Block"),
        ("layers/block.py:Block", "layers/block.py:Block"),
        ("src/pack/net.py:Net.anything", "src/pack/net.py:Net.anything"),
        ("src/pack/__init__.py:Network", "src/pack/net.py:Net"),
        ("layers:Block", "layers/block.py:Block"),
        ("layers", "-:"),
        ("src/pack", "-:"),
        ("pack:Network", "src/pack/net.py:Net"),
        ("pack.other:Net", "src/pack/other.py:Net"),
        ("pack.other", "src/pack/other.py:"),
        ("pack", "-:"),
        ("installed:Layer", "installed/modeling.py:Layer"),
        ("installed:Inner", "installed/modeling.py:Inner"),
        ("installed:modeling.Layer", "installed/modeling.py:Layer"),
        ("installed:modeling", "installed/modeling.py:"),
        ("broken.py:Good", None),
    ],
)
def test_sources_are_found(project: Path, text: str, wanted: str | None) -> None:
    if wanted is None:
        with pytest.raises(TargetError, match=r"broken\.py:2:5"):
            at(text)
        return
    target = at(text)
    assert place(target) == wanted
    assert target.name == text
    assert target.files == ((target.source,) if target.source else target.files)


def test_imports_of_a_file_are_looked_up_in_its_project(project: Path) -> None:
    deep = at("src/pack/net.py")
    for module, shown in [("pack.other", "src/pack/other.py"), ("layers.block", "layers/block.py")]:
        found = deep.library.module(module)
        assert found is not None
        assert found.shown == shown
    assert deep.library.module("installed.modeling") is not None
    assert deep.source is deep.library.module("pack.net")


def test_an_installed_package_does_not_see_the_working_directory(project: Path) -> None:
    assert at("installed:Layer").library.module("model") is None


def test_without_a_project_the_working_directory_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"models/net.py": "class Net: pass\n", "layers/embed.py": "x = 1\n"})
    monkeypatch.chdir(tmp_path)
    inside = at("models/net.py")
    assert place(inside) == "models/net.py:"
    assert inside.library.module("layers.embed") is not None
    monkeypatch.chdir(tmp_path / "layers")
    outside = at(str(tmp_path / "models/net.py"))
    assert place(outside) == "net.py:"
    assert outside.library.module("layers.embed") is None


def test_a_folder_stands_for_its_python_files(project: Path) -> None:
    write(project, {".hidden/x.py": "", "venv/pyvenv.cfg": "", "venv/lib/x.py": "", "src/__pycache__/x.py": ""})
    (project / "linked.py").symlink_to(project / "model.py")
    assert [source.shown for source in at(".").files] == [
        "broken.py", "layers/block.py", "model.py", "src/pack/__init__.py", "src/pack/net.py", "src/pack/other.py",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("modle.py", r"no such file\n  hint: did you mean model\.py\?"),
        ("nowhere/model.py", r'no such file\n  hint: there is no folder "nowhere"'),
        ("model.py:Modle", r"did you mean Model\?"),
        ("layers/block.py:Zebra", r"it defines Block"),
        (
            "layers/block.py:small.trained",
            r'block\.py:2: small is a function, which has no "trained"\n  hint: leave it out',
        ),
        ("model.py:Model.foward", r'no method "foward"\n  hint: it has forward'),
        ("src/pack:Net", r"2 files of this folder\n  hint: say which: src/pack/net\.py:Net, src/pack/other\.py:Net"),
        ("src/pack:Nett", r"did you mean Net\?"),
        ("empty", r"no Python file in this folder"),
        ("installd:Layer", r"did you mean installed\?"),
        ("installed.modelling:Layer", r"did you mean installed\.modeling\?"),
        ("zebra.model:Layer", r"zebra==VERSION"),
        ("installed:Layr", r"did you mean Layer\?"),
        ("broken.py", r"broken\.py:2:5: .*invalid syntax\n   2 \| x = = 1\n     \|     \^"),
        ("broken.py:Absent", r"broken\.py:2:5"),
        ("REV:model.py:Model", r"no such file"),
    ],
)
def test_what_is_wrong_is_said_with_a_way_out(project: Path, text: str, why: str) -> None:
    with pytest.raises(TargetError, match=why):
        at(text)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("model.pt", "unpickling it would run code"),
        ("model.CKPT", "unpickling it would run code"),
        ("model.safetensors", "holds weights"),
        ("model.keras", "Keras"),
        ("model.h5", "Keras"),
        ("model.ipynb", "nbconvert"),
        ("spec.yaml", "--spec"),
        ("model.txt", "not a Python file"),
    ],
)
def test_what_is_not_python_says_what_it_is(project: Path, name: str, why: str) -> None:
    (project / name).write_bytes(b"\x80\x04.")
    with pytest.raises(TargetError, match=why):
        at(name)


def test_a_saved_model_is_a_folder_with_signatures(project: Path) -> None:
    write(project, {"saved/saved_model.pb": ""})
    target = at("saved:encode")
    assert target.program is not None
    assert target.program.kind.frontend == "tensorflow_graph"
    assert target.ref.symbol == "encode"


def test_a_release_is_read_where_fetch_put_it(project: Path, tmp_path: Path) -> None:
    write(tmp_path, {"cache/t2t/__init__.py": "", "cache/t2t/models/net.py": "from t2t import x\nclass Net: pass\n"})
    asked: list[tuple[str, str]] = []

    def fetch(dist: str, version: str, *, progress: Callable[[str], None] | None = None) -> Path:
        asked.append((dist, version))
        return tmp_path / "cache"

    assert place(at("t2t==1.0/t2t/models/net.py:Net", fetch=fetch)) == "t2t/models/net.py:Net"
    assert asked == [("t2t", "1.0")]
    whole = at("t2t==1.0", fetch=fetch)
    assert [source.shown for source in whole.files] == ["t2t/__init__.py", "t2t/models/net.py"]
    assert place(at("t2t==1.0:Net", fetch=fetch)) == "t2t/models/net.py:Net"
    for text, why in [
        ("t2t==1.0/net.py", r"did you mean t2t/models/net\.py\?"),
        ("t2t==1.0/zebra.md", "it holds t2t"),
        ("t2t==1.0/../secret.py", "must lie in the release"),
        ("t2t==1.0//etc/passwd", "must lie in the release"),
    ]:
        with pytest.raises(TargetError, match=why):
            at(text, fetch=fetch)
