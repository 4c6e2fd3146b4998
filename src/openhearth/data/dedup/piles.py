"""Rows of numbers on piles, one for each range of documents: what concerns a range is put down
while others are looked at, and taken up when its turn comes.

A pile is a file. A few megabytes of rows are held before they go to their files, of which one is
open at a time. So that these are never so many that each gets a row or two, 256 ranges share a file
until the first of them is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

RANGE = 1 << 19  # documents looked at together
SHARED = 1 << 8  # ranges that share a file
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
        self._near = _Files(folder / "near", width, RANGE)
        self._far = _Files(folder / "far", width, RANGE * SHARED)
        self._group = 0  # of the ranges that have files of their own
        self._step = PIECE_BYTES // (8 * width)

    def add(self, *columns: np.ndarray) -> None:
        """Put rows, given as `width` columns int64 [n], on the piles of their first numbers."""
        for begin in range(0, len(columns[0]), self._step):
            rows = np.column_stack([column[begin : begin + self._step] for column in columns])
            near = rows[:, 0] // (RANGE * SHARED) == self._group
            self._near.add(rows[near])
            self._far.add(rows[~near])

    def pieces(self, here: range) -> Iterator[np.ndarray]:
        """The rows of a range as columns, int64 [width, m], some at a time, in their order.

        Rows may be added to others meanwhile.
        """
        group = here.start // (RANGE * SHARED)
        if group != self._group:
            self._group = group
            for rows in self._far.pieces(group):
                self._near.add(rows)
            self._far.drop(group)
        for rows in self._near.pieces(here.start // RANGE):
            yield rows.T

    def drop(self, here: range) -> None:
        """Free the disk of a range that is done with."""
        self._near.drop(here.start // RANGE)


class _Files:
    """A file for every `size` documents."""

    def __init__(self, folder: Path, width: int, size: int) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._width = width
        self._size = size
        self._held: list[np.ndarray] = []
        self._bytes = 0

    def add(self, rows: np.ndarray) -> None:
        if len(rows):
            self._held.append(rows)
        self._bytes += rows.nbytes
        if self._bytes >= BUFFER_BYTES:
            self._write(np.concatenate(self._held))
            self._held, self._bytes = [], 0

    def pieces(self, number: int) -> Iterator[np.ndarray]:
        count = PIECE_BYTES // (8 * self._width) * self._width
        if self._path(number).exists():
            with self._path(number).open("rb") as file:
                while len(rows := np.fromfile(file, np.int64, count)):
                    yield rows.reshape(-1, self._width)
        if self._held:  # what was written meanwhile has been read
            self._held = [np.concatenate(self._held)]
            yield self._held[0][self._held[0][:, 0] // self._size == number]

    def drop(self, number: int) -> None:
        self._path(number).unlink(missing_ok=True)
        self._held = [rows[rows[:, 0] // self._size != number] for rows in self._held]
        self._bytes = sum(rows.nbytes for rows in self._held)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:08}"

    def _write(self, rows: np.ndarray) -> None:
        which = rows[:, 0] // self._size
        order = np.argsort(which, kind="stable")
        rows, which = rows[order], which[order]
        ends = np.flatnonzero(np.diff(which)) + 1
        for begin, end in pairwise([0, *ends.tolist(), len(rows)]):
            with self._path(int(which[begin])).open("ab") as file:
                rows[begin:end].tofile(file)
