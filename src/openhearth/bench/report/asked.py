"""Was what a report says was asked really asked, when it was due? (rules 9 to 12)

Loads, seeds, requests and due times follow from the recipe and the seed. A report whose requests
are easier, fewer or later than those does not hold.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from openhearth.bench.gate import canaries, questions
from openhearth.bench.load import share
from openhearth.bench.points import beacon_seed, planned, point_seed
from openhearth.bench.recipe import Callers, Load, Recipe
from openhearth.bench.records import Ask, Record
from openhearth.bench.report.check import Check
from openhearth.bench.report.disclosure import Disclosure, Point
from openhearth.bench.report.figures import Measurement
from openhearth.bench.session import ALONE
from openhearth.errors import HearthError

MOST = 5_000_000  # requests that are made again to look at one report
CLOCK_S = 1e-6  # that times, counted from another instant, may differ


def asked(measurement: Measurement) -> Iterator[Check]:
    """The seeds and loads, then the requests of each point."""
    told = measurement.disclosure
    yield _seeds(told)
    yield _loads(told)
    recipe = told.recipe
    if sum(_expected(recipe, point) for point in told.points) > MOST:
        yield Check("requests", None, f"they would be more than {MOST:,}")
        return
    gate = questions(recipe, recipe.gate, told.seed) if recipe.gate and told.reference else []
    for number, point in enumerate(told.points):
        name = f"requests of point {number + 1}"
        try:
            plan = gate if point.role == "gate" else planned(
                recipe, point.load, point.longer, point.seed, measurement.counter, canaries(gate)
            )  # fmt: skip
            mine = share(plan, point.share[0] - 1, point.share[1])
        except HearthError:  # whose text may have lines of a file of this machine
            yield Check(name, None, "the trace or the texts that it was made of are not here")
            continue
        yield _requests(name, point, mine, measurement.of(number))
    yield from _reference(measurement, {ask.number: ask for ask in gate})
    if any(record.point not in range(len(told.points)) for record in measurement.records):
        yield Check("records", False, "there are some of a point that the disclosure does not name")


def _expected(recipe: Recipe, point: Point) -> float:
    """About how many requests a point's plan has, before it is made."""
    seconds, fewest = recipe.shortest * point.longer, recipe.fewest * point.longer
    return 0 if point.role == "gate" else max(fewest, getattr(point.load, "rate", 0.0) * seconds)


def _reference(measurement: Measurement, gate: Mapping[int, Ask]) -> Iterator[Check]:
    """Whether the reference was asked the same."""
    answers = [record for record in measurement.reference if record.point == 0]
    wrong = [r.number for r in answers if r.number not in gate or r.request != gate[r.number].body]
    if wrong:
        yield Check("reference", False, f"its number {wrong[0]} is none of the gate's questions")
    elif answers:
        yield Check("reference", True, f"{len(answers)} answers to the gate's questions")


def _seeds(told: Disclosure) -> Check:
    if told.beacon is not None and told.seed != beacon_seed(told.recipe, told.beacon):
        return Check("seeds", False, "the seed is not that of recipe and beacon")
    for number, point in enumerate(told.points):
        right = told.seed if point.role == "gate" else point_seed(told.seed, number)
        if point.seed != right:
            return Check(
                "seeds", False, f"that of point {number + 1} does not follow from {told.seed}"
            )
    return Check("seeds", True, f"all follow from {told.seed}")


def _loads(told: Disclosure) -> Check:
    for number, point in enumerate(told.points):
        if not _is_of(told.recipe, point):
            return Check("loads", False, f"that of point {number + 1} is not the recipe's")
    return Check("loads", True, "they are the recipe's")


def _is_of(recipe: Recipe, point: Point) -> bool:
    """A search, and twice what it found, differ from the recipe in their rate and length."""
    if point.role in ("gate", "alone"):
        return point.load == ALONE and point.longer == 1
    if point.role in ("search", "twice"):
        return _without_rate(point.load) == _without_rate(recipe.load)
    return point.load == recipe.load and point.longer == 1


def _without_rate(load: Load) -> Mapping[str, object]:
    return load.model_dump(exclude={"rate"})


def _requests(name: str, point: Point, plan: Sequence[Ask], records: Sequence[Record]) -> Check:
    by_number = {ask.number: ask for ask in plan}
    found = {record.number: record for record in records}
    if point.asks != len(plan):
        return Check(name, False, f"{point.asks} were due, it says; the seed makes {len(plan)}")
    if len(found) < len(records):
        return Check(name, False, "two have the same number")
    if len(found) != len(plan) and not point.interrupted:
        return Check(name, False, f"{len(found)} of {len(plan)} are recorded")
    for record in records:
        ask = by_number.get(record.number)
        if ask is None or not _is_asked(record, ask):
            return Check(name, False, f"number {record.number} is not what the seed makes")
        if not _is_due(record, ask, found, point.load):
            return Check(name, False, f"number {record.number} was due at another time")
    return Check(name, True, f"{len(records)}, as the seed makes them")


def _is_asked(record: Record, ask: Ask) -> bool:
    """Later turns have the conversation before them. None is given up unless it was to be."""
    body = record.request
    if (record.workload, record.route, record.check) != (ask.workload, ask.route, ask.check):
        return False
    if record.hung_up and ask.hang_up is None:
        return False
    if ask.after is None:
        return body == ask.body
    new, sent = ask.body["messages"], body.get("messages", [])
    rest = {name: value for name, value in ask.body.items() if name != "messages"}
    return {name: value for name, value in body.items() if name != "messages"} == rest and [
        one["content"] for one in sent[-len(new) :]
    ] == [one["content"] for one in new]


def _is_due(record: Record, ask: Ask, found: Mapping[int, Record], load: Load) -> bool:
    """A later turn is due after the end of the one before; callers ask when they are free."""
    if ask.after is not None:
        before = found.get(ask.after)
        if before is None:
            return True
        ended = before.due if before.ended is None else before.ended
        return math.isclose(record.due, ended + ask.at, abs_tol=CLOCK_S)
    if isinstance(load, Callers):
        return record.due >= 0
    return math.isclose(record.due, ask.at, abs_tol=CLOCK_S)
