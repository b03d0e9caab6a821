"""A true sample is never called false, a false one is found out, and a small one tells nothing."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from initial_cases import constant, figures, sample

from archcheck.ir.weights import Initial, by_name
from archcheck.judging import laws
from archcheck.judging.laws import Departure, Family, Law, TooFew, judge

TRIALS = 2_000


def drawn(draw: random.Random, count: int, std: float, uniform: bool) -> Initial:
    bound = std * math.sqrt(3)
    entries = [draw.uniform(-bound, bound) if uniform else draw.gauss(0, std) for _ in range(count)]
    return figures("w", (count,), entries)


@pytest.mark.parametrize("uniform", [False, True], ids=["normal", "uniform"])
def test_true_samples_hold_and_those_of_half_the_spread_do_not(uniform: bool) -> None:
    """At least 99.9 % of 2,000 samples of 1,000 entries."""
    draw = random.Random(20)
    law = Law(Family.UNIFORM if uniform else Family.NORMAL, 0.125)
    false = 0
    for _ in range(TRIALS):
        one = drawn(draw, 1_000, 0.125, uniform)
        false += judge(law, one) is not None
        half = replace(one, std=one.std / 2, minimum=one.minimum / 2, maximum=one.maximum / 2, mean=one.mean / 2)
        assert isinstance(judge(law, half), Departure)
        assert isinstance(judge(replace(law, spread=law.spread / 2), one), Departure)
    assert false <= TRIALS / 1_000


@given(
    st.integers(laws.ENTRIES, 5_000), st.floats(1e-4, 10), st.booleans(), st.integers(0, 2**32), st.floats(0.01, 0.2)
)
@settings(max_examples=150)
def test_a_true_sample_of_any_size_holds(count: int, std: float, uniform: bool, seed: int, tolerance: float) -> None:
    one = drawn(random.Random(seed), count, std, uniform)
    assert judge(Law(Family.UNIFORM if uniform else Family.NORMAL, std, tolerance), one) is None
    assert judge(Law(Family.ANY, std, tolerance), one) is None


@given(st.integers(laws.ENTRIES_OF_A_SHAPE, 4_000), st.integers(0, 2**32))
@settings(max_examples=60)
def test_normal_and_uniform_samples_are_told_apart(count: int, seed: int) -> None:
    draw = random.Random(seed)
    normal, uniform = (drawn(draw, max(count, 1_000), 1.0, flat) for flat in (False, True))
    assert isinstance(judge(Law(Family.UNIFORM, 1.0), normal), Departure)
    assert isinstance(judge(Law(Family.NORMAL, 1.0), uniform), Departure)


def test_what_is_cut_off_is_narrower() -> None:
    draw = random.Random(3)
    entries = [entry for entry in (draw.gauss(0, 1) for _ in range(30_000)) if abs(entry) <= 2]
    cut = figures("w", (len(entries),), entries)
    assert cut.std == pytest.approx(laws.narrowed(2), rel=0.01)
    assert judge(Law(Family.TRUNCATED, 1.0, cut=2), cut) is None
    assert judge(Law(Family.TRUNCATED, 1.0), cut) is None
    assert isinstance(judge(Law(Family.TRUNCATED, 1.0, cut=1), cut), Departure)
    assert isinstance(judge(Law(Family.NORMAL, 1.0), cut), Departure)
    whole = sample("w", (30_000,), 1.0)
    assert judge(Law(Family.TRUNCATED, 1.0), whole) is None  # torch's cuts at -2 and 2, whatever the spread
    assert isinstance(judge(Law(Family.TRUNCATED, 1.0, cut=2), whole), Departure)
    wide = sample("w", (30_000,), laws.narrowed(2))
    found = judge(Law(Family.TRUNCATED, 1.0, cut=2), wide)
    assert isinstance(found, Departure)
    assert found.stated == "a distribution cut off at 2"


def test_one_value() -> None:
    zero, rounded = constant("w", (3,), 0), constant("w", (3,), 0.100098)  # 0.1 in bfloat16
    assert judge(Law(Family.CONSTANT, 0.0), zero) is None
    assert judge(Law(Family.CONSTANT, 0.1), rounded) is None
    assert judge(Law(Family.CONSTANT, 1.0), zero) == Departure("0", "1")
    assert judge(Law(Family.NORMAL, 0.0), zero) is None
    assert isinstance(judge(Law(Family.NORMAL, 1.0), zero), Departure)
    assert judge(Law(Family.NORMAL, 1.0), sample("w", (8,), 1.0)) == TooFew(8)
    assert isinstance(judge(Law(Family.NORMAL, 1.0), replace(sample("w", (4_096,), 1.0), mean=0.5)), Departure)


def test_samples_are_put_together_over_their_own_scales() -> None:
    one, other = sample("a", (2_000,), 0.1), sample("b", (2_000,), 10.0)
    both = laws.pooled([(one, 0.1), (other, 10.0)])
    assert both is not None
    assert both.count == 4_000
    assert judge(Law(Family.NORMAL, 1.0), both) is None
    assert laws.pooled([]) is None


ROW = {
    "name": "a.weight", "shape": [2, 3], "count": 6, "mean": 0.5, "std": 0, "minimum": 0.5, "maximum": 0.5,
    "zeros": 0, "ones": 0, "fan_in": 3, "fan_out": 2, "layer": "torch.nn.modules.linear.Linear",
}  # fmt: skip


def test_rows_are_read_and_every_name_finds_its_tensor() -> None:
    found = by_name([{**ROW, "names": ["a.weight", "b.weight"], "thirds": [ROW]}])
    assert sorted(found) == ["a.weight", "b.weight"]
    assert found["b.weight"].constant == 0.5
    assert found["b.weight"].thirds[0].shape == (2, 3)


@pytest.mark.parametrize(
    "change",
    [
        {"name": 3}, {"layer": None}, {"shape": 6}, {"shape": [2, -1]}, {"count": True}, {"std": "0"},
        {"mean": math.nan}, {"maximum": math.inf}, {"zeros": None}, {"names": "a"}, {"names": [3]}, {"thirds": [3]},
    ],
    ids=str,
)  # fmt: skip
def test_a_row_that_is_none_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        by_name([{**ROW, **change}])
