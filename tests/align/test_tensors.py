"""Small tensors of field elements, and sizes in letters: against what numbers do."""

from __future__ import annotations

import math
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archcheck.align.field import Element
from archcheck.align.sizes import ONE, NoShapeError, Sizes, fixed, times
from archcheck.align.tensors import Tensor, along, contracted, joined, permuted, taken, total

SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple)


def numbered(shape: tuple[int, ...], start: int = 1) -> Tensor:
    return Tensor(shape, [Element(at, 0, 0) for at in range(start, start + math.prod(shape))])


def plain(tensor: Tensor) -> list[int]:
    return [one.value for one in tensor.entries]


@given(SHAPES, st.data())
def test_axes_put_back_are_as_they_were(shape: tuple[int, ...], data: st.DataObject) -> None:
    tensor = numbered(shape)
    order = data.draw(st.sampled_from(list(permutations(range(len(shape))))))
    back = [order.index(axis) for axis in range(len(order))]
    assert plain(permuted(permuted(tensor, order), back)) == plain(tensor)


@given(SHAPES, st.data())
def test_parts_that_are_joined_are_taken_again(shape: tuple[int, ...], data: st.DataObject) -> None:
    axis = data.draw(st.integers(0, len(shape) - 1))
    one, other = numbered(shape), numbered(shape, 100)
    both = joined([one, other], axis)
    assert plain(taken(both, axis, 0)) == plain(taken(one, axis, 0))
    assert plain(taken(both, axis, shape[axis])) == plain(taken(other, axis, 0))


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))
def test_a_contraction_is_a_product_that_is_summed(rows: int, inner: int, columns: int) -> None:
    left, right = numbered((rows, inner)), numbered((inner, columns), 50)
    expected = [
        sum(left.at((i, k)).value * right.at((k, j)).value for k in range(inner))
        for i in range(rows)
        for j in range(columns)
    ]
    assert plain(contracted([left, right], ["ik", "kj"], "ij")) == expected


def test_a_rule_along_an_axis_may_give_another_length() -> None:
    tensor = numbered((2, 3))
    assert along(tensor, 1, lambda vector: [total(vector)]).shape == (2, 1)
    assert plain(along(tensor, 0, lambda vector: [total(vector), vector[0]])) == [5, 7, 9, 1, 2, 3]


def test_sizes_that_are_put_equal_are_one() -> None:
    sizes = Sizes()
    batch, heads, width = sizes.letter("b"), fixed(8), fixed(64)
    whole = sizes.letter("d")
    sizes.join(whole, times([heads, width]))
    sizes.join(times([batch, heads, width]), times([whole, sizes.letter("other")]))
    assert sizes.plain(sizes.letter("other")) == sizes.plain(batch)
    numbers = sizes.numbers()
    assert numbers(whole) == numbers(heads) * numbers(width)
    assert len({numbers(size) for size in (batch, heads, width)}) == 3


def test_what_is_put_behind_each_other_is_added() -> None:
    sizes = Sizes()
    one, other = sizes.letter("a"), sizes.letter("b")
    numbers = sizes.numbers()
    assert numbers(sizes.added([one, other])) == numbers(one) + numbers(other)
    assert sizes.added([ONE, fixed(2)]) == (3, ())


@pytest.mark.parametrize(
    "pair", [(ONE, fixed(2)), (fixed(3), fixed(2)), (times([fixed(2), (1, ("a", "b"))]), fixed(3))]
)
def test_sizes_that_cannot_be_one_fit_not(pair: tuple[tuple[int, tuple[str, ...]], ...]) -> None:
    with pytest.raises(NoShapeError):
        Sizes().join(*pair)


@pytest.mark.parametrize("turned", [False, True])
def test_no_size_is_a_sum_that_it_is_part_of(turned: bool) -> None:
    """Also where that follows from several, as `a + b = c` and `c + d = a` do."""
    sizes = Sizes()
    a, c, d = sizes.letter("a"), sizes.letter("c"), sizes.letter("d")
    more = sizes.added([a, sizes.letter("b")])
    with pytest.raises(NoShapeError):
        sizes.join(*((more, a) if turned else (a, more)))
    sizes.join(c, more)
    with pytest.raises(NoShapeError):
        sizes.join(a, times([fixed(2), sizes.added([c, d])]))
    assert sizes.numbers()(more) > sizes.numbers()(a)
