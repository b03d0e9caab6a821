"""What all tests share: golden files, rewritten with `pytest --rewrite-golden` and read in review like code."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("archcheck", deadline=None)  # no test asserts a time: the machine is shared
settings.load_profile("archcheck")

os.environ["ARCHCHECK_CACHE_DIR"] = tempfile.mkdtemp(prefix="archcheck-tests-")  # nothing that users keep is touched
atexit.register(shutil.rmtree, os.environ["ARCHCHECK_CACHE_DIR"], ignore_errors=True)

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite-golden", action="store_true", help="write golden files instead of comparing with them")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`golden("audit.txt", text)`: `text` is what tests/golden/audit.txt holds, byte for byte."""

    def check(name: str, text: str) -> None:
        file = GOLDEN / name
        if request.config.getoption("--rewrite-golden"):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode("utf-8"))
        assert file.exists(), f"no golden file {name}: write it with --rewrite-golden"
        assert text == file.read_bytes().decode("utf-8")

    return check
