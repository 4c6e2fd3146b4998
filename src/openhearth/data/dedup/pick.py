"""Which document of each cluster stays: the first, or the one with the highest score and of equal
ones the first. Clusters and scores lie in files; a range of documents is looked at at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from openhearth.data.dedup.piles import Piles, numbers_of, ranges


def first_of(clusters: Path, count: int) -> Iterator[np.ndarray]:
    """bool [r] for each range: whether each document is the first of its cluster.

    `clusters` is a file with the number of each one's first document, int64 [count].
    """
    for here in ranges(count):
        yield _read(clusters, np.int64, here) == numbers_of(here)


def best_of(
    clusters: Path, count: int, scores: Iterable[np.ndarray], work: Path
) -> Iterator[np.ndarray]:
    """bool [r] for each range: whether each document is the one of its cluster that stays.

    Scores are float64 [count] in pieces, none of them NaN; `work` is a new folder.
    """
    copies, winners = Piles(work / "copies", 3), Piles(work / "winners", 1)
    table = work / "scores.f64"
    with table.open("wb") as file:
        for some in scores:
            some.tofile(file)
    for here in ranges(count):
        firsts, numbers = _read(clusters, np.int64, here), numbers_of(here)
        later = firsts != numbers
        copies.add(firsts[later], numbers[later], _read(table, np.int64, here)[later])
    for here, first in zip(ranges(count), first_of(clusters, count), strict=True):
        numbers = numbers_of(here)
        best = _best(here, _read(table, np.float64, here), copies)
        winners.add(best[best != numbers])
        kept = first & (best == numbers)
        for (some,) in winners.pieces(here):
            kept[some - here.start] = True
        winners.drop(here)
        yield kept


def _best(here: range, scores: np.ndarray, copies: Piles) -> np.ndarray:
    """int64 [r]: the best of the cluster of which each document is the first; itself, if it is not
    the first of any.

    `copies` are the others of each cluster, by its first: their numbers, and the bits of scores.
    """
    best, highest = numbers_of(here), scores.copy()
    for firsts, _, bits in copies.pieces(here):
        np.maximum.at(highest, firsts - here.start, _scores(bits))
    best[scores < highest] = np.iinfo(np.int64).max
    for firsts, numbers, bits in copies.pieces(here):
        highest_too = _scores(bits) == highest[firsts - here.start]
        np.minimum.at(best, firsts[highest_too] - here.start, numbers[highest_too])
    copies.drop(here)
    return best


def _scores(bits: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(bits).view(np.float64)


def _read(path: Path, kind: type, here: range) -> np.ndarray:
    """What a file of numbers of 64 bits has for a range."""
    return np.fromfile(path, kind, len(here), offset=8 * here.start)
