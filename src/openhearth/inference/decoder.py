"""Steps in which every sequence goes on by one token, in few shapes, each captured once.

On a GPU a small model's step is over sooner than Python has launched its thousand kernels one by
one. A CUDA graph launches them all at once, but always the same ones over the same memory. So a
step's values are put into a table that stays where it is, and the rows, and the pages of the
longest sequence, are filled up to powers of two: a few dozen shapes are all that there are.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from openhearth.inference.capture import Capture, Compute
from openhearth.inference.executor import Work
from openhearth.models.decode_table import PAGES, POSITION, SLOT, TOKEN, DecodeTable, Spare

MOST_SHAPES = 32  # kept; the one that was used longest ago goes


@dataclass(frozen=True)
class Captured:
    """A table's memory, and what computes hidden states [rows, width] of what stands in it."""

    numbers: torch.Tensor
    compute: Compute


class Decoder:
    """`forward` gives the hidden states [rows, width] of a table, changes nothing that does not
    belong to its rows, and is what `capture` can capture (see `capture_on`).
    """

    def __init__(
        self,
        forward: Callable[[DecodeTable], torch.Tensor],
        capture: Capture,
        spare: Spare,
        page: int,
    ) -> None:
        self._forward, self._capture = forward, capture
        self._spare, self._page = spare, page
        self._shapes: OrderedDict[tuple[int, int], Captured] = OrderedDict()

    def hidden(self, works: Sequence[Work]) -> torch.Tensor:
        """Hidden states [len(works), width] of works of one token each; valid until the next."""
        pages = [self._pages(work) for work in works]
        rows, most = _filled_up(len(works)), _filled_up(max(map(len, pages)))
        numbers = self._spare.rows(rows, most)
        for row, work, own in zip(numbers, works, pages, strict=False):
            row[TOKEN], row[POSITION], row[SLOT] = work.tokens[0], work.place, work.slot or 0
            row[PAGES:] = own[0]
            row[PAGES : PAGES + len(own)] = own
        shape = self._shape(rows, most)
        shape.numbers.copy_(torch.from_numpy(numbers))
        return shape.compute()[: len(works)]

    def _pages(self, work: Work) -> Sequence[int]:
        return work.pages[: work.place // self._page + 1]  # those behind may hold anything

    def _shape(self, rows: int, pages: int) -> Captured:
        key = rows, pages
        if key in self._shapes:
            self._shapes.move_to_end(key)
            return self._shapes[key]
        if len(self._shapes) == MOST_SHAPES:
            self._shapes.popitem(last=False)
        # Of spare rows alone: what is computed while capturing belongs to nobody.
        numbers = torch.tensor(self._spare.rows(rows, pages))
        # A new table each time, since one remembers what was computed from it.
        compute = self._capture(
            lambda: self._forward(DecodeTable(numbers=numbers, spare=self._spare))
        )
        self._shapes[key] = Captured(numbers, compute)
        return self._shapes[key]


def _filled_up(count: int) -> int:
    """The next power of two."""
    return 1 << (count - 1).bit_length()
