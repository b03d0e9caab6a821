"""Reading a model loads no framework and leaves Python as it was: each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from fixture_cases import FIXTURES

HEAVY = (
    "torch",
    "tensorflow",
    "keras",
    "jax",
    "onnx",
    "networkx",
    "libcst",
    "numpy",
    "pydot",
    "pygraphviz",
    "transformers",
)
MODEL = FIXTURES / "vaswani2017" / "sublayer_connection"


def python(code: str, *, folder: Path | None = None, arguments: tuple[str, ...] = ()) -> object:
    """What `code`, run in a fresh process, prints as JSON."""
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "module", ["archcheck", "archcheck.cli.entry", "archcheck.cli.app", "archcheck.cli.audit", "archcheck.pipeline"]
)
def test_importing_loads_no_framework(module: str) -> None:
    code = f"import json, sys, {module}\nprint(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    assert python(code) == []


AUDIT = f"""
import json, os, sys, threading
before = dict(modules=set(sys.modules), path=list(sys.path), limit=sys.getrecursionlimit(), folder=os.getcwd())
from archcheck.pipeline import check
from archcheck.sweep import Request
(report,) = check(Request(sys.argv[1]), "vaswani2017#encoder_layer")
print(json.dumps(dict(
    heavy=[name for name in {HEAVY!r} if name in sys.modules],
    target=[name for name, one in sys.modules.items() if str(getattr(one, "__file__", "")).startswith(sys.argv[2])],
    path=[entry for entry in sys.path if entry not in before["path"]],
    limit=sys.getrecursionlimit() == before["limit"],
    folder=os.getcwd() == before["folder"],
    threads=threading.active_count(),
    claims=[claim.claim for claim in report.default.claims],
)))
"""


def test_reading_imports_nothing_and_changes_nothing_of_python(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_bytes((MODEL / "model.py").read_bytes())
    (tmp_path / "nearby.py").write_text("raise SystemExit(9)\n", encoding="utf-8")
    source = (
        (tmp_path / "model.py").read_text(encoding="utf-8").replace("import math\n", "import math\nimport nearby\n")
    )
    (tmp_path / "model.py").write_text(source, encoding="utf-8")
    before = sorted(tmp_path.rglob("*"))
    told = python(AUDIT, arguments=(f"{tmp_path}/model.py:EncoderLayer", str(tmp_path)))
    assert told == {
        "heavy": [],
        "target": [],
        "path": [],
        "limit": True,
        "folder": True,
        "threads": 1,
        "claims": ["encoder_layer", "encoder_layer.repeat"],
    }
    assert sorted(tmp_path.rglob("*")) == before


def command(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The command line as a user's shell runs it."""
    code = "from archcheck.cli.entry import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False, cwd=folder
    )


def test_a_report_goes_to_standard_output_and_an_error_to_standard_error(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_bytes((FIXTURES / "vaswani2017" / "functional" / "model.py").read_bytes())
    spec = "vaswani2017#encoder_layer"
    holds = command("audit", "model.py:EncoderLayer", "--spec", spec, folder=tmp_path)
    assert (holds.returncode, holds.stderr) == (0, "")
    assert holds.stdout.startswith("HOLDS")
    written = command("audit", "model.py:EncoderLayer", "--spec", spec, "-o", "json=report.json", folder=tmp_path)
    assert (written.returncode, written.stdout) == (0, holds.stdout)
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    missing = command("audit", "model.py:Encoder", "--spec", spec, folder=tmp_path)
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr.startswith("error: ")
    assert "did you mean EncoderLayer?" in missing.stderr
    version = command("--version", folder=tmp_path)
    assert (version.returncode, version.stderr) == (0, "")


def test_output_that_nobody_reads_is_no_failure(tmp_path: Path) -> None:
    code = "from archcheck.cli.entry import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "ops"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 0
