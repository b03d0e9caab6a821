"""What tests of the tracer share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from trace_sources import Sources


@pytest.fixture
def traces(tmp_path: Path) -> Sources:
    """An empty folder for models that are traced."""
    pytest.importorskip("torch")
    from trace_sources import Sources  # it imports torch

    return Sources(tmp_path)
