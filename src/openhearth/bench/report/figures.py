"""All figures of a report, from its records alone (rule 53).

Whoever measured and whoever checks call this one function, and must get equal data.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from openhearth.bench.gate import Verdict, judge
from openhearth.bench.measures import Counter, PointMeasures, ratio, timings
from openhearth.bench.points import measured
from openhearth.bench.price import Billed, Cost, cost
from openhearth.bench.records import Record
from openhearth.bench.report.disclosure import Disclosure, Point
from openhearth.bench.report.over_time import over_time
from openhearth.bench.runs import rate_of, replayed
from openhearth.errors import HearthError

Plain = dict[str, Any]
COMPARED = {"ttft": 1e3, "tpot": 1e3, "e2e": 1e3}  # of requests, in milliseconds


@dataclass(frozen=True)
class Measurement:
    """What was done and what came. `reference` are its answers (point 0) and its scores of an
    entry's answers (point 1 and the entry's number). `known` are figures of the first points, where
    whoever carried these out has made them.
    """

    disclosure: Disclosure
    records: Sequence[Record]
    reference: Sequence[Record]
    counter: Counter
    known: Sequence[PointMeasures] = ()

    @cached_property
    def measures(self) -> list[PointMeasures]:
        """The figures of each point."""
        told, first = self.disclosure, len(self.known)
        rest = enumerate(told.points[first:], first)
        made = [measured(told.recipe, one, self.of(n), self.counter) for n, one in rest]
        return [*self.known, *made]

    def of(self, number: int) -> list[Record]:
        """The records of a point."""
        return self._by_point.get(number, [])

    @cached_property
    def _by_point(self) -> dict[int, list[Record]]:
        found: dict[int, list[Record]] = {}
        for record in self.records:
            found.setdefault(record.point, []).append(record)
        return found

    def by(self, entry: int, *roles: str) -> list[int]:
        """The points of an entry in these roles."""
        points = enumerate(self.disclosure.points)
        return [n for n, point in points if point.entry == entry and point.role in roles]


def figures(it: Measurement) -> Plain:
    """Plain data for `report.json`. What is infinite is null.

    Raises:
        UsageError: records and disclosure do not fit together.
    """
    told, points = it.disclosure, it.measures
    found = {
        "protocol": told.protocol,
        "recipe": told.recipe.name,
        "recipe_digest": told.recipe.digest,
        "created": told.created,
        "partial": told.partial or any(point.partial for point in points),
        "points": [_told(*pair) for pair in zip(told.points, points, strict=True)],
        "entries": [_entry(it, number) for number in range(len(told.entries))],
        "comparison": _comparison(it),
        "over_time": _over_time(it),
    }
    plain: Plain = _finite(found)
    return plain


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _told(point: Point, found: PointMeasures) -> Plain:
    about = point.model_dump(mode="json", include={"role", "entry", "load", "longer", "began"})
    return about | {"network_ms": list(point.network_ms)} | found.to_dict()


def _entry(it: Measurement, number: int) -> Plain:
    entry = it.disclosure.entries[number]
    capacity, headline = _capacity(it, number)
    verdict = _verdict(it, number)
    paid = _cost(it, number, headline)
    return {
        "model": entry.model,
        "url": entry.url,
        "system": entry.system,
        "stake": entry.stake,
        "approximations": list(entry.approximations),
        "division": entry.prices.division if entry.prices else None,
        "class": verdict.quality if verdict else "ungated",
        "gate": verdict.to_dict() if verdict else None,
        "capacity": capacity,
        "headline": headline,
        "cost": asdict(paid) if paid else None,
        "ranked": headline is not None and _is_ranked(it, number, capacity),
    }


def _capacity(it: Measurement, number: int) -> tuple[Plain | None, int | None]:
    """The capacity, if a search found one, and the point that speaks for the entry: of the runs
    that confirmed the capacity that with the least goodput; else of the recipe's own loads that in
    the middle. A search that was not gone through to its end has no capacity.
    """
    points = it.measures
    goodput = lambda place: points[place].answers.rates.goodput  # noqa: E731
    tried = it.by(number, "search")
    if not tried:
        own = sorted(it.by(number, "ranked", "monitor"), key=goodput)
        return None, own[(len(own) - 1) // 2] if own else None
    rates = [rate_of(it.disclosure.points[place].load) for place in tried]
    try:
        found = replayed(rates, [points[place] for place in tried])
    except HearthError:
        return None, None
    confirmed = [n for n in tried if any(points[n] is one for one in found.confirmed)]
    capacity = {"rate": found.rate, "failed": found.failed, "valid": found.valid}
    return capacity, min(confirmed, key=goodput, default=None)


def _over_time(it: Measurement) -> Plain | None:
    """None unless the load was repeated."""
    places = [place for n in range(len(it.disclosure.entries)) for place in it.by(n, "monitor")]
    if len(places) < 2:
        return None
    return over_time([it.disclosure.points[n] for n in places], [it.measures[n] for n in places])


def _verdict(it: Measurement, number: int) -> Verdict | None:
    """None if nothing was asked."""
    asked = it.by(number, "gate")
    if not asked:
        return None
    loaded = [record for place in it.by(number, "ranked", "search", "twice", "monitor")
              for record in it.of(place) if "gate" in record.check]  # fmt: skip
    answers = [record for record in it.reference if record.point == 0]
    scores = [record for record in it.reference if record.point == 1 + number]
    return judge(it.of(asked[0]), loaded, answers, scores)


def _cost(it: Measurement, number: int, headline: int | None) -> Cost | None:
    """At the headline's point: tokens as billed, useful ones as counted (rule 46)."""
    sheet = it.disclosure.entries[number].prices
    if sheet is None or headline is None:
        return None
    point = it.measures[headline]
    due = [r for r in it.of(headline) if point.window.holds(r.due)]
    return cost(
        sheet,
        Billed(
            seconds=point.window.seconds,
            requests=len(due),
            prompt=sum(r.prompt_tokens or 0 for r in due),
            cached=sum(r.cached_tokens or 0 for r in due),
            completion=sum(r.completion_tokens or 0 for r in due),
            useful=round(point.answers.rates.useful_tokens * point.window.seconds),
        ),
    )


def _is_ranked(it: Measurement, number: int, capacity: Plain | None) -> bool:
    """Whether tables take the entry (rules 2, 11, 13, 17 and 58). A load that the generator did not
    carry is tried by a search, but must not be what ended it.
    """
    loads = [it.measures[place] for place in it.by(number, "ranked", "search", "monitor")]
    valid = capacity["valid"] if capacity else all(point.valid for point in loads)
    whole = not it.disclosure.partial and not any(point.partial for point in it.measures)
    return bool(
        valid and whole and it.disclosure.recipe.ranked and not any(one.short for one in loads)
    )


def _comparison(it: Measurement) -> list[Plain] | None:
    """Each other entry against the first, over turns; None unless there are two of them."""
    turns = [it.by(number, "ranked") for number in range(len(it.disclosure.entries))]
    if len(turns) < 2 or min(map(len, turns)) < 2:
        return None
    values = [[_times(it, place) for place in places] for places in turns]
    pairs = min(map(len, turns))
    return [
        {
            "entry": number,
            "against": 0,
            "turns": pairs,
            "ratios": {
                name: _ratio([one[name] for one in values[number]][:pairs],
                             [one[name] for one in values[0]][:pairs])
                for name in COMPARED
            },
        }
        for number in range(1, len(turns))
    ]  # fmt: skip


def _times(it: Measurement, place: int) -> dict[str, list[float]]:
    found = timings(it.of(place), it.counter)
    return {
        name: [value * factor for timing in found if (value := getattr(timing, name)) is not None]
        for name, factor in COMPARED.items()
    }


def _ratio(ours: Sequence[list[float]], theirs: Sequence[list[float]]) -> Plain | None:
    try:
        found = ratio(ours, theirs, paired=True)
    except HearthError:
        return None
    return asdict(found) | {"differs": found.differs}
