from __future__ import annotations

from pass_asserts import assert_left, assert_pass

from archcheck.passes.settle import Settle

PASS = Settle()


def test_equal_tables_become_one_also_for_bodies_that_read_them() -> None:
    assert_pass(
        PASS,
        """
        %x = input
        %a = constant value="arange" end=8
        %b = sin %a
        %c = constant value="arange" end=8
        %d = sin %c
        %e = constant value="arange" end=9
        %r = residual %x, %b:
          mul %x, %b
        %s = residual %r, %d, %e:
          %t = mul %r, %d
          mul %t, %e
        give %s
        """,
        """
        %x = input
        %a = constant value="arange" end=8
        %b = sin %a
        %e = constant value="arange" end=9
        %r = residual %x, %b:
          mul %x, %b
        %s = residual %r, %b, %e:
          %t = mul %r, %b
          mul %t, %e
        give %s
        """,
    )


def test_a_learned_tensor_stands_before_the_one_op_that_reads_it() -> None:
    assert_pass(
        PASS,
        """
        %p = parameter name="shared"
        %q = parameter name="layers.1.w"
        %u = parameter name="unused"
        %x = input
        %y = mul %x, %p
        %z = mul %y, %q
        %w = mul %z, %p
        give %w
        """,
        """
        %p = parameter name="shared"
        %u = parameter name="unused"
        %x = input
        %y = mul %x, %p
        %q = parameter name="layers.1.w"
        %z = mul %y, %q
        %w = mul %z, %p
        give %w
        """,
    )


def test_what_differs_each_time_or_is_not_known_stays() -> None:
    assert_left(
        PASS,
        """
        %a = constant value="arange" end=unknown("a size")
        %b = constant value="arange" end=unknown("a size")
        %r = random
        %s = random
        %c = constant value=1
        %d = dropout %c
        %e = dropout %c
        concat %a, %b, %r, %s, %d, %e
        """,
    )
