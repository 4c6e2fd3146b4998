"""Rows come back from the piles that they were put on, whether they went to files or not."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.data.dedup import piles

COUNT = 20
rows = st.lists(st.tuples(st.integers(0, COUNT - 1), st.integers(-5, 5)), max_size=9)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ranges of 6 of which two share a file, and what is held goes to files when it is 4 rows."""
    monkeypatch.setattr(piles, "RANGE", 6)
    monkeypatch.setattr(piles, "SHARED", 2)
    monkeypatch.setattr(piles, "BUFFER_BYTES", 64)


def columns(rows: list[tuple[int, int]]) -> np.ndarray:
    return np.array(rows, np.int64).reshape(-1, 2).T


def all_of(found: piles.Piles, here: range) -> list[tuple[int, int]]:
    return [row for piece in found.pieces(here) for row in zip(*piece.tolist(), strict=True)]


@given(st.integers(0, 40))
def test_ranges_follow_each_other(count: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(piles, "RANGE", 6)
        found = piles.ranges(count)
    assert [number for here in found for number in here] == list(range(count))
    assert all(len(here) == 6 for here in found[:-1])


@settings(deadline=None)
@given(
    st.lists(rows, max_size=6),
    st.integers(1, COUNT),
    st.integers(1, 4),
    st.sampled_from([1, 64, 10**6]),
    st.sampled_from([16, 48]),
    st.booleans(),
)
def test_rows_lie_on_the_pile_of_their_first_number(
    batches: list[list[tuple[int, int]]],
    size: int,
    shared: int,
    buffer: int,
    piece: int,
    downwards: bool,
) -> None:
    """In the order in which they came, and they stay there when they are read."""
    expected = defaultdict(list)
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(piles, "RANGE", size)
        patch.setattr(piles, "SHARED", shared)
        patch.setattr(piles, "BUFFER_BYTES", buffer)
        patch.setattr(piles, "PIECE_BYTES", piece)
        found = piles.Piles(Path(folder) / "piles", 2)
        for batch in batches:
            found.add(*columns(batch))
            for number, value in batch:
                expected[number // size].append((number, value))
            for here in piles.ranges(COUNT)[:: -1 if downwards else 1]:
                assert all_of(found, here) == expected[here.start // size]


@pytest.mark.usefixtures("small")
def test_rows_are_added_while_others_are_read(tmp_path: Path) -> None:
    """Each comes once, though what was held goes to files meanwhile."""
    found = piles.Piles(tmp_path / "piles", 2)
    found.add(*columns([(13, 1), (12, 2), (14, 3), (2, 0)]))  # goes to files
    found.add(*columns([(17, 4), (3, 0)]))
    low, high = range(6), range(12, 18)
    seen = []
    for piece in found.pieces(high):
        seen += piece[1].tolist()
        found.add(*columns([(1, -value) for value in piece[1].tolist()]))
    assert seen == [1, 2, 3, 4]
    assert all_of(found, low) == [(2, 0), (3, 0), (1, -1), (1, -2), (1, -3), (1, -4)]


@pytest.mark.usefixtures("small")
def test_ranges_that_are_done_with_go(tmp_path: Path) -> None:
    def files() -> int:
        return sum(path.is_file() for path in tmp_path.rglob("*"))

    found = piles.Piles(tmp_path / "piles", 2)
    found.add(*columns([(0, 1), (7, 2), (8, 3), (1, 4), (12, 5), (18, 6), (19, 7), (13, 8)]))
    found.add(*columns([(7, 9)]))  # is held
    assert files() == 3
    found.drop(range(6, 12))
    assert files() == 2
    assert all_of(found, range(6, 12)) == []
    assert all_of(found, range(6)) == [(0, 1), (1, 4)]
    assert all_of(found, range(12, 18)) == [(12, 5), (13, 8)]
    assert files() == 3  # of those that shared one, each has its own
