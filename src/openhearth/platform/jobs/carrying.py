"""What workers do with jobs: lease them, write about them, and bring them to an end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import sqlalchemy as sa

from openhearth.platform.database import Database, Statement
from openhearth.platform.jobs import clock as clocks
from openhearth.platform.jobs import journal, leases, rows
from openhearth.platform.jobs.bells import Bells
from openhearth.platform.jobs.job import (
    ENDED,
    HELD,
    SECONDS,
    Lease,
    Leased,
    LeaseLost,
    Metric,
    News,
    Order,
)
from openhearth.platform.jobs.tables import jobs

OPEN = Statement(
    sa.select(jobs.c.id)
    .where(sa.or_(*(jobs.c.state == state for state in ("queued", *HELD))))
    .limit(1)
)


class Carrying:
    """The workers' side of the jobs of a database. Its methods may be called from any thread."""

    def __init__(
        self, database: Database, clock: Callable[[sa.Connection], float] = clocks.now
    ) -> None:
        self._database = database
        self._clock = clock
        self.bells = Bells()

    def lease(self, worker: str, kinds: Sequence[str], seconds: float = SECONDS) -> Leased | None:
        """The longest waiting job of these kinds, of the project whose turn it is, for so long;
        None if there is none.
        """
        with self._database.writing() as connection:
            now = self._clock(connection)
            changed = leases.sweep(connection, now)
            row = leases.take(connection, now, worker, kinds, seconds)
            if row is not None:
                if row.not_before is None:  # else it goes on, as often as it has to wait
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
            cancel=row.state == "cancelling",
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

    def release(self, lease: Lease, wait: float = 0.0, cancelled: bool = False) -> None:
        """Hand a job back as it is: to others, after `wait` seconds; or for good, if it was to be
        `cancelled` and its process knew of that.
        """
        with self._writing(lease.id) as (connection, now), suppress(LeaseLost):
            row = leases.held(connection, lease)
            if cancelled and row.state == "cancelling":
                leases.end(connection, row, now, "cancelled")
            elif wait:
                leases.wait(connection, row, now, wait)
            else:
                leases.give_up(connection, row, now)

    def over(self, names: Sequence[str]) -> Sequence[str]:
        """Those of the names with which nobody will go on: of jobs that are over, or forgotten."""
        alive = sa.select(jobs.c.id).where(jobs.c.id.in_(names), jobs.c.state.not_in(ENDED))
        with self._database.reading() as connection:
            found = set(connection.execute(alive).scalars())
        return [name for name in names if name not in found]

    def are_over(self) -> bool:
        """Whether all of them are, so that there is nothing to look after."""
        with self._database.reading() as connection:
            return not OPEN.does(connection)

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
