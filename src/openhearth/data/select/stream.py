"""The documents of a slice as often as a mixture wants them, and how far along each one is.

A document's progress, from 0 to 1, is what its slice has given by its middle, of all that it gives.
Slices that are merged by progress are in proportion in every prefix, to within a document of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from openhearth.data.schema import Corpus, Quarantine
from openhearth.data.select.sizes import Sizes, cut, read_sizes

LAST = np.nextafter(1.0, 0.0)
Piece = tuple[np.ndarray, pa.RecordBatch]  # progress, ascending, and its documents


@dataclass(frozen=True)
class Stream:
    """All of a corpus `whole` times, then once more its documents whose chance is below `level`.

    `amounts` are the sizes of each part, and of what of it is below the level.
    """

    corpus: Corpus
    files: tuple[Path, ...]
    name: str
    seed: int
    whole: int
    level: int
    amounts: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, corpus: Corpus, files: Sequence[Path], name: str, seed: int, amount: int) -> Stream:
        """The stream that gives nearly `amount`; `files` are the sizes of the corpus."""
        total = sum(int(part.size.sum()) for part in read_sizes(files, seed, name))
        whole, rest = divmod(amount, total)
        level = cut(read_sizes(files, seed, name), rest)
        amounts = tuple(
            (int(part.size.sum()), int(part.size[part.level < level].sum()))
            for part in read_sizes(files, seed, name)
        )
        return cls(corpus, tuple(files), name, seed, whole, level, amounts)

    @property
    def amount(self) -> int:
        """What it gives in all."""
        return sum(self.whole * all_ + some for all_, some in self.amounts)

    def pieces(self, begin: float, end: float) -> Iterator[Piece]:
        """The documents whose progress is in [begin, end), in their order."""
        given, total = 0, self.amount
        for epoch in range(self.whole + 1):
            for number, amounts in enumerate(self.amounts):
                if given / total >= end:
                    return
                amount = amounts[epoch == self.whole]
                if amount and (given + amount) / total >= begin:
                    yield from self._of_part(number, epoch, given / total, begin, end)
                given += amount

    def _of_part(
        self, number: int, epoch: int, given: float, begin: float, end: float
    ) -> Iterator[Piece]:
        (sizes,) = read_sizes([self.files[number]], self.seed, self.name)
        rows, progress = self._progress(sizes, epoch, given)
        inside = (progress >= begin) & (progress < end)
        rows, progress = rows[inside], progress[inside]
        blocks = sizes.block[rows]
        for at, block in enumerate(self.corpus.parts[number].read(Quarantine())):
            low, high = np.searchsorted(blocks, [at, at + 1])
            if low == len(blocks):
                return
            if low < high:
                first = np.searchsorted(sizes.block, at)
                batch = block.batch(Quarantine())
                yield progress[low:high], batch.take(pa.array(rows[low:high] - first))

    def _progress(self, sizes: Sizes, epoch: int, given: float) -> tuple[np.ndarray, np.ndarray]:
        """The rows of a part that are in an epoch, and the progress of each."""
        rows = np.arange(len(sizes.size))
        if epoch == self.whole:
            rows = rows[sizes.level < self.level]
        size = sizes.size[rows]
        middle = np.cumsum(size) - size / 2
        return rows, np.minimum(given + middle / self.amount, LAST)
