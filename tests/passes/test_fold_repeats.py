from __future__ import annotations

import pytest
from pass_asserts import assert_left, assert_pass, shown

from archcheck.ir.text import parse
from archcheck.ir.verify import verify
from archcheck.passes.fold_repeats import FoldRepeats

PASS = FoldRepeats()
LAYER = "residual:\n  self_attention heads={0}\nlayer_norm\n"


def test_equal_layers_are_one_with_a_count() -> None:
    assert_pass(
        PASS,
        "%x = input\n" + LAYER.format(8) * 3,
        "%x = input\nrepeat count=3:\n  residual %x:\n    self_attention heads=8\n  layer_norm\n",
    )


def test_what_all_rounds_read_is_read_from_outside() -> None:
    layer = "residual {0}, %m:\n  self_attention {0}, %m\n"
    assert_pass(
        PASS,
        "%x = input\n%m = input\n"
        + "".join(f"%{place} = " + layer.format(before) for place, before in (("a", "%x"), ("b", "%a"), ("c", "%b"))),
        "%x = input\n%m = input\nrepeat %x, %m count=3:\n  residual %x, %m:\n    self_attention %x, %m\n",
    )


def test_two_layers_in_turn_are_one_round() -> None:
    assert_pass(
        PASS,
        "%x = input\n" + (LAYER.format(8) + LAYER.format(4)) * 4,
        "%x = input\nrepeat count=4:\n  residual %x:\n    self_attention heads=8\n  layer_norm\n"
        "  residual:\n    self_attention heads=4\n  layer_norm\n",
    )


def test_a_layer_that_differs_splits_the_run() -> None:
    found = PASS.run(parse("%x = input\n" + LAYER.format(8) * 3 + LAYER.format(4) + LAYER.format(8) * 2))
    assert [(op.kind.name, op.attr("count")) for op in found.ops] == [
        ("input", None),
        ("repeat", 3),
        ("residual", None),
        ("layer_norm", None),
        ("repeat", 2),
    ]


def test_repeats_within_repeats() -> None:
    two = "residual:\n  feed_forward d_ff=1\nresidual:\n  feed_forward d_ff=1\nresidual:\n  self_attention\n"
    assert_pass(
        PASS,
        "%x = input\n" + two * 3,
        "%x = input\nrepeat count=3:\n  repeat %x count=2:\n    residual %x:\n      feed_forward d_ff=1\n"
        "  residual:\n    self_attention\n",
    )


def test_two_streams_are_carried() -> None:
    layer = "%f{0} = feed_forward {1}\n%n{0} = add {1}, %f{0}\n%a{0} = layer_norm %n{0}\n%b{0} = add {2}, %f{0}\n"
    text = "%x = input\n%y = input\n" + layer.format(1, "%x", "%y") + layer.format(2, "%a1", "%b1")
    found = verify(PASS.run(parse(text + "add %a2, %b2\n")), "fold_repeats")
    repeat = found.ops[2]
    assert (repeat.attr("count"), len(repeat.reads), len(repeat.results)) == (2, 2, 2)
    assert PASS.run(found) == found


def test_values_of_each_round_that_are_returned_are_one_value_of_the_repeat() -> None:
    layer = "%{0} = residual {1}:\n  %k{0} = linear {1}\n  %s{0} = self_attention %k{0}\n  give %s{0}, %k{0}\n"
    text = "%x = input\n" + layer.format("a", "%x") + layer.format("b", "%a") + "give %b, %a.1, %b.1\n"
    found = verify(PASS.run(parse(text)), "fold_repeats")
    assert shown(found).splitlines()[-1] == "give %1, %1.1"


def _numbered(modules: list[str]) -> str:
    """A norm and three layers, each op at its place in the module tree."""
    kinds = ["layer_norm", *["residual:", "layer_norm"] * 3]
    lines = ["%x = input"]
    for number, (kind, module) in enumerate(zip(kinds, modules, strict=True)):
        head = kind.rstrip(":")
        colon = ":" if kind.endswith(":") else ""
        lines.append(
            f'%v{number} = {head} {f"%v{number - 1}" if number else "%x"}{colon}  @ path="{module}/{number}.{head}"'
        )
        if colon:
            lines.append(f'  self_attention @ path="{module}/{number}.self_attention"')
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("modules", "kinds"),
    [
        (
            ["embedding", "layers.0", "layers.0", "layers.1", "layers.1", "layers.2", "layers.2"],
            ["residual", "layer_norm"],
        ),
        (["layers.0", "layers.0", "layers.1", "layers.1", "layers.2", "layers.2", "final"], ["layer_norm", "residual"]),
    ],
)
def test_the_module_tree_says_where_a_layer_begins(modules: list[str], kinds: list[str]) -> None:
    found = PASS.run(parse(_numbered(modules)))
    (repeat,) = [op for op in found.ops if op.kind.name == "repeat"]
    assert repeat.attr("count") == 3
    assert [op.kind.name for op in repeat.body] == kinds


@pytest.mark.parametrize(
    ("why", "ops"),
    [
        ("not fed with what came before", "%a = self_attention %x\n%b = self_attention %x\nadd %a, %b\n"),
        ("small change", "linear\nlinear\nlinear\n"),
        ("an inner value read behind", "%a = feed_forward %x\n%b = feed_forward %a\nadd %a, %b\n"),
        ("another operand", "%y = input\n%a = residual %x:\n  function %x\n%b = residual %y, %a:\n  function %a\n"),
    ],
)
def test_near_misses_are_left(why: str, ops: str) -> None:
    assert_left(PASS, "%x = input\n" + ops)
