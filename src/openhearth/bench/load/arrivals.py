"""When requests are due: the times of rule 11, from the rule's own randomness."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from openhearth.bench.recipe import Bursts, Load, Poisson, Trace
from openhearth.errors import NotFound, UsageError

Floats = npt.NDArray[np.float64]
MOST = 10_000_000  # requests of one point
AT_ONCE = 4096  # gaps that are drawn together


def due_times(load: Load, seconds: float, fewest: int, rng: np.random.Generator) -> list[float]:
    """Seconds from the begin, rising: all that come in that time, and at least `fewest`.

    Gaps are not rescaled, so that the number of requests is as random as a Poisson process's. What
    is due all at once, or is sent by callers, is `fewest` requests at 0.

    Raises:
        UsageError: there would be too many, or a trace's file holds no times.
        NotFound: there is no such file.
    """
    if isinstance(load, Poisson):
        rate = load.rate
        return _drawn(lambda: rng.exponential(1 / rate, AT_ONCE), rate, seconds, fewest)
    if isinstance(load, Bursts):
        scale, rate = 1 / (load.rate * load.shape), load.rate
        gaps = lambda: rng.gamma(load.shape, scale, AT_ONCE)  # noqa: E731
        return _drawn(gaps, rate, seconds, fewest)
    if isinstance(load, Trace):
        times = read_trace(load.file) / load.speed
        return times[: max(fewest, int((times < seconds).sum()))].tolist()
    return [0.0] * fewest


def _drawn(gaps: Callable[[], Floats], rate: float, seconds: float, fewest: int) -> list[float]:
    if max(rate * seconds, fewest) > MOST:
        raise UsageError(f"{rate:g} requests a second for {seconds:g} s are more than {MOST:,}.")
    times = np.cumsum(gaps())
    while len(times) < fewest or times[-1] < seconds:
        times = np.append(times, times[-1] + np.cumsum(gaps()))
    return times[: max(fewest, int((times < seconds).sum()))].tolist()


def read_trace(path: Path) -> Floats:
    """The times of a trace, rising: a number of seconds a line.

    Raises:
        NotFound, UsageError: there is no such file, or it holds other things.
    """
    if not path.is_file():
        raise NotFound(f"There is no trace {path}: check its name.")
    try:
        times = [float(line) for line in path.read_text().splitlines() if line.strip()]
    except ValueError as error:
        raise UsageError(
            f"{path} is no trace: write one time in seconds a line ({error})."
        ) from None
    if not times or not all(0 <= time < math.inf for time in times) or len(times) > MOST:
        raise UsageError(f"{path} has no times of a load: write seconds, from 0 on, one a line.")
    return np.sort(np.array(times))
