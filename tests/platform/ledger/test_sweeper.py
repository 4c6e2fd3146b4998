"""What a crash leaves is charged by the last mark, once, and nothing of what goes on is touched."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

import pytest

from openhearth.platform.ledger import HoldLost, Ledger, Line
from openhearth.platform.ledger.sweeper import LOOKS, MOST_AT_ONCE, Watch


def test_only_what_does_not_move_counts_as_dead() -> None:
    watch = Watch()
    assert [watch.dead({"still": 7, "moving": look}) for look in range(LOOKS)] == [set()] * LOOKS
    assert watch.dead({"still": 7, "moving": LOOKS}) == {"still"}
    assert watch.dead({"still": 8, "moving": LOOKS}) == set()


def test_the_holds_of_the_dead_are_settled_by_their_last_marks(books: Any, other: Any) -> None:
    other.grant(10_000)
    other.hold("marked", 4000)
    other.delivered("marked", {"input": 20, "output": 64})
    other.hold("silent", 4000)
    assert books.sweep_the_dead() == 2
    assert books.receipt("marked").lines == (Line("input", 20, 10), Line("output", 64, 40))
    assert books.receipt("silent") is None
    assert books.wallet == (10_000 - 200 - 64 * 40, 0)
    assert books.sweep_the_dead() == 0


def test_who_was_taken_for_dead_can_give_nothing_away(books: Any, other: Any) -> None:
    """A process that was stopped for a while wakes up: its streams must end, not be free."""
    other.grant(10_000)
    for request_id in ("r1", "r2"):
        other.hold(request_id, 4000)
    other.delivered("r1", {"output": 10})
    assert books.sweep_the_dead() == 2
    for late in (other.delivered, other.settle):
        for request_id in ("r1", "r2"):
            with pytest.raises(HoldLost):
                late(request_id, {"output": 100})
    assert books.wallet == (10_000 - 400, 0)
    # It lives on, with new requests.
    other.hold("r3", 100)
    assert other.settle("r3", {"output": 1}).total == 40


def test_a_process_that_shows_signs_of_life_is_left_alone(books: Any, other: Any) -> None:
    other.grant(10_000)
    other.hold("r1", 4000)
    for _ in range(2 * LOOKS):
        assert books.sweep() == 0
        other.show_life()
    assert other.settle("r1", {"output": 1}).total == 40


def test_a_process_that_left_is_swept_at_once(books: Any, other: Any) -> None:
    other.grant(10_000)
    other.hold("r1", 4000)
    other.ledger.close()
    assert books.sweep() == 1


def test_requests_under_way_are_never_swept_by_their_own_process(books: Any) -> None:
    books.grant(10_000)
    books.hold("r1", 4000)
    assert books.sweep_the_dead() == 0
    books.ledger.forget("r1")
    assert books.sweep() == 1
    assert books.wallet == (10_000, 0)


def test_a_jump_of_the_clock_ends_nothing(books: Any, other: Any, monkeypatch: Any) -> None:
    for ledger in (books, other):
        ledger.grant(10_000)
        ledger.hold(f"r{id(ledger)}", 1000)
    now = time.time()
    for jump in (-(10**8), 10**8, 0):
        monkeypatch.setattr(time, "time", lambda jump=jump: now + jump)
        assert books.sweep() == other.sweep() == 0
    for ledger in (books, other):
        assert ledger.settle(f"r{id(ledger)}", {"output": 1}).total == 40


def test_what_lasts_outlives_its_process_until_its_time(
    books: Any, other: Any, monkeypatch: Any
) -> None:
    other.grant(10_000)
    other.hold("job_1", 4000, lasts=100)
    other.hold("job_2", 4000, lasts=100)
    other.ledger.close()
    assert books.sweep_the_dead() == 0
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 90)
    books.delivered("job_2", {"training": 10}, lasts=100)  # it goes on, in another process
    monkeypatch.setattr(time, "time", lambda: now + 110)
    assert books.sweep() == 1
    assert books.settle("job_2", {"training": 12}).total == 12 * 50
    assert books.wallet == (10_000 - 600, 0)


def test_more_holds_than_an_operation_takes_are_swept_by_and_by(books: Any, other: Any) -> None:
    other.grant(10**6)

    async def many() -> None:
        holds = (
            other.ledger.hold(f"r{number}", "org_a", 10, key="k", project="p", model="m")
            for number in range(MOST_AT_ONCE + 50)
        )
        await asyncio.gather(*holds)

    other.run(many)
    assert books.sweep_the_dead() == MOST_AT_ONCE + 50
    assert books.wallet == (10**6, 0)


def test_the_keeper_sweeps_by_itself(database: Any, other: Any) -> None:
    other.grant(10_000)
    other.hold("r1", 4000)
    with contextlib.closing(Ledger(database, beat_seconds=0.01)):
        end = time.monotonic() + 30
        while other.wallet != (10_000, 0):
            assert time.monotonic() < end
            time.sleep(0.01)
