"""Two entries side by side: the ratio, and how often its interval holds the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.bench.measures import ratio
from openhearth.errors import UsageError

turns = st.lists(
    st.lists(st.integers(1, 100).map(float), min_size=1, max_size=5), min_size=2, max_size=10
)


@given(turns)
def test_the_same_twice_has_a_ratio_of_one(values: list[list[float]]) -> None:
    found = ratio(values, values, paired=True)
    assert (found.value, found.low, found.high) == (1, 1, 1)
    assert not found.differs


@given(turns, st.sampled_from([0.25, 0.5, 2.0, 4.0]))
def test_what_takes_so_many_times_as_long_has_that_ratio(
    values: list[list[float]], times: float
) -> None:
    slower = [[times * value for value in turn] for turn in values]
    found = ratio(slower, values, paired=True)
    assert (found.value, found.low, found.high) == (times, times, times)
    assert found.differs
    assert found.turns == len(values)


def test_turns_without_values_are_left_out_on_both_sides() -> None:
    found = ratio([[2.0], [], [2.0]], [[1.0], [5.0], [1.0]], paired=True)
    assert (found.value, found.turns) == (2, 2)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(UsageError, match="at least twice"):
        ratio([[1.0]], [[1.0]], paired=True)
    with pytest.raises(UsageError, match="no pairs"):
        ratio([[1.0], [1.0]], [[1.0]], paired=True)
    assert ratio([[1.0], [1.0], [1.0]], [[1.0], [1.0]], paired=False).turns == 2


def _simulated(generator: np.random.Generator, shared: float) -> tuple[list, list]:
    """Twenty turns of ten values each; ours are 1.2 times theirs. Of a turn's effect (30 %) so much
    is common to both sides.
    """
    ours, theirs = [], []
    for _ in range(20):
        common, *own = generator.normal(0, 0.3, 3)
        for side, effect, factor in ((ours, own[0], 1.2), (theirs, own[1], 1.0)):
            moved = shared * common + (1 - shared) * effect
            side.append((factor * np.exp(moved + generator.normal(0, 0.1, 10))).tolist())
    return ours, theirs


@pytest.mark.parametrize(("shared", "paired"), [(1.0, True), (0.0, False)])
def test_intervals_cover_the_truth_about_as_often_as_they_say(shared: float, paired: bool) -> None:
    """Of 100 intervals of 95 % 95 hold the truth, with a standard error of 2.2, so that fewer than
    87 come once in some thousand times.
    """
    generator = np.random.default_rng(3)
    found = [ratio(*_simulated(generator, shared), paired=paired) for _ in range(100)]
    assert sum(one.low <= 1.2 <= one.high for one in found) >= 87


def test_pairs_see_what_their_turns_have_in_common() -> None:
    ours, theirs = _simulated(np.random.default_rng(4), shared=1.0)
    together, apart = ratio(ours, theirs, paired=True), ratio(ours, theirs, paired=False)
    assert together.value == apart.value
    assert together.high - together.low < (apart.high - apart.low) / 2


def test_where_most_failed_there_is_no_ratio() -> None:
    failed = [[math.inf] * 3] * 2
    for ours, theirs in ((failed, failed), ([[1.0]] * 2, failed), ([[1.0]] * 2, [[0.0]] * 2)):
        with pytest.raises(UsageError, match="no ratio of medians"):
            ratio(ours, theirs, paired=True)
    some = ratio([[1.0], [1.0], [1.0], [math.inf]], [[1.0]] * 4, paired=True)
    assert (some.value, some.high, some.differs) == (1.0, math.inf, False)
