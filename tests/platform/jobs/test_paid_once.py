"""A job's line is charged once, whichever attempts have died at whichever moment."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import HTTPConnection

from openhearth.errors import HearthError
from openhearth.platform.jobs import PaidOnce

MOST = {"output": 10}


class Books:
    """The life of holds as the ledger has it: an id is held, then ended once."""

    def __init__(self) -> None:
        self.states: dict[str, str] = {}
        self.receipts: dict[str, int] = {}

    def tab(self, http: HTTPConnection) -> BookTab:
        return BookTab(self, http.state.request_id)

    async def receipt(self, name: str) -> int | None:
        return self.receipts.get(name)

    def end(self, name: str, charged: int | None) -> None:
        if self.states.get(name) == "held":
            self.states[name] = "ended"
            if charged is not None:
                self.receipts[name] = charged


class BookTab:
    """A tab in these books."""

    cost = 0

    def __init__(self, books: Books, name: str) -> None:
        self._books = books
        self._name = name

    async def hold(self, model: str, most: Mapping[str, int]) -> None:
        if self._books.states.setdefault(self._name, "held") != "held":
            raise HearthError("It has ended.")

    def deliver(self, so_far: Mapping[str, int]) -> None: ...

    async def settle(self, counts: Mapping[str, int]) -> None:
        self._books.end(self._name, sum(counts.values()))
        if self._name not in self._books.receipts:
            raise HearthError("It has ended.")
        self.cost = self._books.receipts[self._name]

    async def close(self) -> None:
        self._books.end(self._name, None)


def request(**state: Any) -> HTTPConnection:
    return HTTPConnection({"type": "http", "state": state})


@given(deaths=st.lists(st.sampled_from(["held", "swept", "released", "settled", "paid"])))
def test_whatever_died_a_line_is_charged_once(deaths: list[str]) -> None:
    books = Books()
    meter = PaidOnce(books, books.receipt)

    async def attempt(death: str) -> None:
        http = request(job="batch_1", request_id="batch_1-7")
        tab = meter.tab(http)
        await tab.hold("tiny", MOST)
        if death in ("settled", "alive"):
            await tab.settle({"output": 5})
        if death == "released":
            await tab.close()
        if death == "swept":  # the gateway died before anything went out
            books.end(http.state.request_id, None)
        if death == "paid":  # or after
            books.end(http.state.request_id, 5)

    for death in [*deaths, "alive"]:
        asyncio.run(attempt(death))
    assert list(books.receipts.values()) == [5]


def test_other_requests_are_none_of_its_business() -> None:
    books = Books()
    tab = PaidOnce(books, books.receipt).tab(request(request_id="req-1"))
    assert isinstance(tab, BookTab)
