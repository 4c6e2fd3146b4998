"""The interval of a ratio, by groups."""

from __future__ import annotations

import numpy as np

from openhearth.bench.evaluation.interval import ratio_interval


def test_about_as_wide_as_its_normal_approximation() -> None:
    rng = np.random.default_rng(1)
    below = np.full(400, 2.0)
    above = rng.normal(6, 1, 400)
    found = ratio_interval([str(i) for i in range(400)], above, below)
    assert found is not None
    half = 1.96 * above.std() / np.sqrt(400) / 2
    np.testing.assert_allclose(found, (above.mean() / 2 - half, above.mean() / 2 + half), atol=0.02)


def test_alike_documents_of_a_source_count_once() -> None:
    above, below = np.array([1.0, 3.0] * 50), np.ones(100)
    low, high = ratio_interval(["a", "b"] * 50, above, below) or (0, 0)
    assert (low, high) == (1.0, 3.0)


def test_none_of_one_group() -> None:
    assert ratio_interval(["a", "a"], np.ones(2), np.ones(2)) is None
    assert ratio_interval([], np.ones(0), np.ones(0)) is None
