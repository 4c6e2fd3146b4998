"""What fine-tuning needs of the ledger, whose `Ledger` has all of it."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, Protocol

Counts = Mapping[str, int]  # tokens of each kind; here of `training`


class Limited(Protocol):
    """What a key may spend in a month, in units."""

    @property
    def spending_cap(self) -> int | None: ...


class Payer(Protocol):
    """Who asks for a job, and pays for it."""

    @property
    def key(self) -> str: ...
    @property
    def project(self) -> str: ...
    @property
    def organisation(self) -> str: ...
    @property
    def limits(self) -> Limited: ...


class Prices(Protocol):
    """All versions of the prices; `cost(model, counts)` of one gives units."""

    def current(self) -> Any: ...


class Wallet(Protocol):
    """What an organisation has."""

    @property
    def available(self) -> int: ...


class Books(Protocol):
    """Holds that outlive this process, under the ids of jobs. Amounts are units: millionths of a
    cent.
    """

    @property
    def prices(self) -> Prices: ...

    async def balance(self, organisation: str) -> Wallet: ...

    async def hold(
        self,
        request_id: str,
        organisation: str,
        amount: int,
        *,
        key: str,
        project: str,
        model: str,
        cap: int | None,
        prices: Any,
        lasts: int | None,
    ) -> None: ...

    def delivered(
        self, request_id: str, counts: Counts, *, lasts: int | None
    ) -> Awaitable[None]: ...

    async def settle(self, request_id: str, counts: Counts) -> Any: ...

    async def release(self, request_id: str) -> None: ...
