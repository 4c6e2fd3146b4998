"""Windows against a list of all that was taken, at times that fall anywhere in slots."""

from __future__ import annotations

from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.platform.limits.window import GRAIN, SECONDS, SLOTS, Window

# Gaps in sixteenths of a second, so that sums of them are exact.
gaps = st.integers(0, 90 * 16).map(lambda sixteenths: sixteenths / 16)
wishes = st.lists(st.tuples(gaps, st.integers(1, 12)), max_size=60)
limits = st.integers(1, 20)


START = 1000.0


def taken_of(window: Window, limit: int, asked: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """Each time and amount that was let through."""
    now, through = START, []
    for gap, amount in asked:
        now += gap
        if window.take(amount, limit, now) is not None:
            through.append((now, amount))
    return through


def end_of(asked: list[tuple[float, int]]) -> float:
    """When the last was asked."""
    return START + sum(gap for gap, _ in asked)


@given(limits, wishes)
def test_no_minute_sees_more_than_the_limit(limit: int, asked: list[tuple[float, int]]) -> None:
    through = taken_of(Window(), limit, asked)
    for end, _ in through:
        within = sum(amount for time, amount in through if end - SECONDS <= time <= end)
        assert within <= limit


@given(limits, wishes)
def test_what_was_taken_comes_back_when_its_slot_is_a_minute_old(
    limit: int, asked: list[tuple[float, int]]
) -> None:
    window, now, through = Window(), START, []
    for gap, amount in asked:
        now += gap
        held = sum(a for t, a in through if floor(now / GRAIN) - floor(t / GRAIN) <= SLOTS)
        assert window.taken(now) == held
        fits = held + amount <= limit
        assert (window.take(amount, limit, now) is not None) == fits
        through += [(now, amount)] if fits else []


@given(limits, wishes, st.integers(1, 20))
def test_the_wait_is_as_long_as_needed(
    limit: int, asked: list[tuple[float, int]], amount: int
) -> None:
    window = Window()
    taken_of(window, limit, asked)
    now = end_of(asked)
    wait = window.wait(amount, limit, now)
    if amount > limit:
        assert wait == float("inf")
        return
    assert wait <= SECONDS + GRAIN
    if wait:
        assert window.take(amount, limit, now + wait - GRAIN / 4) is None
    assert window.take(amount, limit, now + wait) is not None


@given(limits, wishes)
def test_after_the_reset_all_is_there_again(limit: int, asked: list[tuple[float, int]]) -> None:
    window = Window()
    taken_of(window, limit, asked)
    now = end_of(asked)
    reset = window.reset(now)
    assert (reset > 0) == (window.taken(now) > 0)
    if reset:
        assert window.taken(now + reset - GRAIN / 4) > 0
    assert window.taken(now + reset) == 0


@given(limits, wishes, st.integers(1, 20), st.integers(0, 20))
def test_what_is_given_back_was_never_taken(
    limit: int, asked: list[tuple[float, int]], amount: int, used: int
) -> None:
    window, without = Window(), Window()
    for one in (window, without):
        taken_of(one, limit, asked)
    now = end_of(asked)
    used = min(used, amount)
    window.give_back(window.add(amount, now), amount - used)
    without.add(used, now)
    for later in (0.0, 30.0, 59.5, 60.5, 120.0):
        assert window.taken(now + later) == without.taken(now + later)


def test_what_came_back_by_itself_is_not_given_back_again() -> None:
    window = Window()
    slot = window.add(5, 0.0)
    assert window.taken(61.0) == 0
    window.give_back(slot, 5)
    assert window.taken(61.0) == 0


@pytest.mark.parametrize("per_second", [1, 1000])
def test_a_busy_key_costs_no_more_memory(per_second: int) -> None:
    window = Window()
    for step in range(200 * per_second):
        window.take(1, 10**9, step / per_second)
    assert len(window._slots) <= SLOTS + 1
