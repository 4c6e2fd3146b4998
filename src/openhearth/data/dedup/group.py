"""The second half of grouping by key: an external sort of what was scattered.

A job takes a range of the highest eight bits of keys. What is too large of it is split by the next
eight, and so on. What is small enough is sorted in memory, and each document of a key is linked to
the lowest one. A few dozen megabytes are held, whatever the number of documents.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

import numpy as np

from openhearth.data.dedup.once import once
from openhearth.data.dedup.scatter import read_rows, scatter
from openhearth.data.executors import Threads

LEAF_BYTES = 4 << 20  # sorted in memory
EDGES, KEYS = "edges.i64", "keys.u64"


@dataclass(frozen=True)
class Leaf:
    """All rows of some files, or a piece of one of which all keys are equal.

    `spent` are files that nobody needs after it.
    """

    paths: tuple[Path, ...]
    begin: int
    end: int
    spent: tuple[Path, ...]


@dataclass(frozen=True)
class Grouped:
    """What a leaf holds: edges int64 [e, 2], the lower document first, and its keys in order,
    uint64 [k, words].
    """

    edges: np.ndarray
    keys: np.ndarray
    leaf: Leaf


@dataclass(frozen=True)
class Group:
    """A job that leaves a folder with the edges between documents, and the keys if they are wanted,
    by rising keys.

    `scattered` are folders that scatter jobs left, by rising documents.
    """

    scattered: tuple[Path, ...]
    bits: range
    words: int
    folder: Path
    with_keys: bool

    def run(self, executor: Threads) -> dict[str, Any]:
        """Do it, unless it was done before; how many rows there were."""
        return once(self.folder, partial(self._fill, executor))

    def _fill(self, executor: Threads, folder: Path) -> dict[str, Any]:
        count = 0
        with (
            TemporaryDirectory(dir=folder) as split,
            (folder / EDGES).open("wb") as edges,
            (folder / KEYS).open("wb") as keys,
        ):
            for grouped in executor.map(self._group, self._all_leaves(Path(split))):
                edges.write(grouped.edges.tobytes())
                if self.with_keys:
                    keys.write(grouped.keys.tobytes())
                count += grouped.leaf.end - grouped.leaf.begin
                for path in grouped.leaf.spent:
                    path.unlink()
        return {"rows": count}

    def _all_leaves(self, split: Path) -> Iterator[Leaf]:
        for bits in self.bits:
            paths = [folder / f"{bits:02x}" for folder in self.scattered]
            found = tuple(path for path in paths if path.exists())
            if found:
                yield from self._leaves(found, 1, split)

    def _leaves(self, paths: tuple[Path, ...], depth: int, split: Path) -> Iterator[Leaf]:
        """The leaves of files whose keys agree in the first `depth` bytes."""
        row = 8 * (self.words + 1)
        count = sum(path.stat().st_size for path in paths) // row
        step = LEAF_BYTES // row
        spent = paths if depth > 1 else ()  # what was scattered stays, for another attempt
        if count <= step:
            yield Leaf(paths, 0, count, spent)
        elif depth == 8 * self.words:
            for begin in range(0, count, step):
                end = min(begin + step, count)
                yield Leaf(paths, begin, end, spent if end == count else ())
        else:
            parts = Path(mkdtemp(dir=split))
            for path in paths:
                for begin in range(0, path.stat().st_size // row, step):
                    scatter(read_rows(path, self.words, begin, begin + step), parts, depth)
            for path in spent:
                path.unlink()
            for path in sorted(parts.iterdir()):
                yield from self._leaves((path,), depth + 1, split)

    def _group(self, leaf: Leaf) -> Grouped:
        read = partial(read_rows, words=self.words)
        rows = np.concatenate([read(p, begin=leaf.begin, end=leaf.end) for p in leaf.paths])
        if leaf.begin:
            first = read(leaf.paths[0], begin=0, end=1)
            rows = np.concatenate([first, rows])
        else:  # stable, so that documents still rise within a key
            rows = rows[np.lexsort(rows[:, :-1].T[::-1])]
        keys, documents = rows[:, :-1], rows[:, -1].astype(np.int64)
        opens = np.ones(len(rows), bool)
        opens[1:] = (keys[1:] != keys[:-1]).any(axis=1)
        lowest = documents[opens][np.cumsum(opens) - 1]
        linked = documents != lowest
        edges = np.stack([lowest[linked], documents[linked]], axis=1)
        return Grouped(edges, keys[opens & (leaf.begin == 0)], leaf)
