"""Which documents belong together, of any number of them: connected components on disk.

Documents are taken a range at a time. Downwards, each range is joined in memory, links to lower
ranges become links among those, and each document notes a lower one of its cluster, if there is
one; so a range is never seen again. Upwards, it asks that one for the lowest, which is known by
then (time-forward processing: Chiang et al. 1995, External-Memory Graph Algorithms).

A link takes 16 bytes on disk, and a document that is not the first of its cluster up to 48.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from openhearth.data.dedup.clusters import Clusters
from openhearth.data.dedup.piles import Piles, numbers_of, ranges


def write_lowest(edges: Iterable[np.ndarray], count: int, path: Path, work: Path) -> None:
    """Write the lowest document of each one's cluster, int64 [count]; `work` is a new folder.

    Edges are int64 [e, 2], the lower document first.
    """
    links = Piles(work / "links", 2)
    for some in edges:
        links.add(some[:, 1], some[:, 0])
    known = _Known(Piles(work / "lower", 2), Piles(work / "asked", 2))
    for here in reversed(ranges(count)):
        known.note(here, _settle(here, links))
    with path.open("wb") as file:
        for here in ranges(count):
            known.lowest(here).tofile(file)


def _settle(here: range, links: Piles) -> np.ndarray:
    """int64 [r]: for each document of a range the lowest one that it has a path to, all of whose
    inner documents are in the range or above it.

    Of all others below the range that it has such a path to, links to that lowest one are added.
    """
    clusters = Clusters(len(here))
    for high, low in links.pieces(here):
        inside = low >= here.start
        clusters.join(low[inside] - here.start, high[inside] - here.start)
    heads = clusters.lowest()
    lowest = numbers_of(here)  # of the clusters of these heads
    for high, low in links.pieces(here):
        np.minimum.at(lowest, heads[high - here.start], low)
    for high, low in links.pieces(here):
        first = lowest[heads[high - here.start]]
        others = (low < here.start) & (low != first)
        links.add(low[others], first[others])
    links.drop(here)
    return lowest[heads]


class _Known:
    """What is known of the lowest documents: for some a lower one, and who asks which."""

    def __init__(self, lower: Piles, asked: Piles) -> None:
        self._lower = lower
        self._asked = asked

    def note(self, here: range, lower: np.ndarray) -> None:
        """A document of the cluster of each one of a range, int64 [r]."""
        numbers = numbers_of(here)
        copies = lower != numbers
        self._lower.add(numbers[copies], lower[copies])
        below = lower < here.start
        self._asked.add(lower[below], numbers[below])

    def lowest(self, here: range) -> np.ndarray:
        """int64 [r]: that of each one's cluster. Ranges are to be asked for upwards."""
        lowest = numbers_of(here)
        for number, lower in self._lower.pieces(here):
            np.minimum.at(lowest, number - here.start, lower)
        for asked, number in self._asked.pieces(here):
            answer = lowest[asked - here.start]
            news = answer != asked
            self._lower.add(number[news], answer[news])
        self._lower.drop(here)
        self._asked.drop(here)
        return lowest
