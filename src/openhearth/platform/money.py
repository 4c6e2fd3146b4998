"""Money is whole numbers of a unit, a millionth of a cent: nothing is ever rounded.

A credit is a dollar. One unit a token is 0.01 credits for a million tokens.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from openhearth.errors import UsageError

PLACES = 8  # decimals of a credit
MOST = 2**62  # units; what a database's integers hold


def credits_of(units: int) -> str:
    """An amount for people, exactly: at least two decimals, at most eight (`25.00`)."""
    whole, _, decimals = f"{Decimal(units).scaleb(-PLACES):.{PLACES}f}".partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def units_of(text: str) -> int:
    """The amount that a person wrote.

    Raises:
        UsageError: it is no number, is too large, or has more than eight decimals.
    """
    try:
        amount = Decimal(text).scaleb(PLACES)
    except InvalidOperation:
        amount = Decimal("nan")
    if not amount.is_finite() or abs(amount) > MOST:
        raise UsageError(f"{text!r} is no amount of credits: write a number such as 25.00.")
    if amount != int(amount):
        raise UsageError(
            f"{text} has parts of less than a millionth of a cent: write at most {PLACES} decimals."
        )
    return int(amount)
