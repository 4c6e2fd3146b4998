"""A ledger over each kind of database, and shorter words for its life of a request."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

import pytest

from openhearth.platform.database import Database
from openhearth.platform.ledger import Counts, Ledger, Receipt, sweeper

T = TypeVar("T")
ORG = "org_a"
NEVER = 3600.0  # seconds: the keeper does nothing by itself


class Books:
    """A ledger, called as if it waited for nothing."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.ledger = Ledger(database, beat_seconds=NEVER)

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        async def main() -> T:
            return await work()

        return asyncio.run(main())

    def grant(self, amount: int, organisation: str = ORG, **settings: Any) -> bool:
        return self.run(lambda: self.ledger.grant(organisation, amount, **settings))

    def hold(self, request_id: str, amount: int, organisation: str = ORG, **settings: Any) -> None:
        named = {"key": "key_a", "project": "proj_a", "model": "tiny"} | settings
        self.run(lambda: self.ledger.hold(request_id, organisation, amount, **named))

    def delivered(self, request_id: str, counts: Counts, **settings: Any) -> None:
        self.run(lambda: self.ledger.delivered(request_id, counts, **settings))

    def settle(self, request_id: str, counts: Counts) -> Receipt:
        return self.run(lambda: self.ledger.settle(request_id, counts))

    def release(self, request_id: str) -> None:
        self.run(lambda: self.ledger.release(request_id))

    def sweep(self) -> int:
        return self.run(self.ledger.sweep)

    def sweep_the_dead(self) -> int:
        """Look as often as it takes until what does not move counts as dead."""
        return sum(self.sweep() for _ in range(sweeper.LOOKS + 1))

    def show_life(self) -> None:
        """What the keeper does from time to time."""
        with self.database.writing() as connection:
            sweeper.beat(connection, self.ledger.instance)

    @property
    def wallet(self) -> tuple[int, int]:
        """What the wallet is worth, and what of it is held."""
        found = self.run(lambda: self.ledger.balance(ORG))
        return found.owned, found.held

    def receipt(self, request_id: str) -> Receipt | None:
        return self.run(lambda: self.ledger.receipt(request_id))

    def check(self) -> None:
        assert self.run(self.ledger.check_books) == []


@pytest.fixture
def books(database: Database) -> Iterator[Books]:
    opened = Books(database)
    with contextlib.closing(opened.ledger):
        yield opened
        opened.check()


@pytest.fixture
def other(database: Database) -> Iterator[Books]:
    """The ledger of another process, over the same database."""
    opened = Books(database)
    with contextlib.closing(opened.ledger):
        yield opened
