"""Prices that systems imply, from entries of several mixes on a board (rule 49).

A report has one mix, from which no single price follows. Of a service the list is the price; looked
at is hardware at its capacity, since an idle hour says nothing of a token.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from openhearth.bench.price import Billed, implied
from openhearth.errors import UsageError

Plain = dict[str, Any]
# What entries of one system have in common: who signs for it says that it is one.
SYSTEM = ("signer", "named", "model", "url", "system", "per_hour", "class", "protocol")


def implied_prices(rows: Sequence[Plain]) -> list[Plain]:
    """Of each system whose ranked entries have enough mixes: what it is, which recipes, and the
    prices with their residual.
    """
    found: dict[str, list[Plain]] = {}
    for row in rows:
        if row["why"] is None and row["kind"] == "capacity" and row["division"] == "hardware":
            found.setdefault(json.dumps([row[name] for name in SYSTEM]), []).append(row)
    return [told for _, some in sorted(found.items()) if (told := _of(some))]


def _of(rows: Sequence[Plain]) -> Plain | None:
    """None if there are too few mixes, or they are too much alike."""
    costs = [row["cost"] for row in rows if row["cost"] is not None]
    try:
        prices = implied([cost["spent"] for cost in costs],
                         [Billed(**cost["billed"]) for cost in costs])  # fmt: skip
    except UsageError:
        return None
    recipes = sorted({row["recipe"] for row in rows})
    return {name: rows[0][name] for name in SYSTEM} | {"recipes": recipes} | asdict(prices)
