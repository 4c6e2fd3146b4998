"""The search, on servers whose capacity is known: they are arithmetic, and no time passes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.bench.measures import PointMeasures, Verdict, measure, search, timings
from openhearth.bench.measures.capacity import MOST_POINTS
from openhearth.bench.measures.objective import decide
from openhearth.bench.measures.point import verdict
from openhearth.bench.measures.tokens import ByBytes
from openhearth.bench.measures.window import growth, steady
from openhearth.bench.recipe import Objective
from openhearth.errors import HearthError
from tests.bench.measures.build import OBJECTIVE, RECIPE, poisson, queue

RESOLUTION = 0.05


@dataclass(frozen=True)
class Point:
    """The least that the search needs."""

    verdict: Verdict
    valid: bool = True


def _threshold(truth: float) -> Callable[[float, int], Point]:
    return lambda rate, _: Point(Verdict.HOLDS if rate <= truth else Verdict.FAILS)


@given(st.floats(0.01, 100), st.floats(0.05, 20))
def test_a_sharp_capacity_is_found_within_the_resolution(truth: float, guess: float) -> None:
    first = truth * guess
    found = search(_threshold(truth), first)
    assert found.rate <= truth <= found.rate * (1 + RESOLUTION)
    assert found.rate <= truth < found.failed
    assert len(found.confirmed) == 3
    assert [one.rate for one in found.tried[-3:]] == [found.rate] * 3
    doublings = abs(math.log2(guess)) + 2
    assert len(found.tried) <= doublings + 4 + 3


@settings(max_examples=10)
@given(st.integers(1, 8), st.floats(0.2, 1), st.floats(0.2, 5))
def test_the_capacity_of_a_deterministic_queue_is_servers_over_work(
    servers: int, work: float, guess: float
) -> None:
    """Evenly due, each server free again after `work`: more than servers / work cannot be taken for
    long, and all that is less waits for nothing. What is a little more grows too slowly to be seen.
    """
    truth = servers / work
    found = search(_judged(OBJECTIVE, 200 / truth, servers, lambda _, count: [work] * count), guess)
    assert truth / (1 + RESOLUTION) <= found.rate <= truth * (1 + RESOLUTION)


Works = Callable[[int, int], list[float]]


def _judged(
    objective: Objective, seconds: float, servers: int, works: Works, *, random: bool = False
) -> Callable[[float, int], Point]:
    """Points at a simulated queue, by the rules, without the figures that the search does not need.
    `works` makes so many times that an answer takes, from a seed.
    """
    seeds = count(1)

    def run(rate: float, longer: int) -> Point:
        seed, end = next(seeds), max(seconds, 100 / rate) * longer  # at least so many requests
        even = [number / rate for number in range(int(end * rate))]
        dues = poisson(rate, end, seed) if random else even
        timed = timings(queue(dues, works(seed, len(dues)), servers), ByBytes())
        window = steady(timed, 0, end)
        decision = decide((t for t in timed if window.holds(t.record.due)), objective)
        return Point(verdict(decision, growth(timed, window)))

    return run


def _waits_longer(rate: float, servers: int, work: float, bound: float) -> float:
    """The share of requests that wait longer than `bound` in M/M/c, by Erlang's formula C."""
    load = rate * work
    if load >= servers:
        return 1.0
    terms = [load**k / math.factorial(k) for k in range(servers)]
    last = load**servers / math.factorial(servers) * servers / (servers - load)
    return last / (sum(terms) + last) * math.exp(-(servers / work - rate) * bound)


def _erlang_capacity(servers: int, work: float, bound: float, share: float) -> float:
    rates = np.linspace(0.01, servers / work, 20_000)
    kept = [rate for rate in rates if _waits_longer(rate, servers, work, bound) <= 1 - share]
    return float(kept[-1])


@pytest.mark.parametrize("offset", [500_000, 1_000_000])
def test_the_capacity_of_a_random_queue_is_that_of_erlang(offset: int) -> None:
    """90 % wait at most a second, with 95 % confidence in each of five or more points that must
    pass: what is found lies a little below the truth, seldom above it.
    """
    servers, work = 4, 0.8

    def works(seed: int, count: int) -> list[float]:
        return np.random.default_rng(seed + offset).exponential(work, count).tolist()

    waits = Objective(ttft_ms=1000, tpot_ms=1e6, fluidity=0, share=0.9)
    found = search(_judged(waits, 600.0, servers, works, random=True), 1.0)
    truth = _erlang_capacity(servers, work, 1.0, 0.9)
    assert 0.85 * truth <= found.rate <= truth * (1 + RESOLUTION)


def test_whole_measurements_can_be_searched() -> None:
    def run(rate: float, longer: int) -> PointMeasures:
        dues = [number / rate for number in range(int(60 * longer * rate))]
        return measure(queue(dues, [0.5] * len(dues), 2), RECIPE, ByBytes(), seconds=60.0 * longer)

    found = search(run, 3.0, resolution=0.2)
    assert 4 / 1.2 <= found.rate <= 4
    assert found.valid
    assert all(one.verdict is Verdict.HOLDS for one in found.confirmed)


def test_what_is_undecided_is_tried_longer_once_and_then_fails() -> None:
    asked: list[tuple[float, int]] = []

    def run(rate: float, longer: int) -> Point:
        asked.append((rate, longer))
        if rate <= 4:
            return Point(Verdict.HOLDS if longer > 1 else Verdict.UNDECIDED)
        return Point(Verdict.UNDECIDED)

    found = search(run, 4.0, resolution=0.5)
    assert asked[:4] == [(4, 1), (4, 3), (8, 1), (8, 3)]
    assert found.rate == 4
    assert len(found.tried) == len(asked)


def test_luck_is_not_confirmed() -> None:
    lucky = iter([True, False, True] + [False] + [True] * 10)

    def run(rate: float, _: int) -> Point:
        return Point(Verdict.HOLDS if next(lucky) else Verdict.FAILS)

    # 4 holds, 8 fails; 5.66 holds, but of the runs that confirm it the first fails.
    found = search(run, 4.0, resolution=0.5)
    assert found.rate == pytest.approx(4 * math.sqrt(2) / 1.5)
    assert found.failed == pytest.approx(4 * math.sqrt(2))
    assert len(found.confirmed) == 3


def test_a_server_that_carries_nothing_has_no_capacity() -> None:
    found = search(_threshold(0.0), 8.0)
    assert found.rate == 0
    assert found.confirmed == ()
    assert found.tried[-1].rate == 8 / 1024


def test_a_late_load_generator_ends_the_search_and_is_told() -> None:
    def run(rate: float, _: int) -> Point:
        return Point(Verdict.HOLDS, valid=rate <= 10)

    found = search(run, 1.0)
    assert found.rate <= 10 <= found.rate * (1 + RESOLUTION)
    assert not found.valid
    assert search(_threshold(10), 1.0).valid


def test_a_search_has_an_end() -> None:
    with pytest.raises(HearthError, match="begin with a rate"):
        search(_threshold(math.inf), 1.0)
    assert MOST_POINTS == 100
