"""The traced side: builds the model, calls it once under the recorder, and tells what was recorded."""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

VERSION = 1


def main(request: bytes, answer: Callable[[bytes], None]) -> None:
    """Answer a request; what fails is told in the answer."""
    asked: dict[str, Any] = json.loads(request)
    answer(json.dumps(told(asked), separators=(",", ":")).encode())


def told(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a request."""
    sys.setrecursionlimit(20_000)
    warnings.filterwarnings("ignore")
    try:
        import torch
    except ImportError as error:
        return {"version": VERSION, "error": f"torch cannot be imported: {error}", "stage": "torch"}
    from archcheck.frontends.trace.child.building import CannotBuildError
    from archcheck.frontends.trace.child.tracing import trace

    torch.manual_seed(0)
    torch.set_num_threads(1)
    start = time.process_time()
    try:
        found = trace(asked)
    except CannotBuildError as error:
        return {"version": VERSION, "error": str(error), "stage": "build"}
    return {"version": VERSION, "torch": torch.__version__, "seconds": time.process_time() - start, **found}
