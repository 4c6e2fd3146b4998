"""The ledger: double entry, append-only, in whole units of a millionth of a cent.

In: what a request may cost, how many tokens of it were delivered, and how it ended. Out: a refusal
before the work, or one receipt after it. It owns the promise that, whatever dies and whenever, each
token is charged once or not at all, no wallet goes below zero, and the books balance.
"""

from openhearth.platform.caller import CREDIT
from openhearth.platform.ledger.ledger import Balance, Ledger
from openhearth.platform.ledger.prices import (
    KINDS,
    Counts,
    Line,
    PriceList,
    PriceTable,
    checked,
    read_prices,
)
from openhearth.platform.ledger.receipts import Receipt
from openhearth.platform.ledger.refusals import HoldLost, InsufficientCredits, SpendingCapReached
from openhearth.platform.money import credits_of, units_of

__all__ = [
    "CREDIT",
    "KINDS",
    "Balance",
    "Counts",
    "HoldLost",
    "InsufficientCredits",
    "Ledger",
    "Line",
    "PriceList",
    "PriceTable",
    "Receipt",
    "SpendingCapReached",
    "checked",
    "credits_of",
    "read_prices",
    "units_of",
]
