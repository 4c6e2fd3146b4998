"""The usage report of Together's API: line items with their costs, in windows of a day or an hour.

A month that is not over is reported up to now, so that what was just used can be seen.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel
from sqlalchemy import Connection

from openhearth.platform.errors import bad_request
from openhearth.platform.ledger.receipts import WAIVED
from openhearth.platform.ledger.usage import DAY, HOUR, Used, used, windows
from openhearth.platform.money import credits_of

Granularity = Literal["day", "hour"]
WIDTHS: dict[Granularity, int] = {"day": DAY, "hour": HOUR}
PRODUCTS = {
    "input": "Inference - Input Tokens",
    "cached_input": "Inference - Cached Input Tokens",
    "output": "Inference - Output Tokens",
    "training": "Fine-tuning - Training Tokens",
    "embedding": "Inference - Embedding Tokens",
    WAIVED: "Waived",
}


class UsageLine(BaseModel):
    """Tokens of one kind, of one model and key, and what they cost. Amounts are exact decimals."""

    product_name: str
    quantity: str
    unit_price: str
    cost: str
    attributes: dict[str, str]
    pricing_dimensions: dict[str, str]


class UsageWindow(BaseModel):
    """A day or an hour (UTC) in which anything was charged."""

    date: str
    start_time: datetime
    end_time: datetime
    line_items: list[UsageLine]


class UsageReport(BaseModel):
    """A page of the windows of a month."""

    object: Literal["list"] = "list"
    organization_id: str
    currency: Literal["USD"] = "USD"
    billing_period: str
    data: list[UsageWindow]
    next_cursor: str | None
    earliest_window_start: datetime | None
    latest_window_end: datetime | None


@dataclass(frozen=True)
class Month:
    """A month of UTC, from `begin` until `end`, in seconds."""

    name: str

    @classmethod
    def present(cls) -> Month:
        """The one that it is now."""
        return cls(time.strftime("%Y-%m", time.gmtime()))

    @classmethod
    def named(cls, text: str) -> Month:
        """The one that is written so (YYYY-MM).

        Raises:
            ValueError: there is no such month.
        """
        month = cls(text)
        return cls(month._first.strftime("%Y-%m"))

    @property
    def begin(self) -> int:
        """Its first second."""
        return int(self._first.timestamp())

    @property
    def end(self) -> int:
        """The first second after it."""
        year, month = divmod(self._first.year * 12 + self._first.month, 12)
        return int(datetime(year, month + 1, 1, tzinfo=UTC).timestamp())

    @property
    def _first(self) -> datetime:
        return datetime.strptime(self.name, "%Y-%m").replace(tzinfo=UTC)


@dataclass(frozen=True)
class Page:
    """Which windows of which month are wanted: `limit` of them that come after a cursor."""

    month: Month
    granularity: Granularity
    after: str | None
    limit: int

    @property
    def last(self) -> int:
        """The start of the last window that the caller has; before the month if there is none.

        Raises:
            ApiError: 400, the cursor is none of this month and granularity.
        """
        if self.after is None:
            return self.month.begin - 1
        try:
            text = base64.urlsafe_b64decode(self.after.encode()).decode()
            month, granularity, start = text.split()
            if (month, granularity) == (self.month.name, self.granularity):
                return int(start)
        except (ValueError, binascii.Error):
            pass
        raise bad_request(
            "after is no cursor of this month and granularity: take next_cursor of a report with "
            "the same ones.",
            "after",
            "invalid_cursor",
        )

    def cursor(self, start: int) -> str:
        """The cursor behind the window that begins at `start`."""
        text = f"{self.month.name} {self.granularity} {start}"
        return base64.urlsafe_b64encode(text.encode()).decode()


def report(connection: Connection, organisation: str, page: Page) -> UsageReport:
    """What an organisation used in a month."""
    width, month, last = WIDTHS[page.granularity], page.month, page.last
    starts = windows(connection, organisation, month.begin, month.end, width)
    wanted = [start for start in starts if start > last]
    shown = wanted[: page.limit]
    items = used(connection, organisation, shown[0], shown[-1] + width, width) if shown else []
    return UsageReport(
        organization_id=organisation,
        billing_period=month.name,
        data=[_window(start, width, items) for start in shown],
        next_cursor=page.cursor(shown[-1]) if len(wanted) > len(shown) else None,
        earliest_window_start=_time(starts[0]) if starts else None,
        latest_window_end=_time(starts[-1] + width) if starts else None,
    )


def _window(start: int, width: int, items: Sequence[Used]) -> UsageWindow:
    return UsageWindow(
        date=_time(start).date().isoformat(),
        start_time=_time(start),
        end_time=_time(start + width),
        line_items=[_line(item) for item in items if item.start == start],
    )


def _line(item: Used) -> UsageLine:
    return UsageLine(
        product_name=PRODUCTS[item.kind],
        quantity=str(item.quantity),
        unit_price=credits_of(item.unit_price),
        cost=credits_of(item.amount),
        attributes={"model": item.model, "project_id": item.project, "api_key_id": item.key},
        pricing_dimensions={"kind": item.kind, "price_version": str(item.price_version)},
    )


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
