"""Rows of numbers on piles, one for each range of documents: what concerns a range is put down
while others are looked at, and taken up when its turn comes.

A pile is a file. A few megabytes of rows are held before they go to their files, of which one is
open at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

RANGE = 1 << 19  # documents looked at together
BUFFER_BYTES = 4 << 20  # held before rows go to their files
PIECE_BYTES = 2 << 20  # of rows taken at once


def ranges(count: int) -> list[range]:
    """The documents below `count`, so many at a time."""
    return [range(begin, min(begin + RANGE, count)) for begin in range(0, count, RANGE)]


def numbers_of(here: range) -> np.ndarray:
    """int64 [r]: those of the documents of a range."""
    return np.arange(here.start, here.stop)


class Piles:
    """Rows of `width` whole numbers of 64 bits, the first of which is a document's, in a folder of
    its own.
    """

    def __init__(self, folder: Path, width: int) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._width = width
        self._held: list[np.ndarray] = []
        self._bytes = 0

    def add(self, *columns: np.ndarray) -> None:
        """Put rows, given as `width` columns int64 [n], on the piles of their first numbers."""
        step = PIECE_BYTES // (8 * self._width)
        for begin in range(0, len(columns[0]), step):
            self._held.append(np.column_stack([c[begin : begin + step] for c in columns]))
            self._bytes += self._held[-1].nbytes
            if self._bytes >= BUFFER_BYTES:
                self._write(np.concatenate(self._held))
                self._held, self._bytes = [], 0

    def pieces(self, here: range) -> Iterator[np.ndarray]:
        """The rows of a range as columns, int64 [width, m], some at a time, in their order.

        Rows may be added to others meanwhile.
        """
        row = 8 * self._width
        path = self._path(here.start // RANGE)
        if path.exists():
            with path.open("rb") as file:
                while len(rows := np.fromfile(file, np.int64, PIECE_BYTES // row * self._width)):
                    yield rows.reshape(-1, self._width).T
        if self._held:  # those that were written meanwhile have been read
            self._held = [np.concatenate(self._held)]
            yield self._held[0][self._held[0][:, 0] // RANGE == here.start // RANGE].T

    def drop(self, here: range) -> None:
        """Free the disk of a range that is done with."""
        self._path(here.start // RANGE).unlink(missing_ok=True)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:08}"

    def _write(self, rows: np.ndarray) -> None:
        which = rows[:, 0] // RANGE
        order = np.argsort(which, kind="stable")
        rows, which = rows[order], which[order]
        ends = np.flatnonzero(np.diff(which)) + 1
        for begin, end in pairwise([0, *ends.tolist(), len(rows)]):
            with self._path(int(which[begin])).open("ab") as file:
                rows[begin:end].tofile(file)
