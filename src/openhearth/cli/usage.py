"""`hearth usage` and `hearth prices`: what was used and what it costs, from the books."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openhearth.cli.frame import emit, table
from openhearth.errors import UsageError

if TYPE_CHECKING:
    from openhearth.platform.database import Database
    from openhearth.platform.ledger.prices import PriceTable
    from openhearth.platform.ledger.usage import Used
    from openhearth.platform.ledger.usage_report import Month


@contextlib.contextmanager
def _database() -> Iterator[Database]:
    from openhearth.platform.database.home import database_of
    from openhearth.store import Store

    with contextlib.closing(database_of(Store().root)) as database:
        yield database


@click.command()
@click.option("--by", type=click.Choice(["day", "model", "key"]), default="day", show_default=True)
@click.option("--month", metavar="YYYY-MM", help="Which month (UTC); else the present one.")
@click.option("--organisation", metavar="ID", help="Only this one; else all.")
def usage(by: str, month: str | None, organisation: str | None) -> None:
    """Show what organisations have, and what they used in a month."""
    from openhearth.platform.ledger import usage as books
    from openhearth.platform.ledger.usage_report import Month

    asked = _month(month) if month else Month.present()
    with _database() as database, database.reading() as connection:
        values = []
        for owner, owned, held in books.wallets(connection):
            if organisation in (None, owner):
                items = books.used(connection, owner, asked.begin, asked.end, books.DAY)
                balance = {"balance_units": owned, "held_units": held}
                values.append({"organisation": owner, **balance, "usage": _summed(items, by)})
    emit({"month": asked.name, "by": by, "organisations": values}, lambda: _text(values, by))


def _month(text: str) -> Month:
    from openhearth.platform.ledger.usage_report import Month

    try:
        return Month.named(text)
    except ValueError as error:
        raise UsageError(f"{text} is no month: write it as 2026-11.") from error


def _summed(items: list[Used], by: str) -> list[dict[str, Any]]:
    """Tokens and units of each day, model or key, in their order."""
    names: dict[str, Callable[[Used], str]] = {
        "day": lambda item: datetime.fromtimestamp(item.start, UTC).date().isoformat(),
        "model": lambda item: item.model,
        "key": lambda item: item.key,
    }
    tokens: Counter[str] = Counter()
    units: Counter[str] = Counter()
    for item in items:
        tokens[names[by](item)] += item.tokens
        units[names[by](item)] += item.amount
    return [{by: name, "tokens": tokens[name], "cost_units": units[name]} for name in sorted(units)]


def _text(values: list[dict[str, Any]], by: str) -> str:
    from openhearth.platform.money import credits_of

    if not values:
        return "Nobody has a wallet yet: `hearth up` makes the first with its free credits."
    parts = []
    for value in values:
        owned, held = value["balance_units"], value["held_units"]
        aside = f", {credits_of(held)} of them held" if held else ""
        parts.append(f"{value['organisation']}: {credits_of(owned)} credits{aside}")
        if value["usage"]:
            rows = [[u[by], u["tokens"], credits_of(u["cost_units"])] for u in value["usage"]]
            parts.append(table([by, "tokens", "credits"], rows))
    return "\n".join(parts)


@click.command()
@click.argument(
    "file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--from", "begin", metavar="TIME", help="When they become valid (UTC); else now.")
def prices(file: Path | None, begin: str | None) -> None:
    """Show the prices, or set new ones from FILE, a TOML table for each model and "*"."""
    from openhearth.platform.ledger import read_prices
    from openhearth.platform.ledger.prices import Prices

    valid_from = _moment(begin) if begin else None
    if valid_from is not None and file is None:
        raise UsageError("--from is when new prices become valid: name the FILE that has them.")
    known = Prices()
    with _database() as database, database.writing() as connection:
        known.load(connection)
        shown = known.current()
        if file is not None:
            shown = known.add(connection, read_prices(file.read_text()), valid_from)
    value = {"version": shown.version, "valid_from": shown.valid_from, "prices": shown.prices}
    emit(value, lambda: _price_text(shown))


def _moment(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text} is no time: write it as 2026-12-01T00:00.") from error
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _price_text(shown: PriceTable) -> str:
    from openhearth.platform.ledger import KINDS

    rows = [
        [model, *(f"{shown.unit_price(model, kind) / 100:.2f}" for kind in KINDS)]
        for model in sorted(shown.prices)
    ]
    since = datetime.fromtimestamp(shown.valid_from, UTC).isoformat(timespec="minutes")
    head = f"Version {shown.version}, valid from {since}; credits for a million tokens:"
    return f"{head}\n{table(['model', *KINDS], rows)}"
