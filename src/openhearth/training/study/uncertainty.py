"""How sure a fitted law is: bootstrap intervals of its numbers, and of what it predicts.

A study has few runs, placed by design, so runs are not drawn again but their noise is (parametric
bootstrap, Efron & Tibshirani 1993, section 6.5): normal in the logarithm, its size itself drawn as
uncertain as so few residuals leave it, which gives the wide tails of Student's t. The interval of a
prediction is of a new run, which has noise of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from openhearth.progress import Progress, silent
from openhearth.training.study.scaling import PARAMETERS, Law, Points, fit

DRAWS = 400
SHARE = 0.95  # of the draws that an interval spans


@dataclass(frozen=True)
class Interval:
    """A value, and between what 95 % of the draws lie."""

    value: float
    low: float
    high: float

    def holds(self, measured: float) -> bool:
        """Whether a measured value lies within."""
        return self.low <= measured <= self.high

    @classmethod
    def of(cls, value: float, draws: np.ndarray) -> Interval:
        """From the value of all runs and those of the draws [draws]."""
        low, high = np.quantile(draws, [(1 - SHARE) / 2, (1 + SHARE) / 2])
        return cls(float(value), float(low), float(high))


@dataclass(frozen=True)
class Fit:
    """A law, those of the draws, and what `noise` a new run had in each, of its logarithm [draws].

    `residual` is the size of the noise, of the logarithm, that the runs show.
    """

    points: Points
    law: Law
    draws: Sequence[Law]
    noise: np.ndarray
    residual: float

    def parameters(self) -> dict[str, Interval]:
        """Each number of the law, by its letter."""
        return {
            f.name: Interval.of(
                getattr(self.law, f.name), np.array([getattr(d, f.name) for d in self.draws])
            )
            for f in fields(Law)
        }

    def predict(self, N: float, D: float) -> Interval:
        """The loss of a run of N parameters and D tokens."""
        losses = np.array([law.loss(N, D) for law in self.draws])
        return Interval.of(self.law.loss(N, D), losses * np.exp(self.noise))


def doubt(points: Points, draws: int = DRAWS, seed: int = 0, progress: Progress = silent) -> Fit:
    """The law of these runs, and those that it would be if other noise had come.

    Raises:
        UsageError: there are too few runs, or all are of one size or amount of tokens.
    """
    law = fit(points)
    expected = law.loss(points.N, points.D)
    freedom = max(1, len(points.L) - PARAMETERS)
    residual = float(np.sqrt((np.log(points.L / expected) ** 2).sum() / freedom))
    generator = np.random.default_rng(seed)
    sizes = residual * np.sqrt(freedom / generator.chisquare(freedom, draws))
    found = []
    for number, size in enumerate(sizes):
        drawn = expected * np.exp(generator.normal(0, size, len(expected)))
        found.append(fit(Points(points.N, points.D, drawn), near=law))
        progress("doubt", number + 1, draws, "")
    return Fit(points, law, found, generator.normal(0, sizes), residual)


def extrapolate(points: Points, flops: np.ndarray) -> float | None:
    """How far a law of the smaller runs is off at those of the most `flops` [runs]: the mean of the
    relative errors, or None if the smaller ones are too few to tell.
    """
    largest = flops > 0.9 * flops.max()
    smaller = Points(points.N[~largest], points.D[~largest], points.L[~largest])
    if not smaller.determine:
        return None
    expected = fit(smaller).loss(points.N[largest], points.D[largest])
    return float(np.abs(expected / points.L[largest] - 1).mean())
