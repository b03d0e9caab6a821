from __future__ import annotations

import pytest
from pass_asserts import assert_left, assert_pass, shown

from archcheck.ir.text import parse
from archcheck.ir.verify import verify
from archcheck.passes.raise_scales import RaiseScales

PASS = RaiseScales()


@pytest.mark.parametrize(
    ("op", "by"),
    [("mul %x by=0.5", "0.5"), ("div %x by=8", "0.125"), ("mul %x by=unknown('alpha')", "unknown('alpha')")],
)
def test_a_product_with_a_constant_is_a_scale(op: str, by: str) -> None:
    assert_pass(PASS, f"%x = input\n{op}\n", f"%x = input\nscale %x by={by}\n")


def test_a_product_with_something_learned_holds_it() -> None:
    assert_pass(
        PASS,
        """
        %x = input
        %g = parameter name="gamma" shape=(768,)
        %t = exp %g
        mul %t, %x
        """,
        """
        %x = input
        scale %x by="learned":
          %g = parameter name="gamma" shape=(768,)
          %t = exp %g
          mul %t, %x
        """,
    )


def test_a_learned_factor_and_shift_are_an_affine_norm() -> None:
    assert_pass(
        PASS,
        """
        %x = input
        %g = parameter name="weight" shape=(128,)
        %b = parameter name="bias" shape=(128,)
        %y = mul %x, %g
        add %y, %b
        """,
        """
        %x = input
        affine %x dim=128:
          %g = parameter name="weight" shape=(128,)
          %b = parameter name="bias" shape=(128,)
          %y = mul %x, %g
          add %y, %b
        """,
    )


def test_a_product_with_a_random_mask_is_stochastic_depth() -> None:
    assert_pass(
        PASS,
        """
        %x = input
        %d = div %x by=0.9
        %r = random () distribution="uniform" shape=(8, 1, 1,)
        %k = add %r by=0.9
        %m = round %k mode="floor"
        mul %d, %m
        """,
        """
        %x = input
        stochastic_depth %x:
          %d = scale %x by=1.1111111111111112
          %r = random () distribution="uniform" shape=(8, 1, 1,)
          %k = add %r by=0.9
          %m = round %k mode="floor"
          mul %d, %m
        """,
    )


@pytest.mark.parametrize(
    "ops",
    ["div %x by=2 reverse=True\n", "div %x by=2 rounding='floor'\n", "%y = input\nmul %x, %y\n", "mul %x, %x\n"],
)
def test_other_products_are_left(ops: str) -> None:
    assert_left(PASS, "%x = input\n" + ops)


def test_what_is_added_to_learned_tokens_is_no_norm() -> None:
    before = """
        %x = input
        %t = parameter name="token" shape=(1, 1, 8,)
        %t = expand %t shape=(2, 1, 8,)
        %w = parameter name="gamma" shape=(8,)
        %m = mul %w, %x
        add %t, %m
        """
    after = """
        %x = input
        %t = parameter name="token" shape=(1, 1, 8,)
        %t = expand %t shape=(2, 1, 8,)
        %s = scale %x by="learned" dim=8:
          %w = parameter name="gamma" shape=(8,)
          mul %w, %x
        add %t, %s
        """
    assert_pass(PASS, before, after)


NORM = '%x = input\n%w = parameter name="gain" shape=(8,)\n%b = parameter name="shift" shape=(8,)\n'


@pytest.mark.parametrize(
    ("ops", "stated"),
    [
        ("%n = layer_norm %x dim=8 elementwise_affine=False\nmul %n, %w\n", "bias=False"),
        ("%n = layer_norm %x dim=8 elementwise_affine=False\n%m = mul %n, %w\nadd %m, %b\n", "bias=True"),
        ("%n = rms_norm %x elementwise_affine=False\n%v = add %w by=1\nmul %n, %v\n", "offset=1"),
    ],
)
def test_a_gain_behind_a_norm_that_learns_nothing_is_its_own(ops: str, stated: str) -> None:
    found = verify(PASS.run(parse(NORM + ops)), "raise_scales")
    (norm,) = [op for op in found.ops if op.kind.family == "norm"]
    assert norm is found.ops[-1]
    assert norm.attr("elementwise_affine") is True
    assert stated in shown(found)


@pytest.mark.parametrize(
    "ops",
    [
        "%n = layer_norm %x dim=8 elementwise_affine=True\nmul %n, %w\n",  # it has one, and this is another
        "%n = layer_norm %x dim=8\nmul %n, %w\n",  # that is not told
        "%n = layer_norm %x dim=9 elementwise_affine=False\nmul %n, %w\n",
        "%n = layer_norm %x dim=8 elementwise_affine=False\n%m = mul %n, %w\nadd %m, %n\n",
    ],
)
def test_other_factors_behind_a_norm_stay_factors(ops: str) -> None:
    found = verify(PASS.run(parse(NORM + ops)), "raise_scales")
    assert "scale" in {op.kind.name for op in found.ops}
