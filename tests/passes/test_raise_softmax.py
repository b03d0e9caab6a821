from __future__ import annotations

import pytest
from pass_asserts import assert_left, shown

from archcheck.ir.text import parse
from archcheck.ir.verify import verify
from archcheck.passes.raise_softmax import RaiseSoftmax

PASS = RaiseSoftmax()


@pytest.mark.parametrize(
    "ops",
    [
        "%e = exp %x\n%s = sum %e axis=-1\ndiv %e, %s\n",
        "%m = reduce_max %x axis=-1\n%c = sub %x, %m\n%e = exp %c\n%s = sum %e axis=(-1,)\ndiv %e, %s\n",
        "%l = logsumexp %x axis=-1\n%c = sub %x, %l\nexp %c\n",
        "%m = reduce_max %x axis=-1\n%c = sub %x, %m\nsoftmax %c axis=-1\n",
        "%e = exp %x\n%s = sum %e axis=-1\n%u = reshape %s form='unsqueeze' axis=-1\ndiv %e, %u\n",
    ],
)
def test_each_spelling_is_a_softmax(ops: str) -> None:
    found = verify(PASS.run(parse("%x = input\n" + ops)), "raise_softmax")
    assert found.ops[-1].kind.name == "softmax"
    assert found.ops[-1].attr("axis") == -1
    assert PASS.run(found) == found
    assert shown(found).startswith("%0 = input\n%1 = softmax %0")


@pytest.mark.parametrize(
    ("why", "ops"),
    [
        ("another sum", "%y = input\n%e = exp %x\n%f = exp %y\n%s = sum %f axis=-1\ndiv %e, %s\n"),
        ("upside down", "%e = exp %x\n%s = sum %e axis=-1\ndiv %s, %e\n"),
        ("the sum is used again", "%e = exp %x\n%s = sum %e axis=-1\n%d = div %e, %s\n%l = log %s\nadd %d, %l\n"),
        ("a maximum along another axis", "%m = reduce_max %x axis=1\n%c = sub %x, %m\nsoftmax %c axis=-1\n"),
        ("another reduction", "%l = mean %x axis=-1\n%c = sub %x, %l\nexp %c\n"),
    ],
)
def test_near_misses_are_left(why: str, ops: str) -> None:
    assert_left(PASS, "%x = input\n" + ops)
