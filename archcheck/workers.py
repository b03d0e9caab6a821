"""Work on many things at once, on the cores that there are."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from archcheck.errors import ArchcheckError

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

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
    if _alone(items, jobs):
        yield from map(work, items)
        return
    with _pool(work, min(jobs, len(items))) as pool:
        for one in [pool.submit(_do, item) for item in items]:
            yield one.result()  # type: ignore[misc]


def as_done(work: Callable[[Item], Result], items: Sequence[Item], jobs: int = 1) -> Iterator[tuple[int, Result]]:
    """`work` done on every item: the number of each with its result, as they come; else as `each`.

    On several cores the last are begun first: files define whole models last, and what takes longest must not be left
    for the end.
    """
    if _alone(items, jobs):
        yield from enumerate(map(work, items))
        return
    from concurrent.futures import as_completed

    with _pool(work, min(jobs, len(items))) as pool:
        numbers = {pool.submit(_do, items[number]): number for number in reversed(range(len(items)))}
        for one in as_completed(numbers):
            yield numbers[one], one.result()  # type: ignore[misc]


def _alone(items: Sequence[object], jobs: int) -> bool:
    return min(jobs, len(items)) < 2 or len(items) < FEW or sys.platform != "linux"


@contextmanager
def _pool(work: Callable[[Item], Result], jobs: int) -> Iterator[ProcessPoolExecutor]:
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    global _work  # noqa: PLW0603  # a function with a closure is not pickled, but it is forked
    _work = work  # type: ignore[assignment]
    gc.freeze()  # what is there already is not looked through again, which would copy its pages
    ended = False
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("fork"))
    try:
        yield pool
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
