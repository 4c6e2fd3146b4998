"""Runs of words that were seen before, held against sets of tuples; and the file."""

from __future__ import annotations

import contextlib
import random
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.data.ngram_index import (
    HEADER,
    NgramIndex,
    Spans,
    covered_spans,
    run_keys,
    words_of,
)
from openhearth.errors import HearthError, UsageError

words = st.lists(st.sampled_from(["a", "B", "c,", "(d)", "-", "é", "\u2028", "한"]), max_size=25)
texts = words.map(" ".join) | st.text(max_size=80)


def by_hand(known: list[str], text: str, n: int) -> Spans:
    runs = {tuple(w[i : i + n]) for w, _ in map(words_of, known) for i in range(len(w) - n + 1)}
    found, places = words_of(text)
    inside = {
        j
        for i in range(len(found) - n + 1)
        if tuple(found[i : i + n]) in runs
        for j in range(i, i + n)
    }
    spans: Spans = []
    for j in sorted(inside):
        begin = spans.pop()[0] if j - 1 in inside else places[j][0]
        spans.append((begin, places[j][1]))
    return spans


@given(st.lists(texts, max_size=5), st.lists(texts | st.none(), max_size=5), st.integers(1, 5))
def test_known_runs_are_found(known: list[str], asked: list[str | None], n: int) -> None:
    index, plain = NgramIndex(n), NgramIndex(n)
    for text in known:
        index.add(pa.array([text]))
    plain.add(pa.array(known, pa.large_string()), native=False)
    assert len(index) == len(plain)
    expected = [by_hand(known, text or "", n) for text in asked]
    assert index.spans(pa.array(asked, pa.string())) == expected
    assert plain.spans(pa.array(asked, pa.large_string()), native=False) == expected


@given(st.lists(texts | st.none(), max_size=5), st.integers(1, 4), st.randoms())
def test_spans_of_chosen_runs_are_as_plain(
    asked: list[str | None], n: int, chance: random.Random
) -> None:
    array = pa.array(asked, pa.string())
    known = np.array([chance.random() < 0.3 for _ in run_keys(array, n)[0]], bool)
    assert covered_spans(array, known, n) == covered_spans(array, known, n, native=False)


def test_spans_are_in_characters_and_touching_ones_are_one() -> None:
    index = NgramIndex(3)
    index.add(pa.array(["the quick brown fox", "jumps over the"]))
    asked = ["“é” THE quick, brown — (fox) x", "the quick brown jumps over the", "the quick"]
    # The dash in the first is a word, since it is not of ASCII.
    assert index.spans(pa.array(asked)) == [[(4, 20)], [(0, 30)], []]


def test_many_texts_are_merged_as_they_come() -> None:
    index = NgramIndex(2)
    for i in range(200):
        index.add(pa.array([f"w{i % 150} x"]))
    assert len(index) == 150


def test_a_file_brings_the_index_back(tmp_path: Path) -> None:
    index = NgramIndex(4)
    index.add(pa.array([f"one two three four {i} five six" for i in range(50)]))
    index.save(tmp_path / "index")
    again = NgramIndex.load(tmp_path / "index")
    assert (again.n, len(again)) == (4, len(index))
    assert again.spans(pa.array(["zero one two three four"])) == [[(5, 23)]]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, HEADER.size + 40), st.integers(0, 255)), max_size=5),
    st.integers(0, 100),
    st.binary(max_size=80) | st.none(),
)
def test_damaged_files_are_refused(
    changes: list[tuple[int, int]], cut: int, other: bytes | None
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index"
        index = NgramIndex(1)
        index.add(pa.array(["a b c d e"]))
        index.save(path)
        data = bytearray(path.read_bytes())
        for place, value in changes:
            data[min(place, len(data) - 1)] = value
        path.write_bytes(other if other is not None else data[: len(data) - cut])
        with contextlib.suppress(HearthError):
            assert len(NgramIndex.load(path)) == 5


@pytest.mark.parametrize("n", [0, 1001])
def test_runs_have_a_length_that_makes_sense(n: int) -> None:
    with pytest.raises(UsageError, match="must be from 1"):
        NgramIndex(n)
