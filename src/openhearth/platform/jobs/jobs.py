"""Jobs that survive: rows that workers lease, write about, and bring to an end.

A job is queued, then running, perhaps cancelling, and at last succeeded, failed or cancelled. It
may be carried out in several attempts, one after another; each goes on from the checkpoint that the
last one left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import sqlalchemy as sa

from openhearth.errors import UsageError
from openhearth.platform.database import Database
from openhearth.platform.ids import new_id
from openhearth.platform.jobs import clock as clocks
from openhearth.platform.jobs import journal, leases, rows
from openhearth.platform.jobs.bells import Bells
from openhearth.platform.jobs.job import (
    ENDED,
    SECONDS,
    Event,
    Job,
    Lease,
    Leased,
    LeaseLost,
    Metric,
    News,
    Order,
    Owner,
)
from openhearth.platform.jobs.tables import jobs

MAX_ATTEMPTS = 5  # deaths of a job without progress
MOST_QUEUED = 100  # jobs of a project


class Jobs:
    """The jobs of a database. Its methods may be called from any thread."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[sa.Connection], float] = clocks.now,
        max_attempts: int = MAX_ATTEMPTS,
        most_queued: int = MOST_QUEUED,
    ) -> None:
        self._database = database
        self._clock = clock
        self._max_attempts = max_attempts
        self._most_queued = most_queued
        self.bells = Bells()

    # -- asking ---------------------------------------------------------------------------------

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
        self, project: str, kind: str | None = None, after: str | None = None, limit: int = 20
    ) -> Sequence[Job]:
        """The jobs of a project, newest first; those that follow the job `after`.

        Raises:
            NotFound: the project has no job `after`.
        """
        chosen = sa.select(jobs).where(jobs.c.project == project)
        if kind is not None:
            chosen = chosen.where(jobs.c.kind == kind)
        with self._database.reading() as connection:
            if after is not None:
                number = rows.of_project(connection, after, project).number
                chosen = chosen.where(jobs.c.number < number)
            newest = chosen.order_by(jobs.c.number.desc()).limit(limit)
            return [rows.job_of(row) for row in connection.execute(newest)]

    def cancel(self, job: str, project: str) -> Job:
        """Ask for a job's end: at once if nobody has it, else as soon as its worker can.

        Raises:
            NotFound: the project has no such job.
        """
        with self._writing(job) as (connection, now):
            rows.of_project(connection, job, project)
            row = leases.locked(connection, job)
            assert row is not None
            if row.state == "queued":
                leases.end(connection, row, now, "cancelled")
            elif row.state == "running":
                leases.change(connection, row, state="cancelling")
                said = News("cancel_requested", "The job is asked to stop.")
                journal.say(connection, job, now, [said])
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

    # -- carrying out ---------------------------------------------------------------------------

    def lease(self, worker: str, kinds: Sequence[str], seconds: float = SECONDS) -> Leased | None:
        """The longest waiting job of these kinds, of the project whose turn it is, for so long;
        None if there is none.
        """
        with self._database.writing() as connection:
            now = self._clock(connection)
            changed = leases.sweep(connection, now)
            row = leases.take(connection, now, worker, kinds, seconds)
            if row is not None:
                said = News("job_start", "A worker has the job.", {"attempt": row.attempt})
                journal.say(connection, row.id, now, [said])
                changed.append(row.id)
        self._ring(changed)
        return row and Leased(
            row.id,
            row.attempt,
            seconds,
            kind=row.kind,
            organisation=row.organisation,
            project=row.project,
            payload=row.payload,
            checkpoint=row.checkpoint,
        )

    def renew(self, lease: Lease) -> Order:
        """Let a lease last for its seconds from now on.

        Raises:
            LeaseLost: it is over, as in all that follows here.
        """
        with self._database.writing() as connection:
            row = leases.held(connection, lease)
            leases.prolong(connection, row, self._clock(connection), lease.seconds)
            return Order(cancel=row.state == "cancelling")

    def record(
        self,
        lease: Lease,
        news: Sequence[News] = (),
        metrics: Iterable[Metric] = (),
        checkpoint: dict[str, Any] | None = None,
    ) -> Order:
        """Put down events, metrics and a checkpoint, all or none. A new checkpoint is progress."""
        with self._writing(lease.id) as (connection, now):
            row = leases.held(connection, lease)
            leases.prolong(connection, row, now, lease.seconds)
            if checkpoint is not None and checkpoint != row.checkpoint:
                rows.check_size(checkpoint, "checkpoint")
                leases.change(connection, row, checkpoint=checkpoint, deaths=0)
            journal.say(connection, row.id, now, news)
            journal.measure(connection, row.id, now, metrics)
            return Order(cancel=row.state == "cancelling")

    def checkpoint(self, lease: Lease, value: dict[str, Any]) -> Order:
        """From where the next attempt goes on."""
        return self.record(lease, checkpoint=value)

    def event(
        self,
        lease: Lease,
        type: str,  # noqa: A002
        message: str = "",
        data: dict[str, Any] | None = None,
        level: Any = "info",
    ) -> Order:
        """Something to be said of a job."""
        return self.record(lease, [News(type, message, data or {}, level)])

    def metric(self, lease: Lease, rows: Iterable[Metric]) -> Order:
        """Numbers of steps."""
        return self.record(lease, metrics=rows)

    def finish(self, lease: Lease, result: dict[str, Any]) -> None:
        """All is done. Said twice, as after a reply that was lost, it stays so."""
        rows.check_size(result, "result")
        with self._writing(lease.id) as (connection, now):
            if not _said_before(connection, lease, "succeeded"):
                row = leases.held(connection, lease)
                leases.end(connection, row, now, "succeeded", result=result)

    def fail(self, lease: Lease, error: str, retry: bool) -> None:
        """It cannot be done; or, with `retry`, this attempt has died of something that the next one
        may be spared.
        """
        with self._writing(lease.id) as (connection, now):
            if _said_before(connection, lease, "failed"):
                return
            row = leases.held(connection, lease)
            if retry:
                leases.give_up(connection, row, now, error)
            else:
                leases.end(connection, row, now, "failed", error=error)

    def release(self, lease: Lease) -> None:
        """Hand a job back as it is: to others, or, if it was to be cancelled, for good."""
        with self._writing(lease.id) as (connection, now), suppress(LeaseLost):
            leases.give_up(connection, leases.held(connection, lease), now)

    def sweep(self) -> None:
        """Take jobs from workers whose leases have run out."""
        with self._database.writing() as connection:
            freed = leases.sweep(connection, self._clock(connection))
        self._ring(freed)

    @contextmanager
    def _writing(self, job: str) -> Iterator[tuple[sa.Connection, float]]:
        """A transaction about a job and its time; who listens to the job hears of it after."""
        with self._database.writing() as connection:
            yield connection, self._clock(connection)
        self.bells.ring(job)

    def _ring(self, changed: Iterable[str]) -> None:
        for job in changed:
            self.bells.ring(job)


def _said_before(connection: sa.Connection, lease: Lease, state: str) -> bool:
    row = leases.locked(connection, lease.id)
    return row is not None and (row.attempt, row.state) == (lease.attempt, state)
