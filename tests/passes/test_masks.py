"""What masks of constants hide, worked out."""

from __future__ import annotations

import pytest

from archcheck.ir.graph import OpGraph
from archcheck.ir.text import parse
from archcheck.passes import canonicalise

SCORES = """
%q = input
%k = input
%v = input
%one = constant value=1
{mask}
%t = permute %k axis=-2 other_axis=-1
%s = matmul %q, %t
{scores}
%p = softmax axis=-1
matmul %p, %v
"""
LOWER = "%m = triangle %one upper=False diagonal=0"
LATER = "%m = triangle %one upper=True diagonal=1"


def attention(mask: str, scores: str) -> OpGraph:
    text = "\n".join(line for line in SCORES.format(mask=mask, scores=scores).splitlines() if line)
    return canonicalise(parse(text))


def causal(mask: str, scores: str) -> object:
    (found,) = (op for op in attention(mask, scores).ops if op.kind.name == "attention")
    return found.attr("causal")


@pytest.mark.parametrize(
    ("mask", "scores"),
    [
        (LOWER + "\n%z = compare %m by=0 relation='eq'", "masked_fill %s, %z by=-1e9"),
        (LOWER, "where %m, %s no=-1e9"),
        (LATER, "%w = where %m, %s yes=-1e9"),
        (LATER + "\n%n = mul %m by=-1e9", "add %s, %n"),
        (LOWER + "\n%n = sub %m by=1\n%f = mul %n by=1e9", "add %s, %f"),
        (LOWER, "%x = mul %s, %m\n%u = sub %m by=1 reverse=True\n%f = mul %u by=1e9\nsub %x, %f"),
        (LOWER + "\n%r = reshape %m shape=(1, 1, 64, 64)", "where %r, %s no=-1e9"),
    ],
)
def test_keys_after_the_query_are_hidden(mask: str, scores: str) -> None:
    if "yes=" in scores:  # where the triangle is true, the constant
        scores = "where %m, %s yes=-1e9"
    assert causal(mask, scores) is True


@pytest.mark.parametrize(
    ("mask", "scores"),
    [
        (LOWER, "masked_fill %s, %m by=-1e9"),  # hides the past
        (LATER, "where %m, %s no=-1e9"),
        (LOWER, "add %s, %m"),  # adds 1 to what may be seen
        (LATER + "\n%n = mul %m by=1e9", "add %s, %n"),
        (LOWER + "\n%n = mul %m by=-1e9", "add %s, %n"),
    ],
)
def test_another_triangle_is_no_causal_mask(mask: str, scores: str) -> None:
    assert causal(mask, scores) is False


def test_what_is_not_known_of_a_mask_leaves_the_triangle_to_tell() -> None:
    """An offset that is counted when the model runs, as a cache of keys has it."""
    mask = "%m = triangle %one upper=False diagonal=unknown('how many keys are kept', 'a.py:1:1:0:0')"
    assert causal(mask, "where %m, %s no=-1e9") is True


def test_positions_that_are_compared() -> None:
    lines = "\n".join(
        (
            "%a = constant value='arange' start=0 step=1",
            "%i = select %a index=(('slice', None, None, None), None)",
            "%j = select %a index=(None, ('slice', None, None, None))",
            "%m = compare %i, %j relation='{relation}'",
            "%l = triangle %one upper=False diagonal=0",  # what tells that the mask is one of positions
            "%c = logical %m, %l operator='and'",
        )
    )
    assert causal(lines.format(relation="ge"), "where %c, %s no=-1e9") is True
    assert causal(lines.format(relation="lt"), "where %c, %s no=-1e9") is False


def test_the_module_of_torch_hides_where_a_mask_is_true() -> None:
    text = """
%x = input
%one = constant value=True
%m = triangle %one upper={upper} diagonal={diagonal}
attention %x, %x, %x, %m heads=8 out_features=512 projected=True batch_first=True hides={hides}
"""
    for upper, hides, expected in (
        (True, True, True),
        (False, True, False),
        (False, False, True),
        (True, False, False),
    ):
        given = text.format(upper=upper, diagonal=int(upper), hides=hides)
        graph = canonicalise(parse(given.strip()))
        (found,) = (op for op in graph.walk() if op.kind.name == "attention")
        assert found.attr("causal") is expected, (upper, hides)
