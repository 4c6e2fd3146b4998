"""Jobs whose makers' keys work no more: they are cancelled, as whoever made them could.

So what was done is handed in and paid for, and nothing more is begun.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import sqlalchemy as sa

from openhearth.platform.database import Database
from openhearth.platform.jobs import clock, journal
from openhearth.platform.jobs.job import News
from openhearth.platform.jobs.jobs import Jobs
from openhearth.platform.jobs.tables import jobs as table

UNDER_WAY = table.c.state.in_(("queued", "running"))
SAID = News("key_ended", "The key that made the job works no more.", level="warn")


class Orphans:
    """Finds them; `working` says which keys of some work, by their ids."""

    def __init__(
        self,
        database: Database,
        jobs: Jobs,
        working: Callable[[Collection[str]], Collection[str]],
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._working = working

    def cancel(self) -> None:
        """Ask those that are under way to end, and say why."""
        for job in self._found():
            with self._database.writing() as connection:
                journal.say(connection, job.id, clock.now(connection), [SAID])
            self._jobs.cancel(job.id, job.project)

    def _found(self) -> Any:
        keys = sa.select(table.c.key).where(UNDER_WAY).distinct()
        with self._database.reading() as connection:
            used = set(connection.execute(keys).scalars())
        ended = used.difference(self._working(used))
        chosen = sa.select(table.c.id, table.c.project).where(UNDER_WAY, table.c.key.in_(ended))
        with self._database.reading() as connection:
            return connection.execute(chosen).all() if ended else ()
