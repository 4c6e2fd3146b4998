"""The shapes of the learning rate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.training.schedules import Schedule


def rates(schedule: Schedule, total: int = 100) -> list[float]:
    return [schedule.rate(step, total) for step in range(total)]


def test_linear_rises_and_falls_to_almost_nothing() -> None:
    found = rates(Schedule())
    assert found[0] == pytest.approx(0.1)
    assert max(found) == pytest.approx(1.0)
    assert found.index(max(found)) in (9, 10)
    assert 0 < found[-1] < 0.02
    assert Schedule().rate(0, 1) == 1.0


def test_cosine_is_a_half_wave_above_its_least() -> None:
    found = rates(Schedule(kind="cosine", warm_up=0, min_ratio=0.1))
    assert found[0] == pytest.approx(1.0, abs=0.01)
    assert found[50] == pytest.approx(0.55, abs=0.02)
    assert found[-1] == pytest.approx(0.1, abs=0.01)
    assert found == sorted(found, reverse=True)


def test_wsd_stays_until_its_decay() -> None:
    found = rates(Schedule(kind="wsd", warm_up=0.05, decay=0.2, min_ratio=0.05))
    assert found[5:80] == [1.0] * 75
    assert found[90] == pytest.approx(0.05 + 0.95 * 0.5)
    assert found[-1] < 0.11


def test_constant_stays() -> None:
    assert rates(Schedule(kind="constant", warm_up=0)) == [1.0] * 100


@given(
    kind=st.sampled_from(["linear", "cosine", "wsd", "constant"]),
    warm_up=st.floats(0, 1),
    least=st.floats(0, 1),
    decay=st.floats(0, 1),
    total=st.integers(1, 300),
)
def test_rates_are_shares(
    kind: str, warm_up: float, least: float, decay: float, total: int
) -> None:
    schedule = Schedule(kind=kind, warm_up=warm_up, min_ratio=least, decay=decay)
    found = rates(schedule, total)
    assert all(0 < rate <= 1 + 1e-12 for rate in found)
