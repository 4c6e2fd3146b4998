"""The audit: every balance once more, from the transfers, the holds and the receipts."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import Connection, Select, func, select, text

from openhearth.platform.ledger.books import wallet
from openhearth.platform.ledger.tables import (
    accounts,
    holds,
    lines,
    receipts,
    spending,
    transfers,
)


def audit(connection: Connection) -> list[str]:
    """What does not agree, in words; nothing if the books are right. In its own transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
    return faults(connection)


def faults(connection: Connection) -> list[str]:
    """The same for what a transaction that is under way sees."""
    found = connection.execute(select(accounts)).all()
    posted = {row.id: row.posted for row in found}
    held = _sums(connection, select(holds.c.organisation, holds.c.amount), holds.c.state == "held")
    return [
        *_sum_fault(posted),
        *_differences("is worth", posted, _posted(connection)),
        *_differences(
            "has set apart",
            {row.id: row.pending for row in found},
            {wallet(organisation): amount for organisation, amount in held.items()},
        ),
        *_receipt_faults(connection),
        *_spending_faults(connection),
    ]


def _sum_fault(posted: dict[str, int]) -> list[str]:
    total = sum(posted.values())
    return [f"all accounts together are worth {total}, not 0"] if total else []


def _posted(connection: Connection) -> Counter[str]:
    sums = _sums(connection, select(transfers.c.credit, transfers.c.amount))
    sums.subtract(_sums(connection, select(transfers.c.debit, transfers.c.amount)))
    return sums


def _receipt_faults(connection: Connection) -> list[str]:
    """A receipt is the sum of its lines, and what the transfer of its request moved."""
    totals = _sums(connection, select(receipts.c.request_id, receipts.c.total))
    charges = _sums(
        connection,
        select(transfers.c.request_id, transfers.c.amount),
        transfers.c.kind == "charge",
    )
    return [
        *_differences(
            "has a receipt of",
            totals,
            _sums(connection, select(lines.c.request_id, lines.c.amount)),
        ),
        *_differences("has a receipt of", totals, charges),
    ]


def _spending_faults(connection: Connection) -> list[str]:
    """What keys spent is what their receipts say; what they hold, what their holds say."""
    spent = _sums(connection, select(spending.c.key, spending.c.spent))
    held = _sums(connection, select(spending.c.key, spending.c.held))
    return [
        *_differences(
            "has spent", spent, _sums(connection, select(receipts.c.key, receipts.c.total))
        ),
        *_differences(
            "holds",
            held,
            _sums(connection, select(holds.c.key, holds.c.amount), holds.c.state == "held"),
        ),
    ]


def _sums(connection: Connection, pairs: Select[Any], *where: Any) -> Counter[str]:
    """The sum of the second column for each value of the first."""
    name, amount = pairs.selected_columns
    query = select(name, func.sum(amount)).where(*where).group_by(name)
    return Counter({row[0]: int(row[1]) for row in connection.execute(query)})


def _differences(verb: str, kept: dict[str, int], recomputed: dict[str, int]) -> list[str]:
    return [
        f"{name} {verb} {kept.get(name, 0)}, but should {recomputed.get(name, 0)}"
        for name in sorted(kept.keys() | recomputed.keys())
        if kept.get(name, 0) != recomputed.get(name, 0)
    ]
