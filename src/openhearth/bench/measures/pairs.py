"""Two entries side by side: by how much is one slower, and how sure is that?

What happens to a machine or a network in some minutes happens to all that is measured then. So two
entries are measured in turns, and whole turns (or blocks of ten seconds, where they were not
measured together) are what a bootstrap draws again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from openhearth.bench.measures.intervals import Resamples, draws, interval, nearest
from openhearth.errors import UsageError

Groups = Sequence[Sequence[float]]  # the values of each turn or block


@dataclass(frozen=True)
class Ratio:
    """Of two medians, with its 95 % interval; from so many turns."""

    value: float
    low: float
    high: float
    turns: int

    @property
    def differs(self) -> bool:
        """Whether the medians differ, beyond the interval."""
        return not self.low <= 1 <= self.high


def ratio(ours: Groups, theirs: Groups, *, paired: bool) -> Ratio:
    """The median of all of our values over that of theirs. `paired` turns are drawn together.

    Raises:
        UsageError: a side has fewer than two turns with values, or paired ones are not as many, or
            a median is infinite or zero.
    """
    if paired:
        together = [pair for pair in zip(ours, theirs, strict=False) if all(map(len, pair))]
        if len(ours) != len(theirs):
            raise UsageError(
                f"{len(ours)} turns and {len(theirs)} are no pairs: measure both in every turn."
            )
        ours, theirs = [mine for mine, _ in together], [their for _, their in together]
    ours, theirs = [one for one in ours if len(one)], [one for one in theirs if len(one)]
    if min(len(ours), len(theirs)) < 2:
        raise UsageError("One turn says nothing about the next: measure both at least twice.")
    above, over = _medians(ours, seed=0)
    below, under = _medians(theirs, seed=0 if paired else 1)
    if not (0 < below < math.inf and above < math.inf):
        raise UsageError("Most requests of a side have no time: there is no ratio of medians.")
    with np.errstate(divide="ignore", invalid="ignore"):
        resampled = np.nan_to_num(over / under, nan=math.inf, posinf=math.inf)
    return Ratio(above / below, *interval(resampled), min(len(ours), len(theirs)))


def _medians(groups: Groups, seed: int) -> tuple[float, np.ndarray]:
    """The median of all values, and those of the resamples."""
    values = np.concatenate([np.asarray(group, dtype=np.float64) for group in groups])
    units = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    order, weights = np.argsort(values, kind="stable"), np.ones(len(values))
    drawn = Resamples.of(values[order], weights, units[order], draws(len(groups), seed))
    exact = nearest(np.cumsum(weights)[None], values[order], (50,))
    return float(exact[0, 0]), nearest(drawn.through, drawn.values, (50,))[:, 0]
