"""What code is compared without: heads laid out, masks that `causal` stands for, axes of other layouts, the usual."""

from __future__ import annotations

import pytest

from archcheck.ir.graph import OpGraph
from archcheck.ir.text import dump, parse
from archcheck.ir.verify import verify
from archcheck.passes import as_compared, canonicalise

PROJECTED = "%x = input\n" + "\n".join(f"%{one} = linear %x in_features=32 out_features=32" for one in "qkv")
SHAPED = "\n".join(f"%{one}r = reshape %{one} shape=(2, 7, 4, 8)\n%{one}h = permute %{one}r {{}}" for one in "qkv")
CORE = """
%t = permute %kh axis=-2 other_axis=-1
%s = matmul %qh, %t
%c = mul %s by=0.5
%p = softmax %c axis=-1
%a = matmul %p, %vh"""
BACK = "\n%b = permute %a {}\n%f = reshape %b shape=(2, 7, 32)\nlinear %f in_features=32 out_features=32"
EINSUM = """
%s = einsum %qr, %kr equation='bqhd,bkhd->bhqk'
%c = mul %s by=0.5
%p = softmax %c axis=-1
%a = einsum %p, %vr equation='bhqk,bkhd->bqhd'
%f = reshape %a shape=(2, 7, 32)
linear %f in_features=32 out_features=32"""


def compared(text: str) -> OpGraph:
    graph = as_compared(canonicalise(parse(text)))
    assert as_compared(graph) == graph  # run twice, it changes nothing
    return verify(graph)


def kinds(text: str) -> list[str]:
    return [op.kind.name for op in compared(text).walk() if op.kind.name not in ("input", "self_attention")]


def by_products(forth: str, back: str) -> str:
    return f"{PROJECTED}\n{SHAPED.format(*[forth] * 3)}{CORE}{BACK.format(back)}"


LAID_OUT = ["linear", "linear", "linear", "attention", "linear"]
HEADS_SECOND = by_products("axis=1 other_axis=2", "axis=1 other_axis=2")
HEADS_THIRD = PROJECTED + "\n" + "\n".join(f"%{one}r = reshape %{one} shape=(2, 7, 4, 8)" for one in "qkv") + EINSUM


@pytest.mark.parametrize("text", [HEADS_SECOND, by_products("axes=(0, 2, 1, 3)", "axes=(0, 2, 1, 3)"), HEADS_THIRD])
def test_heads_that_are_laid_out_as_attention_needs_them(text: str) -> None:
    assert kinds(text) == LAID_OUT


def test_wherever_heads_stand_it_is_one_graph() -> None:
    one, other = compared(HEADS_SECOND), compared(HEADS_THIRD)
    assert dump(one, places=False) == dump(other, places=False)


@pytest.mark.parametrize(
    "text",
    [
        by_products("axis=0 other_axis=2", "axis=0 other_axis=2"),  # over the batch
        by_products("axis=1 other_axis=2", "axis=1 other_axis=3"),  # put together otherwise than it was cut
        by_products("axis=1 other_axis=3", "axis=1 other_axis=3"),
        HEADS_SECOND.replace("%vh = permute %vr axis=1 other_axis=2", "%vh = reshape %vr shape=(2, 4, 7, 8)"),
        HEADS_SECOND.replace("shape=(2, 7, 32)\n", "shape=(2, 4, 56)\n"),
        HEADS_THIRD.replace("bqhd,bkhd->bhqk", "bqhd,bqkd->bhqk"),
        HEADS_THIRD.replace("bhqk,bkhd->bqhd", "bhqk,bkhd->bhqd"),
        HEADS_THIRD.replace("%vr = reshape %v shape=(2, 7, 4, 8)", "%vr = reshape %v shape=(2, 4, 7, 8)"),
    ],
)
def test_other_axes_stay_and_differ(text: str) -> None:
    found = kinds(text)
    assert {"reshape", "permute"} & set(found)
    assert found != LAID_OUT


TABLES = """
%n = constant value='arange' start=0 step=1
%i = constant value='arange' start=0 step=2
%w = pow %i base=10000.0
%o = outer %n, %w
%d = concat %o, %o axis=-1
%cos = cos %d
%sin = sin %d
"""
TURN = """
%{0}1 = select %{0}r index=('...', ('slice', None, 4, None))
%{0}2 = select %{0}r index=('...', ('slice', 4, None, None))
%{0}3 = neg %{0}2
%{0}4 = concat %{0}3, %{0}1 axis=-1
%{0}5 = mul %{0}r, %cosv
%{0}6 = mul %{0}4, %sinv
%{0}7 = add %{0}5, %{0}6"""


def turned(index: str) -> str:
    views = f"%cosv = select %cos index={index}\n%sinv = select %sin index={index}\n"
    head, core = HEADS_THIRD.split(EINSUM)[0], EINSUM.replace("%qr, %kr", "%q7, %k7")
    return head + TABLES + views + (TURN.format("q") + TURN.format("k")).strip() + core


WHOLE = "('slice', None, None, None)"


def test_tables_beside_the_positions_are_the_tables() -> None:
    found = kinds(turned(f"({WHOLE}, None, {WHOLE})"))
    assert "reshape" not in found
    assert "select" not in found
    assert found.count("rope") == 2


def test_tables_beside_another_axis_stay_and_differ() -> None:
    """Turned by the number of the head, which works where there are as many heads as positions."""
    found = kinds(turned(f"(None, {WHOLE}, {WHOLE})"))
    assert "reshape" in found
    assert "select" in found


MASK = "%one = constant value=1\n%m = triangle %one upper={} diagonal={}\n"
MASKED = CORE.replace("%p = softmax %c", "%w = where %m, %c no=-1e9\n%p = softmax %w")


def test_a_mask_that_is_causal_and_no_more_goes() -> None:
    text = HEADS_SECOND.replace(CORE, "\n" + MASK.format(False, 0).strip() + MASKED)
    graph = compared(text)
    (found,) = (op for op in graph.walk() if op.kind.name == "attention")
    assert found.attr("causal") is True
    assert kinds(text) == LAID_OUT


@pytest.mark.parametrize(("upper", "diagonal"), [(True, 0), (True, 1), (False, 1), (False, -1)])
def test_another_mask_stays(upper: bool, diagonal: int) -> None:
    text = HEADS_SECOND.replace(CORE, "\n" + MASK.format(upper, diagonal).strip() + MASKED)
    assert "triangle" in kinds(text)


def shown(text: str) -> str:
    return dump(compared(text), places=False).partition("\n")[2].strip()


def test_channels_are_counted_from_the_front() -> None:
    last = """%a = input
%b = conv %a axes=2 channels_last=True kernel=3 padding=1
%c = batch_norm %b axis=-1 eps=1e-05
%d = relu
%e = concat %b, %d axis=-1
%f = concat %b, %e axis=2
"""
    first = last.replace(" channels_last=True", "").replace(" axis=-1 eps", " axis=1 eps")
    first = first.replace("%d axis=-1", "%d axis=1").replace("%e axis=2", "%e axis=3")
    assert shown(last) == shown(first)
    assert "axis=3" in shown(last)
    assert shown(last) != shown(first.replace("%e axis=3", "%e axis=2"))


def test_a_graph_of_two_layouts_stays() -> None:
    text = "input\nconv axes=2 channels_last=True kernel=3\nconv axes=2 channels_last=False kernel=3"
    assert "channels_last=True" in shown(text)


def test_what_is_left_of_maps_is_laid_out_in_any_way() -> None:
    pooled = "input\nconv axes=2 kernel=3\npool axes=2 mode='mean' size=1\n"
    plain = shown(pooled + "linear out_features=3")
    for view in ("form='flatten' axis=1 end=-1", "form='squeeze' axis=(2, 3)", "shape=(2, 8)", "shape=(2, 8, 1, 1)"):
        assert shown(f"{pooled}reshape {view}\nlinear out_features=3") == plain
    assert shown(f"{pooled}reshape shape=(2, 4, 2)\nlinear out_features=3") != plain


def test_the_usual_is_left_out_and_nothing_else() -> None:
    usual = "conv axes=2 dilation=(1, 1) groups=1 kernel=3 padding_mode='zeros'"
    assert shown(f"input\n{usual}") == shown("input\nconv axes=2 kernel=3")
    unusual = "conv axes=2 dilation=2 groups=4 kernel=3 padding_mode='reflect'"
    assert shown(f"input\n{unusual}").splitlines()[-1].strip() == f"%1 = {unusual.replace('conv', 'conv %0')}"
    assert "stride" not in shown("input\npool axes=2 kernel=2 mode='max' stride=(2, 2)")
    assert "stride=1" in shown("input\npool axes=2 kernel=2 mode='max' stride=1")
    assert "axis=1" in shown("input\nlayer_norm axis=1 eps=1e-05")


def test_a_column_times_a_row_is_an_outer_product() -> None:
    lines = "%x = input\n%n = constant value='arange' start=0 step=1\n%w = constant value='arange' start=0 step=2\n"
    outer = shown(lines + "%o = outer %n, %w\n%s = sin %o\nadd %x, %s")
    columns = f"%c = reshape %n axis=1 form='unsqueeze'\n%r = select %w index=(None, {WHOLE})\n"
    assert shown(lines + columns + "%o = mul %c, %r\n%s = sin %o\nadd %x, %s") == outer
    assert shown(lines + columns + "%o = mul %r, %c\n%s = sin %o\nadd %x, %s") == outer
    turned = columns.replace("axis=1", "axis=0").replace(f"(None, {WHOLE})", f"({WHOLE}, None)")
    assert shown(lines + turned + "%o = mul %c, %r\n%s = sin %o\nadd %x, %s") != outer
