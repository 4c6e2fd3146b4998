"""How a server was over days."""

from __future__ import annotations

import math
from typing import Any

import pytest

from openhearth.bench.measures import PointMeasures
from openhearth.bench.points import measured
from openhearth.bench.report.disclosure import Point
from openhearth.bench.report.figures import Measurement, figures
from openhearth.bench.report.over_time import over_time
from tests.bench import builders

COUNT = 12  # every three hours from a Sunday, 15:06 UTC; rate limits in 7 and 8


@pytest.fixture(scope="module")
def measurement() -> Measurement:
    return builders.a_monitor(COUNT)


@pytest.fixture(scope="module")
def runs(measurement: Measurement) -> tuple[list[Point], list[PointMeasures]]:
    told = measurement.disclosure
    found = [
        measured(told.recipe, point, measurement.of(number), measurement.counter)
        for number, point in enumerate(told.points)
    ]
    return list(told.points), found


@pytest.fixture(scope="module")
def found(runs: Any) -> dict[str, Any]:
    return over_time(*runs)


def test_groups_have_every_run_once(found: dict[str, Any]) -> None:
    for groups in (found["hours"], found["weekdays"]):
        assert sum(group["points"] for group in groups) == found["points"] == COUNT
        assert sum(group["requests"] for group in groups) == found["requests"]
    assert [group["hour"] for group in found["hours"]] == [0, 3, 6, 9, 12, 15, 18, 21]
    assert [group["weekday"] for group in found["weekdays"]] == [0, 1, 6]


def test_availability_is_the_share_of_requests_that_were_answered(
    found: dict[str, Any], measurement: Measurement
) -> None:
    failed = [record for record in measurement.records if record.failure]
    assert found["errors"] == {"rate_limit": len(failed)}
    assert found["answered"] == 1 - len(failed) / len(measurement.records)


def test_the_worst_six_hours_are_those_of_the_errors(
    found: dict[str, Any], runs: tuple[list[Point], list[PointMeasures]]
) -> None:
    points, _ = runs
    assert found["worst"]["from"] == points[7].began
    assert found["worst"]["points"] == 2
    assert found["worst"]["errors"] == found["errors"]
    assert found["worst"]["kept"] < found["kept"]


def test_medians_over_runs_are_values_of_runs(
    found: dict[str, Any], runs: tuple[list[Point], list[PointMeasures]]
) -> None:
    _, measures = runs
    spreads = [one.answers.ttft_ms for one in measures]
    values = sorted(spread.p50.value for spread in spreads if spread)
    assert found["ttft_p50_ms"] == values[math.ceil(COUNT / 2) - 1]
    assert found["p95"]["ttft_p50_ms"] == values[math.ceil(0.95 * COUNT) - 1]
    goodputs = sorted(one.answers.rates.goodput for one in measures)
    assert found["p95"]["goodput"] == goodputs[COUNT - math.ceil(0.95 * COUNT)]


def test_the_order_of_runs_does_not_matter(
    found: dict[str, Any], runs: tuple[list[Point], list[PointMeasures]]
) -> None:
    points, measures = runs
    assert over_time(points[::-1], measures[::-1]) == found


def test_one_run_is_no_course() -> None:
    assert figures(builders.a_monitor(1))["over_time"] is None
    assert figures(builders.a_run())["over_time"] is None
    assert figures(builders.a_monitor(2))["over_time"]["points"] == 2
