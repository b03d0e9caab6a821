"""The order of tensor2tensor's sublayers by release, as `python tests/tensor2tensor_order.py` tells it for all."""

from __future__ import annotations

import pytest
from tensor2tensor_order import RELEASES, expected, order

pytestmark = pytest.mark.packages

# Of each way in which the order was written: closures, a norm by its name, letters, and letters by other defaults.
ERAS = ("1.0.14", "1.1.6", "1.1.9", "1.2.4", "1.2.5", "1.4.2", "1.12.0")


@pytest.mark.parametrize("version", ERAS)
def test_the_order_of_a_release(version: str) -> None:
    assert version in RELEASES
    assert order(version) == expected(version)


def test_what_is_expected_changes_once() -> None:
    told = [expected(version) for version in RELEASES]
    assert told == sorted(told)  # "F d a n" before "n F d a"
    assert len(set(told)) == 2
    assert len(RELEASES) == 65
