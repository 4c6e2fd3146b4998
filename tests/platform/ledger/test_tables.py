"""The migrations make the tables that the code names, and the tables hold what must always hold."""

from __future__ import annotations

from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import insert, text, update
from sqlalchemy.exc import IntegrityError

from openhearth.platform.database import Database, metadata
from openhearth.platform.ledger.tables import accounts, transfers


def test_migrations_and_tables_are_the_same(database: Database) -> None:
    def ours(item: Any, name: str | None, kind: str, reflected: bool, other: Any) -> bool:
        return kind != "table" or (name or "").startswith("ledger_")

    options = {"include_object": ours, "compare_type": True}
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


@pytest.mark.parametrize(
    "values",
    [{"posted": -1}, {"pending": 101}, {"pending": -1}, {"posted": 49, "pending": 50}],
)
def test_the_database_itself_keeps_wallets_above_zero(values: Any, books: Any) -> None:
    books.grant(100)
    wallet = accounts.c.id == "wallet:org_a"
    with pytest.raises(IntegrityError), books.database.writing() as connection:
        connection.execute(update(accounts).where(wallet).values(values))


def test_the_database_itself_charges_a_request_once(books: Any) -> None:
    books.grant(100)
    books.hold("r1", 80)
    books.settle("r1", {"output": 2})
    with books.database.reading() as connection:
        rows = connection.execute(text("SELECT id FROM ledger_transfers WHERE kind = 'charge'"))
        assert rows.scalars().all() == ["charge:r1"]
    again = {"id": "charge:r1", "debit": "a", "credit": "b", "amount": 1, "kind": "charge"}
    with pytest.raises(IntegrityError), books.database.writing() as connection:
        connection.execute(insert(transfers).values(again | {"created": 0}))
