"""What is said of jobs: numbered events, and metrics by step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from openhearth.platform.jobs.job import Event, Metric, News
from openhearth.platform.jobs.tables import job_events, job_metrics, jobs


def say(connection: sa.Connection, job: str, now: float, news: Sequence[News]) -> None:
    """Add events. Counting them in the job's row lets one writer in at a time, so that who reads
    from a number on misses none.
    """
    if not news:
        return
    counted = sa.update(jobs).where(jobs.c.id == job).values(events=jobs.c.events + len(news))
    last = connection.execute(counted.returning(jobs.c.events)).scalar_one()
    rows = [
        {
            "job": job,
            "number": number,
            "created": int(now),
            "level": said.level,
            "type": said.type,
            "message": said.message,
            "data": dict(said.data),
        }
        for number, said in enumerate(news, last - len(news) + 1)
    ]
    connection.execute(sa.insert(job_events), rows)


def events(connection: sa.Connection, job: str, after: int, limit: int) -> list[Event]:
    """Those after a number, in order."""
    chosen = sa.select(job_events).where(job_events.c.job == job, job_events.c.number > after)
    rows = connection.execute(chosen.order_by(job_events.c.number).limit(limit))
    return [
        Event(row.type, row.message, row.data, row.level, row.number, row.created) for row in rows
    ]


def measure(connection: sa.Connection, job: str, now: float, metrics: Iterable[Metric]) -> None:
    """Put down numbers of steps: those of a step that is known are added to it."""
    rows: dict[int, dict[str, float]] = {}
    for metric in metrics:
        rows[metric.step] = rows.get(metric.step, {}) | dict(metric.values)
    if not rows:
        return
    known = (job_metrics.c.job == job) & job_metrics.c.step.in_(list(rows))
    for row in connection.execute(sa.select(job_metrics).where(known)):
        rows[row.step] = row.values | rows[row.step]
    connection.execute(sa.delete(job_metrics).where(known))
    connection.execute(
        sa.insert(job_metrics),
        [
            {"job": job, "step": step, "created": int(now), "values": values}
            for step, values in rows.items()
        ],
    )


def metrics(
    connection: sa.Connection, job: str, after: int, until: int | None, limit: int
) -> list[Metric]:
    """Those of the steps after one, up to another, in order."""
    chosen = sa.select(job_metrics).where(job_metrics.c.job == job, job_metrics.c.step > after)
    if until is not None:
        chosen = chosen.where(job_metrics.c.step <= until)
    rows = connection.execute(chosen.order_by(job_metrics.c.step).limit(limit))
    return [Metric(row.step, row.values, row.created) for row in rows]


def forget(connection: sa.Connection, job: str) -> None:
    """Remove all that was said of a job."""
    for table in (job_events, job_metrics):
        connection.execute(sa.delete(table).where(table.c.job == job))
