"""The traced side for JAX: builds the model, traces it on abstract values, and tells the equations that it gives."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from archcheck.frontends.trace.child.serving import VERSION, OutOfTime, serve, until


def main(request: bytes, answer: Callable[[bytes], None]) -> None:
    """Answer a request, or several; what fails is told in the answer."""
    serve(request, answer, told)


def told(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a request."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    try:
        import jax
    except ImportError as error:
        return {"version": VERSION, "error": f"{error.name or 'jax'} cannot be imported: {error}", "stage": "jax"}
    from archcheck.frontends.trace.jax_child.building import CannotBuildError
    from archcheck.frontends.trace.jax_child.frames import Frames
    from archcheck.frontends.trace.jax_child.tracing import trace

    jax.config.update("jax_traceback_filtering", "off")  # what is raised is told as the code raises it
    start = time.process_time()
    try:
        with until(asked.get("until"), asked.get("seconds")):
            found = trace(asked)
    except CannotBuildError as error:
        return {"version": VERSION, "error": str(error), "stage": "build", "hint": error.hint, "at": error.at}
    except OutOfTime as error:
        why = f"the model's code did not end within {asked['seconds']:g} seconds"
        return {"version": VERSION, "error": why, "stage": "time", "at": Frames().place(error)}
    return {"version": VERSION, "jax": jax.__version__, "seconds": time.process_time() - start, **found}
