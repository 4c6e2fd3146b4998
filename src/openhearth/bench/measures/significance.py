"""The tests behind the rules: Welch's, of slopes, and of shares.

Sums are exact (`math.fsum`), so that whoever computes a figure again gets the same one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from openhearth.errors import MissingExtra

try:
    from scipy.special import betaincinv, stdtr, stdtrit
except ModuleNotFoundError as error:
    raise MissingExtra("scipy", "bench") from error


def welch(first: Sequence[float], second: Sequence[float]) -> float:
    """The p of equal means, two-sided, whatever the variances (Welch 1947); 1 where there are
    fewer than two values on a side.
    """
    if min(len(first), len(second)) < 2:
        return 1.0
    errors = [_variance(side) / len(side) for side in (first, second)]
    difference, error = abs(_mean(first) - _mean(second)), sum(errors)
    if error == 0:
        return 1.0 if difference == 0 else 0.0
    parts = zip(errors, (first, second), strict=True)
    freedom = error**2 / sum(one**2 / (len(side) - 1) for one, side in parts)
    return float(2 * stdtr(freedom, -difference / math.sqrt(error)))


def slope(x: Sequence[float], y: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """How steeply y rises with x by least squares, and the lower bound of that (one-sided). Without
    three points at different x nothing is known: the bound is minus infinity.
    """
    middle_x, middle_y = (_mean(x), _mean(y)) if x else (0.0, 0.0)
    dx, dy = [value - middle_x for value in x], [value - middle_y for value in y]
    square = math.fsum(d * d for d in dx)
    if len(x) < 3 or square == 0:
        return 0.0, -math.inf
    rise = math.fsum(a * b for a, b in zip(dx, dy, strict=True)) / square
    residual = math.fsum((b - rise * a) ** 2 for a, b in zip(dx, dy, strict=True))
    freedom = len(x) - 2
    error = math.sqrt(residual / freedom / square)
    return rise, rise - float(stdtrit(freedom, confidence)) * error


def clopper_pearson(hits: int, tries: int, confidence: float = 0.95) -> tuple[float, float]:
    """The bounds of a share, each with this confidence (Clopper & Pearson 1934)."""
    low = betaincinv(hits, tries - hits + 1, 1 - confidence) if hits else 0.0
    high = betaincinv(hits + 1, tries - hits, confidence) if hits < tries else 1.0
    return float(low), float(high)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _variance(values: Sequence[float]) -> float:
    mean = _mean(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
