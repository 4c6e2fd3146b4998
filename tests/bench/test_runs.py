"""Searches that are replayed, turns, and days, on a server that is arithmetic."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from openhearth.bench import runs
from openhearth.bench.measures import PointMeasures
from openhearth.bench.points import measured
from openhearth.bench.recipe import AllAtOnce, Recipe
from openhearth.bench.report.disclosure import Point
from openhearth.bench.report.figures import figures
from openhearth.bench.session import BrokenOff
from openhearth.errors import UsageError
from tests.bench.builders import BEGAN, SHORT, TINY, Server, a_sweep, measurement, session


def test_a_replayed_search_finds_what_the_search_found() -> None:
    it = a_sweep()
    tried = it.by(0, "search")
    rates = [runs.rate_of(it.disclosure.points[number].load) for number in tried]
    points = [
        measured(it.disclosure.recipe, it.disclosure.points[n], it.of(n), it.counter) for n in tried
    ]
    found = runs.replayed(rates, points)
    assert found.rate in rates
    assert len(found.confirmed) == 3
    with pytest.raises(UsageError, match="there"):
        runs.replayed([*rates[:-1], 99.0], points)
    with pytest.raises(UsageError, match="there"):
        runs.replayed(rates[:-1], points[:-1])
    with pytest.raises(UsageError, match="went on"):
        runs.replayed([*rates, rates[-1]], [*points, points[-1]])
    last = it.disclosure.points[-2:]
    assert [point.role for point in last] == ["alone", "twice"]
    assert runs.rate_of(last[1].load) == pytest.approx(2 * found.rate)


def test_sides_take_turns_and_none_is_always_first() -> None:
    it = session(TINY, [Server(), Server(slower=2.0)])
    runs.compare(it, 3)
    assert [point.entry for point in it.points] == [0, 1, 1, 0, 0, 1]
    assert {point.role for point in it.points} == {"ranked"}
    assert len({point.seed for point in it.points}) == 6


@dataclass
class Clock:
    """Goes on by a quarter of an hour whenever it is asked."""

    now: float = BEGAN

    def __call__(self) -> float:
        self.now += 900
        return self.now


def test_a_monitor_asks_now_and_again_until_its_time_is_over() -> None:
    it, written = session(TINY), list[int]()
    clock = Clock()
    runs.monitor(it, 3600, BEGAN + 4 * 3600, lambda: written.append(len(it.points)), clock)
    assert written == [1, 2, 3, 4]
    assert {point.role for point in it.points} == {"monitor"}


def test_what_was_broken_off_is_kept() -> None:
    it = session(SHORT, [Server(breaks_off_after=5)])
    with pytest.raises(BrokenOff):
        it.point("ranked")
    assert it.points[-1].interrupted
    assert len(it.last) == it.points[-1].asks


def test_arrivals_without_a_rate_cannot_be_swept() -> None:
    recipe = SHORT.model_copy(update={"load": AllAtOnce(arrivals="all_at_once")})
    with pytest.raises(UsageError, match="arrivals with a rate"):
        runs.sweep(session(recipe))


def test_the_figures_of_a_point_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def counted(recipe: Recipe, point: Point, *rest: Any) -> PointMeasures:
        made.append(point.seed)
        return measured(recipe, point, *rest)

    monkeypatch.setattr("openhearth.bench.session.measured", counted)
    monkeypatch.setattr("openhearth.bench.report.figures.measured", counted)
    it, written = session(TINY), list[dict[str, Any]]()

    def kept() -> None:
        written.append(figures(replace(measurement(it), known=it.measures)))

    runs.monitor(it, 3600, BEGAN + 4 * 3600, kept, Clock())
    assert made == [point.seed for point in it.points]
    assert written[-1] == figures(measurement(it))  # whoever checks makes them anew
    assert len(made) == 2 * len(it.points)
