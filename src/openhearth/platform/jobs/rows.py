"""Rows of jobs: finding them, and what they may hold."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import orjson
import sqlalchemy as sa

from openhearth.errors import NotFound, UsageError
from openhearth.platform.errors import ApiError
from openhearth.platform.ids import may_be_id
from openhearth.platform.jobs.job import Job
from openhearth.platform.jobs.tables import jobs

RETRY_SECONDS = 60
MOST_BYTES = 256 * 1024  # of a payload, a checkpoint or a result: what the bus carries, and more


def check_size(value: dict[str, Any], what: str) -> None:
    """Raises:
    UsageError: a value is too large to be carried about.
    """
    size = len(orjson.dumps(value))
    if size > MOST_BYTES:
        raise UsageError(
            f"The job's {what} has {size} bytes, of which {MOST_BYTES} are allowed: put what is "
            "large into a file, and name that."
        )


def check_queue(connection: sa.Connection, project: str, most: int) -> None:
    """Raises:
    ApiError: 429, a project has as many jobs in the queue as it may.
    """
    queued = sa.select(sa.func.count()).where(jobs.c.project == project, jobs.c.state == "queued")
    if connection.execute(queued).scalar_one() >= most:
        raise ApiError(
            429,
            f"This project has {most} jobs in the queue, and may not have more: try again when one "
            "of them has begun, or cancel some.",
            kind="rate_limit_error",
            code="too_many_jobs",
            retry_after=RETRY_SECONDS,
        )


def of_project(connection: sa.Connection, job: str, project: str) -> Any:
    """The row of a project's job.

    Raises:
        NotFound: the project has no such job.
    """
    chosen = sa.select(jobs).where(jobs.c.id == job, jobs.c.project == project)
    row = connection.execute(chosen).one_or_none() if may_be_id(job) else None
    if row is None:
        shown = job.encode("ascii", "replace").decode()
        raise NotFound(f"There is no job {shown!r}: `hearth jobs list` shows those that there are.")
    return row


def with_key(connection: sa.Connection, project: str, key: str) -> Any | None:
    """The row of the job that a project has made with an idempotency key."""
    chosen = sa.select(jobs).where(jobs.c.project == project, jobs.c.idempotency_key == key)
    return connection.execute(chosen).one_or_none()


def same(row: Any, kind: str, payload: dict[str, Any]) -> Job:
    """The job of a row, if it was made for this.

    Raises:
        UsageError: it was made for something else.
    """
    if (row.kind, row.payload) != (kind, payload):
        raise UsageError(
            "The idempotency key was used for another job: give each job a key of its own."
        )
    return job_of(row)


def job_of(row: Any) -> Job:
    """The job of a row."""
    return Job(**{field.name: getattr(row, field.name) for field in fields(Job)})
