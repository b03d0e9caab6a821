from __future__ import annotations

import pytest
from pass_asserts import assert_left, assert_pass

from archcheck.ir.text import parse
from archcheck.passes.raise_linears import RaiseLinears

PASS = RaiseLinears()


def test_a_functional_norm_equals_a_layer_object() -> None:
    assert_pass(
        PASS,
        """
        %x = input
        %w = parameter name="norm.weight"
        %b = parameter name="norm.bias"
        layer_norm %x, %w, %b dim=512 eps=1e-05
        """,
        """
        %x = input
        layer_norm %x bias=True dim=512 elementwise_affine=True eps=1e-05:
          %w = parameter name="norm.weight"
          %b = parameter name="norm.bias"
          layer_norm %x, %w, %b dim=512 eps=1e-05
        """,
    )


@pytest.mark.parametrize(
    ("scale", "offset"),
    [
        ("%v = add %w by=1.0", " offset=1.0"),
        ("%u = add %w by=1.0\n%v = reshape %u shape=(512,)", " offset=1.0"),
        ("%v = add %w by=unknown('config.offset')", " offset=unknown('config.offset')"),
        ("%v = add %w by=0.0", ""),
        ("%v = mul %w by=2.0", ""),
    ],
)
def test_the_offset_of_a_scale_that_a_norm_is_called_with_is_stated(scale: str, offset: str) -> None:
    """Nemotron calls layer_norm with 1 + weight."""
    weights = '%w = parameter name="w" shape=(512,)\n%b = parameter name="b"\n' + scale + "\n"
    call = "layer_norm %x, %v, %b dim=512 eps=1e-05\n"
    body = (weights + call).replace("\n", "\n  ").rstrip()
    assert_pass(
        PASS,
        "%x = input\n" + weights + call,
        f"%x = input\nlayer_norm %x bias=True dim=512 elementwise_affine=True eps=1e-05{offset}:\n  {body}\n",
    )


def test_a_functional_linear_tells_its_sizes_by_its_weight() -> None:
    assert_pass(
        PASS,
        """
        %x = input
        %w = parameter name="weight" shape=(2048, 512,)
        linear %x, %w
        """,
        """
        %x = input
        linear %x bias=False in_features=512 out_features=2048:
          %w = parameter name="weight" shape=(2048, 512,)
          linear %x, %w
        """,
    )


def test_a_product_with_a_learned_matrix_and_a_learned_shift_is_a_linear() -> None:
    assert_pass(
        PASS,
        """
        %x = input
        %w = parameter name="kernel" shape=(512, 2048,)
        %b = parameter name="bias"
        %y = matmul %x, %w
        add %y, %b
        """,
        """
        %x = input
        linear %x bias=True in_features=512 out_features=2048:
          %w = parameter name="kernel" shape=(512, 2048,)
          %b = parameter name="bias"
          %y = matmul %x, %w
          add %y, %b
        """,
    )


def test_the_shift_of_a_fused_product_comes_first() -> None:
    assert_pass(
        PASS,
        """
        %x = input
        %w = parameter name="weight" shape=(768, 3072,)
        %b = parameter name="bias"
        matmul_add %b, %x, %w
        """,
        """
        %x = input
        linear %x bias=True in_features=768 out_features=3072:
          %w = parameter name="weight" shape=(768, 3072,)
          %b = parameter name="bias"
          matmul_add %b, %x, %w
        """,
    )


def test_tied_weights_stay_outside() -> None:
    assert_left(
        PASS,
        """
        %x = input
        %w = parameter name="embedding.weight"
        %e = embedding %x, %w
        linear %e, %w
        """,
    )


@pytest.mark.parametrize(
    "ops",
    [
        "%y = input\nmatmul %x, %y\n",
        '%q = parameter name="queries"\nmatmul %q, %x\n',
        "linear %x bias=True\n",
        "%b = input\n%y = input\nmatmul_add %b, %x, %y\n",
    ],
)
def test_products_of_two_computed_tensors_and_learned_queries_are_left(ops: str) -> None:
    assert_left(PASS, "%x = input\n" + ops)


CONV = "axes=2 channels_last=True kernel=3"


@pytest.mark.parametrize("shape", ["(8,)", "(1, 1, 1, 8,)"])
def test_a_learned_number_for_each_channel_is_the_shift_of_a_convolution(shape: str) -> None:
    assert_pass(
        PASS,
        f"""
        %x = input
        %w = parameter name="w" shape=(3, 3, 4, 8,)
        %y = conv %x, %w {CONV}
        %b = parameter name="b" shape={shape}
        add %y, %b
        """,
        f"""
        %x = input
        conv %x axes=2 bias=True channels_last=True kernel=3:
          %w = parameter name="w" shape=(3, 3, 4, 8,)
          %y = conv %x, %w {CONV}
          %b = parameter name="b" shape={shape}
          add %y, %b
        """,
    )


@pytest.mark.parametrize(
    ("layout", "shape"), [("True", "(16, 16, 8,)"), ("False", "(8,)"), ("False", "(1, 8, 16, 16,)")]
)
def test_learned_positions_are_no_shift_of_a_convolution(layout: str, shape: str) -> None:
    settings = f"axes=2 channels_last={layout} kernel=3"
    assert_pass(
        PASS,
        f"""
        %x = input
        %w = parameter name="w" shape=(3, 3, 4, 8,)
        %y = conv %x, %w {settings}
        %b = parameter name="b" shape={shape}
        add %y, %b
        """,
        f"""
        %x = input
        %y = conv %x axes=2 bias=False channels_last={layout} kernel=3:
          %w = parameter name="w" shape=(3, 3, 4, 8,)
          conv %x, %w {settings}
        %b = parameter name="b" shape={shape}
        add %y, %b
        """,
    )


@pytest.mark.parametrize(
    ("equation", "shape", "sizes"),
    [
        ("btd,dnh->btnh", "(16, 2, 4,)", " in_features=16 out_features=8"),
        ("btnh,nhd->btd", "(2, 4, 16,)", " in_features=8 out_features=16"),
        ("...d,fd->...f", "(32, 16,)", " in_features=16 out_features=32"),
        ("btnh,nhd->btnd", "(2, 4, 16,)", ""),  # a map for each head
    ],
)
def test_an_einsum_tells_the_sizes_of_its_map(equation: str, shape: str, sizes: str) -> None:
    assert_pass(
        PASS,
        f"""
        %x = input
        %w = parameter name="w" shape={shape}
        einsum %x, %w equation="{equation}"
        """,
        f"""
        %x = input
        linear %x bias=False{sizes}:
          %w = parameter name="w" shape={shape}
          einsum %x, %w equation="{equation}"
        """,
    )


def test_a_size_that_code_leaves_open_is_not_stated() -> None:
    """A weight of Keras whose first axis is whatever it is given: `add_weight(shape=(None, 8))`."""
    graph = RaiseLinears().run(parse("%x = input\n%w = parameter name='w' shape=(None, 8)\nmatmul %x, %w"))
    (linear,) = (op for op in graph.ops if op.kind.name == "linear")
    assert (linear.states("in_features"), linear.attr("out_features")) == (False, 8)


def test_what_is_chosen_by_an_input_from_a_table_is_an_embedding() -> None:
    """And a product over the last axis of one and the first of a matrix is a linear map; over others it is none."""
    table = "%x = input\n%w = parameter name='w' shape=(100, 8)\n"
    (op,) = RaiseLinears().run(parse(table + "gather %w, %x axis=0 whole=True")).ops[1:]
    assert (op.kind.name, op.attr("rows"), op.attr("dim")) == ("embedding", 100, 8)
    for other in ("gather %w, %x axis=1 whole=True", "gather %w, %x axis=0", "tensordot %x, %w axes=2"):
        assert "parameter" in [op.kind.name for op in RaiseLinears().run(parse(table + other)).ops]
    (op,) = RaiseLinears().run(parse(table + "tensordot %x, %w axes=((-1,), (0,))")).ops[1:]
    assert (op.kind.name, op.attr("in_features"), op.attr("out_features")) == ("linear", 100, 8)
