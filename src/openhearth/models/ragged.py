"""A flat batch: pieces of many sequences end to end, with no padding between them.

Row t of a batch is one token. A piece either stands alone (training, scoring) or continues a
sequence whose state lies in pages. Pieces of one token with pages are decoded together; longer
ones, the chunks of prompts, each on their own.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch


def neighbours(lengths: Iterable[int], most: int) -> list[list[int]]:
    """Numbers of texts in groups of neighbours, each of up to `most` tokens, or of a longer one."""
    groups: list[list[int]] = []
    room = 0
    for i, length in enumerate(lengths):
        if length > room:
            groups.append([])
            room = most
        groups[-1].append(i)
        room -= length
    return groups


@dataclass(frozen=True)
class Piece:
    """`length` tokens of one sequence, the first at `position`; `pages` keep its keys and values,
    and `slot` the state of its recurrent mixers, if any."""

    length: int
    position: int = 0
    pages: Sequence[int] | None = None
    adapter: str | None = None
    slot: int | None = None


@dataclass(frozen=True)
class Decodes:
    """The pieces of one token: their `rows` [n] in the batch, `positions` [n], `slots` [n], 0 for
    those without, and `pages` [n, most], those of shorter ones filled up with their first page
    again, which is not seen there.
    """

    rows: torch.Tensor | slice
    positions: torch.Tensor
    slots: torch.Tensor
    pages: torch.Tensor


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
        ranges = [np.arange(p.position, p.position + p.length) for p in self.pieces]
        return torch.tensor(np.concatenate(ranges))

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
        return [(rows, p) for rows, p in self.spans if p.pages is None or p.length > 1]

    @cached_property
    def decodes(self) -> Decodes | None:
        """The pieces that are."""
        found = [(r.start, p) for r, p in self.spans if p.pages is not None and p.length == 1]
        if not found:
            return None
        pages = [list(p.pages or ()) for _, p in found]
        most = max(map(len, pages))
        return Decodes(
            torch.tensor([row for row, _ in found]),
            torch.tensor([p.position for _, p in found]),
            torch.tensor([p.slot or 0 for _, p in found]),
            torch.tensor([own + own[:1] * (most - len(own)) for own in pages]),
        )

    def places(self, page: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """[rows] each: the page that keeps a token's state, and where in it, `page` tokens each;
        and the pages that begin.
        """
        kept = [
            (piece.pages[position // page], position % page)
            for piece in self.pieces
            if piece.pages is not None
            for position in range(piece.position, piece.position + piece.length)
        ]
        pages, at = torch.tensor(kept).unbind(1)
        fresh = [number for number, place in kept if place == 0]
        return pages, at, torch.tensor(fresh, dtype=torch.long)

    def once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """`make()`, computed for the first layer that asks and kept for the others."""
        if key not in self._memo:
            self._memo[key] = make()
        return self._memo[key]
