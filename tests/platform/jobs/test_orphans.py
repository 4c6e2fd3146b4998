"""Jobs whose makers' keys work no more end as if they had been cancelled."""

from __future__ import annotations

import asyncio

import pytest

from openhearth.platform.database import Database
from openhearth.platform.jobs import Jobs, JobService, Orphans, follow
from tests.platform.area import Caller

GOOD, ENDED = Caller(key="key_good"), Caller(key="key_ended")


@pytest.fixture
def orphans(database: Database, jobs: Jobs) -> Orphans:
    return Orphans(database, jobs, lambda keys: {GOOD.key})


def state(jobs: Jobs, job: str) -> str:
    return jobs.get(job, GOOD.project).state


def said(jobs: Jobs, job: str) -> list[str]:
    return [event.type for event in jobs.events(job)]


def test_only_those_that_are_under_way_with_such_a_key_end(jobs: Jobs, orphans: Orphans) -> None:
    done = jobs.create("count", {}, caller=ENDED).id
    jobs.finish(jobs.lease("w", ["count"]), {})
    running = jobs.create("count", {}, caller=ENDED).id
    lease = jobs.lease("w", ["count"])
    queued, other = (jobs.create("count", {}, caller=caller).id for caller in (ENDED, GOOD))
    for _ in range(2):  # and it is said once
        orphans.cancel()
        states = [state(jobs, job) for job in (done, running, queued, other)]
        assert states == ["succeeded", "cancelling", "cancelled", "queued"]
    assert said(jobs, running)[-2:] == ["key_ended", "cancel_requested"]
    assert said(jobs, queued)[-2:] == ["key_ended", "job_cancelled"]
    assert jobs.renew(lease).cancel


def test_what_is_done_before_it_is_told_has_succeeded(jobs: Jobs, orphans: Orphans) -> None:
    job = jobs.create("count", {}, caller=ENDED).id
    lease = jobs.lease("w", ["count"])
    orphans.cancel()
    jobs.finish(lease, {"n": 1})
    assert state(jobs, job) == "succeeded"


class Bus:
    """Nobody asks by it."""

    async def serve(self, *_: object, **__: object) -> None:
        pass

    async def request(self, *_: object, **__: object) -> bytes:
        raise AssertionError


def test_a_gateway_looks_after_them(database: Database) -> None:
    jobs = Jobs(database)
    job = jobs.create("count", {}, caller=ENDED).id

    async def types() -> list[str]:
        orphans = Orphans(database, jobs, lambda keys: set())
        async with JobService(jobs, Bus(), orphans=orphans).serving():
            return [event.type async for event in follow(jobs, job)]

    assert asyncio.run(types()) == ["job_pending", "key_ended", "job_cancelled"]
