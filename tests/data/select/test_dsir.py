"""DSIR's weights by hand, counts in files, and real text that is told apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from openhearth.data import read
from openhearth.data.executors import Threads
from openhearth.data.select import Counts, RawWords, count, count_features, fit, kl_reduction
from openhearth.data.signals.resources import read_counts
from openhearth.errors import UsageError
from tests.data.select.corpora import corpus_of, documents


def test_weights_by_hand() -> None:
    weights = fit({"t": np.array([3, 1, 0])}, np.array([1, 1, 2]))
    expected = np.log([0.75 + 1e-8, 0.25 + 1e-8, 1e-8]) - np.log(np.array([1, 1, 2]) / 4 + 1e-8)
    np.testing.assert_allclose(weights.values[:, 0], expected, rtol=1e-12)
    assert weights.domains == ("t",)


def test_counts_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(UsageError, match="source has no words"):
        fit({"t": np.array([1, 2])}, np.array([0, 0]))
    with pytest.raises(UsageError, match="t has 2 buckets, not 3"):
        fit({"t": np.array([1, 2])}, np.array([1, 2, 3]))


def test_a_corpus_is_counted_whole_by_any_number_of_threads(tmp_path: Path) -> None:
    rows = documents(60)
    corpus = corpus_of(rows)
    expected = sum(count_features(b.column("text"), 64) for b in corpus.batches())
    for threads in (1, 2, 5):
        found = count(corpus, RawWords(64), tmp_path / f"{threads}", Threads(threads))
        assert found.values.tolist() == expected.tolist()
        assert found.documents == 60


def test_a_part_that_was_counted_is_not_counted_again(tmp_path: Path) -> None:
    corpus = corpus_of(documents(60))
    first = count(corpus, RawWords(64), tmp_path)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/*.npz")}
    next(iter(files)).with_suffix(".done").unlink()
    again = count(corpus, RawWords(64), tmp_path)
    assert again.values.tolist() == first.values.tolist()
    changed = {path for path in files if path.stat().st_mtime_ns != files[path]}
    assert len(files) == 3
    assert changed == {next(iter(files))}


def test_saved_counts_are_what_signals_read(tmp_path: Path) -> None:
    rows = documents(30)
    found = count(corpus_of(rows), RawWords(), tmp_path / "work")
    found.save(tmp_path / "cats.npz")
    counts, words = read_counts(tmp_path / "cats.npz")
    assert counts.tolist() == found.values.tolist()
    assert words == sum(len(row["text"].split()) for row in rows) / 30
    assert Counts.load(tmp_path / "cats.npz").documents == 30


def test_real_text_is_told_apart() -> None:
    """Which package a module is of, by the other modules of that package."""
    features = RawWords()
    known, asked = {}, {}
    for name in ("networkx", "hypothesis"):
        table = pa.Table.from_batches(read(f"python:{name}").batches())
        texts = table.column("text").combine_chunks()
        known[name] = features.count(texts.take(pa.array(range(0, len(texts), 2))))
        asked[name] = texts.take(pa.array(range(1, len(texts), 2)))
    both = known["networkx"] + known["hypothesis"]
    weights = fit(known, both)
    right = []
    for place, name in enumerate(weights.domains):
        sums, words = features.importance(asked[name], weights)
        right += (sums.argmax(axis=1) == place)[words > 20].tolist()
    assert len(right) > 20
    assert sum(right) / len(right) > 0.9
    assert kl_reduction(known["networkx"], both, known["networkx"]) > 0.1
    assert kl_reduction(known["networkx"], both, both) == 0
