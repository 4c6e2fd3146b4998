"""What documents are compared by: how often each word, and each pair of words, falls in a bucket.

Two definitions. `RawWords`, as RedPajama-V2's importance signals have it: words as they stand,
hashed with XXH64. `LowerWords`, as `data-selection` 1.0.3 has it: of the text in lower case, hashed
with SHA-256. In both a word is a match of `\\w+|[^\\w\\s]+`, and w words make 2w - 1 features.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import pyarrow as pa

from openhearth.data.hashes import hash_pairs, hash_words
from openhearth.data.signals.compute import Weights, compute
from openhearth.data.signals.views import RAW_WORD
from openhearth.data.texts import buffers

try:
    import openhearth._native as _native
except ImportError:  # installed without a compiler
    _native = None

BUCKETS = 10_000


class Features(Protocol):
    """A definition of features; texts are given a batch at a time, by many threads."""

    @property
    def buckets(self) -> int: ...

    def count(self, texts: pa.Array) -> np.ndarray:
        """int64 [buckets]: how many features of these texts fall in each."""
        ...

    def importance(self, texts: pa.Array, weights: Weights) -> tuple[np.ndarray, np.ndarray]:
        """float64 [n, domains]: sums of the weights of each text's features; and int64 [n], its
        words.
        """
        ...


@dataclass(frozen=True)
class RawWords:
    """Words and pairs as they stand, by XXH64; see `signals.compute.feature_buckets`."""

    buckets: int = BUCKETS

    def count(self, texts: pa.Array, native: bool = True) -> np.ndarray:
        """int64 [buckets]"""
        if native and _native:
            return _native.count_features(*buffers(texts), self.buckets)
        found = np.zeros(self.buckets, np.int64)
        for text in texts.to_pylist():
            words = hash_words(RAW_WORD.findall(text or ""))
            for hashes in (words, hash_pairs(words[:-1], words[1:])):
                np.add.at(found, (hashes % np.uint64(self.buckets)).astype(np.int64), 1)
        return found

    def importance(self, texts: pa.Array, weights: Weights) -> tuple[np.ndarray, np.ndarray]:
        """float64 [n, domains] and int64 [n], in the native pass where there is one."""
        ones = np.ones((self.buckets, 1))  # what they sum to is the number of features
        values = np.concatenate([weights.values, ones], axis=1)
        table = compute(texts, (), weights=Weights((*weights.domains, "features"), values))
        columns = [
            table.column(f"importance.{name}").fill_null(0.0).to_numpy()
            for name in (*weights.domains, "features")
        ]
        features = columns.pop().astype(np.int64)
        return np.stack(columns, axis=1), (features + 1) // 2


def sha256_bucket(feature: str, buckets: int) -> int:
    """SHA-256 of the UTF-8, as a big-endian number, modulo the buckets."""
    return int.from_bytes(hashlib.sha256(feature.encode()).digest(), "big") % buckets


@dataclass(frozen=True)
class LowerWords:
    """Words and pairs, joined by a space, of the text in lower case. Exact, and slow."""

    buckets: int = BUCKETS
    bucket: Callable[[str, int], int] = sha256_bucket

    def count(self, texts: pa.Array) -> np.ndarray:
        """int64 [buckets]"""
        found = np.zeros(self.buckets, np.int64)
        for text in texts.to_pylist():
            found += self._of(text)
        return found

    def importance(self, texts: pa.Array, weights: Weights) -> tuple[np.ndarray, np.ndarray]:
        """float64 [n, domains] and int64 [n]"""
        sums = np.zeros((len(texts), len(weights.domains)))
        words = np.zeros(len(texts), np.int64)
        for i, text in enumerate(texts.to_pylist()):
            counts = self._of(text)
            sums[i] = counts @ weights.values
            words[i] = (counts.sum() + 1) // 2
        return sums, words

    def _of(self, text: str) -> np.ndarray:
        words = RAW_WORD.findall(text.lower())
        features = [*words, *map(" ".join, pairwise(words))]
        places = [self.bucket(feature, self.buckets) for feature in features]
        return np.bincount(np.array(places, np.int64), minlength=self.buckets)


FEATURES: dict[str, type[RawWords] | type[LowerWords]] = {"raw": RawWords, "lower": LowerWords}


def count_words(texts: pa.Array) -> np.ndarray:
    """int64 [n]: the raw words of each text."""
    found = (len(RAW_WORD.findall(text)) for text in texts.to_pylist())
    return np.fromiter(found, np.int64, len(texts))
