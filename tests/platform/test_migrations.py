"""The tables as the migrations make them are those that the code describes."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from openhearth.platform.database import Database, metadata
from openhearth.platform.endpoints.tables import deployments, endpoints
from openhearth.platform.responses.tables import responses


@pytest.mark.parametrize("tables", [[responses], [endpoints, deployments]])
def test_migrations_make_what_the_code_describes(tables: list, database: Database) -> None:
    names = {table.name for table in tables}

    def mine(thing: object, name: str | None, kind: str, *more: object) -> bool:
        return kind != "table" or name in names

    with database.reading() as connection:
        options = {"include_object": mine, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
