"""Connections and transactions, which are the same on SQLite and on PostgreSQL.

SQLite keeps a log of what was written (WAL), so that reading and writing do not wait for each
other, and has it on the disk before a transaction is over (`synchronous=FULL`): what was answered
is kept. A transaction need not wait for that if nothing depends on it yet (`NORMAL`): whatever
fails, it is kept if a later one is, and it is lost only with the whole machine.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, MetaData, QueuePool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError

from openhearth.errors import HearthError, MissingExtra, UsageError
from openhearth.platform.database.kept import Kept
from openhearth.platform.database.migrations import migrate
from openhearth.platform.database.statement import by_driver

T = TypeVar("T")

BUSY_SECONDS = 15  # that a writer waits for another
MOST_LOGGED = 8000  # pages of 4 KiB; a writer has them copied if nobody has done so before
PRAGMAS = (
    "journal_mode=WAL",
    "foreign_keys=ON",
    f"busy_timeout={BUSY_SECONDS * 1000}",
    f"wal_autocheckpoint={MOST_LOGGED}",
)
WRITES = {"writes": True}

metadata = MetaData(
    # Names of constraints, so that migrations can name them on any database.
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Database:
    """Where the platform's tables are. Its methods may be called from any thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writing = engine.execution_options(**WRITES)

    @classmethod
    def open(cls, url: str | Path) -> Database:
        """The database at a URL, or in a SQLite file, with its tables brought up to date.

        Raises:
            UsageError: the URL names no database that is supported.
            HearthError: it cannot be reached or written.
        """
        engine = _engine(f"sqlite:///{url}" if isinstance(url, Path) else url)
        _keep_private(engine)
        try:
            with engine.connect() as connection:
                migrate(connection.execution_options(**WRITES))
        except OperationalError as error:
            engine.dispose()
            raise HearthError(
                f"The database {engine.url.render_as_string()} cannot be used ({error.orig}): see "
                "that it runs and may be written, or name another."
            ) from error
        return cls(engine)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state of everything."""
        with self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction, which is on the disk when the block is left, or undone by an error. On
        SQLite one at a time.
        """
        with self._writing.begin() as connection:
            yield connection

    def kept(self) -> Kept:
        """The same for a thread that writes all day."""
        return Kept(self._writing.connect)

    async def read(self, function: Callable[[Connection], T]) -> T:
        """What `function` makes of a connection, without holding up the event loop."""
        return await asyncio.to_thread(self._with, self.reading, function)

    async def write(self, function: Callable[[Connection], T]) -> T:
        """The same in a transaction of its own."""
        return await asyncio.to_thread(self._with, self.writing, function)

    def _with(self, manner: Callable[[], Any], function: Callable[[Connection], T]) -> T:
        with manner() as connection:
            return function(connection)

    def checkpoint(self) -> None:
        """Copy what SQLite's log has to where it belongs, while others go on: done from time to
        time, it spares writers to do so, one of whom would wait for all of it.
        """
        if self.is_sqlite:
            with self._engine.connect() as connection:
                by_driver(connection, "PRAGMA wal_checkpoint(PASSIVE)")

    @property
    def is_sqlite(self) -> bool:
        """Whether writers take turns, so that rows need no locks."""
        return self._engine.dialect.name == "sqlite"

    def close(self) -> None:
        """Close what is idle; later calls open connections anew."""
        self._engine.dispose()


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "postgresql" and parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.get_backend_name() not in ("sqlite", "postgresql"):
            raise UsageError(
                f"{parsed.get_backend_name()} is no database that is supported: use SQLite or "
                "PostgreSQL."
            )
        # Whoever comes back for a connection gets the same, whose copies of pages still hold.
        engine = create_engine(
            parsed,
            poolclass=QueuePool,
            pool_use_lifo=True,
            pool_pre_ping=parsed.get_backend_name() != "sqlite",
        )
    except (ArgumentError, NoSuchModuleError) as error:
        raise UsageError(
            "This is no URL of a database: write sqlite:///FILE or postgresql://USER@HOST/NAME."
        ) from error
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "psycopg", "postgres") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
    return engine


def _keep_private(engine: Engine) -> None:
    """Let a new SQLite file, and so those beside it, be its owner's alone."""
    file = engine.url.database
    if engine.dialect.name == "sqlite" and file and file != ":memory:":
        with contextlib.suppress(OSError):  # which connecting will tell
            Path(file).touch(mode=0o600)


def _prepare(connection: Any, record: object) -> None:
    # Python's module would begin transactions by itself, and not where they should begin.
    connection.isolation_level = None
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    durable = options.get("durable", True)
    by_driver(connection, f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
    # A transaction that reads before it writes would fail if another wrote in between.
    by_driver(connection, "BEGIN IMMEDIATE" if options.get("writes") else "BEGIN")
