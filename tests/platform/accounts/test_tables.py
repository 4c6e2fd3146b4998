"""The migrations make what the tables say."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from openhearth.platform.accounts.tables import TABLES
from openhearth.platform.database import Database, metadata

NAMES = {table.name for table in TABLES}


def test_a_migrated_database_has_these_tables(database: Database) -> None:
    def is_ours(thing: object, name: str | None, kind: str, *_: object) -> bool:
        return kind != "table" or name in NAMES

    with database.reading() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_object": is_ours, "compare_type": True}
        )
        assert compare_metadata(context, metadata) == []
