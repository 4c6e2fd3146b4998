"""How tokens fill the steps of training: whole examples in groups, or a stream cut into rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from openhearth.data.tokens.stream import TokenCorpus

OPEN = 32  # groups that may still get an example


def pack(lengths: np.ndarray, capacity: int, seed: int, epoch: int) -> list[list[int]]:
    """All examples of one pass, shuffled, in groups of at most `capacity` tokens.

    The same arguments give the same groups. First fit over the groups still open: each example
    goes where there is room, else a new group begins; groups come out in the order they began.
    """
    order = np.random.Generator(np.random.Philox(key=[seed, epoch])).permutation(len(lengths))
    groups: list[list[int]] = []
    room: list[int] = []
    for i in order.tolist():
        length = int(lengths[i])
        fit = next(
            (g for g in range(max(0, len(groups) - OPEN), len(groups)) if room[g] >= length), None
        )
        if fit is None:
            groups.append([])
            room.append(capacity)
            fit = len(groups) - 1
        groups[fit].append(i)
        room[fit] -= length
    return groups


@dataclass(frozen=True)
class Rows:
    """All tokens of a corpus in rows of `length`; none is lost, so the last row may be shorter.

    A document that does not fit goes on in the next row. `len()` is the number of rows.
    """

    corpus: TokenCorpus
    length: int

    def __len__(self) -> int:
        return -(-self.corpus.size // self.length)

    def tokens(self, i: int) -> np.ndarray:
        """uint16 or uint32 [length]: one row."""
        return self.corpus.span(*self._ends(i))

    def boundaries(self, i: int) -> np.ndarray:
        """int64 [pieces + 1]: where the pieces of documents in a row begin, and where it ends.

        Attention that stays between two neighbours of these stays inside one document.
        """
        start, stop = self._ends(i)
        inner = self.corpus.beginnings(start, stop) - start
        return np.unique(np.concatenate(([0], inner, [stop - start])))

    def _ends(self, i: int) -> tuple[int, int]:
        if not 0 <= i < len(self):
            raise IndexError(f"There is no row {i}: there are {len(self)}.")
        return i * self.length, min((i + 1) * self.length, self.corpus.size)
