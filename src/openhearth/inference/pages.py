"""Pages of keys and values: which are free, and how many hold each of the others."""

from __future__ import annotations

import heapq


class Pages:
    """`count` pages. A page is free, or somebody holds it; the last to let it go frees it."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._free = list(range(count))
        self._holders = [0] * count

    @property
    def free(self) -> int:
        """How many nobody holds."""
        return len(self._free)

    def holders(self, page: int) -> int:
        """How many hold a page."""
        return self._holders[page]

    def take(self) -> int:
        """A free page, held once; the lowest, so that those in use lie close together."""
        page = heapq.heappop(self._free)
        self._holders[page] = 1
        return page

    def share(self, page: int) -> None:
        """Hold a page that somebody holds already."""
        assert self._holders[page] > 0, "a free page cannot be shared"
        self._holders[page] += 1

    def release(self, page: int) -> None:
        """Let a page go."""
        assert self._holders[page] > 0, "the page is free already"
        self._holders[page] -= 1
        if self._holders[page] == 0:
            heapq.heappush(self._free, page)
