"""Times at which requests are due: their distributions are those that were asked for (rule 11)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from openhearth.bench.load import due_times
from openhearth.bench.recipe import AllAtOnce, Bursts, Callers, Load, Poisson, Trace
from openhearth.errors import NotFound, UsageError


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


loads = st.one_of(
    st.builds(Poisson, rate=st.floats(0.1, 1000)),
    st.builds(Bursts, arrivals=st.just("bursts"), rate=st.floats(0.1, 1000)),
)


@given(loads, st.floats(0, 20), st.integers(1, 300), st.integers(0, 2**32))
def test_times_rise_fill_the_seconds_and_are_enough(
    load: Load, seconds: float, fewest: int, seed: int
) -> None:
    times = due_times(load, seconds, fewest, rng(seed))
    assert times == sorted(times)
    assert len(times) >= fewest
    assert times[0] > 0
    assert all(time < seconds for time in times[fewest:])
    assert times == due_times(load, seconds, fewest, rng(seed))


@pytest.mark.parametrize(
    ("load", "law"),
    [
        (Poisson(rate=4), stats.expon(scale=1 / 4)),
        (Bursts(arrivals="bursts", rate=4, shape=0.25), stats.gamma(0.25, scale=1)),
    ],
)
def test_gaps_have_the_distribution_of_their_rate(load: Load, law: stats.rv_frozen) -> None:
    """Kolmogorov's and Smirnov's test of 20,000 gaps, at one in a thousand."""
    gaps = np.diff([0.0, *due_times(load, 0, 20_000, rng())])
    assert law.mean() == pytest.approx(1 / 4)
    assert stats.kstest(gaps, law.cdf).pvalue > 0.001


def test_the_number_of_requests_is_as_random_as_a_poisson_process() -> None:
    """Its variance is its mean, 50; of 2,000 runs both come within three standard errors."""
    counts = [len(due_times(Poisson(rate=5), 10, 1, rng(seed))) for seed in range(2000)]
    assert np.mean(counts) == pytest.approx(50, abs=3 * (50 / 2000) ** 0.5)
    assert np.var(counts) == pytest.approx(50, abs=3 * 50 * (2 / 2000) ** 0.5)


def test_what_callers_send_and_what_is_due_at_once_is_due_at_the_begin() -> None:
    assert due_times(Callers(arrivals="callers"), 60, 3, rng()) == [0.0] * 3
    assert due_times(AllAtOnce(arrivals="all_at_once"), 60, 3, rng()) == [0.0] * 3


def test_a_trace_is_read_sorted_and_run_at_its_speed(tmp_path: Path) -> None:
    file = tmp_path / "trace"
    file.write_text("3\n1.5\n\n7\n")
    trace = Trace(arrivals="trace", file=file, speed=2)
    assert due_times(trace, 10, 1, rng()) == [0.75, 1.5, 3.5]
    assert due_times(trace, 2, 1, rng()) == [0.75, 1.5]
    assert due_times(trace, 2, 100, rng()) == [0.75, 1.5, 3.5]


@pytest.mark.parametrize("text", ["", "one", "-1", "nan", "inf"])
def test_what_is_no_trace_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "trace"
    with pytest.raises(NotFound):
        due_times(Trace(arrivals="trace", file=file), 1, 1, rng())
    file.write_text(text)
    with pytest.raises(UsageError):
        due_times(Trace(arrivals="trace", file=file), 1, 1, rng())


def test_a_load_that_nobody_could_hold_is_refused() -> None:
    with pytest.raises(UsageError, match="more than"):
        due_times(Poisson(rate=1e9), 60, 1, rng())
