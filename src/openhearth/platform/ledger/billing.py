"""`/v1/billing`: what an organisation has, what it used, its receipts, and the prices."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Literal, Protocol

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from openhearth.platform.database import Database
from openhearth.platform.errors import ApiError
from openhearth.platform.ledger.ledger import Ledger
from openhearth.platform.ledger.prices import Kind, PriceList, PriceTable
from openhearth.platform.ledger.receipts import Receipt
from openhearth.platform.ledger.usage_report import Granularity, Month, Page, UsageReport, report
from openhearth.platform.money import credits_of

MonthName = Annotated[str, Query(pattern=r"^(19[7-9]|2\d\d)\d-(0[1-9]|1[0-2])$")]


class Member(Protocol):
    """What these routes must know of a caller."""

    @property
    def organisation(self) -> str:
        """The id of the organisation."""

    @property
    def scopes(self) -> frozenset[str]:
        """What the key may do; `admin` for owners."""


class BalanceReply(BaseModel):
    """What the caller's organisation has, in credits and in units of a millionth of a cent."""

    object: Literal["balance"] = "balance"
    organization_id: str
    currency: Literal["USD"] = "USD"
    balance: str
    held: str
    available: str
    balance_units: int
    held_units: int


class ReceiptLine(BaseModel):
    """Tokens of one kind, in units."""

    kind: str
    quantity: int
    unit_price: int
    amount: int


class ReceiptReply(BaseModel):
    """What a request was charged."""

    object: Literal["receipt"] = "receipt"
    request_id: str
    organization_id: str
    project_id: str
    api_key_id: str
    model: str
    created: int
    price_version: int
    lines: list[ReceiptLine]
    total: str
    total_units: int

    @classmethod
    def of(cls, receipt: Receipt) -> ReceiptReply:
        """The API's form of a receipt."""
        return cls(
            request_id=receipt.request_id,
            organization_id=receipt.organisation,
            project_id=receipt.project,
            api_key_id=receipt.key,
            model=receipt.model,
            created=receipt.created,
            price_version=receipt.price_version,
            lines=[ReceiptLine(**vars(line), amount=line.amount) for line in receipt.lines],
            total=credits_of(receipt.total),
            total_units=receipt.total,
        )


class PricesReply(BaseModel):
    """A version of the price table, in units for a token: a unit is 0.01 credits for a million."""

    object: Literal["prices"] = "prices"
    version: int
    valid_from: int
    prices: Mapping[str, Mapping[Kind, int]]

    @classmethod
    def of(cls, table: PriceTable) -> PricesReply:
        """The API's form of a table."""
        return cls(version=table.version, valid_from=table.valid_from, prices=table.prices)


class PricesRequest(BaseModel):
    """New prices, valid from now or from a moment in seconds of UTC."""

    model_config = ConfigDict(extra="forbid")

    prices: PriceList
    valid_from: Annotated[int, Field(ge=0, lt=2**40)] | None = None


def router(ledger: Ledger, database: Database, operator: str | None = None) -> APIRouter:
    """The routes over a ledger; prices may be set by the owners of the organisation `operator`."""
    routes = APIRouter(prefix="/v1/billing")

    @routes.get("/usage")
    async def usage(
        http: Request,
        granularity: Granularity = "day",
        month: MonthName | None = None,
        after: Annotated[str | None, Query(max_length=256)] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        organization_id: Annotated[str | None, Query(max_length=256)] = None,
    ) -> UsageReport:
        own = _caller(http).organisation
        if organization_id not in (None, own):
            raise ApiError(
                403,
                "Usage is reported for the organisation of the key: leave organization_id out.",
                kind="permission_error",
                param="organization_id",
            )
        page = Page(Month(month) if month else Month.present(), granularity, after, limit)
        return await database.read(partial(report, organisation=own, page=page))

    @routes.get("/balance")
    async def balance(http: Request) -> BalanceReply:
        own = _caller(http).organisation
        found = await ledger.balance(own)
        return BalanceReply(
            organization_id=own,
            balance=credits_of(found.owned),
            held=credits_of(found.held),
            available=credits_of(found.available),
            balance_units=found.owned,
            held_units=found.held,
        )

    @routes.get("/receipts/{request_id}")
    async def receipt(request_id: str, http: Request) -> ReceiptReply:
        found = await ledger.receipt(request_id)
        # One of another organisation is as if there were none.
        if found is None or found.organisation != _caller(http).organisation:
            raise ApiError(
                404,
                f"There is no receipt for the request {request_id!r}: its id is in the header "
                "x-request-id of the answer, and it was charged for when the answer ended.",
                param="request_id",
                code="receipt_not_found",
            )
        return ReceiptReply.of(found)

    @routes.get("/prices")
    async def prices() -> PricesReply:
        return PricesReply.of(ledger.prices.current())

    @routes.post("/prices")
    async def set_prices(body: PricesRequest, http: Request) -> PricesReply:
        caller = _caller(http)
        if caller.organisation != operator or "admin" not in caller.scopes:
            raise ApiError(
                403,
                "Prices are set by an owner of the organisation that runs this platform: use a key "
                "of theirs, or `hearth prices FILE` on its machine.",
                kind="permission_error",
            )
        return PricesReply.of(await ledger.set_prices(body.prices, body.valid_from))

    return routes


def _caller(http: Request) -> Member:
    caller: Any = http.state.caller
    return caller
