"""The Python of an environment that holds jax, flax and haiku, for tests that trace their models.

It is this one, or $ARCHCHECK_JAX_PYTHON.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest


def jax_python() -> Path:
    """The interpreter; where there is none, or it lacks one of the packages, the test is skipped."""
    named = os.environ.get("ARCHCHECK_JAX_PYTHON")
    wanted = ("jax", "flax", "haiku")
    if named:
        found = Path(named)
        missing = [one for one in wanted if not list(found.parent.parent.glob(f"lib/python3*/site-packages/{one}"))]
    else:
        found = Path(sys.executable)
        missing = [one for one in wanted if importlib.util.find_spec(one) is None]
    if missing:
        pytest.skip(f"no {' and no '.join(missing)}: ARCHCHECK_JAX_PYTHON may name a Python that has it")
    return found
