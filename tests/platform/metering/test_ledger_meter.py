"""Tabs by themselves: how often what was delivered is written down, and whose name is on it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from openhearth.platform.ledger import HoldLost
from openhearth.platform.metering import ledger_meter
from openhearth.platform.metering.ledger_meter import MARK_TOKENS, LedgerMeter, LedgerTab


@pytest.fixture
def marks(books: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What was written down, as tokens of output."""
    written: list[int] = []
    delivered = books.ledger.delivered

    def noting(request_id: str, counts: Any) -> Any:
        written.append(counts["output"])
        return delivered(request_id, counts)

    monkeypatch.setattr(books.ledger, "delivered", noting)
    return written


def deliver(
    books: Any, payer: Any, tokens: int, pause: float = 0.0, *, patient: bool = False
) -> None:
    """A stream of single tokens, which may wait for each mark, and whose caller then leaves."""

    async def main() -> None:
        tab = LedgerTab(books.ledger, "r1", payer)
        await tab.hold("tiny", {"input": 4, "output": tokens})
        for count in range(1, tokens + 1):
            await asyncio.sleep(pause)
            tab.deliver({"output": count})
            if patient and tab._marking is not None:
                await asyncio.wait([tab._marking])
        await tab.close()
        await tab.close()

    asyncio.run(main())


def test_tokens_are_written_down_by_the_dozen(
    books: Any, meter: Any, marks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_meter, "MARK_SECONDS", 1e9)
    books.grant(10**6)
    deliver(books, meter.payer, 5 * MARK_TOKENS, pause=0.0005)
    assert 1 <= len(marks) <= 5
    assert marks[0] >= 1
    assert marks == sorted(set(marks))
    assert books.receipt("r1").total == 5 * MARK_TOKENS * 40


def test_slow_tokens_are_written_down_after_a_while(
    books: Any, meter: Any, marks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_meter, "MARK_SECONDS", 0.0)
    books.grant(10**6)
    deliver(books, meter.payer, 3, patient=True)
    assert marks == [1, 2, 3]


def test_whose_hold_was_lost_delivers_no_more(books: Any, meter: Any, other: Any) -> None:
    books.grant(10**6)

    async def main() -> None:
        tab = LedgerTab(books.ledger, "r1", meter.payer)
        await tab.hold("tiny", {"output": 1000})
        await asyncio.to_thread(other.sweep_the_dead)
        try:
            for count in range(1, 1000):
                tab.deliver({"output": count})
                await asyncio.sleep(0.001)
        finally:
            await tab.close()

    with pytest.raises(HoldLost):
        asyncio.run(main())
    assert books.receipt("r1") is None
    assert books.wallet == (10**6, 0)


def test_the_guard_says_who_pays(books: Any, meter: Any) -> None:
    books.grant(10**6)

    async def main() -> None:
        http: Any = SimpleNamespace(state=SimpleNamespace(request_id="r9", caller=meter.payer))
        tab = LedgerMeter(books.ledger).tab(http)
        await tab.hold("tiny", {"output": 10})
        await tab.settle({"output": 2})
        assert tab.cost == 80

    asyncio.run(main())
    assert books.receipt("r9").organisation == "org_a"
