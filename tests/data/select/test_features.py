"""Features against the signals' definition, and against `data-selection` 1.0.3."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.data.hashes import hash_pairs
from openhearth.data.select import LowerWords, RawWords, count_features, fit
from openhearth.data.select.features import count_words
from openhearth.data.signals.compute import Weights, compute, feature_buckets
from openhearth.data.signals.views import RAW_WORD

texts = st.lists(st.text(max_size=60), max_size=6)
TARGET = [
    "The Cat sat on the mat, and the dog didn't mind.\nCats and dogs: friends!" * 3,
    "A dog is a friend; a cat — well, a cat is a cat. Ångström, naïve café.",
]
SOURCE = [
    "The stock market fell by 3.5% on Monday; investors' fears grew.",
    "def add(a, b):\n    return a + b  # sum",
    "The dog sat on the mat. The cat didn't.",
    "İstanbul'da kedi — köpek... 猫と犬。",
    "",
    "x",
]
# From HashedNgramDSIR of data-selection 1.0.3 over TARGET and SOURCE, fitted on all tokens: its
# log_importance_weights, and its lengths in tokens. With nltk 3.9.1: the regular expressions of
# 3.10 are of another library, which takes combining marks for parts of words.
IMPORTANCE = [
    -372.8588173848017,
    -302.9153043337096,
    -45.473346206875450,
    -262.50771385058397,
    0.0,
    -13.766721443794292,
]
LENGTHS = [17, 13, 13, 11, 0, 1]


def array(values: list[str]) -> pa.Array:
    return pa.array(values, pa.string())


def test_the_importance_is_that_of_data_selection() -> None:
    features = LowerWords()
    weights = fit({"t": features.count(array(TARGET))}, features.count(array(SOURCE)))
    sums, words = features.importance(array(SOURCE), weights)
    np.testing.assert_allclose(sums[:, 0], IMPORTANCE, rtol=0, atol=1e-8)
    assert words.tolist() == LENGTHS


def test_another_hash_can_be_given() -> None:
    features = LowerWords(8, lambda feature, buckets: len(feature) % buckets)
    # "a", "bb", "a bb" have 1, 2 and 4 characters.
    assert features.count(array(["A bb"])).tolist() == [0, 1, 1, 0, 1, 0, 0, 0]


@given(texts, st.integers(1, 50))
def test_counts_are_those_of_the_signals_buckets(values: list[str], buckets: int) -> None:
    expected = np.zeros(buckets, np.int64)
    for text in values:
        for bucket in feature_buckets(RAW_WORD.findall(text), buckets):
            expected[bucket] += 1
    assert count_features(array(values), buckets).tolist() == expected.tolist()
    assert RawWords(buckets).count(array(values), native=False).tolist() == expected.tolist()


@given(texts)
@settings(deadline=None)
def test_importance_is_the_sum_over_the_features(values: list[str]) -> None:
    weights = Weights(("a", "b"), np.random.default_rng(0).normal(size=(30, 2)))
    sums, words = RawWords(30).importance(array(values), weights)
    for i, text in enumerate(values):
        counts = count_features(array([text]), 30)
        np.testing.assert_allclose(sums[i], counts @ weights.values, atol=2e-8)
    assert words.tolist() == count_words(array(values)).tolist()


def test_importance_needs_no_compiler() -> None:
    weights = Weights(("a",), np.random.default_rng(0).normal(size=(10_000, 1)))
    plain = compute(array(SOURCE), (), weights=weights, native=False)
    sums, _ = RawWords().importance(array(SOURCE), weights)
    found = plain.column("importance.a").fill_null(0.0).to_numpy()
    np.testing.assert_allclose(sums[:, 0], found, atol=2e-8)


@given(st.lists(st.tuples(*[st.integers(0, 2**64 - 1)] * 2), min_size=1, max_size=20))
def test_the_hash_of_a_pair_is_xxh64(pairs: list[tuple[int, int]]) -> None:
    one, other = np.array(pairs, np.uint64).T
    expected = [
        xxhash.xxh64_intdigest(a.to_bytes(8, "little") + b.to_bytes(8, "little")) for a, b in pairs
    ]
    assert hash_pairs(one, other).tolist() == expected


@pytest.mark.parametrize("values", [[], [""], ["", "a b", ""], [" \n"]])
def test_texts_without_words_count_nothing(values: list[str]) -> None:
    words = sum(len(text.split()) for text in values)
    assert count_features(array(values), 16).sum() == max(0, 2 * words - 1)
