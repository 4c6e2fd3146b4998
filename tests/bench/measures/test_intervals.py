"""Percentiles by nearest rank, and intervals that hold the truth as often as they say."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.bench.measures import Estimate, Spread, spread
from openhearth.bench.measures.intervals import RESAMPLES, draws, interval

numbers = st.lists(st.integers(0, 1000).map(float), min_size=1, max_size=60)


def _spread(values: list[float], blocks: list[int] | None = None) -> Spread:
    found = spread([[(value, 1)] for value in values], blocks or [0] * len(values))
    assert found
    return found


@given(numbers)
def test_percentiles_are_the_nearest_rank_of_the_sorted_values(values: list[float]) -> None:
    found, ordered = _spread(values), sorted(values)
    for percent, estimate in zip((50, 90, 95, 99), _estimates(found), strict=True):
        # numpy calls this method by its definition: the inverse of the empirical distribution.
        assert estimate.value == np.percentile(ordered, percent, method="inverted_cdf")
        assert ordered[0] <= estimate.low <= estimate.high <= ordered[-1]


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(1, 5)), min_size=1, max_size=30))
def test_a_weight_is_so_many_values(pairs: list[tuple[int, int]]) -> None:
    found = spread([[(float(value), weight) for value, weight in pairs]], [0])
    assert found
    repeated = [float(value) for value, weight in pairs for _ in range(weight)]
    assert found.p50.value == _spread(repeated).p50.value
    assert found.p99.value == _spread(repeated).p99.value
    assert found.count == 1


@given(numbers, st.randoms(use_true_random=False))
def test_the_order_of_records_does_not_matter(values: list[float], by: random.Random) -> None:
    blocks = [number % 9 for number in range(len(values))]
    together = list(zip(values, blocks, strict=True))
    by.shuffle(together)
    found = _spread(values, blocks)
    if len(values) >= 8:  # over blocks; requests are numbered as they come
        assert _spread([v for v, _ in together], [b for _, b in together]) == found


def test_more_values_than_ranks_are_as_exact_as_can_be_seen() -> None:
    values = np.random.default_rng(0).permutation(np.arange(5000.0)).tolist()
    found = _spread(values)
    assert (found.p50.value, found.p99.value) == (2499, 4949)
    # The ranks of a median of 5000 draws have a standard error of sqrt(5000) / 2 = 35.
    assert found.p50.low == pytest.approx(2499 - 1.96 * 35, abs=12)
    assert found.p50.high == pytest.approx(2499 + 1.96 * 35, abs=12)


def test_an_error_is_in_the_percentiles_that_it_reaches() -> None:
    found = _spread([1.0] * 94 + [math.inf] * 6)
    assert (found.p50.value, found.p90.value) == (1, 1)
    assert found.p95.value == found.p99.value == math.inf


def test_turned_percentiles_go_from_the_best_to_the_worst() -> None:
    turned = _spread([-float(value) for value in range(1, 101)]).turned()
    assert (turned.p50.value, turned.p99.value) == (51, 2)
    assert turned.p99.low <= turned.p99.value <= turned.p99.high


def test_of_nothing_there_is_no_spread() -> None:
    assert spread([], []) is None
    assert spread([[], []], [0, 1]) is None


def test_few_blocks_are_not_drawn_but_requests_are() -> None:
    values = [float(value) for value in range(70)]
    seven, eight = [n // 10 for n in range(70)], [n // 9 for n in range(70)]
    assert _spread(values, seven) == _spread(values)
    assert _spread(values, eight) != _spread(values)


def test_draws_are_those_of_this_seed_wherever_they_are_drawn() -> None:
    drawn = draws(7)
    assert drawn.shape == (RESAMPLES, 7)
    assert (drawn.sum(axis=1) == 7).all()
    # The first bits of PCG64 with the seed 0, as numpy 2.4 gives them: a change would change
    # intervals that were reported.
    assert drawn[0].tolist() == [2, 1, 0, 0, 2, 1, 1]
    assert (draws(7, seed=1) != drawn).any()


def test_an_interval_is_the_middle_of_the_resamples() -> None:
    assert interval(np.arange(1000.0)[::-1]) == (24, 975)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    """Blocks share an effect, as requests do that wait for the same queue. Of 100 intervals of 95 %
    95 hold the truth, with a standard error of 2.2, so that fewer than 87 come once in some
    thousand times. Intervals over requests, as if these were independent, hold it far less often.
    """
    generator = np.random.default_rng(1)
    held = naive = 0
    for _ in range(100):
        effect = np.repeat(generator.normal(0, 1, 30), 4)
        values = (effect + generator.normal(0, 0.5, 120)).tolist()
        over_blocks = _spread(values, [n // 4 for n in range(120)]).p50
        held += over_blocks.low <= 0 <= over_blocks.high
        over_requests = _spread(values).p50
        naive += over_requests.low <= 0 <= over_requests.high
    assert held >= 87
    assert naive < 80


def _estimates(found: Spread) -> tuple[Estimate, ...]:
    return found.p50, found.p90, found.p95, found.p99
