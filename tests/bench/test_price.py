"""Prices: of an hour, of useful tokens, and those that a system implies."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from openhearth.bench.price import (
    THREE_YEARS,
    Billed,
    Hardware,
    Item,
    Service,
    cost,
    implied,
    read_sheet,
)
from openhearth.errors import NotFound, UsageError

ABOUT: dict[str, Any] = {"source": "an offer", "date": date(2026, 11, 26)}
SERVICE = Service(division="service", input=0.2, output=0.6, cached_input=0.1, **ABOUT)
COUNTS = st.integers(1, 10**7)


def test_an_hour_of_hardware_is_depreciation_power_and_hosting() -> None:
    items = (Item(name="server", quantity=2, purchase=THREE_YEARS), Item(name="router", per_hour=1))
    sheet = Hardware(
        division="hardware", items=items, watts=500, per_kwh=0.4, hosting_per_hour=0.3, **ABOUT
    )
    assert sheet.hour == pytest.approx(2 + 1 + 0.2 + 0.3)


def test_useful_tokens_bear_the_whole_cost_and_idle_hours_make_them_dearer() -> None:
    sheet = Hardware(division="hardware", items=(Item(name="all", per_hour=3.6),), **ABOUT)
    found = cost(sheet, Billed(100, 50, 9000, 0, 2000, useful=1000))
    assert found.per_hour == pytest.approx(3.6)
    assert found.per_million_useful == pytest.approx(100)  # 0.1 dollars for 1,000 tokens
    assert found.per_million_useful_at_30_percent == pytest.approx(100 / 0.3)
    assert found.per_thousand_requests == pytest.approx(2)
    assert found.useful_per_second_per_dollar_hour == pytest.approx(10 / 3.6)


def test_a_service_costs_what_is_billed_whatever_was_useful() -> None:
    assert SERVICE.of(1_000_000, 400_000, 500_000) == pytest.approx(0.12 + 0.04 + 0.3)
    found = cost(SERVICE, Billed(3600, 10, 1_000_000, 400_000, 500_000, useful=250_000))
    assert found.per_million_useful == pytest.approx(0.46 * 4)
    assert found.per_million_useful_at_30_percent == found.per_million_useful


def test_nothing_useful_has_no_price() -> None:
    found = cost(SERVICE, Billed(3600, 0, 0, 0, 0, useful=0))
    assert found.per_million_useful is None
    assert found.per_thousand_requests is None


@given(st.lists(st.tuples(COUNTS, COUNTS, COUNTS), min_size=4, max_size=8, unique=True))
def test_prices_that_add_up_are_found_again(mixes: list[tuple[int, int, int]]) -> None:
    windows = [Billed(1, 1, fresh + held, held, out, 0) for fresh, held, out in mixes]
    spent = [SERVICE.of(w.prompt, w.cached, w.completion) for w in windows]
    try:
        found = implied(spent, windows)
    except UsageError:
        reject()  # mixes too much alike
    assert found.residual == pytest.approx(0, abs=1e-6)
    for window, dollars in zip(windows, spent, strict=True):
        fresh = window.prompt - window.cached
        told = found.input * fresh + (found.cached_input or 0.0) * window.cached
        told += found.output * window.completion
        assert told / 1e6 == pytest.approx(dollars, rel=1e-4, abs=1e-9)


def test_prices_need_three_mixes() -> None:
    with pytest.raises(UsageError, match="three mixes"):
        implied([1.0], [Billed(1, 1, 1, 0, 1, 1)])


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("division: gift", "division"),
        ("division: service\ninput: 1\noutput: 1\nsource: x", "service.date"),
        ("division: service\ninput: -1\noutput: 1\nsource: x\ndate: 2026-01-01", "service.input"),
        ("division: hardware\nitems: []\nsource: x\ndate: 2026-01-01", "hardware.items"),
        ("{", "is not YAML"),
    ],
)
def test_sheets_that_are_none(tmp_path: Path, text: str, wrong: str) -> None:
    sheet = tmp_path / "sheet.yaml"
    sheet.write_text(text)
    with pytest.raises(UsageError, match=wrong):
        read_sheet(sheet)
    with pytest.raises(NotFound, match="no price sheet"):
        read_sheet(tmp_path / "none.yaml")


def test_a_sheet_is_read(tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.yaml"
    sheet.write_text(
        "division: hardware\nsource: an offer\ndate: 2026-11-26\nwatts: 90\nper_kwh: 0.3\n"
        "items:\n  - {name: box, purchase: 600}\n"
    )
    found = read_sheet(sheet)
    assert isinstance(found, Hardware)
    assert found.hour == pytest.approx(600 / THREE_YEARS + 0.027)
