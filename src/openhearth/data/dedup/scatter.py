"""The first half of grouping by key: rows go to files by the highest bits of their keys.

A row is a key and the number of its document. A job takes the keys of consecutive documents, or
some of those that an index holds, to 256 files of its own; it holds a few dozen megabytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from openhearth.data.dedup.index import SeenIndex
from openhearth.data.dedup.once import once
from openhearth.data.dedup.tables import batches, rows_of
from openhearth.data.executors import Threads

SEEN = 0  # the number that stands for all that an index holds; documents are counted from 1
BUFFER_BYTES = 8 << 20  # held before rows go to their files
ROW = "<u8"


class Source(Protocol):
    """Gives keys, uint64 [m, words], and their documents, int64 [m], rising. It is sent to other
    machines.
    """

    def __call__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]: ...


@dataclass(frozen=True)
class FromParts:
    """The keys of consecutive parts, whose documents are counted from `first`."""

    files: tuple[Path, ...]
    words: int
    first: int

    def __call__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        number = self.first
        for path in self.files:
            for batch in batches(path):
                column = batch.column("keys")
                counts = np.diff(column.offsets.to_numpy()) // self.words
                keys = column.flatten().to_numpy().reshape(-1, self.words)
                yield keys, np.repeat(np.arange(number, number + len(column)), counts)
                number += len(column)


@dataclass(frozen=True)
class FromIndex:
    """Some of the keys that an index holds."""

    index: SeenIndex
    keys: range

    def __call__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for keys in self.index.chunks(self.keys):
            yield keys, np.full(len(keys), SEEN)


def sources(
    files: Sequence[Path], words: int, index: SeenIndex | None, width: int
) -> Iterator[Source]:
    """What an index holds, then the documents of parts, each in at most `width` shares."""
    if index is not None:
        for keys in shares(index.count, width):
            yield FromIndex(index, keys)
    firsts = np.cumsum([1, *map(rows_of, files)]).tolist()
    for parts in shares(len(files), width):
        yield FromParts(tuple(files[parts.start : parts.stop]), words, firsts[parts.start])


def shares(count: int, width: int) -> list[range]:
    """The numbers below `count` in as many ranges, about as long as each other, none empty."""
    width = min(width, count)
    return [range(count * i // width, count * (i + 1) // width) for i in range(width)]


@dataclass(frozen=True)
class Scatter:
    """A job that leaves a folder of files, named by the highest eight bits of their keys in hex."""

    source: Source
    folder: Path

    def run(self, executor: Threads) -> dict[str, Any]:
        """Do it, unless it was done before; how many rows there are."""
        return once(self.folder, self._fill)

    def _fill(self, folder: Path) -> dict[str, Any]:
        held: list[np.ndarray] = []
        size = count = 0
        for keys, documents in self.source():
            held.append(np.column_stack([keys, documents.astype(ROW)]))
            size += held[-1].nbytes
            count += len(keys)
            if size >= BUFFER_BYTES:
                scatter(np.concatenate(held), folder, 0)
                held, size = [], 0
        if held:
            scatter(np.concatenate(held), folder, 0)
        return {"rows": count}


def scatter(rows: np.ndarray, folder: Path, depth: int) -> None:
    """Append rows to the files of a folder by eight bits of their key, `depth` bytes down."""
    word, byte = divmod(depth, 8)
    bits = (rows[:, word] >> np.uint64(56 - 8 * byte)).astype(np.uint8)
    ends = np.cumsum(np.bincount(bits, minlength=256))
    sorted_rows = rows[np.argsort(bits, kind="stable")]
    for i, (begin, end) in enumerate(pairwise([0, *ends.tolist()])):
        if end > begin:
            with (folder / f"{i:02x}").open("ab") as file:
                file.write(sorted_rows[begin:end].tobytes())


def read_rows(path: Path, words: int, begin: int, end: int) -> np.ndarray:
    """Rows `begin` to `end` of a file, or to its own end: uint64 [m, words + 1]."""
    width = words + 1
    rows = np.fromfile(path, ROW, (end - begin) * width, offset=8 * begin * width)
    return rows.reshape(-1, width)
