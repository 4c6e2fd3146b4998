"""Words of texts as numbers: the features of classifiers, and what language models count.

Words are the signals' raw words. A hash is the one that `signals.compute.feature_buckets` defines:
XXH64 of a word's UTF-8, and of two hashes, little-endian, one after the other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from openhearth.data.hashes import hash_pairs, hash_words
from openhearth.data.signals.views import RAW_WORD

DIGIT = re.compile(r"\d")


@dataclass(frozen=True)
class Bags:
    """The features of some texts, one text after the other.

    `offsets` int64 [n + 1] is where each begins, `buckets` int32 [f] are its distinct features in
    ascending order, `values` float32 [f] their weights, of length 1 for each text.
    """

    offsets: np.ndarray
    buckets: np.ndarray
    values: np.ndarray

    @property
    def owners(self) -> np.ndarray:
        """int64 [f]: the text of each feature."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))


def words(text: str, fold: bool) -> list[str]:
    """The raw words of a text; folded, it is lower-cased and every digit is a 0, as in CCNet."""
    return RAW_WORD.findall(DIGIT.sub("0", text.lower()) if fold else text)


def bags(texts: pa.Array, buckets: int, fold: bool) -> Bags:
    """Words and pairs of words of each text, weighed by ln(1 + count) and scaled to length 1."""
    found = [words(text or "", fold) for text in texts.to_pylist()]
    hashes = hash_words(word for row in found for word in row)
    lengths = np.array([len(row) for row in found], np.int64)
    owners = np.repeat(np.arange(len(found)), lengths)
    inside = owners[1:] == owners[:-1]
    pairs = hash_pairs(hashes[:-1], hashes[1:])[inside]
    features = np.concatenate([hashes, pairs]) % np.uint64(buckets)
    keys = np.concatenate([owners, owners[1:][inside]]) * buckets + features.astype(np.int64)
    keys, counts = np.unique(keys, return_counts=True)
    owner, bucket = np.divmod(keys, buckets)
    values = np.log1p(counts)
    values /= np.sqrt(np.bincount(owner, values**2, len(found)))[owner]
    offsets = np.searchsorted(owner, np.arange(len(found) + 1))
    return Bags(offsets, bucket.astype(np.int32), values.astype(np.float32))
