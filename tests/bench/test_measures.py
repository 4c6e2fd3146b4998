"""From records to measures, on records whose measures are plain to see."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.bench.measures import Spread, measure
from openhearth.bench.records import Failure
from tests.bench.conftest import record


def test_latencies_count_from_the_scheduled_instant() -> None:
    late = record(1.0, 3.0, 3.5, 4.5, sent=2.5)
    measures = measure([late])
    assert measures.ttft_ms
    assert measures.inter_token_ms
    assert measures.end_to_end_ms
    assert measures.ttft_ms.p50 == 2000
    assert measures.inter_token_ms.p50 == 750
    assert measures.end_to_end_ms.p50 == 3500


def test_throughput_is_tokens_of_all_over_first_send_to_last_end() -> None:
    measures = measure([record(0, 1, 2, tokens=30), record(1, 3, 5, tokens=20)])
    assert measures.tokens_per_s == 10
    assert measures.requests_per_s == pytest.approx(0.4)
    assert measures.completion_tokens == 50


def test_failures_are_counted_by_kind_and_not_timed() -> None:
    good = record(0, 1, 2)
    server, cut = Failure.SERVER, Failure.CUT
    bad = [record(0, 9, failure=server), record(0, failure=server), record(0, failure=cut)]
    measures = measure([good, *bad])
    assert measures.requests == 4
    assert measures.errors == {"server": 2, "cut": 1}
    assert measures.ttft_ms == measure([good]).ttft_ms
    assert measures.tokens_per_s == measure([good]).tokens_per_s


def test_of_nothing_there_are_no_numbers() -> None:
    measures = measure([record(0, failure=Failure.SERVER)])
    assert measures.ttft_ms is None
    assert measures.inter_token_ms is None
    assert measures.tokens_per_s == 0
    assert measure([]).requests == 0


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60))
def test_percentiles_are_in_order_and_the_interval_holds_the_median(values: list[float]) -> None:
    spread = Spread.of(values)
    assert spread
    assert min(values) <= spread.p50 <= spread.p90 <= spread.p99 <= max(values)
    assert spread.p50_low <= spread.p50 <= spread.p50_high


def test_percentiles_of_a_hundred_and_one_values() -> None:
    spread = Spread.of([float(i) for i in range(101)])
    assert spread
    assert (spread.p50, spread.p90, spread.p99) == (50, 90, 99)
    # The median of n uniform draws has a standard error of about 1.25 sigma / sqrt(n) = 3.6.
    assert 38 < spread.p50_low < 47
    assert 53 < spread.p50_high < 62
