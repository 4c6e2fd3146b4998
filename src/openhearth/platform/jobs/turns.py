"""Whose turn it is: which of the jobs that wait a free worker takes."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from openhearth.platform.jobs.job import HELD, LONGEST
from openhearth.platform.jobs.tables import jobs


def next_number(connection: sa.Connection, now: float, kinds: Sequence[str]) -> int | None:
    """The number of the job of these kinds that is next, locked until the end of the transaction;
    None if there is none.

    What was cancelled comes first, as it only hands in what is there. Then projects take turns, and
    of a project's jobs the oldest is next.
    """
    ready = _ready(now, kinds)
    oldest = sa.select(jobs.c.number).where(ready).order_by(jobs.c.number).limit(1)
    first = oldest.with_for_update(skip_locked=True)
    cancelled = first.where(jobs.c.state == "cancelling")
    found = connection.execute(cancelled).scalar_one_or_none()
    if found is not None:
        return found
    for project in _by_turn(connection, ready):
        found = connection.execute(first.where(jobs.c.project == project)).scalar_one_or_none()
        if found is not None:
            return found
    return None


def _ready(now: float, kinds: Sequence[str]) -> sa.ColumnElement[bool]:
    """Whether a worker may take a job now."""
    unheld = (jobs.c.state == "cancelling") & jobs.c.worker.is_(None)
    until = jobs.c.not_before
    due = sa.or_(until.is_(None), until <= now, until > now + LONGEST)
    return sa.and_(jobs.c.kind.in_(kinds), sa.or_(jobs.c.state == "queued", unheld), due)


def _by_turn(connection: sa.Connection, ready: sa.ColumnElement[bool]) -> Sequence[str]:
    """The projects that wait: those first that have the fewest jobs under way, then those that were
    served longest ago, then those that have waited longest.
    """
    oldest = sa.select(jobs.c.project, sa.func.min(jobs.c.number).label("number")).where(ready)
    waiting = oldest.group_by(jobs.c.project).subquery()
    other = jobs.alias()
    own = other.c.project == waiting.c.project
    held = other.c.state.in_(HELD) & other.c.worker.is_not(None)
    running = sa.select(sa.func.count()).where(own, held).scalar_subquery()
    last = sa.select(sa.func.max(other.c.taken)).where(own).scalar_subquery()
    order = (running, sa.func.coalesce(last, 0), waiting.c.number)
    return connection.execute(sa.select(waiting.c.project).order_by(*order)).scalars().all()
