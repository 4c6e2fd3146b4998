"""Room for the state of running sequences: slots of one size, taken and given back.

The lowest free slot is taken first, so that running sequences lie close together, which the
decoding form of attention needs.
"""

from __future__ import annotations

import heapq


class Slots:
    """`count` slots of `capacity` tokens each."""

    def __init__(self, count: int, capacity: int) -> None:
        self.count = count
        self.capacity = capacity
        self._free = list(range(count))

    @property
    def free(self) -> int:
        """How many are not taken."""
        return len(self._free)

    def take(self) -> int | None:
        """The lowest free slot, or None."""
        return heapq.heappop(self._free) if self._free else None

    def give_back(self, slot: int) -> None:
        """Let others have it. What lies there is not read before it is written again."""
        heapq.heappush(self._free, slot)
