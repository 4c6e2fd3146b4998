"""Live events: they come at once, and end with the job."""

from __future__ import annotations

import asyncio

import pytest

from openhearth.platform.database import Database
from openhearth.platform.jobs import Event, Jobs, follow, following
from tests.platform.area import Caller

KINDS = ["count"]


async def collect(jobs: Jobs, job: str, after: int = 0) -> list[Event]:
    return [event async for event in follow(jobs, job, after)]


def test_what_was_said_is_told_in_order_and_ends_with_the_job(jobs: Jobs) -> None:
    job = jobs.create("count", {}, caller=Caller()).id
    lease = jobs.lease("w", KINDS)
    for number in range(250):
        jobs.event(lease, "counted", str(number))
    jobs.finish(lease, {})
    found = asyncio.run(collect(jobs, job))
    assert [event.number for event in found] == list(range(1, 254))
    assert [event.number for event in asyncio.run(collect(jobs, job, after=251))] == [252, 253]
    assert asyncio.run(collect(jobs, job, after=999)) == []


def test_news_of_this_process_wake_who_listens(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "SECONDS", 1e6)
    job = jobs.create("count", {}, caller=Caller()).id

    async def main() -> list[str]:
        listening = asyncio.create_task(collect(jobs, job))
        await asyncio.sleep(0.05)
        lease = await asyncio.to_thread(jobs.lease, "w", KINDS)
        await asyncio.to_thread(jobs.event, lease, "note")
        await asyncio.to_thread(jobs.finish, lease, {})
        return [event.type for event in await asyncio.wait_for(listening, 30)]

    assert asyncio.run(main()) == ["job_pending", "job_start", "note", "job_succeeded"]
    assert not jobs.bells._heard


def test_news_of_another_process_are_found(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "SECONDS", 0.01)
    ours, theirs = Jobs(database), Jobs(database)
    job = ours.create("count", {}, caller=Caller()).id

    async def main() -> list[str]:
        listening = asyncio.create_task(collect(ours, job))
        await asyncio.sleep(0.05)
        theirs.cancel(job, "proj_a")
        return [event.type for event in await asyncio.wait_for(listening, 30)]

    assert asyncio.run(main()) == ["job_pending", "job_cancelled"]
