"""The traced side: builds the model, calls it once under the recorder, and tells what was recorded."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from archcheck.frontends.trace.child.serving import VERSION, OutOfTime, serve, until


def main(request: bytes, answer: Callable[[bytes], None]) -> None:
    """Answer a request, or several; what fails is told in the answer."""
    serve(request, answer, told)


def told(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a request."""
    try:
        import torch
    except ImportError as error:
        return {"version": VERSION, "error": f"torch cannot be imported: {error}", "stage": "torch"}
    from archcheck.frontends.trace.child import stack
    from archcheck.frontends.trace.child.building import CannotBuildError
    from archcheck.frontends.trace.child.tracing import trace

    torch.manual_seed(0)
    torch.set_num_threads(1)
    start = time.process_time()
    try:
        with until(asked.get("until"), asked.get("seconds")):
            found = trace(asked)
    except CannotBuildError as error:
        return {"version": VERSION, "error": str(error), "stage": "build", "hint": error.hint, "at": error.at}
    except OutOfTime as error:
        why = f"the model's code did not end within {asked['seconds']:g} seconds"
        return {"version": VERSION, "error": why, "stage": "time", "at": stack.place(error)}
    return {"version": VERSION, "torch": torch.__version__, "seconds": time.process_time() - start, **found}
