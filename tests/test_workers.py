"""Work on several cores: order, errors, and a process that ends before its time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest

from archcheck import workers
from archcheck.errors import ArchcheckError, TargetError

ITEMS = range(9)


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_results_come_in_the_order_of_the_items(jobs: int) -> None:
    factor = 3
    assert list(workers.each(lambda item: item * factor, ITEMS, jobs)) == [item * 3 for item in ITEMS]


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_results_come_with_their_numbers_as_they_are_done(jobs: int) -> None:
    found = list(workers.as_done(lambda item: item * 3, ITEMS, jobs))
    assert sorted(found) == [(item, item * 3) for item in ITEMS]


@pytest.mark.skipif(workers.sys.platform != "linux", reason="work is forked on Linux alone")
def test_what_is_done_is_told_before_the_rest_is() -> None:
    """Progress is shown, and results are kept, while others are still being worked on."""

    def work(item: int) -> float:
        if item == 0:
            time.sleep(0.5)
        return time.monotonic()

    found = workers.as_done(work, ITEMS, 2)
    first = next(found)
    before = time.monotonic()
    rest = dict(found)
    assert first[0] != 0
    assert rest[0] > before


@pytest.mark.skipif(workers.sys.platform != "linux", reason="work is forked on Linux alone")
def test_work_is_spread_over_processes_where_there_is_enough_of_it() -> None:
    assert set(workers.each(lambda item: os.getpid(), ITEMS, 1)) == {os.getpid()}
    assert os.getpid() not in set(workers.each(lambda item: os.getpid(), ITEMS, 2))
    assert set(workers.each(lambda item: os.getpid(), ITEMS[: workers.FEW - 1], 2)) == {os.getpid()}


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_of_the_work_is_raised(jobs: int) -> None:
    def work(item: int) -> int:
        if item == 5:
            raise TargetError("the fifth cannot be read", place="model.py:5", hint="mend it")
        return item

    found = []
    with pytest.raises(TargetError) as caught:
        found.extend(workers.each(work, ITEMS, jobs))
    assert str(caught.value) == "model.py:5: the fifth cannot be read\n  hint: mend it"


@pytest.mark.skipif(workers.sys.platform != "linux", reason="work is forked on Linux alone")
def test_a_process_that_ends_before_its_time_is_an_error() -> None:
    work: Callable[[int], int] = lambda item: os._exit(9) if item == 5 else item  # noqa: E731
    with pytest.raises(ArchcheckError, match="ended before its time"):
        list(workers.each(work, ITEMS, 2))
