"""Keys of jobs: what they open, and until when; and the names of lines."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from openhearth.platform.jobs import Entry, Job, Jobs, Lease, Lines, WithJobs
from tests.platform.area import Caller

A = Caller()


@pytest.fixture
def entry(jobs: Jobs) -> Entry[str]:
    return Entry("http://here", jobs, lambda job: job.project)


@pytest.fixture
def lease(jobs: Jobs) -> Lease:
    jobs.create("count", {}, caller=A)
    found = jobs.lease("me", ["count"])
    assert found is not None
    return found


def test_a_key_is_good_as_long_as_the_lease(entry: Entry[str], jobs: Jobs, lease: Any) -> None:
    given = entry.admit(lease)
    assert given.url == "http://here"
    assert entry.check(given.key) == A.project
    jobs.cancel(lease.id, A.project)
    assert entry.check(given.key) == A.project
    jobs.release(lease)
    assert entry.check(given.key) is None


def test_the_next_attempt_ends_it(entry: Entry[str], jobs: Jobs, lease: Any) -> None:
    jobs.release(lease)
    again = jobs.lease("me", ["count"])
    assert again is not None
    assert entry.check(entry.admit(lease).key) is None
    assert entry.check(entry.admit(again).key) == A.project


def test_nobody_else_can_make_one(entry: Entry[str], jobs: Jobs, lease: Any) -> None:
    key = entry.admit(lease).key
    other = Entry("http://here", jobs, lambda job: job.project)
    name, attempt, signature = key.removeprefix("job.").split(".")
    assert other.check(key) is None
    for forged in (
        f"job.{name}.2.{signature}",
        f"job.x.{attempt}.{signature}",
        f"job.{name}.{attempt}.{'0' * 64}",
        "job...",
        "oh-key",
    ):
        assert entry.check(forged) is None


def test_whoever_made_the_job_may_have_lost_the_right(jobs: Jobs, lease: Any) -> None:
    entry: Entry[str] = Entry("http://here", jobs, _nobody)
    assert entry.check(entry.admit(lease).key) is None


def _nobody(job: Job) -> None:
    return None


@pytest.mark.parametrize(
    ("line", "name"),
    [("7", "-7"), ("7-j", "-7-j"), ("", None), ("7/8", None), ("7" * 33, None)],
)
def test_a_line_names_its_request(
    entry: Entry[str], lease: Any, line: str, name: str | None
) -> None:
    seen: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.update(scope["state"])

    def ask(key: str, **state: str) -> dict[str, Any]:
        headers = [(b"authorization", f"Bearer {key}".encode()), (b"x-job-line", line.encode())]
        scope = {"type": "http", "headers": headers, "state": {"request_id": "req-1"} | state}
        seen.clear()
        asyncio.run(Lines(app)(scope, None, None))  # type: ignore[arg-type]
        return seen

    found = ask(entry.admit(lease).key, caller="whose key was checked")
    assert found["job"] == lease.id
    assert found["request_id"] == (f"{lease.id}{name}" if name else "req-1")
    assert ask("oh-key", caller="b") == {"request_id": "req-1", "caller": "b"}
    assert ask(entry.admit(lease).key) == {"request_id": "req-1"}


class Others:
    """Knows one key."""

    def is_slow_to_check(self, presented: str) -> bool:
        return presented == "slow"

    def check(self, presented: str) -> str | None:
        return "proj_b" if presented == "oh-key" else None


def test_both_kinds_of_keys_are_known(entry: Entry[str], lease: Any) -> None:
    both, key = WithJobs(Others(), entry), entry.admit(lease).key
    assert [both.check(presented) for presented in (key, "oh-key", "?")] == [
        A.project,
        "proj_b",
        None,
    ]
    slow = [both.is_slow_to_check(presented) for presented in (key, "oh-key", "slow")]
    assert slow == [True, False, True]
