"""Groups by an external sort and clusters by union-find, held against dictionaries."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openhearth.data.dedup import group
from openhearth.data.dedup.clusters import Clusters
from openhearth.data.dedup.group import Groups
from openhearth.data.dedup.keep import best_of, first_of
from openhearth.data.executors import Threads

keys = st.integers(0, 5) | st.sampled_from([1 << 56, (1 << 56) + 1, (1 << 64) - 1])


def by_hand(count: int, links: list[tuple[int, int]]) -> list[int]:
    """The lowest member of each one's cluster."""
    first = list(range(count))
    for _ in range(count):
        for a, b in links:
            first[a] = first[b] = min(first[a], first[b])
    return first


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None
)
@given(st.lists(st.lists(keys, max_size=4), max_size=30), st.sampled_from([1, 2]), st.data())
def test_documents_with_a_key_in_common_are_linked(
    tmp_path: Path, documents: list[list[int]], words: int, data: st.DataObject
) -> None:
    """Buffers and leaves are made so small that all of it goes through files, and is split."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(group, "BUFFER_BYTES", data.draw(st.sampled_from([1, 100, 10**6])))
        patch.setattr(group, "LEAF_BYTES", data.draw(st.sampled_from([24, 72, 10**6])))
        groups = Groups(tmp_path / "groups", words)
        holders: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for number, held in enumerate(documents):
            rows = np.array(held, np.uint64).reshape(-1, 1).repeat(words, axis=1)
            groups.add(rows, np.full(len(rows), number))
            for row in rows.tolist():
                holders[tuple(row)].append(number)
        found = list(groups.grouped(Threads(data.draw(st.integers(1, 3)))))
    edges = {tuple(edge) for g in found for edge in g.edges.tolist()}
    assert edges == {(min(d), n) for d in holders.values() for n in d if n != min(d)}
    assert [tuple(key) for g in found for key in g.keys.tolist()] == sorted(holders)
    assert not (tmp_path / "groups").exists()


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=9), max_size=5)
)
def test_clusters_are_what_is_linked(batches: list[list[tuple[int, int]]]) -> None:
    clusters = Clusters(20)
    for links in batches:
        clusters.join(np.array(links, np.int64).reshape(-1, 2))
    assert clusters.lowest().tolist() == by_hand(20, [link for links in batches for link in links])


@pytest.mark.parametrize("step", [1, 7, 300_000])
def test_a_long_chain_is_one_cluster(step: int) -> None:
    """In one batch and in many, from its beginning and from its end."""
    for order in (1, -1):
        chain = np.stack([np.arange(2000), np.arange(1, 2001)], axis=1)[::order]
        clusters = Clusters(2001)
        for i in range(0, 2000, step):
            clusters.join(chain[i : i + step])
        assert not clusters.lowest().any()


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from([0.0, 1.0, -np.inf])), max_size=20))
def test_the_best_of_each_cluster_stays(documents: list[tuple[int, float]]) -> None:
    names = [name for name, _ in documents]
    clusters = np.array([names.index(name) for name in names], np.int64)
    scores = np.array([score for _, score in documents])
    expected = [
        i
        == max((j for j, other in enumerate(names) if other == name), key=lambda j: (scores[j], -j))
        for i, name in enumerate(names)
    ]
    assert first_of(clusters).tolist() == [names.index(n) == i for i, n in enumerate(names)]
    pieces = [scores[:3], scores[3:3], scores[3:]]
    assert best_of(clusters, pieces).tolist() == expected
