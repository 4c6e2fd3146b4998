"""Choosing without replacement in bounded memory, with chance that no order of work can change.

The highest n of log-weight + Gumbel noise are a sample without replacement in proportion to the
weights (Vieira 2014; Kool et al. 2019, arXiv:1903.06059). The noise of a document is made from a
hash of its name and the seed, so it is the same on every thread, machine and day.
"""

from __future__ import annotations

import numpy as np
import xxhash

PLACE = np.dtype([("part", np.int32), ("block", np.int32), ("row", np.int32)])
SPARE = 1 << 16  # rows held beyond those that are wanted, before the rest is let go


def uniform(names: np.ndarray, seed: int, stream: str) -> np.ndarray:
    """float64 [n] in (0, 1): a number for each name, uint64 [n], other ones for each stream.

    SplitMix64's finaliser (Steele et al. 2014) of the name and a hash of seed and stream.
    """
    salt = np.uint64(xxhash.xxh64_intdigest(stream.encode(), seed=seed))
    mixed = names ^ salt
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed = mixed ^ (mixed >> np.uint64(31))
    return ((mixed >> np.uint64(12)).astype(np.float64) + 0.5) / (1 << 52)


def gumbel(names: np.ndarray, seed: int, stream: str) -> np.ndarray:
    """float64 [n]: standard Gumbel noise for each name."""
    return -np.log(-np.log(uniform(names, seed, stream)))


class Best:
    """The `n` highest keys that were added, at most `cap` of one group; of equal keys the first.

    It holds 2n rows and some. What is let go cannot come back: a row that falls out has n better
    ones, or `cap` better ones of its group, and further rows can only be more of these.
    """

    def __init__(self, n: int, cap: int | None = None) -> None:
        self.n = n
        self.cap = cap
        self._keys = np.empty(0)
        self._places = np.empty(0, PLACE)
        self._groups = np.empty(0, np.uint64)

    def add(self, keys: np.ndarray, places: np.ndarray, groups: np.ndarray) -> None:
        """Rows with keys float64 [m], places `PLACE` [m], groups uint64 [m]."""
        step = self.n + SPARE
        for i in range(0, len(keys), step):
            self._keys = np.append(self._keys, keys[i : i + step])
            self._places = np.append(self._places, places[i : i + step])
            self._groups = np.append(self._groups, groups[i : i + step])
            if len(self._keys) > 2 * self.n + SPARE:
                self._prune()

    def places(self) -> np.ndarray:
        """`PLACE` [n or fewer], the highest key first."""
        self._prune()
        return self._places

    def _prune(self) -> None:
        order = np.argsort(-self._keys, kind="stable")
        if self.cap is not None:
            order = order[_ranks(self._groups[order]) < self.cap]
        order = order[: self.n]
        self._keys = self._keys[order]
        self._places, self._groups = self._places[order], self._groups[order]


def _ranks(groups: np.ndarray) -> np.ndarray:
    """int64 [n]: how many of the same group come before each."""
    order = np.argsort(groups, kind="stable")
    _, sizes = np.unique(groups, return_counts=True)
    begins = np.repeat(np.cumsum(sizes) - sizes, sizes)
    ranks = np.empty(len(groups), np.int64)
    ranks[order] = np.arange(len(groups)) - begins
    return ranks
