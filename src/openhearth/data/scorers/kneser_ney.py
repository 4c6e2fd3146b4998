"""Interpolated Kneser-Ney smoothing over tables of fixed size.

One discount is taken for each order (Kneser and Ney 1995, Improved Backing-off for M-gram Language
Modeling; Chen and Goodman 1999, An Empirical Study of Smoothing Techniques for Language Modeling).
Of the highest order the occurrences of an n-gram are counted; of each lower one, how many different
words an n-gram was seen after. With counts c, their sum C over the words that follow a context and
N the number of those words,

    p(word | context) = (max(c - D, 0) + D N p(word | shorter context)) / C,

down to single words, below which all words that were seen, and one that stands for all that were
not, are equally likely. So the probabilities after any context sum to 1.

N-grams and contexts have slots in tables of fixed size: a hash may take any of eight, and a slot
holds 31 more bits of the hash of whoever came first. One that finds all of its slots taken is left
out at its order and handed on to the next lower one. A full table therefore makes a model of lower
order, never a wrong distribution: the sums above hold up to collisions of all bits that are kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

DISCOUNT = 0.75  # where too little was seen to estimate one
LEAST = 0.01  # discount: some probability is always left to what was not seen
WAYS = 8  # slots that a hash may take
ONE = np.uint32(1)  # of the tables' type, for which numpy is quick


@dataclass(frozen=True)
class Grams:
    """Some n-grams of one order, and their contexts: hashes, uint64 [m].

    An n-gram's hash is that of its context's hash and its last word's; that of no word is 0.
    """

    grams: np.ndarray
    contexts: np.ndarray

    def where(self, mask: np.ndarray) -> Grams:
        """Some of them."""
        return Grams(self.grams[mask], self.contexts[mask])


@dataclass(frozen=True)
class Order:
    """The tables of one order. uint32 [buckets]; single words have one context, so one slot.

    `tags` and `counts` are of n-grams; `context_tags`, `totals` and `followers` of contexts: the
    sum of the counts of what follows, and how many different words follow.
    """

    tags: np.ndarray
    counts: np.ndarray
    context_tags: np.ndarray
    totals: np.ndarray
    followers: np.ndarray

    @classmethod
    def empty(cls, order: int, buckets: int) -> Order:
        """Nothing counted yet."""
        return cls(*(np.zeros(n, np.uint32) for n in lengths(order, buckets)))

    def add(self, found: Grams) -> np.ndarray:
        """Count n-grams after their contexts; bool [m]: which are new, as are all without a
        slot.
        """
        where, known = _slots(self.context_tags, found.contexts, claim=True)
        slots, owned = np.zeros_like(where), np.zeros_like(known)
        slots[known], owned[known] = _slots(self.tags, found.grams[known], claim=True)
        taken, first = np.unique(slots[owned], return_index=True)
        new = ~owned
        new[np.flatnonzero(owned)[first[self.counts[taken] == 0]]] = True
        np.add.at(self.counts, slots[owned], ONE)
        np.add.at(self.totals, where[owned], ONE)
        np.add.at(self.followers, where[owned & new], ONE)
        return new

    def discount(self) -> float:
        """D = n1 / (n1 + 2 n2), from how many n-grams were counted once and twice (Ney et al.
        1994).
        """
        once, twice = (int(np.count_nonzero(self.counts == n)) for n in (1, 2))
        return max(once / (once + 2 * twice), LEAST) if once and twice else DISCOUNT

    def interpolate(self, found: Grams, discount: float, lower: np.ndarray) -> np.ndarray:
        """float64 [m]: p(word | context), where `lower` is that of the shorter context."""
        slots, counted = _slots(self.tags, found.grams)
        where, seen = _slots(self.context_tags, found.contexts)
        counts = np.where(counted, self.counts[slots], 0)
        followers, totals = self.followers[where], np.maximum(self.totals[where], 1)
        kept = np.maximum(counts - discount, 0) + discount * followers * lower
        return np.where(seen & (followers > 0), kept / totals, lower)


def lengths(order: int, buckets: int) -> list[int]:
    """Of the tables of an order, as `Order` lists them."""
    return [buckets] * 2 + [1 if order == 1 else buckets] * 3


def _slots(
    tags: np.ndarray, hashes: np.ndarray, claim: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """The slots of hashes, int64 [m], and which have theirs, bool [m].

    Who comes first takes one, and the slots of a hash fill in their order; so it does not matter
    how many are claimed at a time.
    """
    ways = min(WAYS, len(tags))
    own = (hashes >> np.uint64(32)).astype(np.uint32) | ONE  # an empty slot's is 0
    slots = (hashes % np.uint64(len(tags) // ways)).astype(np.int64) * ways
    left = np.arange(len(hashes))
    for _ in range(ways):
        here = tags[slots[left]]
        if claim:
            taken, first = np.unique(slots[left[here == 0]], return_index=True)
            tags[taken] = own[left[here == 0]][first]
            here = tags[slots[left]]
        left = left[(here != own[left]) & (here != 0)]
        slots[left] += 1
    found = np.ones(len(hashes), bool)
    found[left] = False
    slots[left] = 0
    return slots, found & (tags[slots] == own)
