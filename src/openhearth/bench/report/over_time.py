"""How a server was over days: by hour and weekday, how often it answered, and its worst hours
(rule 51). Hours are those of UTC. No mean is taken over runs (rule 29).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from openhearth.bench.measures import PointMeasures, Spread, Verdict
from openhearth.bench.report.disclosure import Point

WORST_H = 6
Run = tuple[Point, PointMeasures]
Summary = dict[str, Any]


def _percentile(spread: Spread | None, name: str) -> float:
    return getattr(spread, name).value if spread else math.inf


# What is told of a run, and whether less of it is better.
MEASURES: dict[str, tuple[Callable[[PointMeasures], float], bool]] = {
    "ttft_p50_ms": (lambda found: _percentile(found.answers.ttft_ms, "p50"), True),
    "ttft_p99_ms": (lambda found: _percentile(found.answers.ttft_ms, "p99"), True),
    "tpot_p50_ms": (lambda found: _percentile(found.answers.tpot_ms, "p50"), True),
    "goodput": (lambda found: found.answers.rates.goodput, False),
}


def over_time(points: Sequence[Point], measures: Sequence[PointMeasures]) -> Summary:
    """Plain data of all runs together, of each hour of the day and weekday (Monday is 0) that has
    some, and of the six hours in which the least share of requests met the objective.

    Of what was measured stand the medians over runs, and what 95 % of them reach; what is infinite
    stays so.
    """
    runs = sorted(zip(points, measures, strict=True), key=lambda run: run[0].began)
    last = runs[-1]
    return {
        "from": runs[0][0].began,
        "to": last[0].began + last[1].seconds,
        "well": sum(found.verdict is not Verdict.FAILS for _, found in runs),
        **_summary(runs),
        "p95": {name: _rank(runs, name, 95) for name in MEASURES},
        "hours": _grouped(runs, "hour", lambda at: at.hour),
        "weekdays": _grouped(runs, "weekday", lambda at: at.weekday()),
        "worst": _worst(runs),
    }


def _summary(runs: Sequence[Run]) -> Summary:
    """`answered` is the share of requests that ended well, `kept` of those that met the objective;
    a request that has no record did neither.
    """
    due = sum(max(point.asks, found.requests) for point, found in runs)
    errors = sum((Counter(found.errors) for _, found in runs), Counter())
    answered = sum(found.requests for _, found in runs) - errors.total()
    decided = [found.answers.objective for _, found in runs]
    judged = sum(one.requests for one in decided)
    return {
        "points": len(runs),
        "requests": due,
        "answered": answered / due if due else 0.0,
        "kept": (judged - sum(one.misses for one in decided)) / judged if judged else 0.0,
        "errors": dict(sorted(errors.items())),
        **{name: _rank(runs, name, 50) for name in MEASURES},
    }


def _rank(runs: Sequence[Run], name: str, percent: int) -> float:
    """What so many per cent of the runs reach, by nearest rank."""
    measure, less_is_better = MEASURES[name]
    values = sorted((measure(found) for _, found in runs), reverse=not less_is_better)
    return values[math.ceil(percent * len(values) / 100) - 1]


def _grouped(runs: Sequence[Run], name: str, of: Callable[[datetime], int]) -> list[Summary]:
    keys = [of(datetime.fromtimestamp(point.began, UTC)) for point, _ in runs]
    return [
        {name: key} | _summary([run for mine, run in zip(keys, runs, strict=True) if mine == key])
        for key in sorted(set(keys))
    ]


def _worst(runs: Sequence[Run]) -> Summary:
    """Of the six hours that begin with each run; those that nothing was measured in to the end are
    taken only if there are no others.
    """
    begins = [point.began for point, _ in runs]
    whole = [at for at in begins if at + 3600 * WORST_H <= begins[-1]] or begins[:1]
    windows = [
        {"from": at} | _summary([r for r in runs if at <= r[0].began < at + 3600 * WORST_H])
        for at in whole
    ]
    return min(windows, key=lambda window: (window["kept"], window["from"]))
