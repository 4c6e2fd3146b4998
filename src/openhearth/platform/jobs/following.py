"""Listening to a job: its events as they come, until it is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

from openhearth.platform.jobs.job import Event
from openhearth.platform.jobs.jobs import Jobs

PAGE = 100  # events
SECONDS = 1.0  # after which is looked for what another process has written


async def follow(jobs: Jobs, job: str, after: int = 0) -> AsyncGenerator[Event]:
    """The events of a job after a number; it ends with the job."""
    with jobs.bells.listening(job) as bell:
        while True:
            bell.clear()
            over, page = await asyncio.to_thread(jobs.news, job, after, PAGE)
            for event in page:
                yield event
                after = event.number
            if over and len(page) < PAGE:
                return
            if len(page) < PAGE:
                with suppress(TimeoutError):
                    await asyncio.wait_for(bell.wait(), SECONDS)
