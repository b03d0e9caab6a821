"""What tests of the static reader share."""

from __future__ import annotations

from pathlib import Path

import pytest
from evaluator_sources import Sources


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    """An empty folder for modules."""
    return Sources(tmp_path)
