"""The document of each cluster that stays, held against a look at all of its documents."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.data.dedup import piles
from openhearth.data.dedup.pick import best_of, first_of

scores = st.sampled_from([0.0, 1.0, -1.5, 1e300, -np.inf, np.inf])


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9), scores), max_size=25),
    st.integers(1, 26),
    st.sampled_from([1, 100, 10**6]),
    st.lists(st.integers(0, 25), max_size=3),
)
def test_the_best_of_each_cluster_stays(
    documents: list[tuple[int, float]], size: int, buffer: int, cuts: list[int]
) -> None:
    """Of equal ones the first, in ranges and pieces of any size."""
    names = [name for name, _ in documents]
    firsts = np.array([names.index(name) for name in names], np.int64)
    scores = np.array([score for _, score in documents], float)
    expected = [
        i
        == max((j for j, other in enumerate(names) if other == name), key=lambda j: (scores[j], -j))
        for i, name in enumerate(names)
    ]
    pieces = np.split(scores, sorted(min(cut, len(scores)) for cut in cuts))
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(piles, "RANGE", size)
        patch.setattr(piles, "SHARED", 2)
        patch.setattr(piles, "BUFFER_BYTES", buffer)
        patch.setattr(piles, "PIECE_BYTES", 48)
        path = Path(folder) / "firsts"
        firsts.tofile(path)
        first = [kept for some in first_of(path, len(firsts)) for kept in some.tolist()]
        assert first == [names.index(name) == i for i, name in enumerate(names)]
        found = best_of(path, len(firsts), pieces, Path(folder) / "best")
        assert [kept for some in found for kept in some.tolist()] == expected
