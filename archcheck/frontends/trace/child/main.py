"""The traced side: builds the model, calls it once under the recorder, and tells what was recorded."""

from __future__ import annotations

import gc
import json
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

VERSION = 1


def main(request: bytes, answer: Callable[[bytes], None]) -> None:
    """Answer a request, or several; what fails is told in the answer."""
    asked: dict[str, Any] = json.loads(request)
    sys.setrecursionlimit(20_000)
    warnings.filterwarnings("ignore")
    if "many" in asked:
        common = asked["common"]
        found: Any = {"version": VERSION, "many": [told({**common, **one}) for one in asked["many"]]}
    else:
        found = told(asked)
    answer(json.dumps(found, separators=(",", ":")).encode())


class OutOfTime(KeyboardInterrupt):
    """The code has taken its time; nothing may hold it up that catches exceptions."""


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
        with _until(asked.get("until"), asked.get("seconds")):
            found = trace(asked)
    except CannotBuildError as error:
        return {"version": VERSION, "error": str(error), "stage": "build", "hint": error.hint, "at": error.at}
    except OutOfTime as error:
        why = f"the model's code did not end within {asked['seconds']:g} seconds"
        return {"version": VERSION, "error": why, "stage": "time", "at": stack.place(error)}
    finally:
        gc.collect()
    return {"version": VERSION, "torch": torch.__version__, "seconds": time.process_time() - start, **found}


@contextmanager
def _until(when: float | None, seconds: float | None) -> Iterator[None]:
    """Let nothing take longer than this moment, if any, or else than so many seconds, if any: a host that ends the
    process knows no more than that it was busy."""
    if when is not None:
        seconds = max(when - time.time(), 0.1)
    if not seconds or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(number: int, frame: object) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
