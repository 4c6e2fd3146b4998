"""Who has a job: leases with a fence, and what becomes of a job that nobody has any more.

A lease holds while the job's state says that somebody has it and its attempt is the lease's. Both
change in the same transaction as all that is written under a lease, so there is never a second one,
and what a worker writes that comes late is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from openhearth.platform.jobs.job import HELD, LONGEST, Lease, LeaseLost, Level, News, State
from openhearth.platform.jobs.journal import say
from openhearth.platform.jobs.tables import jobs
from openhearth.platform.jobs.turns import next_number

NOT_HEARD = "nothing was heard of its worker"


def take(
    connection: sa.Connection, now: float, worker: str, kinds: Sequence[str], seconds: float
) -> Any | None:
    """The row of the job of these kinds that is next, which is the worker's from now on."""
    number = next_number(connection, now, kinds)
    if number is None:
        return None
    taken = sa.update(jobs).where(jobs.c.number == number)
    return connection.execute(
        taken.values(
            state=sa.case((jobs.c.state == "queued", "running"), else_=jobs.c.state),
            attempt=jobs.c.attempt + 1,
            worker=worker,
            leased_until=now + min(seconds, LONGEST),
            taken=now,
            started=sa.func.coalesce(jobs.c.started, int(now)),
        ).returning(jobs)
    ).one()


def held(connection: sa.Connection, lease: Lease) -> Any:
    """The row of a job, for whoever has it, until the end of the transaction.

    Raises:
        LeaseLost: it is not the lease's any more.
    """
    row = locked(connection, lease.id)
    if row is None or row.state not in HELD or row.attempt != lease.attempt:
        raise LeaseLost(f"The job {lease.id} is another's by now, or over: leave it.")
    return row


def locked(connection: sa.Connection, job: str) -> Any | None:
    """The row of a job, which nobody else writes before the end of the transaction."""
    return connection.execute(
        sa.select(jobs).where(jobs.c.id == job).with_for_update()
    ).one_or_none()


def prolong(connection: sa.Connection, row: Any, now: float, seconds: float) -> None:
    """Let a lease last so long from now on."""
    change(connection, row, leased_until=now + min(seconds, LONGEST))


def end(connection: sa.Connection, row: Any, now: float, state: State, **values: Any) -> None:
    """Bring a job to one of its ends."""
    ended = {"state": state, "finished": int(now), "worker": None, "leased_until": None}
    change(connection, row, **ended | values)
    level: Level = "error" if state == "failed" else "info"
    message = values.get("error") or f"The job has {state}." * (state != "cancelled")
    said = News(f"job_{state}", message or "The job was cancelled.", {}, level)
    say(connection, row.id, now, [said])


def give_up(connection: sa.Connection, row: Any, now: float, why: str | None = None) -> None:
    """Let others have a job. `why` says of what it died, which it may do only so often without
    progress.
    """
    deaths = row.deaths + (why is not None)
    if deaths < row.max_attempts:
        _let_go(connection, row, deaths=deaths, not_before=None)
        message = f"It goes on from its last checkpoint, because {why or 'its worker stopped'}."
        say(connection, row.id, now, [News("job_restarted", message, level="warn")])
    elif row.state == "cancelling":
        end(connection, row, now, "cancelled", deaths=deaths)
    else:
        error = f"The job ended {deaths} times without any progress, the last time because {why}."
        end(connection, row, now, "failed", error=error, deaths=deaths)


def wait(connection: sa.Connection, row: Any, now: float, seconds: float) -> None:
    """Let the jobs of others be carried out for so long; this one keeps its place. Only the first
    time is told.
    """
    _let_go(connection, row, not_before=now + min(seconds, LONGEST))
    if row.not_before is None:
        message = "It has to wait for what it asks for, and goes on in between."
        say(connection, row.id, now, [News("job_waiting", message)])


def cancel(connection: sa.Connection, row: Any, now: float) -> None:
    """End a job that has not begun; ask for the end of one that has, which a worker brings about:
    the one that has it, or else the next that is free.
    """
    if row.started is None:
        end(connection, row, now, "cancelled")
        return
    is_queued = row.state == "queued"  # and whoever had it last must not be heard
    change(connection, row, state="cancelling", attempt=row.attempt + is_queued, not_before=None)
    said = News("cancel_requested", "The job is asked to stop.")
    say(connection, row.id, now, [said])


def _let_go(connection: sa.Connection, row: Any, **values: Any) -> None:
    """Let another worker take a job. One that is to be cancelled stays so, which is a state in
    which it may be held: there the fence is raised, so that whoever had it is not heard.
    """
    is_ending = row.state == "cancelling"
    left = {"worker": None, "leased_until": None, "attempt": row.attempt + is_ending}
    change(connection, row, state=row.state if is_ending else "queued", **left | values)


def sweep(connection: sa.Connection, now: float) -> list[str]:
    """Take jobs from workers that did not renew their leases; the ids of these jobs."""
    until = jobs.c.leased_until
    lapsed = sa.select(jobs).where(
        jobs.c.state.in_(HELD), sa.or_(until <= now, until > now + LONGEST)
    )
    rows = connection.execute(lapsed.with_for_update(skip_locked=True)).all()
    for row in rows:
        give_up(connection, row, now, NOT_HEARD)
    return [row.id for row in rows]


def change(connection: sa.Connection, row: Any, **values: Any) -> None:
    """Write fields of a job."""
    connection.execute(sa.update(jobs).where(jobs.c.number == row.number).values(**values))
