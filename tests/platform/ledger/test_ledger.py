"""The life of a request in the books; among it what other gateways got wrong, each by its name."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

import pytest

from openhearth.errors import UsageError
from openhearth.platform.ledger import (
    CREDIT,
    HoldLost,
    InsufficientCredits,
    Line,
    SpendingCapReached,
)

INPUT, OUTPUT = 10, 40  # units a token, by the default prices


def test_a_request_is_charged_what_it_used_and_the_rest_is_free_again(books: Any) -> None:
    books.grant(10_000)
    books.hold("r1", 4000)
    assert books.wallet == (10_000, 4000)
    receipt = books.settle("r1", {"input": 20, "output": 5})
    assert receipt.total == 20 * INPUT + 5 * OUTPUT == 400
    assert receipt.lines == (Line("input", 20, INPUT), Line("output", 5, OUTPUT))
    assert (receipt.key, receipt.project, receipt.model) == ("key_a", "proj_a", "tiny")
    assert books.wallet == (9600, 0)
    assert books.receipt("r1") == receipt


def test_settling_twice_charges_once_and_gives_the_first_receipt(books: Any) -> None:
    books.grant(10_000)
    books.hold("r1", 4000)
    first = books.settle("r1", {"output": 5})
    assert books.settle("r1", {"output": 50}) == first
    books.release("r1")
    assert books.wallet == (9800, 0)


def test_what_was_released_cannot_be_charged_any_more(books: Any) -> None:
    books.grant(10_000)
    books.hold("r1", 4000)
    books.release("r1")
    books.release("r1")
    assert books.wallet == (10_000, 0)
    for late in (books.settle, books.delivered):
        with pytest.raises(HoldLost, match="r1"):
            late("r1", {"output": 5})
    with pytest.raises(HoldLost):
        books.hold("r1", 4000)
    assert books.receipt("r1") is None


def test_placing_the_same_hold_again_holds_once(books: Any) -> None:
    books.grant(10_000)
    books.hold("r1", 4000)
    books.hold("r1", 4000)
    assert books.wallet == (10_000, 4000)


def test_what_was_never_held_cannot_be_settled(books: Any) -> None:
    with pytest.raises(HoldLost):
        books.settle("nothing", {"output": 5})


def test_concurrent_requests_cannot_overdraw(books: Any) -> None:
    """one-api 2440, new-api 6607 and 6609: checking first and deducting later let all pass."""
    books.grant(10 * 500)

    async def one(number: int) -> bool:
        request_id = f"r{number}"
        try:
            await books.ledger.hold(
                request_id, "org_a", 500, key="key_a", project="proj_a", model="tiny"
            )
        except InsufficientCredits:
            return False
        return True

    async def all_of_them() -> int:
        return sum(await asyncio.gather(*map(one, range(200))))

    assert books.run(all_of_them) == 10
    assert books.wallet == (5000, 5000)


def test_nobody_is_trusted_to_pay_later(books: Any) -> None:
    """new-api 6607: users with much credit were not asked to hold any."""
    books.grant(10**12)
    books.hold("r1", 10**12)
    with pytest.raises(InsufficientCredits, match=r"0\.00000001 credits") as refused:
        books.hold("r2", 1)
    assert refused.value.status == 402
    assert refused.value.reply.error.code == "insufficient_credits"


def test_an_organisation_without_a_wallet_is_refused(books: Any) -> None:
    with pytest.raises(InsufficientCredits):
        books.hold("r1", 1, "org_of_nobody")


def test_settling_is_unconditional_on_the_balance_but_never_overdraws(books: Any) -> None:
    """one-api 2440: `quota = quota - used` went below zero. Here all was set apart before."""
    books.grant(1000)
    books.hold("r1", 600)
    books.hold("r2", 400)
    assert books.settle("r1", {"output": 15}).total == 600
    assert books.settle("r2", {"output": 10}).total == 400
    assert books.wallet == (0, 0)


def test_nothing_is_charged_beyond_what_was_held(books: Any) -> None:
    books.grant(1000)
    books.hold("r1", 100)
    receipt = books.settle("r1", {"input": 1, "output": 10})
    assert receipt.lines[-1] == Line("waived", 310, -1)
    assert receipt.total == 100
    assert books.receipt("r1") == receipt
    assert books.wallet == (900, 0)


def test_a_request_that_came_to_nothing_costs_nothing(books: Any) -> None:
    """new-api 4199: aborted streams were billed for their prompts."""
    books.grant(1000)
    books.hold("r1", 1000)
    assert books.settle("r1", {}).total == 0
    assert books.wallet == (1000, 0)


def test_usage_events_that_come_twice_count_once(books: Any) -> None:
    books.grant(10_000)
    books.hold("r1", 4000)
    for _ in range(2):
        for delivered in (10, 20, 30):
            books.delivered("r1", {"output": delivered})
    for _ in range(2):
        books.settle("r1", {"output": 30})
    assert books.wallet == (10_000 - 30 * OUTPUT, 0)


def test_granting_by_a_name_happens_once(books: Any) -> None:
    assert books.grant(25 * CREDIT, once="welcome")
    assert not books.grant(25 * CREDIT, once="welcome")
    assert books.grant(25 * CREDIT)
    assert books.grant(25 * CREDIT, "org_b", once="welcome")
    assert books.wallet == (50 * CREDIT, 0)


def test_a_grant_within_a_transaction_shares_its_fate(books: Any) -> None:
    with contextlib.suppress(RuntimeError), books.database.writing() as connection:
        assert books.ledger.grant_within(connection, "org_a", 700, once="welcome")
        raise RuntimeError
    assert books.wallet == (0, 0)
    with books.database.writing() as connection:
        assert books.ledger.grant_within(connection, "org_a", 700, once="welcome")
        assert not books.ledger.grant_within(connection, "org_a", 700, once="welcome")
    assert books.wallet == (700, 0)


@pytest.mark.parametrize("amount", [0, -5, 10**15 + 1])
def test_what_is_no_grant_is_refused(amount: int, books: Any) -> None:
    with pytest.raises(UsageError, match="cannot be granted"):
        books.grant(amount)


def test_a_key_spends_no_more_than_its_cap(books: Any) -> None:
    books.grant(10**6)
    books.hold("r1", 600, cap=1000)
    with pytest.raises(SpendingCapReached) as refused:
        books.hold("r2", 401, cap=1000)
    assert refused.value.reply.error.code == "spending_cap_reached"
    books.hold("r3", 400, cap=1000)
    books.settle("r1", {"output": 5})  # 200 of the 600
    books.release("r3")
    with pytest.raises(SpendingCapReached):
        books.hold("r4", 801, cap=1000)
    books.hold("r4", 800, cap=1000)
    books.hold("r5", 900, cap=1000, key="key_b")
    with pytest.raises(SpendingCapReached):
        books.hold("r6", 1001, cap=1000, key="key_c")
    assert books.wallet == (10**6 - 200, 1700)


def test_a_refusal_for_want_of_credits_leaves_the_cap_as_it_was(books: Any) -> None:
    books.grant(100)
    with pytest.raises(InsufficientCredits):
        books.hold("r1", 900, cap=1000)
    books.hold("r2", 100, cap=100)


def test_a_cap_begins_anew_each_month(books: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    books.grant(10**6)
    books.hold("r1", 1000, cap=1000)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 32 * 24 * 3600)
    books.hold("r2", 1000, cap=1000)
    # What was held last month is spent there.
    books.settle("r1", {"output": 10})
    with pytest.raises(SpendingCapReached):
        books.hold("r3", 1, cap=1000)


def test_what_costs_nothing_needs_no_wallet(books: Any) -> None:
    books.hold("r1", 0)
    assert books.settle("r1", {}).total == 0
