"""A flat batch: pieces of many sequences end to end, with no padding between them.

Row t of a batch is one token. A piece either stands alone (training, scoring) or continues a
sequence whose state lies in a slot. Pieces of one token with a slot are decoded together; longer
ones, the chunks of prompts, each on their own.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch


@dataclass(frozen=True)
class Piece:
    """`length` tokens of one sequence, the first at `position`; its state is in `slot`, if kept."""

    length: int
    position: int = 0
    slot: int | None = None
    adapter: str | None = None


@dataclass(frozen=True)
class Decodes:
    """The pieces of one token, laid out over the smallest range of slots that holds them all.

    `rows` [n] are theirs in the batch, `places` [n] theirs in the range; `mask`
    [slots, 1, 1, keys] says which keys a slot may see. Slots in between compute and are ignored.
    """

    rows: torch.Tensor
    places: torch.Tensor
    positions: torch.Tensor
    slots: slice
    keys: int
    mask: torch.Tensor


@dataclass(frozen=True)
class Ragged:
    """How the rows of a flat batch belong to sequences."""

    pieces: Sequence[Piece]
    _memo: dict[Hashable, Any] = field(default_factory=dict, compare=False)

    @property
    def rows(self) -> int:
        """Tokens in the batch."""
        return sum(piece.length for piece in self.pieces)

    @cached_property
    def spans(self) -> list[tuple[slice, Piece]]:
        """Each piece with its rows."""
        spans, start = [], 0
        for piece in self.pieces:
            spans.append((slice(start, start + piece.length), piece))
            start += piece.length
        return spans

    @cached_property
    def positions(self) -> torch.Tensor:
        """[rows]: each token's position in its sequence."""
        return torch.cat([torch.arange(p.position, p.position + p.length) for p in self.pieces])

    @cached_property
    def routes(self) -> list[tuple[slice, str]]:
        """The rows of each adapter; neighbours with the same adapter are one range."""
        routes: list[tuple[slice, str]] = []
        for rows, piece in self.spans:
            if piece.adapter is None:
                continue
            if routes and routes[-1][1] == piece.adapter and routes[-1][0].stop == rows.start:
                rows = slice(routes.pop()[0].start, rows.stop)
            routes.append((rows, piece.adapter))
        return routes

    @cached_property
    def chunks(self) -> list[tuple[slice, Piece]]:
        """The pieces that are not decoded together."""
        return [(rows, p) for rows, p in self.spans if p.slot is None or p.length > 1]

    @cached_property
    def decodes(self) -> Decodes | None:
        """The pieces that are."""
        pieces = [(r.start, p) for r, p in self.spans if p.slot is not None and p.length == 1]
        if not pieces:
            return None
        slots = torch.tensor([p.slot for _, p in pieces])
        positions = torch.tensor([p.position for _, p in pieces])
        first, last = int(slots.min()), int(slots.max())
        keys = int(positions.max()) + 1
        # A slot in between sees its key 0, because a softmax over nothing is not a number.
        limits = torch.zeros(last - first + 1, dtype=torch.long)
        limits[slots - first] = positions
        mask = torch.arange(keys) <= limits[:, None]
        return Decodes(
            torch.tensor([row for row, _ in pieces]),
            slots - first,
            positions,
            slice(first, last + 1),
            keys,
            mask[:, None, None, :],
        )

    def once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """`make()`, computed for the first layer that asks and kept for the others."""
        if key not in self._memo:
            self._memo[key] = make()
        return self._memo[key]
