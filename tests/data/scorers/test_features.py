"""Hashes and bags of features, against their definitions."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pyarrow as pa
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.data.hashes import hash_pairs, hash_words
from openhearth.data.scorers.features import bags, words
from openhearth.data.signals.compute import feature_buckets

hashes = st.integers(0, 2**64 - 1)


@given(st.lists(st.tuples(hashes, hashes)))
@settings(deadline=None)
def test_pairs_are_hashed_as_xxh64_does(pairs: list[tuple[int, int]]) -> None:
    first, second = np.array(pairs, np.uint64).reshape(-1, 2).T
    raw = [a.to_bytes(8, "little") + b.to_bytes(8, "little") for a, b in pairs]
    assert hash_pairs(first, second).tolist() == [xxhash.xxh64_intdigest(x) for x in raw]


@given(st.lists(st.text(max_size=40), max_size=5))
@settings(deadline=None)
def test_bags_hold_the_features_of_the_signals(texts: list[str]) -> None:
    found = bags(pa.array(texts, pa.string()), 97, fold=False)
    assert len(found.offsets) == len(texts) + 1
    for text, begin, end in zip(texts, found.offsets[:-1], found.offsets[1:], strict=True):
        expected = Counter(feature_buckets(words(text, fold=False), 97))
        assert found.buckets[begin:end].tolist() == sorted(expected)
        weights = np.log1p([expected[bucket] for bucket in sorted(expected)])
        length = np.sqrt((weights**2).sum()) if len(weights) else 1
        np.testing.assert_allclose(found.values[begin:end], weights / length, rtol=1e-6)


def test_folded_words_are_lower_case_with_digits_0() -> None:
    assert words("Ärger: 1987, 3.5!", fold=True) == ["ärger", ":", "0000", ",", "0", ".", "0", "!"]
    assert words("Ärger: 1987", fold=False) == ["Ärger", ":", "1987"]


def test_a_pair_does_not_cross_texts() -> None:
    together = bags(pa.array(["a b", "c d"]), 1 << 20, fold=False)
    pairs = {int(h) % (1 << 20) for h in hash_pairs(*(hash_words(x) for x in ("ac", "bd")))}
    alone = {int(h) % (1 << 20) for h in hash_words("abcd")}
    assert set(together.buckets.tolist()) == alone | pairs
    assert [a < b for a, b in pairwise(together.offsets)] == [True, True]
