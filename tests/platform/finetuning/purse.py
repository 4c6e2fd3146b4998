"""Books of one organisation, in memory: holds and receipts by id, as the ledger has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from openhearth.errors import HearthError
from openhearth.platform.errors import ApiError

CREDIT = 100_000_000  # units


@dataclass(frozen=True)
class Receipt:
    """What was charged."""

    total: int


@dataclass(frozen=True)
class Balance:
    """What can be held."""

    available: int


class OnePrice:
    """So many units for a token."""

    unit = 3

    def current(self) -> OnePrice:
        return self

    def cost(self, model: str, counts: Mapping[str, int]) -> int:
        return self.unit * sum(counts.values())


@dataclass
class Purse:
    """What is owned, held and charged."""

    owned: int = CREDIT
    held: dict[str, int] = field(default_factory=dict)
    receipts: dict[str, Receipt] = field(default_factory=dict)
    marks: dict[str, Mapping[str, int]] = field(default_factory=dict)
    prices: OnePrice = field(default_factory=OnePrice)

    async def balance(self, organisation: str) -> Balance:
        return Balance(self.owned - sum(self.held.values()))

    async def hold(self, request_id: str, organisation: str, amount: int, **more: Any) -> None:
        if amount > self.owned - sum(self.held.values()):
            raise ApiError(402, "Not enough.", code="insufficient_credits")
        self.held[request_id] = amount

    async def delivered(
        self, request_id: str, counts: Mapping[str, int], *, lasts: int | None
    ) -> None:
        self.marks[request_id] = counts

    async def settle(self, request_id: str, counts: Mapping[str, int]) -> Receipt:
        if request_id in self.receipts:
            return self.receipts[request_id]
        if request_id not in self.held:
            raise HearthError("Nothing is held.")
        total = min(self.prices.cost("", counts), self.held.pop(request_id))
        self.owned -= total
        self.receipts[request_id] = Receipt(total)
        return self.receipts[request_id]

    async def release(self, request_id: str) -> None:
        self.held.pop(request_id, None)
