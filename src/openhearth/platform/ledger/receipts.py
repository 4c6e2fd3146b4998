"""Receipts: what a request was charged, line by line, written once."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select

from openhearth.platform.database import Statement
from openhearth.platform.ledger.prices import KINDS, Counts, Line, PriceTable
from openhearth.platform.ledger.tables import lines, receipts

HEAD, LINE = Statement(insert(receipts)), Statement(insert(lines))
FIND = Statement(select(receipts).where(receipts.c.request_id == bindparam("receipt")))
LINES = Statement(
    select(lines.c.kind, lines.c.quantity, lines.c.unit_price).where(
        lines.c.request_id == bindparam("receipt")
    )
)
WAIVED = "waived"  # what a request used beyond its hold, which nobody is charged


@dataclass(frozen=True)
class Receipt:
    """What a request used and was charged, in units, and the version of the prices."""

    request_id: str
    organisation: str
    project: str
    key: str
    model: str
    lines: tuple[Line, ...]
    price_version: int
    created: int

    @property
    def total(self) -> int:
        """What was charged: the sum of the lines."""
        return sum(line.amount for line in self.lines)


def priced(hold: Any, counts: Counts, table: PriceTable) -> Receipt:
    """The receipt of a request that comes to these tokens; never for more than was held."""
    used = table.lines(hold.model, counts)
    excess = sum(line.amount for line in used) - hold.amount
    if excess > 0:
        used.append(Line(WAIVED, excess, -1))
    return Receipt(
        hold.request_id,
        hold.organisation,
        hold.project,
        hold.key,
        hold.model,
        tuple(used),
        table.version,
        int(time.time()),
    )


def write(connection: Connection, receipt: Receipt) -> None:
    """Add a receipt. A request has one at most: a second is an error of the database."""
    head = {k: v for k, v in vars(receipt).items() if k != "lines"} | {"total": receipt.total}
    HEAD.run(connection, **head)
    for line in receipt.lines:
        values = asdict(line) | {"amount": line.amount}
        LINE.run(connection, request_id=receipt.request_id, **values)


def find(connection: Connection, request_id: str) -> Receipt | None:
    """The receipt of a request; None if it was not charged for (yet)."""
    order = {kind: place for place, kind in enumerate((*KINDS, WAIVED))}
    for head in FIND.run(connection, receipt=request_id):
        found = [Line(*row) for row in LINES.run(connection, receipt=request_id)]
        fields = {k: v for k, v in head._asdict().items() if k != "total"}
        return Receipt(**fields, lines=tuple(sorted(found, key=lambda line: order[line.kind])))
    return None
