"""Which documents belong together, from the links between some: union-find over whole arrays.

4 bytes are held for each document, 8 beyond two thousand million. A cluster is known by its lowest
document, so it does not matter in which order links come.
"""

from __future__ import annotations

import numpy as np

PIECE = 1 << 20  # documents looked at together


class Clusters:
    """Documents 0 to `count` - 1, each alone at first."""

    def __init__(self, count: int) -> None:
        number = np.int32 if count <= np.iinfo(np.int32).max else np.int64
        self._first = np.arange(count, dtype=number)  # a lower member of its cluster, or itself

    def join(self, edges: np.ndarray) -> None:
        """Put the two documents of each edge, int64 [e, 2], into one cluster."""
        nodes = np.unique(edges)
        while True:
            self._shorten(nodes)
            one, other = self._first[edges[:, 0]], self._first[edges[:, 1]]
            apart = one != other
            if not apart.any():
                return
            edges = edges[apart]
            low, high = np.minimum(one, other)[apart], np.maximum(one, other)[apart]
            np.minimum.at(self._first, high, low)
            nodes = np.unique(np.concatenate([nodes, high]))

    def lowest(self) -> np.ndarray:
        """int32 or int64 [count]: the lowest document of each one's cluster."""
        for begin in range(0, len(self._first), PIECE):
            self._shorten(slice(begin, begin + PIECE))
        return self._first

    def _shorten(self, nodes: np.ndarray | slice) -> None:
        """Let nodes point to the lowest of their clusters; twice as far each time."""
        while True:
            near = self._first[nodes]
            far = self._first[near]
            if np.array_equal(near, far):
                return
            self._first[nodes] = far
