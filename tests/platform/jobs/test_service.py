"""The gateway's answers to whatever comes over the bus."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openhearth.platform.jobs import Jobs, JobService
from tests.platform.area import Caller


@pytest.fixture
def service(jobs: Jobs) -> JobService:
    return JobService(jobs, bus=None)


def ask(service: JobService, **message: Any) -> dict[str, Any]:
    return json.loads(asyncio.run(service.answer(json.dumps(message).encode())))


def test_a_job_from_lease_to_finish(service: JobService, jobs: Jobs) -> None:
    assert ask(service, op="lease", worker="w", kinds=["count"])["work"] is None
    job = jobs.create("count", {"steps": 3}, caller=Caller()).id
    work = ask(service, op="lease", worker="w", kinds=["count"])["work"]
    assert (work["id"], work["attempt"], work["payload"]) == (job, 1, {"steps": 3})
    fence = {"id": job, "attempt": 1}
    said = {"events": [{"type": "note"}], "metrics": [{"step": 1, "values": {"loss": 1}}]}
    assert not ask(service, op="record", **fence, **said, checkpoint={"step": 1})["cancel"]
    jobs.cancel(job, "proj_a")
    assert ask(service, op="renew", **fence)["cancel"]
    assert ask(service, op="renew", id=job, attempt=2)["lost"]
    assert not ask(service, op="finish", **fence, result={})["lost"]
    assert ask(service, op="release", **fence)["refused"] is None


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"op": "nothing"}, "nothing"),
        ({"op": "lease", "worker": "w", "kinds": []}, "kinds"),
        ({"op": "lease", "worker": "a\0", "kinds": ["k"]}, "worker"),
        ({"op": "renew", "id": "job_1", "attempt": 0}, "attempt"),
        ({"op": "renew", "id": "job_1", "attempt": 1, "more": 1}, "more"),
        ({"op": "fail", "id": "j", "attempt": 1, "error": "a\0b", "retry": False}, "error"),
    ],
)
def test_what_is_wrong_is_refused(service: JobService, message: Any, said: str) -> None:
    assert said in ask(service, **message)["refused"]


def test_a_result_that_is_too_large_is_refused_and_a_message_too(
    service: JobService, jobs: Jobs
) -> None:
    job = jobs.create("count", {}, caller=Caller()).id
    ask(service, op="lease", worker="w", kinds=["count"])
    fence = {"id": job, "attempt": 1}
    assert "result" in ask(service, op="finish", **fence, result={"x": "y" * 300_000})["refused"]
    assert "bytes" in ask(service, op="finish", **fence, result={"x": "y" * 900_000})["refused"]
    assert jobs.get(job, "proj_a").state == "running"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_anything_has_an_answer(service: JobService, data: bytes) -> None:
    reply = json.loads(asyncio.run(service.answer(data)))
    assert reply["refused"]
