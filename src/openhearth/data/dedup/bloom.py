"""A Bloom filter in blocks: a set of keys that never forgets one, and rarely takes a new one for
old. Putze, Sanders, Singler 2007.

A key has one bit in each of the eight words of 64 bits of one block, which is one line of a cache.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from openhearth.errors import HearthError, UsageError

try:
    import openhearth._native as _native
except ImportError:  # installed without a compiler
    _native = None

MAGIC = b"OHBLOOM1"
# Magic, blocks, keys that it is made for, keys added, false positives, digest of the settings.
HEADER = struct.Struct("<8sQQQd32s")
WORDS = 8
BITS = 64
SALTS = (
    *(0x47B6137B, 0x44974D91, 0x8824AD5B, 0xA2B7289D),
    *(0x705495C7, 0x2DF1424B, 0x9EFC4947, 0x5C6BFB31),
)
LEAST, MOST = 1e-8, 0.5  # false positives that can be asked for


class Bloom:
    """A filter for `capacity` keys, of which a new one is taken for old with a probability of at
    most `false_positives` as long as no more are added. Keys are uint64, well mixed; 0 is none.

    Raises:
        UsageError: the numbers make no sense.
    """

    def __init__(
        self, capacity: int, false_positives: float, settings: Mapping[str, Any] | None = None
    ) -> None:
        if not LEAST <= false_positives <= MOST:
            raise UsageError(
                f"The share of false positives is {false_positives}, but must be from {LEAST} to "
                f"{MOST}."
            )
        self.capacity = max(1, capacity)
        self.false_positives = false_positives
        self.added = 0
        self.settings = _digest(settings or {})
        self.words = np.zeros(WORDS * blocks_for(self.capacity, false_positives), np.uint64)

    def room_for(self, keys: int) -> None:
        """Make sure of the rate of false positives after some more keys.

        Raises:
            UsageError: they are more than the filter was made for.
        """
        if self.added + keys > self.capacity:
            raise UsageError(
                f"The filter is made for {self.capacity:,} keys, of which {self.added:,} are "
                f"there and {keys:,} are to come: make a new one with a larger capacity."
            )

    def seen(
        self, keys: np.ndarray, offsets: np.ndarray, *, at_once: bool, native: bool = True
    ) -> np.ndarray:
        """bool [keys]: for each key whether it was there before; then it is.

        Keys are those of texts, one after another; each text's begin at `offsets`, int32 [n + 1].
        By `at_once` a text is asked whole before it is added, so that it does not see itself.
        """
        self.added += int(np.count_nonzero(keys))
        ask = _native.bloom_pass if native and _native else _pass
        return ask(self.words, keys, offsets, at_once).astype(bool)

    def save(self, path: Path) -> None:
        """Write a file: a header, then the words, little-endian; the file is whole or not there."""
        header = HEADER.pack(
            MAGIC,
            len(self.words) // WORDS,
            self.capacity,
            self.added,
            self.false_positives,
            self.settings,
        )
        temporary = path.with_name(f".{path.name}.part")
        try:
            with temporary.open("wb") as file:
                file.write(header)
                self.words.astype("<u8", copy=False).tofile(file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path, settings: Mapping[str, Any] | None = None) -> Bloom:
        """What `save` wrote.

        Raises:
            HearthError: the file is none of these, or is damaged.
            UsageError: it was made with other settings.
        """
        if path.is_dir():
            raise UsageError(f"{path} is a folder, and an index of parts is a file: name another.")
        with path.open("rb") as file:
            header = file.read(HEADER.size)
            size = os.fstat(file.fileno()).st_size - len(header)
            if len(header) < HEADER.size or not header.startswith(MAGIC):
                raise HearthError(f"{path} is no Bloom filter: make it anew.")
            _, blocks, capacity, added, false_positives, digest = HEADER.unpack(header)
            fits = size == 8 * WORDS * blocks and added <= capacity and capacity > 0
            # Not computed of numbers that make no sense.
            fits = fits and LEAST <= false_positives <= MOST
            if not fits or blocks != blocks_for(capacity, false_positives):
                raise HearthError(f"{path} is damaged, its header does not fit: make it anew.")
            if digest != _digest(settings or {}):
                raise UsageError(f"{path} was made with other settings: name another file.")
            words = np.fromfile(file, "<u8", WORDS * blocks).astype(np.uint64, copy=False)
        bloom = cls.__new__(cls)
        bloom.capacity, bloom.added, bloom.words = capacity, added, words
        bloom.false_positives, bloom.settings = false_positives, digest
        return bloom


def rate(keys_by_block: float) -> float:
    """The share of new keys that are taken for old where blocks have so many keys on average.

    Keys fall into blocks as chance has it (Poisson); a word of a block with i keys has a given bit
    with a probability of 1 - (1 - 1/64)^i.
    """
    counts = np.arange(1, int(keys_by_block + 12 * keys_by_block**0.5 + 20))
    logs = counts * np.log(keys_by_block) - keys_by_block - np.cumsum(np.log(counts))
    return float(np.sum(np.exp(logs) * (1 - (1 - 1 / BITS) ** counts) ** WORDS))


def blocks_for(capacity: int, false_positives: float) -> int:
    """How many blocks a filter needs."""
    low, high = 1e-3, 1e3  # keys in a block
    for _ in range(60):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if rate(middle) <= false_positives else (low, middle)
    return int(capacity / low) + 1


def _pass(words: np.ndarray, keys: np.ndarray, offsets: np.ndarray, at_once: bool) -> np.ndarray:
    """What the native pass does, key by key."""
    blocks = words.reshape(-1, WORDS)
    places = [_place(int(key), blocks) for key in keys]
    found = np.zeros(len(keys), np.uint8)
    for begin, end in pairwise(offsets.tolist()):
        for i in range(begin, end):
            block, bits = places[i]
            found[i] = keys[i] != 0 and bool(((block & bits) == bits).all())
            if not at_once and keys[i]:
                block |= bits
        for i in range(begin, end if at_once else begin):
            block, bits = places[i]
            if keys[i]:
                block |= bits
    return found


def _place(key: int, blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The block of a key, to be changed in place, and the key's bit in each of its words."""
    low = key & 0xFFFFFFFF
    bits = np.array([1 << ((low * salt & 0xFFFFFFFF) >> 26) for salt in SALTS], np.uint64)
    return blocks[key * len(blocks) >> 64], bits


def _digest(settings: Mapping[str, Any]) -> bytes:
    return hashlib.sha256(orjson.dumps(dict(settings), option=orjson.OPT_SORT_KEYS)).digest()
