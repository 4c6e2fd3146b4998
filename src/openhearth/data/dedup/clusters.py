"""Which documents of a range belong together, from the links between some: union-find over whole
arrays.

A cluster is known by its lowest document, so it does not matter in which order links come.
"""

from __future__ import annotations

import numpy as np


class Clusters:
    """Documents 0 to `count` - 1, each alone at first."""

    def __init__(self, count: int) -> None:
        self._lowest = np.arange(count)

    def join(self, one: np.ndarray, other: np.ndarray) -> None:
        """Put two documents into one cluster, for each place of two arrays int64 [e]."""
        while True:
            one, other = self._lowest[one], self._lowest[other]
            apart = one != other
            if not apart.any():
                return
            one, other = one[apart], other[apart]
            np.minimum.at(self._lowest, np.maximum(one, other), np.minimum(one, other))
            self._shorten()

    def lowest(self) -> np.ndarray:
        """int64 [count]: the lowest document of each one's cluster."""
        return self._lowest

    def _shorten(self) -> None:
        """Let all point to the lowest of their clusters; twice as far each time."""
        while not np.array_equal(far := self._lowest[self._lowest], self._lowest):
            self._lowest = far
