"""The Bloom filter: it never forgets, errs as designed, and its file is checked."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openhearth.data.dedup.bloom import HEADER, Bloom
from openhearth.errors import HearthError, UsageError

key_lists = st.lists(
    st.lists(st.integers(0, 6) | st.integers(0, (1 << 64) - 1), max_size=8), max_size=8
)


def ask(bloom: Bloom, keys: np.ndarray, **options: bool) -> np.ndarray:
    return bloom.seen(keys, np.array([0, len(keys)], np.int32), at_once=True, **options)


@pytest.mark.parametrize("false_positives", [0.1, 1e-2, 1e-3])
def test_it_errs_as_often_as_designed(false_positives: float) -> None:
    random = np.random.default_rng(0)
    bloom = Bloom(50_000, false_positives)
    old, new = random.integers(1, 1 << 64, (2, 50_000), dtype=np.uint64)
    assert not ask(bloom, old)[:100].any()  # asked before they were added
    assert ask(bloom, old).all()
    probe = Bloom(50_000, false_positives)
    probe.words[:] = bloom.words
    errors = int(np.count_nonzero(ask(probe, new)))
    expected = 50_000 * false_positives
    # The design is for a full filter, so neither more nor much less; four standard deviations.
    assert abs(errors - expected) < 4 * expected**0.5 + 0.05 * expected


@given(key_lists, st.booleans())
def test_native_is_as_plain(documents: list[list[int]], at_once: bool) -> None:
    keys = np.array([key for keys in documents for key in keys], np.uint64)
    offsets = np.cumsum([0, *map(len, documents)], dtype=np.int32)
    fast, plain = Bloom(20, 0.1), Bloom(20, 0.1)
    found = fast.seen(keys, offsets, at_once=at_once)
    assert np.array_equal(found, plain.seen(keys, offsets, at_once=at_once, native=False))
    assert np.array_equal(fast.words, plain.words)


def test_a_text_asked_at_once_does_not_see_itself() -> None:
    keys, offsets = np.array([7, 7, 0, 7, 0], np.uint64), np.array([0, 3, 5], np.int32)
    one_by_one = Bloom(100, 1e-3).seen(keys, offsets, at_once=False)
    assert one_by_one.tolist() == [False, True, False, True, False]
    at_once = Bloom(100, 1e-3).seen(keys, offsets, at_once=True)
    assert at_once.tolist() == [False, False, False, True, False]


def test_a_file_brings_back_what_was_seen(tmp_path: Path) -> None:
    bloom = Bloom(1000, 1e-3, {"method": "paragraph"})
    keys = np.arange(1, 900, dtype=np.uint64) << np.uint64(50)
    ask(bloom, keys)
    bloom.save(tmp_path / "filter")
    again = Bloom.load(tmp_path / "filter", {"method": "paragraph"})
    assert again.added == 899
    assert ask(again, keys).all()
    with pytest.raises(UsageError, match="other settings"):
        Bloom.load(tmp_path / "filter", {"method": "line"})
    again.added = 899
    again.room_for(101)
    with pytest.raises(UsageError, match="made for 1,000 keys"):
        again.room_for(102)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, HEADER.size + 200), st.integers(0, 255)), max_size=6),
    st.integers(0, 400),
)
def test_damaged_files_are_refused(
    tmp_path: Path, changes: list[tuple[int, int]], cut: int
) -> None:
    path = tmp_path / "filter"
    Bloom(30, 1e-2).save(path)
    data = bytearray(path.read_bytes())
    for place, value in changes:
        if place < len(data):
            data[place] = value
    path.write_bytes(data[: len(data) - cut])
    with contextlib.suppress(HearthError):
        assert Bloom.load(path).words.nbytes == len(data) - HEADER.size


@given(st.binary(max_size=200))
def test_other_bytes_are_refused(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "filter"
        path.write_bytes(data)
        with pytest.raises(HearthError):
            Bloom.load(path)


@pytest.mark.parametrize("share", [0.0, 0.9, float("nan")])
def test_rates_that_make_no_sense_are_refused(share: float) -> None:
    with pytest.raises(UsageError, match="must be from"):
        Bloom(10, share)
