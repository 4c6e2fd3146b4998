"""One thread that writes: what many requests ask for meanwhile goes into its next transaction.

To have a transaction on the disk takes far longer than to make its changes. So while one is being
written operations gather, and all of them are in the next: nobody waits for a timer, and the busier
it is, the more of them share a commit. Their futures are done when all is on the disk. One that is
refused undoes nothing of the others: when that happens, all of them begin anew, each with a
savepoint of its own. Savepoints take nearly as long as what they guard, and refusals are rare.

An operation may also be carried out again when the connection broke and nobody can say whether it
had been committed, so operations are such that the second time changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from sqlalchemy import Connection, text
from sqlalchemy.exc import InterfaceError, OperationalError

from openhearth.errors import HearthError
from openhearth.platform.database import Database
from openhearth.platform.errors import ApiError

MOST_AT_ONCE = 500  # operations of one transaction
PAUSES = (0.05, 0.2, 1.0, 3.0)  # seconds before the database is tried again
LOCK = 0x1ED6E5  # of PostgreSQL's advisory locks: the ledgers of several processes take turns

T = TypeVar("T")
Operation = Callable[[Connection], Any]
Outcome = tuple[Any, Exception | None]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """An operation, who waits for it, and whether for it to be on the disk."""

    operate: Operation
    future: Future[Any]
    durable: bool


class Writer:
    """Carries operations out, in the order in which they came; from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept = database.kept()
        self._asked: SimpleQueue[Asked | None] = SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)
        self._thread.start()

    def submit(self, operation: Callable[[Connection], T], *, durable: bool = True) -> Future[T]:
        """What the operation returns or raises, once that is on the disk; or, if it need not be
        `durable`, once others see it. It is on the disk then before any later one is.

        Nobody can call it off any more, not even by cancelling the future.

        Raises:
            HearthError: the writer was closed.
        """
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        with self._closing:
            if self._closed:
                raise HearthError("The ledger is closed, as this server stops: try again soon.")
            self._asked.put(Asked(operation, future, durable))
        return future

    def write(
        self, operation: Callable[[Connection], T], *, durable: bool = True
    ) -> asyncio.Future[T]:
        """The same for an event loop."""
        return asyncio.wrap_future(self.submit(operation, durable=durable))

    def close(self) -> None:
        """Carry out what was submitted, and end."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._asked.put(None)
        self._thread.join()

    def _run(self) -> None:
        last = False
        while not last:
            group: list[Asked] = []
            for asked in self._next():
                if asked is None:
                    last = True
                else:
                    group.append(asked)
            self._carry_out(group)
        self._kept.close()

    def _next(self) -> list[Asked | None]:
        """What has come, at least one."""
        group = [self._asked.get()]
        while len(group) < MOST_AT_ONCE:
            try:
                group.append(self._asked.get_nowait())
            except Empty:
                break
        return group

    def _carry_out(self, group: list[Asked]) -> None:
        try:
            outcomes = self._persist(group)
        except Exception as error:
            away = isinstance(error, OperationalError | InterfaceError)
            if len(group) > 1 and not away:
                # One of them is to blame: the others shall not fail with it.
                for asked in group:
                    self._carry_out([asked])
                return
            outcomes = [(None, error)] * len(group)
        for asked, (result, failure) in zip(group, outcomes, strict=True):
            if failure is None:
                asked.future.set_result(result)
            else:
                asked.future.set_exception(failure)

    def _persist(self, group: list[Asked]) -> list[Outcome]:
        """Commit, and try again for some seconds where the database cannot be reached."""
        for pause in PAUSES:
            try:
                return self._commit(group)
            except (OperationalError, InterfaceError) as error:
                log.warning("the ledger could not be written (%s): trying again", error.orig)
                time.sleep(pause)
        return self._commit(group)

    def _commit(self, group: list[Asked]) -> list[Outcome]:
        if not group:
            return []
        try:
            return self._together(group, lambda connection, operate: (operate(connection), None))
        except (HearthError, ApiError):
            return self._together(group, _apart)

    def _together(
        self, group: list[Asked], outcome: Callable[[Connection, Operation], Outcome]
    ) -> list[Outcome]:
        durable = any(asked.durable for asked in group)
        with self._kept.writing(durable=durable) as connection:
            if not self._database.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            return [outcome(connection, asked.operate) for asked in group]


def _apart(connection: Connection, operation: Operation) -> Outcome:
    try:
        with connection.begin_nested():
            return operation(connection), None
    except (HearthError, ApiError) as refusal:
        return None, refusal
