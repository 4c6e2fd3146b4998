"""`hearth keys`: the API keys of this machine's owner, in the database of the platform.

A running server sees within a few seconds what is changed here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from openhearth.cli.frame import emit, table
from openhearth.cli.lazy import LazyGroup
from openhearth.errors import MissingExtra, NotFound, UsageError

if TYPE_CHECKING:
    from openhearth.platform.accounts import Accounts
    from openhearth.platform.accounts.api_keys import Key

SCOPES = ("inference", "files", "jobs", "usage", "admin")
PER_MINUTE = click.IntRange(1, 10**12)
HERE = "openhearth.cli.keys"

keys = LazyGroup(
    "keys",
    help="API keys: make, list, revoke.",
    lazy={
        "create": (f"{HERE}:create", "A new key, which is shown only this once."),
        "list": (f"{HERE}:list_", "The keys that work."),
        "revoke": (f"{HERE}:revoke", "End a key for ever."),
    },
)


class Credits(click.ParamType):
    """An amount such as `2.50`, as millionths of a cent."""

    name = "credits"

    def convert(self, value: Any, param: Any, context: Any) -> int:
        from openhearth.platform.money import units_of

        try:
            units = units_of(str(value))
        except UsageError as error:
            self.fail(str(error))
        return units if units >= 0 else self.fail(f"{value!r} is no amount of credits to have.")


@click.command()
@click.option("--name", default="key", show_default=True, help="What it is for.")
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice(SCOPES), help="Else all. Repeatable."
)
@click.option("--rpm", type=PER_MINUTE, help="Most requests a minute.")
@click.option("--tpm", type=PER_MINUTE, help="Most tokens a minute.")
@click.option("--cap", type=Credits(), help="Most credits that it spends in a month.")
def create(
    name: str, scopes: tuple[str, ...], rpm: int | None, tpm: int | None, cap: int | None
) -> None:
    """Make a key and show it, this once."""
    with _accounts() as accounts:
        from openhearth.platform.caller import Limits

        with accounts.changing() as connection:
            key, secret = accounts.local(connection).key(
                connection, name, scopes=scopes or None, limits=Limits(rpm, tpm, cap)
            )
    emit(_row(key) | {"key": secret}, f"API key, shown only this once: {secret}")


@click.command(name="list")
def list_() -> None:
    """List the keys that work, oldest first."""
    with _accounts() as accounts:
        found = _all(accounts)
    rows = [_row(key) for key in found]
    if not rows:
        emit([], "There is no key yet: `hearth keys create` makes one.")
        return
    heads = ["id", "name", "key", "scopes", "requests/min", "tokens/min", "cap", "last used"]
    emit(rows, lambda: table(heads, [_cells(row) for row in rows]))


@click.command()
@click.argument("key")
def revoke(key: str) -> None:
    """End KEY, an id or a name, for ever. Several keys of one name end together."""
    with _accounts() as accounts:
        from openhearth.platform.accounts import api_keys

        meant = [one for one in _all(accounts) if key in (one.id, one.name)]
        if not meant:
            raise NotFound(f"There is no key {key!r}: `hearth keys list` shows those that work.")
        with accounts.changing() as connection:
            for one in meant:
                api_keys.revoke(connection, one.organisation, one.id)
    ids = [one.id for one in meant]
    emit({"revoked": ids}, f"Revoked {', '.join(ids)}.")


@contextmanager
def _accounts() -> Iterator[Accounts]:
    try:
        from openhearth.platform.accounts import Accounts
        from openhearth.platform.database import database_of
    except ModuleNotFoundError as error:
        if error.name not in ("alembic", "sqlalchemy"):
            raise
        raise MissingExtra(error.name, "serve") from error
    from openhearth.store import Store

    with closing(database_of(Store().root)) as database:
        yield Accounts(database)


def _all(accounts: Accounts) -> list[Key]:
    from openhearth.platform.accounts import api_keys

    with accounts.changing() as connection:
        organisation = accounts.local(connection).organisation
        found: list[Key] = []
        more = True
        while more:
            after = found[-1].id if found else None
            page = api_keys.list_keys(connection, organisation, after=after)
            found += map(api_keys.key_of, page.rows)
            more = page.more
    return found


def _row(key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "redacted": key.hint,
        "scopes": sorted(key.scopes),
        **vars(key.limits),
        "created": key.created,
        "last_used": key.used,
    }


def _cells(row: dict[str, Any]) -> list[str]:
    from openhearth.platform.caller import CREDIT

    cap, used = row["spending_cap"], row["last_used"]
    return [
        row["id"],
        row["name"],
        row["redacted"],
        ", ".join(row["scopes"]),
        str(row["requests_per_minute"] or "-"),
        str(row["tokens_per_minute"] or "-"),
        "-" if cap is None else f"{Decimal(cap) / CREDIT:.2f}",
        "-" if used is None else f"{datetime.fromtimestamp(used, UTC):%Y-%m-%d %H:%M}",
    ]
