"""MinHash: a short signature of a text, alike as often as texts are. Broder 1997.

Natively where the extension was built, else in plain Python, which says what is computed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash

from openhearth.data.dedup.presets import Preset
from openhearth.data.ngram_index import ngram_hashes, words_of
from openhearth.data.texts import buffers

try:
    import openhearth._native as _native
except ImportError:  # installed without a compiler
    _native = None

SEED = 42
PRIME = np.uint64((1 << 61) - 1)
HIGHEST = np.uint32((1 << 32) - 1)
HALF = np.uint64(32)


@dataclass(frozen=True)
class Near:
    """Copies have a band of their MinHash signatures in common."""

    preset: Preset
    name: str = "near duplicates"
    words: int = 1

    def keys(self, texts: pa.Array) -> pa.ListArray:
        """A key a band; none for documents that are too short."""
        found, valid = signatures(texts, self.preset)
        keys = band_keys(found[valid], self.preset)
        ends = np.cumsum(valid, dtype=np.int32) * np.int32(self.preset.bands)
        return pa.ListArray.from_arrays(np.concatenate([[np.int32(0)], ends]), keys.reshape(-1))

    def settings(self) -> dict[str, Any]:
        """What makes its keys what they are."""
        return {"method": "minhash", **vars(self.preset)}


def signatures(
    texts: pa.Array, preset: Preset, *, native: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """uint32 [n, permutations] and bool [n]: the signatures of texts, and which have one.

    Texts of fewer words than a run has have none; all of their numbers are the highest.
    """
    if not (native and _native):
        return _plainly(texts, preset)
    data, offsets = buffers(texts)
    if preset.hash == "sha1":
        found = _native.minhash_sha1(data, offsets, preset.words, *coefficients(preset))
    else:
        found = _native.minhash_runs(data, offsets, preset.words, *coefficients(preset))
    values, valid = found
    return values.reshape(len(texts), preset.permutations), valid.astype(bool)


def band_keys(found: np.ndarray, preset: Preset, *, native: bool = True) -> np.ndarray:
    """uint64 [n, bands]: XXH64 of the bytes of each band, with its number as the seed.

    The bytes are those that RedPajama-V2 publishes: numbers of 32 bits, the highest byte first. Two
    keys are equal where the bytes are; by mistake, once in 2^64.
    """
    if native and _native:
        flat = np.ascontiguousarray(found).reshape(-1)
        keys = _native.band_keys(flat, preset.permutations, preset.bands, preset.rows)
        return keys.reshape(len(found), preset.bands)
    keys = np.empty((len(found), preset.bands), np.uint64)
    for i, bands in enumerate(band_bytes(found, preset)):
        keys[i] = [xxhash.xxh64_intdigest(band, seed=k) for k, band in enumerate(bands)]
    return keys


def band_bytes(found: np.ndarray, preset: Preset) -> list[list[bytes]]:
    """The bytes of each band of each signature, as RedPajama-V2 publishes them."""
    size = 4 * preset.rows
    whole = [row.tobytes() for row in found.astype(">u4")]
    return [[row[i * size : (i + 1) * size] for i in range(preset.bands)] for row in whole]


def estimate(one: np.ndarray, other: np.ndarray) -> float:
    """The Jaccard similarity of two sets, from their signatures."""
    return float(np.mean(one == other))


@cache
def coefficients(preset: Preset) -> tuple[np.ndarray, ...]:
    """The factors, and for `sha1` the summands, of a preset's permutations.

    Those of `sha1` are drawn in pairs from NumPy's RandomState(42), as RedPajama-V2 does.
    """
    random = np.random.RandomState(SEED)
    if preset.hash == "runs":
        return (random.randint(0, 1 << 32, preset.permutations, dtype=np.uint64).astype(np.uint32),)
    prime = int(PRIME)
    pairs: list[Any] = [
        (random.randint(1, prime, dtype=np.uint64), random.randint(0, prime, dtype=np.uint64))
        for _ in range(preset.permutations)
    ]
    a, b = zip(*pairs, strict=True)
    return np.array(a, np.uint64), np.array(b, np.uint64)


def _plainly(texts: pa.Array, preset: Preset) -> tuple[np.ndarray, np.ndarray]:
    values = np.full((len(texts), preset.permutations), HIGHEST)
    valid = np.zeros(len(texts), bool)
    hashes = _sha1_hashes if preset.hash == "sha1" else _run_hashes
    permuted = _by_prime if preset.hash == "sha1" else _by_halves
    for i, text in enumerate(texts.to_pylist()):
        words, _ = words_of(text or "")
        if len(words) >= preset.words:
            found = np.unique(hashes(words, preset.words))
            values[i] = permuted(found, preset).min(axis=0)
            valid[i] = True
    return values, valid


def _sha1_hashes(words: list[str], n: int) -> np.ndarray:
    """uint64: the first four bytes, little-endian, of SHA-1 of each run of words."""
    runs = [" ".join(words[i : i + n]).encode() for i in range(len(words) - n + 1)]
    digests = b"".join(hashlib.sha1(run, usedforsecurity=False).digest()[:4] for run in runs)
    return np.frombuffer(digests, "<u4").astype(np.uint64)


def _by_prime(hashes: np.ndarray, preset: Preset) -> np.ndarray:
    """uint32 [hashes, permutations]: (a h + b) mod 2^61 - 1, cut to 32 bits.

    The product wraps around at 2^64 before the remainder is taken, as RedPajama-V2's does.
    """
    a, b = coefficients(preset)
    return ((hashes[:, None] * a + b) % PRIME).astype(np.uint32)


def _run_hashes(words: list[str], n: int) -> np.ndarray:
    """uint64: the sum for each run of words, mixed by the last steps of XXH64."""
    sums = ngram_hashes(words, n)
    sums = (sums ^ (sums >> np.uint64(33))) * np.uint64(0xC2B2AE3D27D4EB4F)
    sums = (sums ^ (sums >> np.uint64(29))) * np.uint64(0x165667B19E3779F9)
    return sums ^ (sums >> HALF)


def _by_halves(hashes: np.ndarray, preset: Preset) -> np.ndarray:
    """uint32 [hashes, permutations]: the high half plus a times the low half, modulo 2^32.

    For two permutations the pairs of values are as evenly spread as the hashes themselves.
    """
    (a,) = coefficients(preset)
    high, low = (hashes >> HALF).astype(np.uint32), hashes.astype(np.uint32)
    return high[:, None] + a * low[:, None]
