"""Which documents have a key in common, in bounded memory: an external sort.

Rows of keys and document numbers go to 256 files by the highest eight bits of the key; a file that
is too large is split by the next eight, and so on. What is small enough is sorted in memory, and
each document of a key is linked to the lowest one. A few dozen megabytes are held, whatever the
number of documents.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

BUFFER_BYTES = 8 << 20  # held before rows go to their files
LEAF_BYTES = 4 << 20  # sorted in memory
ROW = "<u8"


@dataclass(frozen=True)
class Leaf:
    """Some rows of a file. If they are a piece of it, all of its keys are equal."""

    path: Path
    begin: int
    end: int


@dataclass(frozen=True)
class Grouped:
    """What a leaf holds: edges int64 [e, 2], the lower document first, and its keys in order,
    uint64 [k, words].
    """

    edges: np.ndarray
    keys: np.ndarray


class Groups:
    """Rows of `words` words of key and a document number, in files under `directory`.

    Rows are to be added by rising document numbers.
    """

    def __init__(self, directory: Path, words: int) -> None:
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        self._directory = directory
        self._words = words
        self._held: list[np.ndarray] = []
        self._size = 0

    def add(self, keys: np.ndarray, documents: np.ndarray) -> None:
        """Add keys, uint64 [m, words], of documents [m]."""
        rows = np.empty((len(keys), self._words + 1), ROW)
        rows[:, :-1] = keys
        rows[:, -1] = documents
        self._held.append(rows)
        self._size += rows.nbytes
        if self._size >= BUFFER_BYTES:
            self._flush()

    def grouped(self, executor: Any) -> Iterator[Grouped]:
        """What all rows hold, by rising keys; the files are removed."""
        self._flush()
        yield from executor.map(self._group, self._leaves(self._directory, 0))
        shutil.rmtree(self._directory)

    def _flush(self) -> None:
        if self._held:
            _scatter(np.concatenate(self._held), self._directory, 0)
        self._held, self._size = [], 0

    def _leaves(self, folder: Path, depth: int) -> Iterator[Leaf]:
        step = LEAF_BYTES // (8 * (self._words + 1))
        for path in sorted(folder.iterdir()):
            count = path.stat().st_size // (8 * (self._words + 1))
            if count <= step or depth == 8 * self._words:
                yield from (Leaf(path, i, min(i + step, count)) for i in range(0, count, step))
                continue
            parts = folder / f"{path.name}-parts"
            parts.mkdir()
            for begin in range(0, count, step):
                _scatter(self._read(path, begin, begin + step), parts, depth)
            path.unlink()
            yield from self._leaves(parts, depth + 1)

    def _read(self, path: Path, begin: int, end: int) -> np.ndarray:
        width = self._words + 1
        rows = np.fromfile(path, ROW, (end - begin) * width, offset=8 * begin * width)
        return rows.reshape(-1, width)

    def _group(self, leaf: Leaf) -> Grouped:
        rows = self._read(leaf.path, leaf.begin, leaf.end)
        if leaf.begin:
            rows = np.concatenate([self._read(leaf.path, 0, 1), rows])
        else:  # stable, so that documents still rise within a key
            rows = rows[np.lexsort(rows[:, :-1].T[::-1])]
        keys, documents = rows[:, :-1], rows[:, -1].astype(np.int64)
        opens = np.ones(len(rows), bool)
        opens[1:] = (keys[1:] != keys[:-1]).any(axis=1)
        lowest = documents[opens][np.cumsum(opens) - 1]
        linked = documents != lowest
        edges = np.stack([lowest[linked], documents[linked]], axis=1)
        return Grouped(edges, keys[opens & (leaf.begin == 0)])


def _scatter(rows: np.ndarray, folder: Path, depth: int) -> None:
    """Append rows to the files of a folder by eight bits of their key, `depth` bytes down."""
    word, byte = divmod(depth, 8)
    bits = (rows[:, word] >> np.uint64(56 - 8 * byte)).astype(np.uint8)
    ends = np.cumsum(np.bincount(bits, minlength=256))
    sorted_rows = rows[np.argsort(bits, kind="stable")]
    for i, (begin, end) in enumerate(pairwise([0, *ends.tolist()])):
        if end > begin:
            with (folder / f"{i:02x}").open("ab") as file:
                file.write(sorted_rows[begin:end].tobytes())
