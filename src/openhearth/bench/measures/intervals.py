"""Percentiles by nearest rank, and how sure they are: a bootstrap over blocks (rule 29).

Requests that are due about the same time wait for the same things, so that what is drawn again is
whole blocks of ten seconds; where fewer than eight have values, it is requests. All of it comes
from raw values, not from histograms (HDR and the like): records of several processes, in any order,
give the same figures as those of one.

Draws come from the bits of PCG64, which numpy keeps as they are, and everything that is summed is a
whole number: whoever computes an interval again gets the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PERCENTILES = (50, 90, 95, 99)
BLOCK_S = 10.0
FEWEST_BLOCKS = 8
RESAMPLES = 1000
RANKS = 1024  # places among the sorted values at which a resample is looked at
SHARE = 0.95  # of the resamples that an interval spans


@dataclass(frozen=True)
class Estimate:
    """A value, and between what 95 % of the resamples have it."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Spread:
    """Percentiles of what `count` requests have to tell."""

    count: int
    p50: Estimate
    p90: Estimate
    p95: Estimate
    p99: Estimate

    def turned(self) -> Spread:
        """The same of what was negated, so that percentiles go from the most to the least."""
        return Spread(
            self.count,
            *(
                Estimate(-one.value, -one.high, -one.low)
                for one in (self.p50, self.p90, self.p95, self.p99)
            ),
        )


def spread(found: Sequence[Sequence[tuple[float, int]]], blocks: Sequence[int]) -> Spread | None:
    """The spread of values, each of which counts as often as its weight says.

    `found` has the values and weights of each request, `blocks` the number of the block in which
    each was due. None of no values at all.
    """
    having = [number for number, pairs in enumerate(found) if pairs]
    if not having:
        return None
    pairs = np.array([pair for number in having for pair in found[number]])
    units = np.repeat(
        _units([blocks[number] for number in having]), [len(found[number]) for number in having]
    )
    order = np.argsort(pairs[:, 0], kind="stable")
    values, weights = pairs[order, 0], pairs[order, 1]
    drawn = Resamples.of(values, weights, units[order], draws(int(units.max()) + 1))
    exact = nearest(np.cumsum(weights)[None], values, PERCENTILES)[0]
    resampled = nearest(drawn.through, drawn.values, PERCENTILES)
    estimates = (
        Estimate(float(value), *interval(column))
        for value, column in zip(exact, resampled.T, strict=True)
    )
    return Spread(len(having), *estimates)


def nearest(through: np.ndarray, values: np.ndarray, wanted: Sequence[int]) -> np.ndarray:
    """Percentiles [rows, wanted]: the least of the sorted values that has so many per cent of the
    weight up to it, of which each row has its own [rows, values].
    """
    total = through[:, -1:]
    places = [np.argmax(100 * through >= percent * total, axis=1) for percent in wanted]
    return values[np.stack(places, axis=1)]


def draws(units: int, seed: int = 0) -> np.ndarray:
    """How often each unit is in each resample [resamples, units]."""
    bits = np.random.PCG64(seed).random_raw(RESAMPLES * units).reshape(RESAMPLES, units)
    chosen = ((bits >> np.uint64(32)) * np.uint64(units)) >> np.uint64(32)
    places = chosen.astype(np.int64) + units * np.arange(RESAMPLES)[:, None]
    counts = np.bincount(places.ravel(), minlength=RESAMPLES * units)
    return counts.reshape(RESAMPLES, units).astype(np.float64)


def interval(resampled: np.ndarray) -> tuple[float, float]:
    """Between what the middle 95 % of the resamples lie, by nearest rank."""
    ordered = np.sort(resampled)
    tail = round(len(ordered) * (1 - SHARE) / 2)
    return float(ordered[tail - 1]), float(ordered[-tail])


@dataclass(frozen=True)
class Resamples:
    """Values at some ranks, and the weight up to each of them in each resample [resamples, ranks].

    Where there are more values than ranks, a resample's percentile is exact to 1/1024 in rank,
    which is far less than resampling leaves open.
    """

    values: np.ndarray
    through: np.ndarray

    @classmethod
    def of(
        cls, values: np.ndarray, weights: np.ndarray, units: np.ndarray, drawn: np.ndarray
    ) -> Resamples:
        """From sorted values, their weights and units, and how often each unit was drawn."""
        ranks = min(len(values), RANKS)
        ends = (np.arange(1, ranks + 1) * len(values)) // ranks
        rank = np.searchsorted(ends, np.arange(len(values)), side="right")
        places = units * ranks + rank
        each = np.bincount(places, weights, drawn.shape[1] * ranks).reshape(-1, ranks)
        return cls(values[ends - 1], drawn @ np.cumsum(each, axis=1))


def _units(blocks: Sequence[int]) -> np.ndarray:
    """To which unit of the bootstrap each request belongs, numbered without gaps."""
    names, units = np.unique(np.asarray(blocks), return_inverse=True)
    return units if len(names) >= FEWEST_BLOCKS else np.arange(len(blocks))
