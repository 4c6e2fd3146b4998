"""Where the steady state begins, and what is not steady in it; on queues of known load."""

from __future__ import annotations

import numpy as np
import pytest

from openhearth.bench.measures import timings
from openhearth.bench.measures.tokens import ByBytes
from openhearth.bench.measures.window import LAST, Window, drift, growth, steady
from openhearth.bench.records import Failure
from tests.bench.measures.build import at_times, poisson, queue, record


def _even(count: int, gap: float = 0.5) -> list[float]:
    return [number * gap for number in range(count)]


def _warming_up(number: int) -> list[tuple[float, int]]:
    """First tokens come faster and faster until the 16th request, which is due after 8 s; a jitter
    keeps the halves from being all alike.
    """
    return [(1.0 + max(0, 16 - number) * 0.25 + number % 3 * 0.125, 1)]


def _queued(rate: float, seconds: float, servers: int, work: float, seed: int) -> list:
    dues = poisson(rate, seconds, seed)
    works = np.random.default_rng(seed + 10_000).exponential(work, len(dues)).tolist()
    return timings(queue(dues, works, servers), ByBytes())


def test_what_is_steady_at_once_is_measured_after_twenty_requests() -> None:
    same = at_times(_even(120), lambda _: [(0.25, 1), (0.5, 1)])
    assert steady(same, 0, 60) == Window(LAST * 0.5, 60)


def test_warming_up_is_left_out() -> None:
    window = steady(at_times(_even(120), _warming_up), 0, 60)
    assert 10 < window.begin < 20
    assert window.end == 60


def test_what_is_never_steady_is_measured_after_a_third() -> None:
    rising = at_times(_even(120), lambda number: [(0.125 * number, 1)])
    assert steady(rising, 0, 60) == Window(20, 60)
    assert steady(at_times(_even(10), lambda _: [(1, 1)]), 0, 60) == Window(20, 60)
    assert steady([], 0, 60) == Window(20, 60)


def test_the_window_does_not_depend_on_when_the_clock_began() -> None:
    now = steady(at_times(_even(120), _warming_up), 0, 60)
    later = steady(at_times([1024 + due for due in _even(120)], _warming_up), 1024, 1084)
    assert (later.begin - 1024, later.end - 1024) == (now.begin, now.end)


def test_a_queue_that_grows_is_not_sustained() -> None:
    # Ten requests a second, of which a server takes nine.
    window = Window(20, 60)
    overloaded = timings(queue(_even(600, 0.1), [1 / 9] * 600, 1), ByBytes())
    found = growth(overloaded, window)
    assert not found.sustained
    assert found.under_way_per_s == pytest.approx(1, rel=0.05)
    assert found.ttft_s_per_s == pytest.approx(1 / 9, rel=0.05)
    sustained = growth(timings(queue(_even(600, 0.1), [1 / 11] * 600, 1), ByBytes()), window)
    assert sustained.sustained


def test_queues_of_a_fixed_load_seldom_look_as_if_they_grew() -> None:
    """Single requests of such queues, which wait for each other, do in every third window. With 5 %
    40 windows have 2, with a standard error of 1.4.
    """
    window = Window(20, 120)
    found = [growth(_queued(2.8, 120, 8, 2.0, seed), window).sustained for seed in range(40)]
    assert found.count(False) <= 7


def test_failures_are_not_under_way_for_ever() -> None:
    refused = [record(due, number=n, failure=Failure.ADDRESS, ended=None)
               for n, due in enumerate(_even(120))]  # fmt: skip
    found = growth(timings(refused, ByBytes()), Window(0, 60))
    assert found.sustained
    assert found.under_way_per_s == 0


def test_who_is_fast_only_at_first_is_found() -> None:
    window = Window(0, 60)

    def slower(number: int) -> list[tuple[float, int]]:
        return [((0.25 if number < 60 else 0.5) + number % 3 * 0.0625, 1)]

    found = drift(at_times(_even(120), slower), window, lambda one: one.ttft)
    assert found
    assert found.slower
    assert (found.first_ms, found.last_ms) == pytest.approx((312.5, 562.5), rel=0.01)
    faster = drift(at_times(_even(120), lambda n: slower(119 - n)), window, lambda one: one.ttft)
    assert faster
    assert faster.p < 0.01
    assert not faster.slower


def test_honest_queues_are_seldom_called_fast_only_at_first() -> None:
    """Welch's test over single requests calls every fifth so. At 1 %, half of it on this side, 40
    windows have 0.2.
    """
    window = Window(20, 120)
    drifts = [
        drift(_queued(2.8, 120, 8, 2.0, seed), window, lambda one: one.ttft) for seed in range(40)
    ]
    assert sum(found is not None and found.slower for found in drifts) <= 2


def test_a_window_has_its_beginning_and_not_its_end() -> None:
    assert Window(0, 1).holds(0)
    assert not Window(0, 1).holds(1)


def test_without_values_in_both_thirds_there_is_no_drift() -> None:
    window = Window(0, 60)
    assert drift([], window, lambda one: one.ttft) is None
    assert drift(at_times(_even(20), lambda _: [(1, 1)]), window, lambda one: one.ttft) is None
    failed = [record(due, failure=Failure.SERVER) for due in _even(120)]
    assert drift(timings(failed, ByBytes()), window, lambda one: one.ttft) is None
