"""Chance: its distribution, its independence, and the highest n of a stream."""

from __future__ import annotations

import numpy as np
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from openhearth.data.select import sample
from openhearth.data.select.sample import PLACE, Best, gumbel, uniform

rows = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4)), max_size=80)


def names(count: int) -> np.ndarray:
    """Hashes of names that differ in their last digits only, as ids do."""
    hashes = (xxhash.xxh64_intdigest(f"shard\0document-{i}".encode()) for i in range(count))
    return np.fromiter(hashes, np.uint64, count)


def test_the_numbers_are_uniform_and_independent() -> None:
    values = uniform(names(20_000), 0, "a")
    assert stats.kstest(values, "uniform").pvalue > 0.001
    for other in (uniform(names(20_000), 1, "a"), uniform(names(20_000), 0, "b"), values[::-1]):
        assert abs(np.corrcoef(values, other)[0, 1]) < 4 / np.sqrt(20_000)
    assert stats.kstest(gumbel(names(20_000), 0, "a"), "gumbel_r").pvalue > 0.001


def test_one_document_is_drawn_as_often_as_its_weight_says() -> None:
    """With n = 1 the shares are the weights themselves: a chi-square test over many seeds."""
    weights = np.array([1, 2, 3, 4, 10])
    keys = np.log(weights)
    draws = [int(np.argmax(keys + gumbel(names(5), seed, "t"))) for seed in range(20_000)]
    counts = np.bincount(draws, minlength=5)
    assert stats.chisquare(counts, weights / weights.sum() * len(draws)).pvalue > 0.001


def test_two_are_drawn_without_replacement() -> None:
    """The pairs' probabilities are p_i p_j / (1 - p_i), by hand for three weights."""
    p = np.array([0.5, 0.3, 0.2])
    seeds = 20_000
    places = np.zeros(3, PLACE)
    places["row"] = range(3)
    found = dict.fromkeys([(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)], 0)
    for seed in range(seeds):
        best = Best(2)
        best.add(np.log(p) + gumbel(names(3), seed, "t"), places, np.zeros(3, np.uint64))
        first, second = best.places()["row"].tolist()
        found[first, second] += 1
    expected = [seeds * p[i] * p[j] / (1 - p[i]) for i, j in found]
    assert stats.chisquare(list(found.values()), expected).pvalue > 0.001


def by_hand(values: list[tuple[int, int]], n: int, cap: int | None) -> list[int]:
    """The best n rows, taken one after the other, of each group at most `cap`."""
    chosen: list[int] = []
    held: dict[int, int] = {}
    for i in sorted(range(len(values)), key=lambda i: (-values[i][0], i)):
        group = values[i][1]
        if len(chosen) < n and (cap is None or held.get(group, 0) < cap):
            chosen.append(i)
            held[group] = held.get(group, 0) + 1
    return chosen


@given(rows, st.integers(1, 12), st.none() | st.integers(1, 4), st.integers(1, 30))
@settings(deadline=None)
def test_a_stream_gives_the_best_of_all(
    values: list[tuple[int, int]], n: int, cap: int | None, piece: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sample, "SPARE", 2)  # so that rows are let go early
        best = Best(n, cap)
        places = np.zeros(len(values), PLACE)
        places["row"] = range(len(values))
        keys = np.array([key for key, _ in values], np.float64)
        groups = np.array([group for _, group in values], np.uint64)
        for i in range(0, len(values), piece):
            best.add(keys[i : i + piece], places[i : i + piece], groups[i : i + piece])
            assert len(best._keys) <= 2 * n + 2 + n + 2
        assert best.places()["row"].tolist() == by_hand(values, n, cap)
