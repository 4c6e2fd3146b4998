"""Duplicates: the same text twice, and nearly the same text twice (MinHash with LSH).

MinHash as in RedPajama-V2: sets of word n-grams, 128 permutations (a h + b) mod (2^61 - 1), cut to
32 bits, and bands that collide with even odds near a Jaccard similarity. Broder 1997.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from openhearth.data.signals.reference import normalise
from openhearth.errors import UsageError

PERMUTATIONS = 128
PRIME = np.uint64((1 << 61) - 1)
MASK = np.uint64((1 << 32) - 1)
BANDS = {0.7: (14, 9), 0.8: (9, 13), 0.9: (5, 25)}  # similarity: bands, rows in each


def exact_duplicates(texts: Sequence[str]) -> np.ndarray:
    """For each text, whether the same one, up to case, punctuation and spaces, came before."""
    seen: set[bytes] = set()
    found = np.zeros(len(texts), dtype=bool)
    for i, text in enumerate(texts):
        digest = hashlib.blake2b(normalise(text).encode("utf-8", "replace"), digest_size=16)
        found[i] = digest.digest() in seen
        seen.add(digest.digest())
    return found


def near_duplicates(texts: Sequence[str], similarity: float = 0.8, words: int = 5) -> np.ndarray:
    """For each text, the index of the first text of its cluster: its own, if it is to be kept.

    `words` is the length of the n-grams. RedPajama-V2 uses 13 on web pages; short documents need
    shorter ones, and those with fewer words than one n-gram are never duplicates.

    Raises:
        UsageError: no banding is known for this similarity.
    """
    if similarity not in BANDS:
        known = ", ".join(map(str, BANDS))
        raise UsageError(f"similarity is {similarity}, but must be one of {known}.")
    bands, rows = BANDS[similarity]
    first = np.arange(len(texts))
    buckets: dict[tuple[int, bytes], int] = {}
    for i, text in enumerate(texts):
        signature = minhash(shingles(text, words))
        if signature is None:
            continue
        for band in range(bands):
            key = (band, signature[band * rows : (band + 1) * rows].tobytes())
            _join(first, i, buckets.setdefault(key, i))
    return np.array([_root(first, i) for i in range(len(texts))], dtype=np.int64)


def shingles(text: str, words: int) -> set[str]:
    """The n-grams of normalised words, joined by spaces."""
    split = normalise(text).split()
    return {" ".join(split[i : i + words]) for i in range(len(split) - words + 1)}


def minhash(items: set[str]) -> np.ndarray | None:
    """The signature, uint32 [128], of a set; None of an empty one."""
    if not items:
        return None
    digests = b"".join(
        hashlib.sha1(i.encode("utf-8", "replace"), usedforsecurity=False).digest()[:4]
        for i in items
    )
    hashes = np.frombuffer(digests, dtype="<u4").astype(np.uint64)
    # Wraps around at 2^64, as the reference does.
    permuted = ((hashes[:, None] * _A + _B) % PRIME) & MASK
    return permuted.min(axis=0).astype(np.uint32)


def estimate(one: np.ndarray, other: np.ndarray) -> float:
    """The Jaccard similarity of two sets, from their signatures."""
    return float(np.mean(one == other))


def _coefficients() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.RandomState(42)
    prime = int(PRIME)
    pairs = [
        (random.randint(1, prime, dtype=np.uint64), random.randint(0, prime, dtype=np.uint64))
        for _ in range(PERMUTATIONS)
    ]
    a, b = zip(*pairs, strict=True)
    return np.array(a, dtype=np.uint64), np.array(b, dtype=np.uint64)


_A, _B = _coefficients()


def _root(first: np.ndarray, i: int) -> int:
    """The head of a cluster; shortens the way there."""
    root = i
    while first[root] != root:
        root = first[root]
    while first[i] != root:
        first[i], i = root, first[i]
    return int(root)


def _join(first: np.ndarray, one: int, other: int) -> None:
    """Put two texts into one cluster, whose head is its earliest text."""
    low, high = sorted((_root(first, one), _root(first, other)))
    first[high] = low
