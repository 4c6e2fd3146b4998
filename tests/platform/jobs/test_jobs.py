"""Jobs from their creation to their ends, on every database."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from openhearth.errors import NotFound, UsageError
from openhearth.platform.database import Database
from openhearth.platform.errors import ApiError
from openhearth.platform.jobs import Jobs, Lease, LeaseLost, Metric
from openhearth.platform.jobs.rows import MOST_BYTES
from tests.platform.area import Caller

A, B = Caller("proj_a"), Caller("proj_b")
KINDS = ["count"]


def create(jobs: Jobs, **more: Any) -> str:
    return jobs.create("count", {"steps": 3}, caller=A, **more).id


def types(jobs: Jobs, job: str) -> list[str]:
    return [event.type for event in jobs.events(job)]


def test_a_job_is_leased_written_about_and_finished(jobs: Jobs, clock: Any) -> None:
    job = create(jobs)
    lease = jobs.lease("w1", KINDS)
    assert lease is not None
    assert (lease.id, lease.attempt, lease.payload) == (job, 1, {"steps": 3})
    assert jobs.lease("w2", KINDS) is None
    clock.now += 5
    assert not jobs.renew(lease).cancel
    jobs.checkpoint(lease, {"step": 1})
    jobs.event(lease, "note", "half-way", {"step": 1}, level="warn")
    jobs.metric(lease, [Metric(1, {"loss": 2.5})])
    jobs.finish(lease, {"sum": 6})
    found = jobs.get(job, "proj_a")
    assert (found.state, found.result, found.checkpoint) == ("succeeded", {"sum": 6}, {"step": 1})
    assert (found.created, found.started, found.finished) == (1_000_000, 1_000_000, 1_000_005)
    assert found.is_over
    assert types(jobs, job) == ["job_pending", "job_start", "note", "job_succeeded"]


def test_jobs_are_taken_in_their_order_and_by_kind(jobs: Jobs) -> None:
    first, second = create(jobs), create(jobs)
    jobs.create("other", {}, caller=A)
    assert [jobs.lease("w", KINDS).id for _ in range(2)] == [first, second]
    assert jobs.lease("w", KINDS) is None
    assert jobs.lease("w", ["other", "count"]).kind == "other"


def test_projects_take_turns(jobs: Jobs, clock: Any) -> None:
    """With one worker, however many jobs one of them has put in before the others."""
    made = {
        project: [jobs.create("count", {}, caller=Caller(project)).id for _ in range(count)]
        for project, count in (("proj_a", 4), ("proj_b", 1), ("proj_c", 2))
    }
    turns = []
    while (lease := jobs.lease("w", KINDS)) is not None:
        turns.append(lease.id)
        clock.now += 1
        jobs.finish(lease, {})
    a, b, c = made.values()
    assert turns == [a[0], b[0], c[0], a[1], c[1], a[2], a[3]]


def test_who_has_the_fewest_under_way_is_next(jobs: Jobs, clock: Any) -> None:
    mine = [create(jobs) for _ in range(4)]
    assert [jobs.lease("w", KINDS).id for _ in range(2)] == mine[:2]
    theirs = [jobs.create("count", {}, caller=B).id for _ in range(3)]
    assert [jobs.lease("w", KINDS).id for _ in range(2)] == theirs[:2]
    clock.now += 1  # both have two, and ours have begun before theirs
    assert [jobs.lease("w", KINDS).id for _ in range(3)] == [mine[2], theirs[2], mine[3]]


def test_workers_at_once_take_different_jobs(jobs: Jobs) -> None:
    made = {create(jobs) for _ in range(4)} | {jobs.create("count", {}, caller=B).id}
    with ThreadPoolExecutor(4) as pool:
        leases = list(pool.map(lambda _: jobs.lease("w", KINDS), range(20)))
    taken = [lease.id for lease in leases if lease is not None]
    while (lease := jobs.lease("w", KINDS)) is not None:
        taken.append(lease.id)
    assert sorted(taken) == sorted(made)


def test_a_project_has_only_so_many_in_the_queue(database: Database, clock: Any) -> None:
    jobs = Jobs(database, clock, most_queued=2)
    first = create(jobs, key="k")
    create(jobs)
    with pytest.raises(ApiError, match="2 jobs in the queue") as refused:
        create(jobs)
    assert refused.value.status == 429
    assert create(jobs, key="k") == first  # which is there already
    assert jobs.create("count", {}, caller=B)
    jobs.lease("w", KINDS)
    create(jobs)


def test_an_idempotency_key_makes_one_job_of_a_project(jobs: Jobs) -> None:
    job = create(jobs, key="k")
    assert create(jobs, key="k") == job
    assert jobs.create("count", {"steps": 3}, caller=B, key="k").id != job
    with pytest.raises(UsageError, match="another job"):
        jobs.create("count", {"steps": 4}, caller=A, key="k")


def test_who_races_with_one_key_gets_one_job(jobs: Jobs) -> None:
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(create(jobs, key="k"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_payload_that_is_too_large_is_refused(jobs: Jobs) -> None:
    with pytest.raises(UsageError, match="payload"):
        jobs.create("count", {"text": "x" * MOST_BYTES}, caller=A)


def test_a_project_sees_its_own_jobs_alone(jobs: Jobs) -> None:
    job = create(jobs)
    for read in (jobs.get, jobs.cancel):
        with pytest.raises(NotFound):
            read(job, "proj_b")
    with pytest.raises(NotFound):
        jobs.list("proj_b", after=job)
    assert jobs.list("proj_b") == []


@pytest.mark.parametrize(
    "job", ["", "job_none", "\0", "\ud800", "a" * 65, "%", "'; DROP TABLE jobs"]
)
def test_ids_that_are_none_are_not_found(jobs: Jobs, job: str) -> None:
    with pytest.raises(NotFound):
        jobs.get(job, "proj_a")


def test_lists_have_pages(jobs: Jobs) -> None:
    made = [create(jobs) for _ in range(5)]
    first = jobs.list("proj_a", limit=2)
    second = jobs.list("proj_a", after=first[-1].id, limit=9)
    assert [job.id for job in [*first, *second]] == made[::-1]
    assert jobs.list("proj_a", kind="other") == []


def test_events_and_metrics_have_cursors(jobs: Jobs) -> None:
    create(jobs)
    lease = jobs.lease("w", KINDS)
    jobs.record(lease, metrics=[Metric(step, {"loss": 1.0 / step}) for step in range(1, 6)])
    assert [event.number for event in jobs.events(lease.id, after=1)] == [2]
    assert [metric.step for metric in jobs.metrics(lease.id, after=2, until=4)] == [3, 4]
    assert [metric.step for metric in jobs.metrics(lease.id, limit=2)] == [1, 2]


def test_metrics_of_a_step_that_is_done_again_replace_what_they_name(jobs: Jobs) -> None:
    create(jobs)
    lease = jobs.lease("w", KINDS)
    jobs.metric(lease, [Metric(1, {"loss": 9.0, "speed": 3.0})])
    jobs.metric(lease, [Metric(1, {"loss": 1.0}), Metric(2, {"loss": 0.5})])
    found = jobs.metrics(lease.id)
    assert [dict(metric.values) for metric in found] == [{"loss": 1.0, "speed": 3.0}, {"loss": 0.5}]


# -- leases -----------------------------------------------------------------------------------


def writes(jobs: Jobs, lease: Lease) -> list[Any]:
    """Everything that a worker can say."""
    return [
        lambda: jobs.renew(lease),
        lambda: jobs.checkpoint(lease, {"step": 99}),
        lambda: jobs.event(lease, "late"),
        lambda: jobs.metric(lease, [Metric(99, {"loss": 0.0})]),
        lambda: jobs.finish(lease, {"late": True}),
        lambda: jobs.fail(lease, "late", retry=False),
        lambda: jobs.fail(lease, "late", retry=True),
    ]


def test_a_worker_that_comes_late_writes_nothing(jobs: Jobs, clock: Any) -> None:
    job = create(jobs)
    late = jobs.lease("w1", KINDS)
    jobs.checkpoint(late, {"step": 1})
    clock.now += 11
    lease = jobs.lease("w2", KINDS)
    assert (lease.id, lease.attempt, lease.checkpoint) == (job, 2, {"step": 1})
    before = jobs.get(job, "proj_a"), jobs.events(job)
    for write in writes(jobs, late):
        with pytest.raises(LeaseLost):
            write()
    jobs.release(late)
    assert (jobs.get(job, "proj_a"), jobs.events(job)) == before
    assert jobs.metrics(job) == []
    jobs.finish(lease, {})
    for write in writes(jobs, late):
        with pytest.raises(LeaseLost):
            write()


def test_a_lease_that_ran_out_is_lost_although_nobody_took_it(jobs: Jobs, clock: Any) -> None:
    job = create(jobs)
    late = jobs.lease("w1", KINDS)
    clock.now += 11
    jobs.sweep()
    assert jobs.get(job, "proj_a").state == "queued"
    with pytest.raises(LeaseLost):
        jobs.renew(late)


def test_a_lease_is_kept_by_renewing_and_by_writing(jobs: Jobs, clock: Any) -> None:
    create(jobs)
    lease = jobs.lease("w1", KINDS)
    for say in (lambda: jobs.renew(lease), lambda: jobs.event(lease, "alive")):
        clock.now += 9
        say()
        clock.now += 9
        assert jobs.lease("w2", KINDS) is None


def test_a_clock_that_was_set_back_keeps_no_job_from_others(jobs: Jobs, clock: Any) -> None:
    job = create(jobs)
    jobs.lease("w1", KINDS)
    clock.now -= 3600
    assert jobs.lease("w2", KINDS).id == job


def test_a_clock_that_jumps_ahead_leaves_one_lease(jobs: Jobs, clock: Any) -> None:
    create(jobs)
    first = jobs.lease("w1", KINDS)
    clock.now += 1e9
    second = jobs.lease("w2", KINDS)
    with pytest.raises(LeaseLost):
        jobs.renew(first)
    jobs.renew(second)


def test_two_workers_never_have_one_job(database: Database) -> None:
    jobs = Jobs(database)
    made = {create(jobs) for _ in range(20)}
    taken: list[str] = []

    def work(name: str) -> None:
        while (lease := jobs.lease(name, KINDS)) is not None:
            taken.append(lease.id)
            jobs.finish(lease, {})

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 20
    assert set(taken) == made


# -- ends -------------------------------------------------------------------------------------


def test_what_dies_again_and_again_without_progress_fails(jobs: Jobs, clock: Any) -> None:
    job = create(jobs)
    for _ in range(2):
        jobs.fail(jobs.lease("w", KINDS), "it was killed", retry=True)
    jobs.lease("w", KINDS)
    clock.now += 11
    jobs.sweep()
    found = jobs.get(job, "proj_a")
    assert found.state == "failed"
    assert found.error.startswith("The job ended 3 times without any progress")
    assert jobs.lease("w", KINDS) is None


def test_progress_forgives_deaths(jobs: Jobs) -> None:
    job = create(jobs)
    for step in range(10):
        lease = jobs.lease("w", KINDS)
        jobs.checkpoint(lease, {"step": step})
        jobs.fail(lease, "it was killed", retry=True)
    assert jobs.get(job, "proj_a").state == "queued"
    for _ in range(2):
        lease = jobs.lease("w", KINDS)
        jobs.checkpoint(lease, {"step": 9})  # no further than before
        jobs.fail(lease, "it was killed", retry=True)
    assert jobs.get(job, "proj_a").state == "failed"


def test_handing_a_job_back_is_no_death(jobs: Jobs) -> None:
    job = create(jobs)
    for _ in range(9):
        jobs.release(jobs.lease("w", KINDS))
    assert jobs.get(job, "proj_a").state == "queued"


def test_finishing_and_failing_twice_is_once(jobs: Jobs) -> None:
    done, broken = create(jobs), create(jobs)
    lease = jobs.lease("w", KINDS)
    for result in ({"a": 1}, {"a": 2}):
        jobs.finish(lease, result)
    assert jobs.get(done, "proj_a").result == {"a": 1}
    lease = jobs.lease("w", KINDS)
    for _ in range(2):
        jobs.fail(lease, "It cannot be done.", retry=False)
    assert jobs.get(broken, "proj_a").error == "It cannot be done."
    assert types(jobs, broken).count("job_failed") == 1


def test_a_queued_job_is_cancelled_at_once(jobs: Jobs) -> None:
    job = create(jobs)
    assert jobs.cancel(job, "proj_a").state == "cancelled"
    assert jobs.lease("w", KINDS) is None
    assert jobs.cancel(job, "proj_a").state == "cancelled"


def test_a_running_job_is_told_and_ends_when_it_can(jobs: Jobs) -> None:
    job = create(jobs)
    lease = jobs.lease("w", KINDS)
    assert jobs.cancel(job, "proj_a").state == "cancelling"
    assert jobs.renew(lease).cancel
    # What it had under way still counts.
    assert jobs.checkpoint(lease, {"step": 2}).cancel
    jobs.release(lease, cancelled=True)
    found = jobs.get(job, "proj_a")
    assert (found.state, found.checkpoint) == ("cancelled", {"step": 2})
    assert types(jobs, job)[-2:] == ["cancel_requested", "job_cancelled"]


def lapse(jobs: Jobs, clock: Any, lease: Lease) -> None:
    clock.now += 11
    jobs.sweep()


def die(jobs: Jobs, clock: Any, lease: Lease) -> None:
    jobs.fail(lease, "it was killed", retry=True)


def stop(jobs: Jobs, clock: Any, lease: Lease) -> None:
    """As a worker does whose process had not heard of the cancelling."""
    jobs.release(lease)


@pytest.mark.parametrize("leave", [lapse, die, stop])
@pytest.mark.parametrize("first", ["cancel", "leave"])
def test_what_has_begun_is_cancelled_by_a_worker(
    jobs: Jobs, clock: Any, leave: Any, first: str
) -> None:
    job, other = create(jobs), jobs.create("count", {}, caller=B).id
    late = jobs.lease("w1", KINDS)
    jobs.checkpoint(late, {"step": 1})
    if first == "cancel":
        jobs.cancel(job, "proj_a")
    leave(jobs, clock, late)
    assert jobs.cancel(job, "proj_a").state == "cancelling"
    for write in writes(jobs, late):
        with pytest.raises(LeaseLost):
            write()
    for attempt in range(2):  # which may die as well
        lease = jobs.lease("w2", KINDS)
        assert (lease.id, lease.cancel, lease.checkpoint) == (job, True, {"step": 1})
        if attempt == 0:
            leave(jobs, clock, lease)
    assert jobs.renew(lease).cancel
    jobs.checkpoint(lease, {"step": 1, "file": "file-1"})
    jobs.release(lease, cancelled=True)
    found = jobs.get(job, "proj_a")
    assert (found.state, found.checkpoint) == ("cancelled", {"step": 1, "file": "file-1"})
    assert jobs.lease("w", KINDS).id == other


def test_what_dies_of_its_cancelling_is_cancelled_in_the_end(jobs: Jobs, clock: Any) -> None:
    job = create(jobs)
    lease = jobs.lease("w", KINDS)
    jobs.cancel(job, "proj_a")
    for _ in range(3):
        die(jobs, clock, lease)
        lease = jobs.lease("w", KINDS)
    assert lease is None
    assert jobs.get(job, "proj_a").state == "cancelled"


def test_a_job_that_ends_before_it_hears_of_the_cancelling_has_succeeded(jobs: Jobs) -> None:
    job = create(jobs)
    lease = jobs.lease("w", KINDS)
    jobs.cancel(job, "proj_a")
    jobs.finish(lease, {"sum": 6})
    assert jobs.get(job, "proj_a").state == "succeeded"
    assert jobs.cancel(job, "proj_a").state == "succeeded"


def test_a_job_that_is_over_can_be_forgotten(jobs: Jobs) -> None:
    made = jobs.create("count", {}, caller=A, id="ft-1")
    assert jobs.find("ft-1") == made
    with pytest.raises(UsageError, match="cancel"):
        jobs.forget(made.id, A.project)
    jobs.cancel(made.id, A.project)
    with pytest.raises(NotFound):
        jobs.forget(made.id, "proj_b")
    jobs.forget(made.id, A.project)
    assert jobs.find(made.id) is None
    assert jobs.events(made.id) == []


# -- waiting ------------------------------------------------------------------------------------


def test_who_has_to_wait_lets_others_go_first_and_keeps_the_place(jobs: Jobs, clock: Any) -> None:
    first, second = create(jobs), create(jobs)
    lease = jobs.lease("w", KINDS)
    jobs.checkpoint(lease, {"step": 1})
    jobs.release(lease, wait=30)
    assert jobs.get(first, "proj_a").state == "queued"
    with pytest.raises(LeaseLost):
        jobs.renew(lease)
    other = jobs.lease("w", KINDS)
    assert other.id == second
    clock.now += 9
    jobs.finish(other, {})
    assert jobs.lease("w", KINDS) is None
    third = create(jobs)
    clock.now += 21
    lease = jobs.lease("w", KINDS)
    assert (lease.id, lease.checkpoint) == (first, {"step": 1})
    assert jobs.lease("w", KINDS).id == third


def test_waiting_is_no_death_and_is_told_once(jobs: Jobs, clock: Any) -> None:
    job = create(jobs)
    for _ in range(9):
        jobs.release(jobs.lease("w", KINDS), wait=5)
        clock.now += 5
    assert types(jobs, job) == ["job_pending", "job_start", "job_waiting"]
    jobs.fail(jobs.lease("w", KINDS), "it was killed", retry=True)
    jobs.finish(jobs.lease("w", KINDS), {})
    assert types(jobs, job)[3:] == ["job_restarted", "job_start", "job_succeeded"]


def test_who_waits_again_and_again_takes_turns(jobs: Jobs, clock: Any) -> None:
    """A project that was served for a moment comes after one that was not."""
    mine = create(jobs)
    theirs = [jobs.create("count", {}, caller=B).id for _ in range(2)]
    turns = []
    for _ in range(4):
        lease = jobs.lease("w", KINDS)
        turns.append(lease.id)
        clock.now += 5
        if lease.id == mine:
            jobs.release(lease, wait=1)
        else:
            jobs.finish(lease, {})
    assert turns == [mine, theirs[0], mine, theirs[1]]


def test_a_clock_that_was_set_back_lets_nobody_wait_for_ever(jobs: Jobs, clock: Any) -> None:
    job = create(jobs)
    jobs.release(jobs.lease("w", KINDS), wait=30)
    clock.now -= 3600
    assert jobs.lease("w", KINDS).id == job


def test_a_waiting_job_is_cancelled_without_waiting(jobs: Jobs) -> None:
    job = create(jobs)
    jobs.release(jobs.lease("w", KINDS), wait=30)
    assert jobs.cancel(job, "proj_a").state == "cancelling"
    lease = jobs.lease("w", KINDS)
    assert (lease.id, lease.cancel) == (job, True)
    jobs.release(lease, wait=30)  # for those who hand in, too, may have to wait
    assert jobs.get(job, "proj_a").state == "cancelling"
    assert jobs.lease("w", KINDS) is None


def test_what_nobody_will_go_on_with(jobs: Jobs) -> None:
    done, waits, held = create(jobs), create(jobs), create(jobs)
    jobs.finish(jobs.lease("w", KINDS), {})
    jobs.release(jobs.lease("w", KINDS), wait=30)
    assert jobs.lease("w", KINDS).id == held
    assert jobs.over([waits, done, held, "job_forgotten"]) == [done, "job_forgotten"]


def test_lists_are_cut_by_state(jobs: Jobs) -> None:
    made = [create(jobs) for _ in range(4)]
    jobs.cancel(made[1], "proj_a")
    found = jobs.list("proj_a", states=["queued"], limit=2)
    assert [job.id for job in found] == [made[3], made[2]]
