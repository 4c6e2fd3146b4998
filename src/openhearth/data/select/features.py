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
import xxhash

from openhearth.data.signals.compute import Weights, compute
from openhearth.data.signals.views import RAW_WORD
from openhearth.data.texts import buffers

try:
    import openhearth._native as _native
except ImportError:  # installed without a compiler
    _native = None

BUCKETS = 10_000
P1, P2, P3, P4, P5 = (
    np.uint64(prime)
    for prime in (
        0x9E3779B185EBCA87,
        0xC2B2AE3D27D4EB4F,
        0x165667B19E3779F9,
        0x85EBCA77C2B2AE63,
        0x27D4EB2F165667C5,
    )
)


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
        known = _Known()
        for text in texts.to_pylist():
            words = np.array([known[word] for word in RAW_WORD.findall(text or "")], np.uint64)
            for hashes in (words, pair_hash(words[:-1], words[1:])):
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


class _Known(dict[str, int]):
    """XXH64 of words, each computed once."""

    def __missing__(self, word: str) -> int:
        value = self[word] = xxhash.xxh64_intdigest(word.encode())
        return value


def pair_hash(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """uint64 [n]: XXH64 of the 16 bytes of two hashes, little-endian (doc/xxhash_spec.md)."""
    total = np.full(len(one), P5 + np.uint64(16), np.uint64)
    for lane in (one, other):
        total = _rotated(total ^ (_rotated(lane * P2, 31) * P1), 27) * P1 + P4
    total = (total ^ (total >> np.uint64(33))) * P2
    total = (total ^ (total >> np.uint64(29))) * P3
    return total ^ (total >> np.uint64(32))


def _rotated(values: np.ndarray, by: int) -> np.ndarray:
    return (values << np.uint64(by)) | (values >> np.uint64(64 - by))
