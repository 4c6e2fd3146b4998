"""Tenants share alike, whatever they ask for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from openhearth.inference.fairness import FairShares


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 50)), min_size=50, max_size=300))
def test_tenants_that_always_have_requests_differ_by_at_most_one(
    costs: list[tuple[str, int]],
) -> None:
    shares, served = FairShares(), dict.fromkeys("abc", 0)
    for tenant in "abc":
        shares.arrive(tenant)
    for _, cost in costs:
        tenant = min("abc", key=shares.served)
        shares.charge(tenant, cost)
        served[tenant] += cost
    assert max(served.values()) - min(served.values()) <= 50


def test_a_pause_saves_nothing_up() -> None:
    shares = FairShares()
    shares.arrive("busy")
    shares.charge("busy", 1000)
    shares.arrive("new")
    assert shares.served("new") == 1000
    shares.leave("new")
    shares.charge("busy", 500)
    shares.arrive("new")
    assert shares.served("new") == 1500


def test_a_debt_outlives_a_pause() -> None:
    shares = FairShares()
    shares.arrive("busy")
    shares.arrive("greedy")
    shares.charge("greedy", 700)
    shares.leave("greedy")
    shares.arrive("greedy")
    assert shares.served("greedy") == 700


def test_tenants_that_left_are_forgotten() -> None:
    shares = FairShares()
    for i in range(1000):
        shares.arrive(str(i))
        shares.charge(str(i), 5)
        shares.leave(str(i))
    assert len(shares._served) <= 1
