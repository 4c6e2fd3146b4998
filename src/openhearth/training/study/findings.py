"""What the runs of a study say: laws, which mix is best at equal FLOPs, and predictions checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from openhearth.progress import Progress, silent
from openhearth.training.study.compare import Standing, compare
from openhearth.training.study.scaling import Points
from openhearth.training.study.train_run import Measured
from openhearth.training.study.uncertainty import Fit, Interval, doubt, extrapolate


@dataclass(frozen=True)
class LawFound:
    """A mix's law: its numbers, the size of the noise about it as a share of the loss, and how far
    a law of the smaller runs alone is off at the largest, if they are enough to tell.
    """

    mix: str
    parameters: dict[str, Interval]
    residual: float
    extrapolated: float | None


@dataclass(frozen=True)
class Prediction:
    """The loss of a run beyond the sweep, foretold from the sweep alone, and what it came to."""

    mix: str
    width: int
    depth: int
    parameters: int
    tokens: int
    flops: float
    foretold: Interval
    measured: float

    @property
    def held(self) -> bool:
        """Whether it fell within the interval."""
        return self.foretold.holds(self.measured)


@dataclass(frozen=True)
class SliceFound:
    """All about one slice. `standings` are those at each amount of FLOPs, from the least on, and of
    each the best first; `fits` and `measured` are by mix.
    """

    slice: str
    fits: dict[str, Fit]
    measured: dict[str, list[Measured]]
    laws: list[LawFound]
    standings: list[list[Standing]]
    predictions: list[Prediction]

    @property
    def best(self) -> Standing:
        """The mix that is best at the most FLOPs."""
        return self.standings[-1][0]


def find(
    slice_: str,
    swept: Sequence[Measured],
    beyond: Sequence[Measured],
    seed: int = 0,
    progress: Progress = silent,
) -> SliceFound:
    """What the runs on a slice say: those of the sweep, and those beyond it.

    Raises:
        UsageError: they are too few to fit a law.
    """
    by_mix: dict[str, list[Measured]] = {}
    for m in swept:
        by_mix.setdefault(m.run.mix, []).append(m)
    fits = {}
    for number, (mix, measured) in enumerate(by_mix.items()):
        fits[mix] = doubt(points_of(measured), seed=seed)
        progress("fit", number + 1, len(by_mix), f"{slice_} {mix}")
    return SliceFound(
        slice_,
        fits,
        by_mix,
        [_law(mix, fit, by_mix[mix]) for mix, fit in fits.items()],
        [compare(fits, by_mix, flops) for flops in _budgets(swept)],
        [_predict(m, fits[m.run.mix]) for m in beyond],
    )


def points_of(measured: Sequence[Measured]) -> Points:
    """Sizes, tokens and losses."""
    found = [(m.run.parameters, m.run.tokens, m.loss) for m in measured]
    return Points(*np.array(found, dtype=float).T)


def _law(mix: str, fit: Fit, measured: Sequence[Measured]) -> LawFound:
    flops = np.array([m.run.flops for m in measured])
    return LawFound(mix, fit.parameters(), fit.residual, extrapolate(fit.points, flops))


def _budgets(swept: Sequence[Measured]) -> list[float]:
    """The FLOPs at which mixes are compared: those that runs were given, else those of the median
    and of the dearest run of each mix that all mixes reach.
    """
    given = sorted({m.run.budget for m in swept if m.run.budget is not None})
    if given:
        return given
    each = [[m.run.flops for m in swept if m.run.mix == mix] for mix in {m.run.mix for m in swept}]
    return sorted({min(float(np.median(flops)) for flops in each), min(map(max, each))})


def _predict(m: Measured, fit: Fit) -> Prediction:
    run = m.run
    return Prediction(
        run.mix,
        run.size.width,
        run.size.depth,
        run.parameters,
        run.tokens,
        run.flops,
        fit.predict(run.parameters, run.tokens),
        m.loss,
    )
