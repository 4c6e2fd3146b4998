"""Tabs in the ledger: each request of a caller is charged to the caller's organisation."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Protocol

from starlette.requests import HTTPConnection

from openhearth.platform.ledger import Counts, Ledger

MARK_TOKENS = 64  # delivered tokens, or
MARK_SECONDS = 0.25  # seconds, after which what was delivered is written down

log = logging.getLogger(__name__)


class Limited(Protocol):
    """What a key may spend."""

    @property
    def spending_cap(self) -> int | None:
        """In a month, in units."""


class Payer(Protocol):
    """What the ledger must know of a caller."""

    @property
    def key(self) -> str:
        """The id of the key."""

    @property
    def project(self) -> str:
        """The id of the project."""

    @property
    def organisation(self) -> str:
        """The id of the organisation, which pays."""

    @property
    def limits(self) -> Limited:
        """Those of the key."""


class LedgerMeter:
    """Opens tabs in a ledger for what the guard says of a request."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def tab(self, http: HTTPConnection) -> LedgerTab:
        """The tab of a request that has passed the guard."""
        return LedgerTab(self._ledger, http.state.request_id, http.state.caller)


class LedgerTab:
    """One request's hold, under the request's id."""

    def __init__(self, ledger: Ledger, request_id: str, payer: Payer) -> None:
        self.cost = 0
        self._ledger = ledger
        self._request_id = request_id
        self._payer = payer
        self._open = False
        self._delivered: Counts = {}
        self._marking: asyncio.Future[None] | None = None
        self._marked = 0  # tokens that are written down, and since when
        self._marked_at = time.monotonic()

    async def hold(self, model: str, most: Counts) -> None:
        """Set apart what the request costs if it comes to this many tokens."""
        prices = self._ledger.prices.current()
        await self._ledger.hold(
            self._request_id,
            self._payer.organisation,
            prices.cost(model, most),
            key=self._payer.key,
            project=self._payer.project,
            model=model,
            cap=self._payer.limits.spending_cap,
            prices=prices,
        )
        self._open = True

    def deliver(self, so_far: Counts) -> None:
        """Remember what has gone out; from time to time durably, which nobody waits for."""
        self._delivered = so_far
        if self._marking is not None:
            if not self._marking.done():
                return
            self._see_mark(self._marking)
        now, tokens = time.monotonic(), sum(so_far.values())
        if tokens - self._marked >= MARK_TOKENS or now - self._marked_at >= MARK_SECONDS:
            self._marked, self._marked_at = tokens, now
            self._marking = self._ledger.delivered(self._request_id, so_far)

    def _see_mark(self, marking: asyncio.Future[None]) -> None:
        self._marking = None
        try:
            marking.result()
        except Exception:
            self._open = False  # the sweeper has what was held, or will have it
            self._ledger.forget(self._request_id)
            raise

    async def settle(self, counts: Counts) -> None:
        """Charge for these tokens."""
        self._open = False
        self.cost = (await self._ledger.settle(self._request_id, counts)).total

    async def close(self) -> None:
        """Charge for what was delivered; what cannot be written now is left to the sweeper."""
        if not self._open:
            return
        try:
            if self._delivered:
                await self.settle(self._delivered)
            else:
                self._open = False
                await self._ledger.release(self._request_id)
        except Exception:
            log.exception("what request %s used could not be charged yet", self._request_id)
