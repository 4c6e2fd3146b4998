"""Runs of n words that were seen before, found again in other texts.

Words are those of RedPajama-V2's normalised text, so case, punctuation and spaces do not matter;
13 of them are what GPT-3 (Brown et al. 2020, appendix C) calls an overlap. A run is known by a hash
of 64 bits: with a thousand million of them kept, one run in 18 thousand million is taken for a
known one by mistake.
"""

from __future__ import annotations

import re
import struct
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from openhearth.data.hashes import hash_words
from openhearth.data.signals.views import normalise
from openhearth.data.texts import buffers
from openhearth.errors import HearthError, UsageError
from openhearth.store import write_atomically

try:
    import openhearth._native as _native
except ImportError:  # installed without a compiler
    _native = None

Spans = list[tuple[int, int]]

MAGIC = b"OHNGRAM1"
HEADER = struct.Struct("<8sIIQ")  # magic, n, zero, how many keys of 8 bytes follow
LONGEST = 1000
WORD = re.compile(r"\S+")
FACTOR = 0x9E3779B185EBCA87


class NgramIndex:
    """A set of runs of `n` words.

    Texts may be looked up by many threads at once, but not while others are added. 12 bytes are
    held for each run, and twice as much while texts are added.

    Raises:
        UsageError: `n` is not from 1 to 1000.
    """

    def __init__(self, n: int = 13) -> None:
        if not 1 <= n <= LONGEST:
            raise UsageError(f"n is {n}, but must be from 1 to {LONGEST}.")
        self.n = n
        self._sorted: tuple[np.ndarray, ...] = ()  # uint64 each; longer ones first
        self._table: tuple[np.ndarray, np.ndarray, int] | None = None

    def __len__(self) -> int:
        return len(self._lookup()[0])

    def add(self, texts: pa.Array, *, native: bool = True) -> None:
        """Take in the runs of some texts; a text of fewer words than `n` has none."""
        held = [*self._sorted, np.unique(run_keys(texts, self.n, native=native)[0])]
        # Merged with what is not much longer, so that each key is merged only a few dozen times.
        while len(held) > 1 and len(held[-2]) <= 2 * len(held[-1]):
            held[-2:] = [np.union1d(held[-2], held[-1])]
        self._sorted, self._table = tuple(held), None

    def spans(self, texts: pa.Array, *, native: bool = True) -> list[Spans]:
        """For each text where it has known runs: [begin, end) in characters, in their order.

        Runs that overlap or follow each other are one span, from the beginning of its first word to
        the end of its last.
        """
        keys, starts, shift = self._lookup()
        if not (native and _native):
            return [_spans(text or "", keys, self.n) for text in texts.to_pylist()]
        return _listed(_native.known_spans(*buffers(texts), self.n, keys, starts, shift))

    def save(self, path: Path) -> None:
        """Write a file: a header of 24 bytes, then the sorted keys, little-endian."""
        keys, _, _ = self._lookup()
        header = HEADER.pack(MAGIC, self.n, 0, len(keys))
        write_atomically(Path(path), header + keys.astype("<u8").tobytes())

    @classmethod
    def load(cls, path: Path) -> NgramIndex:
        """What `save` wrote.

        Raises:
            HearthError: the file is none of these, or is damaged.
        """
        with Path(path).open("rb") as file:
            header = file.read(HEADER.size)
            size = Path(path).stat().st_size - len(header)
            if len(header) < HEADER.size or not header.startswith(MAGIC):
                raise HearthError(f"{path} is no index of n-grams: make it anew.")
            _, n, zero, count = HEADER.unpack(header)
            if zero or not 1 <= n <= LONGEST or size != 8 * count:
                raise HearthError(f"{path} is damaged, its header does not fit: make it anew.")
            keys = np.frombuffer(file.read(size), "<u8").astype(np.uint64)
        if len(keys) != count or (keys[1:] <= keys[:-1]).any():
            raise HearthError(f"{path} is damaged, its keys are not in order: make it anew.")
        index = cls(n)
        index._sorted = (keys,)
        return index

    def _lookup(self) -> tuple[np.ndarray, np.ndarray, int]:
        """All keys, sorted; and where those begin that have the same bits above a shift."""
        table = self._table
        if table is None:
            keys = np.unique(np.concatenate([np.empty(0, np.uint64), *self._sorted]))
            bits = min(max(len(keys) // 2, 1).bit_length(), 40)
            begins = np.arange(1 << bits, dtype=np.uint64) << np.uint64(64 - bits)
            starts = np.append(np.searchsorted(keys, begins), len(keys)).astype(np.uint64)
            self._sorted = (keys,)
            self._table = table = (keys, starts, 64 - bits)
        return table


def run_keys(texts: pa.Array, n: int, *, native: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """uint64: a hash of each run of `n` normalised words of each text, one text after another; and
    where those of each text begin, int32 [texts + 1].
    """
    if native and _native:
        return _native.run_keys(*buffers(texts), n)
    found = [ngram_hashes(words_of(text or "")[0], n) for text in texts.to_pylist()]
    offsets = np.cumsum([0, *map(len, found)], dtype=np.int32)
    return np.concatenate([np.empty(0, np.uint64), *found]), offsets


def covered_spans(
    texts: pa.Array, known: np.ndarray, n: int, *, native: bool = True
) -> list[Spans]:
    """For each text where it has runs that count, as `NgramIndex.spans` gives them. `known`, bool,
    says so of each of the runs of `run_keys`.
    """
    if native and _native:
        return _listed(_native.covered_spans(*buffers(texts), n, known.astype(np.uint8)))
    found, begin = [], 0
    for text in texts.to_pylist():
        _, places = words_of(text or "")
        end = begin + max(0, len(places) - n + 1)
        found.append(_covered(places, known[begin:end], n))
        begin = end
    return found


def words_of(text: str) -> tuple[list[str], Spans]:
    """The normalised words of a text, and where each stands in it, in characters."""
    words, places = [], []
    for match in WORD.finditer(text):
        if word := normalise(match.group()):
            words.append(word)
            places.append(match.span())
    return words, places


def ngram_hashes(words: list[str], n: int) -> np.ndarray:
    """uint64: of each run of `n` words the sum of their XXH64, each times a power of a factor.

    The last word's power is the zeroth; all is modulo 2^64.
    """
    if len(words) < n:
        return np.empty(0, np.uint64)
    hashes = hash_words(words)
    sums = np.zeros(len(words) - n + 1, np.uint64)
    for i in range(n):
        sums += hashes[i : i + len(sums)] * np.uint64(pow(FACTOR, n - 1 - i, 1 << 64))
    return sums


def _covered(places: Spans, known: np.ndarray, n: int) -> Spans:
    """Where words are that some runs of `n` cover: from the first word of each stretch to its last.

    `known` says of each run of the words at `places` whether it counts.
    """
    inside = np.zeros(len(places), bool)
    for i in range(n if known.any() else 0):
        inside[i : i + len(known)] |= known
    edges = np.flatnonzero(np.diff(inside, prepend=False, append=False)).tolist()
    return [
        (places[first][0], places[last - 1][1])
        for first, last in zip(edges[::2], edges[1::2], strict=True)
    ]


def _listed(found: tuple[np.ndarray, np.ndarray, np.ndarray]) -> list[Spans]:
    begins, ends, offsets = (column.tolist() for column in found)
    pairs = list(zip(begins, ends, strict=True))
    return [pairs[a:b] for a, b in pairwise(offsets)]


def _spans(text: str, keys: np.ndarray, n: int) -> Spans:
    words, places = words_of(text)
    return _covered(places, np.isin(ngram_hashes(words, n), keys), n)
