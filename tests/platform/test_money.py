"""Amounts are exact, in both directions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.errors import UsageError
from openhearth.platform.caller import CREDIT
from openhearth.platform.money import MOST, credits_of, units_of


@given(st.integers(-MOST, MOST))
def test_writing_and_reading_an_amount_changes_nothing(units: int) -> None:
    assert units_of(credits_of(units)) == units


@pytest.mark.parametrize(
    ("units", "text"),
    [
        (25 * CREDIT, "25.00"),
        (0, "0.00"),
        (1, "0.00000001"),
        (-150, "-0.0000015"),
        (CREDIT // 2, "0.50"),
        (MOST, "46116860184.27387904"),
    ],
)
def test_amounts_are_written_as_people_do(units: int, text: str) -> None:
    assert credits_of(units) == text


def test_a_unit_is_a_millionth_of_a_cent() -> None:
    assert units_of("0.01") == 1_000_000
    assert units_of("1e2") == 100 * CREDIT


@pytest.mark.parametrize("text", ["", "x", "nan", "inf", "-Infinity", "1e30", "0.000000001"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        units_of(text)
