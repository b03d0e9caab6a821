from hypothesis import given
from hypothesis import strategies as st

from archcheck.align.sequence import common, heaviest, myers

tokens = st.lists(st.integers(0, 4), max_size=40)


def longest(first, second):
    best = [0] * (len(second) + 1)
    for one in first:
        row = [0]
        for at, other in enumerate(second):
            row.append(best[at] + 1 if one == other else max(best[at + 1], row[-1]))
        best = row
    return best[-1]


def check(first, second, runs):
    i = j = 0
    for begin, begin_too, length in runs:
        assert begin >= i
        assert begin_too >= j
        assert length > 0
        assert first[begin : begin + length] == second[begin_too : begin_too + length]
        i, j = begin + length, begin_too + length
    assert i <= len(first)
    assert j <= len(second)
    return sum(length for *_, length in runs)


@given(tokens, tokens)
def test_a_longest_common_subsequence(first, second):
    assert check(first, second, common(first, second)) == longest(first, second)


@given(tokens, tokens, st.integers(0, 10))
def test_a_cap_gives_up_or_gives_the_same(first, second, cap):
    runs = myers(first, second, cap)
    if runs is None:
        assert len(first) + len(second) - 2 * longest(first, second) > cap or not (first and second)
    else:
        assert check(first, second, runs) == longest(first, second)


def test_a_difference_in_every_layer_is_found_in_windows():
    layer = list(range(17))
    first, second = layer * 400, (layer[:5] + layer[6:12] + layer[13:]) * 400
    windows = {}
    assert check(first, second, common(first, second, windows)) == len(second)
    assert 0 < len(windows) <= 8  # solved once for each distinct pair, not once for each layer


def test_nothing_in_common_as_far_as_one_can_see():
    first, second = [1] * 400, [2] * 400
    assert common(first, second) == []


def test_windows_go_on_behind_a_long_gap():
    first, second = [1] * 600 + [5, 6, 7], [2] * 600 + [5, 6, 7]
    assert common(first, second) == [(600, 600, 3)]


def test_the_heaviest_pairs_keep_the_order():
    weights = {(0, 1): 3.0, (1, 0): 2.0, (1, 2): 1.0}
    assert heaviest(2, 3, lambda i, j: weights.get((i, j), 0.0)) == [(0, 1), (1, 2)]
    assert heaviest(0, 3, lambda i, j: 1.0) == []
