"""`Ledger`: what the rest of the platform asks of the books."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection

from openhearth.errors import UsageError
from openhearth.platform.database import Database
from openhearth.platform.ledger import books, check, holds, receipts, sweeper
from openhearth.platform.ledger.holds import Claim
from openhearth.platform.ledger.prices import Counts, PriceList, Prices, PriceTable
from openhearth.platform.ledger.receipts import Receipt
from openhearth.platform.ledger.writer import Writer
from openhearth.platform.money import credits_of

BEAT_SECONDS = 2.0  # between signs of life; a process counts as dead after five that did not come
LARGEST_GRANT = 10**15  # units: ten million credits, so that no sum leaves what a database holds

T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Balance:
    """What an organisation owns, in units, and what of it is held for requests under way."""

    owned: int
    held: int

    @property
    def available(self) -> int:
        """What can still be held."""
        return self.owned - self.held


class Ledger:
    """The books of one database. Several processes may keep the same; each has a ledger of its own.
    Methods that wait are for event loops, of which there may be several.

    A hold belongs to this process and is swept by another if this one dies, unless it says how
    long it `lasts`: then it may outlive the process.
    """

    def __init__(self, database: Database, *, beat_seconds: float = BEAT_SECONDS) -> None:
        self.prices = Prices()
        self.instance = f"instance_{uuid.uuid4().hex}"
        self._database = database
        self._under_way: set[str] = set()
        self._watch = sweeper.Watch()
        self._writer = Writer(database)
        self._writer.submit(self._begin).result()
        self._stop = threading.Event()
        self._keeper = threading.Thread(
            target=self._keep, args=(beat_seconds,), name="ledger-keeper", daemon=True
        )
        self._keeper.start()

    def _begin(self, connection: Connection) -> None:
        books.open_books(connection)
        self._show_life(connection)

    def _show_life(self, connection: Connection) -> None:
        sweeper.beat(connection, self.instance)
        self.prices.load(connection)

    def close(self) -> None:
        """Write what was submitted, and leave; what is still held will be swept by the next."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._keeper.join()
        self._ask(partial(sweeper.leave, instance=self.instance))
        self._writer.close()

    # The life of a request

    async def hold(
        self,
        request_id: str,
        organisation: str,
        amount: int,
        *,
        key: str,
        project: str,
        model: str,
        cap: int | None = None,
        prices: PriceTable | None = None,
        lasts: int | None = None,
    ) -> None:
        """Set apart what a request may cost at most, in units, by some version of the prices.

        `cap` is what the key may spend in a month. To hold the same again has no effect.

        Raises:
            InsufficientCredits: 402, the wallet does not cover it.
            SpendingCapReached: 402, it is more than the key may still spend this month.
            HoldLost: the request held credits before, and does no more.
        """
        claim = Claim(
            request_id,
            organisation,
            project,
            key,
            model,
            amount,
            (prices or self.prices.current()).version,
            cap,
            self.instance if lasts is None else None,
            _expiry(lasts),
        )
        if lasts is None:
            self._under_way.add(request_id)
        try:
            # If the machine fails before it is on the disk, so has whoever held, and owes nothing.
            await self._writer.write(partial(holds.place, claim=claim), durable=lasts is not None)
        except BaseException:
            self._under_way.discard(request_id)
            raise

    def delivered(
        self, request_id: str, counts: Counts, *, lasts: int | None = None
    ) -> asyncio.Future[None]:
        """Remember durably what was delivered so far. Whoever need not know need not wait for it.

        Raises:
            HoldLost: nothing is held for it any more: stop.
        """
        return self._writer.write(
            partial(holds.mark, request_id=request_id, counts=dict(counts), expires=_expiry(lasts))
        )

    async def settle(self, request_id: str, counts: Counts) -> Receipt:
        """Charge what was used, once, and give the rest back; the second time as the first.

        Raises:
            HoldLost: nothing is held for it any more: do not hand out what it made.
        """
        return await self._ending(
            request_id,
            partial(holds.settle, request_id=request_id, counts=counts, prices=self.prices),
        )

    async def release(self, request_id: str) -> None:
        """Give back all that is held for a request, if anything is."""
        await self._ending(request_id, partial(holds.release, request_id=request_id))

    async def _ending(self, request_id: str, operation: Callable[[Connection], T]) -> T:
        try:
            return await self._writer.write(operation)
        finally:
            # If it failed, the hold is one that nobody looks after: for the sweeper.
            self._under_way.discard(request_id)

    def forget(self, request_id: str) -> None:
        """Leave a hold to the sweeper, which charges what was delivered by its last mark."""
        self._under_way.discard(request_id)

    # Credits

    async def grant(self, organisation: str, amount: int, *, once: str | None = None) -> bool:
        """Give an organisation free credits, in units; whether it got them.

        With a name in `once` it gets them only if it never got credits by that name.

        Raises:
            UsageError: the amount is not positive, or far too large.
        """
        return await self._writer.write(
            partial(self.grant_within, organisation=organisation, amount=amount, once=once)
        )

    def grant_within(
        self, connection: Connection, organisation: str, amount: int, *, once: str | None = None
    ) -> bool:
        """The same within a transaction of the caller's, such as the one that makes the
        organisation.
        """
        if not 0 < amount <= LARGEST_GRANT:
            raise UsageError(
                f"{credits_of(amount)} credits cannot be granted: give an amount above zero and "
                f"up to {credits_of(LARGEST_GRANT)}."
            )
        reason = f"{organisation}:{once}" if once else uuid.uuid4().hex
        return books.grant(connection, f"grant:{reason}", organisation, amount)

    async def balance(self, organisation: str) -> Balance:
        """What an organisation has; nothing if it never had anything."""
        return Balance(
            *await self._database.read(partial(books.balance, account=books.wallet(organisation)))
        )

    async def receipt(self, request_id: str) -> Receipt | None:
        """What a request was charged; None if it was not charged for (yet)."""
        return await self._database.read(partial(receipts.find, request_id=request_id))

    async def set_prices(self, prices: PriceList, valid_from: int | None = None) -> PriceTable:
        """A new version of the price table, valid from now or from a moment in seconds of UTC.

        Raises:
            UsageError: not every token would have a price.
        """
        table = await self._writer.write(
            partial(self.prices.add, prices=prices, valid_from=valid_from)
        )
        await self._writer.write(self.prices.load)
        return table

    async def check_books(self) -> list[str]:
        """Recompute all balances from what was written down; what is wrong, so nothing."""
        return await self._database.read(check.audit)

    # What a crash left

    async def sweep(self) -> int:
        """End what is left over of processes that died; how many holds that were."""
        return await asyncio.to_thread(self._sweep)

    def _sweep(self) -> int:
        beats = self._ask(partial(sweeper.beats, own=self.instance))
        for instance in self._watch.dead(beats):
            self._ask(partial(sweeper.leave, instance=instance))
        swept = 0
        while some := self._ask(
            partial(sweeper.sweep, prices=self.prices, own=self.instance, under_way=self._under_way)
        ):
            swept += some
        return swept

    def _keep(self, seconds: float) -> None:
        while not self._stop.wait(seconds):
            try:
                self._ask(self._show_life)
                if swept := self._sweep():
                    log.warning("%d requests were settled that a crash had left", swept)
                self._database.checkpoint()
            except Exception:
                log.exception("the ledger could not be looked after: trying again")

    def _ask(self, operation: Callable[[Connection], T]) -> T:
        return self._writer.submit(operation).result()


def _expiry(lasts: int | None) -> int | None:
    return None if lasts is None else int(time.time()) + lasts
