"""The shuffle that is never stored."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.training.permute import permuted


@given(size=st.integers(1, 300), seed=st.integers(0, 2**32 - 1), epoch=st.integers(0, 1000))
def test_every_number_comes_exactly_once(size: int, seed: int, epoch: int) -> None:
    assert sorted(permuted(p, size, seed, epoch) for p in range(size)) == list(range(size))


def test_seeds_and_epochs_shuffle_differently() -> None:
    def shuffle(seed: int, epoch: int) -> list[int]:
        return [permuted(p, 1000, seed, epoch) for p in range(1000)]

    first = shuffle(0, 0)
    assert first == shuffle(0, 0)
    assert first != list(range(1000))
    for other in (shuffle(1, 0), shuffle(0, 1)):
        assert sum(a == b for a, b in zip(first, other, strict=True)) < 20


def test_neighbours_are_far_apart_also_among_many() -> None:
    size = 10**12
    places = [permuted(p, size, 7, 3) for p in range(200)]
    steps = [abs(a - b) for a, b in pairwise(places)]
    # Of two random places the mean distance is a third of the size.
    assert 0.25 * size < sum(steps) / len(steps) < 0.42 * size


def test_there_is_nothing_beyond_the_size() -> None:
    with pytest.raises(IndexError, match="no position 5 among 5"):
        permuted(5, 5, 0, 0)
