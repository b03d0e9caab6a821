from __future__ import annotations

import pytest
from pass_asserts import assert_left, assert_pass

from archcheck.passes.drop_no_ops import DropNoOps

PASS = DropNoOps()


def test_what_is_cut_at_zero_twice_is_cut_once() -> None:
    assert_pass(
        PASS,
        """
        %x = input
        relu %x
        relu
        linear
        """,
        """
        %x = input
        relu %x
        linear
        """,
    )


def test_identities_and_neutral_factors_are_forwarded() -> None:
    assert_pass(
        PASS,
        """
        %x = input
        identity %x
        scale by=1
        div by=1.0
        add by=0
        pow exponent=1
        %f = linear
        add %x, %f
        """,
        """
        %x = input
        %f = linear %x
        add %x, %f
        """,
    )


def test_what_nothing_reads_is_dropped_but_inputs_and_opaque_ops_stay() -> None:
    assert_pass(
        PASS,
        """
        %x = input
        %m = input name="mask"
        %d = linear %x
        relu %d
        %o = opaque %x name="log"
        linear %x
        """,
        """
        %x = input
        %m = input name="mask"
        %o = opaque %x name="log"
        linear %x
        """,
    )


def test_the_sum_of_a_stack_is_spelled_as_adds() -> None:
    assert_pass(
        PASS,
        """
        %x = input
        %a = linear %x
        %b = linear %x
        stack %x, %a, %b axis=0
        sum axis=0
        linear
        """,
        """
        %x = input
        %a = linear %x
        %b = linear %x
        %s = add %x, %a
        add %s, %b
        linear
        """,
    )


def test_a_sum_of_several_values_is_spelled_as_adds() -> None:
    assert_pass(
        PASS,
        "%x = input\n%a = relu %x\n%b = tanh %x\nadd %x, %a, %b\nlinear\n",
        "%x = input\n%a = relu %x\n%b = tanh %x\n%s = add %x, %a\nadd %s, %b\nlinear\n",
    )


@pytest.mark.parametrize(
    ("index", "view"),
    [
        ("('...', None,)", "axis=-1 form='unsqueeze'"),
        ("(('slice', None, None, None,), None,)", "axis=1 form='unsqueeze'"),
        ("('...', None, ('slice', None, None, None,),)", "axis=-2 form='unsqueeze'"),
    ],
)
def test_an_index_that_only_adds_axes_is_a_reshape(index: str, view: str) -> None:
    assert_pass(PASS, f"%x = input\nselect %x index={index}\n", f"%x = input\nreshape %x {view}\n")


@pytest.mark.parametrize(
    "index", ["('...', 0, None,)", "(('slice', 1, None, None,), None,)", "('...',)", "0", "(None, '...', None,)"]
)
def test_an_index_that_takes_a_part_is_left(index: str) -> None:
    assert_left(PASS, f"%x = input\nselect %x index={index}\n")


@pytest.mark.parametrize(
    "op",
    ["scale %x by=2", "add %x by=1", "pow %x exponent=2", "div %x by=1 reverse=True", "sub %x by=0 reverse=True"],
)
def test_what_computes_something_is_left(op: str) -> None:
    assert_left(PASS, f"%x = input\n{op}\n")


def test_a_sum_over_another_axis_than_that_of_the_stack_is_left() -> None:
    assert_left(PASS, "%x = input\n%y = linear %x\nstack %x, %y axis=0\nsum axis=1\n")


def test_a_unit_factor_that_could_not_be_read_is_left() -> None:
    assert_left(PASS, "%x = input\nscale by=unknown('no value')\n")


def test_an_identity_that_is_the_result_gives_its_operand() -> None:
    assert_pass(PASS, "%x = input\n%y = linear %x\nidentity\n", "%x = input\n%y = linear %x\n")


def test_an_empty_part_of_a_concatenation_is_dropped() -> None:
    """Keys of a memory that nothing was put into; what has elements, or may have, stays."""
    assert_pass(
        PASS,
        """
        %x = input
        %none = constant shape=(unknown('batch'), 0, 64,)
        %memory = expand %none shape=(unknown('batch'), 0, -1,)
        %k = concat %x, %memory axis=1
        %f = linear %k
        %some = constant shape=(unknown('batch'), 1, 64,)
        concat %f, %memory, %some axis=1
        """,
        """
        %x = input
        %f = linear %x
        %some = constant shape=(unknown('batch'), 1, 64,)
        concat %f, %some axis=1
        """,
    )


def test_a_part_of_an_input_that_is_taken_twice_is_one() -> None:
    """Only of inputs, by a number, with nothing else said."""
    assert_pass(
        PASS,
        """
        %x = input
        %a = select %x index=0
        %b = select %x index=0
        %c = select %x index=1
        %d = sub %a, %b
        %e = add %d, %c
        """,
        """
        %x = input
        %a = select %x index=0
        %c = select %x index=1
        %d = sub %a, %a
        %e = add %d, %c
        """,
    )
