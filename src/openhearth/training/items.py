"""What is trained on, by number: each item one or more sequences of tokens that belong together.

An example to imitate is one sequence, a preference two (the chosen answer, then the rejected one),
a contrast two or more. Every sequence is a piece of its own in the flat batch: nothing attends
across documents, and nothing is padded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import torch

from openhearth.data import TokenShards
from openhearth.data.tokens import Rows
from openhearth.models import Piece, Ragged


class Items(Protocol):
    """A source of items; `len()` is their number."""

    def __len__(self) -> int: ...

    @property
    def lengths(self) -> np.ndarray:
        """int64 [n]: the tokens of each item."""

    def counted(self, i: int) -> int:
        """How many tokens of an item count."""

    def pieces(self, i: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """An item's sequences: token ids [length], and bool [length], which of them count."""

    def known(self, i: int) -> dict[str, np.ndarray]:
        """What else is known of an item's tokens that count, each array [count, …]."""


@dataclass(frozen=True)
class Examples:
    """Items of token shards, each `together` neighbouring sequences."""

    shards: TokenShards
    together: int = 1

    def __len__(self) -> int:
        return len(self.shards) // self.together

    @cached_property
    def lengths(self) -> np.ndarray:
        return self.shards.lengths.reshape(-1, self.together).sum(1)

    def counted(self, i: int) -> int:
        return sum(int(counts.sum()) for _, counts in self.pieces(i))

    def pieces(self, i: int) -> list[tuple[np.ndarray, np.ndarray]]:
        numbers = range(i * self.together, (i + 1) * self.together)
        return [(self.shards.tokens(n), self.shards.loss(n)) for n in numbers]

    def known(self, i: int) -> dict[str, np.ndarray]:
        return {}


@dataclass(frozen=True)
class PackedRows:
    """Rows of a stream of documents; a row's pieces are the parts of documents in it."""

    rows: Rows

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def lengths(self) -> np.ndarray:
        lengths = np.full(len(self), self.rows.length, dtype=np.int64)
        if len(lengths):
            lengths[-1] = self.rows.corpus.size - (len(self) - 1) * self.rows.length
        return lengths

    def counted(self, i: int) -> int:
        return int(self.lengths[i]) - (len(self.rows.boundaries(i)) - 1)

    def pieces(self, i: int) -> list[tuple[np.ndarray, np.ndarray]]:
        parts = np.split(self.rows.tokens(i), self.rows.boundaries(i)[1:-1])
        # Nothing comes before the first token of a part, so it cannot be predicted.
        return [(part, np.arange(len(part)) > 0) for part in parts]

    def known(self, i: int) -> dict[str, np.ndarray]:
        return {}


@dataclass(frozen=True)
class Batch:
    """Items end to end. `targets` are the rows of the tokens that count [n], each predicted from
    the row before it; `counts` [sequences] says how many each sequence has, and `known` what
    another model said of them, arrays [n, …].
    """

    tokens: torch.Tensor
    ragged: Ragged
    targets: torch.Tensor
    counts: torch.Tensor
    known: dict[str, torch.Tensor]

    @property
    def labels(self) -> torch.Tensor:
        """The ids of the tokens that count [n]."""
        return self.tokens[self.targets]


def collate(
    items: Items, chosen: Sequence[int], adapter: str | None, device: torch.device | str = "cpu"
) -> Batch:
    """Some items as a flat batch, with `adapter` on all rows."""
    pieces = [piece for i in chosen for piece in items.pieces(i)]
    tokens = np.concatenate([ids for ids, _ in pieces]).astype(np.int64)
    targets = np.flatnonzero(np.concatenate([counts for _, counts in pieces]))
    return Batch(
        torch.from_numpy(tokens).to(device),
        Ragged([Piece(len(ids), adapter=adapter) for ids, _ in pieces]),
        torch.from_numpy(targets).to(device),
        torch.tensor([int(counts.sum()) for _, counts in pieces], device=device),
        _known(items, chosen, device),
    )


def _known(
    items: Items, chosen: Sequence[int], device: torch.device | str
) -> dict[str, torch.Tensor]:
    each = [items.known(i) for i in chosen]
    joined = {name: np.concatenate([known[name] for known in each]) for name in each[0]}
    # Ids index, and torch indexes by int64.
    wide = {n: a.astype(np.int64) if a.dtype.kind == "i" else a for n, a in joined.items()}
    return {name: torch.from_numpy(array).to(device) for name, array in wide.items()}
