"""All figures of a report, from its records alone (rule 53).

Whoever measured and whoever checks call this one function, and must get equal data.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from openhearth.bench.gate import Verdict, judge
from openhearth.bench.measures import Counter, PointMeasures, ratio
from openhearth.bench.measures.objective import Verdict as Held
from openhearth.bench.points import measured
from openhearth.bench.price import Billed, Cost, cost
from openhearth.bench.records import Record
from openhearth.bench.report.disclosure import Disclosure, Point
from openhearth.bench.runs import rate_of, replayed
from openhearth.errors import HearthError

Plain = dict[str, Any]


@dataclass(frozen=True)
class Measurement:
    """What was done and what came: the records of the servers, and the reference's answers."""

    disclosure: Disclosure
    records: Sequence[Record]
    reference: Sequence[Record]
    counter: Counter


def figures(measurement: Measurement) -> Plain:
    """Plain data for `report.json`.

    Raises:
        UsageError: the records and the disclosure do not fit together.
    """
    disclosure = measurement.disclosure
    points = [_of_point(measurement, number) for number in range(len(disclosure.points))]
    return {
        "protocol": disclosure.protocol,
        "recipe": disclosure.recipe.name,
        "recipe_digest": disclosure.recipe.digest,
        "created": disclosure.created,
        "partial": disclosure.partial,
        "points": [_told(*pair) for pair in zip(disclosure.points, points, strict=True)],
        "entries": [
            _entry(measurement, points, number) for number in range(len(disclosure.entries))
        ],
        "comparison": _comparison(measurement, points),
    }


def _of_point(measurement: Measurement, number: int) -> PointMeasures:
    point = measurement.disclosure.points[number]
    records = [record for record in measurement.records if record.point == number]
    return measured(measurement.disclosure.recipe, point, records, measurement.counter)


def _told(point: Point, found: PointMeasures) -> Plain:
    about = point.model_dump(mode="json", include={"role", "entry", "load", "longer", "began"})
    return about | {"network_ms": list(point.network_ms)} | found.to_dict()


def _entry(measurement: Measurement, points: Sequence[PointMeasures], number: int) -> Plain:
    disclosure = measurement.disclosure
    entry = disclosure.entries[number]
    capacity, headline = _capacity(disclosure, points, number)
    verdict = _verdict(measurement, number)
    paid = _cost(measurement, points, number, headline)
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
        "cost": paid.to_dict() if paid else None,
        "ranked": _ranked(disclosure, points, headline),
    }
