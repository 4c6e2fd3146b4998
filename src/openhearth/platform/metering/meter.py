"""The tab of a request, as routes see it, and one that charges nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from starlette.requests import HTTPConnection

if TYPE_CHECKING:
    from openhearth.platform.ledger import Counts


class Tab(Protocol):
    """What one request owes, from before it is worked on until its answer has gone out."""

    @property
    def cost(self) -> int:
        """What was charged, in units; 0 until it is settled."""

    async def hold(self, model: str, most: Counts) -> None:
        """Set apart what the request costs if it comes to this many tokens.

        Raises:
            ApiError: 402, its caller cannot pay for that.
        """

    def deliver(self, so_far: Counts) -> None:
        """These tokens have gone out, all together: they are charged for whatever happens.

        Raises:
            HoldLost: nothing is held any more, so nothing more should go out.
        """

    async def settle(self, counts: Counts) -> None:
        """Charge for these tokens. The end of the answer may go out when this returns.

        Raises:
            HoldLost: nothing is held any more, so the end must not go out.
        """

    async def close(self) -> None:
        """Charge for what was delivered, if it was not settled; for nothing, if nothing was."""


class Meter(Protocol):
    """Opens a tab for each request."""

    def tab(self, http: HTTPConnection) -> Tab:
        """The tab of a request that has passed the guard."""


@asynccontextmanager
async def paid(tab: Tab, model: str, most: Counts) -> AsyncIterator[dict[str, int]]:
    """Charge for what is made in the block, of which nothing goes out before its end: for `most`
    tokens, or for as many as the block says instead.

    Raises:
        ApiError: 402, the caller cannot pay for so many.
        HoldLost: nothing is held any more.
    """
    await tab.hold(model, most)
    used = dict(most)
    try:
        yield used
        await tab.settle(used)
    finally:
        await tab.close()


class NoTab:
    """A tab where nothing costs anything."""

    cost = 0

    async def hold(self, model: str, most: Counts) -> None:
        """Nothing is held."""

    def deliver(self, so_far: Counts) -> None:
        """Nothing is counted."""

    async def settle(self, counts: Counts) -> None:
        """Nothing is charged."""

    async def close(self) -> None:
        """Nothing is left."""


class _Free:
    """The meter of a server without accounts."""

    def tab(self, http: HTTPConnection) -> Tab:
        return NoTab()


FREE: Meter = _Free()
