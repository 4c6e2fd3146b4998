"""Hashes that others can compute too: XXH64 of words and of pairs, and RedPajama-V2's ids."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import xxhash

# The primes of XXH64 (github.com/Cyan4973/xxHash, doc/xxhash_spec.md).
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


def hash_words(words: Iterable[str], seed: int = 0) -> np.ndarray:
    """uint64 [n]: XXH64 of each word's UTF-8."""
    return np.fromiter((xxhash.xxh64_intdigest(w.encode(), seed=seed) for w in words), np.uint64)


def hash_pairs(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """uint64 [n]: XXH64 of the 16 bytes of each two hashes, little-endian."""
    mixed = np.full(len(first), P5 + np.uint64(16))
    for lane in (first, second):
        mixed ^= _rotate(lane * P2, 31) * P1
        mixed = _rotate(mixed, 27) * P1 + P4
    mixed = (mixed ^ mixed >> np.uint64(33)) * P2
    mixed = (mixed ^ mixed >> np.uint64(29)) * P3
    return mixed ^ mixed >> np.uint64(32)


def _rotate(numbers: np.ndarray, bits: int) -> np.ndarray:
    return numbers << np.uint64(bits) | numbers >> np.uint64(64 - bits)


def id_int(identity: str) -> int:
    """RedPajama-V2's number of a document: the first 8 bytes of SHA-1 of its id, little-endian."""
    digest = hashlib.sha1(identity.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:8], "little")
