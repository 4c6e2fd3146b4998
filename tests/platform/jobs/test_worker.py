"""Real workers and a real broker: whoever is killed, wherever, jobs end as if nobody had been."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from openhearth.fleet.broker import Broker
from openhearth.fleet.bus import Bus
from openhearth.models import pull
from openhearth.platform.database import Database
from openhearth.platform.jobs import Job, Jobs, JobService
from openhearth.store import Store
from openhearth.training import TrainRecipe, carry_out
from tests.platform.area import Caller
from tests.platform.jobs.counting import GRACE
from tests.waiting import until

ROOT = Path(__file__).parents[3]
A = Caller()
LONG = 600.0  # seconds: nothing here is about time, but nothing may last for ever


class Place:
    """A gateway in this process, a broker, and workers."""

    def __init__(self, jobs: Jobs, url: str, home: Path) -> None:
        self.jobs = jobs
        self.url = url
        self.home = home
        self.workers: list[subprocess.Popen[bytes]] = []

    def worker(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.platform.jobs.counting", "worker"]
        started = subprocess.Popen([*command, self.url, str(self.home)], cwd=ROOT)
        self.workers.append(started)
        return started

    def create(self, **payload: Any) -> str:
        return self.jobs.create("count", {"steps": 4} | payload, caller=A).id

    def get(self, job: str) -> Job:
        return self.jobs.get(job, A.project)

    def until(self, job: str, wanted: Callable[[Job], bool] = lambda job: job.is_over) -> Job:
        deadline = time.monotonic() + LONG
        while not wanted(found := self.get(job)):
            assert time.monotonic() < deadline, found
            time.sleep(0.02)
        return found

    def work(self, job: str) -> Path:
        """What it has on the disk."""
        return self.home / "jobs" / job

    def pids(self, job: str) -> list[int]:
        """The processes that counted, in their order."""
        events = self.jobs.events(job, limit=1000)
        found = [event.data["pid"] for event in events if event.type == "counted"]
        return list(dict.fromkeys(found))


@pytest.fixture
def place(tmp_path: Path, loop: Any) -> Iterator[Place]:
    database = Database.open(tmp_path / "platform.db")
    jobs = Jobs(database, max_attempts=3)
    with Broker() as broker:
        bus = loop.run(Bus.connect(broker.url, "gateway"))
        serving = JobService(jobs, bus).serving()
        loop.run(serving.__aenter__())
        made = Place(jobs, broker.url, tmp_path / "home")
        try:
            yield made
        finally:
            for worker in made.workers:
                with contextlib.suppress(ProcessLookupError):
                    worker.send_signal(signal.SIGCONT)
                worker.kill()
                worker.wait()
            loop.run(serving.__aexit__(None, None, None))
            loop.run(bus.close())
    database.close()


def alive(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return f"{pid} (python) Z" not in Path(f"/proc/{pid}/stat").read_text()
    return False


def gone(pid: int) -> None:
    deadline = time.monotonic() + LONG
    while alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_job_is_done_with_its_events_and_metrics(place: Place) -> None:
    job = place.create()
    place.worker()
    found = place.until(job)
    assert (found.state, found.result, found.attempt) == ("succeeded", {"sum": 10}, 1)
    assert found.checkpoint == {"step": 4, "sum": 10}
    events = place.jobs.events(job)
    said = [event.message for event in events if event.type == "counted"]
    assert said == ["1", "2", "3", "4"]
    assert [dict(metric.values) for metric in place.jobs.metrics(job)] == [
        {"value": step} for step in range(1, 5)
    ]
    until(lambda: not place.work(job).exists())


def test_a_process_killed_at_every_boundary_counts_the_same(place: Place) -> None:
    dies = [f"{when} {step}" for step in range(1, 5) for when in ("before", "after")]
    job = place.create(dies=dies)
    place.worker()
    found = place.until(job)
    assert (found.state, found.result) == ("succeeded", {"sum": 10}), found.error
    assert found.attempt == len(dies) + 1
    assert [metric.step for metric in place.jobs.metrics(job)] == [1, 2, 3, 4]


def test_a_poisonous_job_ends(place: Place) -> None:
    job = place.create(crashes=2)
    place.worker()
    found = place.until(job)
    assert (found.state, found.attempt) == ("failed", 3)
    assert "its process was ended by SIGKILL" in (found.error or "")
    healthy = place.create()
    assert place.until(healthy).state == "succeeded"
    until(lambda: not place.work(job).exists())


def test_what_a_runner_raises_is_told(place: Place) -> None:
    wrong, broken = place.create(fails=2), place.create(breaks=1)
    place.worker()
    found = place.until(wrong)
    assert (found.state, found.error, found.attempt) == ("failed", "This cannot be counted.", 1)
    found = place.until(broken)
    assert (found.state, found.attempt) == ("failed", 3)
    assert "a bug (KeyError" in (found.error or "")
    assert "secret" not in (found.error or "")


def test_a_killed_worker_takes_its_process_along_and_another_goes_on(place: Place) -> None:
    job = place.create(steps=20, pace=0.1)
    first = place.worker()
    place.until(job, lambda job: (job.checkpoint or {}).get("step", 0) >= 2)
    (pid,) = place.pids(job)
    first.kill()
    first.wait()
    gone(pid)
    place.worker()
    found = place.until(job)
    assert (found.state, found.result, found.attempt) == ("succeeded", {"sum": 210}, 2)


def test_a_worker_that_sleeps_through_its_lease_writes_no_more(place: Place) -> None:
    job = place.create(steps=40, pace=0.1)
    first = place.worker()
    place.until(job, lambda job: (job.checkpoint or {}).get("step", 0) >= 2)
    (pid,) = place.pids(job)
    first.send_signal(signal.SIGSTOP)
    place.worker()
    place.until(job, lambda job: job.attempt == 2 and (job.checkpoint or {})["step"] >= 10)
    gone(pid)  # it ends with the lease, although its worker could not tell it
    first.send_signal(signal.SIGCONT)
    found = place.until(job)
    assert (found.state, found.result, found.attempt) == ("succeeded", {"sum": 820}, 2)
    assert first.poll() is None
    assert place.until(place.create()).state == "succeeded"


def test_cancelling_stops_the_process_at_a_safe_place(place: Place) -> None:
    job = place.create(steps=1000, pace=0.05)
    place.worker()
    place.until(job, lambda job: (job.checkpoint or {}).get("step", 0) >= 2)
    place.jobs.cancel(job, A.project)
    found = place.until(job)
    assert found.state == "cancelled"
    assert 2 <= found.checkpoint["step"] < 1000
    (pid,) = place.pids(job)
    gone(pid)


def test_a_worker_that_is_asked_to_stop_hands_its_job_back(place: Place) -> None:
    job = place.create(steps=60, pace=0.05)
    first = place.worker()
    place.until(job, lambda job: (job.checkpoint or {}).get("step", 0) >= 2)
    first.terminate()
    assert first.wait(LONG) == 0
    found = place.get(job)
    assert (found.state, found.attempt) == ("queued", 1)
    assert place.work(job).exists()
    place.worker()
    assert place.until(job).result == {"sum": 1830}


def test_what_is_left_of_jobs_that_are_over_is_removed_and_nothing_else(place: Place) -> None:
    over, queued = place.create(), place.jobs.create("other", {}, caller=A).id
    place.jobs.cancel(over, A.project)  # while no worker has it
    kept = [place.work(queued), place.work("not a job")]
    for each in (place.work(over), place.work("job_forgotten"), *kept):
        (each / "deep").mkdir(parents=True)
    place.worker()
    until(lambda: not place.work(over).exists() and not place.work("job_forgotten").exists())
    place.until(place.create())
    assert all(each.exists() for each in kept)


def test_who_has_to_wait_leaves_the_worker_to_others(place: Place) -> None:
    waits = place.create(waits=3000)
    place.worker()
    place.until(waits, lambda job: job.state == "queued" and job.attempt == 1)
    assert place.until(place.create()).state == "succeeded"
    assert place.get(waits).attempt == 1
    assert place.work(waits).exists()


@pytest.mark.parametrize("cancelled", [True, False])
def test_whoever_hands_in_has_time_for_it(place: Place, cancelled: bool) -> None:
    """Longer than the grace, which is of silence."""
    job = place.create(steps=1000, pace=0.05, parting=4 * GRACE)
    worker = place.worker()
    place.until(job, lambda job: (job.checkpoint or {}).get("step", 0) >= 2)
    if cancelled:
        place.jobs.cancel(job, A.project)
        found = place.until(job)
    else:
        worker.terminate()
        worker.wait(LONG)
        found = place.get(job)
    assert found.state == ("cancelled" if cancelled else "queued")
    assert found.checkpoint["handed in"] is cancelled
    assert found.attempt == 1


def test_cancelled_before_its_process_has_begun_it_ends_as_it_should(place: Place) -> None:
    job = place.create(steps=1000, pace=0.05)
    place.worker()
    place.until(job, lambda job: job.attempt == 1)
    place.jobs.cancel(job, A.project)
    found = place.until(job)
    assert (found.state, found.attempt) == ("cancelled", 1)
    assert found.checkpoint["handed in"]


def test_whoever_says_nothing_when_it_should_end_is_ended(place: Place) -> None:
    job = place.create(steps=1000, pace=0.05, silent=True)
    place.worker()
    place.until(job, lambda job: (job.checkpoint or {}).get("step", 0) >= 2)
    (pid,) = place.pids(job)
    place.jobs.cancel(job, A.project)
    gone(pid)
    assert place.until(job).state == "cancelled"


def test_two_workers_share_the_jobs(place: Place) -> None:
    made = [place.create(dies=["before 2"]) for _ in range(6)]
    place.worker()
    place.worker()
    for job in made:
        found = place.until(job)
        assert (found.result, found.attempt) == ({"sum": 10}, 2)


def test_fine_tuning_killed_twice_makes_the_same_weights(
    place: Place, tmp_path: Path, tiny_directory: Path
) -> None:
    data = tmp_path / "data.jsonl"
    rows = [{"prompt": f"number {i}", "completion": f" is {i}"} for i in range(40)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = {"model": "tiny", "data": str(data), "adapter": {"rank": 2}, "batch_tokens": 128}
    recipe |= {"epochs": 60, "checkpoint_steps": 2, "dtype": "float32", "name": "proj_a/bot"}
    whole, store = Store(tmp_path / "whole"), Store(place.home)
    for each in (whole, store):
        pull(each, str(tiny_directory), name="tiny")
    job = place.jobs.create("fine-tune", {"recipe": recipe}, caller=A).id
    worker = place.worker()
    for attempt in (1, 2):
        place.until(job, lambda found, n=attempt: found.attempt == n)
        seen = len(place.jobs.metrics(job))  # what an attempt before this said is all there
        place.until(job, lambda found, n=seen: len(place.jobs.metrics(job)) > n)
        children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGKILL)
    found = place.until(job)
    assert (found.state, found.attempt) == ("succeeded", 3), found.error
    expected = carry_out(whole, TrainRecipe.parse(recipe))
    assert found.result["digest"] == expected.digest == store.get("proj_a/bot").digest
    assert len(place.jobs.metrics(job)) == found.result["steps"]
