"""The steady state of a point, and whether the server stayed as it was in it (rules 14, 16 and 44).

Requests that are close together wait in the same queue, so that their times are far from
independent, and tests over single requests find growth that is chance (in simulated queues of a
load of 70 %, in every third window). Rules 16 and 44 therefore compare means of equal parts of the
window.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from openhearth.bench.measures.significance import slope, welch
from openhearth.bench.measures.timing import Timing

LAST = 20  # requests whose halves are compared
STEADY = 0.05
LONGEST_WARM_UP = 1 / 3  # of the point
PARTS = 15  # of the window: whole thirds of it, each of five
DRIFT = 0.01

Measure = Callable[[Timing], float | None]


@dataclass(frozen=True)
class Window:
    """From when to when a point is measured, in seconds since the load began."""

    begin: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end - self.begin

    def holds(self, at: float) -> bool:
        """Whether an instant is within."""
        return self.begin <= at < self.end


@dataclass(frozen=True)
class Growth:
    """How requests under way and times to first token rise in the window (rule 16), with the lower
    95 % bound of each slope.
    """

    under_way_per_s: float
    under_way_low: float
    ttft_s_per_s: float
    ttft_low: float

    @property
    def sustained(self) -> bool:
        """Whether not both grow."""
        return self.under_way_low <= 0 or self.ttft_low <= 0


@dataclass(frozen=True)
class Drift:
    """A measure in the first and in the last third of the window, in milliseconds (rule 44)."""

    first_ms: float
    last_ms: float
    p: float

    @property
    def slower(self) -> bool:
        """Whether the server was fast only at first."""
        return self.p < DRIFT and self.last_ms > self.first_ms


def steady(timings: Sequence[Timing], begin: float, end: float) -> Window:
    """The window of a point from `begin` to `end` (rule 14); timings in the order of due times."""
    answered = [t for t in timings if not t.failed and t.ttft is not None and t.e2e is not None]
    latest = begin + (end - begin) * LONGEST_WARM_UP
    for count in range(LAST, len(answered)):
        if answered[count].record.due >= latest:
            break
        last = answered[count - LAST : count]
        if _level([_finite(t.ttft) for t in last]) and _level([_finite(t.e2e) for t in last]):
            return Window(answered[count].record.due, end)
    return Window(latest, end)


def growth(timings: Sequence[Timing], window: Window) -> Growth:
    """Whether the server keeps up; all timings of the point, in the order of due times."""
    ends = sorted(t.record.due if t.record.ended is None else t.record.ended for t in timings)
    under_way: list[tuple[float, float]] = []
    waits: list[tuple[float, float]] = []
    for number, timing in enumerate(timings, 1):
        due = timing.record.due
        if window.holds(due):
            under_way.append((due, number - bisect_right(ends, due)))
            if timing.ttft is not None and not timing.failed:
                waits.append((due, timing.ttft))
    rise, low = slope(*_parts(under_way, window))
    ttft_rise, ttft_low = slope(*_parts(waits, window))
    return Growth(rise, low, ttft_rise, ttft_low)


def drift(timings: Sequence[Timing], window: Window, measure: Measure) -> Drift | None:
    """A measure's first against its last third; None where one of them has no values."""
    found = [(t.record.due, measure(t)) for t in timings if window.holds(t.record.due)]
    points = [(due, value) for due, value in found if value is not None and math.isfinite(value)]
    thirds: list[list[float]] = [[], [], []]
    for middle, mean in zip(*_parts(points, window), strict=True):
        thirds[int(3 * (middle - window.begin) / window.seconds)].append(mean)
    first, _, last = thirds
    if not first or not last:
        return None
    before, after = (1e3 * math.fsum(side) / len(side) for side in (first, last))
    return Drift(before, after, welch(first, last))


def _level(values: Sequence[float]) -> bool:
    return welch(values[: LAST // 2], values[LAST // 2 :]) >= STEADY


def _parts(
    points: Sequence[tuple[float, float]], window: Window
) -> tuple[list[float], list[float]]:
    """The middles of those parts of the window that have values, and the means of these."""
    parts: list[list[float]] = [[] for _ in range(PARTS)]
    for at, value in points:
        parts[min(PARTS - 1, int(PARTS * (at - window.begin) / window.seconds))].append(value)
    width = window.seconds / PARTS
    middles = [window.begin + (number + 0.5) * width for number, part in enumerate(parts) if part]
    return middles, [math.fsum(part) / len(part) for part in parts if part]


def _finite(value: float | None) -> float:
    assert value is not None
    return value
