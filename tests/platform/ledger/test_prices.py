"""Versions of the price table: which is valid, what a token costs, and what is no price."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.errors import NotFound, UsageError
from openhearth.platform.ledger import KINDS, PriceTable, read_prices
from openhearth.platform.ledger.prices import checked

EVERY = dict.fromkeys(KINDS, 10)
PRICES = {"*": EVERY, "large": {"input": 30, "output": 90}}


def test_a_model_costs_what_its_own_table_says_and_else_what_all_cost() -> None:
    table = PriceTable(1, 0, PRICES)
    assert table.unit_price("large", "output") == 90
    assert table.unit_price("large", "cached_input") == 10
    assert table.unit_price("unheard-of", "output") == 10


@given(
    st.dictionaries(st.sampled_from(KINDS), st.integers(0, 10**6)), st.sampled_from(["large", "x"])
)
def test_the_cost_is_the_sum_of_the_lines_without_rounding(counts: Any, model: str) -> None:
    table = PriceTable(1, 0, PRICES)
    lines = table.lines(model, counts)
    assert {line.kind: line.quantity for line in lines} == {k: n for k, n in counts.items() if n}
    expected = sum(n * table.unit_price(model, kind) for kind, n in counts.items())
    assert table.cost(model, counts) == sum(line.amount for line in lines) == expected


def test_a_new_platform_has_the_default_prices(books: Any) -> None:
    table = books.ledger.prices.current()
    assert (table.version, table.valid_from) == (1, 0)
    assert table.prices == {
        "*": {"input": 10, "cached_input": 5, "output": 40, "training": 50, "embedding": 2}
    }


def test_what_became_valid_last_is_valid(books: Any) -> None:
    now = int(time.time())

    def add(valid_from: int | None) -> int:
        return books.run(lambda: books.ledger.set_prices(PRICES, valid_from)).version

    later, at_once = add(now + 1000), add(None)
    prices = books.ledger.prices
    assert [table.version for table in prices.all()] == [1, later, at_once]
    assert prices.current().version == at_once
    assert prices.current(now + 1000).version == later
    assert prices.current(now - 1000).version == 1
    assert add(now + 1000) == prices.current(now + 1000).version  # of one moment the newest


def test_another_process_learns_of_new_prices(books: Any, other: Any) -> None:
    version = books.run(lambda: books.ledger.set_prices(PRICES)).version
    with other.database.reading() as connection:
        assert other.ledger.prices.version(version, connection).prices == PRICES
    assert other.ledger.prices.current().version == version
    with pytest.raises(NotFound, match="no version 99"):
        other.ledger.prices.version(99)


def test_a_request_pays_the_prices_of_its_start(books: Any) -> None:
    books.grant(10**6)
    books.hold("r1", 1000)
    books.run(lambda: books.ledger.set_prices({"*": dict.fromkeys(KINDS, 99)}))
    receipt = books.settle("r1", {"output": 3})
    assert (receipt.total, receipt.price_version) == (120, 1)


def test_prices_are_read_from_a_file() -> None:
    text = '["*"]\n' + "\n".join(f"{kind} = 10" for kind in KINDS)
    assert read_prices(text + "\n[large]\ninput = 30\noutput = 90") == PRICES


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[", "no TOML"),
        ("[large]\ninput = 1", "prices of input, cached_input"),
        ('["*"]\ninput = 0.5', "integer"),
        ('["*"]\ninput = -1', "greater"),
        ('["*"]\nwater = 1', "water"),
        ("a = 1", "wrong at a"),
    ],
)
def test_what_are_no_prices_is_said(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read_prices(text)


def test_what_was_cached_cannot_cost_more() -> None:
    with pytest.raises(UsageError, match="cached_input of 'cheap'"):
        checked({"*": EVERY, "cheap": {"input": 9}})
