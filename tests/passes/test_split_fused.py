from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pass_asserts import assert_left, assert_pass, canonical

from archcheck.ir.graph import Op, OpGraph
from archcheck.ir.text import parse
from archcheck.passes.split_fused import SplitFused

PASS = SplitFused()


def test_a_projection_that_is_cut_in_three_is_three_projections() -> None:
    assert_pass(
        PASS,
        """
        %x = input
        %f = linear %x bias=True in_features=4 out_features=12
        %p = split %f axis=-1 sections=3
        attention %p, %p.1, %p.2
        """,
        """
        %x = input
        %q = linear %x bias=True in_features=4 out_features=4:
          %f = linear %x bias=True in_features=4 out_features=12
          split %f axis=-1 sections=3
        %k = linear %x bias=True in_features=4 out_features=4:
          %f = linear %x bias=True in_features=4 out_features=12
          %p = split %f axis=-1 sections=3
          give %p.1
        %v = linear %x bias=True in_features=4 out_features=4:
          %f = linear %x bias=True in_features=4 out_features=12
          %p = split %f axis=-1 sections=3
          give %p.2
        attention %q, %k, %v
        """,
    )


def test_a_gate_and_its_value_are_two_projections() -> None:
    found = canonical(
        """
        %x = input
        linear %x in_features=4 out_features=32
        %p = split axis=-1 sections=2
        %g = silu %p
        %h = mul %g, %p.1
        linear %h in_features=16 out_features=4
        """
    )
    (_, feed_forward) = found.ops
    assert feed_forward.kind.name == "feed_forward"
    assert feed_forward.attr("gated") is True
    assert _widths(OpGraph(feed_forward.body)) == [16, 16, 4]


def _widths(graph: OpGraph) -> list[object]:
    return [op.attr("out_features") for op in graph.ops if op.kind.name == "linear"]


CUTS = {
    "split by sizes": ("", "%p = split %f axis=2 sections=(8, 2, 2,)", "attention %p, %p.1, %p.2", [8, 2, 2]),
    "chunks of a size": ("", "%p = split %f axis=2 size=4", "attention %p, %p.1, %p.2", [4, 4, 4]),
    "slices": (
        "",
        """%a = select %f index=("...", ("slice", None, 6, None,),)
%b = select %f index=("...", ("slice", 6, 9, None,),)
%c = select %f index=("...", ("slice", 9, None, None,),)""",
        "attention %a, %b, %c",
        [6, 3, 3],
    ),
    "narrow": (
        "",
        "%a = select %f axis=-1 start=0 length=6\n%b = select %f axis=-1 start=6 length=6",
        "mul %a, %b",
        [6, 6],
    ),
    "parts first, then heads": (
        "%g = reshape %f shape=(unknown('b'), unknown('n'), 3, 2, 2,)\n%f2 = permute %g axes=(2, 0, 3, 1, 4,)",
        "%p = split %f2 axis=0 unbind=True",
        "attention %p, %p.1, %p.2",
        [4, 4, 4],
    ),
    "indices behind a permutation": (
        "%g = reshape %f shape=(unknown('b'), unknown('n'), 3, 2, 2,)\n%f2 = permute %g axes=(2, 0, 3, 1, 4,)",
        "%a = select %f2 index=0\n%b = select %f2 index=1\n%c = select %f2 index=2",
        "attention %a, %b, %c",
        [4, 4, 4],
    ),
    "each head holds q, k and v": (
        "%f2 = reshape %f shape=(unknown('all but the last'), -1, 6,)",
        "%p = split %f2 axis=-1 sections=3",
        "attention %p, %p.1, %p.2",
        [4, 4, 4],
    ),
    "one key and value for all heads": (
        "%f2 = reshape %f shape=(unknown('b'), unknown('n'), 6, 2,)",
        """%a = select %f2 index=("...", ("slice", None, -2, None,), ("slice", None, None, None,),)
%b = select %f2 index=("...", (-2,), ("slice", None, None, None,),)
%c = select %f2 index=("...", (-1,), ("slice", None, None, None,),)""",
        "attention %a, %b, %c",
        [8, 2, 2],
    ),
}


@pytest.mark.parametrize("name", CUTS)
def test_every_way_to_cut_gives_maps_of_the_parts_widths(name: str) -> None:
    views, cuts, use, widths = CUTS[name]
    found = PASS.run(parse("\n".join(["%x = input", "%f = linear %x out_features=12", views, cuts, use]) + "\n"))
    assert _widths(found) == widths
    assert PASS.run(found) is found
    assert not any(op.kind.name in ("split", "select") for op in found.ops)


def test_what_was_laid_out_as_heads_is_laid_out_so_again() -> None:
    found = PASS.run(
        parse(
            """
            %x = input
            linear %x out_features=12
            reshape shape=(unknown('b'), unknown('n'), 2, 3, 2,)
            %h = permute axes=(0, 2, 1, 3, 4,)
            %a = select %h index=("...", 0, ("slice", None, None, None,),)
            %b = select %h index=("...", 1, ("slice", None, None, None,),)
            mul %a, %b
            """
        )
    )
    linear, shaped, permuted = found.ops[1:4]
    assert [op.kind.name for op in (linear, shaped, permuted)] == ["linear", "reshape", "permute"]
    assert _plain(shaped) == [None, None, 2, 2]  # 2 heads of 2
    assert permuted.attr("axes") == (0, 2, 1, 3)  # heads before tokens
    assert [op.kind.name for op in linear.body] == ["linear", "reshape", "permute", "select", "permute", "reshape"]


def _plain(op: Op) -> list[int | None]:
    shape = op.attr("shape")
    assert isinstance(shape, tuple)
    return [size if isinstance(size, int) else None for size in shape]


@pytest.mark.parametrize(
    "ops",
    [
        # read whole as well
        "%p = split %f axis=-1 sections=3\n%a = attention %p, %p.1, %p.2\nmul %a, %f\n",
        # one part only
        "%p = split %f axis=-1 sections=3\nrelu %p\n",
        # along tokens
        "%p = split %f axis=1 sections=3\nattention %p, %p.1, %p.2\n",
        # one token of each sequence, and another
        '%a = select %f index=(("slice", None, None, None,), 0,)\n'
        '%b = select %f index=(("slice", None, None, None,), 1,)\nmul %a, %b\n',
        # pieces of one projection: turned, then joined again
        "%p = split %f axis=-1 sections=(4, 8,)\n%r = rope %p\nconcat %r, %p.1 axis=-1\n",
        # sizes that do not add up
        "%p = split %f axis=2 sections=(4, 4,)\nmul %p, %p.1\n",
        # a reshape that mixes tokens with features
        "%g = reshape %f shape=(unknown('b'), 5, 7,)\n%p = split %g axis=-1 sections=7\nmul %p, %p.1\n",
    ],
)
def test_what_is_no_fused_projection_is_left(ops: str) -> None:
    assert_left(PASS, "%x = input\n%f = linear %x out_features=12\n" + ops)


def test_a_part_that_is_cut_again_is_cut_again() -> None:
    found = PASS.run(
        parse(
            """
            %x = input
            %f = linear %x out_features=12
            %p = split %f axis=-1 sections=(4, 8,)
            %k = split %p.1 axis=-1 sections=2
            attention %p, %k, %k.1
            """
        )
    )
    assert _widths(found) == [4, 4, 4]
    assert PASS.run(found) is found


@given(st.lists(st.integers(1, 9), min_size=2, max_size=5))
def test_the_parts_widths_add_up_to_the_fused_one(sections: list[int]) -> None:
    sizes = ", ".join(map(str, sections))
    reads = ", ".join(f"%p.{number}" for number in range(len(sections)))
    text = (
        f"%x = input\n%f = linear %x out_features={sum(sections)}\n%p = split %f sections=({sizes},)\nopaque {reads}\n"
    )
    assert _widths(PASS.run(parse(text))) == sections
