"""What jobs have on this machine's disk, which outlives their processes: a directory for each."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from openhearth.platform.ids import may_be_id
from openhearth.platform.jobs.messages import MOST_ROWS


class Works:
    """The directories of jobs. `over` says with which jobs nobody will go on."""

    def __init__(
        self, root: Path, over: Callable[[Sequence[str]], Awaitable[Sequence[str]]]
    ) -> None:
        self._root = root
        self._over = over

    def of(self, job: str) -> Path:
        """That of a job."""
        return self._root / job

    async def clear(self, jobs: Sequence[str]) -> None:
        """Remove those of the jobs with which nobody will go on.

        Raises:
            HearthError, OSError: nobody says which these are.
        """
        for job in await self._over(jobs):
            await asyncio.to_thread(shutil.rmtree, self.of(job), ignore_errors=True)

    async def clear_all(self) -> None:
        """Look at all that there are.

        Raises:
            HearthError, OSError: as `clear`.
        """
        if self._root.exists():
            names = [found.name for found in self._root.iterdir() if may_be_id(found.name)]
            for first in range(0, len(names), MOST_ROWS):
                await self.clear(names[first : first + MOST_ROWS])
