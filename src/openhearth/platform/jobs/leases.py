"""Who has a job: leases with a fence, and what becomes of a job whose worker has died.

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

NOT_HEARD = "nothing was heard of its worker"


def take(
    connection: sa.Connection, now: float, worker: str, kinds: Sequence[str], seconds: float
) -> Any | None:
    """The row of the longest waiting job of these kinds of the project whose turn it is, which is
    the worker's from now on.
    """
    waiting = sa.select(jobs.c.number).where(jobs.c.state == "queued", jobs.c.kind.in_(kinds))
    first = waiting.order_by(jobs.c.number).limit(1).with_for_update(skip_locked=True)
    for project in _by_turn(connection, kinds):
        number = connection.execute(first.where(jobs.c.project == project)).scalar_one_or_none()
        if number is not None:
            break
    else:
        return None
    taken = sa.update(jobs).where(jobs.c.number == number)
    return connection.execute(
        taken.values(
            state="running",
            attempt=jobs.c.attempt + 1,
            worker=worker,
            leased_until=now + min(seconds, LONGEST),
            started=sa.func.coalesce(jobs.c.started, int(now)),
        ).returning(jobs)
    ).one()


def _by_turn(connection: sa.Connection, kinds: Sequence[str]) -> Sequence[str]:
    """The projects that wait: those first that have the fewest jobs under way, then those whose
    last one began longest ago, then those that have waited longest.
    """
    queued = (jobs.c.state == "queued") & jobs.c.kind.in_(kinds)
    oldest = sa.select(jobs.c.project, sa.func.min(jobs.c.number).label("number")).where(queued)
    waiting = oldest.group_by(jobs.c.project).subquery()
    other = jobs.alias()
    own = other.c.project == waiting.c.project
    running = sa.select(sa.func.count()).where(own, other.c.state.in_(HELD)).scalar_subquery()
    # The newest job that has begun, as a project's begin in order: few rows are read for it.
    begun = sa.select(other.c.started).where(own, other.c.started.is_not(None))
    last = begun.order_by(other.c.number.desc()).limit(1).scalar_subquery()
    order = (running, sa.func.coalesce(last, 0), waiting.c.number)
    return connection.execute(sa.select(waiting.c.project).order_by(*order)).scalars().all()


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
    """Let others have a job, or end it if it was to be cancelled. `why` says of what it died, which
    it may do only so often without progress.
    """
    deaths = row.deaths + (why is not None)
    if row.state == "cancelling":
        end(connection, row, now, "cancelled")
    elif deaths >= row.max_attempts:
        error = f"The job ended {deaths} times without any progress, the last time because {why}."
        end(connection, row, now, "failed", error=error, deaths=deaths)
    else:
        change(connection, row, state="queued", deaths=deaths, worker=None, leased_until=None)
        message = f"It goes on from its last checkpoint, because {why or 'its worker stopped'}."
        say(connection, row.id, now, [News("job_restarted", message, level="warn")])


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
