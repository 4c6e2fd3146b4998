"""Statements do by the driver what SQLAlchemy would have them do, on SQLite and on PostgreSQL."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError, OperationalError

from openhearth.platform.database import Database, Statement

things = sa.Table(
    "things",
    sa.MetaData(),
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("size", sa.BigInteger, sa.CheckConstraint("size >= 0"), nullable=False),
    sa.Column("open", sa.Boolean, nullable=False),
    sa.Column("parts", sa.JSON, nullable=False),
    sa.Column("until", sa.BigInteger),
)
ADD = Statement(insert(things))
ADD_ONCE = Statement(insert(things).on_conflict_do_nothing().returning(things.c.id))
FIND = Statement(sa.select(things).where(things.c.id == sa.bindparam("thing")))
GROW = Statement(
    sa.update(things)
    .where(things.c.id == sa.bindparam("thing"), things.c.open == sa.true())
    .values(size=things.c.size + sa.bindparam("more", type_=sa.BigInteger))
    .returning(things)
)
REMOVE = Statement(sa.delete(things).where(things.c.id == sa.bindparam("thing")))
ONE = {"id": "one", "size": 1, "open": True, "parts": {"a": [1, None]}, "until": None}

Values = st.fixed_dictionaries(
    {
        "id": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
        "size": st.integers(0, 2**63 - 1),
        "open": st.booleans(),
        "parts": st.dictionaries(st.text("ab%:?"), st.integers() | st.none()),
        "until": st.none() | st.integers(-(2**63), 2**63 - 1),
    }
)


@pytest.fixture
def table(database: Database) -> Database:
    with database.writing() as connection:
        things.create(connection)
    return database


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=Values)
def test_all_values_are_kept_as_by_sqlalchemy(table: Database, values: dict[str, Any]) -> None:
    with table.writing() as connection:
        ADD.run(connection, **values)
        theirs = connection.execute(sa.select(things)).one()._asdict()
        (ours,) = FIND.run(connection, thing=values["id"])
        REMOVE.run(connection, thing=values["id"])
        assert not FIND.does(connection, thing=values["id"])
    assert ours._asdict() == theirs == values


def test_what_is_returned_says_whether_it_was_done(table: Database) -> None:
    with table.writing() as connection:
        assert ADD_ONCE.does(connection, **ONE)
        assert not ADD_ONCE.does(connection, **ONE)
        (grown,) = GROW.run(connection, thing="one", more=41)
        assert (grown.size, grown.open, grown.parts) == (42, True, ONE["parts"])
        assert not GROW.does(connection, thing="another", more=1)


def test_a_list_of_unknown_length_is_refused(table: Database) -> None:
    listed = Statement(sa.select(things).where(things.c.id.in_(["one", "two"])))
    with table.reading() as connection, pytest.raises(AssertionError, match="unknown length"):
        listed.run(connection)


def test_it_is_undone_with_its_transaction(table: Database) -> None:
    def fail() -> None:
        with table.writing() as connection:
            ADD.run(connection, **ONE)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with table.reading() as connection:
        assert not FIND.does(connection, thing="one")


def test_errors_are_those_of_sqlalchemy(table: Database) -> None:
    with table.writing() as connection:
        ADD.run(connection, **ONE)
    for wrong in ({}, {"id": "two", "size": -1}):
        with pytest.raises(IntegrityError), table.writing() as connection:
            ADD.run(connection, **ONE | wrong)
    with table.reading() as connection:
        assert connection.execute(sa.select(things.c.id)).scalars().all() == ["one"]


def test_a_connection_that_broke_is_told_and_replaced(table: Database) -> None:
    if table.is_sqlite:
        pytest.skip("A file's connections do not break.")

    def add_too_late() -> None:
        with table.writing() as connection:
            process = connection.execute(sa.func.pg_backend_pid()).scalar_one()
            with table.writing() as another:
                ended = sa.func.pg_terminate_backend(process, 5000)  # milliseconds to wait for it
                assert another.execute(ended).scalar_one()
            ADD.run(connection, **ONE)

    with pytest.raises(OperationalError):
        add_too_late()
    with table.writing() as connection:
        assert ADD_ONCE.does(connection, **ONE)
