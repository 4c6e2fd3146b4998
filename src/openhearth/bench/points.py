"""What a point asks and how its figures are made: the same for who measures and for who checks."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from openhearth.bench.load import due_times
from openhearth.bench.measures import Counter, PointMeasures, measure
from openhearth.bench.recipe import Load, Recipe
from openhearth.bench.records import Ask, Record
from openhearth.bench.report.disclosure import Point
from openhearth.bench.workloads import asks


def point_seed(seed: int, number: int) -> int:
    """The seed of a session's point, by its place (rule 9)."""
    entropy = np.random.SeedSequence([seed, number])
    return int(entropy.generate_state(1, np.uint64)[0] >> np.uint64(1))


def beacon_seed(recipe: Recipe, beacon: str) -> int:
    """The seed that a public number makes for a recipe (rule 9)."""
    told = f"{recipe.digest}/{beacon}".encode()
    return int.from_bytes(hashlib.sha256(told).digest()[:7], "big")


def planned(
    recipe: Recipe,
    load: Load,
    longer: int,
    seed: int,
    counter: Counter,
    canaries: Sequence[Ask] = (),
) -> list[Ask]:
    """The requests of a point. They follow from the arguments alone (rule 9).

    Raises:
        NotFound, UsageError: what `due_times` and `asks` raise.
    """
    rng = np.random.default_rng(seed)
    times = due_times(load, recipe.shortest * longer, recipe.fewest * longer, rng)
    mix = recipe.model_copy(update={"load": load})
    return asks(mix, seed, times, counter.count, canaries=canaries)


def measured(
    recipe: Recipe, point: Point, records: Sequence[Record], counter: Counter
) -> PointMeasures:
    """The figures of a point from its records."""
    last = max((record.due for record in records), default=0.0)
    return measure(
        records,
        recipe.model_copy(update={"load": point.load}),
        counter,
        seconds=max(recipe.shortest * point.longer, last),
        missing=max(0, point.asks - len(records)),
    )
