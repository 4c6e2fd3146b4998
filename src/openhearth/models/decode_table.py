"""A flat batch of single tokens that is one tensor, into which other values may be put.

What a model computes of a `Ragged` is bound to the numbers in its pieces. Of a `DecodeTable` the
shape alone is known in Python, and all else is computed from the tensor: so the same operations,
captured once as a CUDA graph, compute any step of that shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from openhearth.models.ragged import Decodes, Piece, Ragged

TOKEN, POSITION, SLOT, PAGES = 0, 1, 2, 3  # columns; pages are all from there on


@dataclass(frozen=True)
class Spare:
    """The page and the slot of rows that only fill a table up; no sequence has them."""

    page: int
    slot: int

    def rows(self, rows: int, pages: int) -> np.ndarray:
        """A table of them: [rows, PAGES + pages], int64."""
        numbers = np.zeros((rows, PAGES + pages), np.int64)
        numbers[:, SLOT], numbers[:, PAGES:] = self.slot, self.page
        return numbers


@dataclass(frozen=True, kw_only=True)
class DecodeTable(Ragged):
    """`numbers` is [rows, PAGES + most], int64, and has for each token what `Decodes` says."""

    pieces: Sequence[Piece] = ()  # none that Python knows of
    numbers: torch.Tensor
    spare: Spare

    @property
    def tokens(self) -> torch.Tensor:
        """[rows]."""
        return self.numbers[:, TOKEN]

    @cached_property
    def positions(self) -> torch.Tensor:
        """[rows]: each token's position in its sequence."""
        return self.numbers[:, POSITION]

    @cached_property
    def decodes(self) -> Decodes:
        """All rows."""
        slots, pages = self.numbers[:, SLOT], self.numbers[:, PAGES:].contiguous()
        return Decodes(slice(None), self.positions, slots, pages)

    def places(self, page: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """As `Ragged` says; for each row whose page does not begin, the spare one begins."""
        ordinal = (self.positions // page)[:, None]
        pages, at = self.decodes.pages.gather(1, ordinal)[:, 0], self.positions % page
        return pages, at, pages.masked_fill(at > 0, self.spare.page)
