"""Jobs that survive: rows that workers lease, write about, and bring to an end.

A job is queued, then running, perhaps cancelling, and at last succeeded, failed or cancelled. It
may be carried out in several attempts, one after another; each goes on from the checkpoint that the
last one left.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import sqlalchemy as sa

from openhearth.errors import UsageError
from openhearth.platform.database import Database
from openhearth.platform.ids import new_id
from openhearth.platform.jobs import clock as clocks
from openhearth.platform.jobs import journal, leases, rows
from openhearth.platform.jobs.carrying import Carrying
from openhearth.platform.jobs.job import ENDED, Event, Job, Metric, News, Owner, State
from openhearth.platform.jobs.tables import jobs

MAX_ATTEMPTS = 5  # deaths of a job without progress
MOST_QUEUED = 100  # jobs of a project


class Jobs(Carrying):
    """The jobs of a database: what those do who ask for them, beside what workers do."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[sa.Connection], float] = clocks.now,
        max_attempts: int = MAX_ATTEMPTS,
        most_queued: int = MOST_QUEUED,
    ) -> None:
        super().__init__(database, clock)
        self._max_attempts = max_attempts
        self._most_queued = most_queued

    def create(
        self,
        kind: str,
        payload: dict[str, Any],
        *,
        caller: Owner,
        key: str | None = None,
        parent: str | None = None,
        id: str | None = None,  # noqa: A002
    ) -> Job:
        """Put a job into the queue. With an idempotency `key` that the project has used already, it
        is the job of that time. Its `id` is new, or one that `new_id` gave before.

        Raises:
            UsageError: the payload is too large, or the key was used for something else.
            ApiError: 429, as many of the project's jobs are queued as may be.
        """
        rows.check_size(payload, "payload")
        try:
            with self._database.writing() as connection:
                if key is not None and (found := rows.with_key(connection, caller.project, key)):
                    return rows.same(found, kind, payload)
                rows.check_queue(connection, caller.project, self._most_queued)
                now = self._clock(connection)
                row = {
                    "id": id or new_id("job"),
                    "kind": kind,
                    "organisation": caller.organisation,
                    "project": caller.project,
                    "key": caller.key,
                    "idempotency_key": key,
                    "parent": parent,
                    "payload": payload,
                    "state": "queued",
                    "attempt": 0,
                    "deaths": 0,
                    "max_attempts": self._max_attempts,
                    "events": 0,
                    "created": int(now),
                }
                made = connection.execute(sa.insert(jobs).values(row).returning(jobs)).one()
                journal.say(connection, made.id, now, [News("job_pending", "The job is queued.")])
                return rows.job_of(made)
        except sa.exc.IntegrityError:
            # Another process was faster with the same key.
            assert key is not None
            with self._database.reading() as connection:
                found = rows.with_key(connection, caller.project, key)
            assert found is not None
            return rows.same(found, kind, payload)

    def get(self, job: str, project: str) -> Job:
        """A job of a project.

        Raises:
            NotFound: the project has no such job.
        """
        with self._database.reading() as connection:
            return rows.job_of(rows.of_project(connection, job, project))

    def find(self, job: str) -> Job | None:
        """A job of any project: for those who know its id from the table itself."""
        with self._database.reading() as connection:
            row = connection.execute(sa.select(jobs).where(jobs.c.id == job)).one_or_none()
            return None if row is None else rows.job_of(row)

    def list(
        self,
        project: str,
        kind: str | None = None,
        after: str | None = None,
        limit: int = 20,
        states: Collection[State] | None = None,
    ) -> Sequence[Job]:
        """The jobs of a project, newest first; those that follow the job `after`, and are in one of
        the states.

        Raises:
            NotFound: the project has no job `after`.
        """
        chosen = sa.select(jobs).where(jobs.c.project == project)
        if kind is not None:
            chosen = chosen.where(jobs.c.kind == kind)
        if states is not None:
            chosen = chosen.where(jobs.c.state.in_(states))
        with self._database.reading() as connection:
            if after is not None:
                number = rows.of_project(connection, after, project).number
                chosen = chosen.where(jobs.c.number < number)
            newest = chosen.order_by(jobs.c.number.desc()).limit(limit)
            return [rows.job_of(row) for row in connection.execute(newest)]

    def cancel(self, job: str, project: str) -> Job:
        """Ask for a job's end: at once if it has not begun, else as soon as a worker can.

        Raises:
            NotFound: the project has no such job.
        """
        with self._writing(job) as (connection, now):
            rows.of_project(connection, job, project)
            row = leases.locked(connection, job)
            assert row is not None
            if row.state in ("queued", "running"):
                leases.cancel(connection, row, now)
            return rows.job_of(rows.of_project(connection, job, project))

    def forget(self, job: str, project: str) -> None:
        """Remove a job that is over, with all that was said of it.

        Raises:
            NotFound: the project has no such job.
            UsageError: it is not over.
        """
        with self._database.writing() as connection:
            row = rows.of_project(connection, job, project)
            if row.state not in ENDED:
                raise UsageError(f"The job {job} is {row.state}: cancel it first.")
            journal.forget(connection, job)
            connection.execute(sa.delete(jobs).where(jobs.c.number == row.number))

    def events(self, job: str, after: int = 0, limit: int = 100) -> Sequence[Event]:
        """What was said of a job after an event's number, in order."""
        with self._database.reading() as connection:
            return journal.events(connection, job, after, limit)

    def news(self, job: str, after: int, limit: int) -> tuple[bool, Sequence[Event]]:
        """Whether a job is over, and the same events, both of one moment."""
        with self._database.reading() as connection:
            state = connection.execute(sa.select(jobs.c.state).where(jobs.c.id == job)).scalar_one()
            return state in ENDED, journal.events(connection, job, after, limit)

    def metrics(
        self,
        job: str,
        after: int = -1,
        until: int | None = None,
        limit: int = 1000,
    ) -> Sequence[Metric]:
        """The numbers of a job's steps after one, up to another, in order."""
        with self._database.reading() as connection:
            return journal.metrics(connection, job, after, until, limit)
