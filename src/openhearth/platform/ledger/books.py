"""Accounts and transfers: the only place where amounts move.

Every transfer takes from one account what it gives to another, so that all accounts together are
always worth nothing. What may be moved is decided by the statement that moves it.
"""

from __future__ import annotations

import time

from sqlalchemy import BigInteger, Connection, bindparam, case, select, update

# Its ON CONFLICT is SQLite's too.
from sqlalchemy.dialects.postgresql import insert

from openhearth.platform.database import Statement
from openhearth.platform.ledger.tables import accounts, transfers
from openhearth.platform.money import MOST

GRANTS = "grants"  # where free credits come from; what it is below zero is what was given away
REVENUE = "revenue"  # what was charged

_amount, _freed = (bindparam(name, type_=BigInteger) for name in ("amount", "freed"))
OPEN = Statement(insert(accounts).on_conflict_do_nothing())
BALANCE = Statement(
    select(accounts.c.posted, accounts.c.pending).where(accounts.c.id == bindparam("account"))
)
RESERVE = Statement(
    update(accounts)
    .where(
        accounts.c.id == bindparam("account"),
        accounts.c.posted - accounts.c.pending >= _amount,
    )
    .values(pending=accounts.c.pending + _amount)
    .returning(accounts.c.id)
)

_is_debit = accounts.c.id == bindparam("debit")
MOVE = Statement(
    update(accounts)
    .where(accounts.c.id.in_([bindparam("debit"), bindparam("credit")]))
    .values(
        posted=accounts.c.posted + case((_is_debit, -_amount), else_=_amount),
        pending=accounts.c.pending - case((_is_debit, _freed), else_=0),
    )
)
TRANSFER = Statement(insert(transfers))
TRANSFER_ONCE = Statement(insert(transfers).on_conflict_do_nothing().returning(transfers.c.id))


def wallet(organisation: str) -> str:
    """The account from which an organisation pays."""
    return f"wallet:{organisation}"


def open_books(connection: Connection) -> None:
    """Make sure that the platform's own accounts are there."""
    for account in (GRANTS, REVENUE):
        open_account(connection, account, bounded=False)


def open_account(connection: Connection, account: str, *, bounded: bool) -> None:
    """Make sure that there is such an account; a bounded one never goes below zero."""
    OPEN.run(connection, id=account, posted=0, pending=0, bounded=bounded)


def balance(connection: Connection, account: str) -> tuple[int, int]:
    """What an account is worth, and what of it is held; nothing if there is no such account."""
    for found in BALANCE.run(connection, account=account):
        return found.posted, found.pending
    return 0, 0


def grant(connection: Connection, transfer_id: str, organisation: str, amount: int) -> bool:
    """Give credits away, once for each id; whether this was the first time."""
    account = wallet(organisation)
    open_account(connection, account, bounded=True)
    first = TRANSFER_ONCE.does(
        connection,
        id=transfer_id,
        debit=GRANTS,
        credit=account,
        amount=amount,
        kind="grant",
        request_id=None,
        created=int(time.time()),
    )
    if first:
        _move(connection, GRANTS, account, amount)
    return first


def reserve(connection: Connection, account: str, amount: int) -> bool:
    """Set an amount apart, if the account is worth that much beyond what is held already."""
    return RESERVE.does(connection, account=account, amount=amount)


def capture(
    connection: Connection, account: str, request_id: str, *, reserved: int, charged: int
) -> None:
    """End a reservation: what is charged of it goes to the revenue, the rest is free again."""
    assert 0 <= charged <= reserved <= MOST
    _move(connection, account, REVENUE, charged, freed=reserved)
    if charged:
        TRANSFER.run(
            connection,
            id=f"charge:{request_id}",
            debit=account,
            credit=REVENUE,
            amount=charged,
            kind="charge",
            request_id=request_id,
            created=int(time.time()),
        )


def _move(connection: Connection, debit: str, credit: str, amount: int, *, freed: int = 0) -> None:
    """Take from one account what the other is given, and free what was reserved of it."""
    MOVE.run(connection, debit=debit, credit=credit, amount=amount, freed=freed)
