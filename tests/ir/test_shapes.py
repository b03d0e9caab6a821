"""Which shape an op gives, by rule: what follows is certain, and what does not is not known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from archcheck.frontends import dialects
from archcheck.ir.graph import Size, Unknown
from archcheck.ir.ops import KINDS
from archcheck.ir.shapes import Dims, Shaped, shapes_of
from archcheck.ir.shapes.pointwise import PAIRS

OPEN, SIZE = Unknown("not known"), Size("a size")
ALL = ("slice", None, None, None)
N = None


def one(
    kind: str, *operands: Dims | None, arguments: Mapping[str, object] | None = None, **attrs: object
) -> Dims | None:
    """The shape of what an op gives."""
    return shapes_of(kind, attrs, operands, arguments=arguments)[0]


@pytest.mark.parametrize(
    ("operands", "shape"),
    [
        (((2, 1, 4), (3, 1)), (2, 3, 4)),
        (((N, 4), (1, 4)), (N, 4)),
        (((N, 4), (3, 4)), (3, 4)),
        (((N, 4), (N, 1)), (N, 4)),
        (((1,), (N,)), (N,)),
        (((), (2, 3)), (2, 3)),
        (((0, 4), (1, 4)), (0, 4)),
        (((2, 4), (3, 4)), N),
        (((2, 4), N), N),
    ],
)
def test_two_tensors_are_stretched_to_each_other(operands: tuple[Dims | None, ...], shape: Dims | None) -> None:
    assert one("add", *operands) == shape


def test_a_constant_operand_counts_only_if_it_is_a_number() -> None:
    assert one("mul", (2, 3), by=0.5) == (2, 3)
    assert one("mul", (2, 3), by=SIZE) == (2, 3)
    assert one("mul", (2, 3), by=OPEN) is None  # it may be a tensor
    assert one("maximum", (2, 3)) is None  # nothing is told of the other
    assert one("maximum", (2, 3), arguments={"input": Shaped((2, 3)), "other": 0.0}) == (2, 3)


@pytest.mark.parametrize(
    ("dims", "attrs", "shape"),
    [
        ((2, 7, 24), {"shape": (2, 7, 4, 6)}, (2, 7, 4, 6)),
        ((2, 7, 24), {"shape": (2, -1, 4, 6)}, (2, 7, 4, 6)),
        ((2, 7, 24), {"shape": (2, SIZE, 4, 6)}, (2, 7, 4, 6)),
        ((2, 7, 24), {"shape": (2, SIZE, 4, -1)}, (2, N, 4, N)),
        ((2, N, 24), {"shape": (2, -1, 4, 6)}, (2, N, 4, 6)),
        (N, {"shape": (2, -1, 4, 6)}, (2, N, 4, 6)),
        ((2, 7, 24), {"shape": (2, OPEN, 4, 6)}, N),  # it may stand for several
        ((2, 7, 24), {"shape": -1}, (336,)),
        ((2, 7, 24), {"shape": (5, -1)}, (5, N)),
        ((2, 7, 24), {"shape": (5, 7)}, N),
        ((2, 7, 24), {"shape": (12, 14), "batch_apart": True}, (2, 12, 14)),
        ((2, 1, 24), {"form": "squeeze", "axis": 1}, (2, 24)),
        ((2, 1, 24), {"form": "squeeze", "axis": 0}, (2, 1, 24)),
        ((1, 7, 1), {"form": "squeeze"}, (7,)),
        ((1, N, 1), {"form": "squeeze"}, N),
        ((2, 7), {"form": "unsqueeze", "axis": -1}, (2, 7, 1)),
        ((2, 7), {"form": "unsqueeze", "axis": 3}, N),
        ((2, 7, 4, 6), {"form": "flatten", "axis": 1, "end": 2}, (2, 28, 6)),
        ((2, N, 4, 6), {"form": "flatten", "axis": 1}, (2, N)),
        ((2, 24), {"form": "unflatten", "axis": 1, "shape": (4, -1)}, (2, 4, 6)),
        ((2, 24), {"form": "pack"}, N),
        ((2, 24), {}, N),
    ],
)
def test_reshape(dims: Dims | None, attrs: dict[str, object], shape: Dims | None) -> None:
    assert one("reshape", dims, **attrs) == shape


@pytest.mark.parametrize(
    ("attrs", "shape"),
    [
        ({"axes": (2, 0, 1)}, (5, 3, 4)),
        ({"axes": "reversed"}, (5, 4, 3)),
        ({"axes": (2, 1), "batch_apart": True}, (3, 5, 4)),
        ({"axis": 1, "other_axis": -1}, (3, 5, 4)),
        ({"source": 0, "destination": -1}, (4, 5, 3)),
        ({"source": (0, 1), "destination": (1, 0)}, (4, 3, 5)),
        ({"axes": (2, 0)}, N),
        ({"axes": (0, 0, 1)}, N),
        ({"axes": (OPEN, 0, 1)}, N),
    ],
)
def test_permute(attrs: dict[str, object], shape: Dims | None) -> None:
    assert one("permute", (3, 4, 5), **attrs) == shape


@pytest.mark.parametrize(
    ("dims", "attrs", "shape"),
    [
        ((1, 4), {"shape": (3, -1)}, (3, 4)),
        ((4,), {"shape": (3, -1)}, (3, 4)),
        ((1, 4), {"shape": (SIZE, SIZE)}, (N, 4)),
        ((2, 4), {"shape": (3, 4)}, N),
        ((2, 4), {"repeats": (3, 1, 2)}, (3, 2, 8)),
        ((2, 4), {"repeats": 3, "axis": 1, "interleaved": True}, (2, 12)),
        ((2, 4), {"repeats": 3, "interleaved": True}, (24,)),
        ((2, 4), {"repeats": (1, 2), "axis": 0, "interleaved": True}, (3, 4)),
        ((2, 4), {"axis": 0, "interleaved": True}, (N, 4)),  # a tensor says how often
        ((2, 4), {"repeats": 3, "axis": 1}, (2, 3, 4)),
        ((2, 4), {}, N),
    ],
)
def test_expand(dims: Dims, attrs: dict[str, object], shape: Dims | None) -> None:
    assert one("expand", dims, **attrs) == shape


@pytest.mark.parametrize(
    ("index", "others", "shape"),
    [
        (0, (), (4, 5)),
        (3, (), N),  # there are three
        (SIZE, (), (4, 5)),
        (OPEN, (), N),
        (("slice", 1, None, None), (), (2, 4, 5)),
        (("slice", -2, None, None), (), (2, 4, 5)),
        (("slice", None, SIZE, None), (), (N, 4, 5)),
        (("slice", None, None, 2), (), (2, 4, 5)),
        ((ALL, 0), (), (3, 5)),
        ((ALL, None, ("slice", None, 2, None)), (), (3, 1, 2, 5)),
        (("...", 0), (), (3, 4)),
        (("...", None), (), (3, 4, 5, 1)),
        ((ALL, ALL, ALL, ALL), (), N),
        ((0, 1), (), N),  # `x[0, 1]` or `x[[0, 1]]`
        ((0, 2, 4), (), ()),  # there are no five rows
        ([0, 1], (), (2, 4, 5)),
        ((ALL, (0, 1)), (), (3, 2, 5)),
        ((ALL, (True, False, True, False)), (), (3, 2, 5)),
        (OPEN, ((7,),), (7, 4, 5)),
        (OPEN, ((3,),), (N, 4, 5)),  # integers or truths
        (OPEN, ((6, 7),), (6, 7, 4, 5)),
        (OPEN, ((3, 4),), N),
        (OPEN, (N,), N),
        ((ALL, OPEN), ((7,),), (3, 7, 5)),
        ((OPEN, OPEN), ((7, 1), (6,)), (7, 6, 5)),
        ((OPEN, ALL, OPEN), ((7,), (7,)), (7, 4)),
        ((0, ALL, OPEN), ((7,),), (4, 7)),
        ((ALL, OPEN, None, OPEN), ((7,), (7,)), (7, 3, 1)),
        ((OPEN, OPEN), ((7,),), N),  # one is no tensor
        ((("slice", None, OPEN, None), OPEN), ((), (7,)), (N, 7, 5)),
    ],
)
def test_an_index_in_brackets(index: object, others: tuple[Dims | None, ...], shape: Dims | None) -> None:
    assert one("select", (3, 4, 5), *others, index=index) == shape


def test_reductions_need_to_know_whether_axes_stay() -> None:
    assert one("mean", (2, 3, 4), axis=-1) is None
    assert one("mean", (2, 3, 4), axis=-1, arguments={"keepdim": True}) == (2, 3, 1)
    assert one("mean", (2, 3, 4), axis=(0, 2), arguments={"keepdims": False}) == (3,)
    assert one("sum", (2, 3, 4), arguments={"dim": None, "keepdim": False}) == ()
    assert one("sum", (2, 3, 4), arguments={"dim": OPEN, "keepdim": False}) is None
    assert one("sum", (2, 3, 4), axis=3, arguments={"keepdim": False}) is None


def test_parts() -> None:
    assert shapes_of("split", {"size": 3, "axis": 1}, [(2, 8)], 3) == ((2, 3), (2, 3), (2, 2))
    assert shapes_of("split", {"sections": 2, "axis": -1}, [(2, 8)], 3) == ((2, 4), (2, 4), None)
    assert shapes_of("split", {"sections": (2, 6), "axis": -1}, [(2, 8)], 2) == ((2, N), (2, N))  # places or sizes
    assert shapes_of("split", {"sections": (2, 5), "axis": -1}, [(2, 8)], 3) == ((2, 2), (2, 3), (2, 3))
    assert shapes_of("split", {"unbind": True, "axis": 1}, [(2, 8)], 2) == ((2,), (2,))
    assert shapes_of("split", {"sections": 3, "axis": 0}, [(8,)], 3) == ((N,), (N,), (N,))
    assert shapes_of("split", {"sections": 3, "axis": 0}, [(8,)], 3, arguments={"chunks": 3}) == ((3,), (3,), (2,))
    assert shapes_of("topk", {"k": 3, "axis": -1}, [(2, 8)], 2) == ((2, 3), (2, 3))


def test_what_stands_as_one_operand_may_be_a_list() -> None:
    assert one("concat", (2, 3), axis=0) == (N, 3)
    assert one("concat", (2, 3), (N, 3), axis=0) == (N, 3)
    assert one("concat", (2, 3), (4, 3), axis=0) == (6, 3)
    assert one("concat", (2, 3), N, axis=0) == (N, 3)
    assert one("concat", (2, 3), (4, 5), axis=0) is None
    assert one("stack", (2, 3), axis=0) == (N, 2, 3)
    assert one("stack", (2, 3), (2, N), axis=-1) == (2, N, 2)
    assert one("concat", (2, 3), (4, 3), axis=0, arguments={}) is None  # `torch.vstack`, `einops.pack`
    assert one("meshgrid", (3,), indexing="ij") is None


def test_windows() -> None:
    conv: dict[str, Any] = {"axes": 2, "kernel": (3, 5), "stride": 2, "padding": 1, "dilation": 1, "out_features": 8}
    assert one("conv", (2, 3, 9, 9), **conv) == (2, 8, 5, 4)
    assert one("conv", (3, 9, 9), **conv) == (8, 5, 4)
    assert one("conv", (2, 9, 9, 3), **conv | {"channels_last": True, "padding": "same"}) == (2, 5, 5, 8)
    assert one("conv", (2, 3, N, 9), **conv) == (2, 8, N, 4)
    assert one("conv", (2, 3, 9), (8, 3, 2), axes=1, stride=1, padding="valid", dilation=1) == (2, 8, 8)
    assert one("conv_transpose", (2, 3, 9, 9), **conv) == (2, 8, N, N)
    assert one("conv_transpose", (2, 3, 9, 9), **conv, arguments={"output_padding": 1}) == (2, 8, 18, 20)
    pool: dict[str, Any] = {"axes": 1, "kernel": 2, "mode": "max"}
    assert one("pool", (2, 3, 8), **pool) == (2, 3, 4)
    assert one("pool", (2, 3, 9), **pool) == (2, 3, N)  # the last window may count
    assert one("pool", (2, 3, 9), **pool, arguments={"ceil_mode": True}) == (2, 3, 5)
    assert one("pool", (2, 3, 9), axes=1, size=1) == (2, 3, 1)


def test_products_and_patterns() -> None:
    assert one("matmul", (2, 1, 3, 4), (5, 4, 6)) == (2, 5, 3, 6)
    assert one("matmul", (4,), (2, 4, 6)) == (2, 6)
    assert one("matmul", (3, 4), (5, 6)) is None
    assert one("matmul", (2, 4, 3), (2, 6, 4), transpose_a=True, transpose_b=True) == (2, 3, 6)
    assert one("einsum", (2, 7, 4, 8), (2, 9, 4, 8), equation="bqhd,bkhd->bhqk") == (2, 4, 7, 9)
    assert one("einsum", (2, 7, 8), (8, 9), equation="...d, de -> ...e") == (2, 7, 9)
    assert one("einsum", (2, 3), (3, 4), equation="ij,jk") == (2, 4)
    assert one("einsum", (2, 7, 8), (2, 9, 8), equation="batch i d, batch j d -> batch i j") == (2, 7, 9)
    assert one("einsum", (2, 7, 8), (2, 9, 8), equation="bid,bjd->bijk") is None
    heads = (("h", 4),)
    assert one("rearrange", (2, 7, 32), pattern="b n (h d) -> b h n d", sizes=heads) == (2, 4, 7, 8)
    assert one("rearrange", (2, 3, 8, 8), pattern="b c (h p) (w q) -> b (h w) (p q c)", sizes=(("p", 4), ("q", 4))) == (
        2,
        4,
        48,
    )
    assert one("rearrange", (2, 7), pattern="b ... -> ... b 1", sizes=()) == (7, 2, 1)
    assert one("rearrange", (2, 7), pattern="b n c -> b c", sizes=()) is None


def test_layers() -> None:
    assert one("linear", (2, 7, 32), in_features=32, out_features=64) == (2, 7, 64)
    assert one("linear", (2, 7, 32), (64, 32)) == (2, 7, 64)
    assert one("embedding", (2, 7), rows=10, dim=32) == (2, 7, 32)
    assert one("embedding", (2, 7, 3), (10, 32)) == (2, 7, 3, 32)
    assert one("embedding", (2, 7), (10, 32)) is None  # which one is the table?
    assert one("embedding", (2, 7), (10, 32), arguments={"input": N, "weight": N}) == (2, 7, 32)
    heads = (2, 4, 7, 8), (2, 2, 9, 8), (2, 2, 9, 16)
    assert one("attention", *heads, layout="b h s d") == (2, 4, 7, 16)
    lstm = {"units": 6, "layers": 2, "bidirectional": True, "batch_first": True}
    assert shapes_of("lstm", lstm, [(3, 5, 4)], 2) == ((3, 5, 12), (2, 4, 3, 6))
    assert shapes_of("gru", lstm | {"batch_first": False}, [(3, 5, 4)], 2) == ((3, 5, 12), (4, 5, 6))


def test_constants() -> None:
    assert one("constant", shape=(2, 3), value=0) == (2, 3)
    assert one("constant", value=0) is None  # zeros like another tensor, or a number
    assert one("constant", value=0, arguments={"input": Shaped((2, 3))}) == (2, 3)
    assert one("constant", value=0, arguments={"data": 0}) == ()
    assert one("constant", value=((1, 2), (3, 4))) == (2, 2)
    assert one("constant", value="arange", start=0, end=7, step=2) == (4,)
    assert one("constant", value="arange", start=0, end=SIZE, step=2) == (N,)


_WORDS = ["...", "same", "b (h d) -> b h d", "ij,jk->ik", "mask", "diagonal"]
_PLAIN = some.one_of(
    some.none(),
    some.booleans(),
    some.integers(-3, 9),
    some.floats(),
    some.sampled_from([OPEN, SIZE, *_WORDS]),
)
_VALUES = some.recursive(_PLAIN, lambda inner: some.lists(inner, max_size=4).map(tuple), max_leaves=6)
_DIMS = some.none() | some.lists(some.none() | some.integers(0, 6), max_size=5).map(tuple)
_STATED = sorted({attr.name for kind in KINDS for attr in kind.attrs})
_TOLD = ["keepdim", "ceil_mode", "self", "input", "size", "output_padding", "data", "tensors", "index", "reduction"]


@given(
    some.sampled_from([kind.name for kind in KINDS]),
    some.dictionaries(some.sampled_from(_STATED), _VALUES, max_size=5),
    some.lists(_DIMS, max_size=4),
    some.integers(1, 3),
    some.none() | some.dictionaries(some.sampled_from(_TOLD), _VALUES | _DIMS.map(Shaped), max_size=4),
)
def test_anything_has_as_many_shapes_as_outputs_and_raises_nothing(
    kind: str,
    attrs: dict[str, object],
    operands: list[Dims | None],
    outputs: int,
    arguments: dict[str, object] | None,
) -> None:
    found = shapes_of(kind, attrs, operands, outputs, arguments=arguments)
    assert len(found) == outputs
    assert all(shape is None or all(size is None or size >= 0 for size in shape) for shape in found)


def test_functions_of_pairs_are_those_of_which_rows_read_two_tensors() -> None:
    found = {True: set[object](), False: set[object]()}
    for dialect in dialects.DIALECTS:
        for row in (*dialect.functions.values(), *dialect.methods.values()):
            if row.kind == "elementwise":
                found[sum(one.reads for one in row.parameters) > 1].add(row.const["function"])
    assert found[True] <= PAIRS
    assert not found[False] & PAIRS


def test_structure_and_unknown_kinds_have_no_shape() -> None:
    for kind in ("residual", "repeat", "self_attention", "opaque", "no such kind"):
        assert shapes_of(kind, {}, [(2, 3)], 2) == (None, None)
