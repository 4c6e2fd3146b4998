"""Operations share commits, and nothing else: neither refusals nor failures."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError, OperationalError

from openhearth.errors import HearthError, UsageError
from openhearth.platform.database import Database
from openhearth.platform.database.kept import Kept
from openhearth.platform.ledger import writer as module
from openhearth.platform.ledger.writer import Writer
from tests.platform.conftest import waits_for_the_disk


@pytest.fixture
def table(database: Database) -> Database:
    with database.writing() as connection:
        connection.execute(text("CREATE TABLE numbers (value INTEGER PRIMARY KEY)"))
    return database


@pytest.fixture
def writer(table: Database) -> Iterator[Writer]:
    with contextlib.closing(Writer(table)) as opened:
        yield opened


def add(value: int) -> Callable[[Connection], int]:
    def operation(connection: Connection) -> int:
        connection.execute(text("INSERT INTO numbers VALUES (:v)"), {"v": value})
        return value

    return operation


def refuse(value: int) -> Callable[[Connection], int]:
    """Writes something, and is then refused."""

    def operation(connection: Connection) -> int:
        add(value)(connection)
        raise UsageError("no")

    return operation


def numbers(database: Database) -> list[int]:
    with database.reading() as connection:
        return sorted(connection.execute(text("SELECT value FROM numbers")).scalars())


@contextlib.contextmanager
def gathering(writer: Writer) -> Iterator[None]:
    """While this lasts, what is submitted waits, and goes into one transaction afterwards."""
    begun, going_on = threading.Event(), threading.Event()

    def hold(_: Connection) -> None:
        begun.set()
        going_on.wait(10)

    held = writer.submit(hold)
    assert begun.wait(10)
    try:
        yield
    finally:
        going_on.set()
        held.result(10)


def test_what_gathers_is_one_transaction(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    writing, commits = Kept.writing, []

    @contextlib.contextmanager
    def counting(kept: Kept, **how: bool) -> Iterator[Connection]:
        with writing(kept, **how) as connection:
            yield connection
        commits.append(1)

    with gathering(writer):
        monkeypatch.setattr(Kept, "writing", counting)
        futures = [writer.submit(add(n)) for n in range(50)]
    assert [future.result(10) for future in futures] == list(range(50))
    assert len(commits) == 1


def test_a_commit_waits_for_the_disk_if_one_of_its_operations_does(
    writer: Writer, table: Database
) -> None:
    waits = waits_for_the_disk
    assert writer.submit(waits, durable=False).result(10) == (not table.is_sqlite)
    assert writer.submit(waits).result(10)
    with gathering(writer):
        together = [writer.submit(waits, durable=durable) for durable in (False, True, False)]
    assert all(one.result(10) for one in together)


def test_a_refusal_undoes_itself_alone(writer: Writer, table: Database) -> None:
    with gathering(writer):
        futures = [writer.submit((refuse if n % 3 == 0 else add)(n)) for n in range(9)]
    for number, future in enumerate(futures):
        if number % 3 == 0:
            with pytest.raises(UsageError):
                future.result(10)
        else:
            assert future.result(10) == number
    assert numbers(table) == [1, 2, 4, 5, 7, 8]


def test_a_failure_fails_alone(writer: Writer, table: Database) -> None:
    with gathering(writer):
        futures = [writer.submit(add(n)) for n in (1, 2, 1, 3)]
        bug = writer.submit(lambda _: {}["bug"])
    assert [futures[i].result(10) for i in (0, 1, 3)] == [1, 2, 3]
    with pytest.raises(IntegrityError):
        futures[2].result(10)
    with pytest.raises(KeyError):
        bug.result(10)
    assert numbers(table) == [1, 2, 3]


def test_a_database_that_comes_back_is_tried_again(
    writer: Writer, table: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSES", (0.0, 0.0))
    writing, away = Kept.writing, [True, True]

    @contextlib.contextmanager
    def leaving(kept: Kept, **how: bool) -> Iterator[Connection]:
        with writing(kept, **how) as connection:
            yield connection
            if away:
                away.pop()
                raise OperationalError("commit", {}, Exception("the connection broke"))

    monkeypatch.setattr(Kept, "writing", leaving)
    assert writer.submit(add(1)).result(10) == 1
    assert numbers(table) == [1]


def test_a_database_that_stays_away_is_said(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSES", (0.0, 0.0))

    @contextlib.contextmanager
    def away(kept: Kept, **how: bool) -> Iterator[Connection]:
        raise OperationalError("connect", {}, Exception("it is away"))
        yield

    with monkeypatch.context() as gone:
        gone.setattr(Kept, "writing", away)
        with pytest.raises(OperationalError):
            writer.submit(add(1)).result(10)
    assert writer.submit(add(2)).result(10) == 2


def test_whoever_stops_waiting_calls_nothing_off(writer: Writer, table: Database) -> None:
    async def main() -> None:
        with gathering(writer):
            waiting = asyncio.ensure_future(writer.write(add(1)))
            await asyncio.sleep(0)
            waiting.cancel()
        assert await writer.write(add(2)) == 2

    asyncio.run(main())
    assert numbers(table) == [1, 2]


def test_closing_writes_what_was_submitted(table: Database) -> None:
    writer = Writer(table)
    with gathering(writer):
        futures = [writer.submit(add(n)) for n in range(20)]
    writer.close()
    writer.close()
    assert all(future.done() for future in futures)
    assert numbers(table) == list(range(20))
    with pytest.raises(HearthError, match="closed"):
        writer.submit(add(99))
