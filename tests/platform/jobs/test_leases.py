"""Whatever happens in whatever order: one lease at most, and every job in one state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from openhearth.platform.database import Database
from openhearth.platform.jobs import Jobs, LeaseLost
from openhearth.platform.jobs.tables import job_events, job_metrics
from openhearth.platform.jobs.tables import jobs as table
from tests.platform.area import Caller
from tests.platform.jobs.conftest import Clock

A = Caller()
WHICH = st.integers(0, 5)


class Leases(RuleBasedStateMachine):
    """Workers that lease, write, die and come late, callers that cancel, and a clock that jumps."""

    database: Database

    @initialize()
    def begin(self) -> None:
        with self.database.writing() as connection:
            for each in (table, job_events, job_metrics):
                connection.execute(sa.delete(each))
        self.clock = Clock()
        self.jobs = Jobs(self.database, self.clock, max_attempts=3)
        self.made: list[str] = []
        self.leases: list[Any] = []  # all that ever were, by their age
        self.ended: dict[str, Any] = {}

    @rule()
    def create(self) -> None:
        self.made.append(self.jobs.create("count", {}, caller=A).id)

    @rule()
    def lease(self) -> None:
        leased = self.jobs.lease("w", ["count"])
        if leased is not None:
            assert all(leased.attempt > old.attempt for old in self.leases if old.id == leased.id)
            self.leases.append(leased)

    @rule(which=WHICH, seconds=st.sampled_from([1, 5, 11, 1000, -1, -1000]))
    def pass_time(self, which: int, seconds: int) -> None:
        self.clock.now += seconds

    @rule(which=WHICH, step=st.integers(0, 3))
    def checkpoint(self, which: int, step: int) -> None:
        self.write(which, lambda lease: self.jobs.checkpoint(lease, {"step": step}))

    @rule(which=WHICH)
    def renew(self, which: int) -> None:
        self.write(which, self.jobs.renew)

    @rule(which=WHICH)
    def finish(self, which: int) -> None:
        self.write(which, lambda lease: self.jobs.finish(lease, {}))

    @rule(which=WHICH, retry=st.booleans())
    def fail(self, which: int, retry: bool) -> None:
        self.write(which, lambda lease: self.jobs.fail(lease, "it died", retry))

    @rule(which=WHICH, wait=st.sampled_from([0, 5, 1000]), cancelled=st.booleans())
    def release(self, which: int, wait: int, cancelled: bool) -> None:
        self.write(which, lambda lease: self.jobs.release(lease, wait, cancelled))

    @rule(which=WHICH)
    def cancel(self, which: int) -> None:
        if which < len(self.made):
            self.jobs.cancel(self.made[which], A.project)

    @rule()
    def sweep(self) -> None:
        self.jobs.sweep()

    def write(self, which: int, say: Any) -> None:
        """One of the last leases writes; only the newest of a job is heard."""
        if which < len(self.leases):
            lease = self.leases[-1 - which]
            before = self.jobs.get(lease.id, A.project)
            try:
                say(lease)
            except LeaseLost:
                assert self.jobs.get(lease.id, A.project) == before
            else:
                if self.jobs.get(lease.id, A.project) != before:
                    assert before.attempt == lease.attempt
                    assert before.state in ("running", "cancelling")

    @invariant()
    def ends_are_final_and_events_are_numbered(self) -> None:
        for job in getattr(self, "made", []):
            found = self.jobs.get(job, A.project)
            if job in self.ended:
                assert found == self.ended[job]
            elif found.is_over:
                self.ended[job] = found
            assert (found.finished is not None) == found.is_over
            numbers = [event.number for event in self.jobs.events(job, limit=10_000)]
            assert numbers == list(range(1, len(numbers) + 1))

    @invariant()
    def it_is_known_whether_there_is_anything_to_look_after(self) -> None:
        made = getattr(self, "made", None)
        if made is not None:
            assert self.jobs.are_over() == all(
                self.jobs.get(job, A.project).is_over for job in made
            )


def test_leases(tmp_path: Path) -> None:
    Leases.database = Database.open(tmp_path / "jobs.db")
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    run_state_machine_as_test(
        Leases,
        settings=settings(max_examples=25, stateful_step_count=30, suppress_health_check=slow),
    )
    Leases.database.close()


def test_a_lease_never_lasts_longer_than_is_believed(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "jobs.db")
    clock = Clock()
    jobs = Jobs(database, clock)
    jobs.create("count", {}, caller=A)
    lease = jobs.lease("w", ["count"], seconds=1e9)
    assert lease is not None
    clock.now += 61
    jobs.sweep()
    with pytest.raises(LeaseLost):
        jobs.renew(lease)
    database.close()
