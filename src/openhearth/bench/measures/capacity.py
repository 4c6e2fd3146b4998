"""The capacity of a server: the highest rate at which the objective holds (rule 15)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from openhearth.bench.measures.objective import Verdict
from openhearth.errors import HearthError

RESOLUTION = 0.05
LONGER = 3  # times the usual length, for what was undecided
CONFIRMING = 3  # runs
LEAST_SHARE = 2**-10  # of the first rate: a server that fails below it has no capacity
MOST_POINTS = 100


class Outcome(Protocol):
    """What the search needs to know of a point; `PointMeasures` is one."""

    @property
    def verdict(self) -> Verdict:
        """Whether the server carried the load."""

    @property
    def valid(self) -> bool:
        """Whether the load generator did."""


PointT = TypeVar("PointT", bound=Outcome)


@dataclass(frozen=True)
class Tried(Generic[PointT]):
    """A point that was tried: requests a second, how often the usual length, what came of it."""

    rate: float
    longer: int
    point: PointT


@dataclass(frozen=True)
class Capacity(Generic[PointT]):
    """The highest rate, in requests a second, that was confirmed, and the least that failed; none
    (0) if the server carried nothing. `tried` are all points in their order, `confirmed` the runs
    that passed at the rate.
    """

    rate: float
    failed: float
    confirmed: tuple[PointT, ...]
    tried: tuple[Tried[PointT], ...]

    @property
    def valid(self) -> bool:
        """Whether it is the server that ended the search, not a load generator that was late."""
        return all(one.point.valid for one in self.tried if one.rate == self.failed)


def search(
    run: Callable[[float, int], PointT],
    first: float,
    resolution: float = RESOLUTION,
) -> Capacity[PointT]:
    """Find the capacity, from a first guess in requests a second.

    `run` carries out a point at a rate, so many times as long as usual, with a seed of its own each
    time. Rates double until one fails, or are halved until one holds; then the bounds are brought
    together; then the lower one must hold in three more runs, and if it does not, it was luck, and
    the next lower rate must.

    Raises:
        HearthError: the objective still holds, or the answer is not clear, after a hundred points.
    """
    attempts = _Attempts(run)
    low, high = _bracket(attempts, first)
    while low and high / low - 1 > resolution:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if attempts.holds(middle) else (low, middle)
    while low >= first * LEAST_SHARE:
        confirmed = attempts.confirm(low)
        if len(confirmed) == CONFIRMING:
            return Capacity(low, high, tuple(confirmed), tuple(attempts.tried))
        low, high = low / (1 + resolution), low
    return Capacity(0.0, high, (), tuple(attempts.tried))


def _bracket(attempts: _Attempts[PointT], first: float) -> tuple[float, float]:
    """A rate that holds (0: none does) and twice as high one that does not."""
    rate = first
    if attempts.holds(rate):
        while attempts.holds(2 * rate):
            rate *= 2
        return rate, 2 * rate
    while rate / 2 >= first * LEAST_SHARE:
        rate /= 2
        if attempts.holds(rate):
            return rate, 2 * rate
    return 0.0, rate


@dataclass
class _Attempts(Generic[PointT]):
    run: Callable[[float, int], PointT]
    tried: list[Tried[PointT]] = field(default_factory=list)

    def holds(self, rate: float) -> bool:
        """Whether the objective holds at this rate; what is undecided is tried longer, once."""
        return self.passing(rate) is not None

    def confirm(self, rate: float) -> list[PointT]:
        """The first runs of three that pass."""
        passed: list[PointT] = []
        while len(passed) < CONFIRMING and (point := self.passing(rate)) is not None:
            passed.append(point)
        return passed

    def passing(self, rate: float) -> PointT | None:
        """A point at which it holds, if it does."""
        for longer in (1, LONGER):
            if len(self.tried) == MOST_POINTS:
                raise HearthError(
                    f"{MOST_POINTS} points have found no capacity, the last at {rate:.6g} requests "
                    "a second: begin with a rate that is nearer to it."
                )
            point = self.run(rate, longer)
            self.tried.append(Tried(rate, longer, point))
            if point.verdict is not Verdict.UNDECIDED or not point.valid:
                break
        return point if point.valid and point.verdict is Verdict.HOLDS else None
