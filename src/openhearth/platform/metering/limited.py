"""Tabs that count against what a key may use in a minute, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import HTTPConnection

from openhearth.platform.caller import Caller
from openhearth.platform.limits import RateLimits, Taken
from openhearth.platform.metering.meter import Meter, Tab

if TYPE_CHECKING:
    from openhearth.platform.ledger import Counts


class Limited:
    """A meter whose tabs take a key's tokens too: the most at first, in the end what was used."""

    def __init__(self, meter: Meter, limits: RateLimits) -> None:
        self._meter = meter
        self._limits = limits

    def tab(self, http: HTTPConnection) -> Tab:
        """The tab of a request that has passed the guard."""
        return LimitedTab(self._meter.tab(http), self._limits, http.state.caller)


class LimitedTab:
    """One request's tab."""

    def __init__(self, tab: Tab, limits: RateLimits, caller: Caller) -> None:
        self._tab = tab
        self._limits = limits
        self._caller = caller
        self._taken: Taken | None = None
        self._used = 0

    @property
    def cost(self) -> int:
        """What was charged, in units; 0 until it is settled."""
        return self._tab.cost

    async def hold(self, model: str, most: Counts) -> None:
        """Take the tokens, and set apart what they cost.

        Raises:
            ApiError: 402, the caller cannot pay; 429 or 400, the key may not use so many.
        """
        self._taken = self._limits.take(self._caller, sum(most.values()))
        try:
            await self._tab.hold(model, most)
        except BaseException:
            self._correct()
            raise

    def deliver(self, so_far: Counts) -> None:
        """These tokens have gone out, all together. Raises what the other tab raises."""
        self._used = sum(so_far.values())
        self._tab.deliver(so_far)

    async def settle(self, counts: Counts) -> None:
        """Charge for these tokens. Raises what the other tab raises."""
        await self._tab.settle(counts)
        self._used = sum(counts.values())
        self._correct()

    async def close(self) -> None:
        """The end, however it came."""
        try:
            await self._tab.close()
        finally:
            self._correct()

    def _correct(self) -> None:
        if self._taken is not None:
            self._limits.correct(self._taken, self._used)
            self._taken = None
