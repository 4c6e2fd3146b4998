"""Which layer mix is best at equal FLOPs: of each, the best model that the FLOPs can train.

A law says what a mix loses at any size and amount of tokens; what a token costs is known at the
sizes of the sweep and follows a power law between them. So each mix gets the size that is best for
it, which is fair to mixes whose parameters or tokens cost more or less.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from openhearth.training.study.scaling import Law
from openhearth.training.study.train_run import Measured
from openhearth.training.study.uncertainty import Fit, Interval

SIZES = 200  # tried between the smallest and the largest


@dataclass(frozen=True)
class Standing:
    """A mix at so many FLOPs: its least loss by the law, at which size and after how many tokens,
    how likely it is the best of all, and the least loss that was measured, if it was at so many.
    """

    mix: str
    flops: float
    loss: Interval
    parameters: float
    tokens: float
    is_best: float
    measured: float | None


@dataclass(frozen=True)
class Costs:
    """The sizes of a mix, `N` parameters, rising, and the FLOPs of a token `F`, [sizes] each."""

    N: np.ndarray
    F: np.ndarray

    @classmethod
    def of(cls, measured: Sequence[Measured]) -> Costs:
        """Those of a sweep."""
        known = sorted({(m.run.parameters, m.run.flops_per_token) for m in measured})
        N, F = np.array(known, dtype=float).T
        return cls(N, F)

    def tokens(self, N: np.ndarray, flops: float) -> np.ndarray:
        """How many so many FLOPs pay for at these sizes."""
        return flops / np.exp(np.interp(np.log(N), np.log(self.N), np.log(self.F)))

    def frontier(self, law: Law, flops: float) -> tuple[float, float, float]:
        """The least loss for so many FLOPs, and the N and D that have it."""
        N = np.geomspace(self.N[0], self.N[-1], SIZES)
        D = self.tokens(N, flops)
        losses = law.loss(N, D)
        best = int(losses.argmin())
        return float(losses[best]), float(N[best]), float(D[best])


def compare(
    fits: Mapping[str, Fit], measured: Mapping[str, Sequence[Measured]], flops: float
) -> list[Standing]:
    """All mixes of one slice at so many FLOPs, the best first."""
    costs = {mix: Costs.of(measured[mix]) for mix in fits}
    best = {mix: costs[mix].frontier(fit.law, flops) for mix, fit in fits.items()}
    draws = {
        mix: np.array([costs[mix].frontier(law, flops)[0] for law in fit.draws])
        for mix, fit in fits.items()
    }
    winners = np.array(list(draws)).take(np.stack(list(draws.values())).argmin(0))
    return sorted(
        (
            Standing(
                mix,
                flops,
                Interval.of(loss, draws[mix]),
                N,
                D,
                float((winners == mix).mean()),
                least_measured(measured[mix], flops),
            )
            for mix, (loss, N, D) in best.items()
        ),
        key=lambda standing: standing.loss.value,
    )


def least_measured(measured: Sequence[Measured], flops: float) -> float | None:
    """The least loss of the runs that were given so many FLOPs."""
    losses = [m.loss for m in measured if m.run.budget == flops]
    return min(losses, default=None)
