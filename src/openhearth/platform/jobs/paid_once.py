"""Lines of jobs are paid for once, however often attempts that died have asked for them.

Such a request has the same id in every attempt. If the ledger has charged that id, it is answered
again for nothing. If what was held for it was given back, because whoever asked was gone, the next
id after it is used: an id whose hold has ended is never charged later, so no two of them are.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from typing import Any, Protocol

from starlette.requests import HTTPConnection

from openhearth.errors import HearthError

Counts = Mapping[str, int]


class Tab(Protocol):
    """What one request owes, as the routes see it."""

    cost: int

    async def hold(self, model: str, most: Counts) -> None: ...
    def deliver(self, so_far: Counts) -> None: ...
    async def settle(self, counts: Counts) -> None: ...
    async def close(self) -> None: ...


class Meter(Protocol):
    """Opens a tab for a request, under the id in its state."""

    def tab(self, http: HTTPConnection) -> Tab: ...


class PaidOnce:
    """A meter around another one. `receipt` gives what an id was charged, None if it was not."""

    def __init__(self, meter: Meter, receipt: Callable[[str], Awaitable[Any | None]]) -> None:
        self._meter = meter
        self._receipt = receipt

    def tab(self, http: HTTPConnection) -> Tab:
        """The tab of a request that has passed the guard."""
        if hasattr(http.state, "job"):
            return OnceTab(self._meter, self._receipt, http)
        return self._meter.tab(http)


class OnceTab:
    """The tab of a job's line; without one inside when it is paid for already."""

    def __init__(
        self,
        meter: Meter,
        receipt: Callable[[str], Awaitable[Any | None]],
        http: HTTPConnection,
    ) -> None:
        self.cost = 0  # of this attempt
        self._meter = meter
        self._receipt = receipt
        self._http = http
        self._tab: Tab | None = None

    async def hold(self, model: str, most: Counts) -> None:
        """Set apart what the line may cost, unless it is paid for."""
        line = self._http.state.request_id
        for attempt in count(1):
            name = line if attempt == 1 else f"{line}.{attempt}"
            if await self._receipt(name) is not None:
                return
            self._http.state.request_id = name
            tab = self._meter.tab(self._http)
            try:
                await tab.hold(model, most)
            except HearthError:  # its hold has ended: by now with a receipt, or for nothing
                if await self._receipt(name) is not None:
                    return
                continue
            self._tab = tab
            return

    def deliver(self, so_far: Counts) -> None:
        """These tokens have gone out."""
        if self._tab:
            self._tab.deliver(so_far)

    async def settle(self, counts: Counts) -> None:
        """Charge for these tokens."""
        if self._tab:
            await self._tab.settle(counts)
            self.cost = self._tab.cost

    async def close(self) -> None:
        """Charge for what was delivered."""
        if self._tab:
            await self._tab.close()
            self.cost = self._tab.cost
