"""Clusters in memory and on disk, held against a plain union of sets."""

from __future__ import annotations

import tempfile
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from openhearth.data.dedup import piles
from openhearth.data.dedup.clusters import Clusters
from openhearth.data.dedup.components import write_lowest

COUNT = 30
node = st.integers(0, COUNT - 1)
links = st.lists(st.lists(st.tuples(node, node).filter(lambda e: e[0] != e[1]), max_size=20))


def by_hand(count: int, edges: Iterable[tuple[int, int]]) -> list[int]:
    """The lowest member of each one's cluster: a plain union-find."""
    lower = list(range(count))

    def lowest(number: int) -> int:
        while lower[number] != number:
            lower[number] = number = lower[lower[number]]
        return number

    for edge in edges:
        low, high = sorted(map(lowest, edge))
        lower[high] = low
    return [lowest(number) for number in range(count)]


def on_disk(edges: Iterable[np.ndarray], count: int) -> np.ndarray:
    """The same from files, which go."""
    with tempfile.TemporaryDirectory() as folder:
        write_lowest(edges, count, Path(folder) / "lowest", Path(folder) / "work")
        return np.fromfile(Path(folder) / "lowest", np.int64)


def rows(edges: list[tuple[int, int]]) -> np.ndarray:
    return np.sort(np.array(edges, np.int64).reshape(-1, 2), axis=1)


@given(links)
def test_clusters_are_what_is_linked(batches: list[list[tuple[int, int]]]) -> None:
    clusters = Clusters(COUNT)
    for some in batches:
        clusters.join(*rows(some).T)
    expected = by_hand(COUNT, [edge for some in batches for edge in some])
    assert clusters.lowest().tolist() == expected


@settings(deadline=None)
@example([[(0, 4), (1, 4), (1, 3), (2, 3)]], 1, 1, 1, 16)
@given(
    links,
    st.integers(1, COUNT + 1),
    st.integers(1, 4),
    st.sampled_from([1, 100, 10**6]),
    st.sampled_from([16, 64]),
)
def test_ranges_on_disk_come_to_the_same(
    batches: list[list[tuple[int, int]]], size: int, shared: int, buffer: int, piece: int
) -> None:
    expected = by_hand(COUNT, [edge for some in batches for edge in some])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(piles, "RANGE", size)
        patch.setattr(piles, "SHARED", shared)
        patch.setattr(piles, "BUFFER_BYTES", buffer)
        patch.setattr(piles, "PIECE_BYTES", piece)
        assert on_disk(map(rows, batches), COUNT).tolist() == expected


def shape(name: str, count: int) -> np.ndarray:
    """Edges that are hard on one algorithm or another."""
    numbers, chance = np.arange(count), np.random.default_rng(0)
    mixed = chance.permutation(count)
    edges = {
        "chain": (numbers[:-1], numbers[1:]),
        "chain from its end": (numbers[-2::-1], numbers[:0:-1]),
        "chain of any order": (mixed[:-1], mixed[1:]),
        "nested pairs": (numbers[: count // 2], numbers[: count // 2 - 1 : -1][: count // 2]),
        "star at the first": (np.zeros(count - 1, int), numbers[1:]),
        "star at the last": (numbers[:-1], np.full(count - 1, count - 1)),
        "far and near": (mixed[:-1] // 2, np.maximum(mixed[1:], mixed[:-1] // 2 + 1)),
        "sparse": tuple(chance.integers(0, count, (2, count // 2))),
        "dense": tuple(chance.integers(0, count, (2, 4 * count))),
    }[name]
    stacked = np.sort(np.stack(edges, axis=1), axis=1)
    return stacked[stacked[:, 0] != stacked[:, 1]]


SHAPES = [
    "chain",
    "chain from its end",
    "chain of any order",
    "nested pairs",
    "star at the first",
    "star at the last",
    "far and near",
    "sparse",
    "dense",
]


@pytest.mark.parametrize("size", [1000, 1 << 20])
@pytest.mark.parametrize("name", SHAPES)
def test_any_shape_is_joined(name: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(piles, "RANGE", size)
    monkeypatch.setattr(piles, "SHARED", 4)
    monkeypatch.setattr(piles, "BUFFER_BYTES", 40_000)
    monkeypatch.setattr(piles, "PIECE_BYTES", 10_000)
    edges = shape(name, 20_000)
    found = on_disk(np.array_split(edges, 7), 20_000)
    assert found.tolist() == by_hand(20_000, edges.tolist())


@pytest.mark.parametrize("name", SHAPES)
def test_less_is_held_than_a_number_for_each_document(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By far: it is some arrays as long as a range. numpy tells tracemalloc what it allocates; what
    the test itself holds is not counted.
    """
    monkeypatch.setattr(piles, "RANGE", 20_000)
    monkeypatch.setattr(piles, "SHARED", 4)
    monkeypatch.setattr(piles, "BUFFER_BYTES", 160_000)
    monkeypatch.setattr(piles, "PIECE_BYTES", 80_000)
    count = 800_000
    edges = shape(name, count)
    pieces = (edges[i : i + 5_000] for i in range(0, len(edges), 5_000))
    with tempfile.TemporaryDirectory() as folder:
        tracemalloc.start()
        write_lowest(pieces, count, Path(folder) / "lowest", Path(folder) / "work")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 8 * count
