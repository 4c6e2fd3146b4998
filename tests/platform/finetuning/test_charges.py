"""What jobs cost: held before, charged once after, by what was done; whoever dies in between."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from openhearth.platform.database import Database
from openhearth.platform.errors import ApiError
from openhearth.platform.finetuning import Charges, charges, tables
from openhearth.platform.jobs import Job, Jobs, Metric
from tests.platform.area import Caller, differences
from tests.platform.finetuning.purse import CREDIT, Purse

A = Caller()
TOKENS = 1000
PRICE = 3 * TOKENS


@pytest.fixture
def jobs(database: Database) -> Jobs:
    return Jobs(database)


@pytest.fixture
def purse() -> Purse:
    return Purse()


@pytest.fixture
def paid(database: Database, jobs: Jobs, purse: Purse) -> Charges:
    return Charges(database, jobs, purse)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


def started(paid: Charges, jobs: Jobs) -> tuple[Job, Any]:
    """A job that has trained on 10 + 20 tokens."""
    run(paid.hold("ft-1", A, "tiny", TOKENS))
    job = jobs.create("fine-tune", {}, caller=A, id="ft-1")
    lease = jobs.lease("me", ["fine-tune"])
    assert lease is not None
    jobs.metric(lease, [Metric(1, {"tokens": 10}), Metric(2, {"tokens": 20})])
    return job, lease


def price(paid: Charges) -> int:
    found: dict[str, int] = run(paid.prices(["ft-1"]))
    return found["ft-1"]


def test_the_migrated_table_is_that_of_the_code(database: Database) -> None:
    assert differences(database, {tables.charges.name}) == []


def test_a_job_that_succeeded_pays_for_what_it_trained(
    paid: Charges, jobs: Jobs, purse: Purse
) -> None:
    _, lease = started(paid, jobs)
    run(paid.sweep())
    assert (price(paid), purse.held) == (PRICE, {"ft-1": PRICE})
    jobs.finish(lease, {"trained_tokens": 900})
    for _ in range(2):
        run(paid.sweep())
        assert (price(paid), purse.held, purse.owned) == (2700, {}, CREDIT - 2700)


def test_a_job_that_was_cancelled_pays_for_its_steps(
    paid: Charges, jobs: Jobs, purse: Purse
) -> None:
    job, lease = started(paid, jobs)
    jobs.cancel(job.id, A.project)
    jobs.release(lease, cancelled=True)
    run(paid.sweep())
    assert (price(paid), purse.held, purse.owned) == (90, {}, CREDIT - 90)


def test_a_job_that_failed_pays_nothing(paid: Charges, jobs: Jobs, purse: Purse) -> None:
    _, lease = started(paid, jobs)
    jobs.fail(lease, "The loss is no number.", retry=False)
    run(paid.sweep())
    assert (price(paid), purse.held, purse.owned) == (0, {}, CREDIT)


def test_a_crash_between_settling_and_writing_it_down_charges_once(
    database: Database, paid: Charges, jobs: Jobs, purse: Purse
) -> None:
    _, lease = started(paid, jobs)
    jobs.finish(lease, {"trained_tokens": 900})
    run(purse.settle("ft-1", {"training": 900}))
    run(Charges(database, jobs, purse).sweep())
    assert (price(paid), purse.owned) == (2700, CREDIT - 2700)


def test_credits_that_were_held_for_no_job_are_given_back(
    paid: Charges, purse: Purse, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(paid.hold("ft-1", A, "tiny", TOKENS))
    run(paid.sweep())
    assert purse.held
    monkeypatch.setattr(charges, "MAKING_SECONDS", -1)
    run(paid.sweep())
    assert not purse.held
    assert run(paid.prices(["ft-1"])) == {}


def test_a_long_job_prolongs_its_hold(
    paid: Charges, jobs: Jobs, purse: Purse, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(paid, jobs)
    monkeypatch.setattr(charges, "MARK_SECONDS", -1)
    run(paid.sweep())
    assert purse.marks == {"ft-1": {"training": 30}}


def test_what_cannot_be_paid_holds_nothing(paid: Charges, purse: Purse) -> None:
    purse.owned = PRICE - 1
    estimate = run(paid.estimate("tiny", TOKENS, A.organisation))
    assert (estimate.price, estimate.available) == (PRICE, PRICE - 1)
    with pytest.raises(ApiError, match="Not enough"):
        run(paid.hold("ft-1", A, "tiny", TOKENS))
    assert run(paid.prices(["ft-1"])) == {}


def test_without_books_nothing_costs_anything(database: Database, jobs: Jobs) -> None:
    free = Charges(database, jobs)
    _, lease = started(free, jobs)
    jobs.finish(lease, {"trained_tokens": 900})
    run(free.sweep())
    assert run(free.prices(["ft-1"])) == {}
    assert run(free.estimate("tiny", TOKENS, "org_a")).price == 0


def test_the_ledger_has_all_that_is_needed(database: Database, jobs: Jobs) -> None:
    ledgers = pytest.importorskip("openhearth.platform.ledger")
    ledger = ledgers.Ledger(database)
    try:

        async def life() -> None:
            await ledger.grant(A.organisation, ledgers.CREDIT)
            paid = Charges(database, jobs, ledger)
            await paid.hold("ft-1", A, "tiny", TOKENS)
            assert (await ledger.balance(A.organisation)).held > 0
            jobs.create("fine-tune", {}, caller=A, id="ft-1")
            lease = jobs.lease("me", ["fine-tune"])
            assert lease is not None
            jobs.finish(lease, {"trained_tokens": 900})
            await paid.sweep()
            receipt = await ledger.receipt("ft-1")
            assert (await paid.prices(["ft-1"]))["ft-1"] == receipt.total > 0
            assert (await ledger.balance(A.organisation)).held == 0
            assert await ledger.check_books() == []

        asyncio.run(life())
    finally:
        ledger.close()
