"""What an organisation used: receipts summed over windows of time, to the unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, ColumnElement, Connection, Integer, func, literal, select

from openhearth.platform.ledger.books import wallet
from openhearth.platform.ledger.receipts import WAIVED
from openhearth.platform.ledger.tables import accounts, lines, receipts

HOUR = 3600
DAY = 24 * HOUR


@dataclass(frozen=True)
class Used:
    """Tokens of one kind in the window that begins at `start`, and what they cost, in units."""

    start: int
    project: str
    key: str
    model: str
    kind: str
    unit_price: int
    price_version: int
    quantity: int
    amount: int

    @property
    def tokens(self) -> int:
        """How many tokens that were; none if it is what was waived."""
        return 0 if self.kind == WAIVED else self.quantity


def used(connection: Connection, organisation: str, begin: int, end: int, width: int) -> list[Used]:
    """Everything from `begin` until `end` (seconds of UTC), in windows of `width` seconds."""
    window = _window(width)
    columns = (
        window,
        receipts.c.project,
        receipts.c.key,
        receipts.c.model,
        lines.c.kind,
        lines.c.unit_price,
        receipts.c.price_version,
    )
    sums = (lines.c.quantity, lines.c.amount)
    query = (
        select(*columns, *(func.sum(column).cast(BigInteger) for column in sums))
        .join_from(receipts, lines, lines.c.request_id == receipts.c.request_id)
        .where(*_between(organisation, begin, end))
        .group_by(*columns)
        .order_by(*columns)
    )
    return [Used(*row) for row in connection.execute(query)]


def windows(
    connection: Connection, organisation: str, begin: int, end: int, width: int
) -> Sequence[int]:
    """When the windows begin in which anything was charged, in their order."""
    window = _window(width)
    query = select(window).where(*_between(organisation, begin, end)).distinct().order_by(window)
    return connection.execute(query).scalars().all()


def wallets(connection: Connection) -> list[tuple[str, int, int]]:
    """Every organisation that has a wallet, what it owns and what of it is held, in units."""
    prefix = wallet("")
    query = select(accounts).where(accounts.c.id.startswith(prefix)).order_by(accounts.c.id)
    return [
        (row.id.removeprefix(prefix), row.posted, row.pending) for row in connection.execute(query)
    ]


def _window(width: int) -> ColumnElement[int]:
    size = literal(width, Integer, literal_execute=True)
    return (receipts.c.created - receipts.c.created % size).label("start")


def _between(organisation: str, begin: int, end: int) -> list[ColumnElement[bool]]:
    return [
        receipts.c.organisation == organisation,
        receipts.c.created >= begin,
        receipts.c.created < end,
    ]
