"""The scaling law L(N, D) = E + A / N^a + B / D^b, fitted to measured losses.

Hoffmann et al. 2022 (arXiv:2203.15556), approach 3: the sum of Huber losses of the logarithms is
made least by L-BFGS. It begins where variable projection ends: for given a and b the law is linear
in E, A and B, so that these follow from non-negative least squares, and only a and b are searched,
first on a grid. So there is one start, near the best, where approach 3 has thousands.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any

import numpy as np

from openhearth.errors import MissingExtra, UsageError

try:
    from scipy.optimize import least_squares, minimize, nnls
except ModuleNotFoundError as error:
    raise MissingExtra("scipy", "study") from error

PARAMETERS = 5
HUBER = 1e-3  # of a logarithm: from here on a residual counts as an outlier
EXPONENTS = np.geomspace(0.02, 2.0, 24)  # searched for a and b
LEAST, MOST = EXPONENTS[0] / 2, EXPONENTS[-1] * 2  # of a and b
NOTHING = 1e-12  # a term of which least squares leave nothing, beside the others


@dataclass(frozen=True)
class Law:
    """The law's numbers. `N` are parameters, `D` tokens, losses in nats per token."""

    E: float
    A: float
    B: float
    a: float
    b: float

    def loss(self, N: Any, D: Any) -> Any:
        """The loss of models of N parameters after D tokens; numbers or arrays."""
        return self.E + self.A / N**self.a + self.B / D**self.b

    def optimum(self, flops: float) -> tuple[float, float]:
        """The N and D of the least loss where 6 N D are the FLOPs of training."""
        both = self.a + self.b
        ratio = (self.a * self.A / (self.b * self.B)) ** (1 / both)
        return (
            ratio * (flops / 6) ** (self.b / both),
            (flops / 6) ** (self.a / both) / ratio,
        )


@dataclass(frozen=True)
class Points:
    """Measured runs: `N` parameters, `D` tokens and the losses `L`, float64 [runs] each."""

    N: np.ndarray
    D: np.ndarray
    L: np.ndarray

    @property
    def determine(self) -> bool:
        """Whether they are enough, and different enough, for a law."""
        return len(self.L) >= PARAMETERS and min(len(set(self.N)), len(set(self.D))) >= 2

    def check(self) -> None:
        """Raises:
        UsageError: they do not determine a law.
        """
        if not self.determine:
            raise UsageError(
                f"{len(self.L)} runs of {len(set(self.N))} sizes and {len(set(self.D))} amounts of "
                f"tokens determine no scaling law: it needs {PARAMETERS} runs or more, of "
                "different sizes and amounts."
            )


def fit(points: Points, near: Law | None = None) -> Law:
    """The law that fits best; `near`, if given, is where to search, in place of the grid.

    Raises:
        UsageError: there are too few runs, or all are of one size or amount of tokens.
    """
    points.check()
    units = float(np.exp(np.log(points.N).mean())), float(np.exp(np.log(points.D).mean()))
    scaled = Points(points.N / units[0], points.D / units[1], points.L)
    start = _grid(scaled) if near is None else (near.a, near.b)
    law = _polish(scaled, _project(scaled, *start))
    return Law(law.E, law.A * units[0] ** law.a, law.B * units[1] ** law.b, law.a, law.b)


def _terms(points: Points, a: float, b: float) -> np.ndarray:
    """[runs, 3]: what E, A and B are multiplied with, as shares of the loss."""
    ones = np.ones_like(points.L)
    return np.stack((ones, points.N**-a, points.D**-b), axis=1) / points.L[:, None]


def _grid(points: Points) -> tuple[float, float]:
    ones = np.ones_like(points.L)
    tried = [(a, b) for a in EXPONENTS for b in EXPONENTS]
    return min(tried, key=lambda exponents: nnls(_terms(points, *exponents), ones)[1])


def _project(points: Points, a: float, b: float) -> Law:
    """The exponents of the least squares from here, and what follows from them."""
    ones = np.ones_like(points.L)

    def residuals(exponents: np.ndarray) -> np.ndarray:
        terms = _terms(points, *exponents)
        return terms @ nnls(terms, ones)[0] - ones

    found = least_squares(
        residuals,
        np.clip((a, b), 1.01 * LEAST, 0.99 * MOST),
        bounds=(LEAST, MOST),
        xtol=1e-15,
        ftol=1e-15,
        gtol=1e-15,
    )
    factors, _ = nnls(_terms(points, *found.x), ones)
    return Law(*(float(x) for x in (*factors, *found.x)))


def _polish(points: Points, law: Law) -> Law:
    """The least sum of Huber losses of the logarithms, from `law` on."""
    log_n, log_d, log_l = np.log(points.N), np.log(points.D), np.log(points.L)

    def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
        e, log_a, log_b, a, b = x
        logs = np.stack((np.full_like(log_l, e), log_a - a * log_n, log_b - b * log_d))
        total = np.logaddexp.reduce(logs)
        shares = np.exp(logs - total)
        # In units of the bend, since L-BFGS stops where gains are small beside one.
        off = (total - log_l) / HUBER
        bent = np.clip(off, -1, 1)
        pull = bent * shares / HUBER
        gradient = [*pull.sum(1), -(pull[1] * log_n).sum(), -(pull[2] * log_d).sum()]
        return float((bent * (off - bent / 2)).sum()), np.array(gradient)

    least = NOTHING * float(points.L.min())
    logs = np.log(np.maximum(astuple(law)[:3], least))
    start = np.array([*logs, law.a, law.b])
    free = [(None, None)] * 3 + [(LEAST, MOST)] * 2
    options = {"maxiter": 5000, "maxfun": 20000, "ftol": 1e-15, "gtol": 1e-10, "maxcor": 30}
    found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=free, options=options)
    best = found.x if found.fun < objective(start)[0] else start
    return Law(*(float(x) for x in (*np.exp(best[:3]), *best[3:])))
