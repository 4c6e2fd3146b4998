from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text

from openhearth.platform.database import Database
from openhearth.platform.database.kept import Kept
from tests.platform.conftest import waits_for_the_disk


@pytest.fixture
def kept(database: Database) -> Iterator[Kept]:
    with database.writing() as connection:
        connection.execute(text("CREATE TABLE counter (value INTEGER)"))
        connection.execute(text("INSERT INTO counter VALUES (0)"))
    with contextlib.closing(database.kept()) as opened:
        yield opened


def add(connection: Connection) -> None:
    connection.execute(text("UPDATE counter SET value = value + 1"))


def value(database: Database) -> int:
    with database.reading() as connection:
        return connection.execute(text("SELECT value FROM counter")).scalar_one()


def test_transactions_follow_each_other_on_one_connection(database: Database, kept: Kept) -> None:
    used = set()
    for number in range(1, 4):
        with kept.writing() as connection:
            add(connection)
            used.add(connection)
        assert value(database) == number
    assert len(used) == 1


def test_only_what_may_does_not_wait_for_the_disk(database: Database, kept: Kept) -> None:
    for durable in (True, False, True):
        with kept.writing(durable=durable) as connection:
            # A server of PostgreSQL may fail while those who hold in it live.
            assert waits_for_the_disk(connection) == (durable or not database.is_sqlite)


def test_an_error_undoes_all_of_its_transaction(database: Database, kept: Kept) -> None:
    with kept.writing() as connection:
        add(connection)
    with contextlib.suppress(RuntimeError), kept.writing() as connection:
        add(connection)
        raise RuntimeError
    assert value(database) == 1
    with kept.writing() as connection:
        add(connection)
    assert value(database) == 2


def test_a_connection_that_broke_is_replaced(database: Database, kept: Kept) -> None:
    with kept.writing() as connection:
        broken = connection.connection.dbapi_connection
    assert broken is not None
    broken.close()
    with pytest.raises(Exception, match="closed"), kept.writing() as connection:
        add(connection)
    with kept.writing() as connection:
        add(connection)
    assert value(database) == 1


def test_it_takes_no_place_of_the_pool(database: Database) -> None:
    with contextlib.ExitStack() as many:
        for _ in range(40):  # more than a pool has
            kept = many.enter_context(contextlib.closing(database.kept()))
            with kept.writing():
                pass
        with database.writing():
            pass


def test_it_may_be_closed_often_and_goes_on_later(database: Database, kept: Kept) -> None:
    kept.close()
    kept.close()
    with kept.writing() as connection:
        add(connection)
    assert value(database) == 1
