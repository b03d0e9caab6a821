"""What the traced sides of all frameworks share: how requests are answered, and how long an answer may take."""

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


class OutOfTime(KeyboardInterrupt):
    """The code has taken its time; nothing may hold it up that catches exceptions."""


def serve(request: bytes, answer: Callable[[bytes], None], told: Callable[[Mapping[str, Any]], dict[str, Any]]) -> None:
    """Answer a request, or several, with what `told` says to each."""
    asked: dict[str, Any] = json.loads(request)
    sys.setrecursionlimit(20_000)
    warnings.filterwarnings("ignore")
    if "many" in asked:
        common = asked["common"]
        found: Any = {"version": VERSION, "many": []}
        for one in asked["many"]:
            found["many"].append(told({**common, **one}))
            gc.collect()  # models are full of cycles, and the next one may need the memory
    else:
        found = told(asked)
    answer(json.dumps(found, separators=(",", ":")).encode())


@contextmanager
def until(when: float | None, seconds: float | None) -> Iterator[None]:
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
