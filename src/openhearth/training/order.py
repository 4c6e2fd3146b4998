"""Which items each step sees: a pure function of the seed and the step, known before the first.

So the state of the order is one number, a resumed run sees what an unbroken one would, and how the
items of a step are shared among workers changes nothing about which they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from openhearth.data import pack
from openhearth.errors import UsageError
from openhearth.models.ragged import neighbours
from openhearth.training.items import Items, PackedRows
from openhearth.training.permute import permuted


@dataclass(frozen=True)
class Budget:
    """How much is trained: passes and tokens, whichever ends first, in steps of so many tokens.

    `micro` tokens are computed at a time; `examples`, if given, is the items of a step instead.
    """

    epochs: int
    tokens: int | None
    batch: int
    micro: int | None
    examples: int | None
    seed: int


class Order(Protocol):
    """The steps of a run; `len()` is their number."""

    def __len__(self) -> int: ...

    def __getitem__(self, step: int) -> Sequence[int]:
        """The items of a step."""


def order(items: Items, budget: Budget) -> Order:
    """The steps in which the budget is used up.

    Raises:
        UsageError: there is nothing to train on, or an item is longer than a step may be.
    """
    if not len(items):
        raise UsageError("The dataset has no training examples: curate more text.")
    longest = int(items.lengths.max())
    if longest > budget.batch:
        raise UsageError(
            f"batch_tokens is {budget.batch}, but the longest example has {longest} tokens: "
            "raise it, or lower max_tokens."
        )
    if budget.micro is not None and longest > budget.micro:
        raise UsageError(
            f"micro_tokens is {budget.micro}, but the longest example has {longest} tokens: "
            "raise it, or lower max_tokens."
        )
    if isinstance(items, PackedRows) and budget.examples is None:
        return RowOrder(items, budget)
    return list(_groups(items, budget))


@dataclass(frozen=True)
class RowOrder:
    """Rows of one length: any step can be computed alone, whatever the size of the corpus."""

    items: PackedRows
    budget: Budget

    @property
    def rows_of_step(self) -> int:
        """How many rows a step has; the last may have fewer."""
        return self.budget.batch // self.items.rows.length

    @property
    def _rows(self) -> int:
        rows = len(self.items) * self.budget.epochs
        most = self.budget.tokens
        return rows if most is None else min(rows, -(-most // self.items.rows.length))

    def __len__(self) -> int:
        return -(-self._rows // self.rows_of_step)

    def __getitem__(self, step: int) -> list[int]:
        if not 0 <= step < len(self):
            raise IndexError(f"There is no step {step}: there are {len(self)}.")
        first = step * self.rows_of_step
        return [self._row(p) for p in range(first, min(first + self.rows_of_step, self._rows))]

    def _row(self, position: int) -> int:
        epoch, within = divmod(position, len(self.items))
        return permuted(within, len(self.items), self.budget.seed, epoch)


def _groups(items: Items, budget: Budget) -> Iterator[list[int]]:
    """Items of different lengths, packed pass by pass."""
    left = budget.tokens
    for epoch in range(budget.epochs):
        for group in _passes(items, budget, epoch):
            if left is not None and left <= 0:
                return
            yield group
            if left is not None:
                left -= int(items.lengths[group].sum())


def _passes(items: Items, budget: Budget, epoch: int) -> list[list[int]]:
    if budget.examples is None:
        return pack(items.lengths, budget.batch, budget.seed, epoch)
    count = len(items)
    shuffled = [permuted(p, count, budget.seed, epoch) for p in range(count)]
    return [shuffled[i : i + budget.examples] for i in range(0, count, budget.examples)]


def micro_batches(items: Items, group: Sequence[int], most: int | None) -> list[list[int]]:
    """A step in pieces of at most `most` tokens, in order; they do not depend on the workers."""
    if most is None:
        return [list(group)]
    parts = neighbours((int(items.lengths[i]) for i in group), most)
    return [[group[i] for i in part] for part in parts]
