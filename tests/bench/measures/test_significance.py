"""The tests behind the rules, with scipy's own as the oracle."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given
from hypothesis import strategies as st

from openhearth.bench.measures.significance import clopper_pearson, slope, welch

values = st.lists(st.integers(-1000, 1000).map(lambda n: n / 8), min_size=2, max_size=30)


@given(values, values)
def test_welch_is_that_of_scipy(first: list[float], second: list[float]) -> None:
    assume(len(set(first)) > 1 and len(set(second)) > 1)
    expected = scipy.stats.ttest_ind(first, second, equal_var=False).pvalue
    assert welch(first, second) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_welch_without_variance_or_values() -> None:
    assert welch([1, 1], [1, 1]) == 1
    assert welch([1, 1], [2, 2]) == 0
    assert welch([1], [2, 3]) == 1


@given(st.integers(0, 400), st.integers(1, 400))
def test_bounds_of_a_share_are_those_of_scipy(hits: int, tries: int) -> None:
    assume(hits <= tries)
    # Two one-sided bounds of 95 % are the two-sided interval of 90 %.
    expected = scipy.stats.binomtest(hits, tries).proportion_ci(0.9, method="exact")
    assert clopper_pearson(hits, tries) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_bounds_of_a_share_by_hand() -> None:
    # None of 59 misses at most 5 %: 0.95 ** 59 < 0.05 (Wilks 1941), and 58 are too few.
    assert clopper_pearson(0, 59)[1] <= 0.05 < clopper_pearson(0, 58)[1]
    assert clopper_pearson(0, 10)[1] == pytest.approx(1 - 0.05 ** (1 / 10))
    assert clopper_pearson(0, 0) == (0, 1)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(-50, 50)), min_size=3, max_size=40))
def test_a_slope_is_that_of_scipy(points: list[tuple[int, int]]) -> None:
    x, y = [float(a) for a, _ in points], [float(b) for _, b in points]
    assume(len(set(x)) > 1 and len(set(y)) > 1)
    expected = scipy.stats.linregress(x, y)
    rise, low = slope(x, y)
    bound = scipy.stats.t.ppf(0.95, len(x) - 2) * expected.stderr
    assert rise == pytest.approx(expected.slope, rel=1e-6, abs=1e-9)
    assert low == pytest.approx(expected.slope - bound, rel=1e-6, abs=1e-6)


def test_without_three_points_nothing_is_known_of_a_slope() -> None:
    assert slope([], []) == (0, -math.inf)
    assert slope([1, 2], [1, 2])[1] == -math.inf
    assert slope([1, 1, 1], [1, 2, 3])[1] == -math.inf
    assert slope([1, 2, 3], [2, 4, 6]) == (2, 2)


def test_noise_seldom_looks_like_growth() -> None:
    # At 95 %, of 400 slopes of noise about 20 lie above zero; 40 would be 4.6 standard errors more.
    generator = np.random.default_rng(0)
    x = [float(i) for i in range(20)]
    found = sum(slope(x, generator.normal(size=20).tolist())[1] > 0 for _ in range(400))
    assert 5 <= found <= 40
