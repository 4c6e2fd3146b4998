"""Laws recovered from surfaces that they made, and what follows from a law."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from openhearth.errors import UsageError
from openhearth.training.study.scaling import Law, Points, fit

# Besiroglu et al. 2024 (arXiv:2404.10102), who fitted Chinchilla's runs again.
EPOCH = Law(E=1.8172, A=482.01, B=2085.43, a=0.3478, b=0.3658)
# Hoffmann et al. 2022 (arXiv:2203.15556), equation 10.
CHINCHILLA = Law(E=1.69, A=406.4, B=410.7, a=0.34, b=0.28)


def grid(law: Law, N: tuple[float, float], D: tuple[float, float], count: int = 5) -> Points:
    """Losses without noise, of sizes and tokens between powers of ten."""
    sizes, tokens = np.meshgrid(np.logspace(*N, count), np.logspace(*D, count))
    sizes, tokens = sizes.ravel(), tokens.ravel()
    return Points(sizes, tokens, law.loss(sizes, tokens))


@pytest.mark.parametrize("law", [EPOCH, CHINCHILLA], ids=["epoch", "chinchilla"])
def test_published_laws_are_recovered(law: Law) -> None:
    found = fit(grid(law, (7.6, 10.2), (9, 11.5)))
    assert astuple(found) == pytest.approx(astuple(law), rel=1e-6)


@settings(max_examples=25, deadline=None)
@given(
    st.floats(0.3, 3),
    st.floats(0.1, 2),
    st.floats(0.1, 2),
    st.floats(0.15, 0.9),
    st.floats(0.15, 0.9),
)
def test_any_law_is_recovered_without_noise(
    E: float, from_n: float, from_d: float, a: float, b: float
) -> None:
    law = Law(E, from_n * 1e5**a, from_d * 1e6**b, a, b)
    found = fit(grid(law, (4.5, 6.5), (5.5, 7.5)))
    assert astuple(found) == pytest.approx(astuple(law), rel=1e-6)


def test_outliers_count_little() -> None:
    points = grid(EPOCH, (7.6, 10.2), (9, 11.5))
    points.L[7] *= 1.3
    found = fit(points)
    assert found.loss(3e10, 1e12) == pytest.approx(EPOCH.loss(3e10, 1e12), rel=2e-3)


def test_a_law_of_smaller_runs_foretells_larger_ones() -> None:
    points = grid(EPOCH, (7.6, 10.2), (9, 11.5))
    noise = np.random.default_rng(1).normal(0, 0.002, len(points.L))
    found = fit(Points(points.N, points.D, points.L * np.exp(noise)))
    assert found.loss(1e11, 1e12) == pytest.approx(EPOCH.loss(1e11, 1e12), rel=0.02)


@pytest.mark.parametrize("law", [EPOCH, CHINCHILLA], ids=["epoch", "chinchilla"])
@pytest.mark.parametrize("flops", [1e18, 5.76e23])
def test_the_optimum_is_the_least_loss_of_its_flops(law: Law, flops: float) -> None:
    N, D = law.optimum(flops)
    assert pytest.approx(flops) == 6 * N * D
    best = minimize_scalar(
        lambda log_n: law.loss(np.exp(log_n), flops / 6 / np.exp(log_n)),
        bounds=(10, 35),
        method="bounded",
        options={"xatol": 1e-9},
    )
    assert np.exp(best.x) == pytest.approx(N, rel=1e-3)


def test_the_optimum_that_chinchilla_tells() -> None:
    # Their table A3, approach 3: of 5.76e23 FLOPs, what Gopher took, 40 billion parameters.
    assert CHINCHILLA.optimum(5.76e23)[0] == pytest.approx(40e9, rel=0.25)


@pytest.mark.parametrize(
    ("N", "D"),
    [([1e5] * 6, [1e6, 2e6, 3e6, 4e6, 5e6, 6e6]), ([1e5, 2e5, 1e5], [1e6, 1e6, 2e6])],
    ids=["one size", "three runs"],
)
def test_too_few_runs_determine_nothing(N: list[float], D: list[float]) -> None:
    sizes, tokens = np.array(N), np.array(D)
    with pytest.raises(UsageError, match="determine no scaling law"):
        fit(Points(sizes, tokens, EPOCH.loss(sizes, tokens)))
