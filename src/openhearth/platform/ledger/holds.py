"""The life of a hold: placed before a request runs, marked while it is answered, ended once.

A hold is `held` until one statement takes it to `settled` (charged by its holder), `released`
(given back by its holder) or `swept` (charged by the last mark, as its holder is gone). Whoever
comes later finds it ended, and changes nothing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, BigInteger, Connection, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert

from openhearth.platform.database import Statement
from openhearth.platform.ledger import books, receipts
from openhearth.platform.ledger.prices import Counts, Prices
from openhearth.platform.ledger.receipts import Receipt
from openhearth.platform.ledger.refusals import HoldLost, InsufficientCredits, SpendingCapReached
from openhearth.platform.ledger.tables import holds, spending

PLACE = Statement(insert(holds).on_conflict_do_nothing().returning(holds.c.request_id))
STATE = Statement(select(holds.c.state).where(holds.c.request_id == bindparam("held")))
_change = update(holds).where(holds.c.request_id == bindparam("held"), holds.c.state == "held")
_until = func.coalesce(bindparam("until", type_=BigInteger), holds.c.expires)
MARK = Statement(
    _change.values(counts=bindparam("delivered", type_=JSON), expires=_until).returning(
        holds.c.request_id
    )
)
END = Statement(_change.values(state=bindparam("ended")).returning(holds))

_new = insert(spending)
_held = {"held": spending.c.held + _new.excluded.held}
_within = spending.c.spent + spending.c.held + _new.excluded.held <= bindparam(
    "cap", type_=BigInteger
)
COUNT = Statement(_new.on_conflict_do_update(index_elements=["key", "month"], set_=_held))
COUNT_WITHIN_CAP = Statement(
    _new.on_conflict_do_update(
        index_elements=["key", "month"], set_=_held, where=_within
    ).returning(spending.c.key)
)
SPEND = Statement(
    update(spending)
    .where(spending.c.key == bindparam("of_key"), spending.c.month == bindparam("of_month"))
    .values(
        held=spending.c.held - bindparam("reserved"), spent=spending.c.spent + bindparam("charged")
    )
)


@dataclass(frozen=True)
class Claim:
    """What is to be held, and for whom.

    `cap` is what the key may spend in a month. A hold belongs to the process `instance` and dies
    with it, or to nobody until the time `expires`.
    """

    request_id: str
    organisation: str
    project: str
    key: str
    model: str
    amount: int
    price_version: int
    cap: int | None = None
    instance: str | None = None
    expires: int | None = None


def place(connection: Connection, claim: Claim) -> None:
    """Hold what a request may cost at most. To place the same hold again has no effect.

    Raises:
        SpendingCapReached, InsufficientCredits: it is too much.
        HoldLost: the request has held credits before, and does no more.
    """
    fields = {name: value for name, value in vars(claim).items() if name != "cap"}
    now = time.time()
    month = time.strftime("%Y-%m", time.gmtime(now))
    if not PLACE.does(connection, **fields, state="held", counts={}, month=month, created=int(now)):
        if _state(connection, claim.request_id) != "held":
            raise HoldLost(claim.request_id)
        return
    if not _within_cap(connection, claim, month):
        raise SpendingCapReached(claim.amount, claim.cap or 0)
    account = books.wallet(claim.organisation)
    if claim.amount and not books.reserve(connection, account, claim.amount):
        posted, pending = books.balance(connection, account)
        raise InsufficientCredits(claim.amount, posted - pending)


def _within_cap(connection: Connection, claim: Claim, month: str) -> bool:
    """Count the hold among what its key holds this month, if the cap allows for it."""
    row = {"key": claim.key, "month": month, "spent": 0, "held": claim.amount}
    if claim.cap is None:
        COUNT.run(connection, **row)
        return True
    if claim.amount > claim.cap:
        return False
    return COUNT_WITHIN_CAP.does(connection, **row, cap=claim.cap)


def mark(connection: Connection, request_id: str, counts: Counts, expires: int | None) -> None:
    """Remember what was delivered so far, which is charged even if the holder dies now.

    Raises:
        HoldLost: it is not held any more.
    """
    if not MARK.does(connection, held=request_id, delivered=dict(counts), until=expires):
        raise HoldLost(request_id)


def settle(connection: Connection, request_id: str, counts: Counts, prices: Prices) -> Receipt:
    """Charge what was used and free the rest; the second time, give the first receipt.

    Raises:
        HoldLost: the hold was ended otherwise, or there is none.
    """
    hold = _end(connection, request_id, "settled")
    if hold is not None:
        return _charge(connection, hold, counts, prices)
    if _state(connection, request_id) != "settled":
        raise HoldLost(request_id)
    earlier = receipts.find(connection, request_id)
    assert earlier is not None
    return earlier


def release(connection: Connection, request_id: str) -> None:
    """Free all that is held; nothing if the hold has ended already."""
    hold = _end(connection, request_id, "released")
    if hold is not None:
        _free(connection, hold, charged=0)


def sweep(connection: Connection, request_id: str, prices: Prices) -> None:
    """End a hold that its holder left: charge what was delivered by the last mark."""
    hold = _end(connection, request_id, "swept")
    if hold is None:
        return
    if hold.counts:
        _charge(connection, hold, hold.counts, prices)
    else:
        _free(connection, hold, charged=0)


def _end(connection: Connection, request_id: str, state: str) -> Any:
    """The hold, if it has not ended before."""
    return next(iter(END.run(connection, held=request_id, ended=state)), None)


def _charge(connection: Connection, hold: Any, counts: Counts, prices: Prices) -> Receipt:
    receipt = receipts.priced(hold, counts, prices.version(hold.price_version, connection))
    _free(connection, hold, receipt.total)
    receipts.write(connection, receipt)
    return receipt


def _free(connection: Connection, hold: Any, charged: int) -> None:
    account = books.wallet(hold.organisation)
    books.capture(connection, account, hold.request_id, reserved=hold.amount, charged=charged)
    spent = {"reserved": hold.amount, "charged": charged}
    SPEND.run(connection, **spent, of_key=hold.key, of_month=hold.month)


def _state(connection: Connection, request_id: str) -> str | None:
    return next((row.state for row in STATE.run(connection, held=request_id)), None)
