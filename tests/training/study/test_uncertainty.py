"""Intervals that hold what they should, as often as they say."""

from __future__ import annotations

import numpy as np
import pytest

from openhearth.training.study.scaling import Law, Points
from openhearth.training.study.uncertainty import Interval, doubt, extrapolate

LAW = Law(E=1.0, A=9.0, B=60.0, a=0.25, b=0.35)
N, D = (x.ravel() for x in np.meshgrid(np.geomspace(1e5, 8e5, 4), np.geomspace(5e5, 5e6, 4)))


def noisy(seed: int, size: float = 0.004) -> Points:
    noise = np.random.default_rng(seed).normal(0, size, len(N))
    return Points(N, D, LAW.loss(N, D) * np.exp(noise))


def test_predictions_hold_new_runs_about_as_often_as_they_say() -> None:
    size, tokens = 1.6e6, 1e7
    noise = np.random.default_rng(99).normal(0, 0.004, 8)
    held = [
        doubt(noisy(seed), draws=30)
        .predict(size, tokens)
        .holds(LAW.loss(size, tokens) * np.exp(noise[seed]))
        for seed in range(8)
    ]
    assert sum(held) >= 7


def test_without_noise_there_is_no_doubt() -> None:
    found = doubt(Points(N, D, LAW.loss(N, D)), draws=10)
    for name, interval in found.parameters().items():
        assert interval.low == pytest.approx(getattr(LAW, name), rel=1e-3)
        assert interval.high == pytest.approx(getattr(LAW, name), rel=1e-3)


def test_more_noise_makes_wider_intervals() -> None:
    few, much = (doubt(noisy(3, size), draws=60).predict(1e6, 1e7) for size in (0.001, 0.01))
    assert much.high - much.low > 2 * (few.high - few.low)


def test_the_same_seed_gives_the_same_intervals() -> None:
    assert doubt(noisy(0), draws=20).parameters() == doubt(noisy(0), draws=20).parameters()


def test_an_interval_spans_the_middle_of_the_draws() -> None:
    found = Interval.of(50.0, np.arange(101, dtype=float))
    assert found == Interval(50.0, pytest.approx(2.5), pytest.approx(97.5))
    assert found.holds(2.6)
    assert not found.holds(98.0)


def test_extrapolation_from_smaller_budgets() -> None:
    points = noisy(5, 0.001)
    error = extrapolate(points, np.where(N.max() == N, 2.0, 1.0))
    assert error is not None
    assert error < 0.02
    assert extrapolate(Points(N[:4], D[:4], LAW.loss(N, D)[:4]), N[:4]) is None
