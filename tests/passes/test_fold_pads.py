"""What windows add at borders, in one form, and means over space as pooling."""

from __future__ import annotations

import pytest
from pass_asserts import assert_pass

from archcheck.ir.graph import Unknown
from archcheck.ir.text import parse
from archcheck.passes import canonicalise
from archcheck.passes.fold_pads import FoldPads
from archcheck.passes.raise_pools import RaisePools


def window(text: str) -> dict[str, object]:
    """What the last window of a graph in canonical form states."""
    found = [op for op in canonicalise(parse(text)).walk() if op.kind.name in ("conv", "pool", "conv_transpose")]
    return {attr.name: attr.value for attr in found[0].attrs}


def test_what_a_convolution_is_given_around_it_is_its_own() -> None:
    assert_pass(
        FoldPads(),
        "input\npad amount=((0, 0), (3, 3), (3, 3), (0, 0)) by=0 mode='CONSTANT'\n"
        "conv axes=2 channels_last=True kernel=7 padding='valid' stride=2",
        "input\nconv axes=2 channels_last=True kernel=7 padding=3 stride=2:\n"
        "  pad %0 amount=((0, 0), (3, 3), (3, 3), (0, 0)) by=0 mode='CONSTANT'\n"
        "  conv axes=2 channels_last=True kernel=7 padding=0 stride=2\n".replace("padding=0", "padding='valid'"),
    )


@pytest.mark.parametrize(
    ("amount", "last", "expected"),
    [
        ("1", "channels_last=True", 1),  # a layer of Keras
        ("((1, 1), (1, 1))", "channels_last=True", 1),
        ("((0, 1), (0, 1))", "channels_last=True", ((0, 1), (0, 1))),
        ("(1, 2)", "channels_last=True", (1, 2)),
        ("((0, 0), (0, 0), (1, 1), (2, 2))", "channels_last=False", (1, 2)),
        ("(2, 2, 1, 1)", "", (1, 2)),  # torch, from the last axis on
        ("(0, 0, 0, 0)", "", 0),
    ],
)
def test_amounts_in_the_words_of_each_framework(amount: str, last: str, expected: object) -> None:
    text = f"input\npad amount={amount} by=0 mode='constant'\nconv axes=2 kernel=3 padding=0 stride=2 {last}"
    assert window(text)["padding"] == expected


@pytest.mark.parametrize(
    "pad",
    [
        "pad amount=((0, 0), (1, 1), (1, 1), (0, 0)) by=1.0 mode='constant'",
        "pad amount=((0, 0), (1, 1), (1, 1), (0, 0)) mode='reflect'",
        "pad amount=((0, 0), (1, 1), (1, 1), (1, 0)) by=0 mode='constant'",  # channels too
        "pad amount=(1, 1) by=0 mode='constant'",  # of two axes in Keras, of one in torch
    ],
)
def test_what_adds_something_else_stays(pad: str) -> None:
    last = "" if "(1, 1) by" in pad else "channels_last=True"
    graph = canonicalise(parse(f"input\n{pad}\nconv axes=2 kernel=3 padding='valid' stride=2 {last}"))
    assert [op.kind.name for op in graph.ops] == ["input", "pad", "conv"]


def test_an_amount_that_sizes_decide_is_not_known() -> None:
    """As `correct_pad` of Keras has it: what runs has numbers, and what is read has none."""
    amount = "((0, unknown('a size', 'a.py:1:1:0:0')), (0, 1))"
    text = f"input\npad amount={amount} by=0 mode='constant'\nconv axes=2 channels_last=True kernel=3 padding='valid'"
    assert isinstance(window(text)["padding"], Unknown)


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("conv axes=2 kernel=3 stride=1", 1),
        ("conv axes=2 kernel=(1, 7) stride=(1, 1)", (0, 3)),
        ("conv axes=1 kernel=3 stride=1 dilation=2", 2),
        ("conv axes=2 kernel=1 stride=2", 0),
        ("conv axes=2 kernel=3 stride=2", "same"),  # by the size of what it reads, one or two elements
        ("conv axes=2 kernel=2 stride=1", "same"),
        ("pool axes=2 kernel=3 mode='max' stride=1", 1),
        ("pool axes=2 kernel=3 mode='mean' stride=1", "same"),  # what is added counts in some frameworks
        ("conv_transpose axes=2 kernel=2 stride=2", 0),
        ("conv_transpose axes=2 kernel=4 stride=2", 1),
        ("conv_transpose axes=2 kernel=3 stride=2", "same"),
    ],
)
def test_same_is_a_number_where_it_is_one_for_all_sizes(stated: str, expected: object) -> None:
    assert window(f"input\n{stated} padding='same'")["padding"] == expected


def test_zeros_before_a_maximum_add_nothing_to_what_is_not_negative() -> None:
    pad = "pad amount=((1, 1), (1, 1)) by=0 mode='constant'\n"
    pad += "pool axes=2 channels_last=True kernel=3 mode='max' padding='valid'"
    assert window(f"input\nrelu\n{pad} stride=2")["padding"] == 1
    kept = canonicalise(parse(f"input\ngelu approximate='none'\n{pad} stride=2"))
    assert "pad" in [op.kind.name for op in kept.ops]
    wide = pad.replace("(1, 1)", "(3, 3)")
    assert "pad" in [op.kind.name for op in canonicalise(parse(f"input\nrelu\n{wide} stride=2")).ops]


def test_a_mean_over_space_is_pooling() -> None:
    assert_pass(
        RaisePools(),
        "input\nconv axes=2 channels_last=True\nrelu\nmean axis=(1, 2)",
        "input\nconv axes=2 channels_last=True\nrelu\npool axes=2 channels_last=True mode='mean' scope='global':\n"
        "  mean %2 axis=(1, 2)",
    )
    assert_pass(
        RaisePools(),
        "input\nconv axes=2\nmean axis=(-1, -2)",
        "input\nconv axes=2\npool axes=2 mode='mean' scope='global':\n  mean %1 axis=(-1, -2)",
    )
    assert_pass(RaisePools(), "input\npool axes=2 mode='mean' size=1", "input\npool axes=2 mode='mean' scope='global'")


@pytest.mark.parametrize("text", ["conv axes=2\nmean axis=(1, 2)", "conv axes=2\nmean axis=-1", "mean axis=(2, 3)"])
def test_a_mean_over_other_axes_is_none(text: str) -> None:
    assert_pass(RaisePools(), f"input\n{text}", f"input\n{text}")
