"""Held-out documents: whole sources apart, so that what is measured was not trained on.

Names are hashed, and the lowest hashes are held out: that takes eight bytes of memory a name, and a
source stays on its side when others come or go.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from openhearth.data.corpus import account
from openhearth.data.examples import document_of
from openhearth.data.hashes import hash_words
from openhearth.data.tally import Tally
from openhearth.errors import UsageError

FEWEST = 2  # groups on each side
FEW_SOURCES = 8  # with fewer of them, documents are held out instead


@dataclass(frozen=True)
class Split:
    """Held out are the documents whose source, or whose id, hashes to `highest` or less."""

    by_source: bool
    highest: int
    seed: int

    def heldout(self, batch: pa.RecordBatch) -> np.ndarray:
        """bool [n]: which rows are held out."""
        return _hashes(batch, self.by_source, self.seed) <= np.uint64(self.highest)


def choose(batches: Iterable[pa.RecordBatch], share: float, seed: int) -> Split:
    """Hold out about `share` of the sources of these documents, or of the documents if sources are
    few.

    Raises:
        UsageError: there are too few of both.
    """
    sources, documents = np.empty(0, np.uint64), [np.empty(0, np.uint64)]
    for batch in batches:
        sources = np.union1d(sources, _hashes(batch, True, seed))
        documents.append(np.unique(_hashes(batch, False, seed)))
    by_source = len(sources) >= FEW_SOURCES
    groups = sources if by_source else np.unique(np.concatenate(documents))
    if len(groups) < 2 * FEWEST:
        raise UsageError(
            f"{len(groups)} documents are left after the rules, but {2 * FEWEST} are needed to "
            "train on some and measure on others: give more text, or switch rules off."
        )
    count = min(max(FEWEST, round(share * len(groups))), len(groups) - FEWEST)
    return Split(by_source, int(groups[count - 1]), seed)  # `groups` is in ascending order


@dataclass(frozen=True)
class Side:
    """A step that keeps one side of a split."""

    split: Split
    heldout: bool

    def __call__(self, batch: pa.RecordBatch, tally: Tally) -> pa.RecordBatch:
        return account(batch.filter(pa.array(self.split.heldout(batch) == self.heldout)), tally)


def _hashes(batch: pa.RecordBatch, by_source: bool, seed: int) -> np.ndarray:
    """uint64 [n]: of what stays together, each row's source or the document that it is of."""
    names = batch.column("source" if by_source else "id").to_pylist()
    keys = ((name or "") if by_source else document_of(name) for name in names)
    return hash_words(keys, seed)
