"""Any history of a ledger, with retries, crashes and clocks that jump, beside a small model."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from openhearth.platform.database import Database
from openhearth.platform.ledger import HoldLost, InsufficientCredits, SpendingCapReached
from tests.platform.ledger.conftest import Books

PRICE = 40  # units a token of output
CAP = 20_000
TOKENS = st.integers(0, 60)


@dataclass
class Held:
    """What the model knows of a request."""

    amount: int
    key: str
    state: str = "held"
    marked: int = 0  # tokens
    charged: int = 0
    lasts: bool = False


@dataclass
class World:
    """A database, the ledger of the process that lives, and those of the processes that died."""

    database: Database
    books: Books
    dead: list[Books] = field(default_factory=list)


class LedgerMachine(RuleBasedStateMachine):
    """All amounts are the model's at any time, and the books balance."""

    requests = Bundle("requests")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        database = Database.open(Path(self.folder.name) / "books.db")
        self.world = World(database, Books(database))
        self.held: dict[str, Held] = {}
        self.granted = 0
        self.jumped = 0
        real = time.time
        self.clock = patch("time.time", lambda: real() + self.jumped)
        self.clock.start()

    def teardown(self) -> None:
        self.clock.stop()
        for books in (self.world.books, *self.world.dead):
            books.ledger.close()
        self.world.database.close()
        self.folder.cleanup()

    @property
    def books(self) -> Books:
        return self.world.books

    @property
    def owned(self) -> int:
        return self.granted - sum(held.charged for held in self.held.values())

    @property
    def pending(self) -> int:
        return sum(held.amount for held in self.held.values() if held.state == "held")

    def spent(self, key: str) -> int:
        own = [held for held in self.held.values() if held.key == key]
        return sum(held.amount if held.state == "held" else held.charged for held in own)

    @rule(amount=st.integers(1, 5000))
    def grant(self, amount: int) -> None:
        self.books.grant(amount)
        self.granted += amount

    @rule(
        target=requests,
        amount=st.integers(0, 6000),
        key=st.sampled_from(["key_a", "key_b"]),
        lasts=st.booleans(),
    )
    def hold(self, amount: int, key: str, lasts: bool) -> str:
        request_id = f"r{len(self.held)}"
        settings = {"key": key, "cap": CAP, "lasts": 10**9 if lasts else None}
        held = Held(amount, key, lasts=lasts)
        if self.spent(key) + amount > CAP:
            with pytest.raises(SpendingCapReached):
                self.books.hold(request_id, amount, **settings)
            held.state = "refused"
        elif amount > self.owned - self.pending:
            with pytest.raises(InsufficientCredits):
                self.books.hold(request_id, amount, **settings)
            held.state = "refused"
        else:
            self.books.hold(request_id, amount, **settings)
            self.books.hold(request_id, amount, **settings)
        self.held[request_id] = held
        return request_id

    @rule(request_id=requests, tokens=TOKENS)
    def deliver(self, request_id: str, tokens: int) -> None:
        held = self.held[request_id]
        if held.state != "held":
            with pytest.raises(HoldLost):
                self.books.delivered(request_id, {"output": held.marked + tokens})
        else:
            held.marked += tokens
            self.books.delivered(request_id, {"output": held.marked})

    @rule(request_id=requests, tokens=TOKENS)
    def settle(self, request_id: str, tokens: int) -> None:
        held = self.held[request_id]
        used = held.marked + tokens
        if held.state not in ("held", "settled"):
            with pytest.raises(HoldLost):
                self.books.settle(request_id, {"output": used})
            return
        if held.state == "held":
            held.state, held.charged = "settled", min(used * PRICE, held.amount)
        assert self.books.settle(request_id, {"output": used}).total == held.charged

    @rule(request_id=requests)
    def release(self, request_id: str) -> None:
        held = self.held[request_id]
        self.books.release(request_id)
        if held.state == "held":
            held.state = "released"

    @rule()
    def crash(self) -> None:
        """The process dies; its successor sees that after a while, and sweeps."""
        self.world.dead.append(self.books)
        self.world.books = Books(self.world.database)
        self.books.sweep_the_dead()
        for held in self.held.values():
            if held.state == "held" and not held.lasts:
                held.state, held.charged = "swept", min(held.marked * PRICE, held.amount)

    @rule()
    def sweep(self) -> None:
        assert self.books.sweep() == 0

    @rule(seconds=st.integers(-(10**6), 10**6))
    def jump(self, seconds: int) -> None:
        """Within the month, so that caps go on."""
        now = time.time()
        if time.strftime("%Y-%m", time.gmtime(now)) == time.strftime(
            "%Y-%m", time.gmtime(now + seconds)
        ):
            self.jumped += seconds

    @invariant()
    def the_wallet_is_what_the_model_says(self) -> None:
        assert self.books.wallet == (self.owned, self.pending)
        assert 0 <= self.pending <= self.owned or not self.granted

    @invariant()
    def the_books_balance(self) -> None:
        self.books.check()

    @invariant()
    def each_request_is_charged_once_at_most(self) -> None:
        for request_id, held in self.held.items():
            receipt = self.books.receipt(request_id)
            assert (receipt.total if receipt else 0) == held.charged


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)
