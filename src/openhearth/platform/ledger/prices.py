"""Versions of the price table: what a token of each kind costs, for each model.

A version never changes, so that a receipt which names it can be recomputed at any time. The one
that is valid at a time is the one that became valid last; among those of one moment, the newest.
"""

from __future__ import annotations

import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError
from sqlalchemy import Connection, func, insert, select

from openhearth.errors import NotFound, UsageError
from openhearth.platform.ledger.tables import price_versions

Kind = Literal["input", "cached_input", "output", "training", "embedding"]
KINDS: tuple[Kind, ...] = ("input", "cached_input", "output", "training", "embedding")
Counts = Mapping[str, int]  # tokens of each kind
EVERY_MODEL = "*"
HIGHEST = 10**9  # units a token: ten credits each

UnitPrice = Annotated[int, Field(ge=0, le=HIGHEST, strict=True)]
PriceList = dict[Annotated[str, Field(max_length=256)], dict[Kind, UnitPrice]]


@dataclass(frozen=True)
class Line:
    """What one kind of tokens comes to, in units."""

    kind: str
    quantity: int
    unit_price: int

    @property
    def amount(self) -> int:
        """Quantity times price."""
        return self.quantity * self.unit_price


@dataclass(frozen=True)
class PriceTable:
    """One version of the prices."""

    version: int
    valid_from: int
    prices: Mapping[str, Mapping[Kind, int]]

    def unit_price(self, model: str, kind: Kind) -> int:
        """Units for a token of this kind."""
        every = self.prices[EVERY_MODEL]
        return self.prices.get(model, every).get(kind, every[kind])

    def lines(self, model: str, counts: Counts) -> list[Line]:
        """What each kind of tokens costs, in the order of `KINDS`."""
        return [
            Line(kind, counts[kind], self.unit_price(model, kind))
            for kind in KINDS
            if counts.get(kind)
        ]

    def cost(self, model: str, counts: Counts) -> int:
        """What these tokens cost together, in units."""
        return sum(line.amount for line in self.lines(model, counts))


def read_prices(text: str) -> PriceList:
    """The prices in a TOML file, as `default_prices.toml` has them.

    Raises:
        UsageError: it is no such file.
    """
    try:
        prices = TypeAdapter(PriceList).validate_python(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"The prices are no TOML: {error}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UsageError(f"The prices are wrong at {where}: {first['msg']}.") from error
    return checked(prices)


def checked(prices: PriceList) -> PriceList:
    """The same prices, if every token of every model has one.

    Raises:
        UsageError: the table for all models is missing or lacks a kind, or the part of a prompt
            that was found in the cache would cost more than the rest.
    """
    missing = [kind for kind in KINDS if kind not in prices.get(EVERY_MODEL, {})]
    if missing:
        raise UsageError(
            f"The prices of {', '.join(missing)} are missing for models without prices of their "
            f'own: give them in the table "{EVERY_MODEL}".'
        )
    table = PriceTable(0, 0, prices)
    for model in prices:
        if table.unit_price(model, "cached_input") > table.unit_price(model, "input"):
            raise UsageError(
                f"cached_input of {model!r} costs more than input, so that what a prompt may cost "
                "would not be known beforehand: lower it."
            )
    return prices


class Prices:
    """All versions, in memory; `load` brings what other processes have set since."""

    def __init__(self) -> None:
        self._tables: dict[int, PriceTable] = {}

    def load(self, connection: Connection) -> None:
        """Read versions that are not known yet; the first of a new database is the default."""
        self._read(connection)
        if not self._tables:
            default = files(__package__).joinpath("default_prices.toml").read_text()
            self.add(connection, read_prices(default), valid_from=0)
            self._read(connection)

    def _read(self, connection: Connection) -> None:
        newest = max(self._tables, default=0)
        rows = connection.execute(select(price_versions).where(price_versions.c.version > newest))
        self._tables = self._tables | {
            row.version: PriceTable(row.version, row.valid_from, row.prices) for row in rows
        }

    def add(
        self, connection: Connection, prices: PriceList, valid_from: int | None = None
    ) -> PriceTable:
        """Write a new version, valid from now or a moment (UTC). `load` makes it known."""
        newest = connection.execute(select(func.max(price_versions.c.version))).scalar() or 0
        now = int(time.time())
        table = PriceTable(newest + 1, now if valid_from is None else valid_from, checked(prices))
        connection.execute(
            insert(price_versions).values(
                version=table.version, valid_from=table.valid_from, created=now, prices=prices
            )
        )
        return table

    def current(self, now: float | None = None) -> PriceTable:
        """The table that is valid at a moment."""
        moment = time.time() if now is None else now
        valid = [table for table in self._tables.values() if table.valid_from <= moment]
        return max(valid, key=lambda table: (table.valid_from, table.version))

    def version(self, number: int, connection: Connection | None = None) -> PriceTable:
        """A version by its number, if need be from the database.

        Raises:
            NotFound: there is none.
        """
        if number not in self._tables and connection is not None:
            self._read(connection)
        if number not in self._tables:
            raise NotFound(f"There is no version {number} of the prices.")
        return self._tables[number]

    def all(self) -> list[PriceTable]:
        """Every version, the oldest first."""
        return [self._tables[version] for version in sorted(self._tables)]
