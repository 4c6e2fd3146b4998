"""Transactions on SQLite and, where a server is at hand, on PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import stat
import threading
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from openhearth.errors import HearthError, UsageError
from openhearth.platform.database import Database
from tests.platform.conftest import waits_for_the_disk


@pytest.fixture
def counter(database: Database) -> Database:
    with database.writing() as connection:
        connection.execute(text("CREATE TABLE counter (value INTEGER)"))
        connection.execute(text("INSERT INTO counter VALUES (0)"))
    return database


def read(connection: Connection) -> int:
    return connection.execute(text("SELECT value FROM counter")).scalar_one()


def value(database: Database) -> int:
    with database.reading() as connection:
        return read(connection)


def test_what_is_not_said_otherwise_waits_for_the_disk(counter: Database) -> None:
    with contextlib.closing(counter.kept()) as kept, kept.writing(durable=False):
        pass
    for manner in (counter.writing, counter.reading):
        with manner() as connection:
            assert waits_for_the_disk(connection)


def test_what_was_written_is_there_for_the_next(counter: Database) -> None:
    with counter.writing() as connection:
        connection.execute(text("UPDATE counter SET value = 7"))
    assert value(counter) == 7


def test_an_error_undoes_all(counter: Database) -> None:
    def fail() -> None:
        with counter.writing() as connection:
            connection.execute(text("UPDATE counter SET value = 7"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert value(counter) == 0


def test_a_checkpoint_has_what_was_written_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "platform.db"
    with contextlib.closing(Database.open(file)) as database:
        with database.writing() as connection:
            connection.execute(text("CREATE TABLE marks (mark TEXT)"))
            connection.execute(text("INSERT INTO marks VALUES ('a mark of its own')"))
        assert b"a mark of its own" not in file.read_bytes()
        with database.reading() as connection:  # which it need not wait for
            read_marks = connection.execute(text("SELECT mark FROM marks"))
            database.checkpoint()
            assert len(read_marks.all()) == 1
        assert b"a mark of its own" in file.read_bytes()


def test_writers_that_read_first_lose_nothing(counter: Database) -> None:
    def add() -> None:
        for _ in range(20):
            with counter.writing() as connection:
                if not counter.is_sqlite:
                    connection.execute(text("SELECT value FROM counter FOR UPDATE"))
                seen = connection.execute(text("SELECT value FROM counter")).scalar_one()
                connection.execute(text("UPDATE counter SET value = :v"), {"v": seen + 1})

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert value(counter) == 80


def test_event_loops_are_not_held_up(counter: Database) -> None:
    async def both() -> int:
        await counter.write(lambda c: c.execute(text("UPDATE counter SET value = 3")))
        return await counter.read(
            lambda c: c.execute(text("SELECT value FROM counter")).scalar_one()
        )

    assert asyncio.run(both()) == 3


def test_readers_see_one_state(counter: Database) -> None:
    with counter.reading() as reader:
        before = reader.execute(text("SELECT value FROM counter")).scalar_one()
        with counter.writing() as writer:
            writer.execute(text("UPDATE counter SET value = 9"))
        if counter.is_sqlite:
            assert reader.execute(text("SELECT value FROM counter")).scalar_one() == before
    assert value(counter) == 9


def test_a_file_is_its_owners_alone(tmp_path: Path) -> None:
    with contextlib.closing(Database.open(tmp_path / "platform.db")) as database:
        with database.writing() as connection:
            connection.execute(text("CREATE TABLE thing (value INTEGER)"))
        files = list(tmp_path.glob("platform.db*"))
        assert len(files) > 1
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_it_opens_again(tmp_path: Path) -> None:
    for _ in range(2):
        Database.open(tmp_path / "a b%c.db").close()


@pytest.mark.parametrize("url", ["nonsense", "mysql://a@b/c", "sqlite+nothing://"])
def test_what_is_no_url_is_said(url: str) -> None:
    with pytest.raises(UsageError, match=r"SQLite|sqlite"):
        Database.open(url)


def test_what_cannot_be_opened_is_said(tmp_path: Path) -> None:
    with pytest.raises(HearthError, match="cannot be used"):
        Database.open(tmp_path / "missing" / "file.db")
