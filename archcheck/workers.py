"""Work on many things at once, on the cores that there are; results come in the order of the things."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from archcheck.errors import ArchcheckError

Item = TypeVar("Item")
Result = TypeVar("Result")

FEW = 4  # things for which starting processes costs more than it saves

_work: Callable[[object], object] | None = None  # what the processes do; they are forked, and so know it


def cores() -> int:
    """How many processes may run at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def each(work: Callable[[Item], Result], items: Sequence[Item], jobs: int = 1) -> Iterator[Result]:
    """`work` done on every item, in order.

    Args:
        work: a function whose results can be pickled; an exception of it is raised here.
        items: what to do it on.
        jobs: processes at most; one process, this one, where the platform cannot fork or there is little to do.

    Raises:
        ArchcheckError: a process ended before its work was done.
    """
    jobs = min(jobs, len(items))
    if jobs < 2 or len(items) < FEW or sys.platform != "linux":
        yield from map(work, items)
        return
    yield from _forked(work, items, jobs)


def _forked(work: Callable[[Item], Result], items: Sequence[Item], jobs: int) -> Iterator[Result]:
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    global _work  # noqa: PLW0603  # a function with a closure is not pickled, but it is forked
    _work = work  # type: ignore[assignment]
    gc.freeze()  # what is there already is not looked through again, which would copy its pages
    ended = False
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("fork"))
    try:
        # Files define whole models last: those that take longest are begun first, the small ones fill the end.
        waiting = [pool.submit(_do, item) for item in reversed(items)]
        for one in reversed(waiting):
            yield one.result()  # type: ignore[misc]
        ended = True
    except BrokenProcessPool:
        hint = "it may have run out of memory; --jobs 1 works in one process"
        raise ArchcheckError("a process that was reading ended before its time", hint=hint) from None
    finally:
        # Who stops early does not wait for work that is under way; whose work is done leaves no pool behind.
        pool.shutdown(wait=ended, cancel_futures=True)
        gc.unfreeze()
        _work = None


def _do(item: object) -> object:
    assert _work is not None
    return _work(item)
