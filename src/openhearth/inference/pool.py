"""Numbered places of one size, pages or slots: which are free, and how many hold the others."""

from __future__ import annotations

import heapq


class Pool:
    """`count` places. A place is free, or somebody holds it; the last to let it go frees it."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._free = list(range(count))
        self._holders = [0] * count

    @property
    def free(self) -> int:
        """How many nobody holds."""
        return len(self._free)

    def holders(self, place: int) -> int:
        """How many hold a place."""
        return self._holders[place]

    def take(self) -> int:
        """A free place, held once; the lowest, so that those in use lie close together."""
        place = heapq.heappop(self._free)
        self._holders[place] = 1
        return place

    def share(self, place: int) -> None:
        """Hold a place that somebody holds already."""
        assert self._holders[place] > 0, "a free place cannot be shared"
        self._holders[place] += 1

    def release(self, place: int) -> None:
        """Let a place go."""
        assert self._holders[place] > 0, "the place is free already"
        self._holders[place] -= 1
        if self._holders[place] == 0:
            heapq.heappush(self._free, place)
